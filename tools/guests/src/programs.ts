import { mkdir, mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { PrivateApt } from './apt.ts';
import { cacheFolder, readRecord } from './cache-folder.ts';
import { readChecked, sha256, writeAtomically } from './cache.ts';
import type { GuestArchitecture } from './catalogue.ts';
import { type CpioEntry, writeCpio } from './cpio.ts';
import { withLock } from './lock.ts';
import type { WaitOptions } from './progress.ts';
import { run } from './run.ts';

export interface ProgramsOptions extends WaitOptions {
  /** Default: `cacheFolder()`. */
  readonly cache?: string;
}

/** Of a package that was asked for and of those it depends on: no documentation, no plug-ins, and no program that the guest has already. */
const PROGRAM = /^usr\/s?bin\/[^/]+$/, LIBRARY = /^(usr\/)?lib(32|64|x32)?\/([^/]+-linux-gnu\/)?[^/]+\.so[^/]*$/;

/**
 * Programs out of Debian packages, with the libraries they depend on: path of an uncompressed archive that Linux unpacks over a guest's
 * initial RAM disk when it is put behind it. Made when it is not in the cache.
 */
export async function obtainPrograms(packages: readonly string[], architecture: GuestArchitecture, options: ProgramsOptions = {}): Promise<string> {
  const cache = options.cache ?? cacheFolder(), folder = join(cache, 'programs', `${packages.join('-')}-${architecture}`), path = join(folder, 'programs.cpio');
  const isReady = async (): Promise<boolean> => {
    const record = await readRecord(join(folder, 'programs.json'));
    return typeof record?.sha256 === 'string' && await readChecked(path, record.sha256) !== undefined;
  };
  if (await isReady()) return path;
  await mkdir(cache, { recursive: true });
  await withLock(join(cache, 'lock'), options, async () => {
    if (await isReady()) return;
    const work = await mkdtemp(join(cache, 'work-'));
    try {
      const archive = writeCpio(await unpack(packages, architecture, work, new PrivateApt(join(cache, 'apt')), options));
      await writeAtomically(path, archive);
      await writeAtomically(join(folder, 'programs.json'), `${JSON.stringify({ sha256: sha256(archive) })}\n`);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  });
  return path;
}

async function unpack(packages: readonly string[], architecture: GuestArchitecture, work: string, apt: PrivateApt, options: WaitOptions): Promise<CpioEntry[]> {
  const folder = join(work, 'packages'), names = packages.map((name) => `${name}:${architecture}`);
  await apt.update(options);
  const files = await apt.downloadAll(names, folder, options).catch(async () => {
    options.signal?.throwIfAborted();
    await apt.update(options, true);
    return apt.downloadAll(names, folder, options);
  });
  const entries = new Map<string, CpioEntry>();
  for (const file of files.filter((path) => path.endsWith(`_${architecture}.deb`))) {
    const name = basename(file), root = join(work, 'root'), isWanted = packages.some((wanted) => name.startsWith(`${wanted}_`));
    options.progress?.({ phase: 'extract', message: `unpack ${name}` });
    await run('dpkg-deb', ['-x', file, root], options.signal === undefined ? {} : { signal: options.signal });
    for (const entry of await entriesOf(root, (path) => LIBRARY.test(path) || isWanted && PROGRAM.test(path))) entries.set(entry.path, entry);
    await rm(root, { recursive: true });
  }
  const isFolder = ({ kind }: CpioEntry): boolean => kind === 'directory';
  const sorted = [...entries.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  return [...sorted.filter(isFolder), ...sorted.filter((entry) => !isFolder(entry))];
}

/** Files and links that are wanted, and the folders they are in. */
async function entriesOf(root: string, isWanted: (path: string) => boolean): Promise<CpioEntry[]> {
  const entries: CpioEntry[] = [];
  for (const found of await readdir(root, { recursive: true, withFileTypes: true })) {
    const full = join(found.parentPath, found.name), path = relative(root, full);
    if (found.isDirectory() || !isWanted(path)) continue;
    for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) entries.push({ kind: 'directory', path: folder });
    entries.push(found.isSymbolicLink() ? { kind: 'symlink', path, target: await readlink(full) } : { kind: 'file', path, data: await readFile(full), mode: 0o755 });
  }
  return entries;
}
