import type { Nanoseconds } from './clock.ts';

const NS_PER_MS = 1e6;

export interface HostTimeOptions {
  /** The host's monotonic clock in milliseconds, `() => performance.now()`. */
  readonly hostNowMs: () => number;
  /** Virtual seconds per host second. Default 1. */
  readonly scale?: number;
  /** Virtual time at the start, for a restored machine. Default 0. */
  readonly startNs?: Nanoseconds;
}

/** A time source driven by the host's clock. It starts stopped: the machine's time begins with `resume()`. */
export class HostTime {
  readonly #hostNowMs: () => number;
  readonly #nsPerMs: number;
  #baseNs: Nanoseconds;
  #sinceMs: number | undefined;

  constructor(options: HostTimeOptions) {
    this.#hostNowMs = options.hostNowMs;
    this.#nsPerMs = NS_PER_MS * (options.scale ?? 1);
    this.#baseNs = options.startNs ?? 0;
  }

  readonly now = (): Nanoseconds => {
    if (this.#sinceMs === undefined) return this.#baseNs;
    return this.#baseNs + (this.#hostNowMs() - this.#sinceMs) * this.#nsPerMs;
  };

  get isPaused(): boolean {
    return this.#sinceMs === undefined;
  }

  pause(): void {
    this.#baseNs = this.now();
    this.#sinceMs = undefined;
  }

  resume(): void {
    this.#sinceMs ??= this.#hostNowMs();
  }

  /** How long the host must sleep until virtual time reaches `deadlineNs`; 0 when it has passed. */
  hostMsUntil(deadlineNs: Nanoseconds): number {
    return Math.max(0, (deadlineNs - this.now()) / this.#nsPerMs);
  }
}
