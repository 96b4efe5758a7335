export { PAGE, WRITE_BARRIER } from './attributes.ts';
export { layOutMachine, PAGE_BYTES, RAM_LIMIT_BYTES } from './geometry.ts';
export type { MachineGeometry, MachineLayout } from './geometry.ts';
export { GuestMemory } from './guest-memory.ts';
export { MachineMemory } from './machine-memory.ts';
export type { MachineMemoryDescriptor, MachineMemoryOptions, RomSlot } from './machine-memory.ts';
export { MmioMap, NO_DEVICES } from './mmio.ts';
export type { MmioHandler, MmioSize } from './mmio.ts';
