export { CASE, FX, TestCase } from './case-layout.ts';
export { differences } from './compare.ts';
export type { Tolerance } from './compare.ts';
export type { Group } from './group.ts';
export { GROUPS } from './groups.ts';
export { Harness } from './harness.ts';
export type { GroupReport, HarnessOptions, Mismatch } from './harness.ts';
export { whyNoOracle } from './native.ts';
export { Random } from './random.ts';
