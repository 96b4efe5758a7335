import { VmmError } from '@vmm/spec';
import { cacheFolder } from './cache-folder.ts';
import { type GuestDefinition, GUESTS } from './catalogue.ts';
import type { WaitOptions } from './progress.ts';
import { findUnchanged } from './ready-guest.ts';

export interface ObtainOptions extends WaitOptions {
  /** Default: `cacheFolder()`. */
  readonly cache?: string;
  /** Never touch the network: what is not cached is an error. Default false. */
  readonly offline?: boolean;
}

/** A guest ready to boot. */
export interface Guest {
  readonly name: string;
  readonly description: string;
  readonly architecture: 'i386' | 'amd64';
  /** Path of the kernel, a bzImage. */
  readonly kernel: string;
  /** Path of the gzipped initial RAM disk. */
  readonly initrd: string;
  /** Default kernel command line. */
  readonly append: string;
  /** Package and version the kernel came from. */
  readonly kernelPackage: string;
  readonly kernelSha256: string;
  readonly initrdSha256: string;
}

/**
 * Paths of a guest's files, fetched and made when they are not in the cache. Checks checksums unless the files are those whose checksums were right
 * the last time. What fetches, makes and checks is not even loaded then: half of it is cryptography.
 */
export async function obtainGuest(name: string, options: ObtainOptions = {}): Promise<Guest> {
  const definition = findGuest(name);
  const cache = options.cache ?? cacheFolder();
  const unchanged = await findUnchanged(cache, definition);
  if (unchanged !== undefined) return unchanged;
  const { makeReady } = await import('./make-ready.ts');
  return makeReady(cache, definition, options);
}

function findGuest(name: string): GuestDefinition {
  const definition = GUESTS.find((guest) => guest.name === name);
  if (definition !== undefined) return definition;
  throw new VmmError('GUEST_UNKNOWN', `Cannot find guest "${name}"`, { hint: `Known guests: ${GUESTS.map((guest) => guest.name).join(', ')}.` });
}
