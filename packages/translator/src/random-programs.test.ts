import { describe, expect, it } from 'vitest';
import { compareEngines, compareSegmented, compareLow, outcomeOf } from './random-programs.testing.ts';
import type { Comparison } from './random-programs.testing.ts';

const PROGRAMS = 25;

/** `node src/random-programs-fuzz.testing.ts` goes on with other seeds until 10⁸ instructions. */
describe.each([
  { name: 'flat 32-bit', compare: (seed: number) => compareEngines(32, seed) }, { name: '64-bit', compare: (seed: number) => compareEngines(64, seed) },
  { name: '16-bit', compare: (seed: number) => compareSegmented(16, seed) }, { name: 'segmented 32-bit', compare: (seed: number) => compareSegmented(32, seed) },
  { name: 'real-mode', compare: (seed: number) => compareLow('real', seed) }, { name: 'virtual-8086', compare: (seed: number) => compareLow('virtual-8086', seed), end: 'shutdown' },
])('random $name programs', ({ compare, end = 'halt' }: { compare: (seed: number) => Comparison; end?: string }) => {
  it('end in the same registers, flags, memory and instruction count when translated as when interpreted', { timeout: 180_000 }, () => {
    for (let seed = 1; seed <= PROGRAMS; seed++) {
      const { source, expected, actual } = compare(seed * 7919);
      expect(expected.result).toBe(end);
      expect(actual.counters['regions'], 'something was translated').toBeGreaterThan(0);
      expect(`${seed} ${outcomeOf(actual)}`, source).toBe(`${seed} ${outcomeOf(expected)}`);
    }
  });
});

it('a program that once counted 14 instructions too many, for a kept value whose local was recycled, ends alike', { timeout: 60_000 }, () => {
  const { source, expected, actual } = compareEngines(64, 44 * 104_729, { turns: 3000, lines: 300 });
  expect(outcomeOf(actual), source).toBe(outcomeOf(expected));
});
