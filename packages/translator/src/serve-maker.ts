import { RingConsumer, TranslationMessages, decode, unknownMessage } from '@vmm/bus';
import { remoteSurroundings } from './maker-host.ts';
import type { MakerConfig } from './maker-host.ts';
import { unpackRecipe } from './recipe.ts';
import { RegionMaker } from './region-maker.ts';
import type { MadeBatch } from './region-job.ts';
import type { SiteKind } from './slow-sites.ts';

export interface MakerServerOptions {
  /** Plane `translation`. */
  readonly requests: SharedArrayBuffer;
  readonly post: (batch: MadeBatch) => void;
  /** Regions that share a module at most. Default 16. */
  readonly batchSize?: number;
  /** How long a region waits for company when no other is asked for. Default 1 ms. */
  readonly companyMs?: number;
}

const LONGEST_SLEEP_MS = 10_000;

/** Makes regions for a vCPU on another thread. It only reads the machine's memory. Threading: owns its worker. */
export class MakerServer {
  readonly #maker: RegionMaker;
  readonly #ring: RingConsumer;
  readonly #post: (batch: MadeBatch) => void;
  readonly #batchSize: number;
  readonly #companyMs: number;

  constructor(config: MakerConfig, { requests, post, batchSize = 16, companyMs = 1 }: MakerServerOptions) {
    this.#maker = new RegionMaker(remoteSurroundings(config));
    this.#ring = new RingConsumer(requests);
    this.#post = post;
    this.#batchSize = batchSize;
    this.#companyMs = companyMs;
  }

  /** Until the worker is terminated. */
  run(): never {
    for (;;) {
      if (!this.turn()) this.#ring.wait(LONGEST_SLEEP_MS);
    }
  }

  /** Takes what has been asked for and makes it, if it is enough or all. False: there was nothing. */
  turn(): boolean {
    if (!this.#takeAll()) return false;
    while (this.#maker.waiting > 0 && this.#maker.waiting < this.#batchSize) {
      this.#ring.wait(this.#companyMs);
      if (!this.#takeAll()) break;
    }
    const batch = this.#maker.waiting > 0 ? this.#maker.make() : this.#maker.news();
    if (batch !== undefined) this.#post(batch);
    return true;
  }

  #takeAll(): boolean {
    let isAny = false;
    while (this.#maker.waiting < this.#batchSize && this.#ring.next()) {
      this.#take();
      isAny = true;
    }
    this.#ring.release();
    return isAny;
  }
  #take(): void {
    const ring = this.#ring, { job, inline, site, gone, seen } = TranslationMessages;
    switch (ring.id) {
      case job.id: {
        const { lo, hi, isRemake, recipe, ...rest } = decode(job, ring);
        this.#maker.add({ ...rest, lo: lo | 0, hi: hi | 0, isRemake: isRemake !== 0, recipe: unpackRecipe(new Int32Array(recipe.slice().buffer)) });
        return;
      }
      case inline.id: {
        const { key, id } = decode(inline, ring);
        this.#maker.inline(key, id);
        return;
      }
      case site.id: {
        const { key, kind } = decode(site, ring);
        this.#maker.site(key, kind as SiteKind);
        return;
      }
      case gone.id: this.#maker.gone(decode(gone, ring).id); return;
      case seen.id: this.#maker.seen(decode(seen, ring).batches); return;
      default: unknownMessage('translation', ring);
    }
  }
}
