import { describe, expect, it } from 'vitest';
import { MODES, RandomGuest } from './guest.ts';

/** Half a minute each; the long run is `main.ts`. */
const DURATION_MS = 30_000, INSTRUCTIONS = 60_000;

describe('a guest of random code in every mode', () => {
  it.each([['interpreted', false], ['translated', true]] as const)('can do no harm, %s', (_name, translated) => {
    const guest = new RandomGuest({ seed: 20_261, translated }), end = performance.now() + DURATION_MS;
    while (performance.now() < end || guest.report.programs < MODES.length) guest.runProgram(INSTRUCTIONS);
    const { report } = guest;
    expect(report.slowestRunMs).toBeLessThan(10_000);
    // most of it must be instructions that work, or the test looks at nothing but #UD
    expect(report.instructions / report.exceptions).toBeGreaterThan(1.5);
    expect(report.instructions / report.programs).toBeGreaterThan(INSTRUCTIONS / 4);
    if (translated) expect(report.regions).toBeGreaterThan(10);
  }, 3 * DURATION_MS);
});
