/**
 * Packed integer and logical operations on vector registers as data: mnemonic → what two 128-bit values become (SDM vol 2).
 * The legacy, MMX and VEX forms are all made from these rows.
 */
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';
import type { Machine } from './machine.ts';
import * as v from './sse-wasm.ts';

/** `a` is the destination (or first source), `b` the source. Both are bound. */
export type PackedBinary = (a: Expr, b: Expr, m: Machine) => Expr;

const swapped = (op: (a: Expr, b: Expr) => Expr): PackedBinary => (a, b) => op(b, a);

/** Interleaves the low (`high` false) or high lanes of `width` bytes. */
function interleave(width: number, high: boolean): PackedBinary {
  const n = 16 / width, start = high ? n / 2 : 0;
  const lanes = Array.from({ length: n }, (_, i) => (i & 1) * n + start + (i >> 1));
  return (a, b) => v.shuffleLanes(width, a, b, lanes);
}

const oddWords: readonly number[] = [1, 3, 5, 7, 9, 11, 13, 15];

/** Sum of absolute byte differences in each 8 bytes. */
function sumOfDifferences(a: Expr, b: Expr, m: Machine): Expr {
  const difference = v.or(v.subSatU8(a, b), v.subSatU8(b, a));
  const quads = m.let(v.pairwiseU16(v.pairwiseU8(difference)));
  return v.add64(v.and(quads, v.qwords([-1, 0])), v.shrU64(quads, w.i32(32)));
}

/** Pairwise add or subtract of neighbours: even lanes op odd lanes, destination's pairs first. */
function horizontal(width: number, op: (a: Expr, b: Expr) => Expr): PackedBinary {
  const n = 16 / width;
  const even = Array.from({ length: n }, (_, i) => 2 * i), odd = even.map((lane) => lane + 1);
  return (a, b) => op(v.shuffleLanes(width, a, b, even), v.shuffleLanes(width, a, b, odd));
}

/** a negated, zeroed or kept by the sign of b. */
function sign(negate: (a: Expr) => Expr, shift: (a: Expr, count: Expr) => Expr, bits: number, isZero: (a: Expr, b: Expr) => Expr): PackedBinary {
  return (a, b) => v.andNot(v.bitselect(negate(a), a, shift(b, w.i32(bits - 1))), isZero(b, v.zero()));
}

/** Unsigned by signed bytes, adjacent products added with signed saturation. */
function multiplyUnsignedSigned(a: Expr, b: Expr): Expr {
  const even = v.mul16(v.and(a, v.words(0xff)), v.shrS16(v.shl16(b, w.i32(8)), w.i32(8)));
  const odd = v.mul16(v.shrU16(a, w.i32(8)), v.shrS16(b, w.i32(8)));
  return v.addSatS16(even, odd);
}

/** (a * b + 0x4000) >> 15: 32-bit products, so that 0x8000 * 0x8000 gives 0x8000 (q15mulr saturates there). */
function multiplyHighRound(a: Expr, b: Expr, m: Machine): Expr {
  const product = m.let(v.q15mul(a, b));
  const overflow = v.and(v.eq16(a, v.words(0x8000)), v.eq16(b, v.words(0x8000)));
  return v.xor(product, overflow);
}

export const PACKED: Readonly<Record<string, PackedBinary>> = {
  paddb: v.add8, paddw: v.add16, paddd: v.add32, paddq: v.add64, psubb: v.sub8, psubw: v.sub16, psubd: v.sub32, psubq: v.sub64,
  paddsb: v.addSatS8, paddsw: v.addSatS16, paddusb: v.addSatU8, paddusw: v.addSatU16,
  psubsb: v.subSatS8, psubsw: v.subSatS16, psubusb: v.subSatU8, psubusw: v.subSatU16,
  pmullw: v.mul16,
  pmulhw: (a, b) => v.shuffleLanes(2, v.extmulLowS16(a, b), v.extmulHighS16(a, b), oddWords),
  pmulhuw: (a, b) => v.shuffleLanes(2, v.extmulLowU16(a, b), v.extmulHighU16(a, b), oddWords),
  pmaddwd: v.dot16,
  pmuludq: (a, b) => v.extmulLowU32(v.shuffleLanes(4, a, a, [0, 2, 0, 2]), v.shuffleLanes(4, b, b, [0, 2, 0, 2])),
  psadbw: sumOfDifferences,
  pavgb: v.average8, pavgw: v.average16,
  pminub: v.minU8, pmaxub: v.maxU8, pminsw: v.minS16, pmaxsw: v.maxS16,
  pcmpeqb: v.eq8, pcmpeqw: v.eq16, pcmpeqd: v.eq32, pcmpgtb: v.gtS8, pcmpgtw: v.gtS16, pcmpgtd: v.gtS32,
  pand: v.and, por: v.or, pxor: v.xor, pandn: swapped(v.andNot),
  andps: v.and, andpd: v.and, orps: v.or, orpd: v.or, xorps: v.xor, xorpd: v.xor, andnps: swapped(v.andNot), andnpd: swapped(v.andNot),
  packsswb: v.narrow16S, packuswb: v.narrow16U, packssdw: v.narrow32S,
  punpcklbw: interleave(1, false), punpcklwd: interleave(2, false), punpckldq: interleave(4, false), punpcklqdq: interleave(8, false),
  punpckhbw: interleave(1, true), punpckhwd: interleave(2, true), punpckhdq: interleave(4, true), punpckhqdq: interleave(8, true),
  unpcklps: interleave(4, false), unpckhps: interleave(4, true), unpcklpd: interleave(8, false), unpckhpd: interleave(8, true),
  // SSSE3
  pshufb: (a, b) => v.swizzle(a, v.and(b, v.bytes(0x8f))),
  phaddw: horizontal(2, v.add16), phaddd: horizontal(4, v.add32), phaddsw: horizontal(2, v.addSatS16),
  phsubw: horizontal(2, v.sub16), phsubd: horizontal(4, v.sub32), phsubsw: horizontal(2, v.subSatS16),
  pmaddubsw: multiplyUnsignedSigned, pmulhrsw: multiplyHighRound,
  psignb: sign(v.neg8, v.shrS8, 8, v.eq8), psignw: sign(v.neg16, v.shrS16, 16, v.eq16), psignd: sign(v.neg32, v.shrS32, 32, v.eq32),
  // SSE4.1, SSE4.2
  pmuldq: (a, b) => v.extmulLowS32(v.shuffleLanes(4, a, a, [0, 2, 0, 2]), v.shuffleLanes(4, b, b, [0, 2, 0, 2])),
  pmulld: v.mul32, pcmpeqq: v.eq64, pcmpgtq: v.gtS64, packusdw: v.narrow32U,
  pminsb: v.minS8, pminsd: v.minS32, pminuw: v.minU16, pminud: v.minU32, pmaxsb: v.maxS8, pmaxsd: v.maxS32, pmaxuw: v.maxU16, pmaxud: v.maxU32,
};

/**
 * MMX forms that are not the low half of the 128-bit operation on (a, a) and (b, b): computed from the splatted operands.
 * The result's low 64 bits count.
 */
export const PACKED_MMX: Readonly<Record<string, PackedBinary>> = {
  ...Object.fromEntries(['packsswb', 'packuswb', 'packssdw'].map((name) => [name, (a: Expr, b: Expr, m: Machine): Expr => {
    const joined = m.let(v.shuffleLanes(8, a, b, [0, 2])), op = PACKED[name];
    return op === undefined ? joined : op(joined, joined, m);
  }])),
  // the operands are splatted: their "high" halves of 64 bits start at lane n/4 of the low 8 bytes
  punpckhbw: (a, b) => v.shuffleLanes(1, a, b, [4, 20, 5, 21, 6, 22, 7, 23, 4, 20, 5, 21, 6, 22, 7, 23]),
  punpckhwd: (a, b) => v.shuffleLanes(2, a, b, [2, 10, 3, 11, 2, 10, 3, 11]),
  punpckhdq: (a, b) => v.shuffleLanes(4, a, b, [1, 5, 1, 5]),
  pshufb: (a, b) => v.swizzle(a, v.and(b, v.bytes(0x87))),
  ...Object.fromEntries((['phaddw', 'phaddd', 'phaddsw', 'phsubw', 'phsubd', 'phsubsw'] as const).map((name) => [name, (a: Expr, b: Expr, m: Machine): Expr => {
    const joined = m.let(v.shuffleLanes(8, a, b, [0, 2])), op = PACKED[name];
    return op === undefined ? joined : op(joined, joined, m);
  }])),
};

export const PACKED_UNARY: Readonly<Record<string, (a: Expr) => Expr>> = { pabsb: v.abs8, pabsw: v.abs16, pabsd: v.abs32 };

interface Shift { readonly bits: number; readonly op: (a: Expr, count: Expr) => Expr; readonly arithmetic?: boolean }
/** Shifts of all lanes by one count. */
export const PACKED_SHIFT: Readonly<Record<string, Shift>> = {
  psllw: { bits: 16, op: v.shl16 }, pslld: { bits: 32, op: v.shl32 }, psllq: { bits: 64, op: v.shl64 },
  psrlw: { bits: 16, op: v.shrU16 }, psrld: { bits: 32, op: v.shrU32 }, psrlq: { bits: 64, op: v.shrU64 },
  psraw: { bits: 16, op: v.shrS16, arithmetic: true }, psrad: { bits: 32, op: v.shrS32, arithmetic: true },
};

/** `count` is i64: counts of the lane width and above clear (or fill with the sign). */
export function shiftAll(shift: Shift, a: Expr, count: Expr, m: Machine): Expr {
  const beyond = w.gtU(count, w.i64(shift.bits - 1));
  if (shift.arithmetic === true) return shift.op(a, w.select(beyond, w.i32(shift.bits - 1), w.wrap(count)));
  return m.let(w.select(beyond, v.zero(), shift.op(a, w.wrap(count))));
}

/** Byte shifts of a whole vector by an i32 count of any size. */
export function shiftRightBytes(a: Expr, count: Expr): Expr { return v.swizzle(a, v.add8(v.splat8(atMost(count, 16)), v.IOTA)); }
export function shiftLeftBytes(a: Expr, count: Expr): Expr { return v.swizzle(a, v.sub8(v.IOTA, v.splat8(atMost(count, 16)))); }
/** PALIGNR: bytes count … count + 15 of a:b. */
export function alignRight(a: Expr, b: Expr, count: Expr, m: Machine): Expr {
  const from = m.let(v.add8(v.splat8(atMost(count, 32)), v.IOTA));
  return v.or(v.swizzle(b, from), v.swizzle(a, v.sub8(from, v.bytes(16))));
}
export function atMost(value: Expr, limit: number): Expr {
  if (w.isConst(value)) return w.i32(Math.min(value.lo, limit));
  return w.select(w.gtU(value, w.i32(limit)), w.i32(limit), value);
}

/** Byte indices that pick four dwords by the 2-bit fields of an immediate. */
export function dwordIndices(imm: Expr): Expr {
  const fields = v.and(v.shrU32(v.mul32(v.splat32(imm), v.dwords(64, 16, 4, 1)), w.i32(6)), v.dwords(3));
  return v.add32(v.mul32(fields, v.dwords(0x0404_0404)), v.dwords(0x0302_0100));
}
/** The same for words: fields 0..3 relative to byte `base`, in all eight positions. */
export function wordIndices(imm: Expr, base: number): Expr {
  const fields = v.and(v.shrU16(v.mul16(v.splat16(imm), v.words(64, 16, 4, 1)), w.i32(6)), v.words(3));
  return v.add16(v.mul16(fields, v.words(0x0202)), v.words(0x0100 + base * 0x0101));
}

export const PACKED_SHUFFLE: Readonly<Record<string, (a: Expr, imm: Expr) => Expr>> = {
  pshufd: (a, imm) => v.swizzle(a, dwordIndices(imm)),
  pshuflw: (a, imm) => v.swizzle(a, v.bitselect(wordIndices(imm, 0), v.IOTA, v.qwords([-1, -1], [0, 0]))),
  pshufhw: (a, imm) => v.swizzle(a, v.bitselect(wordIndices(imm, 8), v.IOTA, v.qwords([0, 0], [-1, -1]))),
};

/** Two-source shuffles with an immediate. */
export const PACKED_SHUFFLE2: Readonly<Record<string, (a: Expr, b: Expr, imm: Expr, m: Machine) => Expr>> = {
  shufps: (a, b, imm, m) => {
    const indices = m.let(dwordIndices(imm));
    return v.shuffleLanes(8, v.swizzle(a, indices), v.swizzle(b, indices), [0, 3]);
  },
  shufpd: (a, b, imm) => {
    const low = w.select(w.and(imm, w.i32(1)), v.lane64(a, 1), v.lane64(a, 0));
    const high = w.select(w.and(imm, w.i32(2)), v.lane64(b, 1), v.lane64(b, 0));
    return v.withLane64(v.splat64(low), 1, high);
  },
  palignr: alignRight,
};

