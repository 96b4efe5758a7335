/* @hot: runs while the guest waits; indices are bounded by construction. */
import { encode, RingProducer, TranslationMessages } from '@vmm/bus';
import type { Mailbox } from '@vmm/bus';
import { DEFAULT_BATCH, LocalMaking } from './local-making.ts';
import type { BatchOptions } from './local-making.ts';
import { packRecipe } from './recipe.ts';
import type { MakerSurroundings } from './region-maker.ts';
import type { MadeBatch, RegionJob, RegionMaking } from './region-job.ts';
import type { SiteKind } from './slow-sites.ts';

const NONE = new Uint8Array();

export interface MakerLink {
  /** Plane `translation`. */
  readonly requests: SharedArrayBuffer;
  /** Batches come here. */
  readonly mailbox: Mailbox;
  /** Whether nobody answers any more. */
  readonly isDead: () => boolean;
}

/** Regions made by a translator worker. If that dies they are made here from then on. */
export class RemoteMaking implements RegionMaking {
  readonly #link: MakerLink;
  readonly #ring: RingProducer;
  readonly #around: MakerSurroundings;
  readonly #options: BatchOptions;
  /** Messages that the ring had no room for. */
  #backlog: (() => boolean)[] = [];
  #batches = 0;
  /** Not answered yet. */
  readonly #open = new Map<number, RegionJob>();
  /** Behind the last word that a region of the worker's has. */
  #firstFreeWord = 0;
  /** Once nobody answers. */
  #local: LocalMaking | undefined;

  constructor(around: MakerSurroundings, link: MakerLink, options: BatchOptions = DEFAULT_BATCH) {
    this.#around = around;
    this.#link = link;
    this.#ring = new RingProducer(link.requests);
    this.#options = options;
  }

  get notes(): number { return this.#local?.notes ?? 0; }

  add(job: RegionJob): void {
    if (this.#local !== undefined) { this.#local.add(job); return; }
    this.#open.set(job.id, job);
    const { id, slot, host, lo, hi, codeBase, codeLimit, modeKey, executions } = job, recipe = job.recipe === undefined ? NONE : new Uint8Array(packRecipe(job.recipe).buffer);
    this.#send(() => encode(TranslationMessages.job, { executions, id, slot, host, lo, hi, codeBase, codeLimit, modeKey, isRemake: job.isRemake ? 1 : 0, recipe }, this.#ring));
  }
  inline(key: number, id: number): void {
    if (this.#local !== undefined) this.#local.inline(key, id);
    else this.#send(() => encode(TranslationMessages.inline, { key, id }, this.#ring));
  }
  site(key: number, kind: SiteKind): void {
    if (this.#local !== undefined) this.#local.site(key, kind);
    else this.#send(() => encode(TranslationMessages.site, { key, kind }, this.#ring));
  }
  gone(id: number): void {
    if (this.#local !== undefined) this.#local.gone(id);
    else this.#send(() => encode(TranslationMessages.gone, { id }, this.#ring));
  }

  take(isUrgent: boolean): MadeBatch | undefined {
    if (this.#local !== undefined) return this.#local.take(isUrgent);
    const batch = this.#link.mailbox.take() as MadeBatch | undefined;
    if (batch === undefined) {
      if (this.#link.isDead()) return this.#makeHere().take(isUrgent);
      if (this.#backlog.length > 0) this.#sendBacklog();
      return undefined;
    }
    const batches = ++this.#batches;
    for (const id of [...batch.refused, ...batch.covered, ...batch.regions.map((region) => region.id)]) this.#open.delete(id);
    for (const { exits } of batch.regions) for (let i = 1; i < exits.length; i += 2) this.#firstFreeWord = Math.max(this.#firstFreeWord, exits[i]! + 4);
    this.#send(() => encode(TranslationMessages.seen, { batches }, this.#ring));
    return batch;
  }

  #send(message: () => boolean): void {
    this.#backlog.push(message);
    this.#sendBacklog();
  }
  #sendBacklog(): void {
    let sent = 0;
    while (sent < this.#backlog.length && this.#backlog[sent]!()) sent++;
    this.#backlog = this.#backlog.slice(sent);
    if (sent > 0) this.#ring.publish();
  }

  #makeHere(): LocalMaking {
    const local = this.#local = new LocalMaking(this.#around, { ...this.#options, firstWord: this.#firstFreeWord });
    for (const job of this.#open.values()) local.add(job);
    this.#open.clear();
    this.#backlog = [];
    return local;
  }
}
