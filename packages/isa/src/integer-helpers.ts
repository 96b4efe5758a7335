/** Module functions that integer instructions call: wide multiply and divide, CRC, bit gather/scatter. */
import * as w from '@vmm/wasm';
import type { FunctionRef, ModuleBuilder } from '@vmm/wasm';
import { STATE } from '@vmm/state';

export type HelperFunctions = Readonly<Record<string, FunctionRef>>;

export function defineIntegerHelpers(module: ModuleBuilder, stateBase: number): HelperFunctions {
  const quotientAt = stateBase + STATE.scratch, remainderAt = quotientAt + 8;

  /** High 64 bits of the unsigned product, by 32-bit halves (Hacker's Delight §8-2). */
  const mulHighUnsigned = module.define(['i64', 'i64'], ['i64'], (fn) => {
    const a = fn.param(0), b = fn.param(1), low = w.i64(-1, 0), half = w.i64(32);
    const a0 = fn.let(w.and(a, low)), a1 = fn.let(w.shrU(a, half)), b0 = fn.let(w.and(b, low)), b1 = fn.let(w.shrU(b, half));
    const t = fn.let(w.add(w.mul(a1, b0), w.shrU(w.mul(a0, b0), half)));
    const u = fn.let(w.add(w.mul(a0, b1), w.and(t, low)));
    fn.return(w.add(w.add(w.mul(a1, b1), w.shrU(t, half)), w.shrU(u, half)));
  });
  const mulHighSigned = module.define(['i64', 'i64'], ['i64'], (fn) => {
    const a = fn.param(0), b = fn.param(1), sign = w.i64(63);
    const high = mulHighUnsigned.call(a, b);
    fn.return(w.sub(w.sub(high, w.and(w.shrS(a, sign), b)), w.and(w.shrS(b, sign), a)));
  });

  /** high:low / divisor; quotient and remainder to scratch words 0 and 1. Returns 0 if the quotient does not fit 64 bits. */
  const divUnsigned128 = module.define(['i64', 'i64', 'i64'], ['i32'], (fn) => {
    const high = fn.param(0), low = fn.param(1), divisor = fn.param(2);
    fn.if(w.geU(high, divisor), () => { fn.return(w.i32(0)); });
    fn.if(w.eqz(high), () => {
      fn.store(64, w.i32(0), quotientAt, w.divU(low, divisor));
      fn.store(64, w.i32(0), remainderAt, w.remU(low, divisor));
      fn.return(w.i32(1));
    });
    // restoring division, one bit a turn; the bit shifted out of the remainder makes it larger than any divisor
    const remainder = fn.local('i64'), rest = fn.local('i64'), i = fn.local('i32'), carry = fn.local('i64');
    fn.set(remainder, high);
    fn.set(rest, low);
    fn.set(i, w.i32(64));
    fn.loop((again) => {
      fn.set(carry, w.shrU(fn.get(remainder), w.i64(63)));
      fn.set(remainder, w.or(w.shl(fn.get(remainder), w.i64(1)), w.shrU(fn.get(rest), w.i64(63))));
      fn.set(rest, w.shl(fn.get(rest), w.i64(1)));
      fn.if(w.or(w.wrap(fn.get(carry)), w.geU(fn.get(remainder), divisor)), () => {
        fn.set(remainder, w.sub(fn.get(remainder), divisor));
        fn.set(rest, w.or(fn.get(rest), w.i64(1)));
      });
      fn.set(i, w.sub(fn.get(i), w.i32(1)));
      fn.brIf(again, fn.get(i));
    });
    fn.store(64, w.i32(0), quotientAt, fn.get(rest));
    fn.store(64, w.i32(0), remainderAt, fn.get(remainder));
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
   * first operand, plus size in bytes), operands and result.
   */
  const lazyAux = module.define(['i32', 'i64', 'i64', 'i64'], ['i32'], (fn) => {
    const kind = fn.param(0), a = fn.param(1), b = fn.param(2), result = fn.param(3), ones = w.i64(-1, -1);
    const size = fn.let(w.and(kind, w.i32(15))), operation = fn.let(w.shrU(kind, w.i32(4)));
    const carries = fn.local('i64');
    fn.if(w.eq(operation, w.i32(3)), () => { fn.return(w.i32(0)); });
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

  return { lazyAux, lazyResult, mulHighUnsigned, mulHighSigned, divUnsigned128, divSigned128, crc32c, pext: gather(false), pdep: gather(true) };
}
