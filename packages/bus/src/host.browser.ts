import { expose } from 'comlink';
import type { Endpoint } from 'comlink';
import { Death } from './control/death.ts';
import { carryErrors } from './control/wire-error.ts';
import type { WorkerHandle } from './control/worker-handle.ts';
import type { MailCount, Mailbox } from './mailbox.ts';

/** As much of a page's Worker as is used here (this file is checked without the DOM library). */
export interface PageWorker {
  addEventListener(type: string, listener: (event: { readonly message?: string; readonly error?: unknown }) => void): void;
  terminate(): void;
}
declare const Worker: new (url: URL | string, options: { readonly type: 'module'; readonly name: string }) => PageWorker;
declare const MessageChannel: new () => { readonly port1: { onmessage: (() => void) | null; close(): void }; readonly port2: { postMessage(value: unknown): void } };
declare const self: unknown;

/** Starts a module worker. Where a bundler must find the module, write `new Worker(new URL(...))` literally and use `adoptWorker`. */
export function spawnWorker(url: URL, options: { readonly name: string }): WorkerHandle {
  return adoptWorker(new Worker(url, { type: 'module', name: options.name }), options);
}

export function adoptWorker(worker: PageWorker, options: { readonly name: string }): WorkerHandle {
  const death = new Death(options.name);
  worker.addEventListener('error', (event) => { death.declare(event.message ?? 'its module could not be loaded', event.error); });
  worker.addEventListener('messageerror', () => { death.declare('a message could not be read'); });
  return {
    name: options.name,
    endpoint: worker as unknown as Endpoint,
    get died() { return death.died; },
    onDeath: (listener) => death.onDeath(listener),
    terminate: () => {
      death.declare('it was terminated');
      worker.terminate();
      return Promise.resolve();
    },
  };
}

/** Inside a worker: answers control calls. */
export function serveControl(api: object): void {
  carryErrors();
  expose(api, self as Endpoint);
}

/** The taker's end of a port: the event loop brings messages, the taker finds them. */
export function openMailbox(port: { onmessage: ((event: { readonly data: unknown }) => void) | null }, count: MailCount): Mailbox {
  const waiting: unknown[] = [];
  let received = 0;
  port.onmessage = ({ data }) => {
    received = received + 1 | 0;
    waiting.push(data);
  };
  return { get needsTurn() { return received !== count.posted; }, take: () => waiting.shift() };
}

/** Lets the worker's event loop run once: messages that have arrived are delivered. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}
