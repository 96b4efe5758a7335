/** Breakpoints of DR0..DR3: what they watch and whether an access meets them. SDM vol 3B §18.2 */
import { DR7 } from '@vmm/spec';
import { STATE, TLB_ENTRY, TLB_USER_FLIP, VCPU_LAYOUT } from '@vmm/state';
import { CR4 } from './architecture.ts';
import type { Cpu } from './cpu.ts';

const COUNT = 4;
const PAGE_SHIFT = 12;

function kindOf(dr7: number, index: number): number { return dr7 >> DR7.FIELDS_SHIFT + 4 * index & 3; }
/** LEN encodes 1, 2, 8 and 4 bytes. */
function lengthOf(dr7: number, index: number): number { return 0x4821 >> 4 * (dr7 >> DR7.FIELDS_SHIFT + 2 + 4 * index & 3) & 15; }
/** Locally or globally. */
function isEnabled(dr7: number, index: number): boolean { return (dr7 >> 2 * index & 3) !== 0; }

function isData(dr7: number, index: number): boolean {
  const kind = kindOf(dr7, index);
  return isEnabled(dr7, index) && (kind === DR7.TYPE_WRITE || kind === DR7.TYPE_READ_WRITE);
}

/** After a write to DR7: whether accesses must be watched from now on. */
export function armBreakpoints(cpu: Cpu): void {
  const dr7 = cpu.state.word(STATE.dr + 8 * 7);
  let watches = false;
  for (let index = 0; index < COUNT; index++) if (isData(dr7, index)) watches = true;
  // Pages that were kept out of the TLB come back.
  if (cpu.watchesData && !watches) cpu.mmu.flushAll();
  cpu.watchesData = watches;
}

/** DR6 bits of the instruction breakpoints at linear address `lo`, `hi`. */
export function instructionHits(cpu: Cpu, lo: number, hi: number): number {
  const { state } = cpu;
  const dr7 = state.word(STATE.dr + 8 * 7);
  let hits = 0;
  for (let index = 0; index < COUNT; index++) {
    if (!isEnabled(dr7, index) || kindOf(dr7, index) !== DR7.TYPE_EXECUTE) continue;
    if (state.word(STATE.dr + 8 * index) === lo && state.word(STATE.dr + 8 * index + 4) === hi) hits |= 1 << index;
  }
  return hits;
}

/** I/O breakpoints need CR4.DE. */
export function notePortAccess(cpu: Cpu, port: number, size: number): void {
  const { state } = cpu;
  const dr7 = state.word(STATE.dr + 8 * 7);
  if (!(state.word(STATE.cr4) & CR4.DE)) return;
  for (let index = 0; index < COUNT; index++) {
    if (!isEnabled(dr7, index) || kindOf(dr7, index) !== DR7.TYPE_IO) continue;
    const length = lengthOf(dr7, index), start = state.word(STATE.dr + 8 * index) & 0xffff & -length;
    if (port < start + length && start < port + size) cpu.debugHits |= 1 << index;
  }
}

export function noteDataAccess(cpu: Cpu, lo: number, hi: number, size: number, kind: number): void {
  const { state } = cpu;
  const dr7 = state.word(STATE.dr + 8 * 7);
  const isWrite = (kind & 1) !== 0, from = lo >>> 0;
  if (kind === 2) return;
  for (let index = 0; index < COUNT; index++) {
    if (!isData(dr7, index) || !isWrite && kindOf(dr7, index) === DR7.TYPE_WRITE || state.word(STATE.dr + 8 * index + 4) !== hi) continue;
    const length = lengthOf(dr7, index), start = (state.word(STATE.dr + 8 * index) & -length) >>> 0;
    if (from < start + length && start < from + size) cpu.debugHits |= 1 << index;
  }
}

/** Takes the watched pages out of the table that generated code probes, so that its accesses come through the MMU and are noted. */
export function concealWatchedPages(cpu: Cpu): void {
  const { state } = cpu;
  const dr7 = state.word(STATE.dr + 8 * 7);
  for (let index = 0; index < COUNT; index++) {
    if (!isData(dr7, index)) continue;
    const slot = (state.word(STATE.dr + 8 * index) >>> PAGE_SHIFT & VCPU_LAYOUT.tlbEntries - 1) * VCPU_LAYOUT.tlbEntryBytes;
    for (const offset of [slot, slot ^ TLB_USER_FLIP]) {
      const entry = state.base - VCPU_LAYOUT.state + VCPU_LAYOUT.tlb + offset >> 2;
      state.i32.fill(-1, entry + (TLB_ENTRY.readTag >> 2), entry + (TLB_ENTRY.execTag >> 2));
    }
  }
}
