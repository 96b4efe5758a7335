import { commonMnemonic, hex, immediateValue, indexName, needsMovabs, registerOrImmediate, relativeTarget } from './format-parts.ts';
import type { Instruction } from './instruction.ts';
import { OpKind } from './operand-codes.ts';
import { gprName, SEGMENT_NAMES } from './register-names.ts';

const SIZE_NAMES: Readonly<Record<number, string>> = {
  1: 'byte ptr ', 2: 'word ptr ', 4: 'dword ptr ', 6: 'fword ptr ', 8: 'qword ptr ', 10: 'tbyte ptr ', 16: 'xmmword ptr ', 32: 'ymmword ptr ',
};
/** Rows whose memory operand objdump prints without a size. */
const UNSIZED = /^(lea|fx|xsave|xrstor|[sl]gdt|[sl]idt|fldenv|fnstenv|fnsave|frstor|movdir64b|wru?ss|v?lddqu)/;

export function intelText(inst: Instruction, address: bigint): string {
  const { row } = inst;
  if (row.mnemonic === 'nop' && row.map === '' && inst.has66) {
    const name = gprName(0, inst.opSize);
    return `xchg ${name}, ${name}`;
  }
  const operands: string[] = [];
  for (let i = 0; i < inst.opCount; i++) if (row.hidden[i] !== true) operands.push(intelOperand(inst, i, address));
  return `${intelMnemonic(inst)}${operands.length === 0 ? '' : ` ${operands.join(', ')}`}`;
}

function intelMnemonic(inst: Instruction): string {
  const { mnemonic } = inst.row;
  if (mnemonic === 'callf' || mnemonic === 'jmpf') return inst.row.operands[0] === 'Ap' ? mnemonic.slice(0, -1) : `${mnemonic.slice(0, -1)} far`;
  if (mnemonic === 'mov' && needsMovabs(inst)) return 'movabs';
  if (mnemonic === 'pusha' || mnemonic === 'popa') return stackMnemonic(inst, mnemonic, 'w', inst.mode === 32 ? '' : 'd');
  if (mnemonic === 'pushf' || mnemonic === 'popf') return stackMnemonic(inst, mnemonic, 'w', inst.mode === 16 ? 'd' : '');
  if (mnemonic === 'iret') return stackMnemonic(inst, mnemonic, 'w', inst.mode === 16 ? 'd' : '');
  if ((mnemonic === 'sysret' || mnemonic === 'sysexit') && inst.mode === 64) return mnemonic + (inst.opSize === 8 ? 'q' : 'd');
  if (hidesSize(inst)) return stackMnemonic(inst, mnemonic, 'w', inst.mode === 16 ? 'd' : '');
  if (mnemonic === 'retf') return stackMnemonic(inst, mnemonic, 'w', inst.mode === 16 ? 'd' : '');
  return commonMnemonic(inst);
}

/** Stack instructions whose operands do not show the operand size. */
function hidesSize(inst: Instruction): boolean {
  const { mnemonic, operands } = inst.row;
  if (mnemonic === 'push' || mnemonic === 'pop') return /^(I|[C-GS]S)/.test(operands[0] ?? '');
  return mnemonic === 'ret' || mnemonic === 'leave' || mnemonic === 'enter';
}

/** objdump names the size only where it is not the mode's own. */
function stackMnemonic(inst: Instruction, name: string, word: string, dword: string): string {
  if (inst.opSize === 2) return inst.mode === 16 ? name : name + word;
  if (inst.opSize === 8) return name === 'iret' || name === 'retf' ? `${name}q` : name;
  return name + dword;
}

function intelOperand(inst: Instruction, i: number, address: bigint): string {
  const reg = inst.opReg[i] ?? 0;
  const size = inst.opSizeBytes[i] ?? 0;
  switch (inst.opKind[i]) {
    case OpKind.mem: return memoryOperand(inst, size);
    case OpKind.moffs: return `${sizeName(size, false)}${segmentOf(inst)}${hex(immediateValue(inst), inst.addrSize * 8)}`.replace(/^.*ptr /, '');
    case OpKind.memSi: return `${SIZE_NAMES[size] ?? ''}${segmentOf(inst)}[${gprName(6, inst.addrSize)}]`;
    case OpKind.memDi: return `${SIZE_NAMES[size] ?? ''}es:[${gprName(7, inst.addrSize)}]`;
    case OpKind.memXlat: return `byte ptr ${segmentOf(inst)}[${gprName(3, inst.addrSize)}]`;
    case OpKind.memMaskmov: return `${segmentOf(inst)}[${gprName(7, inst.addrSize)}]`;
    case OpKind.rel: return hex(relativeTarget(inst, address), 64);
    case OpKind.far: return `${hex(BigInt(inst.imm2), 16)}:${hex(immediateValue(inst), inst.opSize * 8)}`;
    default: return registerOrImmediate(inst, i, reg, size);
  }
}

function segmentOf(inst: Instruction): string {
  return `${SEGMENT_NAMES[inst.seg] ?? 'ds'}:`;
}

function sizeName(size: number, unsized: boolean): string {
  return unsized ? '' : SIZE_NAMES[size] ?? '';
}

function memoryOperand(inst: Instruction, size: number): string {
  const overridden = inst.segOverride >= (inst.mode === 64 ? 4 : 0) && inst.segOverride === inst.seg;
  const bits = inst.addrSize * 8;
  const prefix = sizeName(size, UNSIZED.test(inst.row.mnemonic));
  if (inst.base < 0 && inst.index < 0 && !inst.ripRelative) return `${prefix}${segmentOf(inst)}${hex(BigInt(inst.disp), bits)}`;
  const parts: string[] = [];
  if (inst.ripRelative) parts.push(inst.addrSize === 8 ? 'rip' : 'eip');
  if (inst.base >= 0) parts.push(gprName(inst.base, inst.addrSize));
  if (inst.index >= 0) parts.push(`${indexName(inst)}${inst.addrSize === 2 ? '' : `*${1 << inst.scale}`}`);
  return `${prefix}${overridden ? segmentOf(inst) : ''}[${parts.join('+')}${displacementText(inst)}]`;
}

function displacementText(inst: Instruction): string {
  if (inst.dispBytes === 0) return '';
  if (inst.ripRelative) return `+${hex(BigInt(inst.disp), 64)}`;
  return inst.disp < 0 ? `-0x${(-inst.disp).toString(16)}` : `+0x${inst.disp.toString(16)}`;
}
