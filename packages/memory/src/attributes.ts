/** What is special about a guest page: one byte a page in shared machine memory, so every worker sees the same. */
export const PAGE = {
  /** Holds decoded or translated code: stores must invalidate it. */
  CODE: 1 << 0,
  /** Stores are reported to a tracer (shadow paging, watchpoints). */
  TRACED: 1 << 1,
  /** Written since the dirty log was last taken. Says nothing while WATCHED was never armed. */
  DIRTY: 1 << 2,
  /** Stores are dropped. */
  ROM: 1 << 3,
  /** The next store sets DIRTY and clears this bit. */
  WATCHED: 1 << 4,
  /** Inside the RAM range but not RAM: accesses go to the MMIO bus (the VGA window, for one). */
  HOLE: 1 << 5,
  /** Some vCPU may have a TLB entry through which generated code stores to it without asking. */
  STORABLE: 1 << 6,
} as const;

/** Any of these keeps a page out of the fast store path. */
export const WRITE_BARRIER = PAGE.CODE | PAGE.TRACED | PAGE.ROM | PAGE.WATCHED | PAGE.HOLE;
