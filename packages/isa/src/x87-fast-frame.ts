/** What the functions of x87-fast.ts and its neighbours share: the state words an instruction looks at, operands, rounding, the way out. */
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder, Label, Local, ValueType } from '@vmm/wasm';
import { STATE } from '@vmm/state';
import { DROP_BY_PRECISION, STATUS } from './x87-helpers.ts';
import type { X87Functions } from './x87-helpers.ts';

export const ONE_TOP = w.i64(0, 0x8000_0000), ABOVE_HALF = w.i64(1, 0x8000_0000), one = w.i64(1);
export const BIAS = 16383;
/** Control word fields. SDM vol 1 §8.1.5 */
export const CONTROL = { precisionMask: 0x20, precision: 0x300, precision64: 0x300, rounding: 0xc00 } as const;

/** (-1)^sign * significand/2^63 * 2^(exponent - BIAS), normal. */
export interface Normal { readonly sign: Expr; readonly exponent: Expr; readonly significand: Expr }
/** A result before rounding: hi has its top bit set, lo is what follows (jammed). */
export interface Exact { readonly sign: Expr; readonly exponent: Local; readonly hi: Local; readonly lo: Local }

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

/** Defines `name` anew: `fast` returns from the function or leaves to what had the name before. */
export function defineBefore(x: X87Functions, name: string, params: readonly ValueType[], results: readonly ValueType[], fast: (frame: Frame) => void): void {
  const general = x.soft(name);
  x.define(name, params, results, (fn) => {
    fn.block((hard) => { fast(new Frame(x, fn, hard)); });
    fn.return(general.call(...params.map((_, i) => fn.param(i))));
  });
}
