import { wrap } from 'comlink';
import type { Remote } from 'comlink';
import { carryErrors } from './wire-error.ts';
import type { WorkerHandle } from './worker-handle.ts';

/** A control interface: methods only, arguments and results are structured-cloneable. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the shape of a method whose types the caller's interface gives
export type ControlInterface<Api> = { readonly [Name in keyof Api]: (...args: any[]) => unknown };

/** The interface seen from the other side of a worker's border. */
export type Supervised<Api extends ControlInterface<Api>> = {
  readonly [Name in keyof Api]: (...args: Parameters<Api[Name]>) => Promise<Awaited<ReturnType<Api[Name]>>>;
};

/** `supervised` over the worker's own endpoint. */
export function connect<Api extends ControlInterface<Api>>(worker: WorkerHandle): Supervised<Api> {
  carryErrors();
  return supervised<Api>(wrap<Api>(worker.endpoint), worker);
}

/**
 * Wraps a comlink proxy so that no call hangs: comlink alone never settles a call whose worker has thrown outside a call, exited or
 * been terminated. All outstanding and later calls reject with `WorkerDied`.
 */
export function supervised<Api extends ControlInterface<Api>>(remote: Remote<Api>, worker: WorkerHandle): Supervised<Api> {
  const outstanding = new Set<(reason: Error) => void>();
  worker.onDeath((death) => {
    for (const reject of outstanding) reject(death);
    outstanding.clear();
  });
  const call = (name: string, args: unknown[]): Promise<unknown> => new Promise((resolve, reject) => {
    if (worker.died !== undefined) {
      reject(worker.died);
      return;
    }
    outstanding.add(reject);
    const method = (remote as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>)[name];
    Promise.resolve(method?.(...args)).then(resolve, reject).finally(() => outstanding.delete(reject));
  });
  return new Proxy({} as Supervised<Api>, {
    get: (_, name) => typeof name === 'string' && name !== 'then' ? (...args: unknown[]) => call(name, args) : undefined,
  });
}
