import { describe, expect, it } from 'vitest';
import * as w from './index.ts';
import type { Expr } from './index.ts';
import { compiled, evaluated } from './wasm.testing.ts';

const values = [0, 1, -1, 2, 7, 31, 32, 33, 0x7fff_ffff, -0x8000_0000, 0x1234_5678, -0x1234_5678];
const { add, sub, mul, and, or, xor, shl, shrS, shrU, rotl, rotr, eq, ne, ltS, ltU, gtS, gtU, leS, leU, geS, geU } = w;
const binaries = { add, sub, mul, and, or, xor, shl, shrS, shrU, rotl, rotr, eq, ne, ltS, ltU, gtS, gtU, leS, leU, geS, geU };
const { eqz, extend8, extend16, clz, ctz, popcnt } = w;
const unaries = { eqz, extend8, extend16, clz, ctz, popcnt };

describe('constant folding', () => {
  it.each(Object.entries(binaries))('%s gives what the engine computes', (_name, operation: (a: Expr, b: Expr) => Expr) => {
    const computed = compiled(['i32', 'i32'], ['i32'], (fn) => { fn.return(operation(fn.param(0), fn.param(1))); });
    for (const a of values) for (const b of values) expect([a, b, evaluated(operation(w.i32(a), w.i32(b)))]).toEqual([a, b, computed(a, b)]);
  });

  it.each(Object.entries(binaries))('%s with a constant on the right agrees in 64 bits, where identities are dropped', (_name, operation: (a: Expr, b: Expr) => Expr) => {
    const computed = compiled(['i64', 'i64'], [operation(w.i64(1), w.i64(1)).type], (fn) => { fn.return(operation(fn.param(0), fn.param(1))); });
    for (const b of [0, 1, -1]) {
      const folded = compiled(['i64'], [operation(w.i64(1), w.i64(1)).type], (fn) => { fn.return(operation(fn.param(0), w.i64(b))); });
      for (const a of [5n, -5n, 0x1234_5678_9abc_def0n, -(1n << 63n)]) expect([a, b, folded(a)]).toEqual([a, b, computed(a, BigInt(b))]);
    }
  });

  it.each(Object.entries(unaries))('%s gives what the engine computes', (_name, operation: (a: Expr) => Expr) => {
    const computed = compiled(['i32'], ['i32'], (fn) => { fn.return(operation(fn.param(0))); });
    for (const a of values) expect([a, evaluated(operation(w.i32(a)))]).toEqual([a, computed(a)]);
  });

  it('of select takes the side that the condition names', () => {
    const [a, b] = [w.i32(1), w.i32(2)];
    expect(w.select(w.i32(5), a, b)).toBe(a);
    expect(w.select(w.i32(0), a, b)).toBe(b);
  });
});

describe('constants', () => {
  it.each([0n, 1n, -1n, 0x1234_5678_9abc_def0n, -(1n << 63n), (1n << 63n) - 1n, 0xffff_ffffn])('%i survives as i64', (value) => {
    expect(evaluated(w.i64big(value))).toBe(value);
  });

  it.each([0, -0, 1.5, Math.PI, Number.MAX_VALUE, -Infinity, NaN])('%d survives as f64', (value) => {
    expect(evaluated(w.f64(value))).toBe(value);
  });

  it('of safe integers become i64 with their sign', () => {
    expect(evaluated(w.i64(-5))).toBe(-5n);
    expect(evaluated(w.i64(2 ** 52 + 1))).toBe(2n ** 52n + 1n);
  });
});

describe('an expression', () => {
  it('of two types is refused where it is made', () => {
    expect(() => w.add(w.i32(1), w.i64(1))).toThrow('add: i32 with i64');
    expect(() => w.divS(w.f64(1), w.f64(1))).toThrow('no divS for f64');
    expect(() => w.load('i32', 64, w.i32(0))).toThrow('no 64-bit load to i32');
  });

  it('converts between widths', () => {
    const f = compiled(['i32'], ['i64'], (fn) => { fn.return(w.add(w.extendS(fn.param(0)), w.extendU(fn.param(0)))); });
    expect(f(-1)).toBe(0xffff_fffen);
    expect(evaluated(w.wrap(w.i64big(0x1_2345_6789n)))).toBe(0x2345_6789);
  });

  it('of vectors shuffles lanes', () => {
    const bytes = Uint8Array.from({ length: 16 }, (_, lane) => lane);
    const reversed = Array.from(bytes).reverse();
    const value = w.shuffle(w.v128(bytes), w.v128(bytes), reversed);
    expect(evaluated(w.lane('i32', 0xfd1b, 0, value))).toBe(0x0c0d0e0f); // i32x4.extract_lane
  });
});
