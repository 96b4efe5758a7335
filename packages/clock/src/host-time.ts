import type { Nanoseconds } from './clock.ts';

const NS_PER_MS = 1e6;

export interface HostTimeOptions {
  /** The host's monotonic clock in milliseconds, `() => performance.now()`. */
  readonly hostNowMs: () => number;
  /** Virtual seconds per host second. Default 1. */
  readonly scale?: number;
  /** Virtual time at the start, for a restored machine. Default 0. */
  readonly startNs?: Nanoseconds;
  /**
   * Longer gaps between two looks at the clock are pauses of the host (another process, a garbage collection, a compiler): the
   * guest sees this much of one, the rest is made up for little by little. Must be longer than a slice of the run loop.
   * Default Infinity: the guest sees every pause.
   */
  readonly longestGapMs?: number;
}

/** How much faster time runs while it makes up for a pause: a quarter while the guest works, twice while it is idle. */
const CATCH_UP_WORKING = 0.25;
const CATCH_UP_IDLE = 1;

/** A time source driven by the host's clock. It starts stopped: the machine's time begins with `resume()`. */
export class HostTime {
  readonly #hostNowMs: () => number;
  readonly #nsPerMs: number;
  readonly #longestGapMs: number;
  #ns: Nanoseconds;
  /** Host time up to which `#ns` accounts; undefined while stopped. */
  #upToMs: number | undefined;
  /** Host milliseconds of pauses that the guest has not seen yet. */
  #debtMs = 0;

  constructor(options: HostTimeOptions) {
    this.#hostNowMs = options.hostNowMs;
    this.#nsPerMs = NS_PER_MS * (options.scale ?? 1);
    this.#longestGapMs = options.longestGapMs ?? Infinity;
    this.#ns = options.startNs ?? 0;
  }

  readonly now = (): Nanoseconds => {
    if (this.#upToMs === undefined) return this.#ns;
    const elapsedMs = this.#elapse();
    if (elapsedMs <= this.#longestGapMs) return this.#advance(elapsedMs, CATCH_UP_WORKING);
    this.#debtMs += elapsedMs - this.#longestGapMs;
    return this.#advance(this.#longestGapMs, 0);
  };

  get isPaused(): boolean {
    return this.#upToMs === undefined;
  }

  /** How far virtual time is behind the host's because of pauses. */
  get behindMs(): number {
    return this.#debtMs;
  }

  pause(): void {
    this.now();
    this.#upToMs = undefined;
  }

  resume(): void {
    this.#upToMs ??= this.#hostNowMs();
  }

  /** The guest was idle until now: the time since the last look was a sleep, not a pause. */
  slept(): void {
    if (this.#upToMs !== undefined) this.#advance(this.#elapse(), CATCH_UP_IDLE);
  }

  /** How long the host must sleep until virtual time reaches `deadlineNs`; 0 when it has passed. */
  hostMsUntil(deadlineNs: Nanoseconds): number {
    const ms = Math.max(0, (deadlineNs - this.now()) / this.#nsPerMs);
    return Math.max(ms / (1 + CATCH_UP_IDLE), ms - this.#debtMs);
  }

  #elapse(): number {
    const hostMs = this.#hostNowMs();
    const elapsedMs = hostMs - (this.#upToMs ?? hostMs);
    this.#upToMs = hostMs;
    return elapsedMs;
  }

  #advance(elapsedMs: number, catchUp: number): Nanoseconds {
    const repaidMs = this.#debtMs === 0 ? 0 : Math.min(this.#debtMs, elapsedMs * catchUp);
    this.#debtMs -= repaidMs;
    this.#ns += (elapsedMs + repaidMs) * this.#nsPerMs;
    return this.#ns;
  }
}
