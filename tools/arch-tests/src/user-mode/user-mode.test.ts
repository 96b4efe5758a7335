import { describe, expect, it } from 'vitest';
import type { CodeMode } from './batch-layout.ts';
import { Campaign } from './campaign.ts';
import { whyNoUserOracle } from './native-user.ts';

const CASES: Readonly<Record<CodeMode, number>> = { 64: 24_000, 32: 16_000, 16: 4_000 };

describe.each([64, 32, 16] as const)('%i-bit integer instructions', (mode) => {
  const reason = whyNoUserOracle(mode);
  it.skipIf(reason !== undefined)(`end as on the host CPU${reason === undefined ? '' : ` (not compared: ${reason})`}`, () => {
    const report = new Campaign({ mode, cases: CASES[mode], keep: 5 }).run();
    expect(report.mismatches.map(({ text, bytes, input, what }) => [text, bytes, ...input, ...what].join('\n'))).toEqual([]);
    expect(report.cases).toBe(CASES[mode]);
    const skipped = [...report.families.values()].reduce((sum, family) => sum + family.skipped, 0);
    expect(skipped / report.cases).toBeLessThan(0.02);
  }, 60_000);
});
