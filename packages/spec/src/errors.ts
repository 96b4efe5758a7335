/**
 * What went wrong on the host side, for programs; the message is for people. The package that throws owns its codes
 * and lists them in its README. Codes are stable API: never reuse one.
 */
export type VmmErrorCode = Uppercase<string>;

export interface VmmErrorOptions {
  /** One sentence that says what the reader can do about it. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** The host let us down. Guest faults are never errors: they are values. The message says what cannot be done, with the value seen: `Cannot read kernel …`. */
export class VmmError extends Error {
  override readonly name = 'VmmError';
  readonly code: VmmErrorCode;
  readonly hint: string | undefined;

  constructor(code: VmmErrorCode, message: string, options: VmmErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.hint = options.hint;
  }
}

/** We let ourselves down: always a bug, never caught below the supervisor. */
export function invariant(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`invariant broken: ${what}`);
}
