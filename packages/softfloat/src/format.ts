/** Interchange formats and how their values come apart. */
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder, Local } from '@vmm/wasm';
import { FLAG, MODE } from './flags.ts';
import { ONE_TOP } from './wide.ts';

export interface Format {
  readonly name: 'f16' | 'f32' | 'f64' | 'x80';
  /** Type that carries the bits; x80 is passed as the i32 address of 10 bytes. */
  readonly type: 'i32' | 'i64';
  /** Stored fraction bits; x80 has an explicit integer bit above them. */
  readonly fraction: number;
  readonly exponentBits: number;
  readonly bias: number;
}

/** IEEE 754-2019 §3.4; SDM vol 1 §4.2.2 */
export const FORMATS = {
  f16: { name: 'f16', type: 'i32', fraction: 10, exponentBits: 5, bias: 15 },
  f32: { name: 'f32', type: 'i32', fraction: 23, exponentBits: 8, bias: 127 },
  f64: { name: 'f64', type: 'i64', fraction: 52, exponentBits: 11, bias: 1023 },
  x80: { name: 'x80', type: 'i32', fraction: 63, exponentBits: 15, bias: 16383 },
} as const satisfies Record<string, Format>;

/** Exponents of what is not a finite non-zero number, far outside any format's range. */
export const INFINITE = 0x4_0000, NOTHING = -0x4_0000;

/**
 * A number taken apart: (-1)^sign * significand/2^63 * 2^exponent. Zero: significand 0, exponent NOTHING. Exponent INFINITE: infinity
 * (significand 2^63), NaN (top bit set, quiet bit 62) or an encoding the x87 does not support (significand 0).
 */
export interface Unpacked { readonly sign: Local; readonly exponent: Local; readonly significand: Local }

export function newUnpacked(fn: FunctionBuilder): Unpacked {
  return { sign: fn.local('i32'), exponent: fn.local('i32'), significand: fn.local('i64') };
}

/** Takes `bits` (x80: an address) apart. Denormal operands are noted in the `flags` local, unless `mode` makes them zero. */
export function unpack(fn: FunctionBuilder, format: Format, bits: Expr, mode: Expr, flags: Local): Unpacked {
  const u = newUnpacked(fn);
  if (format.name === 'x80') { unpackExtended(fn, u, bits, flags); return u; }
  const wide = format.type === 'i64' ? bits : w.extendU(bits), maximum = (1 << format.exponentBits) - 1;
  const fraction = fn.let(w.shl(wide, w.i64(64 - format.fraction)));
  const biased = fn.let(w.and(w.wrap(w.shrU(wide, w.i64(format.fraction))), w.i32(maximum)));
  fn.set(u.sign, w.and(w.wrap(w.shrU(wide, w.i64(format.fraction + format.exponentBits))), w.i32(1)));
  fn.set(u.exponent, w.sub(biased, w.i32(format.bias)));
  fn.set(u.significand, w.or(ONE_TOP, w.shrU(fraction, w.i64(1))));
  fn.if(w.geU(w.sub(biased, w.i32(1)), w.i32(maximum - 1)), () => {
    fn.if(biased, () => { fn.set(u.exponent, w.i32(INFINITE)); }, () => {
      fn.if(w.or(w.eqz(fraction), w.ne(w.and(mode, w.i32(MODE.denormalsAreZero)), w.i32(0))), () => { setZero(fn, u); }, () => {
        noteDenormal(fn, flags);
        const shift = fn.let(w.clz(fraction));
        fn.set(u.significand, w.shl(fraction, shift));
        fn.set(u.exponent, w.sub(w.i32(-format.bias), w.wrap(shift)));
      });
    });
  });
  return u;
}

function unpackExtended(fn: FunctionBuilder, u: Unpacked, address: Expr, flags: Local): void {
  const top = fn.let(w.load('i32', 16, address, 8)), significand = fn.let(w.load('i64', 64, address)), biased = fn.let(w.and(top, w.i32(0x7fff)));
  fn.set(u.sign, w.shrU(top, w.i32(15)));
  fn.set(u.exponent, w.sub(biased, w.i32(FORMATS.x80.bias)));
  fn.set(u.significand, significand);
  fn.if(w.geU(w.sub(biased, w.i32(1)), w.i32(0x7ffe)), () => {
    fn.if(biased, () => {
      fn.set(u.exponent, w.i32(INFINITE));
      fn.if(w.geS(significand, w.i64(0)), () => { fn.set(u.significand, w.i64(0)); });
    }, () => {
      fn.if(w.eqz(significand), () => { setZero(fn, u); }, () => {
        noteDenormal(fn, flags);
        const shift = fn.let(w.clz(significand));
        fn.set(u.significand, w.shl(significand, shift));
        fn.set(u.exponent, w.sub(w.i32(1 - FORMATS.x80.bias), w.wrap(shift)));
      });
    });
  }, () => {
    // "unnormal": integer bit clear in the middle of the range
    fn.if(w.geS(significand, w.i64(0)), () => {
      fn.set(u.exponent, w.i32(INFINITE));
      fn.set(u.significand, w.i64(0));
    });
  });
}

function setZero(fn: FunctionBuilder, u: Unpacked): void {
  fn.set(u.exponent, w.i32(NOTHING));
  fn.set(u.significand, w.i64(0));
}
function noteDenormal(fn: FunctionBuilder, flags: Local): void { fn.set(flags, w.or(fn.get(flags), w.i32(FLAG.denormal))); }

export const isInfinite = (fn: FunctionBuilder, u: Unpacked): Expr => w.eq(fn.get(u.exponent), w.i32(INFINITE));
/** NaN or unsupported: an "infinite" exponent with another significand than infinity's. */
export const isNaN = (fn: FunctionBuilder, u: Unpacked): Expr => w.and(isInfinite(fn, u), w.ne(fn.get(u.significand), ONE_TOP));
export const isZero = (fn: FunctionBuilder, u: Unpacked): Expr => w.eq(fn.get(u.exponent), w.i32(NOTHING));
