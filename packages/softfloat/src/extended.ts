/** Operations that only the x87 has: scale, extract, partial remainder, packed decimal. All on addresses of 10-byte numbers. */
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder, FunctionRef, Local, ModuleBuilder } from '@vmm/wasm';
import { FLAG } from './flags.ts';
import { FORMATS, isInfinite, isNaN, isZero, unpack } from './format.ts';
import type { Unpacked } from './format.ts';
import { increment, raise } from './round.ts';
import type { Target } from './target.ts';
import { divide, shiftRightJam } from './wide.ts';

function operands(fn: FunctionBuilder, target: Target): { a: Unpacked; b: Unpacked; denormal: () => void } {
  const flags = fn.local('i32'), x = target.operand(fn, 0), y = target.operand(fn, 1);
  fn.set(flags, w.i32(0));
  const a = unpack(fn, target.format, x, target.mode(fn), flags), b = unpack(fn, target.format, y, target.mode(fn), flags);
  fn.if(w.or(isNaN(fn, a), isNaN(fn, b)), () => { target.nan(fn, x, y); });
  return { a, b, denormal: () => { fn.if(fn.get(flags), () => { raise(fn, target.flagsAddress, fn.get(flags)); }); } };
}

/** x80_scale (destination, a, b, mode): a * 2^trunc(b). */
export function defineScale(module: ModuleBuilder, target: Target): FunctionRef {
  return module.define(target.parameters(2), target.results, (fn) => {
    const { a, b, denormal } = operands(fn, target), sign = fn.get(a.sign), negative = fn.get(b.sign);
    fn.if(isInfinite(fn, b), () => {
      fn.if(w.select(negative, isInfinite(fn, a), isZero(fn, a)), () => { target.invalid(fn); });
      denormal();
      fn.if(negative, () => { target.zero(fn, sign); });
      target.infinity(fn, sign);
    });
    denormal();
    fn.if(isInfinite(fn, a), () => { target.infinity(fn, sign); });
    fn.if(isZero(fn, a), () => { target.zero(fn, sign); });
    // beyond 2^16 every scale over- or underflows
    const eb = fn.get(b.exponent), amount = fn.local('i32');
    fn.set(amount, w.i32(0));
    fn.if(w.geS(eb, w.i32(0)), () => {
      fn.set(amount, w.select(w.gtS(eb, w.i32(16)), w.i32(0x2_0000), w.wrap(w.shrU(fn.get(b.significand), w.extendU(w.sub(w.i32(63), eb))))));
    });
    const exponent = w.add(fn.get(a.exponent), w.select(negative, w.sub(w.i32(0), fn.get(amount)), fn.get(amount)));
    target.round(fn, sign, exponent, fn.get(a.significand), w.i64(0));
    fn.unreachable();
  });
}

/** x80_exponent (destination, a, mode): the unbiased exponent of a as a number; x80_significand: a with exponent 0. FXTRACT's two results. */
export function defineExtract(module: ModuleBuilder, target: Target, part: 'exponent' | 'significand', fromInteger: FunctionRef): FunctionRef {
  return module.define(target.parameters(1), target.results, (fn) => {
    const x = target.operand(fn, 0), flags = fn.local('i32');
    fn.set(flags, w.i32(0));
    const a = unpack(fn, target.format, x, target.mode(fn), flags);
    fn.if(isNaN(fn, a), () => { target.nan(fn, x, x); });
    if (part === 'exponent') {
      fn.if(isInfinite(fn, a), () => { target.infinity(fn, w.i32(0)); });
      fn.if(isZero(fn, a), () => {
        raise(fn, target.flagsAddress, w.i32(FLAG.zeroDivide));
        target.infinity(fn, w.i32(1));
      });
      fn.if(fn.get(flags), () => { raise(fn, target.flagsAddress, fn.get(flags)); });
      fn.callVoid(fromInteger.index, [fn.param(0), w.extendS(fn.get(a.exponent)), w.i32(0)]);
      return;
    }
    fn.if(isInfinite(fn, a), () => { target.infinity(fn, fn.get(a.sign)); });
    fn.if(isZero(fn, a), () => { target.zero(fn, fn.get(a.sign)); });
    fn.callVoid(target.roundRef.index, [fn.param(0), fn.get(a.sign), w.i32(0), fn.get(a.significand), w.i64(0), w.i32(0)]);
  });
}

/** What `x80_rem` leaves at `quotientAddress` (i32): low three bits of the quotient, `incomplete`, or `none` (NaN or invalid). */
export const QUOTIENT = { incomplete: 8, none: -1 } as const;

/**
 * x80_rem (destination, a, b, mode): a - b * q; q truncated, or rounded to nearest even if `nearest`. Reduces the exponent difference by 63 at most;
 * if more is needed the result is partial and the quotient word says so. SDM vol 2, FPREM, FPREM1
 */
export function defineRemainder(module: ModuleBuilder, target: Target, nearest: boolean, quotientAddress: number): FunctionRef {
  return module.define(target.parameters(2), target.results, (fn) => {
    fn.store(32, w.i32(0), quotientAddress, w.i32(QUOTIENT.none));
    const { a, b, denormal } = operands(fn, target);
    fn.if(w.or(isInfinite(fn, a), isZero(fn, b)), () => { target.invalid(fn); });
    fn.store(32, w.i32(0), quotientAddress, w.i32(0));
    denormal();
    const unchanged = (): void => { target.round(fn, fn.get(a.sign), fn.get(a.exponent), fn.get(a.significand), w.i64(0)); };
    fn.if(isZero(fn, a), () => { target.zero(fn, fn.get(a.sign)); });
    fn.if(isInfinite(fn, b), unchanged);
    const difference = fn.let(w.sub(fn.get(a.exponent), fn.get(b.exponent)));
    fn.if(w.ltS(difference, w.i32(nearest ? -1 : 0)), unchanged);
    const r = fn.local('i64'), quotient = fn.local('i64'), steps = fn.local('i32'), exponent = fn.local('i32'), divisor = fn.get(b.significand);
    fn.set(r, fn.get(a.significand));
    fn.set(quotient, w.i64(0));
    fn.set(steps, difference);
    fn.if(w.gtS(difference, w.i32(63)), () => {
      // partial: as hardware does, by an amount that leaves a multiple of 32 (plus 32 … 63 done now)
      fn.set(steps, w.or(w.i32(32), w.and(difference, w.i32(31))));
      fn.store(32, w.i32(0), quotientAddress, w.i32(QUOTIENT.incomplete));
    });
    fn.set(exponent, w.sub(fn.get(a.exponent), w.select(w.gtS(fn.get(steps), w.i32(0)), fn.get(steps), w.i32(0))));
    // below the divisor with one subtraction, then all steps by one division
    fn.if(w.geS(fn.get(steps), w.i32(0)), () => {
      fn.if(w.geU(fn.get(r), divisor), () => {
        fn.set(r, w.sub(fn.get(r), divisor));
        fn.set(quotient, w.i64(1));
      });
      fn.if(fn.get(steps), () => {
        const n = fn.let(w.extendU(fn.get(steps))), first = fn.let(w.shl(fn.get(quotient), n));
        divide(fn, quotient, r, fn.let(w.shrU(fn.get(r), w.sub(w.i64(64), n))), fn.let(w.shl(fn.get(r), n)), divisor);
        fn.set(quotient, w.or(fn.get(quotient), first));
      });
    });
    const complete = w.eqz(w.load('i32', 32, w.i32(0), quotientAddress));
    if (nearest) roundQuotient(fn, { a, r, divisor, quotient, difference, exponent, complete });
    fn.if(complete, () => { fn.store(32, w.i32(0), quotientAddress, w.and(w.wrap(fn.get(quotient)), w.i32(7))); });
    fn.if(w.eqz(fn.get(r)), () => { target.zero(fn, originalSign(fn)); });
    const shift = fn.let(w.clz(fn.get(r)));
    target.round(fn, fn.get(a.sign), w.sub(fn.get(exponent), w.wrap(shift)), w.shl(fn.get(r), shift), w.i64(0));
    fn.unreachable();
  });
}
/** Sign of the dividend in memory: a zero remainder has it. */
function originalSign(fn: FunctionBuilder): Expr { return w.shrU(w.load('i32', 16, fn.param(1), 8), w.i32(15)); }

interface QuotientStep { readonly a: Unpacked; readonly r: Local; readonly divisor: Expr; readonly quotient: Local; readonly difference: Expr; readonly exponent: Local; readonly complete: Expr }
/** To nearest even: one more subtraction, with the sign turned, if the remainder is above half of the divisor (or half with an odd quotient). */
function roundQuotient(fn: FunctionBuilder, step: QuotientStep): void {
  const { a, r, divisor, quotient, difference } = step;
  fn.if(step.complete, () => {
    // with difference -1 the remainder is a itself, in units of half the divisor's: r/2 against divisor/2
    const isBelow = fn.let(w.ltS(difference, w.i32(0)));
    const other = fn.let(w.sub(divisor, fn.get(r)));
    const above = fn.local('i32');
    fn.if(isBelow, () => {
      // |a| = r * 2^(e_b - 1): above half iff r > divisor
      fn.set(above, w.gtU(fn.get(r), divisor));
      fn.if(fn.get(above), () => {
        // divisor * 2 - r
        fn.set(r, w.add(divisor, other));
        fn.set(a.sign, w.xor(fn.get(a.sign), w.i32(1)));
        fn.set(quotient, w.i64(1));
      });
    }, () => {
      fn.set(above, w.or(w.gtU(fn.get(r), other), w.and(w.eq(fn.get(r), other), w.wrap(w.and(fn.get(quotient), w.i64(1))))));
      fn.if(fn.get(above), () => {
        fn.set(r, other);
        fn.set(a.sign, w.xor(fn.get(a.sign), w.i32(1)));
        fn.set(quotient, w.add(fn.get(quotient), w.i64(1)));
      });
    });
  });
}

/** Largest magnitude that 18 digits hold. */
const BCD_LIMIT = 999_999_999_999_999_999n;

/** x80_to_bcd (destination, a, mode): 18 digits and a sign; what does not fit is invalid and gives the packed indefinite. */
export function defineToBcd(module: ModuleBuilder, flagsAddress: number): FunctionRef {
  return module.define(['i32', 'i32', 'i32'], [], (fn) => {
    const flags = fn.local('i32'), to = fn.param(0), mode = fn.param(2);
    fn.set(flags, w.i32(0));
    const a = unpack(fn, FORMATS.x80, fn.param(1), mode, flags), value = fn.local('i64'), lo = fn.local('i64'), i = fn.local('i32');
    fn.set(value, w.i64(0));
    const indefinite = (): void => {
      raise(fn, flagsAddress, w.i32(FLAG.invalid));
      fn.store(64, to, 0, w.i64(0, 0xc000_0000));
      fn.store(16, to, 8, w.i32(0xffff));
      fn.return();
    };
    fn.if(w.gtS(fn.get(a.exponent), w.i32(62)), indefinite);
    fn.if(w.eqz(isZero(fn, a)), () => {
      const x = { hi: a.significand, lo };
      fn.set(lo, w.i64(0));
      shiftRightJam(fn, x, w.sub(w.i32(63), fn.get(a.exponent)));
      const up = increment(fn, mode, fn.get(a.sign), fn.get(lo), w.and(w.wrap(fn.get(a.significand)), w.i32(1)));
      fn.set(value, w.add(fn.get(a.significand), w.extendU(up)));
      fn.if(w.gtU(fn.get(value), w.i64big(BCD_LIMIT)), indefinite);
      fn.if(w.ne(fn.get(lo), w.i64(0)), () => { raise(fn, flagsAddress, w.or(w.i32(FLAG.inexact), w.mul(up, w.i32(FLAG.roundedUp)))); });
    });
    fn.set(i, w.i32(0));
    fn.loop((again) => {
      const two = w.wrap(w.remU(fn.get(value), w.i64(100)));
      fn.store(8, w.add(to, fn.get(i)), 0, w.add(w.mul(w.divU(two, w.i32(10)), w.i32(16)), w.remU(two, w.i32(10))));
      fn.set(value, w.divU(fn.get(value), w.i64(100)));
      fn.set(i, w.add(fn.get(i), w.i32(1)));
      fn.brIf(again, w.ltU(fn.get(i), w.i32(9)));
    });
    fn.store(8, to, 9, w.shl(fn.get(a.sign), w.i32(7)));
  });
}

/** bcd_to_x80 (destination, source): exact. Digits above 9 count as they stand. */
export function defineFromBcd(module: ModuleBuilder, fromInteger: FunctionRef): FunctionRef {
  return module.define(['i32', 'i32'], [], (fn) => {
    const value = fn.local('i64'), i = fn.local('i32'), sign = fn.let(w.and(w.load('i32', 8, fn.param(1), 9), w.i32(0x80)));
    fn.set(value, w.i64(0));
    fn.set(i, w.i32(9));
    fn.loop((again) => {
      fn.set(i, w.sub(fn.get(i), w.i32(1)));
      const two = fn.let(w.load('i64', 8, w.add(fn.param(1), fn.get(i)))), digits = w.add(w.mul(w.shrU(two, w.i64(4)), w.i64(10)), w.and(two, w.i64(15)));
      fn.set(value, w.add(w.mul(fn.get(value), w.i64(100)), digits));
      fn.brIf(again, fn.get(i));
    });
    fn.callVoid(fromInteger.index, [fn.param(0), fn.get(value), w.i32(0)]);
    fn.if(sign, () => { fn.store(16, fn.param(0), 8, w.or(w.load('i32', 16, fn.param(0), 8), w.i32(0x8000))); });
  });
}
