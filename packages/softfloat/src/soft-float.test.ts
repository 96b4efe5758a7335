import { ModuleBuilder } from '@vmm/wasm';
import { describe, expect, it } from 'vitest';
import { defineSoftFloat, FLAG, MODE } from './index.ts';

type Call = (...args: (number | bigint)[]) => number | bigint;

function instantiate(): { call: Record<string, Call>; takeFlags: () => number; data: DataView } {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const module = new ModuleBuilder();
  module.importMemory({ module: 'env', name: 'memory', minimumPages: 1, maximumPages: 1, shared: true });
  const functions = defineSoftFloat(module, { flagsAddress: 0, unsigned: true, quad: true });
  for (const [name, ref] of Object.entries(functions)) module.export(name, ref);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.finish()), { env: { memory } });
  const data = new DataView(memory.buffer);
  const takeFlags = (): number => {
    const flags = data.getInt32(0, true);
    data.setInt32(0, 0, true);
    return flags;
  };
  return { call: instance.exports as unknown as Record<string, Call>, takeFlags, data };
}

const soft = instantiate();
const view = new DataView(new ArrayBuffer(8));
const bitsOf = (value: number): bigint => { view.setFloat64(0, value); return view.getBigInt64(0); };
const ofBits = (bits: number | bigint): number => { view.setBigInt64(0, BigInt(bits)); return view.getFloat64(0); };
const bits32 = (value: number): number => { view.setFloat32(0, value); return view.getInt32(0); };
const of32 = (bits: number | bigint): number => { view.setInt32(0, Number(bits)); return view.getFloat32(0); };

/** Deterministic doubles: edge values, then random bit patterns with exponents close to each other. */
function* doubles(count: number): Generator<[number, number]> {
  const edges = [0, -0, 1, -1, 0.5, 2 ** -1074, -(2 ** -1074), 2 ** -1022, 2 ** -1022 - 2 ** -1074, Number.MAX_VALUE, Infinity, -Infinity, 1 + 2 ** -52, 3, 1e308, 2 ** 53, 2 ** -537];
  for (const a of edges) for (const b of edges) yield [a, b];
  let seed = 12345n;
  const next = (): bigint => { seed = seed * 6364136223846793005n + 1442695040888963407n & 0xffff_ffff_ffff_ffffn; return seed >> 11n ^ seed << 40n; };
  for (let i = 0; i < count; i++) {
    const base = i % 3 === 0 ? next() & 0x7ffn : 0x3f0n + (next() & 0x1fn), other = i % 3 === 1 ? next() & 0x7ffn : base + (next() & 3n);
    const make = (exponent: bigint): number => ofBits(BigInt.asIntN(64, (next() & 1n) << 63n | (exponent & 0x7ffn) << 52n | (next() & 0xf_ffff_ffff_ffffn & (i % 5 === 0 ? 0xf_0000_0000_0000n : -1n))));
    yield [make(base), make(other)];
  }
}

describe('double', () => {
  const table: [string, (a: number, b: number) => number][] = [['add', (a, b) => a + b], ['sub', (a, b) => a - b], ['mul', (a, b) => a * b], ['div', (a, b) => a / b]];
  it.each(table)('f64_%s rounds to nearest as the host does', (name, native) => {
    for (const [a, b] of doubles(20_000)) {
      if (Number.isNaN(a) || Number.isNaN(b)) continue;
      const result = ofBits(soft.call[`f64_${name}`]!(bitsOf(a), bitsOf(b), 0));
      if (!Object.is(result, native(a, b))) expect([a, b, result]).toEqual([a, b, native(a, b)]);
    }
  });
  it.each(table)('f32_%s rounds to nearest as the host does', (name, native) => {
    for (const [x, y] of doubles(20_000)) {
      const a = Math.fround(x), b = Math.fround(y);
      if (Number.isNaN(a) || Number.isNaN(b)) continue;
      const result = of32(soft.call[`f32_${name}`]!(bits32(a), bits32(b), 0));
      if (!Object.is(result, Math.fround(native(a, b)))) expect([a, b, result]).toEqual([a, b, Math.fround(native(a, b))]);
    }
  });
  it('f64_sqrt and f32_sqrt agree with the host', () => {
    for (const [a] of doubles(20_000)) {
      if (Number.isNaN(a) || a < 0) continue;
      if (!Object.is(ofBits(soft.call['f64_sqrt']!(bitsOf(a), 0)), Math.sqrt(a))) expect([a, ofBits(soft.call['f64_sqrt']!(bitsOf(a), 0))]).toEqual([a, Math.sqrt(a)]);
      const f = Math.fround(a);
      if (!Object.is(of32(soft.call['f32_sqrt']!(bits32(f), 0)), Math.fround(Math.sqrt(f)))) expect([f, of32(soft.call['f32_sqrt']!(bits32(f), 0))]).toEqual([f, Math.fround(Math.sqrt(f))]);
    }
  });
  it('brackets the exact result when rounding down and up', () => {
    soft.takeFlags();
    expect(ofBits(soft.call['f64_div']!(bitsOf(1), bitsOf(3), MODE.down))).toBe(1 / 3);
    expect(ofBits(soft.call['f64_div']!(bitsOf(1), bitsOf(3), MODE.up))).toBe(1 / 3 + 2 ** -54);
    expect(soft.takeFlags() & 0x3f).toBe(FLAG.inexact);
  });
});

describe('conversions', () => {
  it('goes through 80 bits and back without loss', () => {
    for (const [a] of doubles(5_000)) {
      if (Number.isNaN(a)) continue;
      soft.call['f64_to_x80']!(64, bitsOf(a), 0);
      if (!Object.is(ofBits(soft.call['x80_to_f64']!(64, 0)), a)) expect([a, ofBits(soft.call['x80_to_f64']!(64, 0))]).toEqual([a, a]);
    }
  });
  it('adds, divides and takes roots in 80 bits consistently with doubles when the precision is 53 bits', () => {
    const to = (at: number, x: number): void => { soft.call['f64_to_x80']!(at, bitsOf(x), 0); };
    for (const [a, b] of doubles(5_000)) {
      if (Number.isNaN(a) || Number.isNaN(b) || Math.abs(a) > 1e150 || Math.abs(b) > 1e150 || Math.abs(a) < 1e-150 || Math.abs(b) < 1e-150) continue;
      to(64, a);
      to(80, b);
      soft.call['x80_div']!(96, 64, 80, 11 << 8);
      expect(ofBits(soft.call['x80_to_f64']!(96, 0))).toBe(a / b);
      soft.call['x80_add']!(96, 64, 80, 11 << 8);
      expect(ofBits(soft.call['x80_to_f64']!(96, 0))).toBe(a + b);
    }
  });
  it('turns doubles into integers with every rounding, and flags what does not fit', () => {
    soft.takeFlags();
    expect([0, 1, 2, 3].map((mode) => soft.call['f64_to_i32']!(bitsOf(-2.5), mode))).toEqual([-2, -3, -2, -2]);
    expect(soft.takeFlags() & 0x3f).toBe(FLAG.inexact);
    expect(soft.call['f64_to_i32']!(bitsOf(2147483648), 0)).toBe(-2147483648);
    expect(soft.takeFlags()).toBe(FLAG.invalid);
    expect(soft.call['f64_to_i64']!(bitsOf(-(2 ** 63)), 0)).toBe(-(2n ** 63n));
    expect(soft.takeFlags()).toBe(0);
    expect(ofBits(soft.call['i64_to_f64']!(-3n, 0))).toBe(-3);
    expect(ofBits(soft.call['f64_round']!(bitsOf(2.5), 0))).toBe(2);
  });
  it('rounds halves away from zero where asked', () => {
    const round = (value: number, mode: number): number => ofBits(soft.call['f64_round']!(bitsOf(value), mode));
    expect([0.5, 2.5, -2.5, 2.25].map((value) => round(value, MODE.tiesAway))).toEqual([1, 3, -3, 2]);
    expect([0.5, 2.5, -2.5].map((value) => round(value, MODE.nearest))).toEqual([0, 2, -2]);
  });
  it('turns doubles into unsigned integers: what does not fit is invalid and all ones', () => {
    soft.takeFlags();
    expect(soft.call['f64_to_ui32']!(bitsOf(4294967295), 0)).toBe(-1);
    expect(soft.takeFlags()).toBe(0);
    expect([-1, 4294967296, NaN].map((value) => [soft.call['f64_to_ui32']!(bitsOf(value), 0), soft.takeFlags()])).toEqual([[-1, FLAG.invalid], [-1, FLAG.invalid], [-1, FLAG.invalid]]);
    expect(soft.call['f64_to_ui64']!(bitsOf(2 ** 63), 0)).toBe(-(2n ** 63n));
    expect(ofBits(soft.call['ui64_to_f64']!(-(2n ** 63n), 0))).toBe(2 ** 63);
  });
  it('orders numbers', () => {
    const order = (a: number, b: number): unknown => soft.call['f64_compare']!(bitsOf(a), bitsOf(b), 1, 0);
    expect([order(1, 2), order(2, 1), order(-1, -2), order(0, -0), order(-1, 1), order(0, -1), order(NaN, 1), order(1, 1)]).toEqual([1, 2, 2, 0, 1, 2, 3, 0]);
  });
});

describe('the 128-bit format', () => {
  const at = 128, other = 160;
  const quad = (address = at): string => (BigInt.asUintN(64, soft.data.getBigInt64(address + 8, true)) << 64n | BigInt.asUintN(64, soft.data.getBigInt64(address, true))).toString(16).padStart(32, '0');
  const put = (hex: string, address = at): void => { soft.data.setBigUint64(address + 8, BigInt(`0x${hex.slice(0, 16)}`), true); soft.data.setBigUint64(address, BigInt(`0x${hex.slice(16)}`), true); };

  it.each([[1, '3fff0000000000000000000000000000'], [-2.5, 'c0004000000000000000000000000000'], [2 ** -1074, '3bcd0000000000000000000000000000'], [Infinity, '7fff0000000000000000000000000000'], [-0, '80000000000000000000000000000000']])('holds the double %d', (value, hex) => {
    soft.call['f64_to_f128']!(at, bitsOf(value), 0);
    expect(quad()).toBe(hex);
    expect(ofBits(soft.call['f128_to_f64']!(at, 0))).toBe(value);
  });
  it('goes there and back from every double without loss', () => {
    for (const [a] of doubles(5_000)) {
      if (Number.isNaN(a)) continue;
      soft.call['f64_to_f128']!(at, bitsOf(a), 0);
      if (!Object.is(ofBits(soft.call['f128_to_f64']!(at, 0)), a)) expect([a, quad()]).toEqual([a, '']);
    }
  });
  it('is rounded in every mode, with flags', () => {
    // one and a bit far below a double's last
    put('3fff0000000000000000000000000001');
    soft.takeFlags();
    const values = [0, 1, 2, 3].map((mode) => [ofBits(soft.call['f128_to_f64']!(at, mode)), soft.takeFlags()]);
    expect(values).toEqual([[1, FLAG.inexact], [1, FLAG.inexact], [1 + 2 ** -52, FLAG.inexact | FLAG.roundedUp], [1, FLAG.inexact]]);
    put('7ffe0000000000000000000000000000');
    expect([of32(soft.call['f128_to_f32']!(at, 0)), soft.takeFlags() & 0x3f]).toEqual([Infinity, FLAG.overflow | FLAG.inexact]);
  });
  it('quiets NaNs and keeps the head of their payload, even one that only the low half holds', () => {
    put('7fff0000000000000000000000000001');
    soft.takeFlags();
    expect(soft.call['f128_to_f64']!(at, 0)).toBe(0x7ff8_0000_0000_0000n);
    expect(soft.takeFlags()).toBe(FLAG.invalid);
    soft.call['f64_to_f128']!(at, 0x7ff0_0000_0000_0001n, 0);
    expect([quad(), soft.takeFlags()]).toEqual(['7fff8000000000001000000000000000', FLAG.invalid]);
  });
  it('becomes integers and comes from them', () => {
    soft.call['ui64_to_f128']!(at, -1n, 0);
    expect([quad(), soft.call['f128_to_ui64']!(at, 0)]).toEqual(['403efffffffffffffffe000000000000', -1n]);
    soft.call['i64_to_f128']!(at, -3n, 0);
    expect([soft.call['f128_to_i64']!(at, 0), soft.call['f128_to_i32']!(at, 0)]).toEqual([-3n, -3]);
    put('40004000000000000000000000000000');
    soft.takeFlags();
    soft.call['f128_round']!(at, at, 0);
    expect([quad(), soft.takeFlags()]).toEqual(['40000000000000000000000000000000', FLAG.inexact]);
  });
  it('is ordered', () => {
    put('3fff0000000000000000000000000000');
    put('3fff0000000000000000000000000001', other);
    expect([[at, other], [other, at], [at, at]].map(([a = 0, b = 0]) => soft.call['f128_compare']!(a, b, 1, 0))).toEqual([1, 2, 0]);
  });
});
