import { Bell } from './bell.ts';
import { PADDING_ID, RECORD_MARK, RING, RingState, attachRing, ringCorrupt } from './ring-layout.ts';

export interface RingConsumerOptions {
  /** Where this consumer sleeps; the producer must have been given the same bell. Default: the ring's own. */
  readonly dataBell?: Bell;
}

/**
 * The reading end. `next()` steps to a record and describes it in `id`, `at` and `length`; its bytes stay valid until `release()`.
 * Threading: one thread. Everything read here was written by another worker: lengths and ids are checked. @hot
 */
export class RingConsumer {
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  readonly data: DataView<SharedArrayBuffer>;
  id = 0;
  at = 0;
  length = 0;

  readonly bell: Bell;
  readonly #capacity: number;
  readonly #spaceBell: Bell;
  #cursor: number;
  #head: number;

  constructor(buffer: SharedArrayBuffer, options: RingConsumerOptions = {}) {
    this.words = new Int32Array(buffer);
    this.#capacity = attachRing(this.words);
    this.bytes = new Uint8Array(buffer);
    this.data = new DataView(buffer);
    this.bell = options.dataBell ?? new Bell(this.words, RING.dataBell);
    this.#spaceBell = new Bell(this.words, RING.spaceBell);
    this.#cursor = Atomics.load(this.words, RING.tail);
    this.#head = this.#cursor;
  }

  get state(): RingState {
    return Atomics.load(this.words, RING.state) as RingState;
  }

  /** Steps to the next record; false when there is none. */
  next(): boolean {
    for (;;) {
      if (this.#cursor === this.#head && !this.#refresh()) return false;
      this.#readHeader();
      if (this.id !== PADDING_ID) return true;
    }
  }

  /** Gives every record read so far back to the producer. */
  release(): void {
    if (Atomics.load(this.words, RING.tail) === this.#cursor) return;
    Atomics.store(this.words, RING.tail, this.#cursor);
    this.#spaceBell.ring();
  }

  /** Releases, then sleeps until something is published, the ring is closed or the time is over. Blocks the thread: workers only. */
  wait(timeoutMs: number): void {
    this.release();
    if (this.#prepareToSleep()) this.bell.wait(timeoutMs);
  }

  /** The same without blocking the thread. */
  async waitAsync(timeoutMs: number): Promise<void> {
    this.release();
    if (this.#prepareToSleep()) await this.bell.waitAsync(timeoutMs);
  }

  #prepareToSleep(): boolean {
    this.bell.take();
    return !this.#refresh() && this.state === RingState.open;
  }

  #refresh(): boolean {
    this.#head = Atomics.load(this.words, RING.head);
    const waiting = this.#head - this.#cursor >>> 0;
    if (waiting > this.#capacity || (waiting & 7) !== 0) throw ringCorrupt(`its writer claims ${waiting} bytes of ${this.#capacity}`);
    return waiting > 0;
  }

  #readHeader(): void {
    const offset = this.#cursor & (this.#capacity - 1);
    const word = (RING.dataBytes + offset) >> 2;
    const mark = this.words[word]!;
    const length = this.words[word + 1]!;
    const span = (RING.recordHeaderBytes + length + 7) & ~7;
    const isSound = (mark & 0xffff_0000) === (RECORD_MARK | 0) && length >= 0 && length < this.#capacity
      && span <= this.#head - this.#cursor >>> 0 && offset + span <= this.#capacity;
    if (!isSound) throw ringCorrupt(`the record at ${offset} has header 0x${(mark >>> 0).toString(16)} and length ${length}`);
    this.id = mark & 0xffff;
    this.at = RING.dataBytes + offset + RING.recordHeaderBytes;
    this.length = length;
    this.#cursor = (this.#cursor + span) | 0;
  }
}
