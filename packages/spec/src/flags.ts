/** SDM vol 1 §3.4.3, Figure 3-8: EFLAGS; the upper half of RFLAGS is reserved. */
export const RFLAGS = {
  CF: 1 << 0,
  /** Reserved, reads as one. */
  FIXED: 1 << 1,
  PF: 1 << 2,
  AF: 1 << 4,
  ZF: 1 << 6,
  SF: 1 << 7,
  TF: 1 << 8,
  IF: 1 << 9,
  DF: 1 << 10,
  OF: 1 << 11,
  IOPL_MASK: 3 << 12,
  IOPL_SHIFT: 12,
  NT: 1 << 14,
  RF: 1 << 16,
  VM: 1 << 17,
  AC: 1 << 18,
  VIF: 1 << 19,
  VIP: 1 << 20,
  ID: 1 << 21,
} as const;

/** SDM vol 1 §3.4.3.1: the six flags that arithmetic leaves behind. */
export const STATUS_FLAGS = RFLAGS.CF | RFLAGS.PF | RFLAGS.AF | RFLAGS.ZF | RFLAGS.SF | RFLAGS.OF;
