/** Which NaN an operation on NaNs returns. SDM vol 1 §4.8.3.5, table 4-7 */
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder, FunctionRef, ModuleBuilder } from '@vmm/wasm';
import { FLAG } from './flags.ts';
import { FORMATS } from './format.ts';
import type { Format } from './format.ts';
import { raise, storeExtended } from './round.ts';
import { ONE_TOP } from './wide.ts';

const constant = (format: Format, value: bigint): Expr => (format.type === 'i64' ? w.i64big(BigInt.asIntN(64, value)) : w.i32(Number(BigInt.asIntN(32, value))));

/** Bit patterns of a format other than x80. */
export function patterns(format: Format): { sign: Expr; infinity: Expr; quiet: Expr; defaultNaN: Expr } {
  const fraction = BigInt(format.fraction), infinity = ((1n << BigInt(format.exponentBits)) - 1n) << fraction, quiet = 1n << (fraction - 1n);
  const sign = 1n << (fraction + BigInt(format.exponentBits));
  return { sign: constant(format, sign), infinity: constant(format, infinity), quiet: constant(format, quiet), defaultNaN: constant(format, sign | infinity | quiet) };
}

/** nan_f32, nan_f64: (a, b) → the first that is a NaN, quieted; a signalling one raises invalid. SSE's rule: the first operand wins. */
export function defineNaN(module: ModuleBuilder, format: Format, flagsAddress: number): FunctionRef {
  const p = patterns(format);
  return module.define([format.type, format.type], [format.type], (fn) => {
    const a = fn.param(0), b = fn.param(1), magnitude = (x: Expr): Expr => w.and(x, w.xor(p.sign, constant(format, -1n)));
    const isNaN = (x: Expr): Expr => w.gtU(magnitude(x), p.infinity);
    const isSignalling = (x: Expr): Expr => w.and(isNaN(x), w.eq(w.and(x, p.quiet), constant(format, 0n)));
    fn.if(w.or(isSignalling(a), isSignalling(b)), () => { raise(fn, flagsAddress, w.i32(FLAG.invalid)); });
    fn.if(isNaN(a), () => { fn.return(w.or(a, p.quiet)); });
    fn.if(isNaN(b), () => { fn.return(w.or(b, p.quiet)); });
    fn.return(p.defaultNaN);
  });
}

const QUIET = w.i64(0, 0x4000_0000), DEFAULT_NAN = w.i64(0, 0xc000_0000);

export function storeDefaultNaN(fn: FunctionBuilder, address: Expr): void {
  storeExtended(fn, address, w.i32(1), w.i32(FORMATS.x80.bias * 2 + 1), DEFAULT_NAN);
}

/**
 * nan_x80: (destination, a, b): the x87's choice. A signalling NaN gives way to a quiet one; of two alike the larger significand wins, of
 * equal ones the positive. Unsupported encodings are invalid and give the default NaN.
 */
export function defineNaNExtended(module: ModuleBuilder, flagsAddress: number): FunctionRef {
  return module.define(['i32', 'i32', 'i32'], [], (fn) => {
    const to = fn.param(0);
    const operand = (address: Expr): { top: Expr; significand: Expr; nan: Expr; signalling: Expr; unsupported: Expr } => {
      const top = fn.let(w.load('i32', 16, address, 8)), significand = fn.let(w.load('i64', 64, address));
      const maximal = w.eq(w.and(top, w.i32(0x7fff)), w.i32(0x7fff));
      const unsupported = fn.let(w.and(w.ne(w.and(top, w.i32(0x7fff)), w.i32(0)), w.geS(significand, w.i64(0))));
      const nan = fn.let(w.and(maximal, w.gtU(significand, ONE_TOP)));
      return { top, significand, nan, unsupported, signalling: fn.let(w.and(nan, w.eqz(w.and(significand, QUIET)))) };
    };
    const a = operand(fn.param(1)), b = operand(fn.param(2));
    fn.if(w.or(w.or(a.unsupported, b.unsupported), w.eqz(w.or(a.nan, b.nan))), () => {
      raise(fn, flagsAddress, w.i32(FLAG.invalid));
      storeDefaultNaN(fn, to);
      fn.return();
    });
    fn.if(w.or(a.signalling, b.signalling), () => { raise(fn, flagsAddress, w.i32(FLAG.invalid)); });
    const larger = w.or(w.gtU(a.significand, b.significand), w.and(w.eq(a.significand, b.significand), w.ltU(a.top, b.top)));
    const bothNaN = w.and(a.nan, b.nan), sameKind = w.eq(a.signalling, b.signalling);
    const first = fn.let(w.select(bothNaN, w.select(sameKind, larger, b.signalling), a.nan));
    fn.store(64, to, 0, w.or(w.select(first, a.significand, b.significand), QUIET));
    fn.store(16, to, 8, w.select(first, a.top, b.top));
  });
}
