import { ConsoleMessages } from './planes/console.ts';
import { unknownMessage } from './message.ts';
import type { RingConsumer } from './ring-consumer.ts';

/** Bytes out of a `console` ring, in order. Threading: the consumer's thread. */
export class ByteSource {
  readonly ring: RingConsumer;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(ring: RingConsumer) {
    this.ring = ring;
  }

  /** The bytes of the next record, copied out of the ring; undefined when there is nothing. */
  takeChunk(): Uint8Array | undefined {
    const rest = this.#rest;
    this.#rest = rest.subarray(rest.length);
    return rest.length > 0 ? rest : this.#next();
  }

  /** Offers everything there is to a receiver that answers how much it took; what it left is offered first next time. Answers how much it took. */
  feed(receive: (bytes: Uint8Array) => number): number {
    let total = 0;
    for (let chunk = this.takeChunk(); chunk !== undefined; chunk = this.takeChunk()) {
      const taken = receive(chunk);
      total += taken;
      if (taken >= chunk.length) continue;
      this.#rest = chunk.subarray(taken);
      break;
    }
    return total;
  }

  #next(): Uint8Array | undefined {
    if (!this.ring.next()) return undefined;
    if (this.ring.id !== ConsoleMessages.data.id) unknownMessage('console', this.ring);
    const bytes = this.ring.bytes.slice(this.ring.at, this.ring.at + this.ring.length);
    this.ring.release();
    return bytes;
  }
}
