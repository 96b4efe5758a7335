/* @hot: runs while the guest waits; indices are bounded by construction. */
import { blockKey, codeSizeOf, MODE } from '@vmm/cpu';
import type { CodeUnit, SlowCause, TranslationContext, Translator } from '@vmm/cpu';
import type { Instruction } from '@vmm/decoder';
import { CS } from '@vmm/isa';
import { linearPage } from './code-page.ts';
import { isTranslated } from './flow-graph.ts';
import type { CodePage } from './flow-graph.ts';
import { CallSamples } from './call-samples.ts';
import { CodeMemory } from './code-memory.ts';
import { Links } from './links.ts';
import { LocalMaking } from './local-making.ts';
import { Meanings } from './meanings.ts';
import { OwnedMap } from './owned-map.ts';
import { RecipeStore } from './recipe-store.ts';
import type { Recipe } from './recipe.ts';
import { stampOf } from './region-maker.ts';
import { SITE_KIND, SlowSites } from './slow-sites.ts';
import type { MakerSurroundings } from './region-maker.ts';
import type { MadeBatch, MadeRegion, RegionJob, RegionMaking } from './region-job.ts';
import { withDefaults } from './translator-options.ts';
import type { TranslatorOptions } from './translator-options.ts';

/** CS as it was when a region was wanted: outside flat segments the region is for this one. */
type CodeSegment = Pick<RegionJob, 'codeBase' | 'codeLimit'>;

/** A region in use. */
interface Region {
  readonly id: number;
  readonly host: number;
  readonly modeKey: number;
  readonly segment: CodeSegment;
  readonly pages: readonly CodePage[];
  readonly slot: number;
  readonly recipe: Recipe;
  readonly contains: (host: number) => boolean;
  /** Out of use for a while, to see whether it is missed. */
  isOnTrial: boolean;
  readonly retire: () => void;
}
const PAGE = 4096;
/** Executions of a known block: at the next start of a program; after its region was dropped or its code overwritten, as a part of the threshold; while its region is on trial. */
const WARM = 16, KNOWN_PART = 1 / 8, MISSED = 16;
/** Of all code, how much is on trial at a time. */
const TRIAL_PART = 1 / 4;
/** Table slots that are to be left. */
const SPARE_SLOTS = 2048;
const ALL_CALLS = 0x7fff_ffff;

/** Has hot code translated to WebAssembly, region by region, puts regions in use and takes them back when their code changes. */
export class RegionTranslator implements Translator {
  readonly hotThreshold: number;
  readonly quickThreshold: number;
  readonly slowPeriod: number;
  readonly counters = { regions: 0, regionInstructions: 0, regionBytes: 0, modules: 0, regionDeaths: 0, staleRegions: 0, translateMs: 0, untranslatable: 0, inlinedCalls: 0, knownRegions: 0, trials: 0, recalls: 0, evictions: 0, adaptedSites: 0, revertedSites: 0 };
  readonly #context: TranslationContext;
  readonly #options: { readonly maxDeathsPerPage: number; readonly trialMs: number };
  readonly #making: RegionMaking;
  readonly #meanings: Meanings;
  readonly #links: Links;
  readonly #memory: CodeMemory<Region>;
  readonly #recipes = new RecipeStore();
  readonly #slowSites = new SlowSites();
  /** By page of guest memory. */
  readonly #deaths = new Map<number, number>();
  readonly #calls: CallSamples<Region>;
  /** Keys of calls whose function was to be brought in: where they are calls still, it cannot be. */
  readonly #askedInline = new Set<number>();
  /** By key, for blocks of regions: host address of the head of the innermost loop they are in there, 0 for none. */
  readonly #loopHeads = new OwnedMap<Region, number>();
  /** Regions in use, by key. */
  readonly #installed = new Map<number, Region>();
  readonly #byId = new Map<number, Region>();
  /** Keys of regions to be made again, and where they were entered. */
  readonly #outdated = new Map<number, { readonly rip: number; readonly hi: number }>();
  #made = 0;
  #collectedMs = 0;
  /** Regions that are being made, and how often each one's entry became hot meanwhile. */
  readonly #jobs = new Map<number, RegionJob>();
  readonly #wanted = new Map<number, number>();

  constructor(context: TranslationContext, options: TranslatorOptions = {}) {
    const { hotThreshold, quickThreshold, maxDeathsPerPage, maxCodeBytes, trialMs, batch, inlineMs, slowPeriod } = withDefaults(options);
    this.#context = context;
    this.#options = { maxDeathsPerPage, trialMs };
    this.hotThreshold = hotThreshold;
    this.quickThreshold = quickThreshold;
    this.slowPeriod = slowPeriod;
    const around = surroundings(context);
    this.#meanings = new Meanings(around);
    this.#calls = new CallSamples(inlineMs);
    this.#links = new Links(context.state.i32);
    this.#memory = new CodeMemory(maxCodeBytes);
    if (options.recipes !== undefined) this.#recipes.load(options.recipes, WARM);
    this.#making = options.making ?? new LocalMaking(around, batch, options.onModule);
  }

  get deaths(): number { return this.counters.regionDeaths; }
  /** How much is remembered of regions; each entry goes with the region it is about. */
  get notes(): number { return this.#calls.size + this.#loopHeads.size + this.#making.notes; }
  /** Whether an instruction can be part of translated code in a mode. */
  translates(inst: Instruction, modeKey: number): boolean { return isTranslated(inst) && this.#meanings.of(inst, modeKey) !== undefined; }

  // --- what is wanted ---

  request(hot: number): void {
    const { state, blocks } = this.#context;
    const modeKey = state.get('modeKey'), executions = blocks.executions(hot, modeKey);
    const recipe = this.#recipes.find(state.u8, hot, modeKey)?.recipe;
    const host = recipe === undefined ? this.#entryFor(hot, modeKey) : hot;
    if ((modeKey & MODE.SINGLE_STEP) !== 0) return;
    if ((this.#deaths.get(Math.floor(host / PAGE)) ?? 0) >= this.#options.maxDeathsPerPage) return;
    const installed = this.#installed.get(blockKey(host, modeKey));
    if (installed?.isOnTrial === true) { this.#recall(installed); return; }
    // what a region leaves to the interpreter at once (an instruction with a rare case that is none here) does not get better by another
    if (blocks.regionAt(host, modeKey) !== 0) { blocks.reheat(hot, modeKey); return; }
    const times = this.#wanted.get(blockKey(host, modeKey));
    if (times === undefined) this.#want(host, modeKey, (state.lo('rip') >>> 0) + (host - hot), state.hi('rip'), this.#segment, executions, recipe);
    else this.#wanted.set(blockKey(host, modeKey), times + 1);
    blocks.reheat(hot, modeKey);
    // it is running on and on while it waits for company
    this.#take((times ?? 0) > 1);
  }

  get #segment(): CodeSegment {
    const { state } = this.#context;
    return { codeBase: state.lo('segment', 2 * CS), codeLimit: state.lo('segment', 2 * CS + 1) };
  }
  /** Host address of the code at an address in CS, 0 if there is none. */
  #hostOf(lo: number, hi: number): number { return this.#context.tryFetch(lo + this.#segment.codeBase | 0, hi); }

  /** Has the region made for the code at a host address, where rip is `rip` and, above 4 GiB, `ripHigh`. Its heat is measured by `executions`. */
  #want(host: number, modeKey: number, rip: number, ripHigh: number, { codeBase, codeLimit }: CodeSegment, executions = this.hotThreshold, recipe?: Recipe): void {
    const { handlers } = this.#context;
    if (handlers.freeSlots <= 0) return;
    const hi = codeSizeOf(modeKey) === 64 ? ripHigh + Math.floor(rip / 0x1_0000_0000) | 0 : 0;
    const job: RegionJob = { id: ++this.#made, slot: handlers.takeSlot(), host, lo: rip | 0, hi, codeBase, codeLimit, modeKey, executions, isRemake: this.#installed.has(blockKey(host, modeKey)), recipe };
    this.#jobs.set(job.id, job);
    this.#wanted.set(blockKey(host, modeKey), 0);
    this.#making.add(job);
  }

  /**
   * Where the region for a hot block begins. If one has the block already, but is entered elsewhere, the interpreter is probably in a loop that it will
   * not leave by itself: that loop's head is where all its blocks meet.
   */
  #entryFor(hot: number, modeKey: number): number {
    const { blocks } = this.#context, head = this.#loopHeads.get(blockKey(hot, modeKey)) ?? 0;
    if (head === 0 || head === hot || Math.floor(head / PAGE) !== Math.floor(hot / PAGE) || blocks.regionAt(head, modeKey) !== 0) return hot;
    blocks.reheat(hot, modeKey);
    return head;
  }

  /** Between two slices: which call was open last. A caller whose calls take long is made again with the function in it. */
  #sample(): void {
    const { state } = this.#context, ms = this.#calls.takeMs(), lo = state.lo('returnTo'), hi = state.hi('returnTo'), modeKey = state.get('modeKey');
    if ((lo & hi) === -1) return;
    state.setWords('returnTo', -1, -1);
    const key = blockKey(this.#hostOf(lo, hi), modeKey), long = this.#calls.sample(key, ms);
    if (long === undefined) return;
    const { region, delta } = long;
    this.#making.inline(key, region.id);
    this.#askedInline.add(key);
    this.counters.inlinedCalls++;
    if (!this.#wanted.has(blockKey(region.host, modeKey))) this.#want(region.host, modeKey, (lo >>> 0) - delta, hi, region.segment);
  }

  noteSlow(cause: SlowCause, lo: number, hi: number): void {
    const modeKey = this.#context.state.get('modeKey'), host = this.#hostOf(lo, hi);
    if (host === 0) return;
    const key = blockKey(host, modeKey), kind = this.#slowSites.note(key, cause);
    if (kind === undefined) return;
    if (kind === SITE_KIND.usual) this.counters.revertedSites++;
    else this.counters.adaptedSites++;
    this.#making.site(key, kind);
    for (const region of [...this.#installed.values()]) {
      const page = region.modeKey === modeKey ? region.pages.find((each) => host >= each.host && host < each.host + PAGE) : undefined;
      if (page === undefined || !region.contains(host)) continue;
      const delta = page.page * PAGE + (host & PAGE - 1) - (region.host & PAGE - 1);
      this.#outdated.set(blockKey(region.host, modeKey), { rip: (lo >>> 0) - delta, hi });
    }
  }
  /** Regions with instructions whose kind has changed are made again, otherwise as they were. */
  #remake(): void {
    for (const [key, { rip, hi }] of this.#outdated) {
      if (this.#wanted.has(key)) continue;
      this.#outdated.delete(key);
      const region = this.#installed.get(key);
      if (region !== undefined) this.#want(region.host, region.modeKey, rip, hi, region.segment, this.hotThreshold, region.recipe);
    }
  }

  mayGoOn(code: number, lo: number, hi: number): boolean {
    const region = this.#byId.get(code), modeKey = this.#context.state.get('modeKey');
    return region?.modeKey === modeKey && this.#areMapped(region, lo, hi);
  }
  /** Whether a region's pages are where they were when it was made, with its entry at `lo` and `hi`. */
  #areMapped({ pages, modeKey }: Region, lo: number, hi: number): boolean {
    return pages.every(({ page, host }) => {
      const found = this.#context.tryFetch(...linearPage(lo, hi, page, codeSizeOf(modeKey)));
      return found !== 0 && found - (found & PAGE - 1) === host;
    });
  }

  poll(): void {
    this.#sample();
    this.#take(false);
    if (this.#outdated.size > 0) this.#remake();
    if (this.#memory.isFull || this.#context.handlers.freeSlots < SPARE_SLOTS) this.#collect();
  }

  expects(host: number, modeKey: number): number {
    if (this.#installed.get(blockKey(host, modeKey))?.isOnTrial === true) return MISSED;
    return this.#recipes.find(this.#context.state.u8, host, modeKey)?.executions ?? 0;
  }
  /** Which regions there are and were, for the next start. */
  get recipes(): Uint8Array<ArrayBuffer> { return this.#recipes.pack(); }

  // --- too much code ---

  #collect(): void {
    const now = performance.now(), { blocks } = this.#context;
    if (now - this.#collectedMs < this.#options.trialMs) return;
    this.#collectedMs = now;
    for (const region of this.#memory.endTrials()) {
      if (!region.isOnTrial) continue;
      this.counters.evictions++;
      region.retire();
      this.#recipes.rest(region.recipe, Math.ceil(this.hotThreshold * KNOWN_PART));
    }
    for (const region of this.#memory.beginTrials(TRIAL_PART)) {
      const { host, modeKey } = region;
      this.counters.trials++;
      region.isOnTrial = true;
      this.#links.point(blockKey(host, modeKey), 0);
      blocks.removeRegion(host, modeKey);
      blocks.expect(host, modeKey, MISSED);
    }
  }
  #recall(region: Region): void {
    this.counters.recalls++;
    region.isOnTrial = false;
    this.#putInUse(region);
  }
  #putInUse({ host, modeKey, slot }: Region): void {
    this.#context.blocks.installRegion(host, modeKey, slot);
    this.#links.point(blockKey(host, modeKey), slot);
  }

  // --- what has been made ---

  #take(isUrgent: boolean): void {
    for (let batch = this.#making.take(isUrgent); batch !== undefined; batch = this.#making.take(false)) this.#install(batch);
  }

  #install({ regions, covered, refused, module, moduleBytes, ms }: MadeBatch): void {
    const { handlers, blocks } = this.#context, start = performance.now();
    for (const id of refused) {
      const { host, modeKey, recipe } = this.#settle(id, true);
      if (recipe === undefined) this.counters.untranslatable++;
      else {
        this.#recipes.forget(recipe);
        blocks.reheat(host, modeKey);
      }
    }
    for (const id of covered) {
      const job = this.#settle(id, true);
      // the region that has it will run it
      blocks.reheat(job.host, job.modeKey);
    }
    if (module !== undefined) {
      new WebAssembly.Instance(module, handlers.imports);
      this.counters.modules++;
      this.counters.regionBytes += moduleBytes;
    }
    const used = regions.map((made) => this.#use(this.#settle(made.id, false), made)).filter((region) => region !== undefined);
    this.#memory.add(moduleBytes, used);
    this.counters.translateMs += ms + performance.now() - start;
  }
  #settle(id: number, isEnd: boolean): RegionJob {
    const job = this.#jobs.get(id)!;
    this.#jobs.delete(id);
    this.#wanted.delete(blockKey(job.host, job.modeKey));
    if (isEnd) this.#context.handlers.releaseSlot(job.slot);
    return job;
  }

  /** From now on the region stands for its code, unless that has changed since it was made. */
  #use({ id, host, modeKey, slot, recipe, codeBase, codeLimit }: RegionJob, made: MadeRegion): Region | undefined {
    const { blocks, state, privateBase } = this.#context, key = blockKey(host, modeKey), exits: { target: number; word: number }[] = [];
    const { region, unit } = this.#regionOf({ id, host, modeKey, segment: { codeBase, codeLimit }, slot }, made, exits);
    for (const { host: at } of made.pages) blocks.watch(at, unit);
    if (!this.#isAsMade(made)) {
      this.counters.staleRegions++;
      unit.kill();
      blocks.reheat(host, modeKey);
      return undefined;
    }
    this.#installed.get(key)?.retire();
    this.#installed.set(key, region);
    this.#byId.set(id, region);
    this.#recipes.use(made.recipe);
    if (recipe !== undefined) this.counters.knownRegions++;
    const stamp = stampOf(privateBase, slot);
    if (stamp !== 0) state.i32[stamp >> 2] = -1;
    for (let i = 0; i < made.exits.length; i += 2) {
      const at = made.exits[i]! >>> 0, target = blockKey(at, modeKey), word = made.exits[i + 1]!;
      exits.push({ target, word });
      this.#links.attach(target, word, blocks.regionAt(at, modeKey));
    }
    for (let i = 0; i < made.calls.length; i += 2) {
      const call = blockKey(made.calls[i]! >>> 0, modeKey);
      if (!this.#askedInline.has(call)) this.#calls.add(region, call, made.calls[i + 1]!);
    }
    this.#putInUse(region);
    this.counters.regions++;
    this.counters.regionInstructions += made.instructions;
    for (let i = 0; i < made.starts.length; i += 2) {
      const at = made.starts[i]! >>> 0;
      this.#loopHeads.set(region, blockKey(at, modeKey), made.starts[i + 1]! >>> 0);
      // they count from now on what the region leaves to the interpreter
      blocks.reheat(at, modeKey);
    }
    return region;
  }

  /** Whether code still is what a region was made of. */
  #isAsMade({ ranges, code }: MadeRegion): boolean {
    const { u8 } = this.#context.state;
    for (let i = 0, next = 0; i < ranges.length; i += 2) {
      for (let at = ranges[i]! >>> 0, end = ranges[i + 1]! >>> 0; at < end; at++) if (u8[at] !== code[next++]) return false;
    }
    return true;
  }

  /** A region and what dies when its code's bytes are written. */
  #regionOf(of: Pick<Region, 'id' | 'host' | 'modeKey' | 'segment' | 'slot'>, { pages, ranges, calls, recipe }: MadeRegion, exits: { target: number; word: number }[]): { region: Region; unit: CodeUnit } {
    const { blocks, handlers, state } = this.#context, { id, host, modeKey, segment, slot } = of, key = blockKey(host, modeKey);
    let isOver = false;
    const unit: CodeUnit = {
      overlaps: (at, size) => {
        for (let i = 0; i < ranges.length; i += 2) if (at < ranges[i + 1]! >>> 0 && at + size > ranges[i]! >>> 0) return true;
        return false;
      },
      kill: () => {
        if (isOver) return;
        this.counters.regionDeaths++;
        const page = Math.floor(host / PAGE);
        this.#deaths.set(page, (this.#deaths.get(page) ?? 0) + 1);
        for (let i = 0; i < calls.length; i += 2) this.#askedInline.delete(blockKey(calls[i]! >>> 0, modeKey));
        this.#recipes.rest(recipe, Math.ceil(this.hotThreshold * KNOWN_PART));
        retire();
        state.set('callsInDoubt', ALL_CALLS);
      },
    };
    /** Takes it out of use; its code may be as it was. */
    const retire = (): void => {
      isOver = true;
      for (const { target, word } of exits.splice(0)) this.#links.detach(target, word);
      if (this.#byId.delete(id)) {
        this.#links.point(key, 0);
        this.#installed.delete(key);
        blocks.removeRegion(host, modeKey);
      }
      handlers.releaseSlot(slot);
      for (const { host: at } of pages) blocks.unwatch(at, unit);
      this.#calls.release(region);
      this.#loopHeads.release(region);
      this.#making.gone(id);
      this.#memory.gone(region);
    };
    const region: Region = { id, host, modeKey, segment, pages, slot, recipe, contains: (at) => unit.overlaps(at, 1), isOnTrial: false, retire };
    return { region, unit };
  }
}

/** What a maker on the vCPU's thread sees. */
export function surroundings(context: TranslationContext): MakerSurroundings {
  const { state, privateBase, handlers, blocks } = context;
  return {
    u8: state.u8, i32: state.i32, privateBase, modules: handlers.modules, fetch: (lo, hi) => context.tryFetch(lo, hi),
    lower: (inst, modeKey) => blocks.lower(inst, modeKey), executions: (host, modeKey) => blocks.executions(host, modeKey),
  };
}
