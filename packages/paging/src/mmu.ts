import type { FunctionRef, ModuleBuilder } from '@vmm/wasm';
/**
 * What every MMU package offers to the CPU. Linear addresses come as two 32-bit words (`lo`, `hi`; any sign) so that no call boxes a number.
 * Guest faults are values: a failing call records them in the state block (faultVector, faultError, faultAddress) and says so in its result.
 */

/** 0 read · 1 write · 2 instruction fetch · 3 read-modify-write (odd = writes). */
export type AccessKind = 0 | 1 | 2 | 3;
export const ACCESS = { read: 0, write: 1, execute: 2, modify: 3 } as const;

/** Counts since the MMU was made; only ever grow. */
export interface MmuCounters {
  /** Calls of `access` from generated code: TLB misses, page crossings, MMIO, writes to protected pages. */
  slowAccesses: number;
  /** Page walks, and the page-table entries they read. */
  walks: number;
  walkReferences: number;
  /** TLB entries written after a walk, and global entries taken over after a CR3 write without one. */
  fills: number;
  revivals: number;
  /** Faults recorded for the guest: #PF, and #GP/#SS for non-canonical addresses. */
  pageFaults: number;
  canonicalFaults: number;
  /** Accesses answered by a device or a hole, accesses that span two pages, writes to pages that hold decoded code. */
  mmio: number;
  pageCrossings: number;
  codeWrites: number;
  /** Address-space tags taken, and wipes of the whole table when they ran out. */
  tags: number;
  wipes: number;
  /** INVLPG, and those that had to kill a whole large page. */
  invalidations: number;
  largeInvalidations: number;
}

/** What an MMU defines in the module of generated code. */
export interface GeneratedAccess {
  /** Has the signature of `access`, does what it can by itself and calls `slow` for the rest. */
  readonly access: FunctionRef;
  /**
   * `(lo, hi, size, kind, tag, flip) -> host address or 0`: plain memory only, for the asker and address space in a tag (see `state.tlbTag`, `state.tlbFlip`).
   * 0: not here; nothing is recorded then.
   */
  readonly tryAccess: FunctionRef;
  /** `(lo, hi) -> 1`: `invalidatePage` is done; 0: it is TypeScript's. */
  readonly invalidatePage: FunctionRef;
}

export interface Mmu {
  /**
   * Slow path of the TLB probe, at the privilege in `state.tlbTag`. Returns a host address, or 0 when a fault was recorded. An address inside the
   * bounce buffer (MMIO, page crossing, ROM write) holds the data for reads; after storing there call `commit`. `size` is 1..64 bytes.
   * Fetches from anything but memory find all ones there.
   */
  access(lo: number, hi: number, size: number, kind: AccessKind): number;
  /** Defines functions in a module of generated code; `slow` is `access`. Without it generated code calls `slow` every time. */
  defineAccess?(module: ModuleBuilder, slow: FunctionRef): GeneratedAccess;
  /** Carries out the write assembled in the bounce buffer by the last `access`. 0 done, 1 fault recorded. */
  commit(): number;

  /** CPL or EFLAGS.AC changed: recomputes `state.tlbTag`, `state.tlbFlip` and `state.systemTag`. Cheap. */
  contextChanged(): void;
  /** CR3 was written (`state.cr3` holds the new value). `keep`: bit 63 of a MOV to CR3 with CR4.PCIDE, "do not invalidate". */
  cr3Written(keep?: boolean): void;
  /** CR0.PG/WP, CR4.PGE/PAE/PSE/SMEP/SMAP/PCIDE/LA57/PKE or EFER.NXE/LMA changed: reads them all again, flushes everything, global pages too. */
  controlChanged(): void;
  /** PAE only: would the PDPTEs at this CR3 load? `false` means #GP(0) for the MOV; ask before writing `state.cr3`. */
  pdptesValid(cr3Lo: number): boolean;
  /** INVLPG. */
  invalidatePage(lo: number, hi: number): void;
  /** INVPCID of one context, global pages kept. */
  invalidatePcid(pcid: number): void;
  flushAll(): void;
  /** `state.pkru` or `state.pkrs` has changed (WRPKRU, XRSTOR, WRMSR). */
  protectionKeysChanged(): void;

  /**
   * Marks the RAM page of this host address as holding decoded code: until unmarked, every store to it goes through `access`.
   * Addresses in the bounce buffer are ignored.
   */
  protectCode(hostAddress: number): void;
  unprotectCode(hostAddress: number): void;

  /** The guest-physical address, or -1 (not mapped or not allowed). Changes nothing, no accessed or dirty bits either. */
  probe(lo: number, hi: number, kind: AccessKind): number;

  /** Whether the last `read…` or `write…` below recorded a fault. */
  readonly faulted: boolean;
  /** At the current privilege. A read that faults returns 0 and sets `faulted`; a write returns whether it was done. */
  read8(lo: number, hi: number): number;
  read16(lo: number, hi: number): number;
  /** Unsigned. */
  read32(lo: number, hi: number): number;
  write8(lo: number, hi: number, value: number): boolean;
  write16(lo: number, hi: number, value: number): boolean;
  write32(lo: number, hi: number, value: number): boolean;
  /** Implicit supervisor accesses (descriptor tables, TSS): whatever the CPL, never stopped by ring 3 and never helped by EFLAGS.AC. */
  readSystem8(lo: number, hi: number): number;
  readSystem16(lo: number, hi: number): number;
  readSystem32(lo: number, hi: number): number;
  writeSystem8(lo: number, hi: number, value: number): boolean;
  writeSystem16(lo: number, hi: number, value: number): boolean;
  writeSystem32(lo: number, hi: number, value: number): boolean;

  readonly counters: Readonly<MmuCounters>;
}
