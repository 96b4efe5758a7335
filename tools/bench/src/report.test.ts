import { describe, expect, it } from 'vitest';
import { MarkerReader } from './markers.ts';
import { chart, table } from './report.ts';
import { geometricMean, median, ratios } from './results.ts';
import type { Results } from './results.ts';
import type { Suite } from './suites.ts';

const results: Results = {
  suite: 's', date: '2026-01-01', host: { cpu: 'c', cores: 1, node: '26' }, systems: { vmm: 'ours', tcg: 'QEMU' }, rounds: 3, problems: [],
  ms: { vmm: { a: [10, 30, 20], b: [5] }, tcg: { a: [40], b: [10], c: [1] } },
};
const suite: Suite = { name: 's', title: 'S', rows: [{ name: 'a', title: 'first' }, { name: 'b', title: 'second' }, { name: 'c', title: 'third' }], prepare: () => Promise.reject(new Error('not run')) };

describe('markers', () => {
  it('give each workload the time between its start and its end', () => {
    const reader = new MarkerReader();
    for (const [text, ms] of [['noise', 1], ['@@ INIT i386', 100], ['@@ a start', 110], ['@@ a end 12ab', 150.5], ['@@ b end 1', 160], ['@@ DONE', 170]] as const) reader.line(text, ms);
    expect(reader).toMatchObject({ bootMs: 100, isDone: true, rows: { a: { ms: 40.5, checksum: '12ab' } } });
    expect(Object.keys(reader.rows)).toEqual(['a']);
  });
});

describe('a comparison', () => {
  it('takes medians, and ratios of rows that both have', () => {
    expect([median([3, 1, 2]), median([1, 2]), geometricMean([2, 8])]).toEqual([2, 1.5, 4]);
    expect(ratios(results, 'vmm', 'tcg')).toEqual({ a: 0.5, b: 0.5 });
  });

  it('is a table with a line for what is missing', () => {
    expect(table(results, suite).split('\n')).toEqual([
      '| row | what | vmm ms | tcg ms | vmm / tcg |', '|---|---|---:|---:|---:|',
      '| `a` | first | 20 | 40 | 0.50 |', '| `b` | second | 5 | 10 | 0.50 |', '| `c` | third | – | 1 | – |', '| | geometric mean |  |  | 0.50 |',
    ]);
  });

  it('is a chart with a bar for each ratio', () => { expect(chart(results, suite).match(/>0\.50</g)).toHaveLength(2); });
});
