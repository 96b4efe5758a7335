/** SDM vol 3A §6.3.1, Table 6-1: exception vectors by mnemonic. */
export const VECTOR = {
  DE: 0,
  DB: 1,
  NMI: 2,
  BP: 3,
  OF: 4,
  BR: 5,
  UD: 6,
  NM: 7,
  DF: 8,
  /** Coprocessor segment overrun: 80386 only. */
  CSO: 9,
  TS: 10,
  NP: 11,
  SS: 12,
  GP: 13,
  PF: 14,
  MF: 16,
  AC: 17,
  MC: 18,
  XM: 19,
  VE: 20,
  CP: 21,
  /** Hypervisor injection, VMM communication and security exceptions: APM vol 2 §8.2. */
  HV: 28,
  VC: 29,
  SX: 30,
} as const;

/** SDM vol 3A §6.13: these push an error code (CP and the two AMD ones included). One bit per vector. */
export const VECTORS_WITH_ERROR_CODE =
  ((1 << VECTOR.DF) |
    (1 << VECTOR.TS) |
    (1 << VECTOR.NP) |
    (1 << VECTOR.SS) |
    (1 << VECTOR.GP) |
    (1 << VECTOR.PF) |
    (1 << VECTOR.AC) |
    (1 << VECTOR.CP) |
    (1 << VECTOR.VC) |
    (1 << VECTOR.SX)) >>>
  0;

/** SDM vol 3A §6.15, Table 6-4: two contributory exceptions in a row make a double fault. One bit per vector. */
export const CONTRIBUTORY_VECTORS =
  ((1 << VECTOR.DE) |
    (1 << VECTOR.TS) |
    (1 << VECTOR.NP) |
    (1 << VECTOR.SS) |
    (1 << VECTOR.GP) |
    (1 << VECTOR.CP)) >>>
  0;

/** SDM vol 3A §4.7, Figure 4-12: page-fault error code. */
export const PAGE_FAULT = {
  P: 1 << 0,
  WR: 1 << 1,
  US: 1 << 2,
  RSVD: 1 << 3,
  ID: 1 << 4,
  PK: 1 << 5,
  SS: 1 << 6,
  HLAT: 1 << 7,
  SGX: 1 << 15,
} as const;

/** SDM vol 3A §6.13, Figure 6-7: error codes that name a selector. */
export const SELECTOR_ERROR = {
  EXT: 1 << 0,
  IDT: 1 << 1,
  TI: 1 << 2,
  INDEX_MASK: 0xfff8,
} as const;
