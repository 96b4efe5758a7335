/* @hot: every access that generated code cannot do by itself comes here. */
import type { AccessKind, MmuCounters } from '@vmm/paging';

/** Why an access was slow. `plain`: it was not, or only this time (the TLB did not know the page). */
export type SlowCause = 'plain' | 'device' | 'crossing' | 'code';

/**
 * Which instructions keep making accesses that generated code cannot do by itself, by samples: now and then such an access is put off, as if its code had died.
 * The instruction is tried again, and where that happens is where it is. Nothing is counted in generated code.
 */
export class SlowAccesses {
  readonly #period: number;
  readonly #counters: () => Readonly<MmuCounters>;
  readonly #note: (cause: SlowCause, lo: number, hi: number) => void;
  #left: number;
  /** What is put off, and whether its instruction has been found. */
  #isWaiting = false;
  #isFound = false;
  #lo = 0;
  #hi = 0;
  #kind = 0;
  /** Where it is. */
  #ripLo = 0;
  #ripHi = 0;
  #before: Readonly<MmuCounters> | undefined;

  /** `note`: is told of one in `period` accesses, and where its instruction is. */
  constructor(counters: () => Readonly<MmuCounters>, period: number, note: (cause: SlowCause, lo: number, hi: number) => void) {
    this.#counters = counters;
    this.#period = period;
    this.#left = period;
    this.#note = note;
  }

  /** Before an access: whether it is to be put off. */
  putsOff(lo: number, hi: number, kind: AccessKind): boolean {
    if (this.#isFound) this.#before = this.#counters();
    if (this.#left > 0) return false;
    this.#left = this.#period;
    this.#isWaiting = true;
    this.#lo = lo;
    this.#hi = hi;
    this.#kind = kind;
    return true;
  }
  /** Generated code has left at an instruction that is to be tried again: it is the one, if something was put off. */
  find(lo: number, hi: number): void {
    this.#isFound = this.#isWaiting;
    this.#isWaiting = false;
    this.#ripLo = lo;
    this.#ripHi = hi;
  }
  /** After an access that was not put off. */
  made(lo: number, hi: number, kind: AccessKind): void {
    this.#left--;
    if (!this.#isFound) return;
    this.#isFound = false;
    const isIt = lo === this.#lo && hi === this.#hi && kind === this.#kind;
    // when it was tried again it did not come here
    this.#note(isIt && this.#before !== undefined ? causeOf(this.#before, this.#counters()) : 'plain', this.#ripLo, this.#ripHi);
  }
}

function causeOf(before: Readonly<MmuCounters>, after: Readonly<MmuCounters>): SlowCause {
  if (after.mmio !== before.mmio) return 'device';
  if (after.pageCrossings !== before.pageCrossings) return 'crossing';
  return after.codeWrites !== before.codeWrites ? 'code' : 'plain';
}
