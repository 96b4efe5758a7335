/** Common cases of x87 loads, stores and comparisons: see x87-fast.ts. */
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';
import { MODE, ORDER } from '@vmm/softfloat';
import { ABOVE_HALF, BIAS, CONTROL, defineBefore, one } from './x87-fast-frame.ts';
import type { Frame, Normal } from './x87-fast-frame.ts';
import { suppressedOffset } from './x87-helpers.ts';
import type { X87Functions } from './x87-helpers.ts';

export function defineFastTransfers(x: X87Functions): void {
  defineFastLoads(x);
  defineFastStores(x);
  defineFastIntegerStores(x);
  defineFastCompares(x);
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
