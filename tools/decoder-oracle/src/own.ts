import { decode, Instruction, OpKind } from '@vmm/decoder';
import { gprName, hexOf, HIGH_NAMES, INVALID_VIEW, SEGMENT_NAMES, segmentView, type View } from './view.ts';

const inst = new Instruction();

/** Decodes with @vmm/decoder. `address` is that of the first byte. */
export function ownView(bytes: Uint8Array, offset: number, mode: 16 | 32 | 64, address: bigint): View {
  const length = decode(bytes, offset, bytes.length, mode, inst);
  if (length <= 0) return INVALID_VIEW;
  const operands: string[] = [];
  for (let i = 0; i < inst.opCount; i++) {
    if (inst.row.hidden[i] !== true && inst.row.operands[i] !== 'XMM0') operands.push(operandView(i, address));
  }
  const repeat = inst.rep !== 0 && inst.row.repeatable ? (inst.rep === 0xf2 ? 'repne ' : 'rep ') : '';
  return { valid: true, length, mnemonic: inst.row.mnemonic, operands, prefixes: (inst.lock ? 'lock ' : '') + repeat };
}

/** The instruction the last `ownView` decoded. */
export const lastOwn: Instruction = inst;

function immediate(): bigint {
  return (BigInt(inst.immHi) << 32n) | BigInt(inst.immLo >>> 0);
}

function operandView(i: number, address: bigint): string {
  const reg = inst.opReg[i] ?? 0;
  const size = inst.opSizeBytes[i] ?? 0;
  const seg = segmentView(inst.mode, SEGMENT_NAMES[inst.seg] ?? '?');
  switch (inst.opKind[i]) {
    case OpKind.gpr: return gprName(reg, size);
    case OpKind.gpr8h: return HIGH_NAMES[reg] ?? '?';
    case OpKind.mem: return `[${seg}:${addressText(address)}]:${size}`;
    case OpKind.imm: return hexOf(immediate(), size * 8);
    case OpKind.imm2: return hexOf(BigInt(inst.imm2), 8);
    case OpKind.rel: return `->${hexOf(address + BigInt(inst.length) + immediate(), inst.opSize * 8)}`;
    case OpKind.far: return `${hexOf(BigInt(inst.imm2), 16)}:${hexOf(immediate(), inst.opSize * 8)}`;
    case OpKind.moffs: return `[${seg}:+${hexOf(immediate(), 64)}]:${size}`;
    case OpKind.seg: return SEGMENT_NAMES[reg] ?? '?';
    case OpKind.cr: return `cr${reg}`;
    case OpKind.dr: return `dr${reg}`;
    case OpKind.xmm: return `xmm${reg}`;
    case OpKind.ymm: return `ymm${reg}`;
    case OpKind.mmx: return `mm${reg}`;
    case OpKind.st: return `st${reg}`;
    case OpKind.memSi: return `[${seg}:${gprName(6, inst.addrSize)}]:${size}`;
    case OpKind.memDi: return `[${segmentView(inst.mode, 'es')}:${gprName(7, inst.addrSize)}]:${size}`;
    case OpKind.memXlat: return `[${seg}:${gprName(3, inst.addrSize)}+al]:1`;
    case OpKind.memMaskmov: return `[${seg}:${gprName(7, inst.addrSize)}]`;
    default: return `kind ${String(inst.opKind[i])}`;
  }
}

function addressText(address: bigint): string {
  const size = inst.addrSize;
  if (inst.ripRelative) return `rip:${hexOf(address + BigInt(inst.length) + BigInt(inst.disp), size * 8)}`;
  let text = inst.base >= 0 ? gprName(inst.base, size) : '';
  if (inst.index >= 0) {
    const vector = inst.row.vsib === '' ? '' : inst.row.vsib === 'l' && inst.vexL === 1 ? 'ymm' : 'xmm';
    text += `+${vector === '' ? gprName(inst.index, size) : `${vector}${inst.index}`}*${1 << inst.scale}`;
  }
  return `${text}+${hexOf(BigInt(inst.disp), size * 8)}`;
}
