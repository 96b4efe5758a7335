import type { Nanoseconds } from './clock.ts';

/** A time source made of counted instructions: two runs with the same inputs see the same times (DESIGN §7). */
export class CountedTime {
  readonly #nsPerInstruction: number;
  #ns: Nanoseconds;

  constructor(nsPerInstruction: number, startNs: Nanoseconds = 0) {
    this.#nsPerInstruction = nsPerInstruction;
    this.#ns = startNs;
  }

  readonly now = (): Nanoseconds => this.#ns;

  advance(instructions: number): void {
    this.#ns += instructions * this.#nsPerInstruction;
  }

  /** A halted vCPU executes nothing: its time jumps to the deadline that wakes it. */
  skipTo(deadlineNs: Nanoseconds): void {
    if (deadlineNs > this.#ns) this.#ns = deadlineNs;
  }

  /** Instructions that may run before `deadlineNs` is due. */
  instructionsUntil(deadlineNs: Nanoseconds): number {
    return Math.max(0, Math.ceil((deadlineNs - this.#ns) / this.#nsPerInstruction));
  }
}
