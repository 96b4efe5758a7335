/** LGDT, LIDT, LLDT, LTR, their stores, and the selector tests LAR, LSL, VERR, VERW. SDM vol 2A/2B */
import { STATE } from '@vmm/state';
import { ATTRIBUTE, EFLAGS, SEG, SYSTEM_TYPE, VECTOR } from './architecture.ts';
import { isUserModePrevented } from './control-registers.ts';
import type { Cpu } from './cpu.ts';
import { changeFlags } from './flags.ts';
import { hasDescriptors, isCode64, isLongMode } from './mode.ts';
import { attributesOf, dplOf, isConformingCode, isNull, isReadable, isWritableData, limitOf, readDescriptor, setNullSegment, setSegment } from './segments.ts';
import { DONE, FAULT } from './status.ts';
import type { Status } from './status.ts';

type Table = 'gdtr' | 'idtr';

/** LGDT, LIDT: a limit word and a base of 24 (operand size 16), 32 or 64 bits at the linear address. */
export function loadTable(cpu: Cpu, table: Table, size: number): Status {
  const { state, mmu } = cpu;
  if (cpu.cpl !== 0) return cpu.protectionFault();
  const lo = cpu.argLo(0), hi = cpu.argHi(0);
  const limit = mmu.read16(lo, hi);
  if (mmu.faulted) return FAULT;
  const base = mmu.read32(lo + 2 | 0, hi);
  if (mmu.faulted) return FAULT;
  let baseHi = 0;
  if (isCode64(state)) {
    baseHi = mmu.read32(lo + 6 | 0, hi);
    if (mmu.faulted) return FAULT;
    if (!cpu.isCanonicalBase(baseHi)) return cpu.protectionFault();
  }
  state.set(table === 'gdtr' ? 'gdtrLimit' : 'idtrLimit', limit);
  state.setWords(table === 'gdtr' ? 'gdtrBase' : 'idtrBase', size === 2 ? base & 0xff_ffff : base, baseHi);
  return DONE;
}

export function storeTable(cpu: Cpu, table: Table): Status {
  const { state, mmu } = cpu;
  if (isUserModePrevented(cpu)) return cpu.protectionFault();
  const lo = cpu.argLo(0), hi = cpu.argHi(0);
  const field = table === 'gdtr' ? 'gdtrBase' : 'idtrBase';
  const stored = mmu.write16(lo, hi, state.get(table === 'gdtr' ? 'gdtrLimit' : 'idtrLimit'))
    && mmu.write32(lo + 2 | 0, hi, state.lo(field))
    && (!isCode64(state) || mmu.write32(lo + 6 | 0, hi, state.hi(field)));
  return stored ? DONE : FAULT;
}

/** Reads an LDT or TSS descriptor from the GDT, both halves in long mode; -1 on fault, else the upper base. */
function readSystemDescriptor(cpu: Cpu, selector: number, isWanted: (type: number) => boolean): number | false {
  if (selector & 4) return cpu.fail(VECTOR.GP, selector & 0xfffc);
  if (!readDescriptor(cpu, selector, VECTOR.GP, 0)) return false;
  const attributes = attributesOf(cpu.descriptorHi);
  if (!isWanted(attributes & (ATTRIBUTE.S | ATTRIBUTE.TYPE))) return cpu.fail(VECTOR.GP, selector & 0xfffc);
  if (!(attributes & ATTRIBUTE.P)) return cpu.fail(VECTOR.NP, selector & 0xfffc);
  if (!isLongMode(cpu.state)) return 0;
  if ((selector & 0xfff8) + 15 > cpu.state.word(STATE.gdtrLimit) >>> 0) return cpu.fail(VECTOR.GP, selector & 0xfffc);
  const baseHi = cpu.readTable32(8);
  if (cpu.mmu.faulted) return false;
  const upper = cpu.readTable32(12);
  if (cpu.mmu.faulted) return false;
  return upper & 0x1f00 || !cpu.isCanonicalBase(baseHi) ? cpu.fail(VECTOR.GP, selector & 0xfffc) : baseHi;
}

function setSystemSegment(cpu: Cpu, index: number, selector: number, baseHi: number): void {
  setSegment(cpu.state, index, selector, cpu.descriptorLo, cpu.descriptorHi);
  cpu.state.setPair(STATE.segmentBase + 8 * index, cpu.state.word(STATE.segmentBase + 8 * index), baseHi);
}

export function loadLocalTable(cpu: Cpu): Status {
  const selector = cpu.argLo(0) & 0xffff;
  if (!hasDescriptors(cpu.state)) return cpu.undefinedOpcode();
  if (cpu.cpl !== 0) return cpu.protectionFault();
  if (isNull(selector)) {
    setNullSegment(cpu.state, SEG.LDTR, selector);
    return DONE;
  }
  const baseHi = readSystemDescriptor(cpu, selector, (type) => type === SYSTEM_TYPE.LDT);
  if (baseHi === false) return FAULT;
  setSystemSegment(cpu, SEG.LDTR, selector, baseHi);
  return DONE;
}

export function loadTaskRegister(cpu: Cpu): Status {
  const selector = cpu.argLo(0) & 0xffff;
  if (!hasDescriptors(cpu.state)) return cpu.undefinedOpcode();
  if (cpu.cpl !== 0 || isNull(selector)) return cpu.protectionFault();
  const isLong = isLongMode(cpu.state);
  const baseHi = readSystemDescriptor(cpu, selector, (type) => type === SYSTEM_TYPE.TSS_AVAILABLE || !isLong && type === SYSTEM_TYPE.TSS16_AVAILABLE);
  if (baseHi === false) return FAULT;
  cpu.descriptorHi |= 0x200;
  if (!cpu.writeTable8(5, cpu.descriptorHi >>> 8 & 0xff)) return FAULT;
  setSystemSegment(cpu, SEG.TR, selector, baseHi);
  return DONE;
}

/** SLDT, STR. */
export function storeSelector(cpu: Cpu, index: number): Status {
  if (!hasDescriptors(cpu.state)) return cpu.undefinedOpcode();
  if (isUserModePrevented(cpu)) return cpu.protectionFault();
  cpu.setResult(cpu.state.word(STATE.selector + 4 * index));
  return DONE;
}

/** Reads a descriptor for a test. False: not readable; a page fault on the table is recorded, a bad selector is not a fault. */
function inspect(cpu: Cpu, selector: number): boolean {
  if (isNull(selector)) return false;
  const read = readDescriptor(cpu, selector, VECTOR.GP, 0);
  if (!read && cpu.state.word(STATE.faultVector) === VECTOR.GP) cpu.state.setWord(STATE.faultVector, -1);
  return read;
}

function answer(cpu: Cpu, isTrue: boolean): Status {
  if (cpu.state.word(STATE.faultVector) >= 0) return FAULT;
  changeFlags(cpu.state, isTrue ? EFLAGS.ZF : 0, isTrue ? 0 : EFLAGS.ZF);
  return DONE;
}

function isVisible(cpu: Cpu, selector: number, attributes: number): boolean {
  const dpl = dplOf(attributes);
  return (attributes & ATTRIBUTE.S) !== 0 && isConformingCode(attributes) || dpl >= cpu.cpl && dpl >= (selector & 3);
}

const bits = (...types: number[]): number => types.reduce((mask, type) => mask | 1 << type, 0);
/** System types LAR and LSL accept. SDM vol 2A, LAR, Table 3-53; LSL, Table 3-56 */
const HAS_LIMIT = bits(SYSTEM_TYPE.TSS16_AVAILABLE, SYSTEM_TYPE.LDT, SYSTEM_TYPE.TSS16_BUSY, SYSTEM_TYPE.TSS_AVAILABLE, SYSTEM_TYPE.TSS_BUSY);
const HAS_RIGHTS = HAS_LIMIT | bits(SYSTEM_TYPE.CALL_GATE16, SYSTEM_TYPE.TASK_GATE, SYSTEM_TYPE.CALL_GATE);
const LONG_LIMIT = bits(SYSTEM_TYPE.LDT, SYSTEM_TYPE.TSS_AVAILABLE, SYSTEM_TYPE.TSS_BUSY);
const LONG_RIGHTS = LONG_LIMIT | bits(SYSTEM_TYPE.CALL_GATE);

function isAccepted(attributes: number, types: number): boolean {
  return (attributes & ATTRIBUTE.S) !== 0 || (types >> (attributes & ATTRIBUTE.TYPE) & 1) !== 0;
}

/** ZF says whether there is a result. */
function test(cpu: Cpu, types: number, result: () => number): Status {
  if (!hasDescriptors(cpu.state)) return cpu.undefinedOpcode();
  const selector = cpu.argLo(0) & 0xffff;
  cpu.state.setWord(STATE.faultVector, -1);
  const attributes = inspect(cpu, selector) ? attributesOf(cpu.descriptorHi) : -1;
  const isGood = attributes >= 0 && isAccepted(attributes, types) && isVisible(cpu, selector, attributes);
  if (isGood) cpu.setResult(result());
  return answer(cpu, isGood);
}

export function loadAccessRights(cpu: Cpu): Status {
  return test(cpu, isLongMode(cpu.state) ? LONG_RIGHTS : HAS_RIGHTS, () => cpu.descriptorHi & 0x00f0_ff00);
}

export function loadSegmentLimit(cpu: Cpu): Status {
  return test(cpu, isLongMode(cpu.state) ? LONG_LIMIT : HAS_LIMIT, () => limitOf(cpu.descriptorLo, cpu.descriptorHi));
}

function verify(cpu: Cpu, isUsable: (attributes: number) => boolean): Status {
  if (!hasDescriptors(cpu.state)) return cpu.undefinedOpcode();
  const selector = cpu.argLo(0) & 0xffff;
  cpu.state.setWord(STATE.faultVector, -1);
  const attributes = inspect(cpu, selector) ? attributesOf(cpu.descriptorHi) : 0;
  return answer(cpu, isUsable(attributes) && isVisible(cpu, selector, attributes));
}

export function verifyRead(cpu: Cpu): Status { return verify(cpu, isReadable); }
export function verifyWrite(cpu: Cpu): Status { return verify(cpu, isWritableData); }
