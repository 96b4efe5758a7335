import {
  CodeSize, CpuidFeature, Decoder, DecoderOptions, MemorySize, MemorySizeExt, Mnemonic, OpKind, Register, RegisterExt, type Instruction,
} from 'iced-x86';
import { INVALID_VIEW, segmentView, type View } from './view.ts';

/** iced-x86 over one buffer; `at` may be called for any offset. */
export class Iced {
  readonly #decoder: Decoder;
  readonly #address: bigint;

  constructor(bytes: Uint8Array, mode: 16 | 32 | 64, address: bigint) {
    this.#decoder = new Decoder(mode, bytes, DecoderOptions.None);
    this.#address = address;
  }

  /** The caller frees the instruction. */
  at(offset: number): Instruction {
    this.#decoder.position = offset;
    this.#decoder.ip = this.#address + BigInt(offset);
    return this.#decoder.decode();
  }

  free(): void {
    this.#decoder.free();
  }
}

export function featuresOf(inst: Instruction): string[] {
  return [...inst.cpuidFeatures()].map((f) => CpuidFeature[f] ?? String(f));
}

const CONDITION: Readonly<Record<string, string>> = {
  ae: 'nb', a: 'nbe', e: 'z', ne: 'nz', ge: 'nl', g: 'nle', b: 'b', be: 'be', l: 'l', le: 'le', o: 'o', no: 'no', s: 's', ns: 'ns', p: 'p', np: 'np',
};
/** iced-x86 has one name a size where the SDM has one instruction with several sizes. */
const NAMES: Readonly<Record<string, string>> = {
  sal: 'shl', iretd: 'iret', iretq: 'iret', pushfd: 'pushf', pushfq: 'pushf', popfd: 'popf', popfq: 'popf', pushad: 'pusha', popad: 'popa',
  xlatb: 'xlat', sysretq: 'sysret', sysexitq: 'sysexit', reservednop: 'nop', rdsspd: 'rdssp', rdsspq: 'rdssp', incsspd: 'incssp', incsspq: 'incssp',
  wrssd: 'wrss', wrssq: 'wrss', wrussd: 'wruss', wrussq: 'wruss', fxsave64: 'fxsave', fxrstor64: 'fxrstor', xsave64: 'xsave', xrstor64: 'xrstor',
  xsaveopt64: 'xsaveopt', xsavec64: 'xsavec', xsaves64: 'xsaves', xrstors64: 'xrstors', fstpnce: 'fstp', pcmpestri64: 'pcmpestri',
  pcmpestrm64: 'pcmpestrm', vpcmpestri64: 'vpcmpestri', vpcmpestrm64: 'vpcmpestrm', prefetchreserved: 'prefetch',
};
const STRING = /^(movs|stos|lods|cmps|scas|ins|outs)[bwdq]$/;
const FAR_SIZES = new Set([MemorySize.SegPtr16, MemorySize.SegPtr32, MemorySize.SegPtr64]);

const IMPLIED_ST0 = new Set(['fxch', 'fcom', 'fcomp', 'fucom', 'fucomp']);

function mnemonicOf(inst: Instruction): string {
  const name = (Mnemonic[inst.mnemonic] ?? '?').toLowerCase();
  const condition = /^(j|set|cmov)(.*)$/.exec(name);
  const canonical = condition === null ? undefined : CONDITION[condition[2] ?? ''];
  if (condition !== null && canonical !== undefined) return `${condition[1] ?? ''}${canonical}`;
  if (STRING.test(name) && inst.isStringInstruction) return name.slice(0, -1);
  if ((name === 'call' || name === 'jmp') && isFar(inst)) return `${name}f`;
  return NAMES[name] ?? name;
}

function isFar(inst: Instruction): boolean {
  const kind = inst.opKind(0);
  return kind === OpKind.FarBranch16 || kind === OpKind.FarBranch32 || (kind === OpKind.Memory && FAR_SIZES.has(inst.memorySize));
}

export function icedView(inst: Instruction): View {
  if (inst.isInvalid) return INVALID_VIEW;
  const operands: string[] = [];
  for (let i = 0; i < inst.opCount; i++) {
    // MASKMOV's implied destination.
    const kind = inst.opKind(i);
    if (kind < OpKind.MemorySegDI || kind > OpKind.MemorySegRDI) operands.push(operandView(inst, i));
  }
  // Implied operands that assembly text does not have: ST0, and ModRM.reg of the reserved NOPs.
  const name = mnemonicOf(inst);
  if (IMPLIED_ST0.has(name) && operands.length === 2) operands.shift();
  if (name === 'nop' && operands.length === 2) operands.pop();
  const repeat = !inst.isStringInstruction ? '' : inst.hasRepnePrefix ? 'repne ' : inst.hasRepPrefix ? 'rep ' : '';
  return { valid: true, length: inst.length, mnemonic: name, operands, prefixes: (inst.hasLockPrefix ? 'lock ' : '') + repeat };
}

function registerName(register: Register): string {
  const name = (Register[register] ?? '?').toLowerCase();
  return /^r\d+l$/.test(name) ? `${name.slice(0, -1)}b` : name;
}

function operandView(inst: Instruction, i: number): string {
  const size = MemorySizeExt.size(inst.memorySize);
  const seg = segmentView(bitnessOf(inst), registerName(inst.memorySegment));
  const kind = inst.opKind(i);
  switch (kind) {
    case OpKind.Register: return registerName(inst.opRegister(i));
    case OpKind.NearBranch16: case OpKind.NearBranch32: case OpKind.NearBranch64: return `->${inst.nearBranchTarget.toString(16)}`;
    case OpKind.FarBranch16: return `${inst.farBranchSelector.toString(16)}:${inst.farBranch16.toString(16)}`;
    case OpKind.FarBranch32: return `${inst.farBranchSelector.toString(16)}:${inst.farBranch32.toString(16)}`;
    case OpKind.MemorySegSI: case OpKind.MemorySegESI: case OpKind.MemorySegRSI:
      return `[${seg}:${['si', 'esi', 'rsi'][kind - OpKind.MemorySegSI] ?? ''}]:${size}`;
    case OpKind.MemoryESDI: case OpKind.MemoryESEDI: case OpKind.MemoryESRDI:
      return `[${segmentView(bitnessOf(inst), 'es')}:${['di', 'edi', 'rdi'][kind - OpKind.MemoryESDI] ?? ''}]:${size}`;
    case OpKind.Memory: return `[${seg}:${addressText(inst)}]:${size}`;
    default: return immediateText(inst, i, kind);
  }
}

function immediateText(inst: Instruction, i: number, kind: OpKind): string {
  const bits = kind === OpKind.Immediate8to16 || kind === OpKind.Immediate16 ? 16 : kind === OpKind.Immediate8to32 || kind === OpKind.Immediate32 ? 32
    : kind === OpKind.Immediate8to64 || kind === OpKind.Immediate32to64 || kind === OpKind.Immediate64 ? 64 : 8;
  return BigInt.asUintN(bits, inst.immediate(i)).toString(16);
}

function addressText(inst: Instruction): string {
  const disp = inst.memoryDisplacement;
  const base = inst.memoryBase;
  if (base === Register.RIP || base === Register.EIP) return `rip:${BigInt.asUintN(base === Register.RIP ? 64 : 32, disp).toString(16)}`;
  const index = inst.memoryIndex;
  if (index === Register.AL) return `${registerName(base)}+al`;
  let text = base === Register.None ? '' : registerName(base);
  if (index !== Register.None) text += `+${registerName(index)}*${inst.memoryIndexScale}`;
  const width = addressBits(inst, base, index);
  return `${text}+${BigInt.asUintN(width, disp).toString(16)}`;
}

function addressBits(inst: Instruction, base: Register, index: Register): number {
  const register = base !== Register.None ? base : index;
  if (register !== Register.None && !RegisterExt.isXMM(register) && !RegisterExt.isYMM(register)) return RegisterExt.size(register) * 8;
  return inst.memoryDisplSize === 2 ? 16 : inst.memoryDisplSize === 4 ? 32 : 64;
}

function bitnessOf(inst: Instruction): 16 | 32 | 64 {
  return inst.codeSize === CodeSize.Code64 ? 64 : inst.codeSize === CodeSize.Code32 ? 32 : 16;
}
