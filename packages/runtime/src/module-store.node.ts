import { accessSync, constants, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ModuleStore } from '@vmm/cpu';
import { VmmError } from '@vmm/spec';
import type { KeptFile } from './cpu-engine.ts';

function load(path: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined; // not there yet
  }
}
function save(path: string, bytes: Uint8Array): void {
  try {
    // whole or not at all
    const temporary = `${path}.${process.pid}`;
    writeFileSync(temporary, bytes);
    renameSync(temporary, path);
  } catch {
    // read-only or full: made anew next time
  }
}

/**
 * In the folder `kept` beside the program's own folder. Only a bundle has one, which belongs to exactly the sources it was made of: what lies there is as good, and as
 * safe, as the program itself, and goes with it.
 */
export function storeBesideProgram(programUrl: string): ModuleStore | undefined {
  const folder = join(dirname(fileURLToPath(programUrl)), '..', 'kept');
  if (!existsSync(folder)) return undefined;
  const path = (key: string): string => join(folder, `interpreter-${key}.wasm`);
  return { load: (key) => load(path(key)), save: (key, bytes) => { save(path(key), bytes); } };
}

/** A file that the user chose. Throws OPTION_INVALID when it could not be written. */
export function keptFile(path: string): KeptFile {
  try {
    accessSync(dirname(path), constants.W_OK);
  } catch (cause) {
    throw new VmmError('OPTION_INVALID', `Cannot keep translations in ${path}`, { hint: 'Choose a file in a folder that exists and can be written to.', cause });
  }
  return { load: () => load(path), save: (bytes) => { save(path, bytes); } };
}
