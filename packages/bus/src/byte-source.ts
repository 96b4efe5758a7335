import { ConsoleMessages } from './planes/console.ts';
import { unknownMessage } from './message.ts';
import type { RingConsumer } from './ring-consumer.ts';

/** Bytes out of a `console` ring: whole chunks (`takeChunk`) or one by one (`takeByte`), in order. Threading: the consumer's thread. */
export class ByteSource {
  readonly ring: RingConsumer;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;

  constructor(ring: RingConsumer) {
    this.ring = ring;
  }

  /** Everything of the next record that `takeByte` has not taken, copied out of the ring; undefined when there is nothing. */
  takeChunk(): Uint8Array | undefined {
    if (this.#at >= this.#chunk.length && !this.#refill()) return undefined;
    const rest = this.#at === 0 ? this.#chunk : this.#chunk.subarray(this.#at);
    this.#at = this.#chunk.length;
    return rest;
  }

  /** The next byte, or -1. */
  takeByte(): number {
    if (this.#at >= this.#chunk.length && !this.#refill()) return -1;
    return this.#chunk[this.#at++] ?? -1;
  }

  get hasData(): boolean {
    return this.#at < this.#chunk.length || this.#refill();
  }

  #refill(): boolean {
    if (!this.ring.next()) return false;
    if (this.ring.id !== ConsoleMessages.data.id) unknownMessage('console', this.ring);
    this.#chunk = this.ring.bytes.slice(this.ring.at, this.ring.at + this.ring.length);
    this.#at = 0;
    this.ring.release();
    return true;
  }
}
