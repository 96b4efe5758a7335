import { MessageChannel, MessagePort, parentPort, receiveMessageOnPort } from 'node:worker_threads';
import type { Worker } from 'node:worker_threads';
import { expose, transferHandlers, wrap } from 'comlink';
import type { Endpoint } from 'comlink';
import { invariant } from '@vmm/spec';
import { Death } from './control/death.ts';
import { carryErrors } from './control/wire-error.ts';
import type { WorkerHandle } from './control/worker-handle.ts';
import type { MailCount, Mailbox } from './mailbox.ts';
import { startWorker } from './start-worker.node.ts';
import type { SpawnOptions } from './start-worker.node.ts';

export { workerUrl } from './start-worker.node.ts';
export type { SpawnOptions } from './start-worker.node.ts';

interface NodePort {
  postMessage(value: unknown, transfer?: readonly unknown[]): void;
  on(event: 'message', listener: (value: unknown) => void): unknown;
  off(event: 'message', listener: (value: unknown) => void): unknown;
}

type MessageListener = ((event: { readonly data: unknown }) => void) | { handleEvent(event: { readonly data: unknown }): void };

/** A worker, a `parentPort` or a `MessagePort` in the shape that comlink expects of a page's. */
export function nodeEndpoint(port: NodePort): Endpoint {
  const adapters = new Map<MessageListener, (value: unknown) => void>();
  const endpoint = {
    postMessage: (value: unknown, transfer?: readonly unknown[]) => { port.postMessage(value, transfer); },
    addEventListener: (_type: string, listener: MessageListener) => {
      const adapter = (data: unknown): void => {
        if (typeof listener === 'function') listener({ data });
        else listener.handleEvent({ data });
      };
      adapters.set(listener, adapter);
      port.on('message', adapter);
    },
    removeEventListener: (_type: string, listener: MessageListener) => {
      const adapter = adapters.get(listener);
      if (adapter !== undefined) port.off('message', adapter);
      adapters.delete(listener);
    },
    start: () => { if (port instanceof MessagePort) port.start(); },
  };
  return endpoint as unknown as Endpoint;
}

/**
 * Makes comlink's `proxy` use ports as Node does. As a page does, by `addEventListener`, the first message makes Node load all of `fetch`
 * to find its MessageEvent: 50 ms in each thread, on the way to a guest's first instruction. Calling it again does nothing.
 */
function proxyByNodePorts(): void {
  const base = transferHandlers.get('proxy');
  if (base === undefined || proxied) return;
  proxied = true;
  transferHandlers.set('proxy', {
    canHandle: (value): value is unknown => base.canHandle(value),
    serialize: (value: unknown) => {
      const { port1, port2 } = new MessageChannel();
      expose(value, nodeEndpoint(port1));
      return [port2, [port2 as never]];
    },
    deserialize: (port: MessagePort) => wrap(nodeEndpoint(port)),
  });
}
let proxied = false;

/** Starts a worker and watches over it. */
export function spawnWorker(url: URL, options: SpawnOptions): WorkerHandle {
  return adoptWorker(startWorker(url, options), options);
}

export function adoptWorker(worker: Worker, options: { readonly name: string }): WorkerHandle {
  proxyByNodePorts();
  const death = new Death(options.name);
  worker.on('error', (error) => { death.declare(error instanceof Error ? error.message : String(error), error); });
  worker.on('messageerror', (error) => { death.declare(`a message could not be read (${error.message})`, error); });
  worker.on('exit', (code) => { death.declare(`it exited with code ${code}`); });
  return {
    name: options.name,
    endpoint: nodeEndpoint(worker),
    get died() { return death.died; },
    onDeath: (listener) => death.onDeath(listener),
    terminate: async () => {
      death.declare('it was terminated');
      await worker.terminate();
    },
  };
}

/** Inside a worker: answers control calls. */
export function serveControl(api: object): void {
  invariant(parentPort !== null, 'control is served inside a worker');
  carryErrors();
  proxyByNodePorts();
  expose(api, nodeEndpoint(parentPort));
}

/** The taker's end: here messages come without the event loop. */
export function openMailbox(port: MessagePort, count: MailCount): Mailbox {
  let taken = 0;
  return {
    needsTurn: false,
    take: () => {
      if (taken === count.posted) return undefined;
      const received = receiveMessageOnPort(port) as { readonly message: unknown } | undefined;
      if (received !== undefined) taken = taken + 1 | 0;
      return received?.message;
    },
  };
}

/** Lets the worker's event loop run once: messages that have arrived are delivered. */
export function turn(): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve); });
}
