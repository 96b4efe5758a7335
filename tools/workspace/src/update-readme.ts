import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { withPackageTable } from './package-table.ts';
import { findWorkspaceRoot, listPackages } from './packages.ts';

const help = `Usage: node tools/workspace/src/update-readme.ts

Rewrites the table of packages in the top-level README.md from the packages' manifests.`;

const { values } = parseArgs({ options: { help: { type: 'boolean', short: 'h' } } });
if (values.help === true) console.log(help);
else {
  const root = findWorkspaceRoot(dirname(fileURLToPath(import.meta.url)));
  const path = join(root, 'README.md');
  writeFileSync(path, withPackageTable(readFileSync(path, 'utf8'), listPackages(root)));
}
