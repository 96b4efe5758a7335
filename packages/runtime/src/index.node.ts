import { availableParallelism } from 'node:os';
import { adoptWorker, spawnWorker, workerUrl } from '@vmm/bus/node';
import { Machine } from './machine.ts';
import type { MachineHost } from './machine.ts';
import { resolveOptions } from './options.ts';
import type { MachineOptions } from './options.ts';
import { CPU_MODEL_NAMES } from './cpu-models.ts';
import { takeVcpuWorker, YOUNG_HEAP_MIB } from './vcpu-workers.node.ts';

const host: MachineHost = {
  spawnVcpu: (name) => adoptWorker(takeVcpuWorker(name), { name }),
  spawnConsole: (name) => spawnWorker(workerUrl('console.worker.node', import.meta.url), { name }),
  spawnTranslator: (name) => spawnWorker(workerUrl('translator.worker.node', import.meta.url), { name, youngHeapMib: YOUNG_HEAP_MIB }),
};

/** A machine that has not started yet. Throws `VmmError` when an option is wrong. */
export function createMachine(options: MachineOptions): Machine {
  return new Machine(resolveOptions(options, availableParallelism(), CPU_MODEL_NAMES), host);
}

export { yieldCompilerThreads } from './compiler-threads.node.ts';
export { prepareMachine } from './prepare.node.ts';
export * from './public.ts';
