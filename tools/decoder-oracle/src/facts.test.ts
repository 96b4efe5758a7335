import { expect, it } from 'vitest';
import { compareFacts } from './facts.ts';

it.each([32, 64] as const)('the rows of %i-bit code say about flags and operand access what iced-x86 says', (mode) => {
  const report = compareFacts(mode, 150_000, 9);
  expect(report.problems).toEqual([]);
  expect(report.rows).toBeGreaterThan(1000);
}, 60_000);
