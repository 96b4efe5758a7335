import { writeAll } from './output.ts';

const STDERR = 2;

/** What is being waited for, on stderr: one line that changes on a terminal, one line a step elsewhere, nothing when it is quiet. */
export class ProgressLine {
  readonly #isShown: boolean;
  readonly #isTerminal: boolean;
  #last = '';

  constructor(options: { readonly show: boolean; readonly isTerminal: boolean }) {
    this.#isShown = options.show;
    this.#isTerminal = options.isTerminal;
  }

  step(message: string, fraction?: number): void {
    if (!this.#isShown) return;
    if (this.#isTerminal) writeAll(STDERR, `\r\x1b[K${message}${fraction === undefined ? '' : ` ${Math.round(fraction * 100)} %`} …`);
    else if (message !== this.#last) writeAll(STDERR, `${message}\n`);
    this.#last = message;
  }

  /** Leaves one line about the whole wait. */
  done(message: string): void {
    if (!this.#isShown) return;
    writeAll(STDERR, this.#isTerminal ? `\r\x1b[K${message}\n` : `${message}\n`);
    this.#last = '';
  }

  /** Takes the changing line away, for an error or the guest's own output. */
  clear(): void {
    if (this.#isShown && this.#isTerminal && this.#last !== '') writeAll(STDERR, '\r\x1b[K');
    this.#last = '';
  }
}
