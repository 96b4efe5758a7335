/** @hot Descriptors and segment register loads. SDM vol 3A §3.4, §5 */
import { STATE } from '@vmm/state';
import type { StateView } from '@vmm/state';
import { ATTRIBUTE, EFLAGS, SEG, VECTOR } from './architecture.ts';
import type { Cpu } from './cpu.ts';
import { hasDescriptors, isCode64, recomputeMode, refreshSegment, refreshSingleStep } from './mode.ts';
import { DONE, FAULT, REDISPATCH } from './status.ts';
import type { Status } from './status.ts';

export function isNull(selector: number): boolean { return (selector & 0xfffc) === 0; }

/** Base of a segment from its descriptor words. */
export function baseOf(lo: number, hi: number): number { return lo >>> 16 | (hi & 0xff) << 16 | hi & 0xff00_0000; }
/** Limit in bytes as a signed word: granularity applied. */
export function limitOf(lo: number, hi: number): number {
  const limit = lo & 0xffff | hi & 0xf_0000;
  return hi & 0x80_0000 ? limit << 12 | 0xfff : limit;
}
/** The attributes word of a segment cache from the descriptor's high word. */
export function attributesOf(hi: number): number { return hi >>> 8 & 0xf0ff; }
export function dplOf(attributes: number): number { return attributes >> 5 & 3; }

/**
 * Reads the descriptor of `selector` into cpu.descriptorLo/Hi. Beyond its table: `vector` with the selector as error code (plus `external`,
 * the EXT bit). A null selector must have been dealt with before.
 */
export function readDescriptor(cpu: Cpu, selector: number, vector: number, external: number): boolean {
  const state = cpu.state;
  const offset = selector & 0xfff8;
  const isLocal = (selector & 4) !== 0;
  const limit = (isLocal ? state.word(STATE.segmentLimit + 4 * SEG.LDTR) : state.word(STATE.gdtrLimit)) >>> 0;
  if (offset + 7 > limit || isLocal && state.word(STATE.segmentAttributes + 4 * SEG.LDTR) & ATTRIBUTE.UNUSABLE) {
    cpu.raise(vector, selector & 0xfffc | external);
    return false;
  }
  const base = isLocal ? state.word(STATE.segmentBase + 8 * SEG.LDTR) : state.word(STATE.gdtrBase);
  const high = isLocal ? state.word(STATE.segmentBase + 8 * SEG.LDTR + 4) : state.word(STATE.gdtrBase + 4);
  return cpu.readTable64(base, high, offset);
}

/** Sets the accessed bit of the descriptor that readDescriptor read last. */
export function markAccessed(cpu: Cpu): boolean {
  if (cpu.descriptorHi & 0x100) return true;
  cpu.descriptorHi |= 0x100;
  return cpu.writeTable8(5, cpu.descriptorHi >>> 8 & 0xff);
}

/** Fills a segment register from the descriptor words; the effective slot and the mode are the caller's to refresh. */
export function setSegment(state: StateView, index: number, selector: number, lo: number, hi: number): void {
  state.setWord(STATE.selector + 4 * index, selector & 0xffff);
  state.setPair(STATE.segmentBase + 8 * index, baseOf(lo, hi), 0);
  state.setWord(STATE.segmentLimit + 4 * index, limitOf(lo, hi));
  state.setWord(STATE.segmentAttributes + 4 * index, attributesOf(hi));
}

/** A null selector: unusable, base 0 (as Intel does; AMD keeps it). `dpl` matters for SS, whose DPL is the CPL. */
export function setNullSegment(state: StateView, index: number, selector: number, dpl = 0): void {
  state.setWord(STATE.selector + 4 * index, selector & 0xffff);
  state.setPair(STATE.segmentBase + 8 * index, 0, 0);
  state.setWord(STATE.segmentLimit + 4 * index, 0);
  state.setWord(STATE.segmentAttributes + 4 * index, ATTRIBUTE.UNUSABLE | dpl << 5);
}

/** Real mode: only selector and base change; limit and size stay, which is what "unreal mode" lives on. */
export function setRealSegment(state: StateView, index: number, selector: number): void {
  state.setWord(STATE.selector + 4 * index, selector & 0xffff);
  state.setPair(STATE.segmentBase + 8 * index, (selector & 0xffff) << 4, 0);
  const before = state.word(STATE.segmentAttributes + 4 * index);
  if (before & ATTRIBUTE.UNUSABLE) state.setWord(STATE.segmentLimit + 4 * index, 0xffff);
  state.setWord(STATE.segmentAttributes + 4 * index, before & (ATTRIBUTE.DB | ATTRIBUTE.G) | ATTRIBUTE.P | ATTRIBUTE.S | 3);
}

/** Present, DPL 3, accessed writable data. */
export const VM86_ATTRIBUTES = 0xf3;

/** Virtual-8086 mode: everything is fixed by the selector. */
export function setVm86Segment(state: StateView, index: number, selector: number): void {
  state.setWord(STATE.selector + 4 * index, selector & 0xffff);
  state.setPair(STATE.segmentBase + 8 * index, (selector & 0xffff) << 4, 0);
  state.setWord(STATE.segmentLimit + 4 * index, 0xffff);
  state.setWord(STATE.segmentAttributes + 4 * index, VM86_ATTRIBUTES);
}

/** MOV Sreg, POP Sreg, LDS and the like: all segment registers but CS. */
export function loadSegment(cpu: Cpu, index: number, selector: number): Status {
  const state = cpu.state;
  if (hasDescriptors(state)) {
    const loaded = index === SEG.SS ? loadStackSegment(cpu, selector) : loadDataSegment(cpu, index, selector);
    if (!loaded) return FAULT;
  } else if (state.word(STATE.eflags) & EFLAGS.VM) setVm86Segment(state, index, selector);
  else setRealSegment(state, index, selector);
  if (index !== SEG.SS) {
    refreshSegment(state, index);
    return DONE;
  }
  recomputeMode(cpu);
  return REDISPATCH;
}

/** MOV SS and POP SS hold off interrupts and debug traps until the next instruction is over. SDM vol 3A §6.8.3 */
export function shadowStackLoad(cpu: Cpu): void { beginShadow(cpu, SHADOW.MOV_SS); }

export function beginShadow(cpu: Cpu, kind: number): void {
  cpu.state.setWord(STATE.inhibit, kind);
  cpu.didSetShadow = true;
  refreshSingleStep(cpu.state);
}

/** Values of `inhibit`. */
export const SHADOW = { NONE: 0, STI: 1, MOV_SS: 2 } as const;

function loadStackSegment(cpu: Cpu, selector: number): boolean {
  const state = cpu.state;
  const cpl = state.word(STATE.cpl);
  if (isNull(selector)) {
    if (!isCode64(state) || cpl === 3 || (selector & 3) !== cpl) return cpu.fail(VECTOR.GP, 0);
    setNullSegment(state, SEG.SS, selector, cpl);
    return true;
  }
  if (!readDescriptor(cpu, selector, VECTOR.GP, 0)) return false;
  const attributes = attributesOf(cpu.descriptorHi);
  if ((selector & 3) !== cpl || dplOf(attributes) !== cpl || !isWritableData(attributes)) return cpu.fail(VECTOR.GP, selector & 0xfffc);
  if (!(attributes & ATTRIBUTE.P)) return cpu.fail(VECTOR.SS, selector & 0xfffc);
  if (!markAccessed(cpu)) return false;
  setSegment(state, SEG.SS, selector, cpu.descriptorLo, cpu.descriptorHi);
  return true;
}

export function isWritableData(attributes: number): boolean {
  return (attributes & (ATTRIBUTE.S | ATTRIBUTE.CODE | ATTRIBUTE.WRITABLE)) === (ATTRIBUTE.S | ATTRIBUTE.WRITABLE);
}

/** Data, or code that may be read. */
export function isReadable(attributes: number): boolean {
  return (attributes & ATTRIBUTE.S) !== 0 && (attributes & (ATTRIBUTE.CODE | ATTRIBUTE.READABLE)) !== ATTRIBUTE.CODE;
}

export function isConformingCode(attributes: number): boolean {
  return (attributes & (ATTRIBUTE.CODE | ATTRIBUTE.CONFORMING)) === (ATTRIBUTE.CODE | ATTRIBUTE.CONFORMING);
}

function loadDataSegment(cpu: Cpu, index: number, selector: number): boolean {
  const state = cpu.state;
  if (isNull(selector)) {
    setNullSegment(state, index, selector);
    return true;
  }
  if (!readDescriptor(cpu, selector, VECTOR.GP, 0)) return false;
  const attributes = attributesOf(cpu.descriptorHi);
  if (!isReadable(attributes)) return cpu.fail(VECTOR.GP, selector & 0xfffc);
  const dpl = dplOf(attributes);
  if (!isConformingCode(attributes) && ((selector & 3) > dpl || state.word(STATE.cpl) > dpl)) return cpu.fail(VECTOR.GP, selector & 0xfffc);
  if (!(attributes & ATTRIBUTE.P)) return cpu.fail(VECTOR.NP, selector & 0xfffc);
  if (!markAccessed(cpu)) return false;
  setSegment(state, index, selector, cpu.descriptorLo, cpu.descriptorHi);
  return true;
}

/** After a return to an outer ring: data segments that the new CPL may not use become null. SDM vol 2A, IRET */
export function dropInnerSegments(cpu: Cpu): void {
  const state = cpu.state, cpl = state.word(STATE.cpl);
  dropIfInner(state, SEG.ES, cpl);
  dropIfInner(state, SEG.DS, cpl);
  dropIfInner(state, SEG.FS, cpl);
  dropIfInner(state, SEG.GS, cpl);
}

function dropIfInner(state: StateView, index: number, cpl: number): void {
  const attributes = state.word(STATE.segmentAttributes + 4 * index);
  if (attributes & ATTRIBUTE.UNUSABLE || isConformingCode(attributes) || dplOf(attributes) >= cpl) return;
  // The base stays: 64-bit code goes on using that of FS and GS.
  state.setWord(STATE.selector + 4 * index, 0);
  state.setWord(STATE.segmentAttributes + 4 * index, ATTRIBUTE.UNUSABLE);
  refreshSegment(state, index);
}
