/** @hot SYSCALL, SYSENTER and their returns, SWAPGS, FS and GS base. SDM vol 2B, SYSCALL; vol 3A §5.8.7 */
import type { StateField } from '@vmm/state';
import { CR4, EFER, EFLAGS, GPR, SEG } from './architecture.ts';
import type { Cpu } from './cpu.ts';
import { ARITHMETIC_FLAGS, readFlags, SYSTEM_FLAGS, writeFlags } from './flags.ts';
import { isCode64, isLongMode, isProtected, recomputeMode, refreshSegment } from './mode.ts';
import { DONE, REDISPATCH } from './status.ts';
import type { Status } from './status.ts';

/** Attributes of the flat segments these instructions load without looking at any table. */
const FLAT_CODE32 = 0xc09b, FLAT_CODE64 = 0xa09b, FLAT_DATA = 0xc093, DPL3 = 0x60;
/** What SYSRET takes from R11: all but RF, VM and reserved bits. */
const SYSRET_FLAGS = (ARITHMETIC_FLAGS | SYSTEM_FLAGS) & ~(EFLAGS.RF | EFLAGS.VM);

function setFlat(cpu: Cpu, index: number, selector: number, attributes: number): void {
  const state = cpu.state;
  state.set('selector', selector & 0xffff, index);
  state.setWords('segmentBase', 0, 0, index);
  state.set('segmentLimit', -1, index);
  state.set('segmentAttributes', attributes, index);
}

function enter(cpu: Cpu, cpl: number, codeSelector: number, code: number, stackSelector: number): void {
  const privilege = cpl === 3 ? DPL3 : 0;
  setFlat(cpu, SEG.CS, codeSelector, code | privilege);
  setFlat(cpu, SEG.SS, stackSelector, FLAT_DATA | privilege);
  cpu.state.set('cpl', cpl);
}

/** Only from 64-bit code, as on Intel's CPUs. */
export function syscall(cpu: Cpu): Status {
  const state = cpu.state;
  if (!(state.lo('efer') & EFER.SCE) || !isCode64(state)) return cpu.undefinedOpcode();
  const flags = readFlags(state);
  state.setWords('gpr', cpu.nextRipLo, cpu.nextRipHi, GPR.RCX);
  state.setWords('gpr', flags & ~EFLAGS.RF, 0, GPR.R11);
  state.setWords('rip', state.lo('lstar'), state.hi('lstar'));
  writeFlags(state, flags & ~(state.lo('fmask') | EFLAGS.RF));
  const selector = state.hi('star') & 0xfffc;
  enter(cpu, 0, selector, FLAT_CODE64, selector + 8);
  cpu.wasTrapping = (state.get('eflags') & EFLAGS.TF) !== 0;
  recomputeMode(cpu);
  return REDISPATCH;
}

export function sysret(cpu: Cpu, size: number): Status {
  const state = cpu.state;
  if (!(state.lo('efer') & EFER.SCE) || !isCode64(state)) return cpu.undefinedOpcode();
  if (cpu.cpl !== 0) return cpu.protectionFault();
  const isTo64 = size === 8;
  const ripLo = state.lo('gpr', GPR.RCX), ripHi = state.hi('gpr', GPR.RCX);
  if (isTo64 && !cpu.isCanonical(ripHi)) return cpu.protectionFault();
  const base = state.hi('star') >>> 16;
  writeFlags(state, state.lo('gpr', GPR.R11) & SYSRET_FLAGS);
  state.setWords('rip', ripLo, isTo64 ? ripHi : 0);
  enter(cpu, 3, (isTo64 ? base + 16 : base) | 3, isTo64 ? FLAT_CODE64 : FLAT_CODE32, base + 8 | 3);
  recomputeMode(cpu);
  return REDISPATCH;
}

export function sysenter(cpu: Cpu): Status {
  const state = cpu.state;
  const selector = state.lo('sysenterCs') & 0xfffc;
  if (!isProtected(state) || selector === 0) return cpu.protectionFault();
  const isLong = isLongMode(state);
  state.set('eflags', state.get('eflags') & ~(EFLAGS.IF | EFLAGS.VM | EFLAGS.RF));
  state.setWords('gpr', state.lo('sysenterEsp'), isLong ? state.hi('sysenterEsp') : 0, GPR.RSP);
  state.setWords('rip', state.lo('sysenterEip'), isLong ? state.hi('sysenterEip') : 0);
  enter(cpu, 0, selector, isLong ? FLAT_CODE64 : FLAT_CODE32, selector + 8);
  recomputeMode(cpu);
  return REDISPATCH;
}

export function sysexit(cpu: Cpu, size: number): Status {
  const state = cpu.state;
  const selector = state.lo('sysenterCs') & 0xfffc;
  if (!isProtected(state) || selector === 0 || cpu.cpl !== 0) return cpu.protectionFault();
  const isTo64 = size === 8;
  const ripHi = isTo64 ? state.hi('gpr', GPR.RDX) : 0, spHi = isTo64 ? state.hi('gpr', GPR.RCX) : 0;
  if (!cpu.isCanonical(ripHi) || !cpu.isCanonical(spHi)) return cpu.protectionFault();
  state.setWords('rip', state.lo('gpr', GPR.RDX), ripHi);
  state.setWords('gpr', state.lo('gpr', GPR.RCX), spHi, GPR.RSP);
  const code = selector + (isTo64 ? 32 : 16);
  enter(cpu, 3, code | 3, isTo64 ? FLAT_CODE64 : FLAT_CODE32, code + 8 | 3);
  recomputeMode(cpu);
  return REDISPATCH;
}

export function swapgs(cpu: Cpu): Status {
  const state = cpu.state;
  if (!isCode64(state)) return cpu.undefinedOpcode();
  if (cpu.cpl !== 0) return cpu.protectionFault();
  const lo = state.lo('segmentBase', SEG.GS), hi = state.hi('segmentBase', SEG.GS);
  state.setWords('segmentBase', state.lo('kernelGsBase'), state.hi('kernelGsBase'), SEG.GS);
  state.setWords('kernelGsBase', lo, hi);
  refreshSegment(state, SEG.GS);
  return DONE;
}

function canUseBase(cpu: Cpu): boolean { return isCode64(cpu.state) && (cpu.state.lo('cr4') & CR4.FSGSBASE) !== 0; }

/** RDFSBASE, RDGSBASE. */
export function readBase(cpu: Cpu, index: number, size: number): Status {
  if (!canUseBase(cpu)) return cpu.undefinedOpcode();
  cpu.setResult(cpu.state.lo('segmentBase', index), size === 8 ? cpu.state.hi('segmentBase', index) : 0);
  return DONE;
}

/** WRFSBASE, WRGSBASE. */
export function writeBase(cpu: Cpu, index: number, size: number): Status {
  if (!canUseBase(cpu)) return cpu.undefinedOpcode();
  const hi = size === 8 ? cpu.argHi(0) : 0;
  if (!cpu.isCanonical(hi)) return cpu.protectionFault();
  setBase(cpu, 'segmentBase', index, cpu.argLo(0), hi);
  return DONE;
}

/** Sets a segment base by MSR or instruction and refreshes what generated code reads. */
export function setBase(cpu: Cpu, field: StateField, index: number, lo: number, hi: number): void {
  cpu.state.setWords(field, lo, hi, index);
  refreshSegment(cpu.state, index);
}
