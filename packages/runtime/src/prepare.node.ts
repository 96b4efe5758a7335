/** The little that starts a vCPU's worker, without the rest of the package: a program that loads this first has its worker load while it loads itself. */
import { prepareVcpuWorker } from './vcpu-workers.node.ts';
import { vcpuWorkerName } from './worker-name.ts';

/**
 * Starts the worker of the machine that will have this name: it reads its program while the caller still looks for a kernel. The process does not
 * end by itself before that machine has been closed.
 */
export function prepareMachine(name: string): void { prepareVcpuWorker(vcpuWorkerName(name)); }
