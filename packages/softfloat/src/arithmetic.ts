/** Add, subtract, multiply, divide, square root, fused multiply-add: one exact intermediate, one rounding. */
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder, FunctionRef, Local, ModuleBuilder } from '@vmm/wasm';
import { FLAG, MODE } from './flags.ts';
import { isInfinite, isNaN, isZero, unpack } from './format.ts';
import type { Unpacked } from './format.ts';
import { raise } from './round.ts';
import type { Target } from './target.ts';
import * as wide from './wide.ts';

const { ONE_TOP } = wide;

/** Writes an operation of two operands: takes both apart, deals with NaNs, merges the denormal flag, then `body`. */
function binary(module: ModuleBuilder, target: Target, body: (fn: FunctionBuilder, a: Unpacked, b: Unpacked, denormal: () => void) => void): FunctionRef {
  return module.define(target.parameters(2), target.results, (fn) => {
    const x = target.operand(fn, 0), y = target.operand(fn, 1), flags = fn.local('i32');
    fn.set(flags, w.i32(0));
    const a = unpack(fn, target.format, x, target.mode(fn), flags), b = unpack(fn, target.format, y, target.mode(fn), flags);
    fn.if(w.or(isNaN(fn, a), isNaN(fn, b)), () => { target.nan(fn, x, y); });
    body(fn, a, b, () => { fn.if(fn.get(flags), () => { raise(fn, target.flagsAddress, fn.get(flags)); }); });
  });
}

export function defineAdd(module: ModuleBuilder, target: Target, subtract: boolean): FunctionRef {
  return binary(module, target, (fn, a, b, denormal) => {
    if (subtract) fn.set(b.sign, w.xor(fn.get(b.sign), w.i32(1)));
    fn.if(w.or(isInfinite(fn, a), isInfinite(fn, b)), () => {
      fn.if(w.and(w.and(isInfinite(fn, a), isInfinite(fn, b)), w.ne(fn.get(a.sign), fn.get(b.sign))), () => { target.invalid(fn); });
      denormal();
      target.infinity(fn, w.select(isInfinite(fn, a), fn.get(a.sign), fn.get(b.sign)));
    });
    denormal();
    addFinite(fn, target, a, b);
  });
}

const roundsDown = (target: Target, fn: FunctionBuilder): Expr => w.eq(w.and(target.mode(fn), w.i32(MODE.roundingMask)), w.i32(MODE.down));

/** Sum of two finite numbers, rounded and returned. */
function addFinite(fn: FunctionBuilder, target: Target, a: Unpacked, b: Unpacked): void {
  swapIf(fn, a, b, w.or(w.ltS(fn.get(a.exponent), fn.get(b.exponent)),
    w.and(w.eq(fn.get(a.exponent), fn.get(b.exponent)), w.ltU(fn.get(a.significand), fn.get(b.significand)))));
  // now |a| >= |b|
  fn.if(isZero(fn, b), () => {
    fn.if(isZero(fn, a), () => { target.zero(fn, w.select(w.eq(fn.get(a.sign), fn.get(b.sign)), fn.get(a.sign), roundsDown(target, fn))); });
    target.round(fn, fn.get(a.sign), fn.get(a.exponent), fn.get(a.significand), w.i64(0));
  });
  const y = { hi: b.significand, lo: fn.local('i64') };
  fn.set(y.lo, w.i64(0));
  wide.shiftRightJam(fn, y, w.sub(fn.get(a.exponent), fn.get(b.exponent)));
  const hi = fn.get(a.significand), lo = fn.get(y.lo);
  fn.if(w.eq(fn.get(a.sign), fn.get(b.sign)), () => {
    fn.set(a.significand, w.add(hi, fn.get(y.hi)));
    fn.if(w.ltU(hi, fn.get(y.hi)), () => {
      fn.set(y.lo, w.or(w.or(w.shrU(lo, w.i64(1)), w.shl(hi, w.i64(63))), w.and(lo, w.i64(1))));
      fn.set(a.significand, w.or(w.shrU(hi, w.i64(1)), ONE_TOP));
      fn.set(a.exponent, w.add(fn.get(a.exponent), w.i32(1)));
    });
  }, () => {
    fn.set(a.significand, w.sub(w.sub(hi, fn.get(y.hi)), wide.isNonZero(lo)));
    fn.set(y.lo, w.sub(w.i64(0), lo));
    fn.if(w.eqz(w.or(hi, lo)), () => { target.zero(fn, roundsDown(target, fn)); });
    wide.normalize(fn, { hi: a.significand, lo: y.lo }, a.exponent);
  });
  target.round(fn, fn.get(a.sign), fn.get(a.exponent), hi, lo);
}

function swapIf(fn: FunctionBuilder, a: Unpacked, b: Unpacked, condition: Expr): void {
  fn.if(condition, () => {
    for (const key of ['sign', 'exponent', 'significand'] as const) {
      const held = fn.let(fn.get(a[key]));
      fn.set(a[key], fn.get(b[key]));
      fn.set(b[key], held);
    }
  });
}

export function defineMultiply(module: ModuleBuilder, target: Target): FunctionRef {
  return binary(module, target, (fn, a, b, denormal) => {
    const sign = fn.let(w.xor(fn.get(a.sign), fn.get(b.sign)));
    fn.if(w.or(isInfinite(fn, a), isInfinite(fn, b)), () => {
      fn.if(w.or(isZero(fn, a), isZero(fn, b)), () => { target.invalid(fn); });
      denormal();
      target.infinity(fn, sign);
    });
    denormal();
    fn.if(w.or(isZero(fn, a), isZero(fn, b)), () => { target.zero(fn, sign); });
    const x = { hi: fn.local('i64'), lo: fn.local('i64') }, exponent = fn.local('i32');
    fn.set(exponent, w.add(w.add(fn.get(a.exponent), fn.get(b.exponent)), w.i32(1)));
    wide.multiply(fn, x, fn.get(a.significand), fn.get(b.significand));
    wide.normalize(fn, x, exponent);
    target.round(fn, sign, fn.get(exponent), fn.get(x.hi), fn.get(x.lo));
  });
}

export function defineDivide(module: ModuleBuilder, target: Target): FunctionRef {
  return binary(module, target, (fn, a, b, denormal) => {
    const sign = fn.let(w.xor(fn.get(a.sign), fn.get(b.sign)));
    fn.if(isInfinite(fn, a), () => {
      fn.if(isInfinite(fn, b), () => { target.invalid(fn); });
      denormal();
      target.infinity(fn, sign);
    });
    fn.if(isZero(fn, b), () => {
      fn.if(isZero(fn, a), () => { target.invalid(fn); });
      raise(fn, target.flagsAddress, w.i32(FLAG.zeroDivide));
      target.infinity(fn, sign);
    });
    denormal();
    fn.if(w.or(isInfinite(fn, b), isZero(fn, a)), () => { target.zero(fn, sign); });
    const quotient = fn.local('i64'), remainder = fn.local('i64'), exponent = fn.local('i32'), top = fn.local('i64'), low = fn.local('i64');
    const divisor = fn.get(b.significand);
    fn.set(exponent, w.sub(fn.get(a.exponent), fn.get(b.exponent)));
    fn.set(top, fn.get(a.significand));
    fn.set(low, w.i64(0));
    // dividend below the divisor, so that the quotient has exactly 64 bits
    fn.if(w.geU(fn.get(top), divisor), () => {
      fn.set(low, w.shl(fn.get(top), w.i64(63)));
      fn.set(top, w.shrU(fn.get(top), w.i64(1)));
    }, () => { fn.set(exponent, w.sub(fn.get(exponent), w.i32(1))); });
    wide.divide(fn, quotient, remainder, fn.get(top), fn.get(low), divisor);
    target.round(fn, sign, fn.get(exponent), fn.get(quotient), restOfQuotient(fn, remainder, divisor));
  });
}

/** What follows a 64-bit quotient, as a left-aligned jammed fraction: 0, below, at or above one half. */
export function restOfQuotient(fn: FunctionBuilder, remainder: Local, divisor: Expr): Expr {
  const r = fn.get(remainder), other = fn.let(w.sub(divisor, r));
  const inexact = w.select(w.gtU(r, other), w.i64(1, 0x8000_0000), w.select(w.eq(r, other), ONE_TOP, w.i64(1)));
  return fn.let(w.select(w.eqz(r), w.i64(0), inexact));
}

export function defineSquareRoot(module: ModuleBuilder, target: Target): FunctionRef {
  return module.define(target.parameters(1), target.results, (fn) => {
    const x = target.operand(fn, 0), flags = fn.local('i32');
    fn.set(flags, w.i32(0));
    const a = unpack(fn, target.format, x, target.mode(fn), flags);
    fn.if(isNaN(fn, a), () => { target.nan(fn, x, x); });
    fn.if(isZero(fn, a), () => { target.zero(fn, fn.get(a.sign)); });
    fn.if(fn.get(a.sign), () => { target.invalid(fn); });
    fn.if(isInfinite(fn, a), () => { target.infinity(fn, w.i32(0)); });
    fn.if(fn.get(flags), () => { raise(fn, target.flagsAddress, fn.get(flags)); });
    const radicand = { hi: fn.local('i64'), lo: fn.local('i64') };
    const odd = w.and(fn.get(a.exponent), w.i32(1)), s = fn.get(a.significand);
    fn.set(radicand.hi, w.select(odd, s, w.shrU(s, w.i64(1))));
    fn.set(radicand.lo, w.select(odd, w.i64(0), w.shl(s, w.i64(63))));
    const { root, rest } = integerRoot(fn, radicand);
    target.round(fn, w.i32(0), w.shrS(fn.get(a.exponent), w.i32(1)), root, rest);
  });
}

/**
 * floor(sqrt(hi:lo)) for hi >= 2^62 (64 bits, top bit set) and the jammed fraction behind it. A double estimate that is at most 2^14 too small; the remainder over twice the
 * estimate, below 2^15 and again a double, is then right but for one, and that hardly ever. Signed conversions throughout: unsigned ones are slow on processors.
 */
export function integerRoot(fn: FunctionBuilder, n: wide.Wide): { root: Expr; rest: Expr } {
  const toDouble = (value: Expr): Expr => w.plain('f64', 0xb9, value), truncate = (value: Expr): Expr => w.plain('i64', 0xfc06, value), one = w.i64(1);
  const root = fn.local('i64'), r = fn.get(root), remainder = { hi: fn.local('i64'), lo: fn.local('i64') }, square = { hi: fn.local('i64'), lo: fn.local('i64') };
  // half of it, less what the double may be too large by
  const half = fn.let(w.sub(truncate(w.mul(w.sqrt(toDouble(w.shrU(fn.get(n.hi), one))), w.f64(2 ** 31 * Math.SQRT2))), w.i64(2 ** 12)));
  fn.set(root, w.shl(half, one));
  wide.multiply(fn, square, r, r);
  fn.set(remainder.hi, fn.get(n.hi));
  fn.set(remainder.lo, fn.get(n.lo));
  wide.subtract(fn, remainder, fn.get(square.hi), fn.get(square.lo));
  const remHi = fn.get(remainder.hi), remLo = fn.get(remainder.lo);
  // (r + step)^2 = r^2 + step (2r + step)
  const scaled = w.or(w.shl(remHi, w.i64(44)), w.shrU(remLo, w.i64(20))), step = fn.let(truncate(w.mul(w.div(toDouble(scaled), toDouble(half)), w.f64(2 ** 18))));
  wide.multiply(fn, square, step, fn.let(w.add(half, half)));
  wide.subtract(fn, remainder, w.or(w.shl(fn.get(square.hi), one), w.shrU(fn.get(square.lo), w.i64(63))), fn.let(w.shl(fn.get(square.lo), one)));
  wide.subtract(fn, remainder, w.i64(0), fn.let(w.mul(step, step)));
  fn.set(root, w.add(r, step));
  fn.block((done) => fn.loop((again) => {
    fn.brIf(done, w.geS(remHi, w.i64(0)), true);
    // (r - 1)^2 = r^2 - 2r + 1
    wide.add(fn, remainder, w.shrU(r, w.i64(63)), w.sub(w.shl(r, one), one));
    fn.set(root, w.sub(r, one));
    fn.br(again);
  }));
  fn.block((done) => fn.loop((again) => {
    // while remainder > 2r
    const topOfDouble = w.shrU(r, w.i64(63)), lowOfDouble = w.shl(r, one);
    fn.brIf(done, w.eqz(w.or(w.gtS(remHi, topOfDouble), w.and(w.eq(remHi, topOfDouble), w.gtU(remLo, lowOfDouble)))), true);
    wide.subtract(fn, remainder, w.shrU(r, w.i64(63)), w.or(w.shl(r, one), one));
    fn.set(root, w.add(r, one));
    fn.br(again);
  }));
  const aboveHalf = w.or(w.ne(remHi, w.i64(0)), w.gtU(remLo, r));
  const rest = fn.let(w.select(w.eqz(w.or(remHi, remLo)), w.i64(0), w.select(aboveHalf, w.i64(1, 0x8000_0000), one)));
  return { root: r, rest };
}

/** a * b + c with one rounding; `negateProduct`, `negateAddend` are decided by the caller's mode-independent i32 arguments 3 and 4. */
export function defineFusedMultiplyAdd(module: ModuleBuilder, target: Target): FunctionRef {
  const type = target.format.type;
  // (a, b, c, negateProduct, negateAddend, mode)
  return module.define([type, type, type, 'i32', 'i32', 'i32'], target.results, (fn) => {
    const flags = fn.local('i32'), mode = target.mode(fn);
    fn.set(flags, w.i32(0));
    const [a, b, c] = [0, 1, 2].map((i) => unpack(fn, target.format, fn.param(i), mode, flags)) as [Unpacked, Unpacked, Unpacked];
    fused(fn, target, a, b, c, flags);
  });
}

function fused(fn: FunctionBuilder, target: Target, a: Unpacked, b: Unpacked, c: Unpacked, flags: Local): void {
  const isNaNs = w.or(w.or(isNaN(fn, a), isNaN(fn, b)), isNaN(fn, c));
  const sign = fn.local('i32'), denormal = (): void => { fn.if(fn.get(flags), () => { raise(fn, target.flagsAddress, fn.get(flags)); }); };
  const invalidProduct = w.or(w.and(isInfinite(fn, a), isZero(fn, b)), w.and(isZero(fn, a), isInfinite(fn, b)));
  fn.if(isNaNs, () => {
    // of three NaNs the first in order a, b, c; the order of roles is the caller's
    fn.if(w.or(isNaN(fn, a), isNaN(fn, b)), () => {
      fn.if(isNaN(fn, c), () => { fn.drop(target.nanRef.call(fn.param(2), fn.param(2))); });
      target.nan(fn, fn.param(0), fn.param(1));
    });
    target.nan(fn, fn.param(2), fn.param(2));
  });
  fn.set(sign, w.xor(w.xor(fn.get(a.sign), fn.get(b.sign)), fn.param(3)));
  fn.set(c.sign, w.xor(fn.get(c.sign), fn.param(4)));
  fn.if(invalidProduct, () => { target.invalid(fn); });
  fn.if(w.or(isInfinite(fn, a), isInfinite(fn, b)), () => {
    fn.if(w.and(isInfinite(fn, c), w.ne(fn.get(sign), fn.get(c.sign))), () => { target.invalid(fn); });
    denormal();
    target.infinity(fn, fn.get(sign));
  });
  denormal();
  fn.if(isInfinite(fn, c), () => { target.infinity(fn, fn.get(c.sign)); });
  fn.if(w.or(isZero(fn, a), isZero(fn, b)), () => {
    fn.if(isZero(fn, c), () => { target.zero(fn, w.select(w.eq(fn.get(sign), fn.get(c.sign)), fn.get(sign), roundsDown(target, fn))); });
    target.round(fn, fn.get(c.sign), fn.get(c.exponent), fn.get(c.significand), w.i64(0));
  });
  const x = { hi: fn.local('i64'), lo: fn.local('i64') }, exponent = fn.local('i32');
  fn.set(exponent, w.add(w.add(fn.get(a.exponent), fn.get(b.exponent)), w.i32(1)));
  wide.multiply(fn, x, fn.get(a.significand), fn.get(b.significand));
  wide.normalize(fn, x, exponent);
  fn.if(isZero(fn, c), () => { target.round(fn, fn.get(sign), fn.get(exponent), fn.get(x.hi), fn.get(x.lo)); });
  addWide(fn, target, { sign, exponent, x }, c);
}

/** Normalised 128-bit product + c, both non-zero. */
function addWide(fn: FunctionBuilder, target: Target, p: { sign: Local; exponent: Local; x: wide.Wide }, c: Unpacked): void {
  const y = { hi: c.significand, lo: fn.local('i64') };
  fn.set(y.lo, w.i64(0));
  const productSmaller = w.or(w.ltS(fn.get(p.exponent), fn.get(c.exponent)),
    w.and(w.eq(fn.get(p.exponent), fn.get(c.exponent)), w.ltU(fn.get(p.x.hi), fn.get(c.significand))));
  fn.if(productSmaller, () => {
    for (const [one, other] of [[p.sign, c.sign], [p.exponent, c.exponent], [p.x.hi, y.hi], [p.x.lo, y.lo]] as const) {
      const held = fn.let(fn.get(one));
      fn.set(one, fn.get(other));
      fn.set(other, held);
    }
  });
  wide.shiftRightJam(fn, y, w.sub(fn.get(p.exponent), fn.get(c.exponent)));
  const hi = fn.get(p.x.hi), lo = fn.get(p.x.lo);
  fn.if(w.eq(fn.get(p.sign), fn.get(c.sign)), () => {
    const before = fn.let(hi), carryLow = fn.let(w.extendU(w.gtU(lo, w.xor(fn.get(y.lo), w.i64(-1)))));
    fn.set(p.x.lo, w.add(lo, fn.get(y.lo)));
    fn.set(p.x.hi, w.add(w.add(hi, fn.get(y.hi)), carryLow));
    fn.if(w.or(w.ltU(hi, before), w.and(w.eq(hi, before), w.ne(fn.get(y.hi), w.i64(0)))), () => {
      fn.set(p.x.lo, w.or(w.or(w.shrU(lo, w.i64(1)), w.shl(hi, w.i64(63))), w.and(lo, w.i64(1))));
      fn.set(p.x.hi, w.or(w.shrU(hi, w.i64(1)), ONE_TOP));
      fn.set(p.exponent, w.add(fn.get(p.exponent), w.i32(1)));
    });
  }, () => {
    wide.subtract(fn, p.x, fn.get(y.hi), fn.get(y.lo));
    fn.if(w.eqz(w.or(hi, lo)), () => { target.zero(fn, roundsDown(target, fn)); });
    wide.normalize(fn, p.x, p.exponent);
  });
  target.round(fn, fn.get(p.sign), fn.get(p.exponent), hi, lo);
}

