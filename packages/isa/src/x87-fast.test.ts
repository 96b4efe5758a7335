import { describe, expect, it } from 'vitest';
import { defineVectorHelpers } from './sse-helpers.ts';
import { defineX87Fast } from './x87-fast.ts';
import { enter, makeSide, observe, Random } from './x87-fast.testing.ts';
import type { Extended, Setting } from './x87-fast.testing.ts';
import { ARITHMETIC, defineX87Helpers } from './x87-helpers.ts';

const NAMES = [
  ...ARITHMETIC.flatMap(([name]) => ['', '_f32', '_f64', '_int'].map((from) => `x87_${name}${from}`)),
  ...['sqrt', 'round', 'scale', 'fld_f32', 'fld_f64', 'fld_i64', 'fld_st', 'get_f32', 'get_f64', 'get_i16', 'get_i32', 'get_i64', 'compare', 'compare_f32', 'compare_f64', 'compare_int'].map((name) => `x87_${name}`),
];
const general = makeSide(NAMES, (module, base) => defineX87Helpers(module, base, defineVectorHelpers(module, base)).functions);
const fast = makeSide(NAMES, (module, base) => {
  const x87 = defineX87Helpers(module, base, defineVectorHelpers(module, base));
  defineX87Fast(x87);
  return x87.functions;
});

const EDGES: readonly Extended[] = [
  [0, 0n], [0x8000, 0n], [0, 1n], [1, 1n << 63n], [0x7ffe, (1n << 64n) - 1n], [0x7fff, 1n << 63n], [0xffff, 3n << 62n], [0x7fff, 5n << 61n], [0x4000, 1n << 62n], [0x3fff, 1n << 63n],
  [0x3ffe, (1n << 64n) - 1n], [0xc03e, 1n << 63n], [0x43fe, 0xffff_ffff_ffff_fc00n], [0x3c00, (1n << 64n) - 1n], [0x3c01, 1n << 63n], [0x3f80, 0xffff_ff80_0000_0000n],
];
const CONTROLS = [0x37f, 0x37f, 0x27f, 0x07f, 0x17f, 0x77f, 0xb7f, 0xf7f, 0x35f, 0x340];

function setting(random: Random): Setting {
  const top = random.below(8), range = random.below(3) === 0 ? 16000 : random.pick([3, 20, 80]);
  const number = (): Extended => (random.below(6) === 0 ? EDGES[random.below(EDGES.length)] ?? [0, 0n] : random.normal(range));
  const full = random.below(8) === 0 ? random.below(256) : random.below(2) === 0 ? 0 : 1 << (top + 7 & 7);
  return { control: CONTROLS[random.below(CONTROLS.length)] ?? 0x37f, status: random.next() & 0x4700, top, tags: full, registers: Array.from({ length: 8 }, number) };
}
function argument(random: Random, name: string): readonly (number | bigint)[] {
  const single = random.below(4) === 0 ? random.next() : random.next() & 0x8001_ffff | 0x3e00_0000 + (random.below(16) << 22);
  if (name.endsWith('_f64') && !name.includes('get')) return [random.below(4) === 0 ? random.next64() : random.next64() & 0x800f_ffff_ffff_ffffn | BigInt(random.below(6) === 0 ? random.below(0x800) : 0x3f0 + random.below(32)) << 52n];
  if (name.endsWith('fld_i64')) return [BigInt.asIntN(64, random.next64()) >> BigInt(random.below(64))];
  if (name.endsWith('_int')) return [random.next() >> random.below(32)];
  if (name.endsWith('_f32') && !name.includes('get')) return [random.below(8) === 0 ? 0 : single];
  if (name.startsWith('x87_get_i')) return [random.below(2)];
  if (name === 'x87_compare') return [random.below(8), random.below(2)];
  if (name === 'x87_fld_st') return [random.below(8)];
  return /sqrt|round|scale|get/.test(name) ? [] : [random.below(2) === 0 ? 0 : random.below(8), random.below(8), random.below(2)];
}

describe('fast x87 functions', () => {
  it.each(NAMES)('%s leaves what the general function leaves', (name) => {
    const random = new Random(NAMES.indexOf(name) + 1);
    for (let i = 0; i < 4000; i++) {
      const at = setting(random), args = argument(random, name);
      const [a, b] = [general, fast].map(({ state, run }) => {
        enter(state, at);
        const result = run(name)(...args);
        return `${result} ${observe(state)}`;
      });
      expect(b, JSON.stringify([name, args.map(String), at.control.toString(16), at.registers.map(([word, significand]) => `${word.toString(16)}:${significand.toString(16)}`)])).toBe(a);
    }
  });
});
