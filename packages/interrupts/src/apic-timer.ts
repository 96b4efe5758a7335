import type { Clock, Nanoseconds, Timer } from '@vmm/device-kit';

export interface ApicTimerOptions {
  readonly clock: Clock;
  /** The input of the divider. */
  readonly busHz: number;
  readonly onExpire: () => void;
  /** When the TSC will have, or had, this value. Absent: the timer has no TSC-deadline mode. */
  readonly tscToNs?: (tsc: number) => Nanoseconds;
}

export interface ApicTimerState {
  readonly initialCount: number;
  readonly divide: number;
  readonly isPeriodic: boolean;
  /** When the current count began; meaningful while `isCounting`. */
  readonly startNs: Nanoseconds;
  readonly isCounting: boolean;
  readonly tscDeadline: number;
}

/** A guest may ask for a period of a nanosecond; the host is interrupted this often at most. */
const SHORTEST_PERIOD_NS = 20_000;
/** In periods: a deadline that has just been reached counts as reached, whatever the last bit of the double says. */
const ROUNDING = 1e-6;

/** SDM vol 3A §11.5.4: the local APIC's timer. The count is computed from the clock when it is read. */
export class ApicTimer {
  readonly #options: ApicTimerOptions;
  #initialCount = 0;
  #divide = 2;
  #isPeriodic = false;
  #startNs: Nanoseconds = 0;
  #isCounting = false;
  #tscDeadline = 0;
  #timer: Timer | undefined;
  #armedNs: Nanoseconds = Infinity;

  constructor(options: ApicTimerOptions) {
    this.#options = options;
  }

  get initialCount(): number {
    return this.#initialCount;
  }

  /** The armed TSC value, 0 when none: it clears itself when the timer fires. */
  get tscDeadline(): number {
    return this.#tscDeadline;
  }

  /** Loads the count and starts it; 0 stops the timer. */
  start(initialCount: number): void {
    this.catchUp();
    this.#initialCount = initialCount;
    this.#startNs = this.#options.clock.now();
    this.#isCounting = initialCount !== 0;
    this.#arm();
  }

  /** Before the timer or its vector change: what has ended by the clock has ended, though nobody has been told yet. */
  catchUp(): void {
    if (this.#armedNs <= this.#options.clock.now()) this.#expire();
  }

  /** One-shot and periodic share the running count: the current one goes on. */
  setPeriodic(isPeriodic: boolean): void {
    if (isPeriodic === this.#isPeriodic) return;
    const counted = this.#initialCount - this.currentCount();
    this.#isPeriodic = isPeriodic;
    this.#countedSoFar(counted);
  }

  /** Changing the divider while counting keeps the current count. */
  setDivide(divide: number): void {
    if (divide === this.#divide) return;
    this.catchUp();
    const counted = this.#initialCount - this.currentCount();
    this.#divide = divide;
    this.#countedSoFar(counted);
  }

  currentCount(): number {
    if (!this.#isCounting) return 0;
    const elapsed = Math.floor((this.#options.clock.now() - this.#startNs) / this.#tickNs());
    if (this.#isPeriodic) return this.#initialCount - (elapsed % this.#initialCount);
    return Math.max(0, this.#initialCount - elapsed);
  }

  armTscDeadline(tsc: number): void {
    this.catchUp();
    this.#tscDeadline = tsc;
    this.#arm();
  }

  stop(): void {
    this.#initialCount = 0;
    this.#isCounting = false;
    this.#tscDeadline = 0;
    this.#arm();
  }

  save(): ApicTimerState {
    return {
      initialCount: this.#initialCount, divide: this.#divide, isPeriodic: this.#isPeriodic, startNs: this.#startNs,
      isCounting: this.#isCounting, tscDeadline: this.#tscDeadline,
    };
  }

  restore(state: ApicTimerState): void {
    this.#initialCount = state.initialCount;
    this.#divide = state.divide;
    this.#isPeriodic = state.isPeriodic;
    this.#startNs = state.startNs;
    this.#isCounting = state.isCounting;
    this.#tscDeadline = state.tscDeadline;
    this.#arm();
  }

  /** Goes on as if the running count had begun `counted` ticks ago. */
  #countedSoFar(counted: number): void {
    if (!this.#isCounting) return;
    this.#startNs = this.#options.clock.now() - counted * this.#tickNs();
    this.#arm();
  }

  #tickNs(): Nanoseconds {
    return (this.#divide * 1e9) / this.#options.busHz;
  }

  #arm(): void {
    const deadlineNs = this.#armedNs = this.#deadlineNs();
    if (deadlineNs === Infinity) this.#timer?.cancel();
    else if (this.#timer === undefined) this.#timer = this.#options.clock.schedule(deadlineNs, () => this.#expire());
    else this.#timer.reschedule(deadlineNs);
    // who arms a one-shot timer keeps time by another clock
    if (this.#timer !== undefined) this.#timer.mayBeLate = this.#tscDeadline !== 0 || !this.#isPeriodic;
  }

  #deadlineNs(): Nanoseconds {
    if (this.#tscDeadline !== 0) return this.#options.tscToNs?.(this.#tscDeadline) ?? Infinity;
    if (!this.#isCounting) return Infinity;
    const periodNs = this.#initialCount * this.#tickNs();
    if (!this.#isPeriodic) return this.#startNs + periodNs;
    const nowNs = this.#options.clock.now();
    const nextNs = this.#startNs + (Math.floor((nowNs - this.#startNs) / periodNs + ROUNDING) + 1) * periodNs;
    return periodNs < SHORTEST_PERIOD_NS ? Math.max(nextNs, nowNs + SHORTEST_PERIOD_NS) : nextNs;
  }

  /** Periods missed while the host was away are one expiry: the vector could not be pending twice either. */
  #expire(): void {
    if (this.#tscDeadline !== 0) this.#tscDeadline = 0;
    else if (!this.#isPeriodic) this.#isCounting = false;
    this.#arm();
    this.#options.onExpire();
  }
}
