import { Imm, parseOperandCode, Source, type OperandCode, type Row } from '@vmm/decoder';
import type { Register } from './registers.ts';

/** An operand with its expressions evaluated for this pass. Unknown values count as zero and `known` is false. */
export type Value =
  | { readonly kind: 'register'; readonly register: Register }
  | {
    readonly kind: 'memory'; readonly sizeBytes: number; readonly segment: number; readonly base: Register | undefined; readonly index: Register | undefined;
    readonly scale: number; readonly displacement: bigint; readonly relative: 'no' | 'address' | 'displacement';
  }
  | { readonly kind: 'immediate'; readonly sizeBytes: number; readonly distance: '' | 'short' | 'near'; readonly value: bigint; readonly known: boolean }
  | { readonly kind: 'far'; readonly sizeBytes: number; readonly selector: bigint; readonly offset: bigint };

export type MemoryValue = Extract<Value, { kind: 'memory' }>;

const codes = new Map<string, OperandCode>();

export function operandCode(code: string): OperandCode {
  let parsed = codes.get(code);
  if (parsed === undefined) codes.set(code, parsed = parseOperandCode(code));
  return parsed;
}

/** Size of the operand under a row's operand size (2, 4, 8) and vector length. */
export function sizeOf(code: OperandCode, isRegister: boolean, opSize: number, vexL: number): number {
  return code.sizes[(isRegister ? 8 : 0) + vexL * 4 + Math.log2(opSize) - 1] ?? 0;
}

/** True if the operand's size depends on the operand size: then an operand of known size fixes it. */
export function variesWithOpSize(code: OperandCode, isRegister: boolean): boolean {
  return new Set([2, 4, 8].map((size) => sizeOf(code, isRegister, size, 0))).size > 1;
}

/** The operands a row expects in the text. */
export function writtenCodes(row: Row): string[] {
  return row.operands.filter((_, i) => row.hidden[i] !== true);
}

export interface Situation { readonly mode: 16 | 32 | 64; readonly opSize: number; readonly vexL: number; readonly row: Row }

/** Does the operand fit the code? */
export function fits(value: Value, text: string, s: Situation): boolean {
  const code = operandCode(text);
  if (value.kind === 'register') return registerFits(value.register, code, s);
  if (value.kind === 'memory') return memoryFits(value, code, s);
  const size = sizeOf(code, false, s.opSize, s.vexL);
  if (value.kind === 'far') return code.source === Source.far && (value.sizeBytes === 0 || value.sizeBytes === s.opSize);
  if (code.source === Source.rel) return relativeFits(value, code, s);
  if (code.source !== Source.imm && code.source !== Source.imm2) return false;
  if (value.sizeBytes !== 0 && value.sizeBytes !== size && !(value.sizeBytes === 1 && code.imm === Imm.byteSigned)) return false;
  return immediateFits(value.value, value.known, code, size);
}

function registerFits(r: Register, code: OperandCode, s: Situation): boolean {
  const size = sizeOf(code, true, s.opSize, s.vexL);
  const isGpr = r.kind === 'gpr' && r.sizeBytes === size && (s.mode === 64 || (r.number < 8 && (size > 1 || r.number < 4) && size < 8));
  const memoryOnly = s.row.modrm.mod === 'mem';
  // MOV Sreg takes its 16 bits from a register of any size: no prefix needed.
  if (s.row.modrm.notCs && code.source === Source.rmGpr && r.kind === 'gpr') return r.sizeBytes === 2 || r.sizeBytes === 4 || (r.sizeBytes === 8 && s.mode === 64);
  switch (code.source) {
    case Source.rmGpr: return !memoryOnly && (isGpr || (r.kind === 'gpr8h' && size === 1));
    case Source.regGpr: case Source.opcodeGpr: return isGpr || (r.kind === 'gpr8h' && size === 1);
    case Source.vvvvGpr: return isGpr;
    case Source.fixedGpr: return isGpr && r.number === code.fixed;
    case Source.regAddr: case Source.rmAddr: return r.kind === 'gpr' && r.sizeBytes >= 2 && (s.mode === 64 ? r.sizeBytes >= 4 : r.sizeBytes <= 4);
    case Source.rmXmm: return !memoryOnly && vectorFits(r, size, s.mode);
    case Source.regXmm: case Source.vvvvXmm: case Source.is4Xmm: return vectorFits(r, size, s.mode);
    case Source.fixedXmm: return r.kind === 'xmm' && r.number === 0;
    case Source.rmMmx: return !memoryOnly && r.kind === 'mmx';
    case Source.regMmx: return r.kind === 'mmx';
    case Source.seg: return r.kind === 'seg' && !(s.row.modrm.notCs && r.number === 1);
    case Source.fixedSeg: return r.kind === 'seg' && r.number === code.fixed;
    case Source.cr: return r.kind === 'cr' && (s.mode === 64 || r.number < 8);
    case Source.dr: return r.kind === 'dr' && r.number < 8;
    case Source.st: return r.kind === 'st' && r.number === 0;
    case Source.rmSt: return r.kind === 'st';
    default: return false;
  }
}

function vectorFits(r: Register, size: number, mode: 16 | 32 | 64): boolean {
  return r.kind === (size === 32 ? 'ymm' : 'xmm') && (mode === 64 || r.number < 8);
}

function memoryFits(m: MemoryValue, code: OperandCode, s: Situation): boolean {
  const size = sizeOf(code, false, s.opSize, s.vexL);
  const sized = m.sizeBytes === 0 || size === 0 || m.sizeBytes === size;
  const isVector = m.index !== undefined && m.index.kind !== 'gpr';
  if (isVector !== (s.row.vsib !== '')) return false;
  switch (code.source) {
    case Source.rmGpr: case Source.rmXmm: case Source.rmMmx: case Source.rmMem:
      if (isVector && m.index?.kind !== (s.row.vsib === 'l' && s.vexL === 1 ? 'ymm' : 'xmm')) return false;
      return sized && s.row.modrm.mod !== 'reg' && s.row.modrm.exact < 0;
    case Source.moffs: return sized && m.base === undefined && m.index === undefined && m.relative === 'no';
    case Source.memSi: return sized && isPlain(m, 6);
    case Source.memDi: return sized && isPlain(m, 7) && (m.segment < 0 || m.segment === 0);
    case Source.memXlat: return sized && isPlain(m, 3);
    case Source.memMaskmov: return isPlain(m, 7);
    default: return false;
  }
}

function isPlain(m: MemoryValue, base: number): boolean {
  return m.base?.number === base && m.index === undefined && m.displacement === 0n && m.relative === 'no';
}

function relativeFits(value: Extract<Value, { kind: 'immediate' }>, code: OperandCode, s: Situation): boolean {
  const isShort = code.imm === Imm.relByte;
  if (value.distance === 'short' && !isShort) return false;
  if (value.distance === 'near' && isShort) return false;
  return value.sizeBytes === 0 || (!isShort && value.sizeBytes === s.opSize);
}

const within = (value: bigint, low: bigint, high: bigint): boolean => value >= low && value <= high;
const fitsBits = (value: bigint, bits: bigint): boolean => within(value, -(1n << (bits - 1n)), (1n << bits) - 1n);
const fitsSigned = (value: bigint, bits: bigint): boolean => within(value, -(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n);

function immediateFits(value: bigint, known: boolean, code: OperandCode, sizeBytes: number): boolean {
  const bits = BigInt(sizeBytes * 8);
  // What the processor will see: the value in the operand's width, read as signed.
  const signed = BigInt.asIntN(sizeBytes * 8, value);
  switch (code.imm) {
    case Imm.one: return known && value === 1n;
    case Imm.byteSigned: return fitsBits(value, bits) && fitsSigned(signed, 8n);
    case Imm.z: return fitsBits(value, bits) && fitsSigned(signed, 32n);
    default: return fitsBits(value, bits);
  }
}
