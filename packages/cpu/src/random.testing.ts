/** xorshift32: the same cases every time. */
export class Random {
  #state: number;
  constructor(seed: number) { this.#state = seed | 1; }
  next(): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return this.#state >>> 0;
  }
  below(limit: number): number { return this.next() % limit; }
  pick<T>(items: readonly T[]): T { return items[this.below(items.length)] as T; }
  chance(outOf: number): boolean { return this.below(outOf) === 0; }
  /** Mostly what is common. */
  mostly<T>(common: T, others: readonly T[], outOf = 8): T { return this.chance(outOf) ? this.pick(others) : common; }
}
