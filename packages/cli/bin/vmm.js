#!/usr/bin/env node
// The vmm command. Plain JavaScript for any Node: the program itself needs Node 24 or later (26 from sources), which was installed beside it;
// started by an older one, this runs the program under that.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, statSync, utimesSync } from 'node:fs';
import * as module from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const folder = dirname(fileURLToPath(import.meta.url));
const built = join(folder, '..', 'dist', 'main.js');
const source = join(folder, '..', 'src', 'main.ts');
// In the repository the sources run unbuilt, whatever an earlier build has left; a package has no sources.
const inRepository = existsSync(source);
const isNewEnough = Number(process.versions.node.split('.')[0]) >= 24;

/** What to run. In the repository a bundle of exactly these sources, which is read in half the time; with VMM_UNBUNDLED=1 the sources themselves. */
async function findProgram() {
  if (!inRepository) return built;
  if (process.env.VMM_UNBUNDLED) return source;
  const root = join(folder, '..', '..', '..');
  const kept = keptProgram(root);
  if (kept !== undefined) return kept;
  const { bundledProgram } = await import(pathToFileURL(join(root, 'tools', 'build', 'src', 'program-cache.ts')).href);
  return (await bundledProgram({ root, packageFolder: join('packages', 'cli') })) ?? source;
}

/** A bundle that an earlier start has made, if all it was made of is as it was: a quarter of the time that it takes to list the sources. */
function keptProgram(root) {
  const cache = join(root, 'node_modules', '.cache', 'program');
  const isSame = ([path, size, mtimeMs]) => {
    const now = statSync(join(root, path), { throwIfNoEntry: false });
    return now !== undefined && now.size === size && now.mtimeMs === mtimeMs;
  };
  try {
    const newest = readdirSync(cache).map((name) => ({ path: join(cache, name), usedMs: statSync(join(cache, name)).mtimeMs })).sort((a, b) => b.usedMs - a.usedMs);
    for (const { path } of newest) {
      const { node, stamps } = JSON.parse(readFileSync(join(path, 'sources.json'), 'utf8'));
      if (node !== process.version || !stamps.every(isSame)) continue;
      utimesSync(path, new Date(), new Date()); // the least used one is dropped
      return join(path, 'dist', 'main.js');
    }
  } catch {
    // none yet, or another start is making one
  }
  return undefined;
}

/** Node's binary from the platform package that was installed with this one. */
function findNode() {
  const require = module.createRequire(import.meta.url);
  for (const name of [`node-${process.platform}-${process.arch}`, `node-bin-${process.platform}-${process.arch}`]) {
    try {
      const root = dirname(require.resolve(`${name}/package.json`));
      const binary = join(root, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
      if (existsSync(binary)) return binary;
    } catch {
      // not installed for this platform
    }
  }
  return undefined;
}

if (isNewEnough) {
  // Node keeps what it has compiled in the folder for temporary files.
  module.enableCompileCache?.();
  await import(pathToFileURL(await findProgram()).href);
} else {
  const node = findNode();
  if (node === undefined) {
    process.stderr.write(`vmm: cannot run under Node ${process.versions.node}\n  Install Node 24 or later.\n`);
    process.exitCode = 5;
  } else {
    const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
    // The terminal sends SIGINT to both; the child decides. The others are passed on.
    process.on('SIGINT', () => {});
    for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
    child.on('exit', (code, signal) => {
      process.exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
    });
  }
}
