/** @hot From decoded instructions to the interpreter's records: which handler, and what goes in each field. */
import { OpKind } from '@vmm/decoder';
import type { Instruction, Row } from '@vmm/decoder';
import { CS, FS, INSTRUCTIONS } from '@vmm/isa';
import type { Form, FormFact, InstructionEntry, OperandFact, OperandKind } from '@vmm/isa';
import { STATE } from '@vmm/state';
import { codeSizeOf, hasFlatSegments, MODE } from './mode.ts';
import { RECORD } from './record.ts';

const KINDS: Readonly<Record<number, OperandKind>> = {
  [OpKind.gpr]: 'reg', [OpKind.gpr8h]: 'reg', [OpKind.mem]: 'mem', [OpKind.imm]: 'imm', [OpKind.imm2]: 'imm', [OpKind.rel]: 'imm', [OpKind.far]: 'imm',
  [OpKind.moffs]: 'moffs', [OpKind.seg]: 'seg', [OpKind.cr]: 'cr', [OpKind.dr]: 'dr', [OpKind.xmm]: 'xmm', [OpKind.ymm]: 'xmm', [OpKind.mmx]: 'mmx', [OpKind.st]: 'st',
  [OpKind.memSi]: 'mem', [OpKind.memDi]: 'mem', [OpKind.memXlat]: 'mem', [OpKind.memMaskmov]: 'mem',
};

/** The entry for a row; undefined for what this CPU does not implement, which raises #UD like any instruction a processor lacks. */
export function entryFor(row: Row): InstructionEntry | undefined {
  return INSTRUCTIONS[row.mnemonic] ?? INSTRUCTIONS[`v:${row.mnemonic}`];
}

const uses = (entry: InstructionEntry, fact: FormFact): boolean => entry.uses?.includes(fact) ?? false;

export function stackSizeOf(modeKey: number): number {
  if ((modeKey & MODE.CODE_SIZE) === MODE.CODE64) return 8;
  return modeKey & MODE.STACK32 ? 4 : 2;
}

/** The decode-time facts of an instruction that its entry tests. */
export function formOf(inst: Instruction, entry: InstructionEntry, modeKey: number): Form {
  const operands: OperandFact[] = [];
  for (let i = 0; i < inst.opCount; i++) {
    const kind = KINDS[inst.opKind[i]!];
    // an immediate's own width never matters: it is read at the width that is asked for
    if (kind !== undefined) operands.push({ kind, size: kind === 'imm' ? 0 : inst.opSizeBytes[i]! });
  }
  return {
    mnemonic: inst.row.mnemonic,
    operands,
    opSize: uses(entry, 'size') ? inst.opSize : 0,
    addressSize: uses(entry, 'address') ? inst.addrSize : 0,
    stackSize: uses(entry, 'stack') ? stackSizeOf(modeKey) : 0,
    mode: uses(entry, 'mode') ? inst.mode : 0,
    rep: uses(entry, 'rep') && inst.row.repeatable ? inst.rep : 0,
    vex: inst.isVex,
    ...(uses(entry, 'length') && inst.vexL === 1 ? { wide: true as const } : {}),
  };
}

/**
 * A number that says the same as `formOf` for a row, cheaper to compare: operand kinds and sizes follow from the row, sizes and modrm form. Privilege and
 * protection are part of it, for what an instruction means depends on them (`BlockCache.lower`).
 */
export function quickKey(inst: Instruction, modeKey: number): number {
  const sizes = (inst.opSize >> 2 << 0) | (inst.addrSize >> 2 << 2) | (inst.rep === 0 ? 0 : inst.rep === 0xf3 ? 1 : 2) << 4;
  const isRegister = inst.hasModrm && inst.mod === 3 ? 1 : 0;
  return (((inst.row.index * 64 + sizes) * 2 + isRegister) * 2 + inst.vexL) * 128 + (modeKey & 7 | modeKey >> 1 & 0x38) * 2 + (inst.isVex ? 1 : 0);
}

/** Whether operands in memory and the stack are in segments that neither add nor check anything, and addresses are those of the mode, without index. */
export function isPlain(inst: Instruction, modeKey: number): boolean {
  if (!hasFlatSegments(modeKey) || inst.addrSize === 2 || inst.addrSize * 8 !== codeSizeOf(modeKey)) return false;
  if (!inst.hasModrm || inst.mod === 3) return true;
  return inst.index < 0 && inst.seg !== CS && inst.seg < FS;
}

const MASK_NUMBER: Readonly<Record<number, number>> = { 2: 0, 4: 1, 8: 2 };

/** Fill the 24-byte record at `at`. `end` is the offset of the instruction's end from the start of its block. */
export function writeRecord(data: DataView, at: number, inst: Instruction, handler: number, end: number): void {
  data.setUint16(at + RECORD.handler, handler, true);
  data.setUint16(at + RECORD.end, end, true);
  data.setUint32(at + RECORD.slots, 0, true);
  data.setUint8(at + RECORD.length, inst.length);
  data.setInt32(at + RECORD.immediate, inst.immLo, true);
  data.setInt32(at + RECORD.immediate + 4, inst.immHi, true);
  let hasMemory = false;
  for (let i = 0; i < inst.opCount; i++) {
    const kind = inst.opKind[i]!, register = inst.opReg[i]!;
    let slot = register;
    if (kind === OpKind.gpr) slot = register * 8;
    else if (kind === OpKind.gpr8h) slot = (register - 4) * 8 + 1;
    else if (kind === OpKind.mem || kind >= OpKind.memSi || kind === OpKind.moffs) { hasMemory = true; continue; }
    else if (kind === OpKind.imm || kind === OpKind.rel || kind === OpKind.far || kind === OpKind.imm2) continue;
    data.setUint8(at + (i === 3 ? RECORD.immediate : RECORD.slots + i), slot);
  }
  if (!hasMemory) {
    data.setInt32(at + RECORD.displacement, inst.imm2, true);
    // MONITOR has its address in a register: the segment counts all the same
    data.setUint32(at + RECORD.base, STATE.zero | STATE.zero << 8 | (inst.seg << 4 | MASK_NUMBER[inst.addrSize]!) << 24, true);
    return;
  }
  // POP to memory computes its address with the stack pointer already moved
  const popAdjust = inst.row.mnemonic === 'pop' && inst.base === 4 ? inst.opSize : 0;
  const displacement = inst.ripRelative ? inst.disp + end : inst.disp + popAdjust;
  data.setInt32(at + RECORD.displacement, displacement, true);
  data.setUint8(at + RECORD.base, inst.ripRelative ? STATE.blockRip : inst.base < 0 ? STATE.zero : inst.base * 8);
  data.setUint8(at + RECORD.index, inst.index < 0 ? STATE.zero : inst.index * 8);
  data.setUint8(at + RECORD.scale, inst.scale);
  data.setUint8(at + RECORD.segment, inst.seg << 4 | MASK_NUMBER[inst.addrSize]!);
}
