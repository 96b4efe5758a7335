import type { CountedTime } from '@vmm/clock';
import type { LoopTime } from './run-loop.ts';

/** Time stands still within a slice: a guest that polls a timer sees it in steps of this length. Longer is faster, shorter is finer. */
const LONGEST_SLICE_NS = 50_000;

/** Counted instructions as time: slices end at deadlines, an idle guest's time jumps, nothing depends on the host. */
export class CountedLoopTime implements LoopTime {
  readonly #time: CountedTime;
  readonly #instructions: () => number;
  #counted = 0;

  /** `instructions`: retired so far, known between slices. */
  constructor(time: CountedTime, instructions: () => number) {
    this.#time = time;
    this.#instructions = instructions;
  }

  /** The clock's source. */
  readonly now = (): number => {
    this.spent();
    return this.#time.now();
  };

  pause(): void { /* time passes with instructions only */ }
  resume(): void { /* likewise */ }
  slept(): void { /* likewise */ }
  hostMsUntil(deadlineNs: number): number { return deadlineNs === Infinity ? Infinity : 0; }

  sliceUntil(deadlineNs: number): number {
    const endNs = Math.min(deadlineNs, this.#time.now() + LONGEST_SLICE_NS);
    return Math.max(1, this.#time.instructionsUntil(endNs));
  }

  spent(): void {
    const instructions = this.#instructions();
    if (instructions > this.#counted) this.#time.advance(instructions - this.#counted);
    this.#counted = instructions;
  }

  idle(deadlineNs: number): void {
    if (deadlineNs !== Infinity) this.#time.skipTo(deadlineNs);
  }
}
