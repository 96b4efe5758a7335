import { invariant } from '@vmm/spec';
import { Bell } from './bell.ts';
import { PADDING_ID, RECORD_MARK, RING, RingState, attachRing, ringCorrupt } from './ring-layout.ts';

export interface RingProducerOptions {
  /** Rung by `publish()` instead of the ring's own bell, for a consumer that sleeps on a word of its own. */
  readonly dataBell?: { ring(): void };
}

/** The writing end. Records are written with `begin` and become visible together at `publish`. Threading: one thread. @hot */
export class RingProducer {
  /** Views of the whole ring; the payload of the record begun last starts at byte `at`, word `at >> 2`. */
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  readonly data: DataView<SharedArrayBuffer>;
  at = 0;

  readonly #capacity: number;
  readonly #bell: { ring(): void };
  readonly #spaceBell: Bell;
  #cursor: number;
  #tail: number;

  constructor(buffer: SharedArrayBuffer, options: RingProducerOptions = {}) {
    this.words = new Int32Array(buffer);
    this.#capacity = attachRing(this.words);
    this.bytes = new Uint8Array(buffer);
    this.data = new DataView(buffer);
    this.#bell = options.dataBell ?? new Bell(this.words, RING.dataBell);
    this.#spaceBell = new Bell(this.words, RING.spaceBell);
    this.#cursor = Atomics.load(this.words, RING.head);
    this.#tail = Atomics.load(this.words, RING.tail);
  }

  /** The largest payload that a record may have; it always fits sooner or later. */
  get maxPayloadBytes(): number {
    return (this.#capacity >> 1) - RING.recordHeaderBytes;
  }

  get isOpen(): boolean {
    return Atomics.load(this.words, RING.state) === RingState.open;
  }

  /** Reserves a record and answers true, or answers false when the consumer has to make room first. */
  begin(id: number, payloadBytes: number): boolean {
    const length = (RING.recordHeaderBytes + payloadBytes + 7) & ~7;
    invariant(length <= this.#capacity >> 1, 'a record fits half of its ring');
    const offset = this.#cursor & (this.#capacity - 1);
    const padding = offset + length > this.#capacity ? this.#capacity - offset : 0;
    if (!this.#hasRoom(padding + length)) return false;
    if (padding > 0) {
      this.#header(offset, PADDING_ID, padding - RING.recordHeaderBytes);
      this.#cursor = (this.#cursor + padding) | 0;
    }
    const start = this.#cursor & (this.#capacity - 1);
    this.#header(start, id, payloadBytes);
    this.at = RING.dataBytes + start + RING.recordHeaderBytes;
    this.#cursor = (this.#cursor + length) | 0;
    return true;
  }

  /** Makes every record begun so far visible to the consumer and wakes it. */
  publish(): void {
    Atomics.store(this.words, RING.head, this.#cursor);
    this.#bell.ring();
  }

  /** Publishes, then sleeps until the consumer releases something or the time is over. Blocks the thread: workers only. */
  waitForRoom(timeoutMs: number): void {
    this.#spaceBell.take();
    this.publish();
    if (Atomics.load(this.words, RING.tail) === this.#tail) this.#spaceBell.wait(timeoutMs);
  }

  /** The same without blocking the thread. */
  async waitForRoomAsync(timeoutMs: number): Promise<void> {
    this.#spaceBell.take();
    this.publish();
    if (Atomics.load(this.words, RING.tail) === this.#tail) await this.#spaceBell.waitAsync(timeoutMs);
  }

  #header(offset: number, id: number, payloadBytes: number): void {
    const word = (RING.dataBytes + offset) >> 2;
    this.words[word] = RECORD_MARK | id;
    this.words[word + 1] = payloadBytes;
  }

  #hasRoom(length: number): boolean {
    if (this.#capacity - (this.#cursor - this.#tail >>> 0) >= length) return true;
    this.#tail = Atomics.load(this.words, RING.tail);
    const used = this.#cursor - this.#tail >>> 0;
    if (used > this.#capacity) throw ringCorrupt(`its reader claims to be at ${this.#tail}, its writer is at ${this.#cursor}`);
    return this.#capacity - used >= length;
  }
}
