import { AccessMessages, AccessReplies } from './planes/access.ts';
import { unknownMessage } from './message.ts';
import type { RingConsumer } from './ring-consumer.ts';
import type { RingProducer } from './ring-producer.ts';

/** Who answers: a port bus and an MMIO bus, or one device. */
export interface AccessHandler {
  readPort(port: number, size: number): number;
  writePort(port: number, size: number, value: number): void;
  readMmio(gpa: number, size: number): number;
  writeMmio(gpa: number, size: number, value: number): void;
  reset(): void;
  /** Publishes whatever is held back. */
  flush(): void;
}

const { portRead, portWrite, mmioRead, mmioWrite, reset, fence } = AccessMessages;

/** The device worker's end of plane `access`. @hot */
export class AccessServer {
  readonly #requests: RingConsumer;
  readonly #replies: RingProducer;
  readonly #handler: AccessHandler;

  constructor(requests: RingConsumer, replies: RingProducer, handler: AccessHandler) {
    this.#requests = requests;
    this.#replies = replies;
    this.#handler = handler;
  }

  /** Serves what has been published so far; answers how many accesses that were. */
  serve(): number {
    let count = 0;
    while (this.#requests.next()) {
      this.#serveOne();
      count++;
    }
    this.#requests.release();
    return count;
  }

  #serveOne(): void {
    const { id, at, words, data } = this.#requests;
    switch (id) {
      case portRead.id:
        return this.#answer(this.#handler.readPort(words[(at + portRead.offsets.port) >> 2]!, words[(at + portRead.offsets.size) >> 2]!));
      case portWrite.id:
        return this.#handler.writePort(words[(at + portWrite.offsets.port) >> 2]!, words[(at + portWrite.offsets.size) >> 2]!, words[(at + portWrite.offsets.value) >> 2]! >>> 0);
      case mmioRead.id:
        return this.#answer(this.#handler.readMmio(data.getFloat64(at + mmioRead.offsets.gpa, true), words[(at + mmioRead.offsets.size) >> 2]!));
      case mmioWrite.id:
        return this.#handler.writeMmio(data.getFloat64(at + mmioWrite.offsets.gpa, true), words[(at + mmioWrite.offsets.size) >> 2]!, words[(at + mmioWrite.offsets.value) >> 2]! >>> 0);
      case reset.id:
        this.#handler.reset();
        return this.#answer(0);
      case fence.id:
        this.#handler.flush();
        return this.#answer(0);
      default:
        return unknownMessage('access', this.#requests);
    }
  }

  /** One answer per question, and the asker waits for it: the ring cannot be full. */
  #answer(value: number): void {
    this.#replies.begin(AccessReplies.value.id, AccessReplies.value.sizeBytes);
    this.#replies.words[this.#replies.at >> 2] = value;
    this.#replies.publish();
  }
}
