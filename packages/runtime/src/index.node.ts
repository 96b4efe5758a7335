import { availableParallelism } from 'node:os';
import { spawnWorker, workerUrl } from '@vmm/bus/node';
import type { WorkerHandle } from '@vmm/bus/control';
import { Machine, vcpuWorkerName } from './machine.ts';
import type { MachineHost } from './machine.ts';
import { resolveOptions } from './options.ts';
import type { MachineOptions } from './options.ts';
import { CPU_MODEL_NAMES } from './cpu-models.ts';

/** What a vCPU's worker makes new dies in the slice that made it: more room for it is only more resident memory. */
const YOUNG_HEAP_MIB = 16;
/** Ten times what it ever needed; V8 lets garbage pile up to several times what lives where more is allowed (90 MiB after many forks). */
const OLD_HEAP_MIB = 1024;
const prepared = new Map<string, WorkerHandle>();

const host: MachineHost = {
  spawnVcpu: (name) => {
    const ready = prepared.get(name);
    prepared.delete(name);
    return ready ?? spawnWorker(workerUrl('vcpu.worker.node', import.meta.url), { name, youngHeapMib: YOUNG_HEAP_MIB, oldHeapMib: OLD_HEAP_MIB });
  },
  spawnConsole: (name) => spawnWorker(workerUrl('console.worker.node', import.meta.url), { name }),
  spawnTranslator: (name) => spawnWorker(workerUrl('translator.worker.node', import.meta.url), { name, youngHeapMib: YOUNG_HEAP_MIB }),
};

/**
 * Starts the worker of the machine that will have this name: it reads its program while the caller still looks for a kernel. The process does not
 * end by itself before that machine has been closed.
 */
export function prepareMachine(name: string): void {
  const worker = vcpuWorkerName(name);
  prepared.set(worker, host.spawnVcpu(worker));
}

/** A machine that has not started yet. Throws `VmmError` when an option is wrong. */
export function createMachine(options: MachineOptions): Machine {
  return new Machine(resolveOptions(options, availableParallelism(), CPU_MODEL_NAMES), host);
}

export * from './public.ts';
