import { ByteSource, ConsoleMessages, RingConsumer, RingProducer, RingState, closeRing, createRing } from '@vmm/bus';
import type { ControlBlock } from './control-block.ts';

const RING_BYTES = 64 * 1024;
const POLL_MS = 500;

/** The host's end of a guest's serial line. */
export class SerialPort {
  readonly rings = { output: createRing(RING_BYTES), input: createRing(RING_BYTES) };
  readonly #source = new ByteSource(new RingConsumer(this.rings.output));
  readonly #input = new RingProducer(this.rings.input);
  readonly #listeners = new Set<(data: Uint8Array) => void>();
  #owner: ControlBlock | undefined;
  #queue: Promise<void> = Promise.resolve();
  #isClosed = false;

  /** Whom to wake when there is input: the worker that runs the device. */
  attach(owner: ControlBlock): void {
    this.#owner = owner;
  }

  /** Bytes as the guest writes them. Answers how to stop listening. */
  onData(listener: (data: Uint8Array) => void): () => void {
    this.#listeners.add(listener);
    return () => { this.#listeners.delete(listener); };
  }

  /** Types into the guest. Resolves when the line has taken everything; order is kept over calls. */
  write(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
    this.#queue = this.#queue.then(() => this.#send(bytes));
    return this.#queue;
  }

  /** `for await (const chunk of machine.serial)`: every chunk from now to the end of the machine. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    const chunks: Uint8Array[] = [];
    let wake: (() => void) | undefined;
    const stop = this.onData((chunk) => {
      chunks.push(chunk);
      wake?.();
    });
    this.#ended.push(() => wake?.());
    try {
      for (;;) {
        const chunk = chunks.shift();
        if (chunk !== undefined) yield chunk;
        else if (this.#isClosed) return;
        else await new Promise<void>((resolve) => { wake = resolve; });
      }
    } finally {
      stop();
    }
  }
  readonly #ended: (() => void)[] = [];

  /** Delivers output until the line is closed. */
  async pump(): Promise<void> {
    while (!this.#isClosed) {
      this.drain();
      await this.#source.ring.waitAsync(POLL_MS);
    }
  }

  /** Delivers what the guest has written so far. */
  drain(): void {
    for (let chunk = this.#source.takeChunk(); chunk !== undefined; chunk = this.#source.takeChunk()) {
      for (const listener of [...this.#listeners]) listener(chunk);
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.drain();
    this.#isClosed = true;
    for (const ring of [this.rings.output, this.rings.input]) closeRing(ring, RingState.closed);
    for (const end of this.#ended) end();
  }

  async #send(bytes: Uint8Array): Promise<void> {
    let at = 0;
    while (at < bytes.length && !this.#isClosed) {
      const length = Math.min(bytes.length - at, 4096);
      if (this.#input.begin(ConsoleMessages.data.id, length)) {
        this.#input.bytes.set(bytes.subarray(at, at + length), this.#input.at);
        this.#input.publish();
        this.#owner?.ring();
        at += length;
      } else {
        await this.#input.waitForRoomAsync(POLL_MS);
      }
    }
  }
}
