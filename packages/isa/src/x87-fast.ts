/**
 * Common cases of x87 arithmetic, loads and stores, in one function each without a detour through memory: operands are normal numbers (loads and stores
 * also zeros) in registers that are in use, rounding is to nearest, the precision exception is masked, the result is a normal number. Everything else is left, before
 * anything has changed, to the general functions of x87-helpers.ts, whose names these take over. Results and status are the same bit for bit.
 */
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder } from '@vmm/wasm';
import { increment, integerRoot, restOfQuotient, wide } from '@vmm/softfloat';
import { BIAS, CONTROL, defineBefore, one, ONE_TOP } from './x87-fast-frame.ts';
import type { Exact, Frame, Normal } from './x87-fast-frame.ts';
import { defineFastTransfers } from './x87-fast-transfers.ts';
import { ARITHMETIC } from './x87-helpers.ts';
import type { X87Functions } from './x87-helpers.ts';

function newExact(fn: FunctionBuilder, sign: Expr): Exact { return { sign, exponent: fn.local('i32'), hi: fn.local('i64'), lo: fn.local('i64') }; }

function multiply(frame: Frame, a: Normal, b: Normal): Exact {
  const { fn } = frame, result = newExact(fn, fn.let(w.xor(a.sign, b.sign)));
  wide.multiply(fn, result, a.significand, b.significand);
  fn.set(result.exponent, w.sub(w.add(a.exponent, b.exponent), w.i32(BIAS - 1)));
  fn.if(w.geS(fn.get(result.hi), w.i64(0)), () => {
    fn.set(result.hi, w.or(w.shl(fn.get(result.hi), one), w.shrU(fn.get(result.lo), w.i64(63))));
    fn.set(result.lo, w.shl(fn.get(result.lo), one));
    fn.set(result.exponent, w.sub(fn.get(result.exponent), w.i32(1)));
  });
  return result;
}

/** a + b; exponents at most 63 apart, sum not zero and not below the last bit. */
function add(frame: Frame, a: Normal, b: Normal): Exact {
  const { fn } = frame, result = newExact(fn, w.i32(0)), hi = fn.get(result.hi), lo = fn.get(result.lo), e = fn.get(result.exponent);
  const apart = fn.let(w.sub(a.exponent, b.exponent));
  const swaps = fn.let(w.or(w.ltS(apart, w.i32(0)), w.and(w.eqz(apart), w.ltU(a.significand, b.significand))));
  const distance = fn.let(w.extendU(w.select(swaps, w.sub(w.i32(0), apart), apart)));
  frame.leaveIf(w.gtU(distance, w.i64(63)));
  const larger = fn.let(w.select(swaps, b.significand, a.significand)), smaller = fn.let(w.select(swaps, a.significand, b.significand));
  const y = fn.let(w.shrU(smaller, distance)), rest = fn.let(w.shl(w.shl(smaller, one), w.sub(w.i64(63), distance)));
  fn.set(result.exponent, w.select(swaps, b.exponent, a.exponent));
  fn.if(w.eq(a.sign, b.sign), () => {
    fn.set(result.hi, w.add(larger, y));
    fn.set(result.lo, rest);
    fn.if(w.ltU(hi, larger), () => {
      fn.set(result.lo, w.or(w.or(w.shrU(lo, one), w.shl(hi, w.i64(63))), w.and(lo, one)));
      fn.set(result.hi, w.or(w.shrU(hi, one), ONE_TOP));
      fn.set(result.exponent, w.add(e, w.i32(1)));
    });
  }, () => {
    fn.set(result.hi, w.sub(w.sub(larger, y), w.extendU(w.ne(rest, w.i64(0)))));
    fn.set(result.lo, w.sub(w.i64(0), rest));
    frame.leaveIf(w.eqz(hi));
    const shift = fn.let(w.clz(hi));
    fn.set(result.hi, w.or(w.shl(hi, shift), w.shrU(w.shrU(lo, one), w.sub(w.i64(63), shift))));
    fn.set(result.lo, w.shl(lo, shift));
    fn.set(result.exponent, w.sub(e, w.wrap(shift)));
  });
  return { ...result, sign: fn.let(w.select(swaps, b.sign, a.sign)) };
}

function divide(frame: Frame, a: Normal, b: Normal): Exact {
  const { fn } = frame, result = newExact(fn, fn.let(w.xor(a.sign, b.sign))), remainder = fn.local('i64'), top = fn.local('i64'), low = fn.local('i64');
  fn.set(result.exponent, w.add(w.sub(a.exponent, b.exponent), w.i32(BIAS)));
  // dividend below the divisor, so that the quotient has exactly 64 bits
  const halves = fn.let(w.extendU(w.geU(a.significand, b.significand)));
  fn.set(top, w.shrU(a.significand, halves));
  fn.set(low, w.shl(w.and(a.significand, halves), w.i64(63)));
  fn.set(result.exponent, w.sub(fn.get(result.exponent), w.wrap(w.xor(halves, one))));
  wide.divide(fn, result.hi, remainder, fn.get(top), fn.get(low), b.significand);
  fn.set(result.lo, restOfQuotient(fn, remainder, b.significand));
  return result;
}

function operate(frame: Frame, operation: string, isReversed: boolean, a: Normal, b: Normal): Exact {
  const [first, second] = isReversed ? [b, a] : [a, b];
  switch (operation) {
    case 'add': return add(frame, first, second);
    case 'sub': return add(frame, first, { ...second, sign: frame.fn.let(w.xor(second.sign, w.i32(1))) });
    case 'mul': return multiply(frame, first, second);
    default: return divide(frame, first, second);
  }
}

export function defineX87Fast(x: X87Functions): void {
  defineFastArithmetic(x);
  defineFastRounding(x);
  defineFastTransfers(x);
}

function defineFastArithmetic(x: X87Functions): void {
  for (const [name, operation, isReversed] of ARITHMETIC) {
    defineBefore(x, `x87_${name}`, ['i32', 'i32', 'i32'], ['i32'], (frame) => {
      const { fn } = frame;
      frame.requireOrdinaryControl();
      const a = frame.register(fn.param(0)), b = frame.register(fn.param(1));
      frame.deliver(a.address, operate(frame, operation, isReversed, a, b));
      fn.if(fn.param(2), () => { frame.pop(); });
      fn.return(w.i32(0));
    });
    for (const from of ['f32', 'f64', 'int'] as const) {
      defineBefore(x, `x87_${name}_${from}`, [from === 'f64' ? 'i64' : 'i32'], ['i32'], (frame) => {
        frame.requireOrdinaryControl();
        const b = frame.memory(from, frame.fn.param(0)), a = frame.register(0);
        frame.deliver(a.address, operate(frame, operation, isReversed, a, b));
        frame.fn.return(w.i32(0));
      });
    }
  }
  defineBefore(x, 'x87_sqrt', [], ['i32'], (frame) => {
    const { fn } = frame, result = newExact(fn, w.i32(0)), radicand = { hi: fn.local('i64'), lo: fn.local('i64') };
    frame.requireOrdinaryControl();
    const a = frame.register(0);
    frame.leaveIf(a.sign);
    // the bias is odd
    const isEven = fn.let(w.extendU(w.and(a.exponent, w.i32(1))));
    fn.set(radicand.hi, w.shrU(a.significand, isEven));
    fn.set(radicand.lo, w.shl(w.and(a.significand, isEven), w.i64(63)));
    const { root, rest } = integerRoot(fn, radicand);
    fn.set(result.exponent, w.shrU(w.add(a.exponent, w.i32(BIAS)), w.i32(1)));
    fn.set(result.hi, root);
    fn.set(result.lo, rest);
    frame.deliver(a.address, result);
    fn.return(w.i32(0));
  });
}

/** x87_round: numbers from 1 on, in every rounding mode; x87_scale: by less than 2^15. */
function defineFastRounding(x: X87Functions): void {
  defineBefore(x, 'x87_round', [], ['i32'], (frame) => {
    const { fn } = frame, a = frame.register(0), behind = fn.let(w.sub(w.i32(BIAS + 63), a.exponent));
    frame.leaveIf(w.or(w.geU(w.sub(behind, w.i32(1)), w.i32(63)), w.eqz(w.and(frame.control, w.i32(CONTROL.precisionMask)))));
    const n = fn.let(w.extendU(behind)), kept = fn.let(w.shrU(a.significand, n)), rest = fn.let(w.shl(a.significand, w.sub(w.i64(64), n)));
    const up = increment(fn, fn.let(w.shrU(frame.control, w.i32(10))), a.sign, rest, w.wrap(w.and(kept, one)));
    const whole = fn.let(w.add(kept, w.extendU(up))), shift = fn.let(w.clz(whole));
    fn.store(64, a.address, 0, w.shl(whole, shift));
    fn.store(16, a.address, 8, w.or(w.shl(a.sign, w.i32(15)), w.sub(w.i32(BIAS + 63), w.wrap(shift))));
    frame.setStatus(up, w.ne(rest, w.i64(0)));
    fn.return(w.i32(0));
  });
  defineBefore(x, 'x87_scale', [], ['i32'], (frame) => {
    const { fn } = frame, a = frame.register(0), b = frame.ordinary(1), behind = fn.let(w.sub(w.i32(BIAS + 63), b.exponent));
    frame.leaveIf(w.ltS(behind, w.i32(63 - 14)));
    const amount = fn.let(w.select(w.ltS(behind, w.i32(64)), w.wrap(w.shrU(b.significand, w.extendU(behind))), w.i32(0)));
    const exponent = fn.let(w.add(a.exponent, w.select(b.sign, w.sub(w.i32(0), amount), amount)));
    frame.leaveIf(w.geU(w.sub(exponent, w.i32(1)), w.i32(0x7ffe)));
    fn.store(16, a.address, 8, w.or(w.shl(a.sign, w.i32(15)), exponent));
    x.clearC1(fn);
    fn.return(w.i32(0));
  });
}
