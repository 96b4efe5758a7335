/**
 * A command's program in a few files: reading some 400 sources one by one is half of the time to a guest's first instruction. A bundle belongs to
 * exactly the sources it was made of (names, sizes, times), so it is never stale; after an edit the next start makes a new one. What it was made of lies
 * beside it in `sources.json`: a command that finds all of that unchanged need not come here. Published packages have
 * no part in this: they are built. Node only; no dependency but rolldown, which is loaded only to make a bundle.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const KEPT_BUNDLES = 4;
/** Names stay, for traces and profiles. One letter beyond ASCII would have V8 keep two bytes for each letter of the file, and Node decode it in 28 ms. */
const READABLE = { compress: false, mangle: false, codegen: { removeWhitespace: true, asciiOnly: true } } as const;
/** What each start reads, in two files: what `main.ts` imports, then the command line that it loads meanwhile. A file costs a millisecond, whatever its size. */
const AT_START = { groups: [{ name: 'main', test: /[\\/]main\.ts$/, priority: 2 }, { name: 'command-line', test: /[\\/]command-line\.ts$/, priority: 1 }] };

export interface Program {
  /** Root of the workspace. */
  readonly root: string;
  /** Package folder of the command, from the root; its program is `src/main.ts`. */
  readonly packageFolder: string;
}

/** Path of the bundled program, made now if these sources have none; undefined where it cannot be made or kept. */
export async function bundledProgram(program: Program): Promise<string | undefined> {
  const cache = join(program.root, 'node_modules', '.cache', 'program');
  const sources = listSources(program.root);
  const stamps = stampsOf(program, sources), folder = join(cache, keyOf(stamps));
  const main = join(folder, 'dist', 'main.js');
  try {
    if (!existsSync(main)) await makeBundle(program, sources, stamps, folder);
    return main;
  } catch {
    return undefined; // read-only, full, no bundler: the sources themselves run
  } finally {
    dropOldest(cache, folder);
  }
}

function listSources(root: string): string[] {
  return ['packages', 'tools'].flatMap((layer) => readdirSync(join(root, layer)).flatMap((name) => sourcesIn(join(root, layer, name, 'src')))).sort();
}

function sourcesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts')).map((name) => join(folder, name));
}

/** Path from the root, size, time. */
type Stamp = readonly [path: string, size: number, mtimeMs: number];

function stampsOf({ root, packageFolder }: Program, sources: readonly string[]): Stamp[] {
  return [...sources, join(root, 'pnpm-lock.yaml'), join(root, packageFolder, 'package.json')].map((path) => {
    const { size, mtimeMs } = statSync(path);
    return [relative(root, path), size, mtimeMs];
  });
}

function keyOf(stamps: readonly Stamp[]): string {
  return createHash('sha256').update(JSON.stringify([process.version, stamps])).digest('hex').slice(0, 32);
}

/** Beside its place, then renamed: it is there whole or not at all. */
async function makeBundle({ root, packageFolder }: Program, sources: readonly string[], stamps: readonly Stamp[], folder: string): Promise<void> {
  const [{ rolldown }, { precomputed }] = await Promise.all([import('rolldown'), import('./precomputed.ts')]);
  const workers = sources.filter((path) => path.endsWith('.worker.node.ts'));
  const nameOf = (path: string): string => /([^/\\]+)\.ts$/.exec(path)?.[1] ?? path;
  const temporary = `${folder}.${process.pid}`;
  try {
    // one after the other: programs that share no files are read in fewer of them
    for (const path of [join(root, packageFolder, 'src', 'main.ts'), ...workers]) {
      const bundle = await rolldown({ input: { [nameOf(path)]: path }, platform: 'node', logLevel: 'silent', plugins: [precomputed()], treeshake: { moduleSideEffects: false } });
      await bundle.write({ dir: join(temporary, 'dist'), entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js', format: 'esm', comments: false, minify: READABLE, codeSplitting: AT_START });
      await bundle.close();
    }
    copyFileSync(join(root, packageFolder, 'package.json'), join(temporary, 'package.json'));
    // for what the program makes of itself at its first start (see `storeBesideProgram`)
    mkdirSync(join(temporary, 'kept'));
    writeFileSync(join(temporary, 'sources.json'), JSON.stringify({ node: process.version, stamps }));
    renameSync(temporary, folder);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** Bundles of other branches are worth keeping for a while; running programs may still read theirs. */
function dropOldest(cache: string, used: string): void {
  try {
    utimesSync(used, new Date(), new Date());
    const byAge = readdirSync(cache).map((name) => join(cache, name)).sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
    for (const folder of byAge.slice(KEPT_BUNDLES)) rmSync(folder, { recursive: true, force: true });
  } catch {
    // another run is at it
  }
}
