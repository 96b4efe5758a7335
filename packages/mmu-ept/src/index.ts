export { EptMmu } from './ept-mmu.ts';
export type { EptMmuOptions } from './ept-mmu.ts';
export { MachineStage2 } from './machine-stage2.ts';
