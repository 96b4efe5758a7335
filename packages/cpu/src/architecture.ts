/** Names of what the state block indexes; architectural constants come from `@vmm/spec` under the names this package uses. */
export { CR0, CR4, EFER, RFLAGS as EFLAGS, SYSTEM_TYPE, VECTOR } from '@vmm/spec';

/** Index of a general register in the state block. */
export const GPR = { RAX: 0, RCX: 1, RDX: 2, RBX: 3, RSP: 4, RBP: 5, RSI: 6, RDI: 7, R11: 11 } as const;

/** Index of a segment register in the state block. */
export const SEG = { ES: 0, CS: 1, SS: 2, DS: 3, FS: 4, GS: 5, LDTR: 6, TR: 7 } as const;

/** The attributes word of a segment cache: descriptor bits 40..55 as in the VMCS access rights. SDM vol 3C §24.4.1 */
export const ATTRIBUTE = {
  TYPE: 0xf, ACCESSED: 0x1, WRITABLE: 0x2, READABLE: 0x2, EXPAND_DOWN: 0x4, CONFORMING: 0x4, CODE: 0x8, S: 0x10, DPL: 0x60, P: 0x80,
  L: 0x2000, DB: 0x4000, G: 0x8000, UNUSABLE: 0x1_0000,
} as const;

/** Enable bits of all four breakpoints in DR7. */
export const DR7_ENABLES = 0xff;
