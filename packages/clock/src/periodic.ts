import type { Clock, Nanoseconds, Timer } from './clock.ts';

/**
 * A timer that repeats without drift: every deadline is the first plus a whole number of periods, whatever the latency
 * of the calls. Periods missed while the host was away are coalesced into one call, which is told their number.
 */
export class PeriodicTimer {
  readonly #clock: Clock;
  readonly #run: (elapsedPeriods: number) => void;
  #timer: Timer | undefined;
  #firstNs: Nanoseconds = 0;
  #periodNs: Nanoseconds = 0;
  #count = 0;

  constructor(clock: Clock, run: (elapsedPeriods: number) => void) {
    this.#clock = clock;
    this.#run = run;
  }

  get isArmed(): boolean {
    return this.#timer?.isArmed ?? false;
  }

  /** Fires at `firstNs`, then every `periodNs` (which must be positive). */
  start(firstNs: Nanoseconds, periodNs: Nanoseconds): void {
    this.#firstNs = firstNs;
    this.#periodNs = periodNs;
    this.#count = 0;
    if (this.#timer === undefined) this.#timer = this.#clock.schedule(firstNs, () => this.#fire());
    else this.#timer.reschedule(firstNs);
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #fire(): void {
    const reached = Math.floor((this.#clock.now() - this.#firstNs) / this.#periodNs) + 1;
    const elapsed = Math.max(1, reached - this.#count);
    this.#count += elapsed;
    this.#timer?.reschedule(this.#firstNs + this.#count * this.#periodNs);
    this.#run(elapsed);
  }
}
