/** The registers that DEBUGCTL.LBR fills, as the model has them: a ring of branches, and the last one before the last event. SDM vol 3B §18.4.8, §18.5 ff. */
import { LBR_SELECT } from '@vmm/spec';

export interface LastBranchLayout {
  /** Branches remembered: a power of two. */
  readonly count: number;
  /** MSRs of the first pair. */
  readonly from: number;
  readonly to: number;
  /** MSR that holds the number of the latest pair; none where there is one pair. */
  readonly top?: number;
  /** MSR whose bits leave kinds of branches out (`LBR_SELECT`), and those it has. */
  readonly select?: { readonly msr: number; readonly bits: number };
}

/** MSRs of the last branch before the last event, on every model. */
const EVENT_FROM = 0x1dd, EVENT_TO = 0x1de;
const CALLS = LBR_SELECT.NEAR_REL_CALL | LBR_SELECT.NEAR_IND_CALL;

export class LastBranches {
  readonly #layout: LastBranchLayout;
  /** Of each pair: from low, high, to low, high; behind the ring the one before the last event, and the latest of all, left out or not. */
  readonly #words: Int32Array;
  #top = 0;
  #filter = 0;

  constructor(layout: LastBranchLayout) {
    this.#layout = layout;
    this.#words = new Int32Array(4 * (layout.count + 2));
  }

  reset(): void {
    this.#words.fill(0);
    this.#top = 0;
    this.#filter = 0;
  }

  /** `kind`: its bit of `LBR_SELECT`; `cpl`: where it ended. */
  branch(kind: number, cpl: number, fromLo: number, fromHi: number, toLo: number, toHi: number): void {
    const { count } = this.#layout, pair = [fromLo, fromHi, toLo, toHi];
    this.#words.set(pair, 4 * (count + 1));
    if ((this.#filter & (kind | (cpl === 0 ? LBR_SELECT.CPL_EQ_0 : LBR_SELECT.CPL_NEQ_0))) !== 0) return;
    const isStack = (this.#filter & LBR_SELECT.EN_CALLSTACK) !== 0;
    if (isStack && (kind & CALLS) === 0) {
      if (kind === LBR_SELECT.NEAR_RET) this.#top = this.#top - 1 & count - 1;
      return;
    }
    this.#top = this.#top + 1 & count - 1;
    this.#words.set(pair, 4 * this.#top);
  }
  /** An interrupt or exception is a branch too. */
  event(cpl: number, fromLo: number, fromHi: number, toLo: number, toHi: number): void {
    const { count } = this.#layout;
    this.#words.copyWithin(4 * count, 4 * (count + 1), 4 * (count + 2));
    this.branch(LBR_SELECT.FAR_BRANCH, cpl, fromLo, fromHi, toLo, toHi);
  }

  /** Numbers of the MSRs that are only read, with what they hold: index of the low word, or -1 for the number of the latest pair. */
  registers(): readonly (readonly [msr: number, name: string, word: number])[] {
    const { count, from, to, top } = this.#layout;
    const pairs = Array.from({ length: count }, (_, i) => [[from + i, `LASTBRANCH_${String(i)}_FROM`, 4 * i], [to + i, `LASTBRANCH_${String(i)}_TO`, 4 * i + 2]] as const).flat();
    return [...pairs, [EVENT_FROM, 'LASTINT_FROM', 4 * count], [EVENT_TO, 'LASTINT_TO', 4 * count + 2], ...(top === undefined ? [] : [[top, 'LASTBRANCH_TOS', -1] as const])];
  }
  get select(): LastBranchLayout['select'] { return this.#layout.select; }
  /** What is left out from now on. */
  get filter(): number { return this.#filter; }
  set filter(bits: number) { this.#filter = bits; }
  low(word: number): number { return word < 0 ? this.#top : this.#words[word] ?? 0; }
  high(word: number): number { return word < 0 ? 0 : this.#words[word + 1] ?? 0; }
}
