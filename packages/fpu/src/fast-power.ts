/** Powers of two in 128-bit fixed point. */
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder } from '@vmm/wasm';
import { FIXED_BITS, LN2_FIXED } from './exact.ts';
import { add, high, highSigned, highSmallSigned, negateIf, normalize, product, scaled, shiftRightBy, word } from './fixed-point.ts';
import type { Approximation, Pair } from './fixed-point.ts';
import { TABLES } from './tables.ts';

/** ln 2 as a fraction of 2^128. */
const LN2 = LN2_FIXED >> FIXED_BITS - 128n;
/** Coefficients of 4 (1/6 + t/24 + …) as polynomial in 2^5 t, times 2^64. */
const TAIL = [6n, 24n, 120n, 720n, 5040n, 40320n, 362880n, 3628800n].map((factorial, n) => (1n << BigInt(66 - 5 * n)) / factorial);
/** From this one on they fit in 31 bits. */
const SMALL_FROM = 5;
/** Below 2^-7 the exponent's series gives the result as it is; from 2^-66 on it is left to the general way. */
const SMALL_EXPONENT = -7, SMALLEST = -66;

/** e^t - 1 = t (1 + t/2 + t^2 (1/6 + …)) for t = ±n ln2 2^(exponent - 63), as value * 2^(exponent - 127); |t| < 2^-6.5. Relative error below 2^-75. */
function lessOne(fn: FunctionBuilder, negative: Expr, n: Expr, exponent: Expr): Pair {
  const ln2 = { hi: word(LN2 >> 64n), lo: word(LN2) }, t = add(fn, product(fn, n, ln2.hi), { hi: w.i64(0), lo: high(fn, n, ln2.lo) });
  const fixed = fn.let(w.shrU(t.hi, w.extendU(w.sub(w.i32(SMALL_EXPONENT), exponent)))), half = w.shrU(fixed, w.i64(1)), signed = fn.let(w.select(negative, w.sub(w.i64(0), half), half));
  let tail = word(TAIL[TAIL.length - 1] ?? 0n);
  for (let i = TAIL.length - 2; i >= 0; i--) tail = fn.let(w.add(word(TAIL[i] ?? 0n), i + 1 >= SMALL_FROM ? highSmallSigned(fn, signed, tail) : highSigned(fn, signed, tail)));
  const cubic = scaled(fn, high(fn, t.hi, high(fn, high(fn, fixed, fixed), tail)), 14);
  const cross = high(fn, t.hi, t.lo), square = add(fn, product(fn, t.hi, t.hi), { hi: fn.let(w.shrU(cross, w.i64(63))), lo: fn.let(w.shl(cross, w.i64(1))) });
  const quadratic = negateIf(fn, negative, shiftRightBy(fn, square, fn.let(w.sub(w.i32(0), exponent))));
  return add(fn, add(fn, t, cubic), quadratic);
}

/** 2^x - 1 for 2^-66 <= |x| < 1, relative error below 2^-74: x = j / 64 + b, 2^x - 1 = (2^(j/64) - 1) + 2^(j/64) (2^b - 1). */
export function powerLessOne(fn: FunctionBuilder, tables: number, x: { sign: Expr; exponent: Expr; significand: Expr }, leaveIf: (condition: Expr) => void): Approximation {
  leaveIf(w.gtU(w.sub(x.exponent, w.i32(SMALLEST)), w.i32(-1 - SMALLEST)));
  const isSmall = fn.let(w.leS(x.exponent, w.i32(SMALL_EXPONENT))), n = fn.local('i64'), exponent = fn.local('i32'), negative = fn.local('i32'), j = fn.local('i64');
  fn.set(n, x.significand);
  fn.set(exponent, x.exponent);
  fn.set(negative, x.sign);
  fn.set(j, w.i64(0));
  fn.unless(isSmall, () => {
    const shift = fn.let(w.extendU(w.sub(w.i32(-1), x.exponent)));
    const magnitude = { hi: fn.let(w.shrU(x.significand, shift)), lo: fn.let(w.shl(w.shl(x.significand, w.i64(1)), w.sub(w.i64(63), shift))) };
    // modulo 1: a negative x counts from -1
    const fraction = negateIf(fn, x.sign, magnitude);
    fn.set(n, w.or(w.shl(fraction.hi, w.i64(6)), w.shrU(fraction.lo, w.i64(58))));
    fn.set(j, w.add(w.shrU(fraction.hi, w.i64(58)), w.select(x.sign, w.i64(0), w.i64(64))));
    fn.set(exponent, w.i32(SMALL_EXPONENT));
    fn.set(negative, w.i32(0));
  });
  const growth = lessOne(fn, fn.get(negative), fn.get(n), fn.get(exponent));
  const sign = fn.local('i32'), hi = fn.local('i64'), lo = fn.local('i64'), result = fn.local('i32');
  const set = (isNegative: Expr, value: Pair & { shift: Expr }, scale: Expr): void => {
    fn.set(sign, isNegative);
    fn.set(hi, value.hi);
    fn.set(lo, value.lo);
    fn.set(result, w.sub(scale, w.wrap(value.shift)));
  };
  fn.if(isSmall, () => { set(x.sign, normalize(fn, growth), x.exponent); }, () => {
    const at = fn.let(w.shl(w.wrap(fn.get(j)), w.i32(4))), load = (offset: number): Expr => fn.let(w.load('i64', 64, at, tables + TABLES.powers + offset));
    const power = { hi: load(0), lo: load(8) };
    const grown = add(fn, add(fn, product(fn, power.hi, growth.hi), { hi: w.i64(0), lo: high(fn, power.hi, growth.lo) }), { hi: w.i64(0), lo: high(fn, power.lo, growth.hi) });
    const whole = add(fn, { hi: fn.let(w.sub(power.hi, w.i64(0, 0x4000_0000))), lo: power.lo }, shiftRightBy(fn, grown, w.i32(6)));
    set(x.sign, normalize(fn, negateIf(fn, x.sign, whole)), w.i32(1));
  });
  return { sign: fn.get(sign), exponent: fn.get(result), hi: fn.get(hi), lo: fn.get(lo) };
}
