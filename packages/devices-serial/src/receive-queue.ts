/** Bytes that wait for room in the receiver: bounded, so that a fast sender is told to wait. @hot */
export class ReceiveQueue {
  readonly #bytes: Uint8Array;
  #head = 0;
  #length = 0;

  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** Takes what fits; answers how many. */
  push(bytes: ArrayLike<number>): number {
    const count = Math.min(bytes.length, this.#bytes.length - this.#length);
    for (let i = 0; i < count; i++) {
      this.#bytes[(this.#head + this.#length) % this.#bytes.length] = bytes[i]!;
      this.#length++;
    }
    return count;
  }

  /** The oldest byte, or -1. */
  shift(): number {
    if (this.#length === 0) return -1;
    const byte = this.#bytes[this.#head]!;
    this.#head = (this.#head + 1) % this.#bytes.length;
    this.#length--;
    return byte;
  }

  clear(): void {
    this.#length = 0;
  }

  toArray(): Uint8Array {
    return Uint8Array.from({ length: this.#length }, (_, i) => this.#bytes[(this.#head + i) % this.#bytes.length]!);
  }
}
