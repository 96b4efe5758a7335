import { adoptWorker } from '@vmm/bus/browser';
import { VmmError } from '@vmm/spec';
import type { PageWorker } from '@vmm/bus/browser';
import type { WorkerHandle } from '@vmm/bus/control';
import { Machine } from './machine.ts';
import { vcpuWorkerName } from './worker-name.ts';
import type { MachineHost } from './machine.ts';
import { resolveOptions } from './options.ts';
import type { MachineOptions } from './options.ts';
import { CPU_MODEL_NAMES } from './cpu-models.ts';

declare const Worker: new (url: URL, options: { readonly type: 'module'; readonly name?: string }) => PageWorker;
declare const navigator: { readonly hardwareConcurrency?: number };
declare const crossOriginIsolated: boolean;

const prepared = new Map<string, WorkerHandle>();

/** Bundlers look for exactly this shape: `new Worker(new URL('…', import.meta.url), { type: 'module' })`. */
const host: MachineHost = {
  spawnVcpu: (name) => {
    const ready = prepared.get(name);
    prepared.delete(name);
    return ready ?? adoptWorker(new Worker(new URL('./vcpu.worker.browser.ts', import.meta.url), { type: 'module' }), { name });
  },
  spawnConsole: (name) => adoptWorker(new Worker(new URL('./console.worker.browser.ts', import.meta.url), { type: 'module' }), { name }),
  spawnTranslator: (name) => adoptWorker(new Worker(new URL('./translator.worker.browser.ts', import.meta.url), { type: 'module' }), { name }),
};

/** Starts the worker of the machine that will have this name: it reads its program while the page still fetches a kernel. */
export function prepareMachine(name: string): void {
  const worker = vcpuWorkerName(name);
  prepared.set(worker, host.spawnVcpu(worker));
}

/** A machine that has not started yet. Throws `VmmError` when an option is wrong or the page is not cross-origin isolated. */
export function createMachine(options: MachineOptions): Machine {
  if (!crossOriginIsolated) {
    throw new VmmError('PLATFORM_UNSUPPORTED', 'Cannot share memory between workers in this page', {
      hint: 'Serve it with Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp.',
    });
  }
  if (options.translationCache !== undefined) {
    throw new VmmError('PLATFORM_UNSUPPORTED', 'Cannot keep translations in a page', { hint: 'Leave translationCache out.' });
  }
  return new Machine(resolveOptions(options, navigator.hardwareConcurrency ?? 1, CPU_MODEL_NAMES), host);
}

/** In a page the browser decides which threads go first: none yields. */
export function yieldCompilerThreads(): number { return 0; }

export * from './public.ts';
