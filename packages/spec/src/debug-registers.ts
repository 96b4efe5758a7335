/** SDM vol 3B §18.2.3 (debug status register), Figure 18-1. */
export const DR6 = {
  B0: 1 << 0,
  B1: 1 << 1,
  B2: 1 << 2,
  B3: 1 << 3,
  BLD: 1 << 11,
  BD: 1 << 13,
  BS: 1 << 14,
  BT: 1 << 15,
  /** Active low: clear when a debug exception happened inside a transactional region. */
  RTM: 1 << 16,
  /** Value after reset; every bit set here reads as one. */
  RESET: 0xffff_0ff0,
} as const;

/** SDM vol 3B §18.2.4 (debug control register). Breakpoint n: local enable `L0 << 2n`, length and type in four bits at `16 + 4n`. */
export const DR7 = {
  L0: 1 << 0,
  G0: 1 << 1,
  LE: 1 << 8,
  GE: 1 << 9,
  RTM: 1 << 11,
  GD: 1 << 13,
  FIELDS_SHIFT: 16,
  TYPE_EXECUTE: 0,
  TYPE_WRITE: 1,
  TYPE_IO: 2,
  TYPE_READ_WRITE: 3,
  LENGTH_1: 0,
  LENGTH_2: 1,
  LENGTH_8: 2,
  LENGTH_4: 3,
  /** Value after reset; bit 10 reads as one. */
  RESET: 0x400,
} as const;
