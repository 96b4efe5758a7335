/** SDM vol 3A §4.3 to §4.5, Tables 4-4 to 4-20: bits shared by every level and format, low word. */
export const PTE = {
  P: 1 << 0,
  RW: 1 << 1,
  US: 1 << 2,
  PWT: 1 << 3,
  PCD: 1 << 4,
  A: 1 << 5,
  D: 1 << 6,
  /** In directory entries: this entry maps a page. In the last level this bit is PAT. */
  PS: 1 << 7,
  PAT: 1 << 7,
  G: 1 << 8,
  /** PAT bit of 2-MiB, 4-MiB and 1-GiB entries. */
  PAT_LARGE: 1 << 12,
  ADDRESS_MASK: 0xffff_f000,
} as const;

/** SDM vol 3A §4.4 and §4.5: bits of the high word of 64-bit entries. */
export const PTE_HIGH = {
  /** Protection key, bits 62:59. */
  PKEY_SHIFT: 27,
  PKEY_MASK: 0xf << 27,
  /** Execute disable, bit 63. */
  XD: (1 << 31) >>> 0,
} as const;

/** SDM vol 3A §4.2, Table 4-2: page sizes. */
export const PAGE_SIZE = {
  SMALL: 0x1000,
  /** PAE, 4-level and 5-level paging. */
  LARGE_2M: 0x20_0000,
  /** 32-bit paging with CR4.PSE. */
  LARGE_4M: 0x40_0000,
  HUGE_1G: 0x4000_0000,
} as const;

export const PAGE_SHIFT = 12;

/** SDM vol 3C §29.3.2, Tables 29-1 to 29-7: EPT entries, low word. */
export const EPT = {
  R: 1 << 0,
  W: 1 << 1,
  X: 1 << 2,
  MEMORY_TYPE_SHIFT: 3,
  MEMORY_TYPE_MASK: 7 << 3,
  IGNORE_PAT: 1 << 6,
  PS: 1 << 7,
  A: 1 << 8,
  D: 1 << 9,
  /** Execute for user-mode linear addresses (mode-based execute control). */
  XU: 1 << 10,
} as const;

/** SDM vol 3C §28.2.1, Table 28-7: exit qualification of an EPT violation. */
export const EPT_VIOLATION = {
  READ: 1 << 0,
  WRITE: 1 << 1,
  FETCH: 1 << 2,
  ENTRY_R: 1 << 3,
  ENTRY_W: 1 << 4,
  ENTRY_X: 1 << 5,
  GVA_VALID: 1 << 7,
  /** Set: the access was to the translated page. Clear: to a paging-structure entry. */
  TRANSLATED: 1 << 8,
} as const;
