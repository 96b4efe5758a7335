/** Conversions between formats and integers, rounding to integral values, comparison. */
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder, FunctionRef, Local, ModuleBuilder, ValueType } from '@vmm/wasm';
import { FLAG } from './flags.ts';
import { FORMATS, isInfinite, isNaN, isZero, unpack } from './format.ts';
import type { Format, Unpacked } from './format.ts';
import { patterns } from './nan.ts';
import { increment, raise, storeExtended } from './round.ts';
import type { Target } from './target.ts';
import { ONE_TOP, shiftRightJam } from './wide.ts';

const QUIET = w.i64(0, 0x4000_0000);

function raiseLocal(fn: FunctionBuilder, address: number, flags: Expr): void { fn.if(flags, () => { raise(fn, address, flags); }); }

/** f32, f64 → x80, exact and without quieting NaNs, as an operand in memory becomes a register's value: (destination, bits). Denormals are noted. */
export function defineExpand(module: ModuleBuilder, from: Format, flagsAddress: number): FunctionRef {
  return module.define(['i32', from.type], [], (fn) => {
    const flags = fn.local('i32'), to = fn.param(0);
    fn.set(flags, w.i32(0));
    const a = unpack(fn, from, fn.param(1), w.i32(0), flags);
    raiseLocal(fn, flagsAddress, fn.get(flags));
    const biased = fn.local('i32');
    fn.set(biased, w.add(fn.get(a.exponent), w.i32(FORMATS.x80.bias)));
    fn.if(isInfinite(fn, a), () => { fn.set(biased, w.i32(0x7fff)); });
    fn.if(isZero(fn, a), () => { fn.set(biased, w.i32(0)); });
    storeExtended(fn, to, fn.get(a.sign), fn.get(biased), fn.get(a.significand));
  });
}

/** from → target's format: (destination,)? operand, mode. NaNs keep their leading payload bits and become quiet. */
export function defineConvert(module: ModuleBuilder, from: Format, target: Target): FunctionRef {
  const extended = target.format.name === 'x80', widens = from.fraction < target.format.fraction;
  const parameters: ValueType[] = extended ? ['i32', from.type, 'i32'] : [from.type, 'i32'];
  return module.define(parameters, target.results, (fn) => {
    const flags = fn.local('i32');
    fn.set(flags, w.i32(0));
    const a = unpack(fn, from, fn.param(extended ? 1 : 0), target.mode(fn), flags);
    fn.if(isInfinite(fn, a), () => {
      fn.if(w.eq(fn.get(a.significand), ONE_TOP), () => { target.infinity(fn, fn.get(a.sign)); });
      convertNaN(fn, target, a);
    });
    raiseLocal(fn, target.flagsAddress, fn.get(flags));
    fn.if(isZero(fn, a), () => { target.zero(fn, fn.get(a.sign)); });
    if (extended && widens) {
      storeExtended(fn, fn.param(0), fn.get(a.sign), w.add(fn.get(a.exponent), w.i32(target.format.bias)), fn.get(a.significand));
      return;
    }
    target.round(fn, fn.get(a.sign), fn.get(a.exponent), fn.get(a.significand), w.i64(0));
    fn.unreachable();
  });
}

/** Ends the function with a quiet NaN of the leading payload bits; significand 0: not supported. */
export function convertNaN(fn: FunctionBuilder, target: Target, a: Unpacked): void {
  const significand = fn.get(a.significand), format = target.format;
  fn.if(w.eqz(significand), () => { target.invalid(fn); });
  fn.if(w.eqz(w.and(significand, QUIET)), () => { raise(fn, target.flagsAddress, w.i32(FLAG.invalid)); });
  const quieted = w.or(significand, QUIET);
  if (format.name === 'x80') {
    storeExtended(fn, fn.param(0), fn.get(a.sign), w.i32(0x7fff), quieted);
    fn.return();
    return;
  }
  const p = patterns(format), fraction = w.shrU(w.shl(quieted, w.i64(1)), w.i64(64 - format.fraction));
  const bits = format.type === 'i64' ? fraction : w.wrap(fraction);
  fn.return(w.or(w.or(w.select(fn.get(a.sign), p.sign, format.type === 'i64' ? w.i64(0) : w.i32(0)), p.infinity), bits));
}

/** Integral part of |a| rounded by `mode`: hi; `inexact` i32. For exponent <= 63. `low`: more bits of the significand. */
function integral(fn: FunctionBuilder, a: Unpacked & { readonly low?: Local }, mode: Expr): { value: Expr; inexact: Expr; up: Expr } {
  const x = { hi: a.significand, lo: a.low ?? fn.local('i64') };
  if (a.low === undefined) fn.set(x.lo, w.i64(0));
  shiftRightJam(fn, x, w.sub(w.i32(63), fn.get(a.exponent)));
  const rest = fn.get(x.lo), up = increment(fn, mode, fn.get(a.sign), rest, w.and(w.wrap(fn.get(x.hi)), w.i32(1)));
  return { value: fn.let(w.add(fn.get(x.hi), w.extendU(up))), inexact: fn.let(w.ne(rest, w.i64(0))), up };
}

export interface IntegerKind { readonly bits: 16 | 32 | 64; readonly isSigned: boolean }

/** f → integer (16, 32 bits: i32; 64: i64); out of range and NaN: invalid and the most negative signed, the largest unsigned number. (operand, mode) */
export function defineToInteger(module: ModuleBuilder, from: Format, kind: IntegerKind, flagsAddress: number): FunctionRef {
  return defineIntegerFrom(module, from.type, kind, flagsAddress, (fn, mode, flags) => unpack(fn, from, fn.param(0), mode, flags));
}
/** The same of whatever `take` takes apart. */
export function defineIntegerFrom(
  module: ModuleBuilder, from: ValueType, { bits, isSigned }: IntegerKind, flagsAddress: number, take: (fn: FunctionBuilder, mode: Expr, flags: Local) => Unpacked & { readonly low?: Local },
): FunctionRef {
  const type: ValueType = bits === 64 ? 'i64' : 'i32';
  const indefinite = !isSigned ? (bits === 64 ? w.i64(-1) : w.i32(-1)) : bits === 64 ? w.i64(0, 0x8000_0000) : w.i32(-(2 ** (bits - 1)));
  return module.define([from, 'i32'], [type], (fn) => {
    const flags = fn.local('i32'), mode = fn.param(1);
    fn.set(flags, w.i32(0));
    const a = take(fn, mode, flags);
    fn.if(isZero(fn, a), () => { fn.return(type === 'i64' ? w.i64(0) : w.i32(0)); });
    const invalid = (): void => { raise(fn, flagsAddress, w.i32(FLAG.invalid)); fn.return(indefinite); };
    fn.if(w.gtS(fn.get(a.exponent), w.i32(63)), invalid);
    const nonNegative = fn.let(w.geS(fn.get(a.exponent), w.i32(0))), { value, inexact, up } = integral(fn, a, mode);
    // a carry out of 64 bits leaves 0 with an increment
    fn.if(w.and(w.eqz(value), w.and(up, nonNegative)), invalid);
    const bound = bits === 64 ? ONE_TOP : w.i64(2 ** (bits - 1)), largest = bits === 64 ? w.i64(-1) : w.i64(2 ** bits - 1);
    fn.if(w.gtU(value, isSigned ? w.sub(bound, w.extendU(w.xor(fn.get(a.sign), w.i32(1)))) : w.select(fn.get(a.sign), w.i64(0), largest)), invalid);
    fn.if(inexact, () => { raise(fn, flagsAddress, w.or(w.i32(FLAG.inexact), w.mul(up, w.i32(FLAG.roundedUp)))); });
    const signed = fn.let(w.select(fn.get(a.sign), w.sub(w.i64(0), value), value));
    fn.return(type === 'i64' ? signed : w.wrap(signed));
  });
}

/** i64 → target's format: (destination,)? value, mode. */
export function defineFromInteger(module: ModuleBuilder, target: Target, isSigned = true): FunctionRef {
  const extended = target.format.name === 'x80', parameters: ValueType[] = extended ? ['i32', 'i64', 'i32'] : ['i64', 'i32'];
  return module.define(parameters, target.results, (fn) => {
    const value = fn.param(extended ? 1 : 0);
    fn.if(w.eqz(value), () => { target.zero(fn, w.i32(0)); });
    const sign = isSigned ? fn.let(w.wrap(w.shrU(value, w.i64(63)))) : w.i32(0), magnitude = isSigned ? fn.let(w.select(sign, w.sub(w.i64(0), value), value)) : value, shift = fn.let(w.clz(magnitude));
    target.round(fn, sign, w.sub(w.i32(63), w.wrap(shift)), w.shl(magnitude, shift), w.i64(0));
    fn.unreachable();
  });
}

/** f → integral value of the same format: (destination,)? operand, mode. */
export function defineRoundToIntegral(module: ModuleBuilder, target: Target): FunctionRef {
  return module.define(target.parameters(1), target.results, (fn) => {
    const x = target.operand(fn, 0), flags = fn.local('i32'), mode = target.mode(fn);
    fn.set(flags, w.i32(0));
    const a = unpack(fn, target.format, x, mode, flags);
    fn.if(isNaN(fn, a), () => { target.nan(fn, x, x); });
    fn.if(isInfinite(fn, a), () => { target.infinity(fn, fn.get(a.sign)); });
    fn.if(isZero(fn, a), () => { target.zero(fn, fn.get(a.sign)); });
    raiseLocal(fn, target.flagsAddress, fn.get(flags));
    // no fraction bits from here on
    fn.if(w.geS(fn.get(a.exponent), w.i32(63)), () => { target.round(fn, fn.get(a.sign), fn.get(a.exponent), fn.get(a.significand), w.i64(0)); });
    const { value, inexact, up } = integral(fn, a, mode);
    fn.if(inexact, () => { raise(fn, target.flagsAddress, w.or(w.i32(FLAG.inexact), w.mul(up, w.i32(FLAG.roundedUp)))); });
    fn.if(w.eqz(value), () => { target.zero(fn, fn.get(a.sign)); });
    const shift = fn.let(w.clz(value));
    target.round(fn, fn.get(a.sign), w.sub(w.i32(63), w.wrap(shift)), w.shl(value, shift), w.i64(0));
    fn.unreachable();
  });
}

/** Outcomes of a comparison of a with b. */
export const ORDER = { equal: 0, less: 1, greater: 2, unordered: 3 } as const;

/** (a, b, quiet, mode) → ORDER. Not quiet: any NaN is invalid; quiet: only signalling (and unsupported) ones. */
export function defineCompare(module: ModuleBuilder, format: Format, flagsAddress: number): FunctionRef {
  return module.define([format.type, format.type, 'i32', 'i32'], ['i32'], (fn) => {
    const flags = fn.local('i32'), mode = fn.param(3);
    fn.set(flags, w.i32(0));
    const a = unpack(fn, format, fn.param(0), mode, flags), b = unpack(fn, format, fn.param(1), mode, flags);
    fn.if(w.or(isNaN(fn, a), isNaN(fn, b)), () => {
      const loud = (u: Unpacked): Expr => w.and(isNaN(fn, u), w.eqz(w.and(fn.get(u.significand), QUIET)));
      fn.if(w.or(w.eqz(fn.param(2)), w.or(loud(a), loud(b))), () => { raise(fn, flagsAddress, w.i32(FLAG.invalid)); });
      fn.return(w.i32(ORDER.unordered));
    });
    raiseLocal(fn, flagsAddress, fn.get(flags));
    fn.if(w.and(isZero(fn, a), isZero(fn, b)), () => { fn.return(w.i32(ORDER.equal)); });
    // as sign-magnitude numbers: 1 less, 2 greater, before the sign turns it round
    const ea = fn.get(a.exponent), eb = fn.get(b.exponent), sa = fn.get(a.significand), sb = fn.get(b.significand);
    const flip = fn.let(w.mul(fn.get(a.sign), w.i32(3)));
    // a zero's sign counts for nothing, but its magnitude is below every other
    fn.if(w.ne(fn.get(a.sign), fn.get(b.sign)), () => { fn.return(w.select(fn.get(a.sign), w.i32(ORDER.less), w.i32(ORDER.greater))); });
    fn.if(w.and(w.eq(ea, eb), w.eq(sa, sb)), () => { fn.return(w.i32(ORDER.equal)); });
    const less = w.or(w.ltS(ea, eb), w.and(w.eq(ea, eb), w.ltU(sa, sb)));
    fn.return(w.xor(w.select(less, w.i32(ORDER.less), w.i32(ORDER.greater)), flip));
  });
}
