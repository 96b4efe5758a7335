/** Exception flags in the order of MXCSR and the x87 status word (SDM vol 1 §8.1.3, §10.2.3), then what only callers of this package see. */
export const FLAG = {
  invalid: 0x01, denormal: 0x02, zeroDivide: 0x04, overflow: 0x08, underflow: 0x10, inexact: 0x20,
  /** The result was tiny, whether or not exact: an unmasked underflow must be taken. */
  tiny: 0x40,
  /** The magnitude was rounded up (x87 C1). */
  roundedUp: 0x80,
} as const;

/** The `mode` argument: how one operation rounds. */
export const MODE = {
  /** Bits 0..1: rounding control as in MXCSR and the x87 control word. */
  nearest: 0, down: 1, up: 2, truncate: 3, roundingMask: 3,
  /** Denormal operands count as zero. */
  denormalsAreZero: 4,
  /** Tiny results become zero. */
  flushToZero: 8,
  /** 80-bit: the result's exponent is wrapped by 24576. Other formats: no result, and inexact is judged with an unbounded exponent. */
  overflowUnmasked: 0x10, underflowUnmasked: 0x20,
  /** With `nearest`: halves go away from zero instead of to even. No x86 instruction asks for it. */
  tiesAway: 0x40,
  /** 80-bit only, bits 8..15: significand bits to drop: 0 (64-bit precision), 11 (53), 40 (24). */
  dropShift: 8,
} as const;
