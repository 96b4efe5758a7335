/**
 * The 128-bit format (IEEE 754-2019 §3.6, "binary128"), which no x86 has: conversions from and to every other format and integers, rounding to integral values,
 * comparison. A number is the i32 address of 16 bytes, the fraction's low half first.
 */
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder, FunctionRef, Local, ModuleBuilder } from '@vmm/wasm';
import { convertNaN, defineIntegerFrom, ORDER } from './convert.ts';
import { FLAG } from './flags.ts';
import { FORMATS, INFINITE, isInfinite, isNaN, isZero, newUnpacked, NOTHING, unpack } from './format.ts';
import type { Format, Unpacked } from './format.ts';
import { increment, raise } from './round.ts';
import type { Target } from './target.ts';
import { normalize, ONE_TOP, shiftRightJam } from './wide.ts';

const BIAS = 16383, MAXIMAL = 0x7fff, FRACTION_HIGH_BITS = 48;
/** An unpacked significand has its integer bit on top; below the 112 fraction bits 15 are free. */
const FREE_BITS = 15;
const FRACTION_HIGH = w.i64(-1, 0xffff), QUIET = w.i64(0, 0x4000_0000), ZERO = w.i64(0);

/** As `Unpacked`, with the low half of the significand. Infinity and NaN: exponent INFINITE; a NaN has a fraction, in `significand` or `low`. */
interface UnpackedQuad extends Unpacked { readonly low: Local }

function unpackQuad(fn: FunctionBuilder, address: Expr, flags: Local): UnpackedQuad {
  const u = { ...newUnpacked(fn), low: fn.local('i64') }, high = fn.let(w.load('i64', 64, address, 8)), low = fn.let(w.load('i64', 64, address));
  const biased = fn.let(w.and(w.wrap(w.shrU(high, w.i64(FRACTION_HIGH_BITS))), w.i32(MAXIMAL)));
  fn.set(u.sign, w.wrap(w.shrU(high, w.i64(63))));
  fn.set(u.exponent, w.sub(biased, w.i32(BIAS)));
  fn.set(u.significand, w.or(w.shl(w.and(high, FRACTION_HIGH), w.i64(FREE_BITS)), w.shrU(low, w.i64(64 - FREE_BITS))));
  fn.set(u.low, w.shl(low, w.i64(FREE_BITS)));
  fn.if(w.eqz(biased), () => {
    fn.if(w.eqz(w.or(fn.get(u.significand), fn.get(u.low))), () => { fn.set(u.exponent, w.i32(NOTHING)); }, () => {
      fn.set(flags, w.or(fn.get(flags), w.i32(FLAG.denormal)));
      fn.set(u.exponent, w.i32(1 - BIAS));
      normalize(fn, { hi: u.significand, lo: u.low }, u.exponent);
    });
  }, () => {
    fn.set(u.significand, w.or(fn.get(u.significand), ONE_TOP));
    fn.if(w.eq(biased, w.i32(MAXIMAL)), () => { fn.set(u.exponent, w.i32(INFINITE)); });
  });
  return u;
}
const isQuadNaN = (fn: FunctionBuilder, u: UnpackedQuad): Expr => w.or(isNaN(fn, u), w.and(isInfinite(fn, u), w.ne(fn.get(u.low), ZERO)));
const isSignalling = (fn: FunctionBuilder, u: UnpackedQuad): Expr => w.and(isQuadNaN(fn, u), w.eqz(w.and(fn.get(u.significand), QUIET)));

function store(fn: FunctionBuilder, address: Expr, sign: Expr, biased: Expr, fractionHigh: Expr, fractionLow: Expr): void {
  fn.store(64, address, 0, fractionLow);
  fn.store(64, address, 8, w.or(w.or(w.shl(w.extendU(sign), w.i64(63)), w.shl(w.extendU(biased), w.i64(FRACTION_HIGH_BITS))), w.and(fractionHigh, FRACTION_HIGH)));
}
/** Stores what is exact in 113 bits: an unpacked significand and its unbiased exponent. */
function storeExact(fn: FunctionBuilder, address: Expr, sign: Expr, exponent: Expr, x: { readonly hi: Local; readonly lo: Local }): void {
  const biased = fn.local('i32');
  fn.set(biased, w.add(exponent, w.i32(BIAS)));
  fn.if(w.leS(fn.get(biased), w.i32(0)), () => {
    shiftRightJam(fn, x, w.sub(w.i32(1), fn.get(biased)));
    fn.set(biased, w.i32(0));
  });
  const low = w.or(w.shrU(fn.get(x.lo), w.i64(FREE_BITS)), w.shl(fn.get(x.hi), w.i64(64 - FREE_BITS)));
  store(fn, address, sign, fn.get(biased), w.shrU(fn.get(x.hi), w.i64(FREE_BITS)), low);
}
function storeNaN(fn: FunctionBuilder, address: Expr, sign: Expr, significand: Expr, low: Expr): void {
  const quieted = fn.let(w.or(significand, QUIET));
  store(fn, address, sign, w.i32(MAXIMAL), w.shrU(quieted, w.i64(FREE_BITS)), w.or(w.shl(quieted, w.i64(64 - FREE_BITS)), w.shrU(low, w.i64(FREE_BITS))));
}
function storeDefaultNaN(fn: FunctionBuilder, address: Expr, flagsAddress: number): void {
  raise(fn, flagsAddress, w.i32(FLAG.invalid));
  storeNaN(fn, address, w.i32(1), ZERO, ZERO);
}

/** (destination, operand, mode): exact. */
function defineWiden(module: ModuleBuilder, from: Format, flagsAddress: number): FunctionRef {
  return module.define(['i32', from.type, 'i32'], [], (fn) => {
    const flags = fn.local('i32'), to = fn.param(0), low = fn.local('i64');
    fn.set(flags, w.i32(0));
    fn.set(low, ZERO);
    const a = unpack(fn, from, fn.param(1), fn.param(2), flags), sign = fn.get(a.sign), significand = fn.get(a.significand);
    fn.if(isInfinite(fn, a), () => {
      fn.if(w.eq(significand, ONE_TOP), () => { store(fn, to, sign, w.i32(MAXIMAL), ZERO, ZERO); fn.return(); });
      fn.if(w.eqz(significand), () => { storeDefaultNaN(fn, to, flagsAddress); fn.return(); });
      fn.if(w.eqz(w.and(significand, QUIET)), () => { raise(fn, flagsAddress, w.i32(FLAG.invalid)); });
      storeNaN(fn, to, sign, significand, ZERO);
      fn.return();
    });
    fn.if(fn.get(flags), () => { raise(fn, flagsAddress, fn.get(flags)); });
    fn.if(isZero(fn, a), () => { store(fn, to, sign, w.i32(0), ZERO, ZERO); fn.return(); });
    storeExact(fn, to, sign, fn.get(a.exponent), { hi: a.significand, lo: low });
  });
}

/** (destination,)? operand, mode: one rounding. */
function defineNarrow(module: ModuleBuilder, target: Target): FunctionRef {
  return module.define(target.parameters(1).map((type, i, all) => (i === all.length - 2 ? 'i32' : type)), target.results, (fn) => {
    const flags = fn.local('i32'), isExtended = target.format.name === 'x80';
    fn.set(flags, w.i32(0));
    const a = unpackQuad(fn, fn.param(isExtended ? 1 : 0), flags);
    fn.if(isInfinite(fn, a), () => {
      fn.unless(isQuadNaN(fn, a), () => { target.infinity(fn, fn.get(a.sign)); });
      convertNaN(fn, target, a);
    });
    fn.if(fn.get(flags), () => { raise(fn, target.flagsAddress, fn.get(flags)); });
    fn.if(isZero(fn, a), () => { target.zero(fn, fn.get(a.sign)); });
    target.round(fn, fn.get(a.sign), fn.get(a.exponent), fn.get(a.significand), fn.get(a.low));
    fn.unreachable();
  });
}

/** (destination, i64, mode): exact. */
function defineFromInteger(module: ModuleBuilder, isSigned: boolean): FunctionRef {
  return module.define(['i32', 'i64', 'i32'], [], (fn) => {
    const value = fn.param(1), x = { hi: fn.local('i64'), lo: fn.local('i64') };
    fn.if(w.eqz(value), () => { store(fn, fn.param(0), w.i32(0), w.i32(0), ZERO, ZERO); fn.return(); });
    const sign = isSigned ? fn.let(w.wrap(w.shrU(value, w.i64(63)))) : w.i32(0), magnitude = fn.let(w.select(sign, w.sub(ZERO, value), value)), shift = fn.let(w.clz(magnitude));
    fn.set(x.hi, w.shl(magnitude, shift));
    fn.set(x.lo, ZERO);
    storeExact(fn, fn.param(0), sign, w.sub(w.i32(63), w.wrap(shift)), x);
  });
}

/** f128_round (destination, operand, mode): to an integral value. */
function defineRoundToIntegral(module: ModuleBuilder, flagsAddress: number): FunctionRef {
  return module.define(['i32', 'i32', 'i32'], [], (fn) => {
    const flags = fn.local('i32'), to = fn.param(0), mode = fn.param(2);
    fn.set(flags, w.i32(0));
    const a = unpackQuad(fn, fn.param(1), flags), sign = fn.get(a.sign), exponent = fn.get(a.exponent);
    const source = { high: fn.let(w.load('i64', 64, fn.param(1), 8)), low: fn.let(w.load('i64', 64, fn.param(1))) };
    const unchanged = (): void => { fn.store(64, to, 0, source.low); fn.store(64, to, 8, source.high); fn.return(); };
    fn.if(isQuadNaN(fn, a), () => {
      fn.if(isSignalling(fn, a), () => { raise(fn, flagsAddress, w.i32(FLAG.invalid)); });
      storeNaN(fn, to, sign, fn.get(a.significand), fn.get(a.low));
      fn.return();
    });
    fn.if(w.or(isZero(fn, a), w.geS(exponent, w.i32(112))), unchanged);
    fn.if(fn.get(flags), () => { raise(fn, flagsAddress, fn.get(flags)); });
    // the integer part in hi:lo, what follows it in `rest`, left-aligned and jammed
    const count = fn.let(w.sub(w.i32(127), exponent)), x = { hi: a.significand, lo: a.low }, rest = { hi: fn.local('i64'), lo: fn.local('i64') };
    fn.set(rest.hi, fn.get(x.hi));
    fn.set(rest.lo, fn.get(x.lo));
    fn.if(w.ltS(exponent, w.i32(0)), () => {
      // below one: the whole significand is fraction, one place lower for each step of the exponent
      shiftRightJam(fn, rest, w.sub(w.i32(-1), exponent));
      fn.set(rest.hi, w.or(fn.get(rest.hi), w.extendU(w.ne(fn.get(rest.lo), ZERO))));
      fn.set(x.hi, ZERO);
      fn.set(x.lo, ZERO);
    }, () => {
      shiftLeft(fn, rest, w.add(exponent, w.i32(1)));
      fn.set(rest.hi, w.or(fn.get(rest.hi), w.extendU(w.ne(fn.get(rest.lo), ZERO))));
      shiftRight(fn, x, count);
    });
    fn.if(w.eqz(fn.get(rest.hi)), unchanged);
    const up = increment(fn, mode, sign, fn.get(rest.hi), w.and(w.wrap(fn.get(x.lo)), w.i32(1)));
    raise(fn, flagsAddress, w.or(w.i32(FLAG.inexact), w.mul(up, w.i32(FLAG.roundedUp))));
    fn.set(x.lo, w.add(fn.get(x.lo), w.extendU(up)));
    fn.if(w.and(up, w.eqz(fn.get(x.lo))), () => { fn.set(x.hi, w.add(fn.get(x.hi), w.i64(1))); });
    fn.if(w.eqz(w.or(fn.get(x.hi), fn.get(x.lo))), () => { store(fn, to, sign, w.i32(0), ZERO, ZERO); fn.return(); });
    fn.set(a.exponent, w.i32(127));
    normalize(fn, x, a.exponent);
    storeExact(fn, to, sign, exponent, x);
  });
}
/** By 1 … 127 places; `count` bound. */
function shiftRight(fn: FunctionBuilder, x: { readonly hi: Local; readonly lo: Local }, count: Expr): void {
  fn.if(w.and(count, w.i32(64)), () => { fn.set(x.lo, fn.get(x.hi)); fn.set(x.hi, ZERO); });
  const n = fn.let(w.extendU(w.and(count, w.i32(63))));
  fn.if(w.ne(n, ZERO), () => {
    fn.set(x.lo, w.or(w.shrU(fn.get(x.lo), n), w.shl(fn.get(x.hi), w.sub(w.i64(64), n))));
    fn.set(x.hi, w.shrU(fn.get(x.hi), n));
  });
}
function shiftLeft(fn: FunctionBuilder, x: { readonly hi: Local; readonly lo: Local }, count: Expr): void {
  const by = fn.let(count);
  fn.if(w.and(by, w.i32(64)), () => { fn.set(x.hi, fn.get(x.lo)); fn.set(x.lo, ZERO); });
  const n = fn.let(w.extendU(w.and(by, w.i32(63))));
  fn.if(w.ne(n, ZERO), () => {
    fn.set(x.hi, w.or(w.shl(fn.get(x.hi), n), w.shrU(fn.get(x.lo), w.sub(w.i64(64), n))));
    fn.set(x.lo, w.shl(fn.get(x.lo), n));
  });
}

/** (a, b, quiet, mode) → ORDER, as for the other formats. */
function defineCompare(module: ModuleBuilder, flagsAddress: number): FunctionRef {
  return module.define(['i32', 'i32', 'i32', 'i32'], ['i32'], (fn) => {
    const flags = fn.local('i32');
    fn.set(flags, w.i32(0));
    const a = unpackQuad(fn, fn.param(0), flags), b = unpackQuad(fn, fn.param(1), flags);
    fn.if(w.or(isQuadNaN(fn, a), isQuadNaN(fn, b)), () => {
      fn.if(w.or(w.eqz(fn.param(2)), w.or(isSignalling(fn, a), isSignalling(fn, b))), () => { raise(fn, flagsAddress, w.i32(FLAG.invalid)); });
      fn.return(w.i32(ORDER.unordered));
    });
    fn.if(fn.get(flags), () => { raise(fn, flagsAddress, fn.get(flags)); });
    fn.if(w.and(isZero(fn, a), isZero(fn, b)), () => { fn.return(w.i32(ORDER.equal)); });
    fn.if(w.ne(fn.get(a.sign), fn.get(b.sign)), () => { fn.return(w.select(fn.get(a.sign), w.i32(ORDER.less), w.i32(ORDER.greater))); });
    // same signs: the larger magnitude has the larger bits
    const bits = (n: number): { high: Expr; low: Expr } => ({ high: fn.let(w.load('i64', 64, fn.param(n), 8)), low: fn.let(w.load('i64', 64, fn.param(n))) }), x = bits(0), y = bits(1);
    fn.if(w.and(w.eq(x.high, y.high), w.eq(x.low, y.low)), () => { fn.return(w.i32(ORDER.equal)); });
    const below = w.or(w.ltU(x.high, y.high), w.and(w.eq(x.high, y.high), w.ltU(x.low, y.low)));
    fn.return(w.xor(w.select(below, w.i32(ORDER.less), w.i32(ORDER.greater)), w.mul(fn.get(a.sign), w.i32(ORDER.less ^ ORDER.greater))));
  });
}

export function defineQuad(module: ModuleBuilder, targets: readonly Target[], flagsAddress: number, unsigned: boolean): Readonly<Record<string, FunctionRef>> {
  const functions: Record<string, FunctionRef> = {}, kinds = [16, 32, 64].map((bits) => ({ bits: bits as 16 | 32 | 64, isSigned: true }));
  for (const format of Object.values(FORMATS)) functions[`${format.name}_to_f128`] = defineWiden(module, format, flagsAddress);
  for (const target of targets) functions[`f128_to_${target.format.name}`] = defineNarrow(module, target);
  functions['i64_to_f128'] = defineFromInteger(module, true);
  if (unsigned) functions['ui64_to_f128'] = defineFromInteger(module, false);
  for (const kind of [...kinds, ...(unsigned ? kinds.slice(1).map(({ bits }) => ({ bits, isSigned: false })) : [])]) {
    functions[`f128_to_${kind.isSigned ? 'i' : 'ui'}${String(kind.bits)}`] = defineIntegerFrom(module, 'i32', kind, flagsAddress, (fn, _mode, flags) => unpackQuad(fn, fn.param(0), flags));
  }
  functions['f128_round'] = defineRoundToIntegral(module, flagsAddress);
  functions['f128_compare'] = defineCompare(module, flagsAddress);
  return functions;
}
