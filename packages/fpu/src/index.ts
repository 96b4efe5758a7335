export { FPU_CALLOUTS } from './callouts.ts';
export type { FpuCallout, FpuCpu } from './callouts.ts';
export type { Approximation } from './fixed-point.ts';
export { logarithm2, logarithm2Plus1, times } from './fast-logarithm.ts';
export { powerLessOne } from './fast-power.ts';
export { angle, quotient } from './fast-quotient.ts';
export { sineCosine } from './fast-sine.ts';
export { TRANSCENDENTAL_TABLES } from './transcendental-tables.ts';
