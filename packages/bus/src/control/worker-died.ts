import { VmmError } from '@vmm/spec';

/** A worker ended, or was ended, while somebody needed it. Every outstanding and later control call rejects with this. */
export class WorkerDied extends VmmError {
  readonly workerName: string;

  constructor(workerName: string, reason: string, cause?: unknown) {
    super('WORKER_LOST', `Lost worker ${workerName}: ${reason}`, {
      hint: 'The machine it belongs to has stopped; other machines go on.',
      ...(cause === undefined ? {} : { cause }),
    });
    this.workerName = workerName;
  }
}
