/**
 * Common cases of x87 arithmetic, loads and stores, in one function each without a detour through memory: operands are normal numbers (loads and stores
 * also zeros) in registers that are in use, rounding is to nearest, the precision exception is masked, the result is a normal number. Everything else is left, before
 * anything has changed, to the general functions of x87-helpers.ts, whose names these take over. Results and status are the same bit for bit.
 */
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder, Label, Local, ValueType } from '@vmm/wasm';
import { integerRoot, MODE, ORDER, restOfQuotient, wide } from '@vmm/softfloat';
import { STATE } from '@vmm/state';
import { ARITHMETIC, DROP_BY_PRECISION, STATUS, suppressedOffset } from './x87-helpers.ts';
import type { X87Functions } from './x87-helpers.ts';

const ONE_TOP = w.i64(0, 0x8000_0000), ABOVE_HALF = w.i64(1, 0x8000_0000), one = w.i64(1);
const BIAS = 16383;
/** Control word fields. SDM vol 1 §8.1.5 */
const CONTROL = { precisionMask: 0x20, precision: 0x300, precision64: 0x300, rounding: 0xc00 } as const;

/** (-1)^sign * significand/2^63 * 2^(exponent - BIAS), normal. */
export interface Normal { readonly sign: Expr; readonly exponent: Expr; readonly significand: Expr }
/** A result before rounding: hi has its top bit set, lo is what follows (jammed). */
interface Exact { readonly sign: Expr; readonly exponent: Local; readonly hi: Local; readonly lo: Local }

/** State words an instruction looks at, read once. */
export class Frame {
  readonly x: X87Functions;
  readonly fn: FunctionBuilder;
  readonly hard: Label;
  readonly top: Expr;
  readonly control: Expr;
  readonly tags: Expr;

  constructor(x: X87Functions, fn: FunctionBuilder, hard: Label) {
    this.x = x;
    this.fn = fn;
    this.hard = hard;
    this.top = fn.let(x.load('fpuTop'));
    this.control = fn.let(x.load('fpuControl'));
    this.tags = fn.let(x.load('fpuTags'));
  }
  leaveIf(condition: Expr): void { this.fn.brIf(this.hard, condition, false); }
  physical(i: Expr | number): Expr { return this.fn.let(i === 0 ? this.top : w.and(w.add(this.top, typeof i === 'number' ? w.i32(i) : i), w.i32(7))); }
  isEmpty(physical: Expr): Expr { return w.and(w.shrU(this.tags, physical), w.i32(1)); }
  address(physical: Expr): Expr { return this.fn.let(w.add(w.shl(physical, w.i32(4)), w.i32(this.x.base + STATE.fpr))); }
  /** Rounding to nearest with the precision exception masked. */
  requireOrdinaryControl(): void { this.leaveIf(w.ne(w.and(this.control, w.i32(CONTROL.rounding | CONTROL.precisionMask)), w.i32(CONTROL.precisionMask))); }
  pop(): void {
    this.x.store(this.fn, 'fpuTags', w.or(this.tags, w.shl(w.i32(1), this.top)));
    this.x.store(this.fn, 'fpuTop', w.and(w.add(this.top, w.i32(1)), w.i32(7)));
  }
  /** C1 and PE after a rounding: i32 0/1 each. */
  setStatus(up: Expr, inexact: Expr): void {
    const { x, fn } = this;
    x.store(fn, 'fpuStatus', w.or(w.and(x.load('fpuStatus'), w.i32(~STATUS.C1)), w.or(w.shl(up, w.i32(9)), w.shl(inexact, w.i32(5)))));
  }

  /** A normal number in a register in use. */
  register(i: Expr | number): Normal & { readonly address: Expr } {
    const { fn } = this, physical = this.physical(i), address = this.address(physical);
    this.leaveIf(this.isEmpty(physical));
    const word = fn.let(w.load('i32', 16, address, 8)), significand = fn.let(w.load('i64', 64, address)), exponent = fn.let(w.and(word, w.i32(0x7fff)));
    this.leaveIf(w.or(w.geU(w.sub(exponent, w.i32(1)), w.i32(0x7ffe)), w.geS(significand, w.i64(0))));
    return { sign: fn.let(w.shrU(word, w.i32(15))), exponent, significand, address };
  }
  memory(from: 'f32' | 'f64' | 'int', value: Expr): Normal {
    const { fn } = this;
    if (from === 'int') {
      this.leaveIf(w.eqz(value));
      const sign = fn.let(w.shrU(value, w.i32(31))), magnitude = fn.let(w.select(sign, w.sub(w.i32(0), value), value)), shift = fn.let(w.clz(magnitude));
      return { sign, exponent: fn.let(w.sub(w.i32(BIAS + 31), shift)), significand: fn.let(w.shl(w.extendU(w.shl(magnitude, shift)), w.i64(32))) };
    }
    const wide = from === 'f64', fraction = wide ? 52 : 23, maximum = wide ? 0x7ff : 0xff, bits = wide ? value : fn.let(w.extendU(value));
    const biased = fn.let(w.and(w.wrap(w.shrU(bits, w.i64(fraction))), w.i32(maximum)));
    this.leaveIf(w.geU(w.sub(biased, w.i32(1)), w.i32(maximum - 1)));
    return {
      sign: fn.let(w.wrap(w.shrU(bits, w.i64(wide ? 63 : 31)))), exponent: fn.let(w.add(biased, w.i32(BIAS - (maximum >> 1)))),
      significand: fn.let(w.or(ONE_TOP, w.shl(bits, w.i64(63 - fraction)))),
    };
  }

  /** A normal number or a zero (exponent and significand 0) in a register in use. */
  ordinary(i: Expr | number): Normal {
    const { fn } = this, physical = this.physical(i), address = this.address(physical);
    this.leaveIf(this.isEmpty(physical));
    const word = fn.let(w.load('i32', 16, address, 8)), significand = fn.let(w.load('i64', 64, address)), exponent = fn.let(w.and(word, w.i32(0x7fff)));
    const isNormal = w.and(w.ltU(w.sub(exponent, w.i32(1)), w.i32(0x7ffe)), w.ltS(significand, w.i64(0)));
    this.leaveIf(w.eqz(w.or(isNormal, w.eqz(w.or(significand, w.extendU(exponent))))));
    return { sign: fn.let(w.shrU(word, w.i32(15))), exponent, significand };
  }
  /** The same of a memory operand. */
  ordinaryMemory(from: 'f32' | 'f64' | 'int', value: Expr): Normal {
    const { fn } = this, sign = fn.local('i32'), exponent = fn.local('i32'), significand = fn.local('i64');
    fn.set(sign, w.i32(0));
    fn.set(exponent, w.i32(0));
    fn.set(significand, w.i64(0));
    fn.if(from === 'int' ? value : w.ne(w.shl(value, from === 'f64' ? one : w.i32(1)), from === 'f64' ? w.i64(0) : w.i32(0)), () => {
      const normal = this.memory(from, value);
      fn.set(sign, normal.sign);
      fn.set(exponent, normal.exponent);
      fn.set(significand, normal.significand);
    });
    return { sign: fn.get(sign), exponent: fn.get(exponent), significand: fn.get(significand) };
  }

  /** Rounds by precision control and stores at a register's address. */
  deliver(address: Expr, result: Exact): void {
    const { fn } = this, drop = fn.local('i64'), hi = fn.get(result.hi), lo = fn.get(result.lo);
    fn.set(drop, w.i64(0));
    fn.if(w.ne(w.and(this.control, w.i32(CONTROL.precision)), w.i32(CONTROL.precision64)), () => {
      const field = w.and(w.shrU(this.control, w.i32(5)), w.i32(0x18));
      fn.set(drop, w.extendU(w.and(w.shrU(w.i32(DROP_BY_PRECISION), field), w.i32(0xff))));
      // the reserved setting counts as 64 bits: drop 0
      fn.if(w.ne(fn.get(drop), w.i64(0)), () => {
        fn.set(result.lo, w.or(w.shl(hi, w.sub(w.i64(64), fn.get(drop))), w.extendU(w.ne(lo, w.i64(0)))));
        fn.set(result.hi, w.shrU(hi, fn.get(drop)));
      });
    }, undefined, false);
    const up = fn.let(w.geU(lo, w.sub(ABOVE_HALF, w.and(hi, one))));
    fn.set(result.hi, w.shl(w.add(hi, w.extendU(up)), fn.get(drop)));
    fn.if(w.eqz(hi), () => {
      fn.set(result.hi, ONE_TOP);
      fn.set(result.exponent, w.add(fn.get(result.exponent), w.i32(1)));
    }, undefined, false);
    this.leaveIf(w.geU(w.sub(fn.get(result.exponent), w.i32(1)), w.i32(0x7ffe)));
    fn.store(64, address, 0, hi);
    fn.store(16, address, 8, w.or(w.shl(result.sign, w.i32(15)), fn.get(result.exponent)));
    this.setStatus(up, w.ne(lo, w.i64(0)));
  }
}

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

/** Defines `name` anew: `fast` returns from the function or leaves to what had the name before. */
function defineBefore(x: X87Functions, name: string, params: readonly ValueType[], results: readonly ValueType[], fast: (frame: Frame) => void): void {
  const general = x.soft(name);
  x.define(name, params, results, (fn) => {
    fn.block((hard) => { fast(new Frame(x, fn, hard)); });
    fn.return(general.call(...params.map((_, i) => fn.param(i))));
  });
}

export function defineX87Fast(x: X87Functions): void {
  defineFastArithmetic(x);
  defineFastLoads(x);
  defineFastStores(x);
  defineFastIntegerStores(x);
  defineFastCompares(x);
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

/** Pushes (sign and exponent word, significand) if ST(7) is empty. */
function push(frame: Frame, word: Expr, significand: Expr): void {
  const { x, fn } = frame, top = frame.physical(7);
  frame.leaveIf(w.eqz(frame.isEmpty(top)));
  const address = frame.address(top);
  fn.store(64, address, 0, significand);
  fn.store(16, address, 8, word);
  x.store(fn, 'fpuTop', top);
  x.store(fn, 'fpuTags', w.xor(frame.tags, w.shl(w.i32(1), top)));
  x.clearC1(fn);
  fn.return(w.i32(0));
}

function defineFastLoads(x: X87Functions): void {
  for (const from of ['f32', 'f64'] as const) {
    defineBefore(x, `x87_fld_${from}`, [from === 'f64' ? 'i64' : 'i32'], ['i32'], (frame) => {
      const { fn } = frame, bits = fn.param(0), isZero = w.eqz(w.shl(bits, from === 'f64' ? one : w.i32(1)));
      fn.if(isZero, () => { push(frame, w.select(w.eqz(bits), w.i32(0), w.i32(0x8000)), w.i64(0)); }, undefined, false);
      const value = frame.memory(from, bits);
      push(frame, w.or(w.shl(value.sign, w.i32(15)), value.exponent), value.significand);
    });
  }
  defineBefore(x, 'x87_fld_i64', ['i64'], ['i32'], (frame) => {
    const { fn } = frame, value = fn.param(0);
    fn.if(w.eqz(value), () => { push(frame, w.i32(0), w.i64(0)); }, undefined, false);
    const sign = fn.let(w.shrU(value, w.i64(63))), magnitude = fn.let(w.select(w.wrap(sign), w.sub(w.i64(0), value), value)), shift = fn.let(w.clz(magnitude));
    push(frame, w.or(w.shl(w.wrap(sign), w.i32(15)), w.sub(w.i32(BIAS + 63), w.wrap(shift))), w.shl(magnitude, shift));
  });
  defineBefore(x, 'x87_fld_st', ['i32'], ['i32'], (frame) => {
    const from = frame.physical(frame.fn.param(0)), address = frame.address(from);
    frame.leaveIf(frame.isEmpty(from));
    push(frame, frame.fn.let(w.load('i32', 16, address, 8)), frame.fn.let(w.load('i64', 64, address)));
  });
}

function defineFastStores(x: X87Functions): void {
  for (const to of ['f32', 'f64'] as const) {
    const wide64 = to === 'f64', fraction = wide64 ? 52 : 23, bias = wide64 ? 1023 : 127;
    const pack = (value: Expr): Expr => (wide64 ? value : w.wrap(value));
    defineBefore(x, `x87_get_${to}`, [], [wide64 ? 'i64' : 'i32'], (frame) => {
      const { fn } = frame, address = frame.address(frame.top);
      frame.requireOrdinaryControl();
      frame.leaveIf(frame.isEmpty(frame.top));
      const word = fn.let(w.load('i32', 16, address, 8)), significand = fn.let(w.load('i64', 64, address));
      const sign = fn.let(w.shl(w.extendU(w.shrU(word, w.i32(15))), w.i64(wide64 ? 63 : 31)));
      fn.if(w.eqz(w.or(significand, w.extendU(w.and(word, w.i32(0x7fff))))), () => {
        x.clearC1(fn);
        fn.store(32, w.i32(0), x.base + suppressedOffset, w.i32(0));
        fn.return(pack(sign));
      }, undefined, false);
      // one exponent less at the top: rounding up cannot overflow
      const exponent = fn.let(w.sub(w.and(word, w.i32(0x7fff)), w.i32(BIAS - bias)));
      frame.leaveIf(w.or(w.geU(w.sub(exponent, w.i32(1)), w.i32(2 * bias - 1)), w.geS(significand, w.i64(0))));
      const drop = 63 - fraction, kept = fn.let(w.shrU(significand, w.i64(drop))), rest = fn.let(w.shl(significand, w.i64(64 - drop)));
      const up = fn.let(w.geU(rest, w.sub(ABOVE_HALF, w.and(kept, one))));
      frame.setStatus(up, w.ne(rest, w.i64(0)));
      fn.store(32, w.i32(0), x.base + suppressedOffset, w.i32(0));
      // the leading bit of `kept` adds one to the exponent
      const value = w.add(w.shl(w.extendU(w.sub(exponent, w.i32(1))), w.i64(fraction)), w.add(kept, w.extendU(up)));
      fn.return(pack(w.or(value, sign)));
    });
  }
}

/** x87_get_i16 … _i64 (truncate): to nearest or towards zero, numbers below half of the range. */
function defineFastIntegerStores(x: X87Functions): void {
  for (const bits of [16, 32, 64] as const) {
    defineBefore(x, `x87_get_i${bits}`, ['i32'], [bits === 64 ? 'i64' : 'i32'], (frame) => {
      const { fn } = frame, truncates = fn.local('i32');
      frame.leaveIf(w.eqz(w.and(frame.control, w.i32(CONTROL.precisionMask))));
      fn.set(truncates, fn.param(0));
      const rounding = fn.let(w.and(w.shrU(frame.control, w.i32(10)), w.i32(MODE.roundingMask)));
      fn.if(rounding, () => {
        frame.leaveIf(w.eqz(w.or(fn.param(0), w.eq(rounding, w.i32(MODE.truncate)))));
        fn.set(truncates, w.i32(1));
      });
      const a = frame.ordinary(0);
      frame.leaveIf(w.gtU(a.exponent, w.i32(BIAS + bits - 3)));
      // bits behind the point: 64 and more leave nothing
      const behind = fn.let(w.sub(w.i32(BIAS + 63), a.exponent)), n = fn.let(w.extendU(behind)), isWhole = fn.let(w.ltU(behind, w.i32(64)));
      const kept = fn.let(w.select(isWhole, w.shrU(a.significand, n), w.i64(0)));
      const rest = fn.let(w.select(isWhole, w.shl(a.significand, w.sub(w.i64(64), n)), w.select(w.eq(behind, w.i32(64)), a.significand, w.extendU(w.ne(a.significand, w.i64(0))))));
      const up = fn.let(w.and(w.geU(rest, w.sub(ABOVE_HALF, w.and(kept, one))), w.eqz(fn.get(truncates))));
      const magnitude = fn.let(w.add(kept, w.extendU(up))), value = w.select(a.sign, w.sub(w.i64(0), magnitude), magnitude);
      frame.setStatus(up, w.ne(rest, w.i64(0)));
      fn.store(32, w.i32(0), x.base + suppressedOffset, w.i32(0));
      fn.return(bits === 64 ? value : w.wrap(value));
    });
  }
}

function defineFastCompares(x: X87Functions): void {
  const compare = (frame: Frame, a: Normal, b: Normal): void => {
    const { fn } = frame, result = (order: Expr): void => { fn.return(order); };
    x.clearC1(fn);
    fn.if(w.ne(a.sign, b.sign), () => {
      fn.if(w.eqz(w.or(a.significand, b.significand)), () => { result(w.i32(ORDER.equal)); }, undefined, false);
      result(w.select(a.sign, w.i32(ORDER.less), w.i32(ORDER.greater)));
    });
    const isLess = w.or(w.ltU(a.exponent, b.exponent), w.and(w.eq(a.exponent, b.exponent), w.ltU(a.significand, b.significand)));
    const isEqual = w.and(w.eq(a.exponent, b.exponent), w.eq(a.significand, b.significand));
    // with a sign less and greater change places
    result(w.select(isEqual, w.i32(ORDER.equal), w.xor(w.select(isLess, w.i32(ORDER.less), w.i32(ORDER.greater)), w.mul(a.sign, w.i32(ORDER.less | ORDER.greater)))));
  };
  defineBefore(x, 'x87_compare', ['i32', 'i32'], ['i32'], (frame) => { compare(frame, frame.ordinary(0), frame.ordinary(frame.fn.param(0))); });
  for (const from of ['f32', 'f64', 'int'] as const) {
    defineBefore(x, `x87_compare_${from}`, [from === 'f64' ? 'i64' : 'i32'], ['i32'], (frame) => { compare(frame, frame.ordinary(0), frame.ordinaryMemory(from, frame.fn.param(0))); });
  }
}
