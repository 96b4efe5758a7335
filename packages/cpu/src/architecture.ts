/** EFLAGS. SDM vol 1 §3.4.3 */
export const EFLAGS = {
  CF: 0x1, FIXED: 0x2, PF: 0x4, AF: 0x10, ZF: 0x40, SF: 0x80, TF: 0x100, IF: 0x200, DF: 0x400, OF: 0x800, IOPL: 0x3000, NT: 0x4000,
  RF: 0x1_0000, VM: 0x2_0000, AC: 0x4_0000, VIF: 0x8_0000, VIP: 0x10_0000, ID: 0x20_0000,
} as const;
export const IOPL_SHIFT = 12;

/** CR0. SDM vol 3A §2.5 */
export const CR0 = {
  PE: 0x1, MP: 0x2, EM: 0x4, TS: 0x8, ET: 0x10, NE: 0x20, WP: 0x1_0000, AM: 0x4_0000, NW: 0x2000_0000, CD: 0x4000_0000, PG: 0x8000_0000 | 0,
} as const;

/** CR4. SDM vol 3A §2.5 */
export const CR4 = {
  VME: 0x1, PVI: 0x2, TSD: 0x4, DE: 0x8, PSE: 0x10, PAE: 0x20, MCE: 0x40, PGE: 0x80, PCE: 0x100, OSFXSR: 0x200, OSXMMEXCPT: 0x400,
  UMIP: 0x800, LA57: 0x1000, VMXE: 0x2000, SMXE: 0x4000, FSGSBASE: 0x1_0000, PCIDE: 0x2_0000, OSXSAVE: 0x4_0000, SMEP: 0x10_0000,
  SMAP: 0x20_0000, PKE: 0x40_0000, CET: 0x80_0000, PKS: 0x100_0000,
} as const;

/** IA32_EFER. SDM vol 3A §2.2.1 */
export const EFER = { SCE: 0x1, LME: 0x100, LMA: 0x400, NXE: 0x800 } as const;

/** Exception vectors. SDM vol 3A §6.3.1, Table 6-1 */
export const VECTOR = {
  DE: 0, DB: 1, NMI: 2, BP: 3, OF: 4, BR: 5, UD: 6, NM: 7, DF: 8, TS: 10, NP: 11, SS: 12, GP: 13, PF: 14, MF: 16, AC: 17, MC: 18, XM: 19,
} as const;

/** Index of a general register in the state block. */
export const GPR = { RAX: 0, RCX: 1, RDX: 2, RBX: 3, RSP: 4, RBP: 5, RSI: 6, RDI: 7, R11: 11 } as const;

/** Index of a segment register in the state block. */
export const SEG = { ES: 0, CS: 1, SS: 2, DS: 3, FS: 4, GS: 5, LDTR: 6, TR: 7 } as const;

/** The attributes word of a segment cache: descriptor bits 40..55 as in the VMCS access rights. SDM vol 3C §24.4.1 */
export const ATTRIBUTE = {
  TYPE: 0xf, ACCESSED: 0x1, WRITABLE: 0x2, READABLE: 0x2, EXPAND_DOWN: 0x4, CONFORMING: 0x4, CODE: 0x8, S: 0x10, DPL: 0x60, P: 0x80,
  L: 0x2000, DB: 0x4000, G: 0x8000, UNUSABLE: 0x1_0000,
} as const;

/** System descriptor types. SDM vol 3A §3.5, Table 3-2 */
export const SYSTEM_TYPE = {
  TSS16: 1, LDT: 2, TSS16_BUSY: 3, CALL_GATE16: 4, TASK_GATE: 5, INTERRUPT_GATE16: 6, TRAP_GATE16: 7,
  TSS32: 9, TSS32_BUSY: 11, CALL_GATE32: 12, INTERRUPT_GATE32: 14, TRAP_GATE32: 15,
} as const;

/** DR6 and DR7. SDM vol 3B §17.2 */
export const DR6 = { FIXED: 0xffff_0ff0 | 0, B: 0xf, BD: 0x2000, BS: 0x4000, BT: 0x8000 } as const;
export const DR7 = { FIXED: 0x400, ENABLE: 0xff, GD: 0x2000 } as const;
