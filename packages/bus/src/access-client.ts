import { VmmError } from '@vmm/spec';
import { AccessMessages, AccessReplies } from './planes/access.ts';
import { RingState, ringCorrupt } from './ring-layout.ts';
import type { RingConsumer } from './ring-consumer.ts';
import type { RingProducer } from './ring-producer.ts';

const { portRead, portWrite, mmioRead, mmioWrite, reset, fence } = AccessMessages;
const WAIT_MS = 50;

export interface AccessClientOptions {
  /** For messages: the worker at the other end. */
  readonly name: string;
  /** How often to look for the answer before sleeping. More than 0 only pays when the other worker has a core of its own. Default 0. */
  readonly spins?: number;
  /** Asked while waiting; true gives the access up (the machine is being stopped). */
  readonly isCancelled?: () => boolean;
}

/**
 * The vCPU's end of plane `access`. Throws `VmmError` WORKER_LOST when the other worker has died (the supervisor marks the rings), never
 * waits for ever. @hot
 */
export class AccessClient {
  readonly #requests: RingProducer;
  readonly #replies: RingConsumer;
  readonly #options: AccessClientOptions;

  constructor(requests: RingProducer, replies: RingConsumer, options: AccessClientOptions) {
    this.#requests = requests;
    this.#replies = replies;
    this.#options = options;
  }

  readPort(port: number, size: number): number {
    this.#begin(portRead.id, portRead.sizeBytes);
    const { words, at } = this.#requests;
    words[(at + portRead.offsets.port) >> 2] = port;
    words[(at + portRead.offsets.size) >> 2] = size;
    return this.#ask();
  }

  writePort(port: number, size: number, value: number): void {
    this.#begin(portWrite.id, portWrite.sizeBytes);
    const { words, at } = this.#requests;
    words[(at + portWrite.offsets.port) >> 2] = port;
    words[(at + portWrite.offsets.size) >> 2] = size;
    words[(at + portWrite.offsets.value) >> 2] = value;
    this.#requests.publish();
  }

  readMmio(gpa: number, size: number): number {
    this.#begin(mmioRead.id, mmioRead.sizeBytes);
    const { data, words, at } = this.#requests;
    data.setFloat64(at + mmioRead.offsets.gpa, gpa, true);
    words[(at + mmioRead.offsets.size) >> 2] = size;
    return this.#ask();
  }

  writeMmio(gpa: number, size: number, value: number): void {
    this.#begin(mmioWrite.id, mmioWrite.sizeBytes);
    const { data, words, at } = this.#requests;
    data.setFloat64(at + mmioWrite.offsets.gpa, gpa, true);
    words[(at + mmioWrite.offsets.size) >> 2] = size;
    words[(at + mmioWrite.offsets.value) >> 2] = value;
    this.#requests.publish();
  }

  /** Resets the devices at the other end and waits until they are. */
  reset(): void {
    this.#begin(reset.id, reset.sizeBytes);
    this.#ask();
  }

  /** Waits until everything before has had its effect outside the machine. */
  fence(): void {
    this.#begin(fence.id, fence.sizeBytes);
    this.#ask();
  }

  #begin(id: number, sizeBytes: number): void {
    while (!this.#requests.begin(id, sizeBytes)) {
      this.#check();
      this.#requests.waitForRoom(WAIT_MS);
    }
  }

  #ask(): number {
    this.#requests.publish();
    for (let spin = this.#options.spins ?? 0; !this.#replies.next(); spin--) {
      if (spin > 0) continue;
      this.#check();
      this.#replies.wait(WAIT_MS);
    }
    if (this.#replies.id !== AccessReplies.value.id) throw ringCorrupt(`plane access replies has no message ${this.#replies.id}`);
    const value = this.#replies.words[this.#replies.at >> 2]! >>> 0;
    this.#replies.release();
    return value;
  }

  #check(): void {
    if (this.#replies.state === RingState.open && this.#options.isCancelled?.() !== true) return;
    throw new VmmError('WORKER_LOST', `Cannot reach the devices of worker ${this.#options.name}`, { hint: 'Its own error was reported before this one.' });
  }
}
