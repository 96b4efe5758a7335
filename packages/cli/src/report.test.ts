import { describe, expect, it } from 'vitest';
import { describeStats } from './report.ts';

const state = { instructions: 2_000_000, virtualTimeNs: 5e8, counters: { instructions: 2_000_000, walks: 7, runs: 3, regions: 2, translateMs: 1.25, somethingNew: 9, 'callout in': 2, 'callout cpuid': 5 } };

describe('--stats', () => {
  it('prints speed and counters by what they count; new counters are not lost', () => {
    expect(describeStats(state, 1000)).toBe(`instructions 2000000
wall-clock seconds 1.000
MIPS 2.0
virtual seconds 0.500
exits of generated code
  runs 3
MMU
  walks 7
translator
  regions 2
  translateMs 1.3
  somethingNew 9
callouts
  cpuid 5
  in 2
`);
  });
});
