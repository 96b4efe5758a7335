/**
 * Operand codes of the encoding table: SDM vol 2 appendix A.2 letters, with these additions: Z (register in the opcode), B (VEX.vvvv
 * general register), Ibs (sign-extended byte), MB (XLAT's table), BD (MASKMOV's rDI), `Rv/Mw` (register and memory forms differ in size).
 */

/** What an operand of a decoded instruction is. */
export const OpKind = {
  none: 0,
  /** General register `opReg` 0..15, `opSizeBytes` wide. */
  gpr: 1,
  /** AH, CH, DH, BH: `opReg` is 4..7. */
  gpr8h: 2,
  /** base, index, scale, disp, seg of the instruction. */
  mem: 3,
  /** immLo, immHi. */
  imm: 4,
  /** Second immediate: imm2 (ENTER's level). */
  imm2: 5,
  /** Branch displacement immLo, immHi, counted from the end of the instruction. */
  rel: 6,
  /** Far pointer: selector imm2, offset immLo. */
  far: 7,
  /** Memory at the absolute address immLo, immHi, in segment seg. */
  moffs: 8,
  /** ES CS SS DS FS GS. */
  seg: 9,
  cr: 10,
  dr: 11,
  xmm: 12,
  ymm: 13,
  mmx: 14,
  /** x87 ST(opReg). */
  st: 15,
  /** String source: seg:rSI. */
  memSi: 16,
  /** String destination: ES:rDI. */
  memDi: 17,
  /** XLAT: seg:rBX + AL. */
  memXlat: 18,
  /** MASKMOVQ, MASKMOVDQU: seg:rDI. */
  memMaskmov: 19,
} as const;
export type OpKind = (typeof OpKind)[keyof typeof OpKind];

/** Where the decoder finds an operand. */
export const Source = {
  none: 0, rmGpr: 1, regGpr: 2, vvvvGpr: 3, opcodeGpr: 4, rmXmm: 5, regXmm: 6, vvvvXmm: 7, is4Xmm: 8, rmMmx: 9, regMmx: 10,
  rmMem: 11, cr: 12, dr: 13, seg: 14, fixedGpr: 15, fixedSeg: 16, imm: 17, imm2: 18, rel: 19, far: 20, moffs: 21, memSi: 22, memDi: 23,
  memXlat: 24, memMaskmov: 25, st: 26, rmSt: 27, fixedXmm: 28, regAddr: 29, rmAddr: 30,
} as const;
export type Source = (typeof Source)[keyof typeof Source];

/** What follows the addressing bytes. */
export const Imm = {
  none: 0, byte: 1, byteSigned: 2, word: 3, z: 4, v: 5, relByte: 6, relZ: 7, far: 8, moffs: 9, wordAndByte: 10, is4: 11, one: 12,
} as const;

export interface OperandCode {
  readonly source: Source;
  readonly fixed: number;
  readonly imm: number;
  /** Size in bytes by [memory form, register form] × VEX.L × operand size (2, 4, 8): index isReg * 8 + L * 4 + log2(size) - 1. */
  readonly sizes: readonly number[];
}

const ADDRESSING: Readonly<Record<string, Source>> = {
  E: Source.rmGpr, G: Source.regGpr, R: Source.rmGpr, B: Source.vvvvGpr, Z: Source.opcodeGpr,
  W: Source.rmXmm, U: Source.rmXmm, V: Source.regXmm, H: Source.vvvvXmm, L: Source.is4Xmm,
  Q: Source.rmMmx, N: Source.rmMmx, P: Source.regMmx, M: Source.rmMem, C: Source.cr, D: Source.dr, S: Source.seg,
  I: Source.imm, J: Source.rel, A: Source.far, O: Source.moffs, X: Source.memSi, Y: Source.memDi,
};

/** [16-bit, 32-bit, 64-bit operand size], or one size for all. */
const SIZES: Readonly<Record<string, readonly number[]>> = {
  '': [0], b: [1], w: [2], d: [4], q: [8], t: [10], dq: [16], qq: [32], ss: [4], sd: [8],
  v: [2, 4, 8], z: [2, 4, 4], y: [4, 4, 8], p: [4, 6, 10], s: [6, 6, 10], a: [4, 8, 8], bs: [2, 4, 8],
  env: [14, 28, 28], fpu: [94, 108, 108], fx: [512], xs: [0], '64': [64],
};
const BY_VECTOR_LENGTH = ['x', 'ps', 'pd'];

const FIXED: Readonly<Record<string, readonly [Source, number, string]>> = {
  AL: [Source.fixedGpr, 0, 'b'], CL: [Source.fixedGpr, 1, 'b'], AX: [Source.fixedGpr, 0, 'w'], DX: [Source.fixedGpr, 2, 'w'],
  eAX: [Source.fixedGpr, 0, 'z'], eDX: [Source.fixedGpr, 2, 'z'], rAX: [Source.fixedGpr, 0, 'v'], rDX: [Source.fixedGpr, 2, 'v'],
  ES: [Source.fixedSeg, 0, 'v'], CS: [Source.fixedSeg, 1, 'v'], SS: [Source.fixedSeg, 2, 'v'],
  DS: [Source.fixedSeg, 3, 'v'], FS: [Source.fixedSeg, 4, 'v'], GS: [Source.fixedSeg, 5, 'v'],
  ST0: [Source.st, 0, 't'], STi: [Source.rmSt, 0, 't'], XMM0: [Source.fixedXmm, 0, 'dq'],
  Ib2: [Source.imm2, 0, 'b'], MB: [Source.memXlat, 0, 'b'], BD: [Source.memMaskmov, 0, ''], Ga: [Source.regAddr, 0, ''], Ra: [Source.rmAddr, 0, ''],
};

const IMMEDIATES: Readonly<Record<string, number>> = {
  Ib: Imm.byte, Ibs: Imm.byteSigned, Iw: Imm.word, Iz: Imm.z, Iv: Imm.v, Jb: Imm.relByte, Jz: Imm.relZ, Ap: Imm.far,
};

function sizesOf(suffix: string): number[] {
  if (BY_VECTOR_LENGTH.includes(suffix)) return [16, 16, 16, 0, 32, 32, 32, 0];
  const by = SIZES[suffix];
  if (by === undefined) throw new Error(`unknown operand size "${suffix}"`);
  const row = [by[0] ?? 0, by[1] ?? by[0] ?? 0, by[2] ?? by[0] ?? 0, 0];
  return [...row, ...row];
}

function immediateOf(code: string): number {
  if (code.startsWith('O')) return Imm.moffs;
  return code.startsWith('L') ? Imm.is4 : IMMEDIATES[code] ?? Imm.none;
}

/** Parses a code such as `Ev`, `Rv/Mw`, `ST0`. */
export function parseOperandCode(code: string): OperandCode {
  if (code === '1') return { source: Source.imm, fixed: 1, imm: Imm.one, sizes: [...sizesOf('b'), ...sizesOf('b')] };
  const fixed = FIXED[code];
  if (fixed !== undefined) return { source: fixed[0], fixed: fixed[1], imm: Imm.none, sizes: [...sizesOf(fixed[2]), ...sizesOf(fixed[2])] };
  const [register = '', memory = register] = code.split('/');
  const source = ADDRESSING[register.charAt(0)];
  if (source === undefined) throw new Error(`unknown operand code "${code}"`);
  // An immediate counts as wide as what it is extended to.
  if (code === 'Iz') return { source, fixed: 0, imm: Imm.z, sizes: [...sizesOf('v'), ...sizesOf('v')] };
  return { source, fixed: 0, imm: immediateOf(register), sizes: [...sizesOf(memory.slice(1)), ...sizesOf(register.slice(1))] };
}
