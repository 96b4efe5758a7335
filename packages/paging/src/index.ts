export { ACCESS } from './mmu.ts';
export type { AccessKind, Mmu, MmuCounters } from './mmu.ts';
