/**
 * Structured-cloned messages for a thread that works without returning to its event loop. The sender counts what it posts in a shared word, so that
 * looking costs next to nothing. Threading: one sender, one taker.
 */
export interface Mailbox {
  /** The next message; undefined if there is none, or if it takes a turn of the event loop to get it. */
  take(): unknown;
  /** A message is on its way that only a turn of the event loop brings. */
  readonly needsTurn: boolean;
}

/** What both ends of a mailbox share besides their port. */
export class MailCount {
  readonly buffer: SharedArrayBuffer;
  readonly #word: Int32Array<SharedArrayBuffer>;

  constructor(buffer = new SharedArrayBuffer(8)) {
    this.buffer = buffer;
    this.#word = new Int32Array(buffer);
  }
  get posted(): number { return Atomics.load(this.#word, 0); }
  /** After the message has been posted. */
  add(): void { Atomics.add(this.#word, 0, 1); }

  /** Nobody posts any more. */
  close(): void { Atomics.store(this.#word, 1, 1); }
  get isClosed(): boolean { return Atomics.load(this.#word, 1) !== 0; }
}
