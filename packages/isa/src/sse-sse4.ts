/** SSE4.1: blends, extensions, insertions and extractions, rounding, dot products, PTEST. SDM vol 2 */
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';
import { MODE } from '@vmm/softfloat';
import type { InstructionEntry } from './entry.ts';
import type { Machine } from './machine.ts';
import { checkSse, immediate8, readLowVector, readVector } from './sse-access.ts';
import { isScalar, packedArithmetic, precisionOf } from './sse-float.ts';
import type { Format } from './sse-float.ts';
import { insertLane, laneToBottom, writeGeneral } from './sse-integer.ts';
import { afterSoftFloat, isUnusual } from './sse-mxcsr.ts';
import * as v from './sse-wasm.ts';

const entry = (run: (m: Machine) => void): InstructionEntry => ({ run: (m) => { checkSse(m); run(m); } });

// --- blends: the mask as a function ---

/** All ones in the lanes whose bit of `imm` is set. */
const MASKS = {
  blendps: (imm: Expr): Expr => lanesOf(v.splat32(imm), v.dwords(1, 2, 4, 8), v.eq32),
  blendpd: (imm: Expr): Expr => lanesOf(v.splat64(w.extendU(imm)), v.qwords([1, 0], [2, 0]), v.eq64),
  pblendw: (imm: Expr): Expr => lanesOf(v.splat16(imm), v.words(1, 2, 4, 8, 16, 32, 64, 128), v.eq16),
} as const;
function lanesOf(imm: Expr, bits: Expr, eq: (a: Expr, b: Expr) => Expr): Expr { return eq(v.and(imm, bits), bits); }
export const BLEND_IMMEDIATE: Readonly<Record<string, (a: Expr, b: Expr, imm: Expr) => Expr>> = Object.fromEntries(
  Object.entries(MASKS).map(([name, mask]) => [name, (a: Expr, b: Expr, imm: Expr) => v.bitselect(b, a, mask(imm))]));
/** By the sign bit of each lane of a third operand. */
export const BLEND_VARIABLE: Readonly<Record<string, (a: Expr, b: Expr, mask: Expr) => Expr>> = {
  pblendvb: (a, b, mask) => v.bitselect(b, a, v.shrS8(mask, w.i32(7))),
  blendvps: (a, b, mask) => v.bitselect(b, a, v.shrS32(mask, w.i32(31))),
  blendvpd: (a, b, mask) => v.bitselect(b, a, v.shrS64(mask, w.i32(63))),
};

// --- sign and zero extension ---

interface Extension { readonly bytes: 2 | 4 | 8; readonly op: (a: Expr) => Expr }
export const EXTENSIONS: Readonly<Record<string, Extension>> = {
  pmovsxbw: { bytes: 8, op: v.extendLowS8 }, pmovsxbd: { bytes: 4, op: (a) => v.extendLowS16(v.extendLowS8(a)) }, pmovsxbq: { bytes: 2, op: (a) => v.extendLowS32(v.extendLowS16(v.extendLowS8(a))) },
  pmovsxwd: { bytes: 8, op: v.extendLowS16 }, pmovsxwq: { bytes: 4, op: (a) => v.extendLowS32(v.extendLowS16(a)) }, pmovsxdq: { bytes: 8, op: v.extendLowS32 },
  pmovzxbw: { bytes: 8, op: v.extendLowU8 }, pmovzxbd: { bytes: 4, op: (a) => v.extendLowU16(v.extendLowU8(a)) }, pmovzxbq: { bytes: 2, op: (a) => v.extendLowU32(v.extendLowU16(v.extendLowU8(a))) },
  pmovzxwd: { bytes: 8, op: v.extendLowU16 }, pmovzxwq: { bytes: 4, op: (a) => v.extendLowU32(v.extendLowU16(a)) }, pmovzxdq: { bytes: 8, op: v.extendLowU32 },
};
export function readExtensionSource(m: Machine, operand: number, bytes: number): Expr {
  if (!m.isMemory(operand)) return m.read(operand);
  return bytes === 2 ? m.let(v.splat32(m.read(operand, 2))) : readLowVector(m, operand, bytes === 4 ? 4 : 8);
}

// --- rounding ---

/** Bound packed value rounded by `imm`: bits 1..0 mode, bit 2 MXCSR's mode, bit 3 no precision exception. */
export function packedRound(m: Machine, format: 'ps' | 'pd', value: Expr, imm: Expr): Expr {
  const result = m.local('v128'), r = m.fn.get(result), single = format === 'ps';
  const [nearest, floor, ceil, trunc] = single ? [v.nearestF32, v.floorF32, v.ceilF32, v.truncF32] : [v.nearestF64, v.floorF64, v.ceilF64, v.truncF64];
  const mode = m.let(w.and(imm, w.i32(MODE.roundingMask)));
  const upOrTruncate = w.select(w.eq(mode, w.i32(MODE.up)), ceil(value), trunc(value));
  m.fn.set(result, w.select(w.or(w.eqz(mode), w.and(imm, w.i32(4))), nearest(value), w.select(w.eq(mode, w.i32(MODE.down)), floor(value), upOrTruncate)));
  m.when(w.or(isUnusual(m), v.anyTrue(precisionOf(format).vectorNe(r, r))), () => {
    m.fn.set(result, m.helper(`${format}_round`, value, imm));
    afterSoftFloat(m);
  });
  return r;
}
function round(format: Format): InstructionEntry {
  const packed = format.endsWith('s') ? 'ps' : 'pd', p = precisionOf(format);
  return entry((m) => {
    if (!isScalar(format)) { m.write(0, packedRound(m, packed, readVector(m, 1), immediate8(m, 2))); return; }
    const source = m.let(p.withLane(v.zero(), 0, p.read(m, 1))), result = packedRound(m, packed, source, immediate8(m, 2));
    m.write(0, p.withLane(m.read(0), 0, p.lane(result, 0)));
  });
}

// --- insertions and extractions ---

export function extractInteger(m: Machine, width: 1 | 2 | 4 | 8): void {
  const lane = w.and(immediate8(m, 2), w.i32(16 / width - 1)), bottom = laneToBottom(width, m.read(1), lane);
  if (width === 8) m.write(0, v.lane64(bottom, 0));
  else writeGeneral(m, 0, width === 1 ? v.laneU8(bottom, 0) : width === 2 ? v.laneU16(bottom, 0) : v.lane32(bottom, 0));
}
/** `from`: the vector into which the lane goes. */
export function insertInteger(m: Machine, width: 1 | 4 | 8, from: Expr, source: number): Expr {
  const value = m.read(source), lane = w.and(immediate8(m, source + 1), w.i32(16 / width - 1));
  if (width === 8) return w.select(lane, v.withLane64(from, 1, value), v.withLane64(from, 0, value));
  return insertLane(width, from, lane, value.type === 'i64' ? w.wrap(value) : value);
}
/** INSERTPS: source lane by imm 7..6 (memory: the one dword), destination lane by 5..4, lanes of bits 3..0 zeroed. */
export function insertSingle(m: Machine, a: Expr, source: number): Expr {
  const imm = immediate8(m, source + 1);
  const value = m.isMemory(source) ? m.read(source, 4) : m.let(v.lane32(laneToBottom(4, m.read(source), w.shrU(imm, w.i32(6))), 0));
  const inserted = insertLane(4, a, w.and(w.shrU(imm, w.i32(4)), w.i32(3)), value);
  return v.andNot(inserted, MASKS.blendps(imm));
}

// --- arithmetic ---

/**
 * DPPS, DPPD on one or two halves: products of the lanes that bits 7..4 choose, summed, to the lanes of bits 3..0. An exception of one step is taken
 * before the next; `step` applies an operation to each half.
 */
export function dotProduct(m: Machine, format: 'ps' | 'pd', a: readonly Expr[], b: readonly Expr[], imm: Expr, step: (of: (half: number) => Expr) => readonly Expr[]): Expr[] {
  const mask = format === 'ps' ? MASKS.blendps : MASKS.blendpd, chosen = m.let(mask(w.shrU(imm, w.i32(4))));
  const lanesOf = (value: Expr | undefined): Expr => m.let(v.and(value ?? v.zero(), chosen));
  const products = step((half) => packedArithmetic(m, 'mul', format, lanesOf(a[half]), lanesOf(b[half])));
  const pair = (value: Expr | undefined, lanes: readonly number[]): Expr => m.let(v.shuffleLanes(format === 'ps' ? 4 : 8, value ?? v.zero(), value ?? v.zero(), lanes));
  const sum = (of: readonly Expr[], left: readonly number[], right: readonly number[]): readonly Expr[] => step((half) => packedArithmetic(m, 'add', format, pair(of[half], left), pair(of[half], right)));
  const sums = format === 'pd' ? sum(products, [0, 0], [1, 1]) : sum(sum(products, [0, 2, 0, 2], [1, 3, 1, 3]), [0, 0, 0, 0], [1, 1, 1, 1]);
  return sums.map((value) => m.let(v.and(value, mask(imm))));
}

function dotProductOf(m: Machine, format: 'ps' | 'pd', a: Expr, b: Expr, imm: Expr): Expr {
  const [result] = dotProduct(m, format, [a], [b], imm, (of) => [of(0)]);
  return result ?? v.zero();
}

/** MPSADBW on 128 bits: eight sums of four absolute differences; imm bit 2 offsets a by 4, bits 1..0 b by 4 each. */
export function multipleSums(m: Machine, a: Expr, b: Expr, imm: Expr): Expr {
  const from = m.let(w.and(imm, w.i32(4))), block = m.let(v.shuffleLanes(1, laneToBottom(4, b, w.and(imm, w.i32(3))), v.zero(), [0, 1, 2, 3, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16]));
  let sum: Expr = v.zero();
  for (let j = 0; j < 4; j++) {
    const window = m.let(v.extendLowU8(laneToBottom(1, a, w.add(from, w.i32(j))))), against = m.let(v.splat16(v.laneU8(block, j)));
    sum = v.add16(sum, v.or(v.subSatU16(window, against), v.subSatU16(against, window)));
  }
  return m.let(sum);
}

/** PHMINPOSUW: smallest word and its index: compared as value:index. */
export function minimumPosition(m: Machine, a: Expr): Expr {
  const low = v.or(v.shl32(v.extendLowU16(a), w.i32(16)), v.dwords(0, 1, 2, 3)), high = v.or(v.shl32(v.extendHighU16(a), w.i32(16)), v.dwords(4, 5, 6, 7));
  const four = m.let(v.minU32(low, high)), two = m.let(v.minU32(four, v.shuffleLanes(4, four, four, [2, 3, 0, 1])));
  const one = m.let(v.lane32(v.minU32(two, v.shuffleLanes(4, two, two, [1, 0, 3, 2])), 0));
  return v.withLane32(v.zero(), 0, w.rotl(one, w.i32(16)));
}

/** PTEST: ZF if a & b is zero, CF if ~a & b is. */
export function testFlags(m: Machine, both: Expr, onlyB: Expr): void {
  const no = w.i32(0);
  m.setAllFlags({ z: m.let(w.eqz(both)), c: m.let(w.eqz(onlyB)), o: no, s: no, a: no, p: no });
}

const binaryImmediate = (op: (m: Machine, a: Expr, b: Expr, imm: Expr) => Expr): InstructionEntry => entry((m) => {
  const b = readVector(m, 1);
  m.write(0, op(m, m.read(0), b, immediate8(m, 2)));
});

export const SSE4: Readonly<Record<string, InstructionEntry>> = {
  ...Object.fromEntries(Object.entries(BLEND_IMMEDIATE).map(([name, op]) => [name, binaryImmediate((_m, a, b, imm) => op(a, b, imm))])),
  ...Object.fromEntries(Object.entries(BLEND_VARIABLE).map(([name, op]) => [name, entry((m) => {
    const b = readVector(m, 1);
    m.write(0, op(m.read(0), b, m.read(2)));
  })])),
  ...Object.fromEntries(Object.entries(EXTENSIONS).map(([name, { bytes, op }]) => [name, entry((m) => { m.write(0, op(readExtensionSource(m, 1, bytes))); })])),
  roundps: round('ps'), roundpd: round('pd'), roundss: round('ss'), roundsd: round('sd'),
  pextrb: entry((m) => { extractInteger(m, 1); }), pextrd: entry((m) => { extractInteger(m, 4); }), pextrq: entry((m) => { extractInteger(m, 8); }), extractps: entry((m) => { extractInteger(m, 4); }),
  pinsrb: entry((m) => { m.write(0, insertInteger(m, 1, m.read(0), 1)); }), pinsrd: entry((m) => { m.write(0, insertInteger(m, 4, m.read(0), 1)); }),
  pinsrq: entry((m) => { m.write(0, insertInteger(m, 8, m.read(0), 1)); }), insertps: entry((m) => { m.write(0, insertSingle(m, m.read(0), 1)); }),
  dpps: binaryImmediate((m, a, b, imm) => dotProductOf(m, 'ps', a, b, imm)), dppd: binaryImmediate((m, a, b, imm) => dotProductOf(m, 'pd', a, b, imm)),
  mpsadbw: binaryImmediate(multipleSums),
  phminposuw: entry((m) => { m.write(0, minimumPosition(m, readVector(m, 1))); }),
  ptest: entry((m) => {
    const b = readVector(m, 1), a = m.read(0);
    testFlags(m, v.anyTrue(v.and(a, b)), v.anyTrue(v.andNot(b, a)));
  }),
};
