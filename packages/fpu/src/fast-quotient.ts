/** Quotients and arctangents in 128-bit fixed point. */
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder, Local } from '@vmm/wasm';
import { wide } from '@vmm/softfloat';
import { FIXED_BITS, PI_FIXED } from './exact.ts';
import { add, high, highSmall, negateIf, normalize, product, scaled, shiftRightBy, subtract, word } from './fixed-point.ts';
import type { Approximation, Pair } from './fixed-point.ts';
import { TABLES } from './tables.ts';

interface Operand { readonly sign: Expr; readonly exponent: Expr; readonly significand: Expr }

const toDouble = (value: Expr): Expr => w.plain('f64', 0xba, value);

/**
 * a / b of two pairs with their top bits set as value / 2^128 * 2^carry, value at least 2^127 - 2^64: 64 bits by division, the rest by doubles. Error below 2^-112 relative.
 */
function divide(fn: FunctionBuilder, a: Pair, b: Pair): Pair & { readonly carry: Expr } {
  const carry = fn.let(w.geU(a.hi, b.hi)), shift = fn.let(w.extendU(carry)), q = fn.local('i64'), rest = fn.local('i64');
  const hi = fn.let(w.shrU(a.hi, shift)), lo = fn.let(w.or(w.shrU(a.lo, shift), w.shl(w.and(a.hi, shift), w.i64(63))));
  wide.divide(fn, q, rest, hi, lo, b.hi);
  const missing = w.sub(toDouble(fn.get(rest)), w.mul(w.mul(toDouble(fn.get(q)), toDouble(b.lo)), w.f64(2 ** -64)));
  const tail = fn.let(w.plain('i64', 0xfc06, w.mul(w.div(missing, toDouble(b.hi)), w.f64(2 ** 62))));
  const sum = add(fn, { hi: fn.get(q), lo: w.i64(0) }, { hi: fn.let(w.shrS(tail, w.i64(62))), lo: fn.let(w.shl(tail, w.i64(2))) });
  return { ...sum, carry };
}

/** a / b, relative error that of both and 2^-112. */
export function quotient(fn: FunctionBuilder, a: Approximation, b: Approximation): Approximation {
  const q = divide(fn, a, b), value = normalize(fn, q);
  return {
    sign: fn.let(w.xor(a.sign, b.sign)), hi: value.hi, lo: value.lo,
    exponent: fn.let(w.sub(w.add(w.sub(a.exponent, b.exponent), q.carry), w.add(w.i32(1), w.wrap(value.shift)))),
  };
}

/** Coefficients of 2^13 (d - atan d) / d = v (c0 - v (c1 - …)), v = 2^12 d^2, times 2^64. */
const SERIES = [(1n << 65n) / 3n, (1n << 53n) / 5n, (1n << 41n) / 7n, (1n << 29n) / 9n, (1n << 17n) / 11n] as const;
/** From 2^-60 on the smaller operand's effect is left to the general way. */
const FARTHEST = 60;

/** atan d / d * value, for d = value * 2^(k - 128) up to about 2^-7: relative error below 2^-75. */
function seriesOf(fn: FunctionBuilder, d: Pair, k: Expr): Pair {
  const [c0, c1, c2, c3, c4] = SERIES, shift = fn.let(w.sub(w.i32(-12), w.shl(k, w.i32(1))));
  const v = fn.let(w.select(w.ltS(shift, w.i32(64)), w.shrU(high(fn, d.hi, d.hi), w.extendU(shift)), w.i64(0)));
  const y3 = fn.let(w.sub(word(c3), highSmall(fn, v, word(c4)))), y2 = fn.let(w.sub(word(c2), highSmall(fn, v, y3)));
  const y1 = fn.let(w.sub(word(c1), high(fn, v, y2))), y0 = fn.let(w.sub(word(c0), high(fn, v, y1)));
  return subtract(fn, d, scaled(fn, high(fn, d.hi, high(fn, v, y0)), 13));
}

/** π / 2^n in units of 2^-126. */
const pi = (n: bigint): Pair => { const value = PI_FIXED >> FIXED_BITS - 126n + n; return { hi: word(value >> 64n), lo: word(value) }; };

interface Ratio { readonly negative: Local; readonly k: Local; readonly aHi: Local; readonly aLo: Local; readonly bHi: Local; readonly bLo: Local }

/** d for j = 0: the smaller number over the larger. */
function plainRatio(fn: FunctionBuilder, ratio: Ratio, larger: Expr, smaller: Expr, distance: Expr): void {
  fn.set(ratio.negative, w.i32(0));
  fn.set(ratio.aHi, smaller);
  fn.set(ratio.aLo, w.i64(0));
  fn.set(ratio.bHi, larger);
  fn.set(ratio.bLo, w.i64(0));
  fn.set(ratio.k, w.sub(w.i32(0), distance));
}
/** d for j > 0, when the exponents are at most 7 apart: 64 smaller - j larger over 64 larger + j smaller, exactly, each times 2^distance. */
function turnedRatio(fn: FunctionBuilder, ratio: Ratio, larger: Expr, smaller: Expr, distance: Expr, j: Expr, leaveIf: (condition: Expr) => void): void {
  const apart = fn.let(w.extendU(distance)), by64 = { hi: fn.let(w.shrU(smaller, w.i64(58))), lo: fn.let(w.shl(smaller, w.i64(6))) };
  const difference = subtract(fn, by64, product(fn, larger, fn.let(w.shl(j, apart))));
  fn.set(ratio.negative, w.ltS(difference.hi, w.i64(0)));
  const magnitude = negateIf(fn, fn.get(ratio.negative), difference);
  // so near to c that nothing is left to divide
  leaveIf(w.eqz(w.or(magnitude.hi, w.shrU(magnitude.lo, w.i64(16)))));
  const low = fn.let(w.eqz(magnitude.hi)), lifted = { hi: fn.let(w.select(low, magnitude.lo, magnitude.hi)), lo: fn.let(w.select(low, w.i64(0), magnitude.lo)) };
  const larger64 = { hi: fn.let(w.shrU(larger, w.sub(w.i64(58), apart))), lo: fn.let(w.shl(larger, w.add(apart, w.i64(6)))) };
  const a = normalize(fn, lifted), b = normalize(fn, add(fn, larger64, product(fn, smaller, j)));
  fn.set(ratio.aHi, a.hi);
  fn.set(ratio.aLo, a.lo);
  fn.set(ratio.bHi, b.hi);
  fn.set(ratio.bLo, b.lo);
  fn.set(ratio.k, w.wrap(w.sub(w.sub(b.shift, a.shift), w.shl(w.extendU(low), w.i64(6)))));
}

/** atan(j / 64) ± arc, then π/2 less that if the operands were swapped, then π less that if x is negative: in units of 2^-126. */
function turn(fn: FunctionBuilder, tables: number, j: Expr, arc: Pair, swaps: Expr, mirrors: Expr): Pair {
  const at = fn.let(w.shl(w.wrap(j), w.i32(4))), load = (offset: number): Expr => fn.let(w.load('i64', 64, at, tables + TABLES.arctangents + offset));
  const hi = fn.local('i64'), lo = fn.local('i64'), first = add(fn, { hi: load(0), lo: load(8) }, arc);
  fn.set(hi, first.hi);
  fn.set(lo, first.lo);
  for (const [condition, from] of [[swaps, pi(1n)], [mirrors, pi(0n)]] as const) {
    fn.if(condition, () => {
      const value = subtract(fn, from, { hi: fn.get(hi), lo: fn.get(lo) });
      fn.set(hi, value.hi);
      fn.set(lo, value.lo);
    });
  }
  return { hi: fn.get(hi), lo: fn.get(lo) };
}

/**
 * The angle of (x, y), relative error below 2^-75. With t = smaller / larger magnitude and c = j / 64 nearest to it, atan t = atan c + atan d where
 * d = (t - c) / (1 + t c).
 */
export function angle(fn: FunctionBuilder, tables: number, y: Operand, x: Operand, leaveIf: (condition: Expr) => void): Approximation {
  const apart = fn.let(w.sub(x.exponent, y.exponent));
  const swaps = fn.let(w.or(w.ltS(apart, w.i32(0)), w.and(w.eqz(apart), w.ltU(x.significand, y.significand))));
  const distance = fn.let(w.select(swaps, w.sub(w.i32(0), apart), apart));
  leaveIf(w.gtU(distance, w.i32(FARTHEST)));
  const larger = fn.let(w.select(swaps, y.significand, x.significand)), smaller = fn.let(w.select(swaps, x.significand, y.significand));
  const unit = w.plain('f64', 0xbf, w.shl(w.extendU(w.sub(w.i32(1023 + 6), distance)), w.i64(52)));
  const j = fn.let(w.plain('i64', 0xfc06, w.nearest(w.mul(w.div(toDouble(smaller), toDouble(larger)), unit))));
  const ratio: Ratio = { negative: fn.local('i32'), k: fn.local('i32'), aHi: fn.local('i64'), aLo: fn.local('i64'), bHi: fn.local('i64'), bLo: fn.local('i64') };
  fn.if(w.eqz(j), () => { plainRatio(fn, ratio, larger, smaller, distance); }, () => { turnedRatio(fn, ratio, larger, smaller, distance, j, leaveIf); });
  const d = divide(fn, { hi: fn.get(ratio.aHi), lo: fn.get(ratio.aLo) }, { hi: fn.get(ratio.bHi), lo: fn.get(ratio.bLo) }), k = fn.let(w.add(fn.get(ratio.k), d.carry));
  leaveIf(w.gtS(k, w.i32(-6)));
  const arc = seriesOf(fn, d, k), hi = fn.local('i64'), lo = fn.local('i64'), exponent = fn.local('i32');
  const set = (value: Pair & { shift: Expr }, scale: Expr): void => {
    fn.set(hi, value.hi);
    fn.set(lo, value.lo);
    fn.set(exponent, w.sub(scale, w.wrap(value.shift)));
  };
  fn.if(w.eqz(w.or(w.wrap(j), w.or(swaps, x.sign))), () => { set(normalize(fn, arc), w.sub(k, w.i32(1))); }, () => {
    const part = negateIf(fn, fn.get(ratio.negative), shiftRightBy(fn, arc, fn.let(w.sub(w.i32(2), k))));
    set(normalize(fn, turn(fn, tables, j, part, swaps, x.sign)), w.i32(1));
  });
  return { sign: y.sign, exponent: fn.get(exponent), hi: fn.get(hi), lo: fn.get(lo) };
}
