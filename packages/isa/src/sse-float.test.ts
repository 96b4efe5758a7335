/** What lets a native result pass unexamined, against whole numbers: it must never say that a flag stays clear which does not. */
import { ModuleBuilder } from '@vmm/wasm';
import type { Expr, FunctionBuilder } from '@vmm/wasm';
import * as w from '@vmm/wasm';
import { describe, expect, it } from 'vitest';
import { ARITHMETIC, exactLanes, isSuspectPacked, mayBeSuspectPacked } from './sse-float.ts';
import { repeatedLanes } from './machine.ts';
import * as v from './sse-wasm.ts';
import { Random } from './x87-fast.testing.ts';

const NAMES = ['add', 'sub', 'mul'] as const, CASES = 30_000;
type Judge = (a: bigint | number, b: bigint | number) => number;
interface Judges { readonly isExact: Judge; readonly mayBeSuspect: Judge; readonly isSuspect: Judge }

function judgesOf(name: (typeof NAMES)[number], format: 'ps' | 'pd'): Judges {
  const module = new ModuleBuilder(), type = format === 'ps' ? 'i32' : 'i64', splat = format === 'ps' ? v.splat32 : v.splat64;
  const define = (what: keyof Judges, judge: (r: Expr, a: Expr, b: Expr, fn: FunctionBuilder) => Expr): void => {
    module.export(what, module.define([type, type], ['i32'], (fn) => {
      const a = fn.let(splat(fn.param(0))), b = fn.let(splat(fn.param(1)));
      fn.return(judge(fn.let(ARITHMETIC[name]![format](a, b)), a, b, fn));
    }));
  };
  define('isExact', (r, a, b) => v.allTrue32(exactLanes(name, format, r, a, b) ?? v.zero()));
  define('mayBeSuspect', (r, a, b, fn) => w.ne(mayBeSuspectPacked(name, format, r, a, b, { let: (value) => fn.let(value), constantVector: (...lanes) => repeatedLanes(lanes) }), w.i32(0)));
  define('isSuspect', (r, a, b) => isSuspectPacked(name, format, r, a, b));
  return new WebAssembly.Instance(new WebAssembly.Module(module.finish())).exports as unknown as Judges;
}

const view = new DataView(new ArrayBuffer(8));
interface Kind { readonly format: 'ps' | 'pd'; readonly fractionBits: number; readonly exponentBits: number; read(bits: bigint): number; write(value: number): bigint; argument(bits: bigint): bigint | number }
const DOUBLE: Kind = {
  format: 'pd', fractionBits: 52, exponentBits: 11, argument: (bits) => BigInt.asIntN(64, bits),
  read: (bits) => { view.setBigUint64(0, bits); return view.getFloat64(0); }, write: (value) => { view.setFloat64(0, value); return view.getBigUint64(0); },
};
const SINGLE: Kind = {
  format: 'ps', fractionBits: 23, exponentBits: 8, argument: (bits) => Number(BigInt.asIntN(32, bits)),
  read: (bits) => { view.setUint32(0, Number(bits)); return view.getFloat32(0); }, write: (value) => { view.setFloat32(0, value); return BigInt(view.getUint32(0)); },
};

/** A finite number as a whole number of units of the smallest denormal one. */
function whole(kind: Kind, bits: bigint): bigint {
  const fraction = bits & (1n << BigInt(kind.fractionBits)) - 1n, exponent = bits >> BigInt(kind.fractionBits) & (1n << BigInt(kind.exponentBits)) - 1n;
  const magnitude = exponent === 0n ? fraction : (fraction | 1n << BigInt(kind.fractionBits)) << exponent - 1n;
  return bits >> BigInt(kind.fractionBits + kind.exponentBits) === 0n ? magnitude : -magnitude;
}
/** Significands of few bits at either end, exponents near each other or at the ends of the range, zeros, infinities, NaNs. */
function randomBits(kind: Kind, random: Random): bigint {
  const top = (1n << BigInt(kind.exponentBits)) - 1n, middle = top >> 1n;
  const exponent = [middle + BigInt(random.below(60)) - 30n, middle + BigInt(random.below(8)) - 4n, BigInt(random.below(4)), top - BigInt(random.below(4)), middle / 2n + BigInt(random.below(8)) - 4n][Math.min(random.below(8), 4)]!;
  const keep = BigInt(random.below(kind.fractionBits + 1)), fraction = random.next64() & (1n << BigInt(kind.fractionBits)) - 1n;
  const kept = [fraction >> keep << keep, fraction >> keep, 0n, fraction, fraction][random.below(5)]!;
  return (BigInt(random.below(2)) << BigInt(kind.exponentBits) | (exponent < 0n ? 0n : exponent)) << BigInt(kind.fractionBits) | kept;
}
const compute = { add: (a: bigint, b: bigint) => a + b, sub: (a: bigint, b: bigint) => a - b, mul: (a: bigint, b: bigint) => a * b } as const;
const native = { add: (a: number, b: number) => a + b, sub: (a: number, b: number) => a - b, mul: (a: number, b: number) => a * b } as const;

describe.each(NAMES)('%s', (name) => {
  it.each([DOUBLE, SINGLE])('of lanes ($format) is taken for ordinary and exact only where it is', (kind) => {
    const judges = judgesOf(name, kind.format), random = new Random(17), seen = { exact: 0, ordinary: 0, missed: 0 };
    for (let i = 0; i < CASES; i++) {
      const bits = [randomBits(kind, random), randomBits(kind, random)] as const, [a, b] = bits.map((one) => kind.argument(one)) as [bigint | number, bigint | number];
      const what = `${name} ${bits[0].toString(16)} ${bits[1].toString(16)}`;
      const isSuspect = judges.isSuspect(a, b) !== 0, mayBeSuspect = judges.mayBeSuspect(a, b) !== 0;
      if (!mayBeSuspect) { seen.ordinary++; expect(isSuspect, what).toBe(false); }
      if (isSuspect) continue;
      const result = whole(kind, kind.write(native[name](kind.read(bits[0]), kind.read(bits[1])))), unit = 1n << BigInt((1 << kind.exponentBits - 1) - 2 + kind.fractionBits);
      // a product of two whole numbers of units is one of square units
      const isExact = compute[name](whole(kind, bits[0]), whole(kind, bits[1])) === (name === 'mul' ? result * unit : result);
      const saysExact = judges.isExact(a, b) !== 0;
      if (saysExact) { seen.exact++; expect(isExact, what).toBe(true); } else if (isExact) seen.missed++;
    }
    if (name !== 'mul') expect(seen.missed).toBe(0);
    expect(Math.min(seen.exact, seen.ordinary)).toBeGreaterThan(CASES / 20);
  });
});
