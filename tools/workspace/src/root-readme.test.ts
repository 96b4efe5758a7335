import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { withPackageTable } from './package-table.ts';
import { findWorkspaceRoot, listPackages, type Manifest } from './packages.ts';

const root = findWorkspaceRoot(dirname(fileURLToPath(import.meta.url)));
const packages = listPackages(root);
const readme = readFileSync(join(root, 'README.md'), 'utf8');

/** Names of everything that is installed from outside, over all manifests. */
function externalDependencies(): string[] {
  const rootManifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
  const all = [rootManifest, ...packages.map((pkg) => pkg.manifest)].flatMap(({ dependencies, devDependencies, peerDependencies, optionalDependencies }) =>
    Object.entries({ ...dependencies, ...devDependencies, ...peerDependencies, ...optionalDependencies }),
  );
  return [...new Set(all.filter(([, range]) => !range.startsWith('workspace:')).map(([name]) => name))].sort();
}

describe('the top-level README', () => {
  it('lists the packages that exist (else run tools/workspace/src/update-readme.ts)', () => {
    expect(withPackageTable(readme, packages)).toBe(readme);
  });

  it('links to files that exist', () => {
    const links = [...readme.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map((match) => match[1] ?? '');
    expect(links.length).toBeGreaterThan(packages.length / 2);
    expect(links.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  it.each(externalDependencies())('says why %s is needed', (name) => {
    expect(readme.slice(readme.indexOf('## Dependencies'))).toContain(`\`${name}\``);
  });
});
