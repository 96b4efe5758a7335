/** WebAssembly SIMD instructions by name (core specification, "Vector instructions"). Lane shapes as there; `S`/`U` signed, unsigned. */
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';
import { repeatedLanes } from './machine.ts';

type Binary = (a: Expr, b: Expr) => Expr;
type Unary = (a: Expr) => Expr;
const two = (op: number): Binary => (a, b) => w.plain('v128', 0xfd00 | op, a, b);
const one = (op: number): Unary => (a) => w.plain('v128', 0xfd00 | op, a);

export const swizzle = two(0x0e);
export const splat8 = one(0x0f), splat16 = one(0x10), splat32 = one(0x11), splat64 = one(0x12), splatF32 = one(0x13), splatF64 = one(0x14);

export const eq8 = two(0x23), gtS8 = two(0x27), eq16 = two(0x2d), gtS16 = two(0x31), eq32 = two(0x37), gtS32 = two(0x3b), eq64 = two(0xd6), gtS64 = two(0xd9);
export const ltU8 = two(0x26), gtU8 = two(0x28), gtU16 = two(0x32), gtU32 = two(0x3c), ltS16 = two(0x2f);
export const eqF32 = two(0x41), neF32 = two(0x42), ltF32 = two(0x43), gtF32 = two(0x44), leF32 = two(0x45);
export const eqF64 = two(0x47), neF64 = two(0x48), ltF64 = two(0x49), gtF64 = two(0x4a), leF64 = two(0x4b);

export const not = one(0x4d), and = two(0x4e), or = two(0x50), xor = two(0x51);
/** a & ~b */
export const andNot = two(0x4f);
/** Bits of `yes` where the mask is 1, of `no` elsewhere. */
export const bitselect = (yes: Expr, no: Expr, mask: Expr): Expr => w.plain('v128', 0xfd52, yes, no, mask);
export const allTrue32 = (a: Expr): Expr => w.plain('i32', 0xfda3, a);
export const allTrue64 = (a: Expr): Expr => w.plain('i32', 0xfdc3, a);
export const anyTrue = (a: Expr): Expr => w.plain('i32', 0xfd53, a);

export const demoteF64 = one(0x5e), promoteLowF32 = one(0x5f);
export const abs8 = one(0x60), abs16 = one(0x80), abs32 = one(0xa0), neg8 = one(0x61), neg16 = one(0x81), neg32 = one(0xa1);
export const popcnt8 = one(0x62);
export const bitmask8 = (a: Expr): Expr => w.plain('i32', 0xfd64, a);
export const bitmask16 = (a: Expr): Expr => w.plain('i32', 0xfd84, a);
export const bitmask32 = (a: Expr): Expr => w.plain('i32', 0xfda4, a);
export const bitmask64 = (a: Expr): Expr => w.plain('i32', 0xfdc4, a);
export const narrow16S = two(0x65), narrow16U = two(0x66), narrow32S = two(0x85), narrow32U = two(0x86);
export const ceilF32 = one(0x67), floorF32 = one(0x68), truncF32 = one(0x69), nearestF32 = one(0x6a);
export const ceilF64 = one(0x74), floorF64 = one(0x75), truncF64 = one(0x7a), nearestF64 = one(0x94);

const shift = (op: number) => (a: Expr, count: Expr): Expr => w.plain('v128', 0xfd00 | op, a, count);
/** Shifts by an i32 count modulo the lane width. */
export const shl8 = shift(0x6b), shrS8 = shift(0x6c), shrU8 = shift(0x6d);
export const shl16 = shift(0x8b), shrS16 = shift(0x8c), shrU16 = shift(0x8d);
export const shl32 = shift(0xab), shrS32 = shift(0xac), shrU32 = shift(0xad);
export const shl64 = shift(0xcb), shrS64 = shift(0xcc), shrU64 = shift(0xcd);

export const add8 = two(0x6e), addSatS8 = two(0x6f), addSatU8 = two(0x70), sub8 = two(0x71), subSatS8 = two(0x72), subSatU8 = two(0x73);
export const minS8 = two(0x76), minU8 = two(0x77), maxS8 = two(0x78), maxU8 = two(0x79), average8 = two(0x7b);
export const pairwiseS8 = one(0x7c), pairwiseU8 = one(0x7d), pairwiseS16 = one(0x7e), pairwiseU16 = one(0x7f);
export const add16 = two(0x8e), addSatS16 = two(0x8f), addSatU16 = two(0x90), sub16 = two(0x91), subSatS16 = two(0x92), subSatU16 = two(0x93), mul16 = two(0x95);
export const minS16 = two(0x96), minU16 = two(0x97), maxS16 = two(0x98), maxU16 = two(0x99), average16 = two(0x9b), q15mul = two(0x82);
export const extendLowS8 = one(0x87), extendHighS8 = one(0x88), extendLowU8 = one(0x89), extendHighU8 = one(0x8a);
export const extmulLowS8 = two(0x9c), extmulHighS8 = two(0x9d), extmulLowU8 = two(0x9e), extmulHighU8 = two(0x9f);
export const extendLowS16 = one(0xa7), extendHighS16 = one(0xa8), extendLowU16 = one(0xa9), extendHighU16 = one(0xaa);
export const add32 = two(0xae), sub32 = two(0xb1), mul32 = two(0xb5), minS32 = two(0xb6), minU32 = two(0xb7), maxS32 = two(0xb8), maxU32 = two(0xb9), dot16 = two(0xba);
export const extmulLowS16 = two(0xbc), extmulHighS16 = two(0xbd), extmulLowU16 = two(0xbe), extmulHighU16 = two(0xbf);
export const extendLowS32 = one(0xc7), extendHighS32 = one(0xc8), extendLowU32 = one(0xc9), extendHighU32 = one(0xca);
export const add64 = two(0xce), sub64 = two(0xd1), mul64 = two(0xd5), extmulLowS32 = two(0xdc), extmulLowU32 = two(0xde);

export const absF32 = one(0xe0), negF32 = one(0xe1), sqrtF32 = one(0xe3), addF32 = two(0xe4), subF32 = two(0xe5), mulF32 = two(0xe6), divF32 = two(0xe7);
/** pmin(a, b) = b < a ? b : a; pmax(a, b) = a < b ? b : a. */
export const pminF32 = two(0xea), pmaxF32 = two(0xeb), pminF64 = two(0xf6), pmaxF64 = two(0xf7);
export const absF64 = one(0xec), negF64 = one(0xed), sqrtF64 = one(0xef), addF64 = two(0xf0), subF64 = two(0xf1), mulF64 = two(0xf2), divF64 = two(0xf3);
export const truncSatF32 = one(0xf8), convertI32F32 = one(0xfa), truncSatF64 = one(0xfc), convertLowI32F64 = one(0xfe);

export const laneU8 = (a: Expr, i: number): Expr => w.lane('i32', 0xfd16, i, a);
export const laneU16 = (a: Expr, i: number): Expr => w.lane('i32', 0xfd19, i, a);
export const lane32 = (a: Expr, i: number): Expr => w.lane('i32', 0xfd1b, i, a);
export const lane64 = (a: Expr, i: number): Expr => w.lane('i64', 0xfd1d, i, a);
export const laneF32 = (a: Expr, i: number): Expr => w.lane('f32', 0xfd1f, i, a);
export const laneF64 = (a: Expr, i: number): Expr => w.lane('f64', 0xfd21, i, a);
export const withLane32 = (a: Expr, i: number, value: Expr): Expr => w.lane('v128', 0xfd1c, i, a, value);
export const withLane64 = (a: Expr, i: number, value: Expr): Expr => w.lane('v128', 0xfd1e, i, a, value);
export const withLaneF32 = (a: Expr, i: number, value: Expr): Expr => w.lane('v128', 0xfd20, i, a, value);
export const withLaneF64 = (a: Expr, i: number, value: Expr): Expr => w.lane('v128', 0xfd22, i, a, value);

/** Vector constants by element width. */
export const bytes = (...values: readonly number[]): Expr => w.v128(Uint8Array.from({ length: 16 }, (_, i) => values[i % values.length] ?? 0));
export const words = (...values: readonly number[]): Expr => w.v128(new Uint8Array(Uint16Array.from({ length: 8 }, (_, i) => values[i % values.length] ?? 0).buffer));
export const dwords = (...values: readonly number[]): Expr => repeatedLanes(values);
/** 64-bit lanes, each [low, high] words. */
export const qwords = (...values: readonly (readonly [number, number])[]): Expr => dwords(...[0, 1].flatMap((i) => values[i % values.length] ?? [0, 0]));
export const zero = (): Expr => bytes(0);
export const IOTA = bytes(...Array.from({ length: 16 }, (_, i) => i));

/** Shuffle by lanes of `width` bytes: lane numbers below 16/width select from a, the others from b. */
export function shuffleLanes(width: number, a: Expr, b: Expr, lanes: readonly number[]): Expr {
  return w.shuffle(a, b, lanes.flatMap((lane) => Array.from({ length: width }, (_, i) => lane * width + i)));
}

export const f32FromBits = (a: Expr): Expr => w.plain('f32', 0xbe, a);
export const f64FromBits = (a: Expr): Expr => w.plain('f64', 0xbf, a);
export const bitsOfF32 = (a: Expr): Expr => w.plain('i32', 0xbc, a);
export const bitsOfF64 = (a: Expr): Expr => w.plain('i64', 0xbd, a);
/** Scalar conversions (trunc_sat never traps). */
export const truncI32F32 = (a: Expr): Expr => w.plain('i32', 0xfc00, a);
export const truncI32F64 = (a: Expr): Expr => w.plain('i32', 0xfc02, a);
export const truncI64F32 = (a: Expr): Expr => w.plain('i64', 0xfc04, a);
export const truncI64F64 = (a: Expr): Expr => w.plain('i64', 0xfc06, a);
export const f32FromI32 = (a: Expr): Expr => w.plain('f32', 0xb2, a);
export const f32FromI64 = (a: Expr): Expr => w.plain('f32', 0xb4, a);
export const f64FromI32 = (a: Expr): Expr => w.plain('f64', 0xb7, a);
export const f64FromI64 = (a: Expr): Expr => w.plain('f64', 0xb9, a);
export const demote = (a: Expr): Expr => w.plain('f32', 0xb6, a);
export const promote = (a: Expr): Expr => w.plain('f64', 0xbb, a);
