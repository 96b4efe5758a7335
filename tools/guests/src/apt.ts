/**
 * apt-get and apt-cache with private state: lists, cache and "installed" status live in a folder of ours, so that neither root
 * nor the system's package database is touched, and i386 packages can be had on an amd64 system. The archive's
 * addresses and keys are the system's own; apt checks signatures and checksums.
 */
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { VmmError } from '@vmm/spec';
import { writeAtomically } from './cache.ts';
import type { WaitOptions } from './progress.ts';
import { run } from './run.ts';

const LISTS_OLD_AFTER_MS = 24 * 3600 * 1000;

/** Fields of one record of `apt-cache show`. */
export type PackageRecord = ReadonlyMap<string, string>;

export class PrivateApt {
  readonly #folder: string;
  readonly #options: readonly string[];

  constructor(folder: string) {
    this.#folder = folder;
    const settings = {
      'Dir::State': folder,
      'Dir::State::lists': join(folder, 'lists'),
      'Dir::State::status': join(folder, 'status'),
      'Dir::Cache': join(folder, 'cache'),
      'APT::Architecture': 'amd64',
      'APT::Architectures': 'amd64,i386',
      'APT::Sandbox::User': userInfo().username,
      'Acquire::Languages': 'none',
      'Acquire::Retries': '1',
      'Acquire::http::Timeout': '20',
      'APT::Update::Error-Mode': 'any', // by default apt-get update succeeds although it has fetched nothing
      'APT::Update::Post-Invoke': '',
      'APT::Update::Post-Invoke-Success': '',
    };
    this.#options = Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  }

  /** Brings the package lists up to date; `force` even when they are from today. */
  async update(options: WaitOptions, force = false): Promise<void> {
    const stamp = join(this.#folder, 'updated');
    const updated = await stat(stamp).catch(() => undefined);
    if (!force && updated !== undefined && Date.now() - updated.mtimeMs < LISTS_OLD_AFTER_MS) return;
    options.progress?.({ phase: 'lists', message: 'fetch package lists' });
    for (const folder of ['lists/partial', 'cache/archives/partial']) await mkdir(join(this.#folder, folder), { recursive: true });
    await writeFile(join(this.#folder, 'status'), '', { flag: 'a' });
    try {
      await this.#get(['update'], options, 'lists', 'fetch package lists');
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!(await this.#hasLists())) throw error; // one source of several may be down and not be needed
    }
    await writeAtomically(stamp, '');
  }

  async #hasLists(): Promise<boolean> {
    return (await readdir(join(this.#folder, 'lists'))).some((name) => /_Packages(\.\w+)?$/.test(name));
  }

  /** The newest version's record; undefined when the archive has no such package. */
  async show(packageName: string, options: WaitOptions): Promise<PackageRecord | undefined> {
    const signal = options.signal === undefined ? {} : { signal: options.signal };
    const text = await run('apt-cache', [...this.#options, 'show', '--no-all-versions', packageName], signal).catch((error: unknown) => {
      options.signal?.throwIfAborted();
      if (error instanceof VmmError) return undefined;
      throw error;
    });
    return text === undefined ? undefined : parseRecord(text.toString());
  }

  /** Downloads one package into an empty folder and gives the file's bytes. */
  async download(packageName: string, folder: string, options: WaitOptions): Promise<Uint8Array> {
    await mkdir(folder, { recursive: true });
    await this.#get(['download', packageName], options, 'download', `download ${packageName}`, folder);
    const name = (await readdir(folder)).find((file) => file.endsWith('.deb'));
    if (name === undefined) throw new VmmError('GUEST_PACKAGES_UNAVAILABLE', `Cannot download ${packageName}: apt-get left no file`);
    return readFile(join(folder, name));
  }

  /** Downloads packages and all that they depend on into an empty folder: paths of the files. */
  async downloadAll(packageNames: readonly string[], folder: string, options: WaitOptions): Promise<string[]> {
    await mkdir(join(folder, 'partial'), { recursive: true });
    const archives = ['-o', `Dir::Cache::archives=${folder}`, '--download-only', '--no-install-recommends', '--yes'];
    await this.#get([...archives, 'install', ...packageNames], options, 'download', `download ${packageNames.join(', ')}`);
    return (await readdir(folder)).filter((file) => file.endsWith('.deb')).sort().map((file) => join(folder, file));
  }

  async #get(args: readonly string[], options: WaitOptions, phase: 'lists' | 'download', message: string, cwd?: string): Promise<void> {
    await run('apt-get', ['-q', '-o', 'APT::Status-Fd=3', ...this.#options, ...args], {
      ...(cwd === undefined ? {} : { cwd }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      onStatusLine: (line) => {
        const percent = /^dlstatus:[^:]*:([\d.]+):/.exec(line)?.[1];
        if (percent !== undefined) options.progress?.({ phase, message, fraction: Number(percent) / 100 });
      },
    });
  }
}

/** RFC 822 style fields of the first paragraph; continuation lines are dropped. */
export function parseRecord(text: string): PackageRecord {
  const paragraph = text.split('\n\n')[0] ?? '';
  const fields = new Map<string, string>();
  for (const match of paragraph.matchAll(/^([A-Za-z0-9-]+): ?(.*)$/gm)) fields.set(match[1] ?? '', match[2] ?? '');
  return fields;
}

/** Package names in a `Depends:` line, without versions; alternatives count too. */
export function dependencyNames(record: PackageRecord): string[] {
  return (record.get('Depends') ?? '').split(/[,|]/).map((item) => item.trim().split(/[ :(]/)[0] ?? '');
}
