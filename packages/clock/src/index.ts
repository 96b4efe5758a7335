export { NS_PER_SECOND } from './clock.ts';
export type { Clock, Nanoseconds, Timer } from './clock.ts';
export { CountedTime } from './counted-time.ts';
export { HostTime } from './host-time.ts';
export type { HostTimeOptions } from './host-time.ts';
export { PeriodicTimer } from './periodic.ts';
export { VirtualClock } from './virtual-clock.ts';
export type { VirtualClockOptions } from './virtual-clock.ts';
