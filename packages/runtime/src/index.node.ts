import { availableParallelism } from 'node:os';
import { spawnWorker, workerUrl } from '@vmm/bus/node';
import { Machine } from './machine.ts';
import type { MachineHost } from './machine.ts';
import { resolveOptions } from './options.ts';
import type { MachineOptions } from './options.ts';
import { CPU_MODEL_NAMES } from './cpu-models.ts';

const host: MachineHost = {
  spawnVcpu: (name) => spawnWorker(workerUrl('vcpu.worker.node', import.meta.url), { name }),
  spawnConsole: (name) => spawnWorker(workerUrl('console.worker.node', import.meta.url), { name }),
};

/** A machine that has not started yet. Throws `VmmError` when an option is wrong. */
export function createMachine(options: MachineOptions): Machine {
  return new Machine(resolveOptions(options, availableParallelism(), CPU_MODEL_NAMES), host);
}

export * from './public.ts';
