/**
 * Module functions behind the x87 builders: each does one instruction's work on the register stack, with stack faults, exceptions, C1 and precision
 * control. Those that can be stopped by an unmasked exception return 1 then ("suppressed": no result, no pop) and 0 otherwise.
 */
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder, FunctionRef, ModuleBuilder, ValueType } from '@vmm/wasm';
import { FLAG, MODE, ORDER, QUOTIENT } from '@vmm/softfloat';
import { STATE } from '@vmm/state';
import type { StateField } from '@vmm/state';
import { quotientOffset, raisedFlagsOffset } from './sse-mxcsr.ts';

type Functions = Record<string, FunctionRef>;

/** Status word bits. SDM vol 1 §8.1.3 */
export const STATUS = { IE: 1, SF: 0x40, summaryAndBusy: 0x8080, C0: 0x100, C1: 0x200, C2: 0x400, C3: 0x4000, exceptions: 0x3f } as const;
/** A temporary 80-bit operand, between the callouts' arguments and the flags. */
export const temporaryOffset = STATE.scratch + 96;
/** Significand bits to drop by precision control: 24, reserved (64), 53, 64 bits. */
export const DROP_BY_PRECISION = 0x000b_0028;
const UNMASKABLE_BEFORE = FLAG.invalid | FLAG.denormal | FLAG.zeroDivide;

export class X87Functions {
  readonly functions: Functions;
  readonly #module: ModuleBuilder;
  readonly base: number;
  readonly temporary: Expr;
  readonly finish: FunctionRef;
  readonly underflow: FunctionRef;
  readonly overflow: FunctionRef;

  constructor(module: ModuleBuilder, stateBase: number, soft: Readonly<Functions>) {
    this.#module = module;
    this.base = stateBase;
    this.functions = { ...soft };
    this.temporary = w.i32(stateBase + temporaryOffset);
    this.finish = this.#defineFinish();
    this.underflow = this.#defineStackFault(0);
    this.overflow = this.#defineStackFault(STATUS.C1);
  }

  // --- state ---
  load(field: StateField): Expr { return w.load('i32', 32, w.i32(0), this.base + STATE[field]); }
  store(fn: FunctionBuilder, field: StateField, value: Expr): void { fn.store(32, w.i32(0), this.base + STATE[field], value); }
  soft(name: string): FunctionRef {
    const ref = this.functions[name];
    if (ref === undefined) throw new Error(`no helper "${name}"`);
    return ref;
  }
  define(name: string, params: readonly ValueType[], results: readonly ValueType[], write: (fn: FunctionBuilder) => void): void {
    this.functions[name] = this.#module.define(params, results, write);
  }

  /** Physical number of ST(i). */
  physical(i: Expr | number): Expr { return w.and(w.add(this.load('fpuTop'), typeof i === 'number' ? w.i32(i) : i), w.i32(7)); }
  /** Host address of ST(i), bound. */
  address(fn: FunctionBuilder, i: Expr | number): Expr { return fn.let(w.add(w.shl(this.physical(i), w.i32(4)), w.i32(this.base + STATE.fpr))); }
  isEmpty(i: Expr | number): Expr { return w.and(w.shrU(this.load('fpuTags'), this.physical(i)), w.i32(1)); }
  setValid(fn: FunctionBuilder, i: Expr | number): void { this.store(fn, 'fpuTags', w.and(this.load('fpuTags'), w.xor(w.shl(w.i32(1), this.physical(i)), w.i32(-1)))); }
  pop(fn: FunctionBuilder): void {
    this.store(fn, 'fpuTags', w.or(this.load('fpuTags'), w.shl(w.i32(1), this.physical(0))));
    this.store(fn, 'fpuTop', this.physical(1));
  }
  /** Makes ST(0) of what was ST(7), valid. */
  push(fn: FunctionBuilder): void {
    this.store(fn, 'fpuTop', this.physical(7));
    this.setValid(fn, 0);
  }
  /** The soft-float mode for the control word; `precision`: results are rounded to it. */
  mode(precision = true): Expr {
    const control = this.load('fpuControl'), rounding = w.and(w.shrU(control, w.i32(10)), w.i32(MODE.roundingMask));
    const unmasked = w.shl(w.and(w.xor(control, w.i32(-1)), w.i32(0x18)), w.i32(1));
    if (!precision) return w.or(rounding, unmasked);
    const field = w.and(w.shrU(control, w.i32(5)), w.i32(0x18));
    return w.or(w.or(rounding, unmasked), w.shl(w.and(w.shrU(w.i32(DROP_BY_PRECISION), field), w.i32(0xff)), w.i32(8)));
  }
  storeIndefinite(fn: FunctionBuilder, address: Expr): void {
    fn.store(64, address, 0, w.i64(0, 0xc000_0000));
    fn.store(16, address, 8, w.i32(0xffff));
  }
  copy(fn: FunctionBuilder, to: Expr, from: Expr): void {
    fn.store(64, to, 0, w.load('i64', 64, from));
    fn.store(16, to, 8, w.load('i32', 16, from, 8));
  }
  clearC1(fn: FunctionBuilder): void { this.store(fn, 'fpuStatus', w.and(this.load('fpuStatus'), w.i32(~STATUS.C1))); }

  // --- exceptions ---
  raised(): Expr { return w.load('i32', 32, w.i32(0), this.base + raisedFlagsOffset); }
  setRaised(fn: FunctionBuilder, flags: Expr): void { fn.store(32, w.i32(0), this.base + raisedFlagsOffset, flags); }
  raiseUnless(fn: FunctionBuilder, flags: Expr, condition: Expr): void {
    if (w.isConst(flags)) return;
    fn.if(flags, () => { fn.unless(condition, () => { this.setRaised(fn, w.or(this.raised(), flags)); }); });
  }

  /**
   * x87_finish (ignored flags): moves raised flags to the status word, sets C1 (rounded up), summary. Returns 1 if an unmasked invalid, denormal or zero-divide
   * exception forbids the result; 2 for an unmasked overflow or underflow (which forbids only a store to memory).
   */
  #defineFinish(): FunctionRef {
    const ref = this.#module.define(['i32'], ['i32'], (fn) => {
      const at = this.base + raisedFlagsOffset, flags = fn.local('i32'), f = fn.get(flags);
      fn.set(flags, w.and(w.load('i32', 32, w.i32(0), at), w.xor(fn.param(0), w.i32(-1))));
      const status = fn.let(w.and(this.load('fpuStatus'), w.i32(~STATUS.C1)));
      fn.store(32, w.i32(0), at, w.i32(0));
      fn.if(w.eqz(f), () => {
        this.store(fn, 'fpuStatus', status);
        fn.return(w.i32(0));
      });
      const control = fn.let(this.load('fpuControl')), unmasked = fn.let(w.xor(control, w.i32(-1)));
      fn.if(w.and(w.and(f, w.i32(UNMASKABLE_BEFORE)), unmasked), () => { fn.set(flags, w.and(f, w.i32(UNMASKABLE_BEFORE))); });
      fn.if(w.and(w.ne(w.and(f, w.i32(FLAG.tiny)), w.i32(0)), w.ne(w.and(unmasked, w.i32(FLAG.underflow)), w.i32(0))), () => { fn.set(flags, w.or(f, w.i32(FLAG.underflow))); });
      // a store to memory (it alone ignores flags) that takes an unmasked overflow or underflow has not rounded anything
      fn.if(w.and(w.ne(fn.param(0), w.i32(0)), w.ne(w.and(w.and(f, unmasked), w.i32(FLAG.overflow | FLAG.underflow)), w.i32(0))), () => {
        fn.set(flags, w.and(f, w.i32(~(FLAG.inexact | FLAG.roundedUp))));
      });
      const roundedUp = w.shl(w.and(f, w.i32(FLAG.roundedUp)), w.i32(2)), pending = fn.let(w.and(w.and(f, unmasked), w.i32(STATUS.exceptions)));
      this.store(fn, 'fpuStatus', w.or(w.or(status, w.and(f, w.i32(STATUS.exceptions))), w.or(roundedUp, w.select(pending, w.i32(STATUS.summaryAndBusy), w.i32(0)))));
      fn.return(w.or(w.ne(w.and(pending, w.i32(UNMASKABLE_BEFORE)), w.i32(0)), w.shl(w.ne(w.and(pending, w.i32(FLAG.overflow | FLAG.underflow)), w.i32(0)), w.i32(1))));
    });
    this.functions['x87_finish'] = ref;
    return ref;
  }

  /** Stack underflow (C1 = 0) or overflow (C1 = 1): invalid with SF. Returns 1 if that is unmasked. */
  #defineStackFault(c1: number): FunctionRef {
    const ref = this.#module.define([], ['i32'], (fn) => {
      const unmasked = fn.let(w.and(w.xor(this.load('fpuControl'), w.i32(-1)), w.i32(STATUS.IE)));
      const status = w.or(w.and(this.load('fpuStatus'), w.i32(~STATUS.C1)), w.i32(STATUS.IE | STATUS.SF | c1));
      this.store(fn, 'fpuStatus', w.or(status, w.select(unmasked, w.i32(STATUS.summaryAndBusy), w.i32(0))));
      fn.store(32, w.i32(0), this.base + raisedFlagsOffset, w.i32(0));
      fn.return(unmasked);
    });
    this.functions[c1 === 0 ? 'x87_underflow' : 'x87_overflow'] = ref;
    return ref;
  }

  /** In a function returning "suppressed": if `empty`, the masked response is the indefinite value in ST(i), popped after if `pop`. */
  guardEmpty(fn: FunctionBuilder, empty: Expr, i: Expr | number, pops?: Expr): void {
    fn.if(empty, () => {
      fn.if(this.underflow.call(), () => { fn.return(w.i32(1)); });
      this.storeIndefinite(fn, this.address(fn, i));
      this.setValid(fn, i);
      if (pops !== undefined) fn.if(pops, () => { this.pop(fn); });
      fn.return(w.i32(0));
    });
  }

  /** `compute` writes 10 bytes at the address it is given; they reach ST(i) unless an unmasked exception forbids it. Returns suppressed. */
  deliver(fn: FunctionBuilder, i: Expr | number, compute: (to: Expr) => void, after?: () => void): void {
    const to = this.address(fn, i), masked = w.eq(w.and(this.load('fpuControl'), w.i32(UNMASKABLE_BEFORE)), w.i32(UNMASKABLE_BEFORE));
    fn.if(masked, () => {
      compute(to);
      fn.drop(this.finish.call(w.i32(0)));
    }, () => {
      compute(this.temporary);
      fn.if(w.and(this.finish.call(w.i32(0)), w.i32(1)), () => { fn.return(w.i32(1)); });
      this.copy(fn, to, this.temporary);
    });
    this.setValid(fn, i);
    after?.();
    fn.return(w.i32(0));
  }
}

export const ARITHMETIC: readonly (readonly [string, string, boolean])[] = [
  ['add', 'add', false], ['mul', 'mul', false], ['sub', 'sub', false], ['subr', 'sub', true], ['div', 'div', false], ['divr', 'div', true],
];

export function defineX87Helpers(module: ModuleBuilder, stateBase: number, soft: Readonly<Functions>): X87Functions {
  const x = new X87Functions(module, stateBase, soft);
  defineTagWord(x);
  defineArithmetic(x);
  defineLoads(x);
  defineStores(x);
  defineCompare(x);
  defineUnary(x);
  return x;
}

/** The full tag word: 00 valid, 01 zero, 10 special (NaN, infinity, denormal, unsupported), 11 empty. SDM vol 1 §8.1.7 */
function defineTagWord(x: X87Functions): void {
  x.define('x87_tags', [], ['i32'], (fn) => {
    const tags = fn.let(x.load('fpuTags')), word = fn.local('i32');
    fn.set(word, w.i32(0));
    for (let i = 0; i < 8; i++) {
      const at = x.base + STATE.fpr + i * 16, significand = w.load('i64', 64, w.i32(0), at), exponent = fn.let(w.and(w.load('i32', 16, w.i32(0), at + 8), w.i32(0x7fff)));
      const zero = w.and(w.eqz(exponent), w.eqz(significand));
      const special = w.or(w.or(w.eqz(exponent), w.eq(exponent, w.i32(0x7fff))), w.geS(significand, w.i64(0)));
      const kind = w.select(zero, w.i32(1), w.shl(special, w.i32(1)));
      fn.set(word, w.or(fn.get(word), w.shl(w.select(w.and(tags, w.i32(1 << i)), w.i32(3), kind), w.i32(2 * i))));
    }
    fn.return(fn.get(word));
  });
}

/** x87_add … (dst, src, pops): ST(dst) = ST(dst) op ST(src); x87_add_f32, _f64 (bits), _int (i32): ST(0) op= operand. */
function defineArithmetic(x: X87Functions): void {
  for (const [name, operation, reversed] of ARITHMETIC) {
    const call = (fn: FunctionBuilder, to: Expr, a: Expr, b: Expr): void => { fn.callVoid(x.soft(`x80_${operation}`).index, [to, reversed ? b : a, reversed ? a : b, x.mode()]); };
    x.define(`x87_${name}`, ['i32', 'i32', 'i32'], ['i32'], (fn) => {
      const [dst, src, pops] = [fn.param(0), fn.param(1), fn.param(2)];
      x.guardEmpty(fn, w.or(x.isEmpty(dst), x.isEmpty(src)), dst, pops);
      const a = x.address(fn, dst), b = x.address(fn, src);
      x.deliver(fn, dst, (to) => { call(fn, to, a, b); }, () => { fn.if(pops, () => { x.pop(fn); }); });
    });
    for (const from of ['f32', 'f64', 'int'] as const) {
      x.define(`x87_${name}_${from}`, [from === 'f64' ? 'i64' : 'i32'], ['i32'], (fn) => {
        x.guardEmpty(fn, x.isEmpty(0), 0);
        const denormal = expandOperand(x, fn, from, fn.param(0)), a = x.address(fn, 0);
        x.deliver(fn, 0, (to) => {
          call(fn, to, a, x.temporary);
          // a denormal operand goes unnoticed beside a NaN, an invalid operation or a division by zero
          const isNaN = w.and(w.eq(w.and(w.load('i32', 16, to, 8), w.i32(0x7fff)), w.i32(0x7fff)), w.ne(w.shl(w.load('i64', 64, to), w.i64(1)), w.i64(0)));
          x.raiseUnless(fn, denormal, w.or(isNaN, w.and(x.raised(), w.i32(FLAG.zeroDivide))));
        });
      });
    }
  }
}
/** A memory operand as an 80-bit number in the temporary; returns the denormal flag if it is one, without raising it yet. */
function expandOperand(x: X87Functions, fn: FunctionBuilder, from: 'f32' | 'f64' | 'int', value: Expr): Expr {
  if (from === 'int') {
    fn.callVoid(x.soft('i64_to_x80').index, [x.temporary, w.extendS(value), w.i32(0)]);
    return w.i32(0);
  }
  fn.callVoid(x.soft(`${from}_expand`).index, [x.temporary, value]);
  const flags = fn.let(x.raised());
  fn.if(flags, () => { x.setRaised(fn, w.i32(0)); });
  return flags;
}

/** x87_fld_f32, _f64 (bits), _i64 (value), _x80, _bcd (host address), _st (i), x87_fld_constant (significand, top word). */
function defineLoads(x: X87Functions): void {
  const pushFrom = (name: string, type: ValueType, convert: (fn: FunctionBuilder, value: Expr) => void): void => {
    x.define(`x87_fld_${name}`, [type], ['i32'], (fn) => {
      guardFull(x, fn);
      convert(fn, fn.param(0));
      fn.if(w.and(x.finish.call(w.i32(0)), w.i32(1)), () => { fn.return(w.i32(1)); });
      x.push(fn);
      x.copy(fn, x.address(fn, 0), x.temporary);
      fn.return(w.i32(0));
    });
  };
  for (const from of ['f32', 'f64'] as const) pushFrom(from, from === 'f64' ? 'i64' : 'i32', (fn, bits) => { fn.callVoid(x.soft(`${from}_to_x80`).index, [x.temporary, bits, w.i32(0)]); });
  pushFrom('i64', 'i64', (fn, value) => { fn.callVoid(x.soft('i64_to_x80').index, [x.temporary, value, w.i32(0)]); });
  pushFrom('x80', 'i32', (fn, host) => { x.copy(fn, x.temporary, host); });
  pushFrom('bcd', 'i32', (fn, host) => { fn.callVoid(x.soft('bcd_to_x80').index, [x.temporary, host]); });
  x.define('x87_fld_st', ['i32'], ['i32'], (fn) => {
    fn.if(x.isEmpty(fn.param(0)), () => {
      fn.if(x.underflow.call(), () => { fn.return(w.i32(1)); });
      x.push(fn);
      x.storeIndefinite(fn, x.address(fn, 0));
      fn.return(w.i32(0));
    });
    guardFull(x, fn);
    const from = x.address(fn, fn.param(0));
    x.clearC1(fn);
    x.push(fn);
    x.copy(fn, x.address(fn, 0), from);
    fn.return(w.i32(0));
  });
  x.define('x87_fld_constant', ['i64', 'i32'], ['i32'], (fn) => {
    guardFull(x, fn);
    x.clearC1(fn);
    x.push(fn);
    const to = x.address(fn, 0);
    fn.store(64, to, 0, fn.param(0));
    fn.store(16, to, 8, fn.param(1));
    fn.return(w.i32(0));
  });
}
function guardFull(x: X87Functions, fn: FunctionBuilder): void {
  fn.if(w.eqz(x.isEmpty(7)), () => {
    fn.if(x.overflow.call(), () => { fn.return(w.i32(1)); });
    x.push(fn);
    x.storeIndefinite(fn, x.address(fn, 0));
    fn.return(w.i32(0));
  });
}

/** Denormal operands do not count in stores. */
const STORE_IGNORES = FLAG.denormal;

/**
 * x87_get_f32, _f64, _i16 … _i64 (truncate), x87_get_x80, _bcd: ST(0) converted for memory. The value is returned (x80, bcd: left in the temporary); the
 * temporary's last word says whether it may be stored (0) or an exception forbids it.
 */
function defineStores(x: X87Functions): void {
  const suppressed = x.base + suppressedOffset;
  const note = (fn: FunctionBuilder, value: Expr): void => { fn.store(32, w.i32(0), suppressed, value); };
  for (const to of ['f32', 'f64'] as const) {
    const type: ValueType = to === 'f64' ? 'i64' : 'i32';
    x.define(`x87_get_${to}`, [], [type], (fn) => {
      fn.if(x.isEmpty(0), () => {
        note(fn, x.underflow.call());
        fn.return(to === 'f64' ? w.i64(0, 0xfff8_0000) : w.i32(0xffc0_0000));
      });
      const value = fn.let(x.soft(`x80_to_${to}`).call(x.address(fn, 0), w.and(x.mode(false), w.i32(MODE.roundingMask))));
      note(fn, x.finish.call(w.i32(STORE_IGNORES)));
      fn.return(value);
    });
  }
  for (const bits of [16, 32, 64] as const) {
    const type: ValueType = bits === 64 ? 'i64' : 'i32';
    x.define(`x87_get_i${bits}`, ['i32'], [type], (fn) => {
      fn.if(x.isEmpty(0), () => {
        note(fn, x.underflow.call());
        fn.return(bits === 64 ? w.i64(0, 0x8000_0000) : w.i32(-(2 ** (bits - 1))));
      });
      const mode = w.select(fn.param(0), w.i32(MODE.truncate), w.and(x.mode(false), w.i32(MODE.roundingMask)));
      const value = fn.let(x.soft(`x80_to_i${bits}`).call(x.address(fn, 0), mode));
      note(fn, x.finish.call(w.i32(STORE_IGNORES)));
      fn.return(value);
    });
  }
  x.define('x87_get_x80', [], [], (fn) => {
    fn.if(x.isEmpty(0), () => {
      note(fn, x.underflow.call());
      x.storeIndefinite(fn, x.temporary);
      fn.return();
    });
    x.clearC1(fn);
    note(fn, w.i32(0));
    x.copy(fn, x.temporary, x.address(fn, 0));
  });
  x.define('x87_get_bcd', [], [], (fn) => {
    fn.if(x.isEmpty(0), () => {
      note(fn, x.underflow.call());
      x.storeIndefinite(fn, x.temporary);
      fn.return();
    });
    fn.callVoid(x.soft('x80_to_bcd').index, [x.temporary, x.address(fn, 0), w.and(x.mode(false), w.i32(MODE.roundingMask))]);
    note(fn, x.finish.call(w.i32(STORE_IGNORES)));
  });
  /** ST(i) = ST(0), then a pop if asked. */
  x.define('x87_store_st', ['i32', 'i32'], ['i32'], (fn) => {
    x.guardEmpty(fn, x.isEmpty(0), fn.param(0), fn.param(1));
    x.clearC1(fn);
    x.copy(fn, x.address(fn, fn.param(0)), x.address(fn, 0));
    x.setValid(fn, fn.param(0));
    fn.if(fn.param(1), () => { x.pop(fn); });
    fn.return(w.i32(0));
  });
}
export const suppressedOffset = temporaryOffset + 12;

/** x87_compare (i, quiet), _f32, _f64, _int, _zero: ORDER of ST(0) against the operand, or -1 if an exception forbids a result. */
function defineCompare(x: X87Functions): void {
  const finishOrder = (fn: FunctionBuilder, order: Expr): void => {
    fn.if(w.and(x.finish.call(w.i32(0)), w.i32(1)), () => { fn.return(w.i32(-1)); });
    fn.return(order);
  };
  const guard = (fn: FunctionBuilder, empty: Expr): void => {
    fn.if(empty, () => { fn.return(w.select(x.underflow.call(), w.i32(-1), w.i32(ORDER.unordered))); });
  };
  const compare = x.soft('x80_compare');
  x.define('x87_compare', ['i32', 'i32'], ['i32'], (fn) => {
    guard(fn, w.or(x.isEmpty(0), x.isEmpty(fn.param(0))));
    finishOrder(fn, fn.let(compare.call(x.address(fn, 0), x.address(fn, fn.param(0)), fn.param(1), w.i32(0))));
  });
  for (const from of ['f32', 'f64', 'int'] as const) {
    x.define(`x87_compare_${from}`, [from === 'f64' ? 'i64' : 'i32'], ['i32'], (fn) => {
      guard(fn, x.isEmpty(0));
      const denormal = expandOperand(x, fn, from, fn.param(0)), order = fn.let(compare.call(x.address(fn, 0), x.temporary, w.i32(0), w.i32(0)));
      x.raiseUnless(fn, denormal, w.eq(order, w.i32(ORDER.unordered)));
      finishOrder(fn, order);
    });
  }
  /** Puts an ORDER into C3, C2, C0. */
  x.define('x87_set_order', ['i32'], [], (fn) => {
    const order = fn.param(0), codes = w.i32(STATUS.C0 | STATUS.C2 | STATUS.C3);
    const value = w.select(w.eq(order, w.i32(ORDER.unordered)), codes,
      w.select(w.eq(order, w.i32(ORDER.less)), w.i32(STATUS.C0), w.select(w.eqz(order), w.i32(STATUS.C3), w.i32(0))));
    x.store(fn, 'fpuStatus', w.or(w.and(x.load('fpuStatus'), w.i32(~(STATUS.C0 | STATUS.C2 | STATUS.C3))), value));
  });
  x.define('x87_examine', [], [], (fn) => {
    const at = x.address(fn, 0), top = fn.let(w.load('i32', 16, at, 8)), exponent = fn.let(w.and(top, w.i32(0x7fff))), significand = fn.let(w.load('i64', 64, at));
    const codes = fn.local('i32'), unnormal = w.geS(significand, w.i64(0));
    fn.set(codes, w.select(unnormal, w.i32(0), w.i32(STATUS.C2)));
    fn.if(w.eqz(exponent), () => { fn.set(codes, w.select(w.eqz(significand), w.i32(STATUS.C3), w.i32(STATUS.C3 | STATUS.C2))); });
    fn.if(w.and(w.eq(exponent, w.i32(0x7fff)), w.ltS(significand, w.i64(0))), () => {
      fn.set(codes, w.select(w.eq(significand, w.i64(0, 0x8000_0000)), w.i32(STATUS.C2 | STATUS.C0), w.i32(STATUS.C0)));
    });
    fn.if(x.isEmpty(0), () => { fn.set(codes, w.i32(STATUS.C3 | STATUS.C0)); });
    const kept = w.and(x.load('fpuStatus'), w.i32(~(STATUS.C0 | STATUS.C1 | STATUS.C2 | STATUS.C3)));
    x.store(fn, 'fpuStatus', w.or(w.or(kept, fn.get(codes)), w.and(w.shrU(top, w.i32(6)), w.i32(STATUS.C1))));
  });
}

function defineUnary(x: X87Functions): void {
  const onTop = (name: string, compute: (fn: FunctionBuilder, to: Expr, a: Expr) => void): void => {
    x.define(`x87_${name}`, [], ['i32'], (fn) => {
      x.guardEmpty(fn, x.isEmpty(0), 0);
      const a = x.address(fn, 0);
      x.deliver(fn, 0, (to) => { compute(fn, to, a); });
    });
  };
  onTop('sqrt', (fn, to, a) => { fn.callVoid(x.soft('x80_sqrt').index, [to, a, x.mode()]); });
  onTop('round', (fn, to, a) => { fn.callVoid(x.soft('x80_round').index, [to, a, w.and(x.mode(false), w.i32(MODE.roundingMask))]); });
  /** Sign of ST(0): and with `mask`, xor with `flip`. */
  x.define('x87_sign', ['i32', 'i32'], ['i32'], (fn) => {
    x.guardEmpty(fn, x.isEmpty(0), 0);
    const at = x.address(fn, 0);
    x.clearC1(fn);
    fn.store(16, at, 8, w.xor(w.and(w.load('i32', 16, at, 8), fn.param(0)), fn.param(1)));
    fn.return(w.i32(0));
  });
  x.define('x87_scale', [], ['i32'], (fn) => {
    x.guardEmpty(fn, w.or(x.isEmpty(0), x.isEmpty(1)), 0);
    const a = x.address(fn, 0), b = x.address(fn, 1);
    x.deliver(fn, 0, (to) => { fn.callVoid(x.soft('x80_scale').index, [to, a, b, x.mode(false)]); });
  });
  x.define('x87_exchange', ['i32'], ['i32'], (fn) => {
    const i = fn.param(0), a = x.address(fn, 0), b = x.address(fn, i);
    x.clearC1(fn);
    fn.if(w.or(x.isEmpty(0), x.isEmpty(i)), () => {
      fn.if(x.underflow.call(), () => { fn.return(w.i32(1)); });
      fn.if(x.isEmpty(0), () => { x.storeIndefinite(fn, a); });
      fn.if(x.isEmpty(i), () => { x.storeIndefinite(fn, b); });
      x.setValid(fn, 0);
      x.setValid(fn, i);
    });
    const significand = fn.let(w.load('i64', 64, a)), top = fn.let(w.load('i32', 16, a, 8));
    x.copy(fn, a, b);
    fn.store(64, b, 0, significand);
    fn.store(16, b, 8, top);
    fn.return(w.i32(0));
  });
  x.define('x87_move', ['i32'], ['i32'], (fn) => {
    x.guardEmpty(fn, w.or(x.isEmpty(0), x.isEmpty(fn.param(0))), 0);
    x.clearC1(fn);
    x.copy(fn, x.address(fn, 0), x.address(fn, fn.param(0)));
    fn.return(w.i32(0));
  });
  defineExtractAndRemainder(x);
}

function defineExtractAndRemainder(x: X87Functions): void {
  x.define('x87_extract', [], ['i32'], (fn) => {
    fn.if(x.isEmpty(0), () => {
      fn.if(x.underflow.call(), () => { fn.return(w.i32(1)); });
      x.storeIndefinite(fn, x.address(fn, 0));
      x.setValid(fn, 0);
      x.push(fn);
      x.storeIndefinite(fn, x.address(fn, 0));
      fn.return(w.i32(0));
    });
    fn.if(w.eqz(x.isEmpty(7)), () => {
      fn.if(x.overflow.call(), () => { fn.return(w.i32(1)); });
      x.storeIndefinite(fn, x.address(fn, 0));
      x.push(fn);
      x.storeIndefinite(fn, x.address(fn, 0));
      fn.return(w.i32(0));
    });
    const a = x.address(fn, 0);
    fn.callVoid(x.soft('x80_exponent').index, [x.temporary, a, w.i32(0)]);
    fn.if(w.and(x.finish.call(w.i32(0)), w.i32(1)), () => { fn.return(w.i32(1)); });
    x.push(fn);
    fn.callVoid(x.soft('x80_significand').index, [x.address(fn, 0), a, w.i32(0)]);
    fn.store(32, w.i32(0), x.base + raisedFlagsOffset, w.i32(0));
    x.copy(fn, a, x.temporary);
    fn.return(w.i32(0));
  });
  // FPREM, FPREM1: quotient bits 2, 1, 0 to C0, C3, C1; C2 if incomplete. Without a quotient C1 and C2 are cleared, C0 and C3 stay
  for (const name of ['rem', 'rem1'] as const) {
    x.define(`x87_${name}`, [], ['i32'], (fn) => {
      const allCodes = STATUS.C0 | STATUS.C1 | STATUS.C2 | STATUS.C3;
      x.store(fn, 'fpuStatus', w.and(x.load('fpuStatus'), w.i32(~(STATUS.C1 | STATUS.C2))));
      x.guardEmpty(fn, w.or(x.isEmpty(0), x.isEmpty(1)), 0);
      const a = x.address(fn, 0), b = x.address(fn, 1), quotient = w.load('i32', 32, w.i32(0), x.base + quotientOffset);
      x.deliver(fn, 0, (to) => { fn.callVoid(x.soft(`x80_${name}`).index, [to, a, b, w.and(x.mode(false), w.i32(~MODE.roundingMask))]); }, () => {
        const q = fn.let(quotient);
        fn.if(w.geS(q, w.i32(0)), () => {
          const bits = w.or(w.or(w.shl(w.and(q, w.i32(4)), w.i32(6)), w.shl(w.and(q, w.i32(2)), w.i32(13))), w.shl(w.and(q, w.i32(1)), w.i32(9)));
          const value = w.select(w.and(q, w.i32(QUOTIENT.incomplete)), w.i32(STATUS.C2), bits);
          x.store(fn, 'fpuStatus', w.or(w.and(x.load('fpuStatus'), w.i32(~allCodes)), value));
        });
      });
    });
  }
}
