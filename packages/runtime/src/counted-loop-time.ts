import type { CountedTime } from '@vmm/clock';
import type { LoopTime } from './run-loop.ts';

const LONGEST_SLICE = 1_000_000;

/** Counted instructions as time: slices end at deadlines, an idle guest's time jumps, nothing depends on the host. */
export class CountedLoopTime implements LoopTime {
  readonly #time: CountedTime;
  readonly #instructions: () => number;
  #counted = 0;

  /** `instructions` may move within a slice: devices that are read in a loop see time pass. */
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
    if (deadlineNs === Infinity) return LONGEST_SLICE;
    return Math.max(1, Math.min(LONGEST_SLICE, this.#time.instructionsUntil(deadlineNs)));
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
