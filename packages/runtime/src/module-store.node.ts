import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ModuleStore } from '@vmm/cpu';

/**
 * In the folder `kept` beside the program's own folder. Only a bundle has one, which belongs to exactly the sources it was made of: what lies there is as good, and as
 * safe, as the program itself, and goes with it.
 */
export function storeBesideProgram(programUrl: string): ModuleStore | undefined {
  const folder = join(dirname(fileURLToPath(programUrl)), '..', 'kept');
  if (!existsSync(folder)) return undefined;
  const path = (key: string): string => join(folder, `interpreter-${key}.wasm`);
  return {
    load: (key) => {
      try {
        return readFileSync(path(key));
      } catch {
        return undefined; // not there yet
      }
    },
    save: (key, bytes) => {
      try {
        // whole or not at all
        const temporary = `${path(key)}.${process.pid}`;
        writeFileSync(temporary, bytes);
        renameSync(temporary, path(key));
      } catch {
        // read-only or full: made anew next time
      }
    },
  };
}
