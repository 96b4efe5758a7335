/** Virtual nanoseconds since power-on. A double: exact to the nanosecond for 104 days. */
export type Nanoseconds = number;

/** A one-shot timer. It may be armed again after it has fired or has been cancelled. */
export interface Timer {
  /** When it will fire, or fired last. */
  readonly deadlineNs: Nanoseconds;
  readonly isArmed: boolean;
  /** Who waits for it looks at a clock when it fires, and counts nothing: a host that saves power may be late with it. Default false. */
  mayBeLate: boolean;
  cancel(): void;
  /** Arms the timer (again) for `deadlineNs`; a deadline in the past fires at the next `runExpired()`. */
  reschedule(deadlineNs: Nanoseconds): void;
}

/** What a device sees of time. */
export interface Clock {
  now(): Nanoseconds;
  schedule(deadlineNs: Nanoseconds, run: () => void): Timer;
}

export const NS_PER_SECOND = 1e9;
