import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { VmmError } from '@vmm/spec';
import { dependencyNames, PrivateApt } from './apt.ts';
import { readRecord } from './cache-folder.ts';
import { readChecked, sha256, writeAtomically } from './cache.ts';
import type { PackageFile } from './catalogue.ts';
import { extractMember } from './deb.ts';
import type { WaitOptions } from './progress.ts';

/** A file taken from a package, in the cache. */
export interface Artifact {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly sha256: string;
  readonly packageName: string;
  readonly packageVersion: string;
}

/** From the cache, if it is there and undamaged. */
export async function findArtifact(cache: string, file: PackageFile): Promise<Artifact | undefined> {
  const folder = join(cache, 'artifacts', file.id);
  const record = await readRecord(join(folder, 'artifact.json'));
  if (typeof record?.sha256 !== 'string') return undefined;
  const path = join(folder, file.fileName);
  const bytes = await readChecked(path, record.sha256);
  if (bytes === undefined) return undefined;
  return { path, bytes, sha256: record.sha256, packageName: String(record.packageName), packageVersion: String(record.packageVersion) };
}

/** From the archive into the cache. The caller holds the cache's lock. */
export async function fetchArtifact(cache: string, file: PackageFile, options: WaitOptions): Promise<Artifact> {
  const apt = new PrivateApt(join(cache, 'apt'));
  const work = await mkdtemp(join(cache, 'work-'));
  try {
    const { packageName, version } = await resolvePackage(apt, file, options);
    const bytes = await downloadMember(apt, qualified(packageName, file), work, file, options);
    const folder = join(cache, 'artifacts', file.id);
    const path = join(folder, file.fileName);
    const checksum = sha256(bytes);
    await writeAtomically(path, bytes);
    await writeAtomically(join(folder, 'artifact.json'), `${JSON.stringify({ packageName, packageVersion: version, member: file.member, sha256: checksum }, null, 2)}\n`);
    return { path, bytes, sha256: checksum, packageName, packageVersion: version };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function resolvePackage(apt: PrivateApt, file: PackageFile, options: WaitOptions): Promise<{ packageName: string; version: string }> {
  await apt.update(options);
  options.progress?.({ phase: 'resolve', message: `look up ${file.packageName}` });
  const record = await apt.show(qualified(file.packageName, file), options);
  if (record === undefined) throw noSuchPackage(file.packageName);
  const pattern = file.metaDependency;
  if (pattern === undefined) return { packageName: file.packageName, version: record.get('Version') ?? '' };
  const packageName = dependencyNames(record).find((name) => pattern.test(name));
  if (packageName === undefined) throw noSuchPackage(`${file.packageName}'s dependency ${String(pattern)}`);
  const real = await apt.show(qualified(packageName, file), options);
  return { packageName, version: real?.get('Version') ?? '' };
}

/** Lists from some hours ago may name a version that the archive has since replaced: fetch them anew, once. */
async function downloadMember(apt: PrivateApt, name: string, work: string, file: PackageFile, options: WaitOptions): Promise<Uint8Array> {
  const folder = join(work, 'package');
  await apt.download(name, folder, options).catch(async () => {
    options.signal?.throwIfAborted();
    await apt.update(options, true);
    await apt.download(name, folder, options);
  });
  options.progress?.({ phase: 'extract', message: `unpack ${name}` });
  const deb = (await readdir(folder)).find((entry) => entry.endsWith('.deb')) ?? '';
  return extractMember(join(folder, deb), file.member, options.signal);
}

function qualified(packageName: string, file: PackageFile): string {
  return file.architecture === 'all' ? packageName : `${packageName}:${file.architecture}`;
}

function noSuchPackage(name: string): VmmError {
  return new VmmError('GUEST_PACKAGES_UNAVAILABLE', `Cannot find package ${name} in this system's package archive`, {
    hint: "The guests come from Debian 12's archive: add it to apt's sources, or give --kernel and --initrd yourself.",
  });
}
