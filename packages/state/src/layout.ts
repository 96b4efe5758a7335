/**
 * One vCPU's state block in machine memory: the single description from which offsets, views, snapshots and generated code come.
 * Danger: generated Wasm bakes these offsets in as constants; the block must not move while a module made for it lives.
 */

type Kind = 'i64' | 'i32' | 'f80' | 'v256';
const SIZE: Readonly<Record<Kind, number>> = { i64: 8, i32: 4, f80: 16, v256: 32 };

interface Field { readonly kind: Kind; readonly count?: number; /** The field whose first bytes this one names. */ readonly within?: string }

const f = (kind: Kind, count = 1): Field => ({ kind, count });

/**
 * Order matters for the hot end of the block (the first 256 bytes are what the interpreter touches on every instruction).
 * `gpr` is RAX..R15 in encoding order, always zero-extended outside long mode; `zero` follows it directly, so that register slot 16 reads
 * as 0. `flagResult`/`flagAux` are the lazy flags (see flags.ts); `eflags` holds every other bit.
 */
export const STATE_FIELDS = {
  gpr: f('i64', 16), zero: f('i64'), rip: f('i64'),
  flagResult: f('i64'), flagA: f('i64'), flagAux: { kind: 'i32', count: 1, within: 'flagA' }, eflags: f('i32'),
  tlbTag: f('i64'), linearMask: f('i64'), blockRip: f('i64'),
  /** XORed into the byte offset of a TLB entry: user and supervisor entries of a page live in different slots (`TLB_USER_FLIP`, or 0). */
  tlbFlip: f('i32'),
  /** Non-zero: something wants the run loop (interrupt, timer, stop). Written by other workers too. */
  pending: f('i32'), budget: f('i32'),
  /** An interrupt waits for IF: what sets IF in generated code must ask for attention, or be left to others. */
  interruptWaits: f('i32'),
  /** Effective segments for address generation, ES CS SS DS FS GS and one always-zero slot: base i64, limit i32, checks i32 (see segments.ts). */
  segment: f('i64', 14),
  stackMask: f('i64'), currentRecord: f('i32'), modeKey: f('i32'), cpl: f('i32'), inhibit: f('i32'),
  /** A fault being raised: vector (-1 none), error code, linear address for #PF. */
  faultVector: f('i32'), faultError: f('i32'), faultAddress: f('i64'),
  instructions: f('i64'), exitReason: f('i32'), halted: f('i32'),
  /**
   * Flags that translated code left as operation, operands (`flagA`, `flagB`) and result; 0: they are in `flagResult` and `flagAux`, the low word of
   * `flagA`. Never set where TypeScript or the interpreter looks.
   */
  flagKind: f('i32'), flagB: f('i64'), regionEntries: f('i64'),
  /** Where the translated code that called the one that runs goes on when control comes back; -1: nobody called. Then how many calls are open. */
  returnTo: f('i64'), callDepth: f('i32'),
  /** As many of the open calls, the outer ones, were made by code that may have died or be mapped elsewhere since: it is looked at before it goes on. */
  callsInDoubt: f('i32'),
  /** Grows whenever a mapping may have changed under an unchanged `tlbTag`. */
  mapVersion: f('i32'),
  /** Above the bits of `tlbTag`: which entries of the jump table are of now. See `forgetJumps`. Never runs backwards, nor does `mapVersion`. */
  jumpVersion: f('i32'),
  /** Byte offset of the next entry in the list of computed jumps. */
  computedNext: f('i32'),
  /** `tlbTag` of implicit supervisor accesses (descriptor tables, TSS). */
  systemTag: f('i64'),
  /** Why some events and returns from them must be left to TypeScript (`EVENT_CARE`). */
  eventCare: f('i32'),
  /**
   * The time-stamp counter (without offset) when the host's clock was looked at last, at which `budget`; 0: look now. So many instructions may pass until
   * the next look.
   */
  timeStamp: f('i64'), timeStampBudget: f('i32'), timeStampTolerance: f('i32'),
  /** Faults that generated code has delivered. */
  deliveredFaults: f('i32'),
  cr0: f('i64'), cr2: f('i64'), cr3: f('i64'), cr4: f('i64'), cr8: f('i64'), efer: f('i64'), xcr0: f('i64'),
  dr: f('i64', 8),
  /** DEBUGCTL. */
  debugControl: f('i32'),
  /** Architectural segment registers ES CS SS DS FS GS LDTR TR: visible selector, hidden base/limit/attributes (descriptor bits 8..15, 20..23 as attributes word). */
  selector: f('i32', 8), segmentBase: f('i64', 8), segmentLimit: f('i32', 8), segmentAttributes: f('i32', 8),
  gdtrBase: f('i64'), idtrBase: f('i64'), gdtrLimit: f('i32'), idtrLimit: f('i32'),
  star: f('i64'), lstar: f('i64'), cstar: f('i64'), fmask: f('i64'), kernelGsBase: f('i64'), tscAux: f('i64'),
  sysenterCs: f('i64'), sysenterEsp: f('i64'), sysenterEip: f('i64'),
  apicBase: f('i64'), pat: f('i64'), tscOffset: f('i64'), miscEnable: f('i64'),
  /** Rights by protection key: of user pages and of supervisor pages. */
  pkru: f('i32'), pkrs: f('i32'),
  /** x87: physical registers (80 bits each in 16 bytes), not rotated by TOP. `fpuTop` is TOP alone; `fpuTags` one bit a physical register, 1 = empty. */
  fpr: f('f80', 8), fpuControl: f('i32'), fpuStatus: f('i32'), fpuTop: f('i32'), fpuTags: f('i32'),
  fpuIp: f('i64'), fpuDp: f('i64'), fpuCs: f('i32'), fpuDs: f('i32'), fpuOpcode: f('i32'), mxcsr: f('i32'),
  /** XMM0..15 in the low halves, upper YMM halves above; stride 32 bytes. */
  vector: f('v256', 16),
  /** 16-byte aligned operands for calls that pass 80- or 128-bit values by address. */
  scratch: f('v256', 8),
} as const satisfies Record<string, Field>;

export type StateField = keyof typeof STATE_FIELDS;

function layOut(): { offsets: Record<StateField, number>; sizeBytes: number } {
  const offsets = {} as Record<StateField, number>;
  let at = 0;
  for (const [name, field] of Object.entries(STATE_FIELDS) as [StateField, Field][]) {
    if (field.within !== undefined) { offsets[name] = offsets[field.within as StateField]; continue; }
    const align = Math.min(SIZE[field.kind], 16);
    at = Math.ceil(at / align) * align;
    offsets[name] = at;
    at += SIZE[field.kind] * (field.count ?? 1);
  }
  return { offsets, sizeBytes: at };
}

/** Bits of `eventCare`. */
export const EVENT_CARE = { /** IRET will unblock NMIs. */ nmiBlocked: 1, /** MONITOR has armed a line, which events disarm. */ monitor: 2, /** Somebody watches exceptions. */ watched: 4, /** A non-canonical address was met: is it #GP or #SS? */ refused: 8 } as const;

const laid = layOut();

/** Byte offset of each field from the start of the state block. A copy, because V8 keeps an object built key by key in slow dictionary mode. */
export const STATE: Readonly<Record<StateField, number>> = { ...laid.offsets };
export const STATE_SIZE_BYTES = laid.sizeBytes;

/**
 * Where a vCPU's private structures lie, relative to its private base. Host address 0 is never valid, so it can mean "fault".
 * `bounce` is where accesses that are not one piece of RAM (page crossing, MMIO) are assembled; an address below `private base + tlb`
 * that a probe returns is therefore a bounce address and needs a commit after a store.
 */
export const VCPU_LAYOUT = {
  state: 0x1000,
  masks: 0x3000,
  bounce: 0x3800,
  tlb: 0x1_0000,
  tlbEntries: 0x4000,
  tlbEntryBytes: 32,
  /** What the generated TLB refill reads: see `@vmm/mmu-ept`. */
  refill: 0x4000,
  refillBytes: 0x400,
  /** Answers of CPUID that generated code may give: see `CpuidCache`. */
  cpuid: 0x5000,
  cpuidEntries: 64,
  /** What generated transcendental functions read: see `@vmm/fpu`. */
  fpuTables: 0x8000,
  fpuTablesBytes: 0x4000,
  /** Full TLB entries, 32 bytes each, and where large pages may be cached: the MMU's own. */
  tlbFull: 0x10_0000,
  largePages: 0x9_0000,
  largePagesBytes: 0x2000,
  blockHash: 0x20_0000,
  blockHashEntries: 0x1_0000,
  records: 0x30_0000,
  recordsBytes: 0xc0_0000,
  /**
   * What translated code reaches by computed jumps: 16 bytes an entry, rip, low word of `tlbTag` with `jumpVersion`, then table slot | mode key << 16 | global
   * page << 31.
   */
  jumps: 0xa_0000,
  jumpEntries: 16384,
  /** Directly behind them, a byte for each page that an entry may lie in, or a region trusts the mapping of, by page number: 0 where none does. */
  jumpPages: 65536,
  /** Computed jumps and calls that the interpreter made last, 16 bytes each: rip of the instruction, then of its target. See `computedNext`. */
  computed: 0xf_0000,
  computedEntries: 4096,
  /** By table slot, 8 bytes: `tlbTag` (low word) and `mapVersion` for which a region last found its pages where it was made for. */
  stamps: 0xfc_0000,
  stampsBytes: 0x4_0000,
  /** Words that lead translated code to its successor: table slots, 0 = unlinked. */
  links: 0xf0_0000,
  linksBytes: 0xc_0000,
  sizeBytes: 0x100_0000,
} as const;

/**
 * A TLB entry, 32 bytes, direct-mapped by linear page number (VCPU_LAYOUT.tlbEntries): tags are (page address | tlbTag), -1 = no.
 * A probe for `size` bytes compares ((address + size - 1) & ~0xfff) | tlbTag: one compare covers page, permission, context and page crossing.
 * `addend` (i32): host address = low 32 bits of linear address + addend (mod 2^32). `global` (i32): not 0 if the page is the same in all address spaces.
 */
export const TLB_USER_FLIP = 0x2000 * VCPU_LAYOUT.tlbEntryBytes;
export const TLB_ENTRY = { readTag: 0, writeTag: 8, execTag: 16, addend: 24, global: 28 } as const;

/** The low 12 bits of `tlbTag`: MMU index (who asks) in bits 0..1, address-space tag above. */
export const MMU_INDEX = { user: 0, supervisor: 1, /** supervisor with EFLAGS.AC set or SMAP off */ supervisorAc: 2, /** user with alignment checks */ userAligned: 3 } as const;
