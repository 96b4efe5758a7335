/** Fixed-point steps on i64 words, written inline into the function under construction. */
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder } from '@vmm/wasm';
import { wide } from '@vmm/softfloat';

/** 128 bits, hi first. */
export interface Pair { readonly hi: Expr; readonly lo: Expr }
/** (-1)^sign * (hi + lo / 2^64) / 2^63 * 2^exponent, hi with its top bit set; not exact: see the maker for its error. */
export interface Approximation extends Pair { readonly sign: Expr; readonly exponent: Expr }

const LOW32 = w.i64(-1, 0), S32 = w.i64(32);

/** An unsigned constant of 64 bits. */
export function word(value: bigint): Expr { return w.i64big(BigInt.asIntN(64, value)); }

/** floor(a * b / 2^64), unsigned. */
export function high(fn: FunctionBuilder, a: Expr, b: Expr): Expr {
  const al = fn.let(w.and(a, LOW32)), ah = fn.let(w.shrU(a, S32)), bl = fn.let(w.and(b, LOW32)), bh = fn.let(w.shrU(b, S32));
  const lh = fn.let(w.mul(al, bh)), middle = w.add(w.add(w.shrU(w.mul(al, bl), S32), w.and(lh, LOW32)), w.mul(ah, bl));
  return fn.let(w.add(w.add(w.mul(ah, bh), w.shrU(lh, S32)), w.shrU(middle, S32)));
}
/** a * b / 2^64 for signed a and 0 <= b < 2^63, at most 3 too small. */
export function highSigned(fn: FunctionBuilder, a: Expr, b: Expr): Expr {
  const al = w.and(a, LOW32), ah = w.shrS(a, S32), bl = w.and(b, LOW32), bh = fn.let(w.shrU(b, S32));
  return fn.let(w.add(w.add(w.mul(ah, bh), w.shrU(w.mul(al, bh), S32)), w.shrS(w.mul(ah, bl), S32)));
}
/** a * b / 2^64 for b < 2^31, at most 1 too small (unsigned a). */
export function highSmall(fn: FunctionBuilder, a: Expr, b: Expr): Expr { return fn.let(w.shrU(w.mul(w.shrU(a, S32), b), S32)); }
/** The same for signed a. */
export function highSmallSigned(fn: FunctionBuilder, a: Expr, b: Expr): Expr { return fn.let(w.shrS(w.mul(w.shrS(a, S32), b), S32)); }

export function product(fn: FunctionBuilder, a: Expr, b: Expr): Pair {
  const x = { hi: fn.local('i64'), lo: fn.local('i64') };
  wide.multiply(fn, x, a, b);
  return { hi: fn.get(x.hi), lo: fn.get(x.lo) };
}
export function add(fn: FunctionBuilder, a: Pair, b: Pair): Pair {
  const lo = fn.let(w.add(a.lo, b.lo));
  return { hi: fn.let(w.add(w.add(a.hi, b.hi), w.extendU(w.ltU(lo, a.lo)))), lo };
}
export function subtract(fn: FunctionBuilder, a: Pair, b: Pair): Pair {
  return { hi: fn.let(w.sub(w.sub(a.hi, b.hi), w.extendU(w.ltU(a.lo, b.lo)))), lo: fn.let(w.sub(a.lo, b.lo)) };
}
/** a if not `condition`, else -a. */
export function negateIf(fn: FunctionBuilder, condition: Expr, a: Pair): Pair {
  const mask = fn.let(w.sub(w.i64(0), w.extendU(condition)));
  return subtract(fn, { hi: w.xor(a.hi, mask), lo: fn.let(w.xor(a.lo, mask)) }, { hi: mask, lo: mask });
}
/** a >> bits, 0 < bits < 64. */
export function shiftRight(fn: FunctionBuilder, a: Pair, bits: number): Pair {
  return { hi: fn.let(w.shrU(a.hi, w.i64(bits))), lo: fn.let(w.or(w.shl(a.hi, w.i64(64 - bits)), w.shrU(a.lo, w.i64(bits)))) };
}
/** value / 2^64 * 2^-bits as a fraction of 128 bits, 0 < bits < 64. */
export function scaled(fn: FunctionBuilder, value: Expr, bits: number): Pair { return { hi: fn.let(w.shrU(value, w.i64(bits))), lo: fn.let(w.shl(value, w.i64(64 - bits))) }; }
/** a >> bits (i32, at least 1; from 128 on the result is 0). */
export function shiftRightBy(fn: FunctionBuilder, a: Pair, bits: Expr): Pair {
  const n = fn.let(w.extendU(bits)), isShort = fn.let(w.ltU(bits, w.i32(64)));
  const across = w.or(w.shl(w.shl(a.hi, w.i64(1)), w.sub(w.i64(63), n)), w.shrU(a.lo, n)), far = w.select(w.ltU(bits, w.i32(128)), w.shrU(a.hi, n), w.i64(0));
  return { hi: fn.let(w.select(isShort, w.shrU(a.hi, n), w.i64(0))), lo: fn.let(w.select(isShort, across, far)) };
}
/** a << its leading zeros (hi is not 0), and how many they were (i64). */
export function normalize(fn: FunctionBuilder, a: Pair): Pair & { readonly shift: Expr } {
  const shift = fn.let(w.clz(a.hi));
  return { hi: fn.let(w.or(w.shl(a.hi, shift), w.shrU(w.shrU(a.lo, w.i64(1)), w.sub(w.i64(63), shift)))), lo: fn.let(w.shl(a.lo, shift)), shift };
}
