/** @hot (MOV CR3, INVLPG) Control and debug registers. SDM vol 3A §2.5, §4.1, vol 3B §17.2 */
import { DR6, DR7 } from '@vmm/spec';
import { STATE } from '@vmm/state';
import { ATTRIBUTE, CR0, CR4, EFER, EFLAGS, SEG, VECTOR } from './architecture.ts';
import { armBreakpoints } from './breakpoints.ts';
import type { Cpu } from './cpu.ts';
import { isCode64, recomputeMode, refreshSegments, refreshSingleStep } from './mode.ts';
import { DONE, FAULT } from './status.ts';
import type { Status } from './status.ts';

export const CR0_WRITABLE = CR0.PE | CR0.MP | CR0.EM | CR0.TS | CR0.NE | CR0.WP | CR0.AM | CR0.NW | CR0.CD | CR0.PG;
/** Changes of these alter translations or permissions. SDM vol 3A §4.10.4.1 */
const CR0_PAGING = CR0.PE | CR0.PG | CR0.WP;
const CR4_PAGING = CR4.PSE | CR4.PAE | CR4.PGE | CR4.PCIDE | CR4.SMEP | CR4.SMAP | CR4.LA57 | CR4.PKE | CR4.PKS;
/** With PAE paging, changes of these load the PDPTEs. SDM vol 3A §4.4.1 */
const PDPTE_CR0 = CR0.CD | CR0.NW | CR0.PG;
const PDPTE_CR4 = CR4.PAE | CR4.PGE | CR4.PSE | CR4.SMEP;
const MSW = CR0.PE | CR0.MP | CR0.EM | CR0.TS;

export function readControlRegister(cpu: Cpu): Status {
  const state = cpu.state;
  if (cpu.cpl !== 0) return cpu.protectionFault();
  const hasHigh = isCode64(state);
  switch (cpu.argLo(0)) {
    case 0: cpu.setResult(state.word(STATE.cr0)); return DONE;
    case 2: cpu.setResult(state.word(STATE.cr2), hasHigh ? state.word(STATE.cr2 + 4) : 0); return DONE;
    case 3: cpu.setResult(state.word(STATE.cr3), hasHigh ? state.word(STATE.cr3 + 4) : 0); return DONE;
    case 4: cpu.setResult(state.word(STATE.cr4)); return DONE;
    case 8: cpu.setResult(cpu.apic ? cpu.apic.cr8 : state.word(STATE.cr8)); return DONE;
    default: return cpu.undefinedOpcode();
  }
}

export function writeControlRegister(cpu: Cpu): Status {
  const state = cpu.state;
  const lo = cpu.argLo(1), hi = isCode64(state) ? cpu.argHi(1) : 0;
  if (cpu.cpl !== 0) return cpu.protectionFault();
  switch (cpu.argLo(0)) {
    case 0: return hi === 0 && writeCr0(cpu, lo) ? cpu.advance() : cpu.protectionFault();
    case 2:
      state.setPair(STATE.cr2, lo, hi);
      return DONE;
    case 3: return writeCr3(cpu, lo, hi) ? cpu.advance() : cpu.protectionFault();
    case 4: return hi === 0 && writeCr4(cpu, lo) ? cpu.advance() : cpu.protectionFault();
    case 8:
      if (hi !== 0 || lo & ~15) return cpu.protectionFault();
      state.setPair(STATE.cr8, lo, 0);
      if (cpu.apic) cpu.apic.cr8 = lo;
      return cpu.advance();
    default: return cpu.undefinedOpcode();
  }
}

/** False: #GP(0) is due and nothing has changed. */
export function writeCr0(cpu: Cpu, value: number): boolean {
  const state = cpu.state;
  const before = state.word(STATE.cr0);
  const next = value & CR0_WRITABLE | CR0.ET;
  const changed = before ^ next;
  if (next & CR0.PG && !(next & CR0.PE) || next & CR0.NW && !(next & CR0.CD)) return false;
  if (changed & CR0.PG && !switchPaging(cpu, (next & CR0.PG) !== 0)) return false;
  if (changed & PDPTE_CR0 && next & CR0.PG && !loadsPdptes(cpu, state.word(STATE.cr4))) return false;
  state.setPair(STATE.cr0, next, 0);
  if (changed & CR0.PE && !(next & CR0.PE)) state.setWord(STATE.cpl, 0);
  if (changed & CR0_PAGING) cpu.mmu.controlChanged();
  recomputeMode(cpu);
  return true;
}

/** PAE paging holds four PDPTEs in the CPU, loaded and checked by certain writes. SDM vol 3A §4.4.1 */
function loadsPdptes(cpu: Cpu, cr4: number): boolean {
  const { state } = cpu;
  return (cr4 & CR4.PAE) === 0 || (state.word(STATE.efer) & (EFER.LMA | EFER.LME)) !== 0 || cpu.mmu.pdptesValid(state.word(STATE.cr3));
}

/** Entering and leaving long mode happens when paging is switched. SDM vol 3A §9.8.5 */
function switchPaging(cpu: Cpu, on: boolean): boolean {
  const state = cpu.state;
  const efer = state.word(STATE.efer), cr4 = state.word(STATE.cr4);
  if (on) {
    if (!(efer & EFER.LME)) return true;
    if (!(cr4 & CR4.PAE) || state.word(STATE.segmentAttributes + 4 * SEG.CS) & ATTRIBUTE.L) return false;
    state.setPair(STATE.efer, efer | EFER.LMA, 0);
    return true;
  }
  if (cr4 & CR4.PCIDE || isCode64(state)) return false;
  state.setPair(STATE.efer, efer & ~EFER.LMA, 0);
  return true;
}

export function writeCr3(cpu: Cpu, lo: number, hi: number): boolean {
  const state = cpu.state;
  const hasPcid = (state.word(STATE.cr4) & CR4.PCIDE) !== 0;
  const noFlush = hasPcid && hi < 0;
  const high = hasPcid ? hi & 0x7fff_ffff : hi;
  const isLong = (state.word(STATE.efer) & EFER.LMA) !== 0;
  if (isLong && high >>> cpu.model.physicalBits - 32 !== 0) return false;
  if (state.word(STATE.cr0) & CR0.PG && !isLong && state.word(STATE.cr4) & CR4.PAE && !cpu.mmu.pdptesValid(lo)) return false;
  state.setPair(STATE.cr3, lo, high);
  cpu.mmu.cr3Written(noFlush);
  return true;
}

export function writeCr4(cpu: Cpu, value: number): boolean {
  const state = cpu.state;
  const before = state.word(STATE.cr4), changed = before ^ value;
  const isLong = (state.word(STATE.efer) & EFER.LMA) !== 0;
  if (value & ~cpu.cpuid.cr4Mask) return false;
  if (isLong && (changed & CR4.LA57 || !(value & CR4.PAE))) return false;
  if (changed & PDPTE_CR4 && state.word(STATE.cr0) & CR0.PG && !loadsPdptes(cpu, value)) return false;
  if (changed & value & CR4.PCIDE && (!isLong || state.word(STATE.cr3) & 0xfff)) return false;
  state.setPair(STATE.cr4, value, 0);
  cpu.linearWidthChanged();
  if (changed & CR4_PAGING) cpu.mmu.controlChanged();
  return true;
}

export function clearTaskSwitched(cpu: Cpu): Status {
  if (cpu.cpl !== 0) return cpu.protectionFault();
  cpu.state.setPair(STATE.cr0, cpu.state.word(STATE.cr0) & ~CR0.TS, 0);
  return DONE;
}

/** LMSW may set PE and not clear it. */
export function loadMachineStatus(cpu: Cpu): Status {
  if (cpu.cpl !== 0) return cpu.protectionFault();
  const before = cpu.state.word(STATE.cr0);
  return writeCr0(cpu, before & ~(MSW & ~CR0.PE) | cpu.argLo(0) & MSW) ? cpu.advance() : cpu.protectionFault();
}

export function storeMachineStatus(cpu: Cpu): Status {
  if (isUserModePrevented(cpu)) return cpu.protectionFault();
  cpu.setResult(cpu.state.word(STATE.cr0));
  return DONE;
}

/** UMIP: SGDT, SIDT, SLDT, SMSW and STR fault outside ring 0. */
export function isUserModePrevented(cpu: Cpu): boolean { return (cpu.state.word(STATE.cr4) & CR4.UMIP) !== 0 && cpu.cpl !== 0; }

/** DR4 and DR5 are DR6 and DR7 unless CR4.DE; -1: #UD, -2: #DB (general detect), both recorded by the caller. */
function debugRegister(cpu: Cpu): number {
  const index = cpu.argLo(0);
  if (index > 7) return -1;
  if (index !== 4 && index !== 5) return index;
  return cpu.state.word(STATE.cr4) & CR4.DE ? -1 : index + 2;
}

function refuseDebugAccess(cpu: Cpu, index: number): Status | undefined {
  if (index < 0) return cpu.undefinedOpcode();
  if (cpu.cpl !== 0) return cpu.protectionFault();
  if (!(cpu.state.word(STATE.dr + 8 * 7) & DR7.GD)) return undefined;
  cpu.recordDebug(DR6.BD);
  return cpu.raise(VECTOR.DB);
}

export function readDebugRegister(cpu: Cpu): Status {
  const index = debugRegister(cpu);
  const refusal = refuseDebugAccess(cpu, index);
  if (refusal !== undefined) return refusal;
  cpu.setResult(cpu.state.word(STATE.dr + 8 * index), cpu.state.word(STATE.dr + 8 * index + 4));
  return DONE;
}

export function writeDebugRegister(cpu: Cpu): Status {
  const state = cpu.state;
  const index = debugRegister(cpu);
  const refusal = refuseDebugAccess(cpu, index);
  if (refusal !== undefined) return refusal;
  const lo = cpu.argLo(1), hi = isCode64(state) ? cpu.argHi(1) : 0;
  if (index < 4) state.setPair(STATE.dr + 8 * index, lo, hi);
  else {
    if (hi !== 0) return cpu.protectionFault();
    if (index === 6) state.setPair(STATE.dr + 8 * 6, lo & 0xe00f | DR6.RESET, 0);
    else state.setPair(STATE.dr + 8 * 7, lo & ~0xd800 | DR7.RESET, 0);
  }
  if (index !== 6) armBreakpoints(cpu);
  refreshSingleStep(state);
  return index === 7 ? cpu.advance() : DONE;
}

export function invalidatePage(cpu: Cpu): Status {
  if (cpu.cpl !== 0) return cpu.protectionFault();
  cpu.mmu.invalidatePage(cpu.argLo(0), cpu.argHi(0));
  return DONE;
}

/** INVPCID: the descriptor holds the PCID and a linear address. Flushing more than asked is allowed. SDM vol 2A, INVPCID */
export function invalidateContext(cpu: Cpu): Status {
  const { state, mmu } = cpu;
  if (cpu.cpl !== 0) return cpu.protectionFault();
  if (!cpu.cpuid.has('invpcid')) return cpu.undefinedOpcode();
  const type = cpu.argLo(0), at = cpu.argLo(1), atHigh = cpu.argHi(1);
  const pcid = mmu.read32(at, atHigh);
  if (mmu.faulted) return FAULT;
  const rest = mmu.read32(at + 4, atHigh);
  if (mmu.faulted) return FAULT;
  const lo = mmu.read32(at + 8, atHigh);
  if (mmu.faulted) return FAULT;
  const hi = mmu.read32(at + 12, atHigh);
  if (mmu.faulted) return FAULT;
  if (type >>> 0 > 3 || rest !== 0 || pcid & ~0xfff || cpu.argHi(0) !== 0) return cpu.protectionFault();
  if (type < 2 && !(state.word(STATE.cr4) & CR4.PCIDE) && pcid !== 0 || type === 0 && !cpu.isCanonicalBase(hi)) return cpu.protectionFault();
  const current = state.word(STATE.cr4) & CR4.PCIDE ? state.word(STATE.cr3) & 0xfff : 0;
  if (type === 0 && pcid === current) mmu.invalidatePage(lo, hi);
  else if (type <= 1) mmu.invalidatePcid(pcid);
  else mmu.flushAll();
  return DONE;
}

/** STAC, CLAC. */
export function setAlignmentCheck(cpu: Cpu, on: boolean): Status {
  if (!cpu.cpuid.has('smap') || cpu.cpl !== 0) return cpu.undefinedOpcode();
  const flags = cpu.state.word(STATE.eflags);
  cpu.state.setWord(STATE.eflags, on ? flags | EFLAGS.AC : flags & ~EFLAGS.AC);
  cpu.mmu.contextChanged();
  return DONE;
}

/** XGETBV of register 0. */
export function readXcr(cpu: Cpu): Status {
  const state = cpu.state;
  if (!(state.word(STATE.cr4) & CR4.OSXSAVE)) return cpu.undefinedOpcode();
  if (cpu.gprLo(1) !== 0) return cpu.protectionFault();
  cpu.setEdxEax(state.word(STATE.xcr0), state.word(STATE.xcr0 + 4));
  return DONE;
}

export function writeXcr(cpu: Cpu): Status {
  const state = cpu.state;
  if (!(state.word(STATE.cr4) & CR4.OSXSAVE)) return cpu.undefinedOpcode();
  const lo = cpu.gprLo(0);
  const isValid = (lo & 1) !== 0 && (lo & ~cpu.cpuid.xcr0Mask) === 0 && (lo & 6) !== 4 && cpu.gprLo(2) === 0;
  if (cpu.cpl !== 0 || cpu.gprLo(1) !== 0 || !isValid) return cpu.protectionFault();
  state.setPair(STATE.xcr0, lo, 0);
  return cpu.advance();
}

/** After boot state or a snapshot: everything derived from control registers. */
export function refreshAll(cpu: Cpu): void {
  cpu.cpuidCache.clear();
  cpu.linearWidthChanged();
  armBreakpoints(cpu);
  cpu.mmu.controlChanged();
  recomputeMode(cpu);
  refreshSegments(cpu.state);
}
