import { WorkerDied } from './worker-died.ts';

/** The one-way switch behind a `WorkerHandle`: alive, then dead with a reason. The first reason stands. */
export class Death {
  readonly #name: string;
  readonly #listeners = new Set<(death: WorkerDied) => void>();
  #died: WorkerDied | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  get died(): WorkerDied | undefined {
    return this.#died;
  }

  declare(reason: string, cause?: unknown): void {
    if (this.#died !== undefined) return;
    this.#died = new WorkerDied(this.#name, reason, cause);
    for (const listener of this.#listeners) listener(this.#died);
    this.#listeners.clear();
  }

  onDeath(listener: (death: WorkerDied) => void): () => void {
    if (this.#died !== undefined) {
      listener(this.#died);
      return () => {};
    }
    this.#listeners.add(listener);
    return () => { this.#listeners.delete(listener); };
  }
}
