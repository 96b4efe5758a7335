import { afterAll, describe, expect, it } from 'vitest';
import { GROUPS, Harness, TestCase, whyNoOracle } from './index.ts';
import { differences } from './compare.ts';

const reason = whyNoOracle();

describe.skipIf(reason !== undefined)(`instructions against the host CPU${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  const harness = reason === undefined ? new Harness() : undefined;
  afterAll(() => { harness?.close(); });
  it.each(GROUPS.map((group) => [group.name, group] as const))('%s: both end alike', (_name, group) => {
    const report = harness?.run(group, { count: 8, seed: 7 });
    expect(report?.mismatches.slice(0, 5).map(({ instruction, what }) => [instruction, ...what])).toEqual([]);
    expect(report?.skipped !== undefined || (report?.cases ?? 0) > 0).toBe(true);
  }, 60_000);
});

describe('differences', () => {
  it('names a register, a flag word and memory that differ', () => {
    const a = TestCase.blank(Uint8Array.of(0x90)), b = new TestCase(Uint8Array.from(a.bytes));
    b.setGpr(3, 5n);
    b.flags |= 1n;
    b.memory[17] = 1;
    expect(differences(a, b).map((line) => line.split(':')[0])).toEqual(['rbx', 'flags', 'memory+16']);
  });
  it('finds nothing in equal outcomes', () => {
    const a = TestCase.blank(Uint8Array.of(0x90));
    expect(differences(a, new TestCase(Uint8Array.from(a.bytes)))).toEqual([]);
  });
});
