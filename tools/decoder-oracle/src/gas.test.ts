import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compareWithGas } from './gas.ts';

describe.skipIf(!existsSync('/usr/bin/as'))('the assembler and GNU as', () => {
  it.each([32, 64] as const)('encode random instructions of %i-bit code alike', (mode) => {
    const report = compareWithGas(mode, 6000, 3);
    expect(report.problems).toEqual([]);
    expect(report.same / report.compared).toBeGreaterThan(0.98);
    expect(report.compared).toBeGreaterThan(1000);
  }, 60_000);
});
