/** Rounding to a format: the last step of every operation. */
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder, FunctionRef, Local, ModuleBuilder } from '@vmm/wasm';
import { FLAG, MODE } from './flags.ts';
import { FORMATS } from './format.ts';
import type { Format } from './format.ts';
import { isNonZero, ONE_TOP, shiftRightJam } from './wide.ts';

/** The 80-bit format's exponent wrap for unmasked overflow and underflow. SDM vol 1 §8.5.4 */
const EXPONENT_WRAP = 24576;

export function raise(fn: FunctionBuilder, flagsAddress: number, flags: Expr): void {
  fn.store(32, w.i32(0), flagsAddress, w.or(w.load('i32', 32, w.i32(0), flagsAddress), flags));
}

/** 1 if the kept part must be incremented: `rest` is what follows it, left-aligned and jammed; `odd` its last bit. */
export function increment(fn: FunctionBuilder, mode: Expr, sign: Expr, rest: Expr, odd: Expr): Expr {
  const control = fn.let(w.and(mode, w.i32(MODE.roundingMask))), result = fn.local('i32');
  fn.if(w.eqz(control), () => {
    fn.set(result, w.or(w.gtU(rest, ONE_TOP), w.and(w.eq(rest, ONE_TOP), w.or(odd, w.ne(w.and(mode, w.i32(MODE.tiesAway)), w.i32(0))))));
  }, () => {
    const away = w.select(w.eq(control, w.i32(MODE.down)), sign, w.xor(sign, w.i32(1)));
    fn.set(result, w.and(w.and(w.ne(control, w.i32(MODE.truncate)), away), w.ne(rest, w.i64(0))));
  });
  return fn.get(result);
}

/** Whether an overflow under `mode` gives the largest finite number rather than infinity. */
function stopsAtLargest(mode: Expr, sign: Expr): Expr {
  const control = w.and(mode, w.i32(MODE.roundingMask));
  // truncate always; down unless negative; up if negative
  return w.or(w.eq(control, w.i32(MODE.truncate)), w.eq(control, w.select(sign, w.i32(MODE.up), w.i32(MODE.down))));
}

/** round_f32, round_f64 …: (sign, exponent, hi, lo, mode) → bits. hi has its top bit set; lo may be jammed. */
export function defineRound(module: ModuleBuilder, format: Format, flagsAddress: number): FunctionRef {
  const drop = 63 - format.fraction, minimum = 1 - format.bias, maximum = format.bias;
  return module.define(['i32', 'i32', 'i64', 'i64', 'i32'], [format.type], (fn) => {
    const sign = fn.param(0), mode = fn.param(4);
    const x = { hi: fn.local('i64'), lo: fn.local('i64') }, exponent = fn.local('i32'), tiny = fn.local('i32'), flags = fn.local('i32');
    const e = fn.get(exponent), hi = fn.get(x.hi);
    fn.set(x.hi, fn.param(2));
    fn.set(x.lo, fn.param(3));
    fn.set(exponent, fn.param(1));
    fn.set(tiny, w.i32(0));
    fn.set(flags, w.i32(0));
    const rest = (): Expr => fn.let(w.or(w.shl(hi, w.i64(64 - drop)), isNonZero(fn.get(x.lo))));
    const top = w.i64((2 ** format.fraction) * 2 - 1);
    const pack = (biased: Expr, fraction: Expr): Expr => {
      const value = w.or(w.or(w.shl(w.extendU(sign), w.i64(format.fraction + format.exponentBits)), w.shl(w.extendU(biased), w.i64(format.fraction))), fraction);
      return format.type === 'i64' ? value : w.wrap(value);
    };
    fn.if(w.ltS(e, w.i32(minimum)), () => {
      // tininess is judged after rounding with an unbounded exponent: one below the minimum may round up out of it
      fn.set(tiny, w.i32(1));
      fn.if(w.eq(e, w.i32(minimum - 1)), () => {
        const kept = fn.let(w.shrU(hi, w.i64(drop)));
        const carries = increment(fn, mode, sign, rest(), w.and(w.wrap(kept), w.i32(1)));
        fn.if(w.and(carries, w.eq(kept, top)), () => { fn.set(tiny, w.i32(0)); });
      });
      fn.if(w.and(fn.get(tiny), w.ne(w.and(mode, w.i32(MODE.flushToZero)), w.i32(0))), () => {
        raise(fn, flagsAddress, w.i32(FLAG.underflow | FLAG.inexact | FLAG.tiny));
        fn.return(pack(w.i32(0), w.i64(0)));
      });
      fn.if(w.and(fn.get(tiny), w.ne(w.and(mode, w.i32(MODE.underflowUnmasked)), w.i32(0))), () => {
        // the handler would see the result with an unbounded exponent: precision is lost only if that is inexact; the value returned is not used
        raise(fn, flagsAddress, w.or(w.i32(FLAG.tiny | FLAG.underflow), w.mul(w.ne(rest(), w.i64(0)), w.i32(FLAG.inexact))));
        fn.return(pack(w.i32(0), w.i64(0)));
      });
      shiftRightJam(fn, x, w.sub(w.i32(minimum), e));
      fn.set(exponent, w.i32(minimum));
    });
    const left = rest();
    const kept = fn.local('i64');
    fn.set(kept, w.shrU(hi, w.i64(drop)));
    const up = increment(fn, mode, sign, left, w.and(w.wrap(fn.get(kept)), w.i32(1)));
    fn.set(kept, w.add(fn.get(kept), w.extendU(up)));
    fn.if(w.ne(left, w.i64(0)), () => {
      fn.set(flags, w.or(w.or(w.i32(FLAG.inexact), w.mul(up, w.i32(FLAG.roundedUp))), w.mul(fn.get(tiny), w.i32(FLAG.underflow))));
    });
    fn.if(w.gtU(fn.get(kept), top), () => {
      fn.set(kept, w.shrU(fn.get(kept), w.i64(1)));
      fn.set(exponent, w.add(e, w.i32(1)));
    });
    fn.if(w.gtS(e, w.i32(maximum)), () => {
      // as with underflow: a handler would see the result with an unbounded exponent
      const inexact = w.select(w.and(mode, w.i32(MODE.overflowUnmasked)), w.and(fn.get(flags), w.i32(FLAG.inexact)), w.i32(FLAG.inexact));
      raise(fn, flagsAddress, w.or(w.i32(FLAG.overflow), inexact));
      fn.if(stopsAtLargest(mode, sign), () => { fn.return(pack(w.i32(2 * format.bias), w.i64(2 ** format.fraction - 1))); });
      raise(fn, flagsAddress, w.i32(FLAG.roundedUp));
      fn.return(pack(w.i32(2 * format.bias + 1), w.i64(0)));
    });
    fn.set(flags, w.or(fn.get(flags), w.mul(fn.get(tiny), w.i32(FLAG.tiny))));
    fn.if(fn.get(flags), () => { raise(fn, flagsAddress, fn.get(flags)); });
    // a significand without its leading bit is subnormal: biased exponent 0; adding (not or-ing) lets the leading bit carry into the exponent
    const value = w.add(w.add(w.shl(w.extendU(sign), w.i64(format.fraction + format.exponentBits)), fn.get(kept)), w.shl(w.extendU(w.sub(e, w.i32(minimum))), w.i64(format.fraction)));
    fn.return(format.type === 'i64' ? value : w.wrap(value));
  });
}

export function storeExtended(fn: FunctionBuilder, address: Expr, sign: Expr, biased: Expr, significand: Expr): void {
  fn.store(64, address, 0, significand);
  fn.store(16, address, 8, w.or(w.shl(sign, w.i32(15)), biased));
}

/** round_x80: (address, sign, exponent, hi, lo, mode), stores 10 bytes. Precision control drops bits of the significand. */
export function defineRoundExtended(module: ModuleBuilder, flagsAddress: number): FunctionRef {
  const { bias } = FORMATS.x80, minimum = 1 - bias;
  return module.define(['i32', 'i32', 'i32', 'i64', 'i64', 'i32'], [], (fn) => {
    const address = fn.param(0), sign = fn.param(1), mode = fn.param(5);
    const x = { hi: fn.local('i64'), lo: fn.local('i64') }, exponent = fn.local('i32'), tiny = fn.local('i32'), flags = fn.local('i32');
    const e = fn.get(exponent), hi = fn.get(x.hi);
    fn.set(x.hi, fn.param(3));
    fn.set(x.lo, fn.param(4));
    fn.set(exponent, fn.param(2));
    fn.set(flags, w.i32(0));
    const drop = fn.let(w.extendU(w.shrU(mode, w.i32(8)))), unit = fn.let(w.shl(w.i64(1), drop));
    // what follows the kept bits, left-aligned
    const rest = (): Expr => fn.let(w.select(w.eqz(drop), fn.get(x.lo), w.or(w.shl(hi, w.sub(w.i64(64), drop)), isNonZero(fn.get(x.lo)))));
    const odd = (): Expr => w.ne(w.and(hi, unit), w.i64(0));
    const mask = fn.let(w.sub(w.i64(0), unit));
    fn.if(w.leS(e, w.i32(minimum - 1)), () => { denormal(fn, { x, exponent, tiny, flags, mode, sign, rest, odd, mask, minimum }); });
    const left = rest(), up = increment(fn, mode, sign, left, odd());
    fn.if(w.ne(left, w.i64(0)), () => {
      fn.set(flags, w.or(fn.get(flags), w.or(w.i32(FLAG.inexact), w.mul(up, w.i32(FLAG.roundedUp)))));
      fn.if(w.and(fn.get(flags), w.i32(FLAG.tiny)), () => { fn.set(flags, w.or(fn.get(flags), w.i32(FLAG.underflow))); });
    });
    fn.set(x.hi, w.and(hi, mask));
    fn.if(up, () => {
      fn.set(x.hi, w.add(hi, unit));
      fn.if(w.eqz(hi), () => {
        fn.set(x.hi, ONE_TOP);
        fn.set(exponent, w.add(e, w.i32(1)));
      });
    });
    fn.if(w.gtS(e, w.i32(bias)), () => {
      fn.if(w.and(w.ne(w.and(mode, w.i32(MODE.overflowUnmasked)), w.i32(0)), w.leS(e, w.i32(bias + EXPONENT_WRAP))), () => {
        fn.set(flags, w.or(fn.get(flags), w.i32(FLAG.overflow)));
        fn.set(exponent, w.sub(e, w.i32(EXPONENT_WRAP)));
      }, () => {
        fn.if(stopsAtLargest(mode, sign), () => {
          raise(fn, flagsAddress, w.i32(FLAG.overflow | FLAG.inexact));
          storeExtended(fn, address, sign, w.i32(0x7ffe), mask);
          fn.return();
        });
        raise(fn, flagsAddress, w.i32(FLAG.overflow | FLAG.inexact | FLAG.roundedUp));
        storeExtended(fn, address, sign, w.i32(0x7fff), ONE_TOP);
        fn.return();
      });
    });
    fn.if(fn.get(flags), () => { raise(fn, flagsAddress, fn.get(flags)); });
    // without the leading bit it is subnormal (or zero): biased exponent 0
    storeExtended(fn, address, sign, w.select(w.ltS(hi, w.i64(0)), w.add(e, w.i32(bias)), w.i32(0)), hi);
  });
}

interface DenormalStep {
  readonly x: { readonly hi: Local; readonly lo: Local }; readonly exponent: Local; readonly tiny: Local; readonly flags: Local; readonly mode: Expr; readonly sign: Expr;
  readonly rest: () => Expr; readonly odd: () => Expr; readonly mask: Expr; readonly minimum: number;
}
function denormal(fn: FunctionBuilder, step: DenormalStep): void {
  const { x, exponent, tiny, flags, mode, sign, minimum } = step, e = fn.get(exponent);
  fn.set(tiny, w.i32(1));
  fn.if(w.eq(e, w.i32(minimum - 1)), () => {
    const carries = increment(fn, mode, sign, step.rest(), step.odd());
    fn.if(w.and(carries, w.eq(w.and(fn.get(x.hi), step.mask), step.mask)), () => { fn.set(tiny, w.i32(0)); });
  });
  const wraps = w.and(w.ne(w.and(mode, w.i32(MODE.underflowUnmasked)), w.i32(0)), w.geS(e, w.i32(minimum - EXPONENT_WRAP)));
  fn.if(w.and(fn.get(tiny), wraps), () => {
    fn.set(exponent, w.add(e, w.i32(EXPONENT_WRAP)));
    fn.set(flags, w.i32(FLAG.underflow | FLAG.tiny));
  }, () => {
    fn.set(flags, w.mul(fn.get(tiny), w.i32(FLAG.tiny)));
    shiftRightJam(fn, x, w.sub(w.i32(minimum), e));
    fn.set(exponent, w.i32(minimum));
  });
}
