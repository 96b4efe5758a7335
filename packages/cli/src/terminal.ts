import type { ReadStream } from 'node:tty';
import { EscapeKeys } from './escape-keys.ts';
import type { KeyCommand } from './escape-keys.ts';

export interface TerminalOptions {
  readonly input: NodeJS.ReadStream;
  /** Bytes for the guest. A promise holds further input back: a pipe is read as fast as the guest takes it. */
  readonly onInput: (bytes: Uint8Array) => Promise<void>;
  readonly onCommand: (command: KeyCommand) => void;
}

/** The user's keyboard, or a pipe in its place: raw while it is open, as it was afterwards. */
export class Terminal {
  readonly #options: TerminalOptions;
  readonly #keys = new EscapeKeys();
  readonly #restore = (): void => { this.#setRaw(false); };

  constructor(options: TerminalOptions) {
    this.#options = options;
  }

  get isInteractive(): boolean {
    return this.#options.input.isTTY;
  }

  open(): void {
    process.once('exit', this.#restore);
    this.#setRaw(true);
    this.#options.input.on('data', this.#onData);
    this.#options.input.on('error', () => { /* a terminal that went away: the guest goes on without */ });
    this.#options.input.resume();
  }

  /** Safe to call twice. */
  close(): void {
    process.off('exit', this.#restore);
    this.#setRaw(false);
    this.#options.input.off('data', this.#onData);
    this.#options.input.pause();
  }

  readonly #onData = (chunk: Buffer): void => {
    const { input, onInput, onCommand } = this.#options;
    const bytes = this.isInteractive ? this.#keys.filter(chunk, onCommand) : chunk;
    if (bytes.length === 0) return;
    const taken = onInput(bytes);
    if (this.isInteractive) return;
    input.pause();
    void taken.finally(() => { input.resume(); });
  };

  #setRaw(isRaw: boolean): void {
    const input = this.#options.input as Partial<ReadStream>;
    if (input.isTTY === true) input.setRawMode?.(isRaw);
  }
}
