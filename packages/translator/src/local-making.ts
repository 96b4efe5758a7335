import type { MakerSurroundings } from './region-maker.ts';
import { RegionMaker } from './region-maker.ts';
import type { MadeBatch, RegionJob, RegionMaking } from './region-job.ts';
import type { SiteKind } from './slow-sites.ts';

export interface BatchOptions {
  /** Regions that wait for each other to share a module. */
  readonly batchSize: number;
  /** How long a region may wait for company. */
  readonly batchDelayMs: number;
  /** Words for links below this address are in use by regions that others made. */
  readonly firstWord?: number;
}

export const DEFAULT_BATCH: BatchOptions = { batchSize: 16, batchDelayMs: 60 };

/** Regions made on the vCPU's own thread, several at a time: a module costs as much as a small region. */
export class LocalMaking implements RegionMaking {
  readonly #maker: RegionMaker;
  readonly #options: BatchOptions;
  readonly #onModule: ((bytes: Uint8Array) => void) | undefined;
  #sinceMs = 0;
  #batches = 0;
  /** Blocks in regions that wait, which became hot meanwhile. */
  readonly #hotAgain = new Set<number>();
  #isPressed = false;

  constructor(around: MakerSurroundings, options: BatchOptions, onModule?: (bytes: Uint8Array) => void) {
    this.#maker = new RegionMaker(around, options.firstWord);
    this.#options = options;
    this.#onModule = onModule;
  }

  get notes(): number { return this.#maker.notes; }
  add(job: RegionJob): void {
    if (this.#maker.waiting === 0) this.#sinceMs = performance.now();
    if (this.#maker.add(job)) return;
    // it runs on and on while its region waits for company
    this.#isPressed ||= this.#hotAgain.has(job.host);
    this.#hotAgain.add(job.host);
  }
  inline(key: number, id: number): void { this.#maker.inline(key, id); }
  site(key: number, kind: SiteKind): void { this.#maker.site(key, kind); }
  gone(id: number): void { this.#maker.gone(id); }

  take(isUrgent: boolean): MadeBatch | undefined {
    const maker = this.#maker, { batchSize, batchDelayMs } = this.#options;
    maker.seen(this.#batches);
    const isDue = maker.waiting >= batchSize || (maker.waiting > 0 && (isUrgent || this.#isPressed || performance.now() - this.#sinceMs >= batchDelayMs));
    if (!isDue) return maker.news();
    this.#batches++;
    this.#isPressed = false;
    this.#hotAgain.clear();
    return maker.make(this.#onModule);
  }
}
