import { ConsoleMessages } from './planes/console.ts';
import type { RingProducer } from './ring-producer.ts';

const CHUNK_BYTES = 512;

/**
 * Bytes into a `console` ring. `put` gathers, `flush` publishes what was gathered: a device puts byte by byte, its worker flushes once a
 * slice. Threading: the producer's thread. @hot
 */
export class ByteSink {
  readonly #ring: RingProducer;
  readonly #chunk = new Uint8Array(CHUNK_BYTES);
  #length = 0;

  constructor(ring: RingProducer) {
    this.#ring = ring;
  }

  get hasRoom(): boolean {
    return this.#length < CHUNK_BYTES || this.flush();
  }

  /** False when neither the chunk nor the ring has room; the byte is not taken then. */
  put(byte: number): boolean {
    if (!this.hasRoom) return false;
    this.#chunk[this.#length++] = byte;
    return true;
  }

  /** Publishes; false when the ring is full and something is left. */
  flush(): boolean {
    if (this.#length === 0) return true;
    const length = Math.min(this.#length, this.#ring.maxPayloadBytes);
    if (!this.#ring.begin(ConsoleMessages.data.id, length)) return false;
    this.#ring.bytes.set(this.#chunk.subarray(0, length), this.#ring.at);
    this.#ring.publish();
    this.#chunk.copyWithin(0, length, this.#length);
    this.#length -= length;
    return this.#length === 0;
  }

  /** Flushes and waits for room as long as it takes, or until `isCancelled`. Blocks the thread: workers only. */
  flushBlocking(isCancelled: () => boolean): void {
    while (!this.flush() && this.#ring.isOpen && !isCancelled()) this.#ring.waitForRoom(10);
  }
}
