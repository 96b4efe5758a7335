/** Logarithms in 128-bit fixed point. */
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder } from '@vmm/wasm';
import { FIXED_BITS, LN2_FIXED } from './exact.ts';
import { add, high, highSigned, highSmallSigned, negateIf, normalize, product, scaled, shiftRightBy, word } from './fixed-point.ts';
import type { Approximation, Pair } from './fixed-point.ts';
import { TABLES } from './tables.ts';

/** log2 e in units of 2^-127. */
const LOG2_E = (1n << FIXED_BITS + 127n) / LN2_FIXED;
/** Coefficients of 1/3 - r/4 + r^2/5 - … as polynomial in 2^7 r, times 2^64. */
const TAIL = Array.from({ length: 9 }, (_, n) => (1n << BigInt(64 - 7 * n)) / BigInt(n + 3));
/** From this one on they fit in 31 bits. */
const SMALL_FROM = 5;

/**
 * log2(1 + r) as value * 2^(exponent - 125), value near 2^126; relative error below 2^-78. |r| < 2^-8: `n` is its significand and `exponent` its exponent; `units` is |r| in
 * units of 2^-72. log(1 + r) = r (1 - r/2 + r^2 (1/3 - r/4 + …)).
 */
function logarithmOfSum(fn: FunctionBuilder, negative: Expr, n: Expr, exponent: Expr, units: Expr): Pair {
  const half = w.shrU(units, w.i64(1)), r = fn.let(w.select(negative, w.sub(w.i64(0), half), half));
  let tail = word(TAIL[TAIL.length - 1] ?? 0n);
  for (let i = TAIL.length - 2; i >= 0; i--) tail = fn.let(w.sub(word(TAIL[i] ?? 0n), i + 1 >= SMALL_FROM ? highSmallSigned(fn, r, tail) : highSigned(fn, r, tail)));
  const cubic = scaled(fn, high(fn, n, high(fn, high(fn, units, units), tail)), 17);
  const quadratic = shiftRightBy(fn, product(fn, n, n), fn.let(w.sub(w.i32(1), exponent)));
  const linear = { hi: fn.let(w.shrU(n, w.i64(1))), lo: fn.let(w.shl(n, w.i64(63))) };
  const natural = add(fn, add(fn, linear, cubic), negateIf(fn, fn.let(w.eqz(negative)), quadratic));
  // times log2 e
  const e = { hi: word(LOG2_E >> 64n), lo: word(LOG2_E) };
  return add(fn, add(fn, product(fn, natural.hi, e.hi), { hi: w.i64(0), lo: high(fn, natural.hi, e.lo) }), { hi: w.i64(0), lo: high(fn, natural.lo, e.hi) });
}
function fromSum(fn: FunctionBuilder, negative: Expr, exponent: Expr, sum: Pair): Approximation {
  const value = normalize(fn, sum);
  return { sign: negative, exponent: fn.let(w.sub(w.add(exponent, w.i32(2)), w.wrap(value.shift))), hi: value.hi, lo: value.lo };
}

/** log2 of a positive number other than a power of two, relative error below 2^-77: m c = 1 + r exactly with c from a table, log2 x = exponent + log2(1/c) + log2(1 + r). */
export function logarithm2(fn: FunctionBuilder, tables: number, x: { exponent: Expr; significand: Expr }, leaveIf: (condition: Expr) => void): Approximation {
  const at = fn.let(w.wrap(w.and(w.shrU(x.significand, w.i64(50)), w.i64(0xff << 5)))), load = (offset: number): Expr => fn.let(w.load('i64', 64, at, tables + TABLES.logarithms + offset));
  const table = { hi: load(0), lo: load(8) }, c = load(16), exponent = fn.let(w.add(x.exponent, w.wrap(load(24))));
  const p0 = fn.let(w.mul(w.and(x.significand, w.i64(-1, 0)), c)), p1 = fn.let(w.add(w.mul(w.shrU(x.significand, w.i64(32)), c), w.shrU(p0, w.i64(32))));
  const low = fn.let(w.or(w.shl(p1, w.i64(32)), w.and(p0, w.i64(-1, 0)))), negative = fn.let(w.eqz(w.shrU(p1, w.i64(40))));
  const units = fn.let(w.select(negative, w.sub(w.i64(0), low), low));
  leaveIf(w.eqz(units));
  const leading = fn.let(w.clz(units)), n = fn.let(w.shl(units, leading)), scale = fn.let(w.sub(w.i32(-9), w.wrap(leading)));
  const sum = logarithmOfSum(fn, negative, n, scale, units);
  const sign = fn.local('i32'), result = fn.local('i32'), hi = fn.local('i64'), lo = fn.local('i64');
  const set = (value: Approximation): void => {
    fn.set(sign, value.sign);
    fn.set(result, value.exponent);
    fn.set(hi, value.hi);
    fn.set(lo, value.lo);
  };
  fn.if(w.eqz(w.or(w.extendU(exponent), w.or(table.hi, table.lo))), () => { set(fromSum(fn, negative, scale, sum)); }, () => {
    const small = negateIf(fn, negative, shiftRightBy(fn, sum, fn.let(w.sub(w.i32(13), scale))));
    const whole = add(fn, { hi: fn.let(w.add(table.hi, w.shl(w.extendS(exponent), w.i64(48)))), lo: table.lo }, small), isNegative = fn.let(w.ltS(whole.hi, w.i64(0)));
    const value = normalize(fn, negateIf(fn, isNegative, whole));
    set({ sign: isNegative, exponent: w.sub(w.i32(15), w.wrap(value.shift)), hi: value.hi, lo: value.lo });
  });
  return { sign: fn.get(sign), exponent: fn.get(result), hi: fn.get(hi), lo: fn.get(lo) };
}

/** log2(1 + x) for 2^-66 < |x| < 2^-8. */
export function logarithm2Plus1(fn: FunctionBuilder, x: { sign: Expr; exponent: Expr; significand: Expr }, leaveIf: (condition: Expr) => void): Approximation {
  leaveIf(w.gtU(w.add(x.exponent, w.i32(66)), w.i32(66 - 9)));
  const shift = fn.let(w.sub(w.i32(-9), x.exponent)), units = fn.let(w.shrU(x.significand, w.extendU(shift)));
  return fromSum(fn, x.sign, x.exponent, logarithmOfSum(fn, x.sign, x.significand, x.exponent, units));
}

/** Times an exact number. */
export function times(fn: FunctionBuilder, a: Approximation, y: { sign: Expr; exponent: Expr; significand: Expr }): Approximation {
  const value = normalize(fn, add(fn, product(fn, a.hi, y.significand), { hi: w.i64(0), lo: high(fn, a.lo, y.significand) }));
  return {
    sign: fn.let(w.xor(a.sign, y.sign)), exponent: fn.let(w.sub(w.add(w.add(a.exponent, y.exponent), w.i32(1)), w.wrap(value.shift))), hi: value.hi, lo: value.lo,
  };
}
