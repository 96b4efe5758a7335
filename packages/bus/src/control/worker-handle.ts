import type { Endpoint } from 'comlink';
import type { WorkerDied } from './worker-died.ts';

/** A worker as its owner sees it, in Node and in a page. */
export interface WorkerHandle {
  readonly name: string;
  /** For `connect`. */
  readonly endpoint: Endpoint;
  /** Why it ended; undefined while it lives. */
  readonly died: WorkerDied | undefined;
  /** Called once, at once if it is dead already. Answers how to stop listening. */
  onDeath(listener: (death: WorkerDied) => void): () => void;
  /** Ends the worker whatever it is doing. Safe to call twice. */
  terminate(): Promise<void>;
}
