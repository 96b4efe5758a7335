export type { Clock, Nanoseconds, Timer } from '@vmm/clock';
export type { AccessSize, Device, MmioRange, PortRange } from './device.ts';
export { pulse, UNCONNECTED, wireOr } from './irq-line.ts';
export type { IrqLine } from './irq-line.ts';
export { MmioBus } from './mmio-bus.ts';
export { PortBus } from './port-bus.ts';
