import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { findWorkspaceRoot, listPackages, targetFiles, type WorkspacePackage } from '@vmm/workspace';
import { compilerSettings } from './compiler-settings.ts';
import { rewriteWorkerUrls } from './worker-urls.ts';

const help = `Usage: node tools/build/src/build.ts [directory]

Compiles <directory>/src (default: the current directory) to <directory>/dist: one .js and one .d.ts for each source,
tests left out, './x.ts' in imports and in new URL(…, import.meta.url) turned into './x.js', other files copied.
Packages of the workspace that it imports must have been built before (nx does that).`;

const { values, positionals } = parseArgs({ allowPositionals: true, options: { help: { type: 'boolean', short: 'h' } } });
if (values.help === true) console.log(help);
else process.exitCode = build(positionals[0] ?? process.cwd());

function build(directory: string): number {
  const packages = listPackages(findWorkspaceRoot(directory));
  const pkg = packages.find((candidate) => candidate.directory === directory);
  if (pkg === undefined) return fail(`find a package in ${directory}`, 'Run this in a directory that holds a package.json of the workspace.');

  rmSync(join(directory, 'dist'), { recursive: true, force: true });
  const settings = join(directory, 'node_modules', '.vmm-build', 'tsconfig.json');
  mkdirSync(dirname(settings), { recursive: true });
  writeFileSync(settings, JSON.stringify(compilerSettings(pkg, packages), undefined, 2));
  const compiler = spawnSync('tsc', ['-p', settings], { stdio: 'inherit' });
  if (compiler.status !== 0) return fail(`compile ${pkg.name}`, 'The messages above are the compiler\'s.');

  for (const file of filesIn(join(directory, 'src'))) copyAsset(directory, file);
  for (const file of filesIn(join(directory, 'dist'))) if (file.endsWith('.js')) rewriteInPlace(join(directory, 'dist', file));
  const missing = missingTargets(pkg);
  return missing.length === 0 ? 0 : fail(`find ${missing.join(', ')} of ${pkg.name}`, 'publishConfig names files that the sources do not make.');
}

function copyAsset(directory: string, file: string): void {
  if (/\.[cm]?tsx?$/.test(file)) return;
  const target = join(directory, 'dist', file);
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(join(directory, 'src', file), target);
}

function rewriteInPlace(path: string): void {
  const before = readFileSync(path, 'utf8');
  const after = rewriteWorkerUrls(before);
  if (after !== before) writeFileSync(path, after);
}

/** What publishConfig promises and dist lacks. */
function missingTargets(pkg: WorkspacePackage): string[] {
  const { exports = {}, bin = {} } = pkg.manifest.publishConfig ?? {};
  const promised = [...Object.values(exports).flatMap(targetFiles), ...Object.values(bin)];
  return promised.filter((path) => !existsSync(join(pkg.directory, path)));
}

/** Relative paths of all files below a directory. */
function filesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1));
}

function fail(what: string, hint: string): number {
  console.error(`build: cannot ${what}\n  ${hint}`);
  return 1;
}
