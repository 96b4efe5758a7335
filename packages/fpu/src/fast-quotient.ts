/** Quotients and arctangents in 128-bit fixed point. */
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder } from '@vmm/wasm';
import { wide } from '@vmm/softfloat';
import { FIXED_BITS, PI_FIXED } from './constants.ts';
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

/**
 * The angle of (x, y), relative error below 2^-75. With t = smaller / larger magnitude and c = j / 64 nearest to it, atan t = atan c + atan d where
 * d = (t - c) / (1 + t c) = (64 smaller - j larger) / (64 larger + j smaller), both exact.
 */
export function angle(fn: FunctionBuilder, tables: number, y: Operand, x: Operand, leaveIf: (condition: Expr) => void): Approximation {
  const apart = fn.let(w.sub(x.exponent, y.exponent));
  const swaps = fn.let(w.or(w.ltS(apart, w.i32(0)), w.and(w.eqz(apart), w.ltU(x.significand, y.significand))));
  const distance = fn.let(w.select(swaps, w.sub(w.i32(0), apart), apart));
  leaveIf(w.gtU(distance, w.i32(FARTHEST)));
  const larger = fn.let(w.select(swaps, y.significand, x.significand)), smaller = fn.let(w.select(swaps, x.significand, y.significand));
  const unit = w.plain('f64', 0xbf, w.shl(w.extendU(w.sub(w.i32(1023 + 6), distance)), w.i64(52)));
  const j = fn.let(w.plain('i64', 0xfc06, w.nearest(w.mul(w.div(toDouble(smaller), toDouble(larger)), unit))));
  const negative = fn.local('i32'), k = fn.local('i32'), parts = [fn.local('i64'), fn.local('i64'), fn.local('i64'), fn.local('i64')] as const;
  const [aHi, aLo, bHi, bLo] = parts;
  fn.if(w.eqz(j), () => {
    fn.set(negative, w.i32(0));
    fn.set(aHi, smaller);
    fn.set(aLo, w.i64(0));
    fn.set(bHi, larger);
    fn.set(bLo, w.i64(0));
    fn.set(k, w.sub(w.i32(0), distance));
  }, () => {
    const d = fn.let(w.extendU(distance)), by64 = { hi: fn.let(w.shrU(smaller, w.i64(58))), lo: fn.let(w.shl(smaller, w.i64(6))) };
    const difference = subtract(fn, by64, product(fn, larger, fn.let(w.shl(j, d))));
    fn.set(negative, w.ltS(difference.hi, w.i64(0)));
    const magnitude = negateIf(fn, fn.get(negative), difference);
    leaveIf(w.eqz(w.or(magnitude.hi, w.shrU(magnitude.lo, w.i64(16)))));
    const low = fn.let(w.eqz(magnitude.hi)), lifted = { hi: fn.let(w.select(low, magnitude.lo, magnitude.hi)), lo: fn.let(w.select(low, w.i64(0), magnitude.lo)) };
    const a = normalize(fn, lifted);
    const b = normalize(fn, add(fn, { hi: fn.let(w.shrU(larger, w.sub(w.i64(58), d))), lo: fn.let(w.shl(larger, w.add(d, w.i64(6)))) }, product(fn, smaller, j)));
    fn.set(aHi, a.hi);
    fn.set(aLo, a.lo);
    fn.set(bHi, b.hi);
    fn.set(bLo, b.lo);
    fn.set(k, w.wrap(w.sub(w.sub(b.shift, a.shift), w.shl(w.extendU(low), w.i64(6)))));
  });
  const ratio = divide(fn, { hi: fn.get(aHi), lo: fn.get(aLo) }, { hi: fn.get(bHi), lo: fn.get(bLo) });
  fn.set(k, w.add(fn.get(k), ratio.carry));
  leaveIf(w.gtS(fn.get(k), w.i32(-6)));
  const arc = seriesOf(fn, ratio, fn.get(k));
  const hi = fn.local('i64'), lo = fn.local('i64'), exponent = fn.local('i32');
  fn.if(w.eqz(w.or(w.wrap(j), w.or(swaps, x.sign))), () => {
    const value = normalize(fn, arc);
    fn.set(hi, value.hi);
    fn.set(lo, value.lo);
    fn.set(exponent, w.sub(w.sub(fn.get(k), w.i32(1)), w.wrap(value.shift)));
  }, () => {
    const at = fn.let(w.shl(w.wrap(j), w.i32(4))), load = (offset: number): Expr => fn.let(w.load('i64', 64, at, tables + TABLES.arctangents + offset));
    const small = negateIf(fn, fn.get(negative), shiftRightBy(fn, arc, fn.let(w.sub(w.i32(2), fn.get(k)))));
    const first = add(fn, { hi: load(0), lo: load(8) }, small);
    // c - a as -(a - c): π/2 - a, then π - a
    const turned = { hi: fn.local('i64'), lo: fn.local('i64') };
    fn.set(turned.hi, first.hi);
    fn.set(turned.lo, first.lo);
    for (const [condition, from] of [[swaps, pi(1n)], [x.sign, pi(0n)]] as const) {
      fn.if(condition, () => {
        const value = subtract(fn, from, { hi: fn.get(turned.hi), lo: fn.get(turned.lo) });
        fn.set(turned.hi, value.hi);
        fn.set(turned.lo, value.lo);
      });
    }
    const value = normalize(fn, { hi: fn.get(turned.hi), lo: fn.get(turned.lo) });
    fn.set(hi, value.hi);
    fn.set(lo, value.lo);
    fn.set(exponent, w.sub(w.i32(1), w.wrap(value.shift)));
  });
  return { sign: y.sign, exponent: fn.get(exponent), hi: fn.get(hi), lo: fn.get(lo) };
}
