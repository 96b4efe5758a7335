/** Far JMP, CALL and RET, with call gates, task gates and TSS descriptors. SDM vol 3A §5.8; vol 2A, CALL; vol 2B, RET */
import { TSS64 } from '@vmm/spec';
import { STATE } from '@vmm/state';
import { ATTRIBUTE, GPR, SEG, SYSTEM_TYPE, VECTOR } from './architecture.ts';
import type { Cpu } from './cpu.ts';
import { readReturnSegment, returnTo } from './interrupt-return.ts';
import { openInnerStack, openLongStack } from './interrupts.ts';
import { hasDescriptors, isLongMode, recomputeMode } from './mode.ts';
import { attributesOf, dplOf, isConformingCode, isNull, limitOf, markAccessed, readDescriptor, setNullSegment, setRealSegment, setSegment, setVm86Segment } from './segments.ts';
import { FAULT, REDISPATCH } from './status.ts';
import type { Status } from './status.ts';
import { settleTaskSwitch, switchTask, TASK_SWITCH } from './task-switch.ts';

const CODE = ATTRIBUTE.S | ATTRIBUTE.CODE;

function enterReal(cpu: Cpu, selector: number, offset: number): Status {
  const state = cpu.state;
  if (cpu.isVm86) setVm86Segment(state, SEG.CS, selector);
  else setRealSegment(state, SEG.CS, selector);
  state.setPair(STATE.rip, offset, 0);
  recomputeMode(cpu);
  return REDISPATCH;
}

function isBeyondLimit(cpu: Cpu, offset: number): boolean { return offset >>> 0 > cpu.state.word(STATE.segmentLimit + 4 * SEG.CS) >>> 0; }

/** Whether CPL may go to the code segment in cpu.descriptorLo/Hi directly; records the fault if not. */
function checkDirect(cpu: Cpu, selector: number): boolean {
  const attributes = attributesOf(cpu.descriptorHi);
  const dpl = dplOf(attributes), cpl = cpu.cpl, error = selector & 0xfffc;
  const isAllowed = isConformingCode(attributes) ? dpl <= cpl : dpl === cpl && (selector & 3) <= cpl;
  const isImpossible = isLongMode(cpu.state) && (attributes & ATTRIBUTE.L) !== 0 && (attributes & ATTRIBUTE.DB) !== 0;
  if (!isAllowed || isImpossible) return cpu.fail(VECTOR.GP, error);
  if (!(attributes & ATTRIBUTE.P)) return cpu.fail(VECTOR.NP, error);
  return true;
}

/** Whether the offset lies in the code segment in cpu.descriptorLo/Hi. */
function checkOffset(cpu: Cpu, lo: number, hi: number): boolean {
  const isTo64 = isLongMode(cpu.state) && (attributesOf(cpu.descriptorHi) & ATTRIBUTE.L) !== 0;
  if (isTo64 ? cpu.isCanonical(hi) : hi === 0 && lo >>> 0 <= limitOf(cpu.descriptorLo, cpu.descriptorHi) >>> 0) return true;
  return cpu.fail(VECTOR.GP, 0);
}

/** Loads CS from cpu.descriptorLo/Hi at privilege `cpl` and goes to the offset. */
function enterCode(cpu: Cpu, selector: number, cpl: number, lo: number, hi: number): Status {
  const state = cpu.state;
  const isTo64 = isLongMode(state) && (attributesOf(cpu.descriptorHi) & ATTRIBUTE.L) !== 0;
  setSegment(state, SEG.CS, selector & ~3 | cpl, cpu.descriptorLo, cpu.descriptorHi);
  state.setPair(STATE.rip, lo, isTo64 ? hi : 0);
  state.setWord(STATE.cpl, cpl);
  recomputeMode(cpu);
  return REDISPATCH;
}

/** Common start: reads the target's descriptor. */
function readTarget(cpu: Cpu, selector: number): boolean {
  return isNull(selector) ? cpu.fail(VECTOR.GP, 0) : readDescriptor(cpu, selector, VECTOR.GP, 0);
}

export function farJump(cpu: Cpu): Status {
  const selector = cpu.argLo(0) & 0xffff, lo = cpu.argLo(1), hi = cpu.argHi(1);
  if (!hasDescriptors(cpu.state)) return isBeyondLimit(cpu, lo) ? cpu.protectionFault() : enterReal(cpu, selector, lo);
  if (!readTarget(cpu, selector)) return FAULT;
  if ((attributesOf(cpu.descriptorHi) & CODE) !== CODE) return throughSystemDescriptor(cpu, selector, false);
  if (!checkDirect(cpu, selector) || !checkOffset(cpu, lo, hi) || !markAccessed(cpu)) return FAULT;
  return enterCode(cpu, selector, cpu.cpl, lo, hi);
}

export function farCall(cpu: Cpu, size: number): Status {
  const { state, stack } = cpu;
  const selector = cpu.argLo(0) & 0xffff, lo = cpu.argLo(1), hi = cpu.argHi(1);
  if (!hasDescriptors(state)) {
    if (isBeyondLimit(cpu, lo)) return cpu.protectionFault();
    stack.openCurrent();
    if (!pushReturn(cpu, size)) return FAULT;
    stack.commit();
    return enterReal(cpu, selector, lo);
  }
  if (!readTarget(cpu, selector)) return FAULT;
  if ((attributesOf(cpu.descriptorHi) & CODE) !== CODE) return throughSystemDescriptor(cpu, selector, true);
  if (!checkDirect(cpu, selector) || !checkOffset(cpu, lo, hi) || !markAccessed(cpu)) return FAULT;
  stack.openCurrent();
  if (!pushReturn(cpu, size)) return FAULT;
  stack.commit();
  return enterCode(cpu, selector, cpu.cpl, lo, hi);
}

function pushReturn(cpu: Cpu, size: number): boolean {
  return cpu.stack.push(size, cpu.state.word(STATE.selector + 4 * SEG.CS)) && cpu.stack.push(size, cpu.nextRipLo, cpu.nextRipHi);
}

/** A far JMP or CALL whose selector names no code segment. */
function throughSystemDescriptor(cpu: Cpu, selector: number, isCall: boolean): Status {
  const attributes = attributesOf(cpu.descriptorHi);
  const type = attributes & (ATTRIBUTE.S | ATTRIBUTE.TYPE), error = selector & 0xfffc;
  const isLong = isLongMode(cpu.state);
  const isGate = type === SYSTEM_TYPE.CALL_GATE || type === SYSTEM_TYPE.CALL_GATE16 && !isLong;
  const isTask = !isLong && (type === SYSTEM_TYPE.TASK_GATE || type === SYSTEM_TYPE.TSS16_AVAILABLE || type === SYSTEM_TYPE.TSS_AVAILABLE);
  const dpl = dplOf(attributes);
  if (!isGate && !isTask || dpl < cpu.cpl || dpl < (selector & 3)) return cpu.raise(VECTOR.GP, error);
  if (!(attributes & ATTRIBUTE.P)) return cpu.raise(VECTOR.NP, error);
  if (isGate) return throughCallGate(cpu, selector, isCall);
  const task = type === SYSTEM_TYPE.TASK_GATE ? cpu.descriptorLo >>> 16 : selector;
  cpu.setReturn(cpu.nextRipLo, cpu.nextRipHi);
  return settleTaskSwitch(cpu, switchTask(cpu, task, isCall ? TASK_SWITCH.CALL : TASK_SWITCH.JUMP, 0));
}

function throughCallGate(cpu: Cpu, gateSelector: number, isCall: boolean): Status {
  const state = cpu.state;
  const gateLo = cpu.descriptorLo, gateHi = cpu.descriptorHi;
  const isLong = isLongMode(state);
  let offsetHi = 0;
  if (isLong) {
    // The upper half of a 16-byte gate must look like type 0, and lie in the table.
    offsetHi = cpu.readTable32(8);
    const upper = cpu.mmu.faulted ? 0 : cpu.readTable32(12);
    if (cpu.mmu.faulted) return FAULT;
    if (upper & 0x1f00) return cpu.raise(VECTOR.GP, gateSelector & 0xfffc);
  }
  const size = isLong ? 8 : gateHi & 0x800 ? 4 : 2;
  const offset = size === 2 ? gateLo & 0xffff : gateHi & 0xffff_0000 | gateLo & 0xffff;
  const selector = gateLo >>> 16;
  if (!readTarget(cpu, selector)) return FAULT;
  const attributes = attributesOf(cpu.descriptorHi), dpl = dplOf(attributes), error = selector & 0xfffc;
  const isWrongSize = isLong && (attributes & (ATTRIBUTE.L | ATTRIBUTE.DB)) !== ATTRIBUTE.L;
  if ((attributes & CODE) !== CODE || dpl > cpu.cpl || isWrongSize) return cpu.raise(VECTOR.GP, error);
  if (!isCall && !isConformingCode(attributes) && dpl !== cpu.cpl) return cpu.raise(VECTOR.GP, error);
  if (!(attributes & ATTRIBUTE.P)) return cpu.raise(VECTOR.NP, error);
  if (!markAccessed(cpu)) return FAULT;
  if (isCall && !isConformingCode(attributes) && dpl < cpu.cpl) return callInner(cpu, selector, size, gateHi & 31, offset, offsetHi);
  if (!checkOffset(cpu, offset, offsetHi)) return FAULT;
  if (isCall) {
    const { stack } = cpu;
    if (isLong) stack.openCurrentLong();
    else stack.openCurrent();
    if (!pushReturn(cpu, size)) return FAULT;
    stack.commit();
  }
  return enterCode(cpu, selector, cpu.cpl, offset, offsetHi);
}

/** CALL through a gate to an inner ring: new stack, old SS:SP, copied parameters, return address. */
function callInner(cpu: Cpu, selector: number, size: number, parameters: number, offset: number, offsetHi: number): Status {
  const { state, stack } = cpu;
  const codeLo = cpu.descriptorLo, codeHi = cpu.descriptorHi, cpl = dplOf(attributesOf(codeHi));
  const copied: number[] = [];
  if (size !== 8 && !readParameters(cpu, size, parameters, copied)) return FAULT;
  if (size === 8 ? !openLongStack(cpu, TSS64.RSP0 + 8 * cpl, true, 0) : !openInnerStack(cpu, cpl, 0)) return FAULT;
  const stackLo = cpu.innerLo, stackHi = cpu.innerHi, stackSelector = cpu.innerSelector;
  if (!stack.push(size, state.word(STATE.selector + 4 * SEG.SS)) || !stack.push(size, state.word(STATE.gpr + 8 * GPR.RSP), state.word(STATE.gpr + 8 * GPR.RSP + 4))) return FAULT;
  for (const value of copied) if (!stack.push(size, value)) return FAULT;
  if (!pushReturn(cpu, size)) return FAULT;
  cpu.descriptorLo = codeLo;
  cpu.descriptorHi = codeHi;
  if (!checkOffset(cpu, offset, offsetHi)) return FAULT;
  if (size === 8) setNullSegment(state, SEG.SS, cpl, cpl);
  else setSegment(state, SEG.SS, stackSelector, stackLo, stackHi);
  stack.commit();
  return enterCode(cpu, selector, cpl, offset, offsetHi);
}

/** Reads the caller's parameters, outermost first, ready to be pushed in order. */
function readParameters(cpu: Cpu, size: number, count: number, into: number[]): boolean {
  cpu.stack.openCurrent();
  for (let index = 0; index < count; index++) {
    if (!cpu.stack.pop(size)) return false;
    into.unshift(cpu.stack.valueLo);
  }
  return true;
}

export function farReturn(cpu: Cpu, size: number): Status {
  const { state, stack } = cpu;
  const releaseBytes = cpu.argLo(0);
  stack.openCurrent();
  if (!stack.pop(size)) return FAULT;
  const ripLo = stack.valueLo, ripHi = stack.valueHi;
  if (!stack.pop(size)) return FAULT;
  const cs = stack.valueLo & 0xffff;
  if (hasDescriptors(state)) {
    if (!readReturnSegment(cpu, cs)) return FAULT;
    Object.assign(cpu.frame, { size, popsStack: (cs & 3) > cpu.cpl, cs, ripLo, ripHi, flags: 0, mask: 0, releaseBytes });
    return returnTo(cpu);
  }
  if (isBeyondLimit(cpu, ripLo)) return cpu.protectionFault();
  stack.skip(releaseBytes);
  stack.commit();
  return enterReal(cpu, cs, ripLo);
}

