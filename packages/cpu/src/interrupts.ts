/** @hot Event delivery through the IVT or IDT. SDM vol 3A §6.12 (protected), §6.14 (64-bit), §20.1.4 (real), §20.3 (virtual-8086) */
import { DR7, SELECTOR_ERROR, TSS16, TSS32, TSS64 } from '@vmm/spec';
import { STATE } from '@vmm/state';
import { ATTRIBUTE, EFLAGS, GPR, SEG, SYSTEM_TYPE, VECTOR } from './architecture.ts';
import type { Cpu } from './cpu.ts';
import { readFlags } from './flags.ts';
import { isLongMode, isProtected, recomputeMode, refreshSegment } from './mode.ts';
import {
  attributesOf, baseOf, dplOf, isConformingCode, isNull, isWritableData, limitOf, markAccessed, readDescriptor, setNullSegment, setRealSegment, setSegment,
} from './segments.ts';
import { enterTask } from './task-switch.ts';

/** Who caused the event; decides the EXT bit of error codes, the DPL check of the gate and RF in the pushed flags. */
export const SOURCE = { EXTERNAL: 0, FAULT: 1, TRAP: 2, SOFTWARE: 3 } as const;

/**
 * Pushes the frame and enters the handler, `cpu.returnLo/Hi` being the pushed instruction pointer. False: delivery faulted, the fault is
 * recorded and no register has changed.
 */
export function deliverEvent(cpu: Cpu, vector: number, source: number, hasError: boolean, error: number): boolean {
  const state = cpu.state;
  const fromLo = state.word(STATE.rip), fromHi = state.word(STATE.rip + 4);
  cpu.isTaskCommitted = false;
  cpu.monitored.isArmed = false;
  let delivered: boolean;
  if (!isProtected(state)) delivered = deliverReal(cpu, vector);
  else if (isLongMode(state)) delivered = deliverLong(cpu, vector, source, hasError, error);
  else delivered = deliverProtected(cpu, vector, source, hasError, error);
  if (delivered) {
    cpu.wasTrapping = false;
    if (cpu.branchTrap.isRecording) cpu.branchTrap.recordEvent(fromLo, fromHi);
    if (vector === VECTOR.DB) {
      state.setPair(STATE.dr + 8 * 7, state.word(STATE.dr + 8 * 7) & ~DR7.GD, 0);
      cpu.branchTrap.end();
    }
  }
  return delivered;
}

/** The flags as pushed: faults set RF so that the restarted instruction does not hit its breakpoint again. */
function pushedFlags(cpu: Cpu, vector: number, source: number): number {
  const flags = readFlags(cpu.state);
  return source === SOURCE.FAULT && vector !== VECTOR.DB ? flags | EFLAGS.RF : flags;
}

export function deliverReal(cpu: Cpu, vector: number): boolean {
  const { state, mmu, stack } = cpu;
  const at = vector * 4;
  if (at + 3 > state.word(STATE.idtrLimit) >>> 0) return cpu.fail(VECTOR.GP, 0);
  const entry = mmu.readSystem32((state.word(STATE.idtrBase)) + at | 0, 0);
  if (mmu.faulted) return false;
  stack.openCurrent();
  if (!stack.push16(readFlags(state)) || !stack.push16(state.word(STATE.selector + 4 * SEG.CS)) || !stack.push16(cpu.returnLo)) return false;
  stack.commit();
  setRealSegment(state, SEG.CS, entry >>> 16);
  state.setPair(STATE.rip, entry & 0xffff, 0);
  state.setWord(STATE.eflags, state.word(STATE.eflags) & ~(EFLAGS.IF | EFLAGS.TF | EFLAGS.AC | EFLAGS.RF));
  recomputeMode(cpu);
  return true;
}

/** Reads the gate at `offset` and checks what all modes check; its words are left in cpu.descriptorLo/Hi. */
function readGate(cpu: Cpu, vector: number, size: number, source: number, external: number): boolean {
  const state = cpu.state;
  const offset = vector * size;
  const error = vector * 8 | SELECTOR_ERROR.IDT | external;
  if (offset + size - 1 > state.word(STATE.idtrLimit) >>> 0) return cpu.fail(VECTOR.GP, error);
  if (!cpu.readTable64(state.word(STATE.idtrBase), state.word(STATE.idtrBase + 4), offset)) return false;
  const attributes = attributesOf(cpu.descriptorHi);
  const type = attributes & (ATTRIBUTE.TYPE | ATTRIBUTE.S);
  const isWide = type === SYSTEM_TYPE.INTERRUPT_GATE || type === SYSTEM_TYPE.TRAP_GATE;
  const isNarrow = type === SYSTEM_TYPE.INTERRUPT_GATE16 || type === SYSTEM_TYPE.TRAP_GATE16 || type === SYSTEM_TYPE.TASK_GATE;
  if (!isWide && (size === 16 || !isNarrow)) return cpu.fail(VECTOR.GP, error);
  if (source === SOURCE.SOFTWARE && dplOf(attributes) < cpu.cpl) return cpu.fail(VECTOR.GP, error);
  if (!(attributes & ATTRIBUTE.P)) return cpu.fail(VECTOR.NP, error);
  return true;
}

function refuse(cpu: Cpu, vector: number, error: number): -1 {
  cpu.raise(vector, error);
  return -1;
}

/** Reads the handler's code segment into cpu.descriptorLo/Hi; -1 on fault, else the new CPL. */
function readHandlerSegment(cpu: Cpu, selector: number, external: number, isLong: boolean): number {
  if (isNull(selector)) return refuse(cpu, VECTOR.GP, external);
  if (!readDescriptor(cpu, selector, VECTOR.GP, external)) return -1;
  const attributes = attributesOf(cpu.descriptorHi);
  const dpl = dplOf(attributes);
  const isCode = (attributes & (ATTRIBUTE.S | ATTRIBUTE.CODE)) === (ATTRIBUTE.S | ATTRIBUTE.CODE);
  const isWrongSize = isLong && (attributes & (ATTRIBUTE.L | ATTRIBUTE.DB)) !== ATTRIBUTE.L;
  const error = selector & 0xfffc | external;
  if (!isCode || dpl > cpu.cpl || isWrongSize) return refuse(cpu, VECTOR.GP, error);
  if (!(attributes & ATTRIBUTE.P)) return refuse(cpu, VECTOR.NP, error);
  const target = isConformingCode(attributes) ? cpu.cpl : dpl;
  if (cpu.isVm86 && target !== 0) return refuse(cpu, VECTOR.GP, error);
  return markAccessed(cpu) ? target : -1;
}

function deliverProtected(cpu: Cpu, vector: number, source: number, hasError: boolean, error: number): boolean {
  const external = source === SOURCE.SOFTWARE ? 0 : 1;
  if (!readGate(cpu, vector, 8, source, external)) return false;
  const gateLo = cpu.descriptorLo, gateHi = cpu.descriptorHi;
  const type = gateHi >>> 8 & 0xf;
  if (type === SYSTEM_TYPE.TASK_GATE) return enterTask(cpu, gateLo >>> 16, hasError, error, external);
  const selector = gateLo >>> 16;
  const target = readHandlerSegment(cpu, selector, external, false);
  if (target < 0) return false;
  const codeLo = cpu.descriptorLo, codeHi = cpu.descriptorHi;
  const size = type & 8 ? 4 : 2;
  const offset = size === 4 ? gateHi & 0xffff_0000 | gateLo & 0xffff : gateLo & 0xffff;
  const { state, stack } = cpu;
  const isInner = target < cpu.cpl, wasVm86 = cpu.isVm86;
  if (!isInner) stack.openCurrent();
  else if (!openInnerStack(cpu, target, external) || wasVm86 && !pushDataSegments(cpu, size)) return false;
  const newStackLo = cpu.innerLo, newStackHi = cpu.innerHi, newStackSelector = cpu.innerSelector;
  if (isInner && !(stack.push(size, state.word(STATE.selector + 4 * SEG.SS)) && stack.push(size, state.word(STATE.gpr + 8 * GPR.RSP)))) return false;
  if (!stack.push(size, pushedFlags(cpu, vector, source)) || !stack.push(size, state.word(STATE.selector + 4 * SEG.CS)) || !stack.push(size, cpu.returnLo)) return false;
  if (hasError && !stack.push(size, error)) return false;
  if (offset >>> 0 > limitOf(codeLo, codeHi) >>> 0) return cpu.fail(VECTOR.GP, external);
  if (isInner) setSegment(state, SEG.SS, newStackSelector, newStackLo, newStackHi);
  if (wasVm86) clearDataSegments(cpu);
  stack.commit();
  setSegment(state, SEG.CS, selector & ~3 | target, codeLo, codeHi);
  enterHandler(cpu, target, offset, 0, (type & 1) === 0);
  if (wasVm86) refreshDataSegments(cpu);
  return true;
}

/** Clears the flags that handlers start without and switches privilege. */
function enterHandler(cpu: Cpu, cpl: number, ripLo: number, ripHi: number, masksInterrupts: boolean): void {
  const state = cpu.state;
  const cleared = EFLAGS.TF | EFLAGS.VM | EFLAGS.RF | EFLAGS.NT | (masksInterrupts ? EFLAGS.IF : 0);
  state.setWord(STATE.eflags, state.word(STATE.eflags) & ~cleared);
  state.setPair(STATE.rip, ripLo, ripHi);
  state.setWord(STATE.cpl, cpl);
  recomputeMode(cpu);
}

/** Reads SS:ESP of ring `cpl` from the TSS, checks it, opens it; descriptor words and selector are left in cpu.inner*. */
export function openInnerStack(cpu: Cpu, cpl: number, external: number): boolean {
  const { state, mmu } = cpu;
  const isWide = (state.word(STATE.segmentAttributes + 4 * SEG.TR) & 8) !== 0;
  const at = isWide ? TSS32.ESP0 + 8 * cpl : TSS16.SP0 + 4 * cpl;
  const base = state.word(STATE.segmentBase + 8 * SEG.TR);
  if (at + (isWide ? 5 : 3) > state.word(STATE.segmentLimit + 4 * SEG.TR) >>> 0) return cpu.fail(VECTOR.TS, state.word(STATE.selector + 4 * SEG.TR) & 0xfffc | external);
  const esp = isWide ? mmu.readSystem32(base + at | 0, 0) : mmu.readSystem16(base + at | 0, 0);
  if (mmu.faulted) return false;
  const selector = mmu.readSystem16(base + at + (isWide ? 4 : 2) | 0, 0);
  if (mmu.faulted) return false;
  if (isNull(selector)) return cpu.fail(VECTOR.TS, external);
  if (!readDescriptor(cpu, selector, VECTOR.TS, external)) return false;
  const attributes = attributesOf(cpu.descriptorHi);
  const error = selector & 0xfffc | external;
  if ((selector & 3) !== cpl || dplOf(attributes) !== cpl || !isWritableData(attributes)) return cpu.fail(VECTOR.TS, error);
  if (!(attributes & ATTRIBUTE.P)) return cpu.fail(VECTOR.SS, error);
  if (!markAccessed(cpu)) return false;
  cpu.innerLo = cpu.descriptorLo;
  cpu.innerHi = cpu.descriptorHi;
  cpu.innerSelector = selector;
  const stackBase = baseOf(cpu.innerLo, cpu.innerHi), limit = limitOf(cpu.innerLo, cpu.innerHi);
  // A 16-bit stack segment takes SP alone; the upper half of ESP comes from the TSS all the same.
  cpu.stack.openInner(esp, stackBase, limit, attributes, error);
  return true;
}

function pushDataSegments(cpu: Cpu, size: number): boolean {
  const { state, stack } = cpu;
  return stack.push(size, state.word(STATE.selector + 4 * SEG.GS)) && stack.push(size, state.word(STATE.selector + 4 * SEG.FS))
    && stack.push(size, state.word(STATE.selector + 4 * SEG.DS)) && stack.push(size, state.word(STATE.selector + 4 * SEG.ES));
}

function clearDataSegments(cpu: Cpu): void {
  setNullSegment(cpu.state, SEG.ES, 0);
  setNullSegment(cpu.state, SEG.DS, 0);
  setNullSegment(cpu.state, SEG.FS, 0);
  setNullSegment(cpu.state, SEG.GS, 0);
}

function refreshDataSegments(cpu: Cpu): void {
  refreshSegment(cpu.state, SEG.ES);
  refreshSegment(cpu.state, SEG.DS);
  refreshSegment(cpu.state, SEG.FS);
  refreshSegment(cpu.state, SEG.GS);
}

function deliverLong(cpu: Cpu, vector: number, source: number, hasError: boolean, error: number): boolean {
  const external = source === SOURCE.SOFTWARE ? 0 : 1;
  if (!readGate(cpu, vector, 16, source, external)) return false;
  const gateLo = cpu.descriptorLo, gateHi = cpu.descriptorHi;
  const ripHi = cpu.readTable32(8);
  if (cpu.mmu.faulted) return false;
  const selector = gateLo >>> 16;
  const target = readHandlerSegment(cpu, selector, external, true);
  if (target < 0) return false;
  const codeLo = cpu.descriptorLo, codeHi = cpu.descriptorHi;
  const { state, stack } = cpu;
  const isInner = target < cpu.cpl, ist = gateHi & 7;
  if (isInner || ist !== 0) {
    if (!openLongStack(cpu, ist === 0 ? TSS64.RSP0 + 8 * target : TSS64.IST1 + 8 * (ist - 1), target < cpu.cpl || target !== 3, external)) return false;
  } else stack.openCurrentLong();
  stack.lo &= ~15;
  const flags = pushedFlags(cpu, vector, source);
  const pushed = stack.push64(state.word(STATE.selector + 4 * SEG.SS), 0) && stack.push64(state.word(STATE.gpr + 8 * GPR.RSP), state.word(STATE.gpr + 8 * GPR.RSP + 4))
    && stack.push64(flags, 0) && stack.push64(state.word(STATE.selector + 4 * SEG.CS), 0) && stack.push64(cpu.returnLo, cpu.returnHi)
    && (!hasError || stack.push64(error, 0));
  if (!pushed) return false;
  if (!cpu.isCanonical(ripHi)) return cpu.fail(VECTOR.GP, external);
  if (isInner) setNullSegment(state, SEG.SS, target, target);
  stack.commit();
  setSegment(state, SEG.CS, selector & ~3 | target, codeLo, codeHi);
  enterHandler(cpu, target, gateHi & 0xffff_0000 | gateLo & 0xffff, ripHi, (gateHi & 0x100) === 0);
  return true;
}

/** Opens the stack whose pointer lies at `offset` in the 64-bit TSS. */
export function openLongStack(cpu: Cpu, offset: number, asSystem: boolean, external: number): boolean {
  const { state } = cpu;
  if (offset + 7 > state.word(STATE.segmentLimit + 4 * SEG.TR) >>> 0) return cpu.fail(VECTOR.TS, state.word(STATE.selector + 4 * SEG.TR) & 0xfffc | external);
  // The pointer is read through the table cursor: it is the same eight bytes at base + offset.
  if (!cpu.readTable64(state.word(STATE.segmentBase + 8 * SEG.TR), state.word(STATE.segmentBase + 8 * SEG.TR + 4), offset)) return false;
  if (!cpu.isCanonical(cpu.descriptorHi)) return cpu.fail(VECTOR.SS, external);
  cpu.stack.openLong(cpu.descriptorLo, cpu.descriptorHi, asSystem);
  return true;
}
