/**
 * Files under the user's cache folder. Every file appears whole or not at all (written beside its place, then renamed),
 * and is used only while its checksum is the recorded one.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { VmmError } from '@vmm/spec';

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Puts a file in its place in one step; readers see the old one or the new one. */
export async function writeAtomically(path: string, bytes: Uint8Array | string): Promise<void> {
  const temporary = `${path}.${process.pid}-${randomUUID()}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(temporary, bytes);
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new VmmError('GUEST_CACHE_UNWRITABLE', `Cannot write ${path}`, {
      hint: 'Free some space, or name another folder in VMM_CACHE.',
      cause,
    });
  }
}

/** The file's bytes if it is there and has this checksum. */
export async function readChecked(path: string, expectedSha256: string): Promise<Uint8Array | undefined> {
  const bytes = await readFile(path).catch(() => undefined);
  return bytes !== undefined && sha256(bytes) === expectedSha256 ? bytes : undefined;
}
