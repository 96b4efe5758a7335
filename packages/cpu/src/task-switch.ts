/** Hardware task switch with 16- and 32-bit TSS. SDM vol 3A §8.3 */
import { DR6, TSS16, TSS32 } from '@vmm/spec';
import { ATTRIBUTE, CR0, EFLAGS, GPR, SEG, SYSTEM_TYPE, VECTOR } from './architecture.ts';
import { armBreakpoints } from './breakpoints.ts';
import type { Cpu } from './cpu.ts';
import { deliverDebugTrap, deliverException } from './exceptions.ts';
import { readFlags, writeFlags } from './flags.ts';
import { recomputeMode, refreshSegments } from './mode.ts';
import {
  attributesOf, baseOf, dplOf, isConformingCode, isNull, isReadable, isWritableData, limitOf, markAccessed, readDescriptor, setNullSegment, setSegment,
  setVm86Segment,
} from './segments.ts';
import { FAULT, REDISPATCH } from './status.ts';
import type { Status } from './status.ts';

export const TASK_SWITCH = { JUMP: 0, CALL: 1, GATE: 2, RETURN: 3 } as const;

/** Where the fields of both formats lie; general and segment registers follow in encoding order. */
const WIDE = { size: 4, bytes: TSS32.SIZE, ip: TSS32.EIP, flags: TSS32.EFLAGS, general: TSS32.EAX, segments: TSS32.ES, segmentCount: 6, ldt: TSS32.LDT } as const;
const NARROW = { size: 2, bytes: TSS16.SIZE, ip: TSS16.IP, flags: TSS16.FLAGS, general: TSS16.AX, segments: TSS16.ES, segmentCount: 4, ldt: TSS16.LDT } as const;
type Format = typeof WIDE | typeof NARROW;

/** L0..L3 and LE of DR7: breakpoints of the task that is left. */
const LOCAL_BREAKPOINTS = 0x155;
const BUSY = 0x200;
/** EAX..EDI and ES..GS. */
const GENERAL_COUNT = 8, SEGMENT_COUNT = 6;

interface TaskImage {
  readonly cr3: number;
  readonly ip: number;
  readonly flags: number;
  readonly general: readonly number[];
  readonly segments: readonly number[];
  readonly ldt: number;
  readonly traps: boolean;
}

function formatOf(attributes: number): Format { return attributes & 8 ? WIDE : NARROW; }

/**
 * Leaves the current task at `cpu.returnLo` for the one of `selector`. False: a fault is recorded. Up to `cpu.isTaskCommitted` nothing has
 * changed; a fault after that belongs to the new task, whose registers are loaded.
 */
export function switchTask(cpu: Cpu, selector: number, kind: number, external: number): boolean {
  cpu.isTaskCommitted = false;
  const { state } = cpu;
  if (!readTaskDescriptor(cpu, selector, kind, external)) return false;
  const lo = cpu.descriptorLo, hi = cpu.descriptorHi;
  const format = formatOf(attributesOf(hi)), base = baseOf(lo, hi);
  const image = readImage(cpu, base, format);
  if (!image) return false;
  if (!saveTask(cpu, kind)) return false;
  const isNested = kind === TASK_SWITCH.CALL || kind === TASK_SWITCH.GATE;
  if (isNested && !cpu.mmu.writeSystem16(base, 0, state.get('selector', SEG.TR))) return false;
  if (!isNested && !setBusy(cpu, state.get('selector', SEG.TR), false)) return false;
  if (kind !== TASK_SWITCH.RETURN && !setBusy(cpu, selector, true)) return false;
  setSegment(state, SEG.TR, selector, lo, hi | BUSY);
  cpu.isTaskCommitted = true;
  state.setWords('cr0', state.lo('cr0') | CR0.TS, 0);
  state.setWords('dr', state.lo('dr', 7) & ~LOCAL_BREAKPOINTS, 0, 7);
  armBreakpoints(cpu);
  cpu.wasTrapping = false;
  return loadTask(cpu, image, format, isNested, external);
}

/** IRET with NT: back to the task that the current TSS links to. */
export function returnFromTask(cpu: Cpu): Status {
  const { state, mmu } = cpu;
  const link = mmu.readSystem16(state.lo('segmentBase', SEG.TR), 0);
  if (mmu.faulted) return FAULT;
  cpu.setReturn(cpu.nextRipLo, cpu.nextRipHi);
  return settleTaskSwitch(cpu, switchTask(cpu, link, TASK_SWITCH.RETURN, 0));
}

/** The status of an instruction that may have switched tasks: a fault in the new task is delivered here, because it is not the instruction's. */
export function settleTaskSwitch(cpu: Cpu, isDone: boolean): Status {
  if (isDone) return deliverTaskTrap(cpu) ? REDISPATCH : FAULT;
  if (!cpu.isTaskCommitted) return FAULT;
  if (deliverException(cpu) === 'delivered') return REDISPATCH;
  cpu.isTaskCommitted = true;
  return cpu.raise(VECTOR.DF);
}

/** #DB for the T bit of the TSS that was switched to. */
function deliverTaskTrap(cpu: Cpu): boolean {
  if (!cpu.isTaskTrapDue) return true;
  cpu.isTaskTrapDue = false;
  if (deliverDebugTrap(cpu, DR6.BT) === 'delivered') return true;
  return cpu.fail(VECTOR.DF, 0);
}

function readTaskDescriptor(cpu: Cpu, selector: number, kind: number, external: number): boolean {
  const isReturn = kind === TASK_SWITCH.RETURN;
  const vector = isReturn ? VECTOR.TS : VECTOR.GP;
  const error = selector & 0xfffc | external;
  if (selector & 4 || isNull(selector)) return cpu.fail(vector, error);
  if (!readDescriptor(cpu, selector, vector, external)) return false;
  const attributes = attributesOf(cpu.descriptorHi);
  const type = attributes & (ATTRIBUTE.S | ATTRIBUTE.TYPE);
  const isWanted = isReturn ? type === SYSTEM_TYPE.TSS16_BUSY || type === SYSTEM_TYPE.TSS_BUSY
    : type === SYSTEM_TYPE.TSS16_AVAILABLE || type === SYSTEM_TYPE.TSS_AVAILABLE;
  if (!isWanted) return cpu.fail(vector, error);
  if (!(attributes & ATTRIBUTE.P)) return cpu.fail(VECTOR.NP, error);
  if (limitOf(cpu.descriptorLo, cpu.descriptorHi) >>> 0 < formatOf(attributes).bytes - 1) return cpu.fail(VECTOR.TS, error);
  return true;
}

/** Reads the whole new TSS before anything changes, so that its page faults belong to the old task. */
function readImage(cpu: Cpu, base: number, format: Format): TaskImage | undefined {
  const { mmu } = cpu;
  const words = new Map<number, number>();
  const read = (offset: number, size: number): void => {
    if (mmu.faulted) return;
    words.set(offset, (size === 4 ? mmu.readSystem32(base + offset | 0, 0) : mmu.readSystem16(base + offset | 0, 0)) | 0);
  };
  mmu.readSystem16(base, 0);
  read(format.ip, format.size);
  read(format.flags, format.size);
  for (let index = 0; index < GENERAL_COUNT; index++) read(format.general + format.size * index, format.size);
  for (let index = 0; index < format.segmentCount; index++) read(format.segments + format.size * index, 2);
  read(format.ldt, 2);
  if (format.size === 4) {
    read(TSS32.CR3, 4);
    read(TSS32.TRAP, 2);
  }
  if (mmu.faulted) return undefined;
  const word = (offset: number): number => words.get(offset) ?? 0;
  return {
    cr3: word(TSS32.CR3), ip: word(format.ip), flags: word(format.flags), ldt: word(format.ldt),
    // A 16-bit TSS leaves the upper halves of the registers undefined; they come up as ones.
    general: Array.from({ length: GENERAL_COUNT }, (_, index) => word(format.general + format.size * index) | (format.size === 2 ? 0xffff_0000 : 0)),
    segments: Array.from({ length: SEGMENT_COUNT }, (_, index) => index < format.segmentCount ? word(format.segments + format.size * index) : 0),
    traps: format.size === 4 && (word(TSS32.TRAP) & 1) !== 0,
  };
}

/** Writes the registers into the current TSS. */
function saveTask(cpu: Cpu, kind: number): boolean {
  const { state, mmu } = cpu;
  const format = formatOf(state.get('segmentAttributes', SEG.TR)), base = state.lo('segmentBase', SEG.TR);
  const write = (offset: number, value: number): boolean =>
    format.size === 4 ? mmu.writeSystem32(base + offset | 0, 0, value) : mmu.writeSystem16(base + offset | 0, 0, value & 0xffff);
  const flags = kind === TASK_SWITCH.RETURN ? readFlags(state) & ~EFLAGS.NT : readFlags(state);
  if (!write(format.ip, cpu.returnLo) || !write(format.flags, flags)) return false;
  for (let index = 0; index < GENERAL_COUNT; index++) if (!write(format.general + format.size * index, state.lo('gpr', index))) return false;
  for (let index = 0; index < format.segmentCount; index++) {
    if (!mmu.writeSystem16(base + format.segments + format.size * index | 0, 0, state.get('selector', index))) return false;
  }
  return true;
}

function setBusy(cpu: Cpu, selector: number, isBusy: boolean): boolean {
  if (!readDescriptor(cpu, selector, VECTOR.TS, 0)) return false;
  const hi = isBusy ? cpu.descriptorHi | BUSY : cpu.descriptorHi & ~BUSY;
  return cpu.writeTable8(5, hi >>> 8 & 0xff);
}

function loadTask(cpu: Cpu, image: TaskImage, format: Format, isNested: boolean, external: number): boolean {
  const { state } = cpu;
  if (format.size === 4 && state.lo('cr0') & CR0.PG) {
    state.setWords('cr3', image.cr3, 0);
    cpu.mmu.cr3Written();
  }
  writeFlags(state, isNested ? image.flags | EFLAGS.NT : image.flags);
  image.general.forEach((value, index) => { state.setWords('gpr', value, 0, index); });
  state.setWords('rip', image.ip, 0);
  cpu.isTaskTrapDue = image.traps;
  const loaded = loadTaskSegments(cpu, image, format, external);
  recomputeMode(cpu);
  refreshSegments(state);
  return loaded;
}

function loadTaskSegments(cpu: Cpu, image: TaskImage, format: Format, external: number): boolean {
  const { state } = cpu;
  const isVm86 = format.size === 4 && (image.flags & EFLAGS.VM) !== 0;
  const cs = image.segments[SEG.CS] ?? 0;
  const cpl = isVm86 ? 3 : cs & 3;
  image.segments.forEach((selector, index) => {
    if (isVm86) setVm86Segment(state, index, selector);
    else setNullSegment(state, index, selector, index === SEG.SS ? cpl : 0);
  });
  state.set('cpl', cpl);
  if (!loadTaskLdt(cpu, image.ldt, external)) return false;
  if (isVm86) return true;
  const loaded = loadTaskCode(cpu, cs, external) && loadTaskStack(cpu, image.segments[SEG.SS] ?? 0, cpl, external)
    && [SEG.ES, SEG.DS, SEG.FS, SEG.GS].every((index) => loadTaskData(cpu, index, image.segments[index] ?? 0, external));
  if (!loaded) return false;
  return image.ip >>> 0 <= state.get('segmentLimit', SEG.CS) >>> 0 || cpu.fail(VECTOR.GP, external);
}

function loadTaskLdt(cpu: Cpu, selector: number, external: number): boolean {
  setNullSegment(cpu.state, SEG.LDTR, selector);
  if (isNull(selector)) return true;
  const error = selector & 0xfffc | external;
  if (selector & 4) return cpu.fail(VECTOR.TS, error);
  if (!readDescriptor(cpu, selector, VECTOR.TS, external)) return false;
  const attributes = attributesOf(cpu.descriptorHi);
  if ((attributes & (ATTRIBUTE.S | ATTRIBUTE.TYPE)) !== SYSTEM_TYPE.LDT || !(attributes & ATTRIBUTE.P)) return cpu.fail(VECTOR.TS, error);
  setSegment(cpu.state, SEG.LDTR, selector, cpu.descriptorLo, cpu.descriptorHi);
  return true;
}

function loadTaskCode(cpu: Cpu, selector: number, external: number): boolean {
  const error = selector & 0xfffc | external;
  if (isNull(selector)) return cpu.fail(VECTOR.TS, error);
  if (!readDescriptor(cpu, selector, VECTOR.TS, external)) return false;
  const attributes = attributesOf(cpu.descriptorHi);
  const isCode = (attributes & (ATTRIBUTE.S | ATTRIBUTE.CODE)) === (ATTRIBUTE.S | ATTRIBUTE.CODE);
  const rpl = selector & 3, dpl = dplOf(attributes);
  if (!isCode || (isConformingCode(attributes) ? dpl > rpl : dpl !== rpl)) return cpu.fail(VECTOR.TS, error);
  if (!(attributes & ATTRIBUTE.P)) return cpu.fail(VECTOR.NP, error);
  return storeSegment(cpu, SEG.CS, selector);
}

function loadTaskStack(cpu: Cpu, selector: number, cpl: number, external: number): boolean {
  const error = selector & 0xfffc | external;
  if (isNull(selector)) return cpu.fail(VECTOR.TS, error);
  if (!readDescriptor(cpu, selector, VECTOR.TS, external)) return false;
  const attributes = attributesOf(cpu.descriptorHi);
  if ((selector & 3) !== cpl || dplOf(attributes) !== cpl || !isWritableData(attributes)) return cpu.fail(VECTOR.TS, error);
  if (!(attributes & ATTRIBUTE.P)) return cpu.fail(VECTOR.SS, error);
  return storeSegment(cpu, SEG.SS, selector);
}

function loadTaskData(cpu: Cpu, index: number, selector: number, external: number): boolean {
  if (isNull(selector)) return true;
  const error = selector & 0xfffc | external;
  if (!readDescriptor(cpu, selector, VECTOR.TS, external)) return false;
  const attributes = attributesOf(cpu.descriptorHi);
  const dpl = dplOf(attributes);
  if (!isReadable(attributes) || !isConformingCode(attributes) && (dpl < cpu.cpl || dpl < (selector & 3))) return cpu.fail(VECTOR.TS, error);
  if (!(attributes & ATTRIBUTE.P)) return cpu.fail(VECTOR.NP, error);
  return storeSegment(cpu, index, selector);
}

function storeSegment(cpu: Cpu, index: number, selector: number): boolean {
  if (!markAccessed(cpu)) return false;
  setSegment(cpu.state, index, selector, cpu.descriptorLo, cpu.descriptorHi);
  return true;
}

/** Entry through a task gate: the error code goes to the new task's stack. */
export function enterTask(cpu: Cpu, selector: number, hasError: boolean, error: number, external: number): boolean {
  if (!switchTask(cpu, selector, TASK_SWITCH.GATE, external)) return false;
  const { state, stack } = cpu;
  if (hasError) {
    stack.openCurrent();
    if (!stack.push(state.get('segmentAttributes', SEG.TR) & 8 ? 4 : 2, error)) return false;
    state.setWords('gpr', stack.lo, 0, GPR.RSP);
  }
  return deliverTaskTrap(cpu);
}
