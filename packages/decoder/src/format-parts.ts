import type { Instruction } from './instruction.ts';
import { OpKind } from './operand-codes.ts';
import { gprName, highByteName, SEGMENT_NAMES } from './register-names.ts';

/** What both syntaxes share. */

export const hex = (value: bigint, bits: number): string => `0x${BigInt.asUintN(bits, value).toString(16)}`;

export function immediateValue(inst: Instruction): bigint {
  return (BigInt(inst.immHi) << 32n) | BigInt(inst.immLo >>> 0);
}

export function relativeTarget(inst: Instruction, address: bigint): bigint {
  // XBEGIN's displacement may be 16 bits wide, its target is not.
  const bits = inst.row.mnemonic === 'xbegin' ? Math.max(inst.mode, 32) : inst.opSize * 8;
  return BigInt.asUintN(bits, address + BigInt(inst.length) + immediateValue(inst));
}

/** The mnemonics people write; the table's are one a row. */
export function commonMnemonic(inst: Instruction): string {
  const { row } = inst;
  if (row.cond >= 0) return row.mnemonic.slice(0, -conditionLength(row.cond)) + (COMMON_CONDITIONS[row.cond] ?? '');
  const bySize = BY_OPERAND_SIZE[row.mnemonic];
  if (bySize !== undefined) return bySize[inst.opSize >> 2] ?? row.mnemonic;
  return row.mnemonic === 'wait' ? 'fwait' : row.mnemonic;
}

const CONDITION_LENGTHS = [1, 2, 1, 2, 1, 2, 2, 3, 1, 2, 1, 2, 1, 2, 2, 3];
const conditionLength = (cond: number): number => CONDITION_LENGTHS[cond] ?? 0;
const COMMON_CONDITIONS = ['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'];
/** [16, 32, 64]: the default size of a mode has the plain name only where objdump agrees. */
const BY_OPERAND_SIZE: Readonly<Record<string, readonly string[]>> = {
  iret: ['iretw', 'iret', 'iretq'], sysret: ['sysret', 'sysret', 'sysretq'], sysexit: ['sysexit', 'sysexit', 'sysexitq'], rdssp: ['rdsspd', 'rdsspd', 'rdsspq'],
  incssp: ['incsspd', 'incsspd', 'incsspq'], wrss: ['wrssd', 'wrssd', 'wrssq'], wruss: ['wrussd', 'wrussd', 'wrussq'],
  fxsave: ['fxsave', 'fxsave', 'fxsave64'], fxrstor: ['fxrstor', 'fxrstor', 'fxrstor64'], xsave: ['xsave', 'xsave', 'xsave64'],
  xrstor: ['xrstor', 'xrstor', 'xrstor64'], xsaveopt: ['xsaveopt', 'xsaveopt', 'xsaveopt64'], xsavec: ['xsavec', 'xsavec', 'xsavec64'],
  xsaves: ['xsaves', 'xsaves', 'xsaves64'], xrstors: ['xrstors', 'xrstors', 'xrstors64'],
};

export function needsMovabs(inst: Instruction): boolean {
  const [first, second] = inst.row.operands;
  return (second === 'Iv' && inst.opSize === 8) || (inst.addrSize === 8 && (first?.startsWith('O') === true || second?.startsWith('O') === true));
}

/** Operands that read the same in every syntax but for decoration. */
export function registerOrImmediate(inst: Instruction, i: number, reg: number, size: number): string {
  switch (inst.opKind[i]) {
    case OpKind.gpr: return gprName(reg, size);
    case OpKind.gpr8h: return highByteName(reg);
    case OpKind.imm: return inst.row.operands[i] === '1' ? '1' : hex(immediateValue(inst), size * 8);
    case OpKind.imm2: return hex(BigInt(inst.imm2), 8);
    case OpKind.seg: return SEGMENT_NAMES[reg] ?? '?';
    case OpKind.cr: return `cr${reg}`;
    case OpKind.dr: return `dr${reg}`;
    case OpKind.xmm: return `xmm${reg}`;
    case OpKind.ymm: return `ymm${reg}`;
    case OpKind.mmx: return `mm${reg}`;
    case OpKind.st: return reg === 0 && !inst.row.operands[i]?.startsWith('STi') ? 'st' : `st(${reg})`;
    default: return '?';
  }
}

export function indexName(inst: Instruction): string {
  const { vsib } = inst.row;
  if (vsib === '') return gprName(inst.index, inst.addrSize);
  return `${vsib === 'l' && inst.vexL === 1 ? 'ymm' : 'xmm'}${inst.index}`;
}
