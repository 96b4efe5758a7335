/** Periods of the ticks that kernels are built with: CONFIG_HZ = 100, 250, 300, 1000. */
const PERIODS_NS: readonly number[] = [100, 250, 300, 1000].map((hz) => 1e9 / hz);
/** A kernel computes its next tick from its own clock; a program that sleeps for as long drifts by more than this. */
const JITTER_NS = 20_000;
/** Instructions of a wake-up: a tick alone has some 3,500 (32-bit Debian), one that also wakes a kernel thread 10,000, a program that is woken more. */
const TICK_INSTRUCTIONS = 6000, THREAD_INSTRUCTIONS = 20_000;
/** For each `QUIET_PERIOD_NS`: two threads may have waited for the same wake-up. */
const MORE_INSTRUCTIONS = 3000;
/** Quiet ticks, less what was not quiet: 0.4 s at 250 Hz. */
const QUIET = 100, MOST_QUIET = 200;
const THREAD_COSTS = 2, TIMER_COSTS = 30;
/** From one wake-up to the next while the guest is quiet: first, and at most. In between a fiftieth of the time that it has been quiet for. */
const QUIET_PERIOD_NS = 20e6, LONGEST_PERIOD_NS = 60e6, QUIET_SHARE = 0.02;
/** Ticks that the host was away for; a kernel that stops its tick when idle waits longer. */
const LONGEST_NS = 60e6;

/**
 * Kernels with a periodic tick (Debian's 32-bit one) wake up 250 times a second to find that there is nothing to do. While that is all that happens,
 * several ticks are let pass at a time: the kernel makes them up from its clock, as after any late interrupt. Whatever else happens (input, a timer
 * that is not the tick's, a program that runs) ends this for 0.4 s or more: then timers are punctual again. A program that has slept for that long and
 * wakes between two ticks is late by less than 20 ms or 2 % of its sleep, and never by 60 ms.
 */
export class IdleTicks {
  #deadlineNs = 0;
  #periodNs = Infinity;
  #score = 0;
  #quietNs = 0;
  #latenessNs = 0;

  /** The guest has halted after so many instructions and waits for `deadlineNs`: how much later it may be woken. */
  latenessNs(deadlineNs: number, instructions: number): number {
    const sinceNs = deadlineNs - this.#deadlineNs;
    this.#deadlineNs = deadlineNs;
    if (sinceNs !== 0) this.#score = Math.min(MOST_QUIET, Math.max(0, this.#score + this.#judge(sinceNs, instructions)));
    this.#quietNs = this.#score < QUIET ? 0 : this.#quietNs + sinceNs;
    return this.#latenessNs = this.#score < QUIET ? 0 : Math.floor(this.#wakePeriodNs() / this.#periodNs - 1) * this.#periodNs;
  }

  #wakePeriodNs(): number {
    return Math.min(LONGEST_PERIOD_NS, Math.max(QUIET_PERIOD_NS, this.#quietNs * QUIET_SHARE));
  }

  #judge(sinceNs: number, instructions: number): number {
    const periods = sinceNs / QUIET_PERIOD_NS;
    if (instructions > THREAD_INSTRUCTIONS + periods * MORE_INSTRUCTIONS) return -MOST_QUIET;
    if (!this.#isTick(sinceNs)) return -TIMER_COSTS;
    return instructions > TICK_INSTRUCTIONS ? -THREAD_COSTS : Math.max(1, Math.round(periods));
  }

  #isTick(sinceNs: number): boolean {
    if (this.#score === 0) this.#periodNs = PERIODS_NS.find((periodNs) => Math.abs(sinceNs - periodNs) < JITTER_NS) ?? Infinity;
    const ticks = Math.round(sinceNs / this.#periodNs);
    return ticks >= 1 && sinceNs <= LONGEST_NS + this.#latenessNs && Math.abs(sinceNs - ticks * this.#periodNs) < JITTER_NS;
  }
}
