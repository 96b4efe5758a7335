import { open, writeFile } from 'node:fs/promises';
import { VmmError } from '@vmm/spec';
import { firstLine } from './config-file.ts';

/** A file that a command writes at its end. `what` names it in messages: "profile". */
export class OutputFile {
  readonly #what: string;
  readonly #path: string;
  constructor(what: string, path: string) {
    this.#what = what;
    this.#path = path;
  }

  /** Before anything is run for it. Leaves what an existing file has in it; a new one is empty. */
  async check(): Promise<void> {
    try {
      await (await open(this.#path, 'a')).close();
    } catch (cause) {
      throw this.#failure(cause);
    }
  }
  async write(text: string): Promise<void> {
    try {
      await writeFile(this.#path, text);
    } catch (cause) {
      throw this.#failure(cause);
    }
  }
  #failure(cause: unknown): VmmError {
    return new VmmError('OPTION_INVALID', `Cannot write ${this.#what} ${this.#path}: ${firstLine(cause)}`, { hint: 'Give a file in a folder that exists and may be written to.', cause });
  }
}
