import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { VmmError } from '@vmm/spec';
import { type Artifact, fetchArtifact, findArtifact } from './artifact.ts';
import { readRecord } from './cache-folder.ts';
import { readChecked, sha256, writeAtomically } from './cache.ts';
import type { GuestDefinition } from './catalogue.ts';
import { makeInitramfs } from './initramfs.ts';
import { withLock } from './lock.ts';
import type { Guest, ObtainOptions } from './obtain.ts';
import { guestFolder, recipeOf, rememberChecked } from './ready-guest.ts';

/** The guest out of the cache if everything there has its checksum, else fetched and made. */
export async function makeReady(cache: string, definition: GuestDefinition, options: ObtainOptions): Promise<Guest> {
  try {
    const guest = await findReady(cache, definition) ?? await makeLocked(cache, definition, options);
    await rememberChecked(cache, definition, guest);
    return guest;
  } catch (error) {
    throw asVmmError(error, definition.name, options.signal);
  }
}

async function makeLocked(cache: string, definition: GuestDefinition, options: ObtainOptions): Promise<Guest> {
  await makeFolder(cache);
  return withLock(join(cache, 'lock'), options, async () => (await findReady(cache, definition)) ?? prepare(cache, definition, options));
}

/** The guest from the cache alone, or undefined if anything is missing, damaged or made by another recipe. */
async function findReady(cache: string, definition: GuestDefinition): Promise<Guest | undefined> {
  const kernel = await findArtifact(cache, definition.kernel);
  if (kernel === undefined) return undefined;
  const folder = guestFolder(cache, definition);
  const record = await readRecord(join(folder, 'initrd.json'));
  if (typeof record?.sha256 !== 'string' || record.recipe !== sha256(Buffer.from(recipeOf(definition)))) return undefined;
  const initrd = join(folder, 'initrd.gz');
  return (await readChecked(initrd, record.sha256)) === undefined ? undefined : describe(definition, kernel, initrd, record.sha256);
}

async function prepare(cache: string, definition: GuestDefinition, options: ObtainOptions): Promise<Guest> {
  const obtain = async (file: GuestDefinition['kernel']): Promise<Artifact> => {
    const cached = await findArtifact(cache, file);
    if (cached !== undefined) return cached;
    if (options.offline) throw new VmmError('GUEST_NOT_CACHED', `Cannot find ${file.packageName} in ${cache}`, { hint: 'Run once with a network.' });
    return fetchArtifact(cache, file, options);
  };
  const kernel = await obtain(definition.kernel);
  const busybox = await obtain(definition.busybox);
  options.progress?.({ phase: 'pack', message: 'make the initial RAM disk' });
  const initrd = makeInitramfs({ guestName: definition.name, busybox: busybox.bytes });
  const folder = guestFolder(cache, definition);
  const checksum = sha256(initrd);
  await writeAtomically(join(folder, 'initrd.gz'), initrd);
  await writeAtomically(join(folder, 'initrd.json'), `${JSON.stringify({ recipe: sha256(Buffer.from(recipeOf(definition))), sha256: checksum }, null, 2)}\n`);
  return describe(definition, kernel, join(folder, 'initrd.gz'), checksum);
}

function describe(definition: GuestDefinition, kernel: Artifact, initrd: string, initrdSha256: string): Guest {
  const { name, description, architecture, append } = definition;
  const kernelPackage = `${kernel.packageName} ${kernel.packageVersion}`;
  return { name, description, architecture, append, kernel: kernel.path, initrd, kernelPackage, kernelSha256: kernel.sha256, initrdSha256 };
}

async function makeFolder(cache: string): Promise<void> {
  await mkdir(cache, { recursive: true }).catch((cause: unknown) => {
    throw new VmmError('GUEST_CACHE_UNWRITABLE', `Cannot make folder ${cache}`, { hint: 'Name a writable folder in VMM_CACHE.', cause });
  });
}

const OWN_ANSWERS: ReadonlySet<string> = new Set(['GUEST_CACHE_UNWRITABLE', 'GUEST_PACKAGES_UNAVAILABLE', 'GUEST_NOT_CACHED', 'GUEST_BUSYBOX_UNRECOGNISED']);

/** Whatever apt, dpkg or the network did, the caller needs one answer: the guest cannot be had. */
function asVmmError(error: unknown, name: string, signal: AbortSignal | undefined): VmmError {
  if (signal?.aborted) return new VmmError('GUEST_ABORTED', `Cannot obtain guest ${name}: stopped`, { cause: error });
  if (error instanceof VmmError && OWN_ANSWERS.has(error.code)) return error;
  const detail = (error instanceof Error ? error.message : String(error)).replace(/^Cannot/, 'cannot');
  return new VmmError('GUEST_PACKAGES_UNAVAILABLE', `Cannot obtain guest ${name}: ${detail}`, {
    hint: 'The guests need apt-get, dpkg-deb and tar (a Debian system) and, the first time, a network. Or give --kernel and --initrd yourself.',
    cause: error,
  });
}
