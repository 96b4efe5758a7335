import { describe, expect, it } from 'vitest';
import type { CodeMode } from './batch-layout.ts';
import { Campaign } from './campaign.ts';
import type { CampaignOptions, CampaignReport } from './campaign.ts';
import { isReferenceHost, whyNoUserOracle } from './native-user.ts';

const SINGLES: Readonly<Record<CodeMode, number>> = { 64: 10_000, 32: 8_000, 16: 3_000 };
const TIMEOUT_MS = 120_000;

function whyNotHere(mode: CodeMode): string | undefined { return whyNoUserOracle(mode) ?? (isReferenceHost() ? undefined : 'the host CPU is not an AMD one'); }

/** Runs and expects agreement; few cases may go unjudged because they would reach the runner's own memory or never end. */
function agree(options: CampaignOptions): CampaignReport {
  const report = new Campaign({ keep: 5, ...options }).run();
  expect(report.mismatches.map(({ text, bytes, input, what }) => [text, bytes, ...input, ...what].join('\n'))).toEqual([]);
  const families = [...report.families.values()], sum = (field: 'cases' | 'skipped'): number => families.reduce((all, family) => all + family[field], 0);
  expect(sum('skipped') / sum('cases')).toBeLessThan(0.05);
  return report;
}

describe.each([64, 32, 16] as const)('%i-bit code', (mode) => {
  const reason = whyNotHere(mode), note = reason === undefined ? '' : ` (not compared: ${reason})`;
  const compared = it.skipIf(reason !== undefined);

  compared(`single instructions end as on the host CPU${note}`, () => { expect(agree({ mode, cases: SINGLES[mode] }).cases).toBe(SINGLES[mode]); }, TIMEOUT_MS);
  compared(`blocks end as on the host CPU${note}`, () => { agree({ mode, cases: 300, blocks: true }); }, TIMEOUT_MS);
  compared(`what is no instruction is none on the host CPU${note}`, () => { agree({ mode, cases: 1500, bytes: true, seed: 2 }); }, TIMEOUT_MS);
});

describe.each([64, 32] as const)('%i-bit code', (mode) => {
  const compared = it.skipIf(whyNotHere(mode) !== undefined);

  compared('that changes itself ends as on the host CPU', () => { agree({ mode, cases: 300, patching: true }); }, TIMEOUT_MS);
  compared('ends as on the host CPU when translated', () => {
    const { counters } = agree({ mode, cases: 250, blocks: true, translated: true });
    expect(counters['regions']).toBeGreaterThan(250);
  }, TIMEOUT_MS);
});
