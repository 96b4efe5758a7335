import { describe, expect, it } from 'vitest';
import { compareEngines, outcomeOf } from './random-programs.testing.ts';

const PROGRAMS = 25;

/** `node src/random-programs-fuzz.testing.ts` goes on with other seeds until 10⁸ instructions. */
describe.each([32, 64] as const)('random %i-bit programs', (bits) => {
  it('end in the same registers, flags, memory and instruction count when translated as when interpreted', { timeout: 180_000 }, () => {
    for (let seed = 1; seed <= PROGRAMS; seed++) {
      const { source, expected, actual } = compareEngines(bits, seed * 7919);
      expect(expected.result).toBe('halt');
      expect(actual.counters['regions'], 'something was translated').toBeGreaterThan(0);
      expect(`${seed} ${outcomeOf(actual)}`, source).toBe(`${seed} ${outcomeOf(expected)}`);
    }
  });
});
