/** SDM vol 3A §3.4.2, Figure 3-6: segment selector. */
export const SELECTOR = {
  RPL_MASK: 3,
  TI: 1 << 2,
  INDEX_MASK: 0xfff8,
} as const;

/** SDM vol 3A §3.4.5, Figure 3-8: second (high) doubleword of a segment descriptor. */
export const DESCRIPTOR = {
  TYPE_SHIFT: 8,
  TYPE_MASK: 0xf << 8,
  /** Set: code or data. Clear: system. */
  S: 1 << 12,
  DPL_SHIFT: 13,
  DPL_MASK: 3 << 13,
  P: 1 << 15,
  LIMIT_HIGH_MASK: 0xf << 16,
  AVL: 1 << 20,
  L: 1 << 21,
  /** D for code, B for stack and data. */
  DB: 1 << 22,
  G: 1 << 23,
} as const;

/** SDM vol 3A §3.4.5.1, Table 3-1: type bits of code and data descriptors, before shifting by TYPE_SHIFT. */
export const SEGMENT_TYPE = {
  ACCESSED: 1 << 0,
  /** Data: writable. */
  WRITABLE: 1 << 1,
  /** Code: readable. */
  READABLE: 1 << 1,
  /** Data: expands down. */
  EXPAND_DOWN: 1 << 2,
  /** Code: conforming. */
  CONFORMING: 1 << 2,
  CODE: 1 << 3,
} as const;

/** SDM vol 3A §3.5, Table 3-2: system descriptor types. In IA-32e mode only LDT, the 32/64-bit TSS and the 32/64-bit gates exist. */
export const SYSTEM_TYPE = {
  TSS16_AVAILABLE: 0x1,
  LDT: 0x2,
  TSS16_BUSY: 0x3,
  CALL_GATE16: 0x4,
  TASK_GATE: 0x5,
  INTERRUPT_GATE16: 0x6,
  TRAP_GATE16: 0x7,
  TSS_AVAILABLE: 0x9,
  TSS_BUSY: 0xb,
  CALL_GATE: 0xc,
  INTERRUPT_GATE: 0xe,
  TRAP_GATE: 0xf,
} as const;

/** SDM vol 3A §8.2.1, Figure 8-2: byte offsets in a task-state segment. */
export const TSS32 = {
  LINK: 0x00,
  ESP0: 0x04,
  SS0: 0x08,
  CR3: 0x1c,
  EIP: 0x20,
  EFLAGS: 0x24,
  EAX: 0x28,
  ES: 0x48,
  LDT: 0x60,
  TRAP: 0x64,
  IO_MAP_BASE: 0x66,
  SIZE: 0x68,
} as const;

/** SDM vol 3A §8.6, Figure 8-10: 16-bit task-state segment. */
export const TSS16 = {
  LINK: 0x00,
  SP0: 0x02,
  SS0: 0x04,
  IP: 0x0e,
  FLAGS: 0x10,
  AX: 0x12,
  ES: 0x22,
  LDT: 0x2a,
  SIZE: 0x2c,
} as const;

/** SDM vol 3A §8.7, Figure 8-11: 64-bit task-state segment. */
export const TSS64 = {
  RSP0: 0x04,
  IST1: 0x24,
  IO_MAP_BASE: 0x66,
  SIZE: 0x68,
} as const;
