/** @hot SYSCALL, SYSENTER and their returns, SWAPGS, FS and GS base. SDM vol 2B, SYSCALL; vol 3A §5.8.7 */
import { STATE } from '@vmm/state';
import type { StateField } from '@vmm/state';
import { CR4, EFER, EFLAGS, GPR, SEG } from './architecture.ts';
import type { Cpu } from './cpu.ts';
import { ARITHMETIC_FLAGS, readFlags, SYSTEM_FLAGS, writeFlags } from './flags.ts';
import { isCode64, isLongMode, isProtected, recomputeMode, refreshSegment } from './mode.ts';
import { DONE, REDISPATCH } from './status.ts';
import type { Status } from './status.ts';

/** Attributes of the flat segments these instructions load without looking at any table. */
export const FLAT_CODE32 = 0xc09b, FLAT_CODE64 = 0xa09b, FLAT_DATA = 0xc093, DPL3 = 0x60;
/** What SYSRET takes from R11: all but RF, VM and reserved bits. */
export const SYSRET_FLAGS = (ARITHMETIC_FLAGS | SYSTEM_FLAGS) & ~(EFLAGS.RF | EFLAGS.VM);

function setFlat(cpu: Cpu, index: number, selector: number, attributes: number): void {
  const state = cpu.state;
  state.setWord(STATE.selector + 4 * index, selector & 0xffff);
  state.setPair(STATE.segmentBase + 8 * index, 0, 0);
  state.setWord(STATE.segmentLimit + 4 * index, -1);
  state.setWord(STATE.segmentAttributes + 4 * index, attributes);
}

function enter(cpu: Cpu, cpl: number, codeSelector: number, code: number, stackSelector: number): void {
  const privilege = cpl === 3 ? DPL3 : 0;
  setFlat(cpu, SEG.CS, codeSelector, code | privilege);
  setFlat(cpu, SEG.SS, stackSelector, FLAT_DATA | privilege);
  cpu.state.setWord(STATE.cpl, cpl);
}

/** Only from 64-bit code, as on Intel's CPUs. */
export function syscall(cpu: Cpu): Status {
  const state = cpu.state;
  if (!(state.word(STATE.efer) & EFER.SCE) || !isCode64(state)) return cpu.undefinedOpcode();
  const flags = readFlags(state);
  state.setPair(STATE.gpr + 8 * GPR.RCX, cpu.nextRipLo, cpu.nextRipHi);
  state.setPair(STATE.gpr + 8 * GPR.R11, flags & ~EFLAGS.RF, 0);
  state.setPair(STATE.rip, state.word(STATE.lstar), state.word(STATE.lstar + 4));
  writeFlags(state, flags & ~(state.word(STATE.fmask) | EFLAGS.RF));
  const selector = state.word(STATE.star + 4) & 0xfffc;
  enter(cpu, 0, selector, FLAT_CODE64, selector + 8);
  cpu.wasTrapping = (state.word(STATE.eflags) & EFLAGS.TF) !== 0;
  recomputeMode(cpu);
  return REDISPATCH;
}

export function sysret(cpu: Cpu, size: number): Status {
  const state = cpu.state;
  if (!(state.word(STATE.efer) & EFER.SCE) || !isCode64(state)) return cpu.undefinedOpcode();
  if (cpu.cpl !== 0) return cpu.protectionFault();
  const isTo64 = size === 8;
  const ripLo = state.word(STATE.gpr + 8 * GPR.RCX), ripHi = state.word(STATE.gpr + 8 * GPR.RCX + 4);
  if (isTo64 && !cpu.isCanonical(ripHi)) return cpu.protectionFault();
  const base = state.word(STATE.star + 4) >>> 16;
  writeFlags(state, state.word(STATE.gpr + 8 * GPR.R11) & SYSRET_FLAGS);
  state.setPair(STATE.rip, ripLo, isTo64 ? ripHi : 0);
  enter(cpu, 3, (isTo64 ? base + 16 : base) | 3, isTo64 ? FLAT_CODE64 : FLAT_CODE32, base + 8 | 3);
  recomputeMode(cpu);
  return REDISPATCH;
}

export function sysenter(cpu: Cpu): Status {
  const state = cpu.state;
  const selector = state.word(STATE.sysenterCs) & 0xfffc;
  if (!isProtected(state) || selector === 0) return cpu.protectionFault();
  const isLong = isLongMode(state);
  state.setWord(STATE.eflags, state.word(STATE.eflags) & ~(EFLAGS.IF | EFLAGS.VM | EFLAGS.RF));
  state.setPair(STATE.gpr + 8 * GPR.RSP, state.word(STATE.sysenterEsp), isLong ? state.word(STATE.sysenterEsp + 4) : 0);
  state.setPair(STATE.rip, state.word(STATE.sysenterEip), isLong ? state.word(STATE.sysenterEip + 4) : 0);
  enter(cpu, 0, selector, isLong ? FLAT_CODE64 : FLAT_CODE32, selector + 8);
  recomputeMode(cpu);
  return REDISPATCH;
}

export function sysexit(cpu: Cpu, size: number): Status {
  const state = cpu.state;
  const selector = state.word(STATE.sysenterCs) & 0xfffc;
  if (!isProtected(state) || selector === 0 || cpu.cpl !== 0) return cpu.protectionFault();
  const isTo64 = size === 8;
  const ripHi = isTo64 ? state.word(STATE.gpr + 8 * GPR.RDX + 4) : 0, spHi = isTo64 ? state.word(STATE.gpr + 8 * GPR.RCX + 4) : 0;
  if (!cpu.isCanonical(ripHi) || !cpu.isCanonical(spHi)) return cpu.protectionFault();
  state.setPair(STATE.rip, state.word(STATE.gpr + 8 * GPR.RDX), ripHi);
  state.setPair(STATE.gpr + 8 * GPR.RSP, state.word(STATE.gpr + 8 * GPR.RCX), spHi);
  const code = selector + (isTo64 ? 32 : 16);
  enter(cpu, 3, code | 3, isTo64 ? FLAT_CODE64 : FLAT_CODE32, code + 8 | 3);
  recomputeMode(cpu);
  return REDISPATCH;
}

export function swapgs(cpu: Cpu): Status {
  const state = cpu.state;
  if (!isCode64(state)) return cpu.undefinedOpcode();
  if (cpu.cpl !== 0) return cpu.protectionFault();
  const lo = state.word(STATE.segmentBase + 8 * SEG.GS), hi = state.word(STATE.segmentBase + 8 * SEG.GS + 4);
  state.setPair(STATE.segmentBase + 8 * SEG.GS, state.word(STATE.kernelGsBase), state.word(STATE.kernelGsBase + 4));
  state.setPair(STATE.kernelGsBase, lo, hi);
  refreshSegment(state, SEG.GS);
  return DONE;
}

function canUseBase(cpu: Cpu): boolean { return isCode64(cpu.state) && (cpu.state.word(STATE.cr4) & CR4.FSGSBASE) !== 0; }

/** RDFSBASE, RDGSBASE. */
export function readBase(cpu: Cpu, index: number, size: number): Status {
  if (!canUseBase(cpu)) return cpu.undefinedOpcode();
  cpu.setResult(cpu.state.word(STATE.segmentBase + 8 * index), size === 8 ? cpu.state.word(STATE.segmentBase + 8 * index + 4) : 0);
  return DONE;
}

/** WRFSBASE, WRGSBASE. */
export function writeBase(cpu: Cpu, index: number, size: number): Status {
  if (!canUseBase(cpu)) return cpu.undefinedOpcode();
  const hi = size === 8 ? cpu.argHi(0) : 0;
  if (!cpu.isCanonicalBase(hi)) return cpu.protectionFault();
  setBase(cpu, 'segmentBase', index, cpu.argLo(0), hi);
  return DONE;
}

/** Sets a segment base by MSR or instruction and refreshes what generated code reads. */
export function setBase(cpu: Cpu, field: StateField, index: number, lo: number, hi: number): void {
  cpu.state.setWords(field, lo, hi, index);
  refreshSegment(cpu.state, index);
}
