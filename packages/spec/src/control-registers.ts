/** SDM vol 3A §2.5, Figure 2-7: CR0. */
export const CR0 = {
  PE: 1 << 0,
  MP: 1 << 1,
  EM: 1 << 2,
  TS: 1 << 3,
  ET: 1 << 4,
  NE: 1 << 5,
  WP: 1 << 16,
  AM: 1 << 18,
  NW: 1 << 29,
  CD: 1 << 30,
  PG: (1 << 31) >>> 0,
} as const;

/** SDM vol 3A §2.5 and §4.5: CR3 outside the table address. PCID is bits 11:0 when CR4.PCIDE is set. */
export const CR3 = {
  PWT: 1 << 3,
  PCD: 1 << 4,
  PCID_MASK: 0xfff,
  /** 32-bit and 4-level paging: 4-KiB aligned table. */
  ADDRESS_MASK: 0xffff_f000,
  /** PAE paging: 32-byte aligned table of four entries. */
  PAE_ADDRESS_MASK: 0xffff_ffe0,
} as const;

/** SDM vol 3A §2.5, Figure 2-7: CR4. */
export const CR4 = {
  VME: 1 << 0,
  PVI: 1 << 1,
  TSD: 1 << 2,
  DE: 1 << 3,
  PSE: 1 << 4,
  PAE: 1 << 5,
  MCE: 1 << 6,
  PGE: 1 << 7,
  PCE: 1 << 8,
  OSFXSR: 1 << 9,
  OSXMMEXCPT: 1 << 10,
  UMIP: 1 << 11,
  LA57: 1 << 12,
  VMXE: 1 << 13,
  SMXE: 1 << 14,
  FSGSBASE: 1 << 16,
  PCIDE: 1 << 17,
  OSXSAVE: 1 << 18,
  KL: 1 << 19,
  SMEP: 1 << 20,
  SMAP: 1 << 21,
  PKE: 1 << 22,
  CET: 1 << 23,
  PKS: 1 << 24,
  UINTR: 1 << 25,
} as const;

/** SDM vol 3A §2.6, Figure 2-8: XCR0, state components enabled for XSAVE. */
export const XCR0 = {
  X87: 1 << 0,
  SSE: 1 << 1,
  AVX: 1 << 2,
  BNDREGS: 1 << 3,
  BNDCSR: 1 << 4,
  OPMASK: 1 << 5,
  ZMM_HI256: 1 << 6,
  HI16_ZMM: 1 << 7,
  PKRU: 1 << 9,
} as const;
