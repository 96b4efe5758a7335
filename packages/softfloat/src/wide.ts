/** 128-bit steps on pairs of i64 locals, written inline into the function under construction. */
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder, Local } from '@vmm/wasm';

export interface Wide { readonly hi: Local; readonly lo: Local }

export const ONE_TOP = w.i64(0, 0x8000_0000);
export const isNonZero = (value: Expr): Expr => w.extendU(w.ne(value, w.i64(0)));

/** x >>= count (i32, ≥ 0); lost bits are or-ed into bit 0 ("jammed"). */
export function shiftRightJam(fn: FunctionBuilder, x: Wide, count: Expr): void {
  const n = fn.let(count), hi = fn.get(x.hi), lo = fn.get(x.lo);
  fn.if(w.ltU(w.sub(n, w.i32(1)), w.i32(63)), () => {
    const s = fn.let(w.extendU(n)), back = fn.let(w.sub(w.i64(64), s));
    fn.set(x.lo, w.or(w.or(w.shl(hi, back), w.shrU(lo, s)), isNonZero(w.shl(lo, back))));
    fn.set(x.hi, w.shrU(hi, s));
  }, () => {
    fn.if(w.ne(n, w.i32(0)), () => {
      fn.if(w.ltU(n, w.i32(128)), () => {
        const s = fn.let(w.extendU(w.sub(n, w.i32(64))));
        const lost = w.select(w.eqz(s), w.i64(0), w.shl(hi, w.sub(w.i64(64), s)));
        fn.set(x.lo, w.or(w.shrU(hi, s), isNonZero(w.or(lost, lo))));
      }, () => { fn.set(x.lo, isNonZero(w.or(hi, lo))); });
      fn.set(x.hi, w.i64(0));
    });
  });
}

/** Shifts left until bit 127 is set, lowering `exponent`. x must not be 0. */
export function normalize(fn: FunctionBuilder, x: Wide, exponent: Local): void {
  const hi = fn.get(x.hi), lo = fn.get(x.lo);
  fn.if(w.eqz(hi), () => {
    fn.set(x.hi, lo);
    fn.set(x.lo, w.i64(0));
    fn.set(exponent, w.sub(fn.get(exponent), w.i32(64)));
  });
  fn.if(w.geS(hi, w.i64(0)), () => {
    const c = fn.let(w.clz(hi));
    fn.set(x.hi, w.or(w.shl(hi, c), w.shrU(lo, w.sub(w.i64(64), c))));
    fn.set(x.lo, w.shl(lo, c));
    fn.set(exponent, w.sub(fn.get(exponent), w.wrap(c)));
  });
}

/** x = a * b, unsigned. `a`, `b` bound. */
export function multiply(fn: FunctionBuilder, x: Wide, a: Expr, b: Expr): void {
  const low32 = w.i64(-1, 0), s32 = w.i64(32);
  const al = fn.let(w.and(a, low32)), ah = fn.let(w.shrU(a, s32)), bl = fn.let(w.and(b, low32)), bh = fn.let(w.shrU(b, s32));
  const ll = fn.let(w.mul(al, bl)), lh = fn.let(w.mul(al, bh)), hl = fn.let(w.mul(ah, bl));
  const middle = fn.let(w.add(w.add(w.shrU(ll, s32), w.and(lh, low32)), hl));
  fn.set(x.hi, w.add(w.add(w.mul(ah, bh), w.shrU(lh, s32)), w.shrU(middle, s32)));
  fn.set(x.lo, w.or(w.shl(middle, s32), w.and(ll, low32)));
}

/** x += y. */
export function add(fn: FunctionBuilder, x: Wide, yHi: Expr, yLo: Expr): void {
  const lo = fn.let(w.add(fn.get(x.lo), yLo));
  fn.set(x.hi, w.add(w.add(fn.get(x.hi), yHi), w.extendU(w.ltU(lo, fn.get(x.lo)))));
  fn.set(x.lo, lo);
}
/** x -= y. */
export function subtract(fn: FunctionBuilder, x: Wide, yHi: Expr, yLo: Expr): void {
  const borrow = fn.let(w.extendU(w.ltU(fn.get(x.lo), yLo)));
  fn.set(x.lo, w.sub(fn.get(x.lo), yLo));
  fn.set(x.hi, w.sub(w.sub(fn.get(x.hi), yHi), borrow));
}

/**
 * quotient = floor((hi:lo) / divisor), remainder; divisor's top bit set and hi < divisor. Knuth's algorithm D with 32-bit digits
 * (as in Hacker's Delight §9-4).
 */
export function divide(fn: FunctionBuilder, quotient: Local, remainder: Local, hi: Expr, lo: Expr, divisor: Expr): void {
  const s32 = w.i64(32), low32 = w.i64(-1, 0);
  const dh = fn.let(w.shrU(divisor, s32)), dl = fn.let(w.and(divisor, low32));
  const digit = (top: Expr, next: Expr): { q: Expr; rest: Expr } => {
    const q = fn.local('i64'), r = fn.local('i64');
    fn.set(q, w.divU(top, dh));
    fn.set(r, w.sub(top, w.mul(fn.get(q), dh)));
    fn.block((done) => {
      fn.loop((again) => {
        const tooBig = w.or(w.shrU(fn.get(q), s32), w.extendU(w.gtU(w.mul(fn.get(q), dl), w.or(w.shl(fn.get(r), s32), next))));
        fn.brIf(done, w.eqz(tooBig));
        fn.set(q, w.sub(fn.get(q), w.i64(1)));
        fn.set(r, w.add(fn.get(r), dh));
        fn.brIf(again, w.eqz(w.shrU(fn.get(r), s32)));
      });
    });
    return { q: fn.get(q), rest: fn.let(w.sub(w.or(w.shl(top, s32), next), w.mul(fn.get(q), divisor))) };
  };
  const first = digit(hi, fn.let(w.shrU(lo, s32)));
  const second = digit(first.rest, fn.let(w.and(lo, low32)));
  fn.set(quotient, w.or(w.shl(first.q, s32), second.q));
  fn.set(remainder, second.rest);
}
