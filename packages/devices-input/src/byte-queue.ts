/** What a PS/2 device has to say. Bounded: a device whose buffer is full drops what is new. */
export class ByteQueue {
  readonly #limit: number;
  #bytes: number[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  get length(): number {
    return this.#bytes.length;
  }

  /** Takes all of them or none: half a scan code is worse than no key. Answers whether it did. */
  push(...bytes: number[]): boolean {
    if (this.#bytes.length + bytes.length > this.#limit) return false;
    this.#bytes.push(...bytes);
    return true;
  }

  /** Replaces what waits: the answer to a command comes before scan codes and packets. */
  answer(...bytes: number[]): void {
    this.#bytes = bytes;
  }

  shift(): number | undefined {
    return this.#bytes.shift();
  }

  clear(): void {
    this.#bytes = [];
  }

  save(): number[] {
    return [...this.#bytes];
  }

  restore(bytes: readonly number[]): void {
    this.#bytes = [...bytes];
  }
}
