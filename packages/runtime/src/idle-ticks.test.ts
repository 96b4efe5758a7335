import { describe, expect, it } from 'vitest';
import { IdleTicks } from './idle-ticks.ts';

const MS = 1e6, TICK = 3400, THREAD = 10_500, PROGRAM = 30_000;

/** Halts every `periodNs`, so often; answers the lateness allowed at the last. */
function halts(ticks: IdleTicks, periodNs: number, times: number, instructions = TICK): number {
  let latenessNs = 0;
  for (let i = 0; i < times; i++) latenessNs = ticks.latenessNs(at += periodNs + latenessNs, instructions);
  return latenessNs;
}
let at = 0;

describe('IdleTicks', () => {
  it.each([[100, 10, 50], [250, 16, 56], [1000, 19, 59]])('lets ticks pass once a kernel of %i Hz has done nothing else for 100 of them, and wakes at a tick', (hz, firstMs, lastMs) => {
    const ticks = new IdleTicks();
    expect(halts(ticks, 1e9 / hz, 99)).toBe(0);
    expect(halts(ticks, 1e9 / hz, 2)).toBeCloseTo(firstMs * MS, 0);
    expect(halts(ticks, 1e9 / hz, 30)).toBeCloseTo(firstMs * MS, 0);
    expect(halts(ticks, 1e9 / hz, 200)).toBeCloseTo(lastMs * MS, 0);
  });

  it('is late by 2 % of the quiet time at most', () => {
    const ticks = new IdleTicks();
    halts(ticks, 4 * MS, 101);
    for (const sinceMs = at / MS; at / MS - sinceMs < 10_000;) {
      const latenessMs = halts(ticks, 4 * MS, 1) / MS;
      expect(latenessMs).toBeLessThan(Math.max(20, (at / MS - sinceMs + 100) / 50));
    }
  });

  it('is punctual at once when a program runs, and for 100 ticks after', () => {
    const ticks = new IdleTicks();
    expect(halts(ticks, 4 * MS, 300)).toBe(56 * MS);
    expect(halts(ticks, 4 * MS, 1, PROGRAM)).toBe(0);
    expect(halts(ticks, 4 * MS, 99)).toBe(0);
  });

  it('goes on while kernel threads run now and then', () => {
    const ticks = new IdleTicks();
    for (let i = 0; i < 100; i++) {
      halts(ticks, 4 * MS, 1, THREAD);
      halts(ticks, 4 * MS, 10);
    }
    expect(halts(ticks, 4 * MS, 1)).toBe(56 * MS);
  });

  it('goes on while kernel threads run five times a second, some of them at once', () => {
    const ticks = new IdleTicks();
    halts(ticks, 4 * MS, 300);
    for (let i = 0; i < 100; i++) {
      halts(ticks, 60 * MS, 1, i % 10 === 0 ? 2.5 * THREAD : THREAD);
      for (let quiet = 0; quiet < 2; quiet++) expect(halts(ticks, 60 * MS, 1)).toBe(56 * MS);
    }
  });

  it.each([['sleeps for as long as a tick would', 4.05], ['polls', 25], ['has stopped its tick', 400]])('is punctual for a guest that %s', (_, periodMs) => {
    expect(halts(new IdleTicks(), periodMs * MS, 1000)).toBe(0);
  });

  it('is punctual for a program that sleeps ten times a second between the ticks', () => {
    const ticks = new IdleTicks();
    for (let i = 0; i < 50; i++) {
      halts(ticks, 4 * MS, 24);
      expect(halts(ticks, 1.5 * MS, 1, THREAD) + halts(ticks, 2.5 * MS, 1)).toBe(0);
    }
  });
});
