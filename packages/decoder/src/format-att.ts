import { commonMnemonic, immediateValue, relativeTarget } from './format.ts';
import { indexName, needsMovabs, registerOrImmediate } from './format-intel.ts';
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

const hex = (value: bigint, bits: number): string => `0x${BigInt.asUintN(bits, value).toString(16)}`;

export function attText(inst: Instruction, address: bigint): string {
  if (inst.row.mnemonic === 'nop' && inst.row.map === '' && inst.has66) return `xchg %${gprName(0, inst.opSize)}, %${gprName(0, inst.opSize)}`;
  const operands: string[] = [];
  for (let i = inst.opCount - 1; i >= 0; i--) if (inst.row.hidden[i] !== true) operands.push(attOperand(inst, i, address));
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
  if (row.mnemonic === 'movsxd') return `movsl${SUFFIX[inst.opSize] ?? ''}`;
  return name + sizeSuffix(inst);
}

/** A suffix only where no register gives the size away. */
function sizeSuffix(inst: Instruction): string {
  let memory = -1;
  for (let i = 0; i < inst.opCount; i++) {
    const kind = inst.opKind[i] ?? 0;
    if (inst.row.hidden[i] === true) continue;
    if (isSizingRegister(kind) && !isCount(inst, i)) return '';
    if (kind === OpKind.mem || kind === OpKind.memDi || kind === OpKind.memSi) memory = i;
  }
  if (memory < 0) return '';
  const size = inst.opSizeBytes[memory] ?? 0;
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
    case OpKind.moffs: return `${inst.segOverride >= 0 ? seg : ''}${hex(immediateValue(inst), inst.addrSize * 8)}`;
    case OpKind.memSi: return `${seg}(%${gprName(6, inst.addrSize)})`;
    case OpKind.memDi: return `%es:(%${gprName(7, inst.addrSize)})`;
    case OpKind.memXlat: return `${seg}(%${gprName(3, inst.addrSize)})`;
    case OpKind.memMaskmov: return `${seg}(%${gprName(7, inst.addrSize)})`;
    case OpKind.rel: return hex(relativeTarget(inst, address), 64);
    case OpKind.far: return `$${hex(BigInt(inst.imm2), 16)}, $${hex(immediateValue(inst), inst.opSize * 8)}`;
    case OpKind.imm: if (inst.row.operands[i] === '1') return '$1'; return `$${registerOrImmediate(inst, i, 0, size)}`;
    case OpKind.imm2: return `$${registerOrImmediate(inst, i, 0, size)}`;
    default: return `${star}%${registerOrImmediate(inst, i, inst.opReg[i] ?? 0, size)}`;
  }
}

function memoryOperand(inst: Instruction): string {
  const seg = inst.segOverride >= (inst.mode === 64 ? 4 : 0) && inst.segOverride === inst.seg ? `%${SEGMENT_NAMES[inst.seg] ?? 'ds'}:` : '';
  if (inst.base < 0 && inst.index < 0 && !inst.ripRelative) return `${seg}${hex(BigInt(inst.disp), inst.addrSize * 8)}`;
  const disp = inst.dispBytes === 0 ? '' : inst.ripRelative ? hex(BigInt(inst.disp), inst.addrSize * 8) : inst.disp < 0 ? `-0x${(-inst.disp).toString(16)}` : `0x${inst.disp.toString(16)}`;
  const base = inst.ripRelative ? (inst.addrSize === 8 ? '%rip' : '%eip') : inst.base < 0 ? '' : `%${gprName(inst.base, inst.addrSize)}`;
  const index = inst.index < 0 ? '' : `,%${indexName(inst)}${inst.addrSize === 2 ? '' : `,${1 << inst.scale}`}`;
  return `${seg}${disp}(${base}${index})`;
}
