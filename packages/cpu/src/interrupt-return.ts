/** @hot IRET in every mode. SDM vol 2A, IRET/IRETD/IRETQ */
import { STATE } from '@vmm/state';
import { ATTRIBUTE, DR7_ENABLES, EFLAGS, GPR, SEG, VECTOR } from './architecture.ts';
import type { Cpu } from './cpu.ts';
import { ARITHMETIC_FLAGS, readFlags, writeFlags } from './flags.ts';
import { hasDescriptors, isCode64, isLongMode, recomputeMode, refreshSegments } from './mode.ts';
import {
  attributesOf, dplOf, dropInnerSegments, isConformingCode, isNull, isWritableData, limitOf, markAccessed, readDescriptor, setNullSegment,
  setRealSegment, setSegment, setVm86Segment,
} from './segments.ts';
import { FAULT, REDISPATCH } from './status.ts';
import type { Status } from './status.ts';
import { returnFromTask } from './task-switch.ts';
import { virtualIret } from './virtual-8086.ts';

const WORD_FLAGS = ARITHMETIC_FLAGS | EFLAGS.TF | EFLAGS.DF | EFLAGS.NT;

/** Which flags IRET and POPF load at this privilege. */
export function loadableFlags(cpu: Cpu, size: number): number {
  let mask = size === 2 ? WORD_FLAGS : WORD_FLAGS | EFLAGS.RF | EFLAGS.AC | EFLAGS.ID;
  if (cpu.cpl <= cpu.iopl) mask |= EFLAGS.IF;
  if (cpu.cpl === 0) mask |= size === 2 ? EFLAGS.IOPL_MASK : EFLAGS.IOPL_MASK | EFLAGS.VIF | EFLAGS.VIP;
  return mask;
}

/** Loads flags under a mask. RF matters only while breakpoints are armed: it is dropped otherwise, which saves a single step. */
export function loadFlags(cpu: Cpu, value: number, mask: number): void {
  const state = cpu.state;
  let flags = readFlags(state) & ~mask | value & mask;
  if (flags & EFLAGS.RF) {
    if (state.word(STATE.dr + 8 * 7) & DR7_ENABLES) cpu.didSetResumeFlag = true;
    else flags &= ~EFLAGS.RF;
  }
  writeFlags(state, flags);
}

export function iret(cpu: Cpu, size: number): Status {
  const state = cpu.state;
  const status = hasDescriptors(state) ? iretProtected(cpu, size) : cpu.isVm86 && cpu.iopl < 3 ? virtualIret(cpu, size) : iretReal(cpu, size);
  if (status === REDISPATCH) cpu.unblockNmi();
  return status;
}

/** Real mode, and virtual-8086 mode with IOPL 3. */
function iretReal(cpu: Cpu, size: number): Status {
  const { state, stack } = cpu;
  stack.openCurrent();
  if (!stack.pop(size)) return FAULT;
  const ip = stack.valueLo;
  if (!stack.pop(size)) return FAULT;
  const cs = stack.valueLo & 0xffff;
  if (!stack.pop(size)) return FAULT;
  if (ip >>> 0 > state.word(STATE.segmentLimit + 4 * SEG.CS) >>> 0) return cpu.protectionFault();
  stack.commit();
  const wide = size === 2 ? 0 : EFLAGS.RF | EFLAGS.AC | EFLAGS.ID;
  const iopl = cpu.isVm86 ? 0 : EFLAGS.IOPL_MASK;
  loadFlags(cpu, stack.valueLo, WORD_FLAGS | EFLAGS.IF | iopl | wide);
  if (cpu.isVm86) setVm86Segment(state, SEG.CS, cs);
  else setRealSegment(state, SEG.CS, cs);
  state.setPair(STATE.rip, ip, 0);
  recomputeMode(cpu);
  return REDISPATCH;
}

function iretProtected(cpu: Cpu, size: number): Status {
  const { state, stack } = cpu;
  if (state.word(STATE.eflags) & EFLAGS.NT) {
    if (isLongMode(state)) return cpu.protectionFault();
    return returnFromTask(cpu);
  }
  stack.openCurrent();
  if (!stack.pop(size)) return FAULT;
  const ripLo = stack.valueLo, ripHi = stack.valueHi;
  if (!stack.pop(size)) return FAULT;
  const cs = stack.valueLo & 0xffff;
  if (!stack.pop(size)) return FAULT;
  const flags = stack.valueLo;
  if (size === 4 && flags & EFLAGS.VM && cpu.cpl === 0 && !isLongMode(state)) return returnToVm86(cpu, ripLo, cs, flags);
  if (!readReturnSegment(cpu, cs)) return FAULT;
  const mask = loadableFlags(cpu, size);
  const frame = cpu.frame;
  frame.size = size;
  frame.popsStack = isCode64(state) || (cs & 3) > cpu.cpl;
  frame.cs = cs;
  frame.ripLo = ripLo;
  frame.ripHi = ripHi;
  frame.flags = flags;
  frame.mask = mask;
  frame.releaseBytes = 0;
  return returnTo(cpu);
}

/** Checks the code segment that IRET or RETF goes to; its words are left in cpu.descriptorLo/Hi. */
export function readReturnSegment(cpu: Cpu, selector: number): boolean {
  if (isNull(selector)) return cpu.fail(VECTOR.GP, 0);
  if (!readDescriptor(cpu, selector, VECTOR.GP, 0)) return false;
  const attributes = attributesOf(cpu.descriptorHi);
  const rpl = selector & 3, dpl = dplOf(attributes), error = selector & 0xfffc;
  const isCode = (attributes & (ATTRIBUTE.S | ATTRIBUTE.CODE)) === (ATTRIBUTE.S | ATTRIBUTE.CODE);
  if (!isCode || rpl < cpu.cpl || (isConformingCode(attributes) ? dpl > rpl : dpl !== rpl)) return cpu.fail(VECTOR.GP, error);
  if (isLongMode(cpu.state) && (attributes & ATTRIBUTE.L) !== 0 && (attributes & ATTRIBUTE.DB) !== 0) return cpu.fail(VECTOR.GP, error);
  if (!(attributes & ATTRIBUTE.P)) return cpu.fail(VECTOR.NP, error);
  return markAccessed(cpu);
}

/** What a return loads: one object a Cpu, filled anew for each return. */
export interface FarReturn {
  size: number;
  popsStack: boolean;
  cs: number;
  ripLo: number;
  ripHi: number;
  flags: number;
  /** Which flags to load; 0 for RETF. */
  mask: number;
  /** RETF n: parameters to release on both stacks. */
  releaseBytes: number;
}

/** The common end of IRET and RETF, the code descriptor being in cpu.descriptorLo/Hi and CS:IP (and flags) popped. */
export function returnTo(cpu: Cpu): Status {
  const { state, stack, frame: target } = cpu;
  const codeLo = cpu.descriptorLo, codeHi = cpu.descriptorHi;
  const rpl = target.cs & 3;
  const isTo64 = isLongMode(state) && (attributesOf(codeHi) & ATTRIBUTE.L) !== 0;
  if (target.releaseBytes !== 0) stack.skip(target.releaseBytes);
  let ss = 0, spLo = 0, spHi = 0;
  if (target.popsStack) {
    if (!stack.pop(target.size)) return FAULT;
    spLo = stack.valueLo;
    spHi = stack.valueHi;
    if (!stack.pop(target.size)) return FAULT;
    ss = stack.valueLo & 0xffff;
    if (!readReturnStack(cpu, ss, rpl, isTo64)) return FAULT;
  }
  if (isTo64 ? !cpu.isCanonical(target.ripHi) : target.ripHi !== 0 || target.ripLo >>> 0 > limitOf(codeLo, codeHi) >>> 0) return cpu.protectionFault();
  const isOuter = rpl > cpu.cpl;
  if (target.popsStack) {
    if (isNull(ss)) setNullSegment(state, SEG.SS, ss, rpl);
    else setSegment(state, SEG.SS, ss, cpu.descriptorLo, cpu.descriptorHi);
    setReturnStackPointer(cpu, spLo, spHi, isTo64, target.releaseBytes);
  } else stack.commit();
  if (target.mask !== 0) loadFlags(cpu, target.flags, target.mask);
  setSegment(state, SEG.CS, target.cs, codeLo, codeHi);
  state.setPair(STATE.rip, target.ripLo, isTo64 ? target.ripHi : 0);
  state.setWord(STATE.cpl, rpl);
  recomputeMode(cpu);
  if (isOuter) dropInnerSegments(cpu);
  return REDISPATCH;
}

/** A 16-bit stack segment receives SP only: the upper half of ESP leaks from the inner ring, as on hardware. */
function setReturnStackPointer(cpu: Cpu, lo: number, hi: number, isTo64: boolean, releaseBytes: number): void {
  const state = cpu.state;
  if (isTo64) {
    const sum = (lo >>> 0) + releaseBytes;
    state.setPair(STATE.gpr + 8 * GPR.RSP, sum | 0, sum > 0xffff_ffff ? hi + 1 | 0 : hi);
  } else if (state.word(STATE.segmentAttributes + 4 * SEG.SS) & ATTRIBUTE.DB) state.setPair(STATE.gpr + 8 * GPR.RSP, lo + releaseBytes | 0, 0);
  else state.setPair(STATE.gpr + 8 * GPR.RSP, state.word(STATE.gpr + 8 * GPR.RSP) & ~0xffff | lo + releaseBytes & 0xffff, 0);
}

function readReturnStack(cpu: Cpu, selector: number, rpl: number, isTo64: boolean): boolean {
  if (isNull(selector)) return isTo64 && rpl !== 3 && (selector & 3) === rpl ? true : cpu.fail(VECTOR.GP, 0);
  if (!readDescriptor(cpu, selector, VECTOR.GP, 0)) return false;
  const attributes = attributesOf(cpu.descriptorHi);
  const error = selector & 0xfffc;
  if ((selector & 3) !== rpl || dplOf(attributes) !== rpl || !isWritableData(attributes)) return cpu.fail(VECTOR.GP, error);
  if (!(attributes & ATTRIBUTE.P)) return cpu.fail(VECTOR.SS, error);
  return markAccessed(cpu);
}

/** Frame: EIP CS EFLAGS ESP SS ES DS FS GS. */
function returnToVm86(cpu: Cpu, eip: number, cs: number, flags: number): Status {
  const { state, stack } = cpu;
  if (!stack.pop(4)) return FAULT;
  const esp = stack.valueLo;
  if (!stack.pop(4)) return FAULT;
  const ss = stack.valueLo;
  if (!stack.pop(4)) return FAULT;
  const es = stack.valueLo;
  if (!stack.pop(4)) return FAULT;
  const ds = stack.valueLo;
  if (!stack.pop(4)) return FAULT;
  const fs = stack.valueLo;
  if (!stack.pop(4)) return FAULT;
  const gs = stack.valueLo;
  if (eip >>> 0 > 0xffff) return cpu.protectionFault();
  loadFlags(cpu, flags, ~0);
  setVm86Segment(state, SEG.CS, cs);
  setVm86Segment(state, SEG.SS, ss);
  setVm86Segment(state, SEG.ES, es);
  setVm86Segment(state, SEG.DS, ds);
  setVm86Segment(state, SEG.FS, fs);
  setVm86Segment(state, SEG.GS, gs);
  state.setPair(STATE.gpr + 8 * GPR.RSP, esp, 0);
  state.setPair(STATE.rip, eip, 0);
  state.setWord(STATE.cpl, 3);
  recomputeMode(cpu);
  refreshSegments(state);
  return REDISPATCH;
}
