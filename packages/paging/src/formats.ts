import { CR0, CR4, EFER } from '@vmm/spec';

/** One level of a paging format: which linear-address bits index it and what its entries may say. */
export interface PagingLevel {
  readonly name: 'PML5E' | 'PML4E' | 'PDPTE' | 'PDE' | 'PTE';
  /** Lowest linear-address bit of the index. An entry that maps a page here maps 2^shift bytes. */
  readonly shift: number;
  /** PS may be set: `never` (then PS is reserved), `with-pse` (ignored otherwise), `always`, `with-1g` (reserved otherwise). The last level ignores it. */
  readonly large: 'never' | 'with-pse' | 'always' | 'with-1g' | 'ignored';
}

export interface PagingFormat {
  readonly name: 'none' | '32-bit' | 'PAE' | '4-level' | '5-level';
  readonly entryBytes: 4 | 8;
  /** From the root down. */
  readonly levels: readonly PagingLevel[];
  /** Low bits of CR3 that are not part of the root's address. */
  readonly rootMask: number;
  /** Bits 62:52 of an entry are reserved (PAE) rather than ignored. */
  readonly highReserved: boolean;
  /** Long mode: protection keys exist, CR3 is 64 bits wide, linear addresses must be canonical. */
  readonly long: boolean;
}

const PTE_LEVEL: PagingLevel = { name: 'PTE', shift: 12, large: 'ignored' };
const PDE_LEVEL: PagingLevel = { name: 'PDE', shift: 21, large: 'always' };
const PDPTE_LEVEL: PagingLevel = { name: 'PDPTE', shift: 30, large: 'with-1g' };
const PML4E_LEVEL: PagingLevel = { name: 'PML4E', shift: 39, large: 'never' };
const PML5E_LEVEL: PagingLevel = { name: 'PML5E', shift: 48, large: 'never' };

/** SDM vol 3A §4.1.1, §4.3 to §4.5. PAE's four PDPTEs are registers, so its walk starts at the page directory. */
export const FORMATS = {
  none: { name: 'none', entryBytes: 4, levels: [], rootMask: 0, highReserved: false, long: false },
  twoLevel: {
    name: '32-bit', entryBytes: 4, levels: [{ name: 'PDE', shift: 22, large: 'with-pse' }, PTE_LEVEL],
    rootMask: 0xffff_f000, highReserved: false, long: false,
  },
  pae: { name: 'PAE', entryBytes: 8, levels: [PDE_LEVEL, PTE_LEVEL], rootMask: 0xffff_ffe0, highReserved: true, long: false },
  fourLevel: {
    name: '4-level', entryBytes: 8, levels: [PML4E_LEVEL, PDPTE_LEVEL, PDE_LEVEL, PTE_LEVEL],
    rootMask: 0xffff_f000, highReserved: false, long: true,
  },
  fiveLevel: {
    name: '5-level', entryBytes: 8, levels: [PML5E_LEVEL, PML4E_LEVEL, PDPTE_LEVEL, PDE_LEVEL, PTE_LEVEL],
    rootMask: 0xffff_f000, highReserved: false, long: true,
  },
} as const satisfies Record<string, PagingFormat>;

/** Which format the control registers select: SDM vol 3A §4.1.1. */
export function selectFormat(cr0: number, cr4: number, efer: number): PagingFormat {
  if ((cr0 & CR0.PG) === 0) return FORMATS.none;
  if ((cr4 & CR4.PAE) === 0) return FORMATS.twoLevel;
  if ((efer & EFER.LMA) === 0) return FORMATS.pae;
  return (cr4 & CR4.LA57) === 0 ? FORMATS.fourLevel : FORMATS.fiveLevel;
}
