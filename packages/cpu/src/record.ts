/**
 * A decoded instruction as the interpreter reads it: 24 bytes in the vCPU's private memory. Blocks are a header followed by their records
 * and one `end` record. Danger: offsets are baked into generated code.
 */
export const RECORD = {
  /** u16: index of the form's handler; 0 = leave the block here (end of block, or block killed by a write to its code). */
  handler: 0,
  /** u16: offset of the end of the instruction from the start of the block. */
  end: 2,
  /** u8 × 3: register slots of operands 0..2: byte offset in the register file for general registers, number for all others. */
  slots: 4,
  /** u8: instruction length. */
  length: 7,
  /** i32: displacement; second immediate for instructions without memory operand. */
  displacement: 8,
  /** u8: byte offsets from the state block of base and index register (`zero` for none, `blockRip` for RIP-relative). */
  base: 12, index: 13,
  /** u8: log2 of the index factor. */
  scale: 14,
  /** u8: segment slot × 16 | address mask number (ADDRESS_MASKS). */
  segment: 15,
  /** i64: immediate, sign-extended; slot of operand 3 in its first byte. */
  immediate: 16,
  sizeBytes: 24,
} as const;

/** Header, at first record - `sizeBytes` of a block. */
export const BLOCK_HEADER = {
  instructions: 0,
  /** i32 × 2: what the block is of, while others may go on here without a look-up; host 0 once it is dead or a region stands in for it. */
  host: 4, modeKey: 8,
  /** Executions until the block is reported hot. */
  heat: 12,
  /** Address of the record behind the last instruction's. */
  last: 16,
  /** `heat` as if it had never been executed: the difference is how often it was. */
  total: 20,
  /** Two of (host address, first record): the blocks that came after this one last. */
  next: 24, nextBytes: 8, nexts: 2,
  sizeBytes: 40,
} as const;

/** i64 masks at VCPU_LAYOUT.masks, by address size: 16, 32, 64 bits. */
export const ADDRESS_MASKS = [0xffffn, 0xffff_ffffn, 0xffff_ffff_ffff_ffffn] as const;

/** What `run` returns. */
export const EXIT = { budget: 0, pending: 1, fault: 2 } as const;

/** What a handler or a translated region returns to the loop. */
export const HANDLER_STATUS = { next: 0, dispatch: 1, /** Fault at the record. */ fault: 2, /** Fault, or a wish to be retried, at state.rip. */ faultAtRip: 3, interpret: 4, /** A region came to where the code that called it goes on. */ returned: 5 } as const;
