import type { Worker } from 'node:worker_threads';
import { startWorker, workerUrl } from '@vmm/bus/node/start-worker';

/** What a vCPU's worker makes new dies in the slice that made it: more room for it is only more resident memory. */
export const YOUNG_HEAP_MIB = 16;
/** Ten times what it ever needed; V8 lets garbage pile up to several times what lives where more is allowed (90 MiB after many forks). */
const OLD_HEAP_MIB = 1024;
const prepared = new Map<string, Worker>();

/** Starts the worker of this name before it is wanted. */
export function prepareVcpuWorker(name: string): void { prepared.set(name, startVcpuWorker(name)); }

/** The worker of this name: the prepared one, or a new one. */
export function takeVcpuWorker(name: string): Worker {
  const ready = prepared.get(name);
  prepared.delete(name);
  return ready ?? startVcpuWorker(name);
}

function startVcpuWorker(name: string): Worker {
  return startWorker(workerUrl('vcpu.worker.node', import.meta.url), { name, youngHeapMib: YOUNG_HEAP_MIB, oldHeapMib: OLD_HEAP_MIB });
}
