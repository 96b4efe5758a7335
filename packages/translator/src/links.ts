/**
 * Direct links between regions. An exit with a static target has a word in machine memory: the table slot of the target's region, or 0 while there is
 * none, and the exit goes through it without a look-up. A region that comes or goes is told to every word that leads to it.
 */
export class Links {
  readonly #words: Int32Array;
  /** Addresses of the words that lead to a target, by its key. */
  readonly #byTarget = new Map<number, Set<number>>();

  /** `words`: machine memory. */
  constructor(words: Int32Array) { this.#words = words; }

  /** The word at an address leads to `target`, whose slot is `slot` now (0: none). */
  attach(target: number, address: number, slot: number): void {
    const known = this.#byTarget.get(target);
    if (known === undefined) this.#byTarget.set(target, new Set([address]));
    else known.add(address);
    this.#words[address >> 2] = slot;
  }
  detach(target: number, address: number): void {
    const known = this.#byTarget.get(target);
    known?.delete(address);
    if (known?.size === 0) this.#byTarget.delete(target);
    this.#words[address >> 2] = 0;
  }

  /** `target` has a region in `slot` now, or none any more (0). */
  point(target: number, slot: number): void {
    for (const address of this.#byTarget.get(target) ?? []) this.#words[address >> 2] = slot;
  }
}
