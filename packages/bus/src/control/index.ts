export { expose, proxy, transfer, wrap } from 'comlink';
export type { Endpoint, Remote } from 'comlink';
export { Death } from './death.ts';
export { connect, supervised } from './supervised.ts';
export type { ControlInterface, Supervised } from './supervised.ts';
export { carryErrors, fromWire, toWire } from './wire-error.ts';
export type { WireError } from './wire-error.ts';
export { WorkerDied } from './worker-died.ts';
export type { WorkerHandle } from './worker-handle.ts';
