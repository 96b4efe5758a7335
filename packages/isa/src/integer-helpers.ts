/** Module functions that integer instructions call: wide multiply and divide, CRC, bit gather/scatter. */
import * as w from '@vmm/wasm';
import type { Expr, FunctionRef, ModuleBuilder } from '@vmm/wasm';
import { STATE } from '@vmm/state';
import { defineQuotientDigit, multiplyHigh } from './wide-arithmetic.ts';

export type HelperFunctions = Readonly<Record<string, FunctionRef>>;

export function defineIntegerHelpers(module: ModuleBuilder, stateBase: number): HelperFunctions {
  const quotientAt = stateBase + STATE.scratch, remainderAt = quotientAt + 8;

  const quotientDigit = defineQuotientDigit(module);
  /** high:low / divisor; quotient and remainder to scratch words 0 and 1. Returns 0 if the quotient does not fit 64 bits. */
  const divUnsigned128 = module.define(['i64', 'i64', 'i64'], ['i32'], (fn) => {
    const high = fn.param(0), low = fn.param(1), divisor = fn.param(2);
    fn.if(w.geU(high, divisor), () => { fn.return(w.i32(0)); });
    fn.if(w.eqz(high), () => {
      fn.store(64, w.i32(0), quotientAt, w.divU(low, divisor));
      fn.store(64, w.i32(0), remainderAt, w.remU(low, divisor));
      fn.return(w.i32(1));
    });
    const shift = fn.let(w.clz(divisor)), scaled = fn.let(w.shl(divisor, shift)), digits = fn.let(w.shl(low, shift));
    // by 64 in two steps, for the shift may be 0
    const rest = fn.let(w.or(w.shl(high, shift), w.shrU(w.shrU(low, w.i64(1)), w.sub(w.i64(63), shift))));
    const half = w.i64(32), next = fn.let(w.shrU(digits, half)), last = fn.let(w.and(digits, w.i64(-1, 0)));
    const after = (value: Expr, digit: Expr, more: Expr): Expr => w.sub(w.add(w.shl(value, half), more), w.mul(digit, scaled));
    const upper = fn.let(quotientDigit.call(rest, scaled, next)), middle = fn.let(after(rest, upper, next));
    const lower = fn.let(quotientDigit.call(middle, scaled, last));
    fn.store(64, w.i32(0), quotientAt, w.add(w.shl(upper, half), lower));
    fn.store(64, w.i32(0), remainderAt, w.shrU(after(middle, lower, last), shift));
    fn.return(w.i32(1));
  });
  const divSigned128 = module.define(['i64', 'i64', 'i64'], ['i32'], (fn) => {
    const high = fn.param(0), low = fn.param(1), divisor = fn.param(2), zero = w.i64(0), sign = w.i64(63);
    const negative = fn.let(w.ltS(high, zero)), divisorNegative = fn.let(w.ltS(divisor, zero));
    const negatedLow = fn.let(w.sub(zero, low));
    const absoluteLow = fn.let(w.select(negative, negatedLow, low));
    const absoluteHigh = fn.let(w.select(negative, w.sub(w.sub(zero, high), w.extendU(w.ne(low, zero))), high));
    const absoluteDivisor = fn.let(w.select(divisorNegative, w.sub(zero, divisor), divisor));
    fn.if(w.eqz(divUnsigned128.call(absoluteHigh, absoluteLow, absoluteDivisor)), () => { fn.return(w.i32(0)); });
    const quotient = fn.let(w.load('i64', 64, w.i32(0), quotientAt)), remainder = fn.let(w.load('i64', 64, w.i32(0), remainderAt));
    const quotientNegative = fn.let(w.xor(negative, divisorNegative));
    const signed = fn.let(w.select(quotientNegative, w.sub(zero, quotient), quotient));
    // the sign must come out as the operands' signs say, unless the quotient is 0
    fn.if(w.and(w.ne(signed, zero), w.ne(w.wrap(w.shrU(signed, sign)), quotientNegative)), () => { fn.return(w.i32(0)); });
    fn.store(64, w.i32(0), quotientAt, signed);
    fn.store(64, w.i32(0), remainderAt, w.select(negative, w.sub(zero, remainder), remainder));
    fn.return(w.i32(1));
  });

  /** CRC-32C (polynomial 0x11EDC6F41, reflected) over `bits` bits of data. */
  const crc32c = module.define(['i32', 'i64', 'i32'], ['i32'], (fn) => {
    const crc = fn.local('i64'), i = fn.local('i32');
    fn.set(crc, w.xor(w.extendU(fn.param(0)), fn.param(1)));
    fn.set(i, fn.param(2));
    fn.loop((again) => {
      fn.set(crc, w.xor(w.shrU(fn.get(crc), w.i64(1)), w.and(w.sub(w.i64(0), w.and(fn.get(crc), w.i64(1))), w.i64(0x82f6_3b78 | 0, 0))));
      fn.set(i, w.sub(fn.get(i), w.i32(1)));
      fn.brIf(again, fn.get(i));
    });
    fn.return(w.wrap(fn.get(crc)));
  });

  const gather = (scatter: boolean): FunctionRef => module.define(['i64', 'i64'], ['i64'], (fn) => {
    const source = fn.param(0), mask = fn.local('i64'), out = fn.local('i64'), bit = fn.local('i64');
    fn.set(mask, fn.param(1));
    fn.set(out, w.i64(0));
    fn.set(bit, w.i64(1));
    fn.block((done) => {
      fn.loop((again) => {
        fn.brIf(done, w.eqz(fn.get(mask)));
        const lowest = fn.let(w.and(fn.get(mask), w.sub(w.i64(0), fn.get(mask))));
        const [test, put] = scatter ? [fn.get(bit), lowest] : [lowest, fn.get(bit)];
        fn.if(w.ne(w.and(source, test), w.i64(0)), () => { fn.set(out, w.or(fn.get(out), put)); });
        fn.set(mask, w.xor(fn.get(mask), lowest));
        fn.set(bit, w.shl(fn.get(bit), w.i64(1)));
        fn.br(again);
      });
    });
    fn.return(fn.get(out));
  });

  /**
   * `flagAux` and `flagResult` of lazy flags kept as operation (16 add, 32 sub, 48 logic, 64 up by one, 80 down by one with carry as the
   * first operand, 96 signed multiply, plus size in bytes), operands and result.
   */
  const lazyAux = module.define(['i32', 'i64', 'i64', 'i64'], ['i32'], (fn) => {
    const kind = fn.param(0), a = fn.param(1), b = fn.param(2), result = fn.param(3), ones = w.i64(-1, -1);
    const size = fn.let(w.and(kind, w.i32(15))), operation = fn.let(w.shrU(kind, w.i32(4)));
    const carries = fn.local('i64');
    fn.if(w.eq(operation, w.i32(3)), () => { fn.return(w.i32(0)); });
    fn.if(w.eq(operation, w.i32(6)), () => {
      const bits = fn.let(w.shl(w.extendU(size), w.i64(3))), shift = fn.let(w.sub(w.i64(64), bits)), signed = (value: Expr): Expr => fn.let(w.shrS(w.shl(value, shift), shift));
      const x = signed(a), y = signed(b), high = multiplyHigh((value) => fn.let(value), x, y, true), product = fn.let(w.mul(x, y));
      // what fits is the same when extended from the operands' size
      const isOver = w.or(w.ne(high, w.shrS(product, w.i64(63))), w.ne(signed(product), product));
      fn.return(w.shl(isOver, w.i32(31)));
    });
    fn.if(w.gtU(operation, w.i32(3)), () => {
      const isDown = w.eq(operation, w.i32(5)), top = fn.let(w.shl(w.i64(1), w.extendU(w.sub(w.shl(size, w.i32(3)), w.i32(1)))));
      const mask = fn.let(w.or(top, w.sub(top, w.i64(1)))), extreme = w.sub(top, w.extendU(isDown));
      const carry = fn.let(w.and(w.wrap(a), w.i32(1))), overflow = w.eq(w.and(result, mask), extreme);
      const adjust = w.eq(w.and(w.wrap(result), w.i32(15)), w.mul(isDown, w.i32(15)));
      fn.return(w.or(w.or(w.shl(carry, w.i32(31)), w.shl(w.xor(carry, overflow), w.i32(30))), w.shl(adjust, w.i32(3))));
    });
    fn.if(w.eq(operation, w.i32(1)), () => { fn.set(carries, w.or(w.and(a, b), w.and(w.or(a, b), w.xor(result, ones)))); }, () => {
      const notA = fn.let(w.xor(a, ones));
      fn.set(carries, w.or(w.and(notA, b), w.and(w.or(notA, b), result)));
    });
    const low = fn.let(w.wrap(fn.get(carries)));
    const high = w.select(w.eq(size, w.i32(8)), w.wrap(w.shrU(fn.get(carries), w.i64(32))), w.shl(low, w.sub(w.i32(32), w.shl(size, w.i32(3)))));
    fn.return(w.or(w.and(high, w.i32(0xc000_0000 | 0)), w.and(low, w.i32(8))));
  });
  const lazyResult = module.define(['i32', 'i64'], ['i64'], (fn) => {
    const shift = fn.let(w.sub(w.i64(64), w.shl(w.and(w.extendU(fn.param(0)), w.i64(15)), w.i64(3))));
    fn.return(w.shrS(w.shl(fn.param(1), shift), shift));
  });

  return { lazyAux, lazyResult, divUnsigned128, divSigned128, crc32c, pext: gather(false), pdep: gather(true) };
}
