import { ModuleBuilder } from '@vmm/wasm';
import type { Expr, FunctionBuilder } from '@vmm/wasm';
import * as w from '@vmm/wasm';
import { describe, expect, it } from 'vitest';
import { FIXED_BITS, LN2_FIXED, multiply, oddSeries, PI_FIXED } from './exact.ts';
import { angle, logarithm2, logarithm2Plus1, powerLessOne, quotient, sineCosine, TRANSCENDENTAL_TABLES } from './index.ts';
import type { Approximation } from './index.ts';

interface Operand { readonly sign: Expr; readonly exponent: Expr; readonly significand: Expr }
type Emit = (fn: FunctionBuilder, x: Operand, y: Operand, leaveIf: (condition: Expr) => void) => Approximation;
type Run = (sign: number, exponent: number, significand: bigint, sign2: number, exponent2: number, significand2: bigint) => readonly [number, number, bigint, bigint];
const TABLES_AT = 0x4000, ONE = 1n << FIXED_BITS;

const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
new BigUint64Array(memory.buffer).set(TRANSCENDENTAL_TABLES, TABLES_AT >> 3);
function compile(emit: Emit): Run {
  const module = new ModuleBuilder();
  module.importMemory({ module: 'env', name: 'memory', minimumPages: 1, maximumPages: 1, shared: true });
  module.export('run', module.define(['i32', 'i32', 'i64', 'i32', 'i32', 'i64'], ['i32', 'i32', 'i64', 'i64'], (fn) => {
    const operand = (at: number): Operand => ({ sign: fn.param(at), exponent: fn.param(at + 1), significand: fn.param(at + 2) });
    const result = emit(fn, operand(0), operand(3), (condition) => { fn.if(condition, () => { fn.return(w.i32(0), w.i32(0), w.i64(0), w.i64(0)); }); });
    fn.return(result.sign, result.exponent, result.hi, result.lo);
  }));
  return new WebAssembly.Instance(new WebAssembly.Module(module.finish()), { env: { memory } }).exports['run'] as Run;
}

// --- the same functions as series of 240-bit numbers ---

const fixed = (exponent: number, significand: bigint): bigint => { const shift = BigInt(exponent - 63) + FIXED_BITS; return shift >= 0n ? significand << shift : significand >> -shift; };
function sine(x: bigint, first: 0 | 1): bigint {
  let sum = 0n, term = first === 1 ? x : ONE;
  for (let n = BigInt(first); term !== 0n && term !== -1n; n += 2n) {
    sum += term;
    term = -multiply(multiply(term, x), x) / ((n + 1n) * (n + 2n));
  }
  return sum;
}
function exponential(x: bigint): bigint {
  let sum = 0n, term = ONE;
  for (let n = 1n; term !== 0n && term !== -1n; n++) {
    sum += term;
    term = multiply(term, x) / n;
  }
  return sum;
}
const logarithm = (x: bigint): bigint => 2n * oddSeries((x - ONE) * ONE / (x + ONE), false);
/** The x87's argument, then the true function: its π has 66 bits. */
function reduced(x: bigint): { readonly r: bigint; readonly quadrant: bigint } {
  const half = 0x3_243f_6a88_85a3_08d3n << FIXED_BITS - 65n, quadrant = (2n * x + half) / (2n * half);
  return { r: x - quadrant * half, quadrant: quadrant & 3n };
}
function trueSine(x: bigint, turn: bigint): bigint {
  const { r, quadrant } = reduced(x), q = quadrant + turn & 3n, value = sine(r, (q & 1n) === 0n ? 1 : 0);
  return (q & 2n) === 0n ? value : -value;
}
function trueAngle(y: bigint, x: bigint): bigint {
  const [small, large] = y < x ? [y, x] : [x, y], t = small * ONE / large;
  // halved once: atan t = 2 atan(t / (1 + sqrt(1 + t^2)))
  let root = ONE + ONE / 2n;
  for (let i = 0; i < 12; i++) root = root + (ONE + multiply(t, t)) * ONE / root >> 1n;
  const arc = 2n * oddSeries(t * ONE / (ONE + root), true);
  return y < x ? arc : (PI_FIXED >> 1n) - arc;
}

const tables = TABLES_AT;
const CASES: readonly { readonly name: string; readonly from: number; readonly to: number; readonly bits: number; readonly emit: Emit; readonly exact: (x: bigint, y: bigint, exponent: number) => bigint }[] = [
  { name: 'sine', from: -20, to: 29, bits: 75.9, emit: (fn, x, _y, leave) => sineCosine(fn, tables, x, leave).sine, exact: (x) => trueSine(x, 0n) },
  { name: 'cosine', from: -20, to: 29, bits: 75.9, emit: (fn, x, _y, leave) => sineCosine(fn, tables, x, leave).cosine, exact: (x) => trueSine(x, 1n) },
  {
    name: 'tangent', from: -20, to: 29, bits: 75.5, exact: (x) => trueSine(x, 0n) * ONE / trueSine(x, 1n),
    emit: (fn, x, _y, leave) => { const both = sineCosine(fn, tables, x, leave); return quotient(fn, both.sine, both.cosine); },
  },
  {
    name: 'log2', from: -3, to: 3, bits: 78, emit: (fn, x, _y, leave) => logarithm2(fn, tables, x, leave),
    exact: (x, _y, exponent) => (BigInt(exponent) * LN2_FIXED + logarithm(exponent >= 0 ? x >> BigInt(exponent) : x << BigInt(-exponent))) * ONE / LN2_FIXED,
  },
  { name: 'log2(1 + x)', from: -40, to: -9, bits: 78, emit: (fn, x, _y, leave) => logarithm2Plus1(fn, x, leave), exact: (x) => logarithm(ONE + x) * ONE / LN2_FIXED },
  { name: '2^x - 1', from: -40, to: -1, bits: 75.2, emit: (fn, x, _y, leave) => powerLessOne(fn, tables, x, leave), exact: (x) => exponential(multiply(x, LN2_FIXED)) - ONE },
  { name: 'the angle', from: -12, to: 12, bits: 75, emit: (fn, x, y, leave) => angle(fn, tables, y, x, leave), exact: (x, y) => trueAngle(y, x) },
];

describe('approximations', () => {
  it.each(CASES)('$name: relative error below 2^-$bits', ({ from, to, bits, emit, exact }) => {
    const run = compile(emit);
    let seed = 0x9e37_79b9_7f4a_7c15n, worst = 0;
    const next = (): bigint => { seed = BigInt.asUintN(64, seed * 0x5851_f42d_4c95_7f2dn + 0x1405_7b7e_f767_814fn); return seed ^ seed >> 29n; };
    for (let i = 0; i < 1500; i++) {
      // all ones, ones with a random tail, random
      const significands = [next(), next()].map((random) => (i % 3 === 0 ? (1n << 64n) - 1n - (random >> BigInt(i % 64)) : random) | 1n << 63n) as [bigint, bigint];
      const exponentOf = (random: bigint): number => from + Number(random >> 8n & 0xffffn) % (to - from + 1), x = exponentOf(next()), y = exponentOf(next());
      const [sign, exponent, hi, lo] = run(0, x, significands[0], 0, y, significands[1]);
      if (hi === 0n) continue;
      const magnitude = BigInt.asUintN(64, hi) << 64n | BigInt.asUintN(64, lo), shift = BigInt(exponent - 127) + FIXED_BITS;
      const value = shift >= 0n ? magnitude << shift : magnitude >> -shift, truth = exact(fixed(x, significands[0]), fixed(y, significands[1]), x);
      worst = Math.max(worst, Math.abs(Number((sign === 1 ? -value : value) - truth) / Number(truth)));
    }
    expect(-Math.log2(worst)).toBeGreaterThan(bits);
    expect(-Math.log2(worst)).toBeLessThan(bits + 4);
  });
});
