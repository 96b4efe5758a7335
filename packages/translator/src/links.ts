/**
 * Direct links between regions. An exit with a static target has a word in machine memory: the table slot of the target's region, or 0 while there is
 * none, and the exit goes through it without a look-up. A region that comes or goes is told to every word that leads to it.
 */
export class Links {
  readonly #words: Int32Array;
  readonly #end: number;
  #next: number;
  readonly #free: number[] = [];
  /** Addresses of the words that lead to a target, by its key. */
  readonly #byTarget = new Map<number, Set<number>>();

  /** `base`, `bytes`: where in machine memory the words are. */
  constructor(words: Int32Array, base: number, bytes: number) {
    this.#words = words;
    this.#next = base;
    this.#end = base + bytes;
  }

  /** A word that leads to `target`, whose slot is `slot` now (0: none); 0 when there are no more. */
  take(target: number, slot: number): number {
    const address = this.#free.pop() ?? (this.#next < this.#end ? (this.#next += 4) - 4 : 0);
    if (address === 0) return 0;
    const known = this.#byTarget.get(target);
    if (known === undefined) this.#byTarget.set(target, new Set([address]));
    else known.add(address);
    this.#words[address >> 2] = slot;
    return address;
  }

  release(target: number, address: number): void {
    const known = this.#byTarget.get(target);
    known?.delete(address);
    if (known?.size === 0) this.#byTarget.delete(target);
    this.#words[address >> 2] = 0;
    this.#free.push(address);
  }

  /** `target` has a region in `slot` now, or none any more (0). */
  point(target: number, slot: number): void {
    for (const address of this.#byTarget.get(target) ?? []) this.#words[address >> 2] = slot;
  }
}
