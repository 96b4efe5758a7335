/**
 * What the CPU needs from its surroundings. Structural on purpose: the MMU, the local APIC and the clock live in other packages and the
 * CPU knows no more of them than this.
 */

/** The part of the MMU that system instructions use. A failed access has recorded its fault in the state block. */
export interface CpuMmu {
  /** Whether the last read failed. */
  readonly faulted: boolean;
  contextChanged(): void;
  cr3Written(keep?: boolean): void;
  controlChanged(): void;
  pdptesValid(cr3Lo: number): boolean;
  invalidatePcid(pcid: number): void;
  invalidatePage(lo: number, hi: number): void;
  flushAll(): void;
  protectionKeysChanged(): void;
  read8(lo: number, hi: number): number;
  read16(lo: number, hi: number): number;
  read32(lo: number, hi: number): number;
  write8(lo: number, hi: number, value: number): boolean;
  write16(lo: number, hi: number, value: number): boolean;
  write32(lo: number, hi: number, value: number): boolean;
  readSystem8(lo: number, hi: number): number;
  readSystem16(lo: number, hi: number): number;
  readSystem32(lo: number, hi: number): number;
  writeSystem8(lo: number, hi: number, value: number): boolean;
  writeSystem16(lo: number, hi: number, value: number): boolean;
  writeSystem32(lo: number, hi: number, value: number): boolean;
}

export interface IoPorts {
  read(port: number, size: number): number;
  write(port: number, size: number, value: number): void;
}

/** The local APIC as the CPU's own instructions reach it (`CpuInterrupts` of the interrupt controllers). Absent: CPUID offers none. */
export interface ApicPort {
  /** Bits 7..4 of the task priority register. */
  cr8: number;
  readonly apicBaseLow: number;
  readonly apicBaseHigh: number;
  /** Both writes answer false for #GP(0). */
  writeApicBase(low: number, high: number): boolean;
  writeMsr(msr: number, low: number, high: number): boolean;
  /** MSRs 0x800..0x8ff and TSC_DEADLINE; the value is left in `msrLow`, `msrHigh`. */
  readMsr(msr: number): boolean;
  readonly msrLow: number;
  readonly msrHigh: number;
}

export interface CpuClock {
  /** Cycles of the time-stamp counter since power-on. */
  readTsc(): bigint;
  /** The same as a number (below 2^53), for clocks that have it: guests read the time stamp often. */
  readTscNumber?(): number;
  /** So many instructions of generated code may pass between two looks at the clock. Default 0: every RDTSC looks. Needs `readTscNumber`. */
  readonly toleranceInstructions?: number;
  readonly tscHz: number;
}

/** Entropy for RDRAND and RDSEED; a deterministic machine injects its own. */
export type RandomWord = () => number;
