export { FPU_CALLOUTS } from './callouts.ts';
export type { FpuCallout, FpuCpu } from './callouts.ts';
