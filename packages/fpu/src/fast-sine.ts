/** Sine and cosine in 128-bit fixed point. */
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder } from '@vmm/wasm';
import { add, high, highSmall, negateIf, normalize, product, scaled, shiftRight, subtract, word } from './fixed-point.ts';
import type { Approximation, Pair } from './fixed-point.ts';
import { TABLES } from './tables.ts';

const ONE = 1n << 64n;
/** The x87's π/2 (constants.ts) in units of 2^-65: 66 bits, high words first. */
const HALF_PI = [w.i64(3), w.i64(0x243f_6a88), w.i64(0x85a3_08d3)] as const;
/** π/4 as a significand. */
const QUARTER_PI = 0xc90f_daa2_2168_c234n;
/** Arguments from 2^-34 to 2^30. */
const SMALLEST = -34, LARGEST = 29;

/** Coefficients of 2^14 (r - sin r) / r = v (c1 - v (c2 - …)), v = 2^12 r^2, times 2^64. */
const SMALL = [ONE * 2n / 3n, (1n << 54n) / 120n, (1n << 42n) / 5040n, (1n << 30n) / 362880n] as const;
/** Of 2^15 (1 - cos b) = v (1 - v (k1 - v (k2 - …))), v = 2^14 b^2. */
const COSINE = [(1n << 50n) / 12n, (1n << 36n) / 360n, (1n << 22n) / 20160n] as const;
/** Of 2^23 (b - sin b) = 2^7 b v (z0 - v (z1 - …)). */
const SINE = [ONE * 2n / 3n, (1n << 52n) / 120n, (1n << 38n) / 5040n, (1n << 24n) / 362880n] as const;

/** r in 0 … π/4 as a fraction of 2^128; |x| = ±r + quadrant * π/2. */
interface Reduced extends Pair { readonly negative: Expr; readonly quadrant: Expr }

/**
 * |x| minus the nearest multiple of π/2, exactly: with a 66-bit π and |x| >= 1/4 both are multiples of 2^-65. The multiple may be off by one next to odd
 * multiples of π/4, which changes r and the quadrant but not the sine.
 */
function reduce(fn: FunctionBuilder, significand: Expr, exponent: Expr, leaveIf: (condition: Expr) => void): Reduced {
  const hi = fn.local('i64'), lo = fn.local('i64'), negative = fn.local('i32'), quadrant = fn.local('i32'), one = w.i64(1);
  fn.set(negative, w.i32(0));
  fn.set(quadrant, w.i32(0));
  const isSmall = w.or(w.ltS(exponent, w.i32(-1)), w.and(w.eq(exponent, w.i32(-1)), w.ltU(significand, word(QUARTER_PI))));
  fn.if(isSmall, () => {
    const shift = fn.let(w.extendU(w.sub(w.i32(-1), exponent)));
    fn.set(hi, w.shrU(significand, shift));
    fn.set(lo, w.shl(w.shl(significand, one), w.sub(w.i64(63), shift)));
  }, () => {
    const shift = fn.let(w.extendU(w.add(exponent, w.i32(2)))), unit = w.plain('f64', 0xbf, w.shl(w.extendU(w.add(exponent, w.i32(1023))), w.i64(52)));
    const quotient = w.mul(w.mul(w.plain('f64', 0xba, significand), w.f64(2 ** -62 / Math.PI)), unit), k = fn.let(w.plain('i64', 0xfc06, w.nearest(quotient)));
    const p0 = fn.let(w.mul(k, HALF_PI[2])), p1 = fn.let(w.add(w.mul(k, HALF_PI[1]), w.shrU(p0, w.i64(32))));
    const multiple = { hi: fn.let(w.add(w.shrU(p1, w.i64(32)), w.mul(k, HALF_PI[0]))), lo: fn.let(w.or(w.shl(p1, w.i64(32)), w.and(p0, w.i64(-1, 0)))) };
    const x = { hi: fn.let(w.shrU(significand, w.sub(w.i64(64), shift))), lo: fn.let(w.shl(significand, shift)) };
    const difference = subtract(fn, x, multiple);
    fn.set(negative, w.ltS(difference.hi, w.i64(0)));
    const r = negateIf(fn, fn.get(negative), difference);
    fn.set(hi, w.or(w.shl(r.hi, w.i64(63)), w.shrU(r.lo, one)));
    fn.set(lo, w.shl(r.lo, w.i64(63)));
    fn.set(quadrant, w.and(w.wrap(k), w.i32(3)));
  });
  leaveIf(w.eqz(fn.get(hi)));
  return { hi: fn.get(hi), lo: fn.get(lo), negative: fn.get(negative), quadrant: fn.get(quadrant) };
}

interface Table { readonly sine: Pair; readonly cosine: Pair }
function entry(fn: FunctionBuilder, tables: number, r: Pair): Table {
  const at = fn.let(w.wrap(w.shl(w.shrU(r.hi, w.i64(57)), w.i64(5)))), load = (offset: number): Expr => fn.let(w.load('i64', 64, at, tables + TABLES.sines + offset));
  return { sine: { hi: load(0), lo: load(8) }, cosine: { hi: load(16), lo: load(24) } };
}

/** factor * value / 2^bits, value of 64 bits as a fraction like factor; 2^-95 of the value too small at most. */
function times(fn: FunctionBuilder, factor: Pair, value: Expr, bits: number): Pair {
  const tail = w.mul(w.shrU(factor.lo, w.i64(32)), w.shrU(value, w.i64(32)));
  return shiftRight(fn, add(fn, product(fn, value, factor.hi), { hi: w.i64(0), lo: fn.let(tail) }), bits);
}

/** sin r for r < 2^-6 by its series, relative error below 2^-76. */
function smallSine(fn: FunctionBuilder, r: Pair): Pair & { readonly exponent: Expr } {
  const n = normalize(fn, r), [c1, c2, c3, c4] = SMALL;
  const z = fn.let(w.or(w.shl(r.hi, w.i64(6)), w.shrU(r.lo, w.i64(58)))), v = high(fn, z, z);
  const y3 = fn.let(w.sub(word(c3), highSmall(fn, v, word(c4)))), y2 = fn.let(w.sub(word(c2), highSmall(fn, v, y3))), y1 = fn.let(w.sub(word(c1), high(fn, v, y2)));
  const result = normalize(fn, subtract(fn, n, scaled(fn, high(fn, n.hi, high(fn, v, y1)), 14)));
  return { hi: result.hi, lo: result.lo, exponent: fn.let(w.wrap(w.sub(w.i64(-1), w.add(n.shift, result.shift)))) };
}

/**
 * sin x and cos x of (-1)^sign * significand/2^63 * 2^exponent, relative errors below 2^-76: table entries for r's leading seven bits and the addition theorems, where
 * b < 2^-7 is the rest of r: 1 - cos b in units of 2^-79, b - sin b in units of 2^-87. sin r below 2^-6 by a series of its own.
 */
export function sineCosine(
  fn: FunctionBuilder, tables: number, x: { sign: Expr; exponent: Expr; significand: Expr }, leaveIf: (condition: Expr) => void,
): { sine: Approximation; cosine: Approximation } {
  leaveIf(w.gtU(w.sub(x.exponent, w.i32(SMALLEST)), w.i32(LARGEST - SMALLEST)));
  const r = reduce(fn, x.significand, x.exponent, leaveIf), table = entry(fn, tables, r);
  const b = fn.let(w.or(w.shl(r.hi, w.i64(7)), w.shrU(r.lo, w.i64(57)))), v = high(fn, b, b);
  const [k1, k2, k3] = COSINE, [z0, z1, z2, z3] = SINE;
  const y = fn.let(w.sub(word(k1), highSmall(fn, v, fn.let(w.sub(word(k2), highSmall(fn, v, word(k3)))))));
  const tail = fn.let(w.sub(word(z1), highSmall(fn, v, fn.let(w.sub(word(z2), highSmall(fn, v, word(z3))))))), z = fn.let(w.sub(word(z0), high(fn, v, tail)));
  // 1 - cos b, b - sin b
  const u = fn.let(w.sub(v, high(fn, v, high(fn, v, y))));
  const t = high(fn, high(fn, b, v), z);

  const sineHi = fn.local('i64'), sineLo = fn.local('i64'), sineExponent = fn.local('i32');
  const setSine = (value: Pair & { exponent: Expr }): void => {
    fn.set(sineHi, value.hi);
    fn.set(sineLo, value.lo);
    fn.set(sineExponent, value.exponent);
  };
  fn.if(w.ltU(r.hi, w.i64(2 ** 58)), () => { setSine(smallSine(fn, r)); }, () => {
    const rise = add(fn, table.sine, times(fn, table.cosine, b, 7)), fall = times(fn, table.sine, u, 15);
    const value = normalize(fn, subtract(fn, subtract(fn, rise, fall), scaled(fn, high(fn, t, table.cosine.hi), 23)));
    setSine({ hi: value.hi, lo: value.lo, exponent: w.wrap(w.sub(w.i64(-1), value.shift)) });
  });
  const fall = subtract(fn, table.cosine, times(fn, table.sine, b, 7));
  const rest = fn.let(w.sub(high(fn, u, table.cosine.hi), w.shrU(high(fn, t, table.sine.hi), w.i64(8)))), cosine = subtract(fn, fall, scaled(fn, rest, 15));

  // by quadrant: sin r, cos r, -sin r, -cos r
  const odd = fn.let(w.and(r.quadrant, w.i32(1))), pick = (which: Expr, a: Expr, b2: Expr): Expr => fn.let(w.select(which, a, b2)), even = fn.let(w.xor(odd, w.i32(1)));
  const half = fn.let(w.shrU(r.quadrant, w.i32(1))), minusOne = w.i32(-1);
  return {
    sine: {
      sign: fn.let(w.xor(w.xor(x.sign, half), w.and(even, r.negative))), exponent: pick(odd, minusOne, fn.get(sineExponent)),
      hi: pick(odd, cosine.hi, fn.get(sineHi)), lo: pick(odd, cosine.lo, fn.get(sineLo)),
    },
    // cosine at quadrant q is sine at q + 1: cos r, -sin r, -cos r, sin r
    cosine: {
      sign: fn.let(w.xor(w.xor(half, odd), w.and(odd, r.negative))), exponent: pick(odd, fn.get(sineExponent), minusOne),
      hi: pick(odd, fn.get(sineHi), cosine.hi), lo: pick(odd, fn.get(sineLo), cosine.lo),
    },
  };
}
