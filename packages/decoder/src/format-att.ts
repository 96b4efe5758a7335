import { commonMnemonic, hex, immediateValue, indexName, needsMovabs, registerOrImmediate, relativeTarget } from './format-parts.ts';
import type { Instruction } from './instruction.ts';
import { OpKind } from './operand-codes.ts';
import { gprName, SEGMENT_NAMES } from './register-names.ts';

const SUFFIX: Readonly<Record<number, string>> = { 1: 'b', 2: 'w', 4: 'l', 8: 'q' };
const FLOAT_SUFFIX: Readonly<Record<number, string>> = { 4: 's', 8: 'l', 10: 't' };
const INTEGER_FLOAT_SUFFIX: Readonly<Record<number, string>> = { 2: 's', 4: 'l', 8: 'll' };
/** Names that only AT&T syntax has. */
const NAMES: Readonly<Record<string, string>> = {
  cbw: 'cbtw', cwde: 'cwtl', cdqe: 'cltq', cwd: 'cwtd', cdq: 'cltd', cqo: 'cqto', callf: 'lcall', jmpf: 'ljmp', retf: 'lret', movsxd: 'movsl',
};

export function attText(inst: Instruction, address: bigint): string {
  if (inst.row.mnemonic === 'nop' && inst.row.map === '' && inst.has66) return `xchg %${gprName(0, inst.opSize)}, %${gprName(0, inst.opSize)}`;
  const operands: string[] = [];
  for (let i = inst.opCount - 1; i >= 0; i--) {
    // Shifts by one have no count.
    if (inst.row.hidden[i] !== true && inst.row.operands[i] !== '1') operands.push(attOperand(inst, i, address));
  }
  // ENTER and far pointers keep their order.
  if (inst.row.mnemonic === 'enter') operands.reverse();
  return `${attMnemonic(inst)}${operands.length === 0 ? '' : ` ${operands.join(', ')}`}`;
}

function attMnemonic(inst: Instruction): string {
  const { row } = inst;
  if (row.mnemonic === 'mov' && needsMovabs(inst)) return 'movabs';
  const name = NAMES[row.mnemonic] ?? commonMnemonic(inst);
  if (row.mnemonic === 'movzx' || row.mnemonic === 'movsx') {
    return `${name.slice(0, 4)}${SUFFIX[inst.opSizeBytes[1] ?? 0] ?? ''}${SUFFIX[inst.opSizeBytes[0] ?? 0] ?? ''}`;
  }
  if (row.mnemonic === 'movsxd' && inst.opSize !== 8) return 'movsxd';
  if (row.mnemonic === 'movsxd') return `movsl${SUFFIX[inst.opSize] ?? ''}`;
  if (inst.row.operands[0] === 'STi') return swapReverse(name);
  return name + (sizeSuffix(inst) || stackSuffix(inst));
}

/** Stack instructions whose operands do not show an unusual operand size. */
function stackSuffix(inst: Instruction): string {
  const { mnemonic, operands } = inst.row;
  if (mnemonic === 'sysret' || mnemonic === 'sysexit') return inst.mode !== 64 || inst.opSize === 8 ? '' : 'l';
  const showsSize = (mnemonic === 'push' || mnemonic === 'pop') && !/^(I|[C-GS]S)/.test(operands[0] ?? '');
  if (showsSize || !/^(push|pop|ret|retf|leave|enter|pushf|popf|pusha|popa)$/.test(mnemonic)) return '';
  const natural = inst.mode === 16 ? 2 : 4;
  const isUsual = inst.opSize === natural || (inst.opSize === 8 && mnemonic !== 'retf');
  return isUsual ? '' : SUFFIX[inst.opSize] ?? '';
}

/** AT&T assemblers swapped FSUB and FSUBR, FDIV and FDIVR with a register destination long ago, and everybody kept it. */
function swapReverse(name: string): string {
  const parts = /^(fsub|fdiv)(r?)(p?)$/.exec(name);
  return parts === null ? name : `${parts[1] ?? ''}${parts[2] === 'r' ? '' : 'r'}${parts[3] ?? ''}`;
}

/** A suffix only where no register gives the size away. */
function sizeSuffix(inst: Instruction): string {
  let memory = -1;
  for (let i = 0; i < inst.opCount; i++) {
    const kind = inst.opKind[i] ?? 0;
    if (inst.row.hidden[i] === true) continue;
    if (isSizingRegister(kind) && !isCount(inst, i) && !(kind === OpKind.xmm && inst.row.mnemonic.includes('cvtsi2s'))) return '';
    if (kind === OpKind.mem || kind === OpKind.memDi || kind === OpKind.memSi) memory = i;
  }
  if (memory < 0) return '';
  const size = inst.opSizeBytes[memory] ?? 0;
  // Stack and branch instructions show only an unusual size.
  const natural = inst.mode === 64 ? 8 : inst.mode === 32 ? 4 : 2;
  if (/^(push|pop|call|jmp)$/.test(inst.row.mnemonic) && size === natural) return '';
  if (/^v?cvtsi2s/.test(inst.row.mnemonic)) return SUFFIX[size] ?? '';
  if (inst.row.feature === 'fpu' || inst.row.mnemonic === 'fisttp') return floatSuffix(inst, size);
  if (!/^(base|cmov|movbe)$/.test(inst.row.feature) || /^(set|sgdt|sidt|lgdt|lidt|invlpg|prefetch|lea|jmpf|callf|lldt|ltr|ver|smsw|lmsw|str|sldt)/.test(inst.row.mnemonic)) return '';
  return SUFFIX[size] ?? '';
}

function isSizingRegister(kind: number): boolean {
  return kind === OpKind.gpr || kind === OpKind.gpr8h || (kind >= OpKind.seg && kind <= OpKind.mmx);
}

function isCount(inst: Instruction, i: number): boolean {
  return inst.row.operands[i] === 'CL' || inst.row.operands[i] === 'DX';
}

function floatSuffix(inst: Instruction, size: number): string {
  if (/^f(n?st(cw|sw|env)|n?save|ldcw|ldenv|rstor|bld|bstp)/.test(inst.row.mnemonic)) return '';
  return (inst.row.mnemonic.startsWith('fi') ? INTEGER_FLOAT_SUFFIX : FLOAT_SUFFIX)[size] ?? '';
}

function attOperand(inst: Instruction, i: number, address: bigint): string {
  const size = inst.opSizeBytes[i] ?? 0;
  const star = /^(jmp|call)/.test(inst.row.mnemonic) ? '*' : '';
  const seg = `%${SEGMENT_NAMES[inst.seg] ?? 'ds'}:`;
  switch (inst.opKind[i]) {
    case OpKind.mem: return star + memoryOperand(inst);
    case OpKind.moffs: return `${inst.segOverride >= (inst.mode === 64 ? 4 : 0) ? seg : ''}${hex(immediateValue(inst), inst.addrSize * 8)}`;
    case OpKind.memSi: return `${seg}(%${gprName(6, inst.addrSize)})`;
    case OpKind.memDi: return `%es:(%${gprName(7, inst.addrSize)})`;
    case OpKind.memXlat: return `${seg}(%${gprName(3, inst.addrSize)})`;
    case OpKind.memMaskmov: return `${seg}(%${gprName(7, inst.addrSize)})`;
    case OpKind.rel: return hex(relativeTarget(inst, address), 64);
    case OpKind.far: return `$${hex(BigInt(inst.imm2), 16)}, $${hex(immediateValue(inst), inst.opSize * 8)}`;
    case OpKind.dr: return `%db${inst.opReg[i] ?? 0}`;
    case OpKind.imm: return `$${registerOrImmediate(inst, i, 0, size)}`;
    case OpKind.imm2: return `$${registerOrImmediate(inst, i, 0, size)}`;
    case OpKind.gpr: return isPort(inst, i) ? '(%dx)' : `${star}%${gprName(inst.opReg[i] ?? 0, size)}`;
    default: return `${star}%${registerOrImmediate(inst, i, inst.opReg[i] ?? 0, size)}`;
  }
}

function isPort(inst: Instruction, i: number): boolean {
  return inst.row.operands[i] === 'DX' && /^(in|out|ins|outs)$/.test(inst.row.mnemonic);
}

function memoryOperand(inst: Instruction): string {
  const seg = inst.segOverride >= (inst.mode === 64 ? 4 : 0) && inst.segOverride === inst.seg ? `%${SEGMENT_NAMES[inst.seg] ?? 'ds'}:` : '';
  if (inst.base < 0 && inst.index < 0 && !inst.ripRelative) return `${seg}${hex(BigInt(inst.disp), inst.addrSize * 8)}`;
  const disp = inst.dispBytes === 0 ? '' : inst.disp < 0 ? `-0x${(-inst.disp).toString(16)}` : `0x${inst.disp.toString(16)}`;
  const base = inst.ripRelative ? (inst.addrSize === 8 ? '%rip' : '%eip') : inst.base < 0 ? '' : `%${gprName(inst.base, inst.addrSize)}`;
  const index = inst.index < 0 ? '' : `,%${indexName(inst)}${inst.addrSize === 2 ? '' : `,${1 << inst.scale}`}`;
  return `${seg}${disp}(${base}${index})`;
}
