/** The registers that DEBUGCTL.LBR fills, as the model has them: a ring of branches, and the last one before the last event. SDM vol 3B §18.4.8, §18.5 ff. */

export interface LastBranchLayout {
  /** Branches remembered: a power of two. */
  readonly count: number;
  /** MSRs of the first pair. */
  readonly from: number;
  readonly to: number;
  /** MSR that holds the number of the latest pair; none where there is one pair. */
  readonly top?: number;
  /** MSR whose bits leave kinds of branches out. It is kept, and nothing is left out. */
  readonly select?: number;
}

/** MSRs of the last branch before the last event, on every model. */
const EVENT_FROM = 0x1dd, EVENT_TO = 0x1de;

export class LastBranches {
  readonly #layout: LastBranchLayout;
  /** Of each pair: from low, high, to low, high; the last pair is the one before the last event. */
  readonly #words: Int32Array;
  #top = 0;

  constructor(layout: LastBranchLayout) {
    this.#layout = layout;
    this.#words = new Int32Array(4 * (layout.count + 1));
  }

  reset(): void {
    this.#words.fill(0);
    this.#top = 0;
  }

  branch(fromLo: number, fromHi: number, toLo: number, toHi: number): void {
    this.#top = this.#top + 1 & this.#layout.count - 1;
    this.#words.set([fromLo, fromHi, toLo, toHi], 4 * this.#top);
  }
  /** An interrupt or exception is a branch too. */
  event(fromLo: number, fromHi: number, toLo: number, toHi: number): void {
    this.#words.copyWithin(4 * this.#layout.count, 4 * this.#top, 4 * this.#top + 4);
    this.branch(fromLo, fromHi, toLo, toHi);
  }

  /** Numbers of the MSRs that are only read, with what they hold: index of the low word, or -1 for the number of the latest pair. */
  registers(): readonly (readonly [msr: number, name: string, word: number])[] {
    const { count, from, to, top } = this.#layout;
    const pairs = Array.from({ length: count }, (_, i) => [[from + i, `LASTBRANCH_${String(i)}_FROM`, 4 * i], [to + i, `LASTBRANCH_${String(i)}_TO`, 4 * i + 2]] as const).flat();
    return [...pairs, [EVENT_FROM, 'LASTINT_FROM', 4 * count], [EVENT_TO, 'LASTINT_TO', 4 * count + 2], ...(top === undefined ? [] : [[top, 'LASTBRANCH_TOS', -1] as const])];
  }
  get select(): number | undefined { return this.#layout.select; }
  low(word: number): number { return word < 0 ? this.#top : this.#words[word] ?? 0; }
  high(word: number): number { return word < 0 ? 0 : this.#words[word + 1] ?? 0; }
}
