/* @hot: runs while the guest waits; indices are bounded by construction. */
import { blockKey, MODE } from '@vmm/cpu';
import type { CodeUnit, TranslationContext, Translator } from '@vmm/cpu';
import { Instruction } from '@vmm/decoder';
import { VCPU_LAYOUT } from '@vmm/state';
import type { FunctionRef, ModuleBuilder } from '@vmm/wasm';
import { DEFAULT_LIMITS, FlowGraph } from './flow-graph.ts';
import type { CodePage } from './flow-graph.ts';
import { Links } from './links.ts';
import { Meanings } from './meanings.ts';
import { OwnedMap } from './owned-map.ts';
import { MissingHelper, RegionCode } from './region-code.ts';
import { RegionEmitter } from './region.ts';
import { TranslatorMachine } from './translator-machine.ts';

export interface TranslatorOptions {
  /** Executions of a block before it is translated. Default 5,000: below that, translating and compiling cost more than they save (measured on a boot). */
  readonly hotThreshold?: number;
  /** So many are enough if they come in quick succession. Default: a quarter of `hotThreshold`. */
  readonly quickThreshold?: number;
  /** Regions made from one page that may die before its code is left to the interpreter. Default 40. */
  readonly maxDeathsPerPage?: number;
  /** Regions that wait for each other to share a module. Default 16. */
  readonly batchSize?: number;
  /** How long a region may wait for company. Default 10 ms. */
  readonly batchDelayMs?: number;
  /** How long samples must find a call open until its function becomes part of the caller's region. Default 12 ms. */
  readonly inlineMs?: number;
}

/** What stays of a region once it is made: its graph must not, it is most of the heap then. */
interface Region {
  /** Never used again. */
  readonly id: number;
  readonly host: number;
  readonly modeKey: number;
  readonly pages: readonly CodePage[];
  isStale: boolean;
  slot: number;
  readonly exits: { readonly target: number; readonly word: number }[];
  /** Takes it out of use; its code has not changed. */
  retire: () => void;
}
/** A call out of a region, by where it returns to. */
interface CallSite { readonly region: Region; /** Distance of the return address from the region's entry. */ readonly delta: number; /** How long calls made here have run, as samples tell; what is long ago counts less. */ ms: number; sampledMs: number }
interface Wanted { readonly graph: FlowGraph; readonly region: Region }
interface Slotted extends Wanted { readonly slot: number; /** See `#startsIn`. */ readonly starts: readonly (readonly [host: number, id: number])[] }

const PAGE = 4096, HOT = 5000;
const ALL_CALLS = 0x7fff_ffff;
/** A sample stands for no longer than this: the host may have been elsewhere. */
const MAX_SAMPLE_MS = 4;
/** Of what samples said: a call must take about a quarter of the time to get anywhere, or its function had better stay where it is. */
const HALF_LIFE_MS = 32;
/** Functions for lazy flags, which any code may come to want. */
const FLAG_HELPERS = ['lazyAux', 'lazyResult'];
const MODES = [16, 32, 64] as const;

/** Translates hot code to WebAssembly, region by region, and takes regions back when their code changes. */
export class RegionTranslator implements Translator {
  readonly hotThreshold: number;
  readonly quickThreshold: number;
  readonly counters = { regions: 0, regionInstructions: 0, regionBytes: 0, modules: 0, regionDeaths: 0, translateMs: 0, untranslatable: 0, inlinedCalls: 0 };
  readonly #context: TranslationContext;
  readonly #options: Required<TranslatorOptions>;
  readonly #links: Links;
  readonly #meanings: Meanings;
  /** By page of guest memory. */
  readonly #deaths = new Map<number, number>();
  /** By key of the return address; those whose function goes into the caller's region when that is made again. */
  readonly #sites = new OwnedMap<Region, CallSite>();
  readonly #inlined = new OwnedMap<Region, true>();
  /** Regions in use, by key. */
  readonly #installed = new Map<number, Region>();
  readonly #byId = new Map<number, Region>();
  #made = 0;
  #sampledMs = 0;
  /** Instructions of the regions that are made or wanted, by key. */
  readonly #sizes = new OwnedMap<Region, number>();
  #queue: Wanted[] = [];
  #queuedSinceMs = 0;
  /** Decoded instructions of queued regions; used again once those are made. */
  readonly #instructions: Instruction[] = [];
  #instructionsUsed = 0;
  /** By key, for blocks of regions: host address of the head of the innermost loop they are in there, 0 for none. */
  readonly #loopHeads = new OwnedMap<Region, number>();
  /** By host address, for all blocks in queued regions: how often they became hot since. */
  readonly #queued = new Map<number, number>();

  constructor(context: TranslationContext, options: TranslatorOptions = {}) {
    this.#context = context;
    this.#meanings = new Meanings(context);
    this.#links = new Links(context.state.i32, context.privateBase + VCPU_LAYOUT.links, VCPU_LAYOUT.linksBytes);
    this.#options = { hotThreshold: HOT, quickThreshold: Math.ceil((options.hotThreshold ?? HOT) / 4), maxDeathsPerPage: 40, batchSize: 16, batchDelayMs: 10, inlineMs: 12, ...options };
    this.hotThreshold = this.#options.hotThreshold;
    this.quickThreshold = this.#options.quickThreshold;
  }

  get deaths(): number { return this.counters.regionDeaths; }
  /** How much is remembered of regions; each entry goes with the region it is about. */
  get notes(): number { return this.#sites.size + this.#inlined.size + this.#sizes.size + this.#loopHeads.size; }

  request(hot: number): void {
    const { state, blocks } = this.#context;
    const modeKey = state.get('modeKey'), executions = blocks.executions(hot, modeKey);
    const host = this.#entryFor(hot, modeKey);
    const mode = MODES[modeKey & MODE.CODE_SIZE] ?? 16;
    if (mode === 16 || (modeKey & (MODE.SINGLE_STEP | MODE.VM86)) !== 0 || (mode === 32 && (modeKey & MODE.FLAT) === 0)) return;
    if ((this.#deaths.get(Math.floor(host / PAGE)) ?? 0) >= this.#options.maxDeathsPerPage) return;
    // the blocks of a hot loop become hot in the same turn: the first one's region will run them all; and what a region leaves to the interpreter at once
    // (an instruction with a rare case that is none here) does not get better by another
    const times = this.#queued.get(host);
    if (times !== undefined || blocks.regionAt(host, modeKey) !== 0) {
      blocks.reheat(hot, modeKey);
      if (times === undefined) return;
      this.#queued.set(host, times + 1);
      // it is running on and on while it waits for company
      if (times > 0) this.#timed(() => { this.#translate(); });
      return;
    }
    this.#want(host, modeKey, mode, (state.lo('rip') >>> 0) + (host - hot), state.hi('rip'), executions);
  }

  /** Queues the region for the code at a host address, whose linear address is `rip` and, above 4 GiB, `ripHigh`. Its heat is measured by `executions`. */
  #want(host: number, modeKey: number, mode: 32 | 64, rip: number, ripHigh: number, executions = this.hotThreshold): void {
    const { state, blocks } = this.#context;
    const start = performance.now();
    if (this.#queue.length === 0) this.#queuedSinceMs = start;
    const inlined: number[] = [], lo = rip | 0, hi = mode === 64 ? ripHigh + Math.floor(rip / 0x1_0000_0000) | 0 : 0;
    const graph = new FlowGraph({
      bytes: state.u8, mode, modeKey, host,
      pageHost: (page) => this.#pageAt(lo, hi, page, mode === 64),
      newInstruction: () => this.#instructions[this.#instructionsUsed++] ??= new Instruction(),
      meaning: (inst) => this.#meanings.of(inst, modeKey),
      heat: (at) => {
        const often = blocks.executions(at, modeKey);
        return often >= executions || this.#loopHeads.has(blockKey(at, modeKey)) ? 1 : often / executions;
      },
      inlinesCall: (at) => {
        const key = blockKey(at, modeKey), isInlined = this.#inlined.has(key);
        if (isInlined) inlined.push(key);
        return isInlined;
      },
      regionSize: (at) => this.#sizes.get(blockKey(at, modeKey)) ?? 0,
      computedTargets: (delta) => this.#computedTargets(lo, hi, delta),
    }, DEFAULT_LIMITS);
    if (graph.blocks.length === 0 || graph.blocks[0]!.steps.length === 0) this.counters.untranslatable++;
    else {
      const region: Region = { id: ++this.#made, host, modeKey, pages: graph.pages, isStale: false, slot: 0, exits: [], retire: () => undefined };
      this.#watch(region, graph);
      this.#queue.push({ graph, region });
      for (const key of inlined) this.#inlined.set(region, key, true);
      this.#sizes.set(region, blockKey(host, modeKey), graph.blocks.reduce((sum, block) => sum + block.steps.length, 0));
      for (const [at] of this.#startsIn(graph, modeKey)) this.#queued.set(at, 0);
      if (this.#queue.length >= this.#options.batchSize) this.#translate();
    }
    this.counters.translateMs += performance.now() - start;
  }

  /** Host address of the page that is so many pages from the one of a linear address, 0 if it cannot be fetched from. */
  #pageAt(lo: number, hi: number, page: number, is64: boolean): number {
    const at = (lo >>> 0) + page * PAGE, found = this.#context.tryFetch(at | 0, is64 ? hi + Math.floor(at / 0x1_0000_0000) | 0 : 0);
    return found === 0 ? 0 : found - (found & PAGE - 1);
  }

  /** Where the interpreter's blocks begin in a graph, with the graph's block there: its own are cut at a length, at pages and where faults were. */
  *#startsIn(graph: FlowGraph, modeKey: number): Generator<readonly [host: number, id: number]> {
    const { blocks } = this.#context;
    for (const { id, delta, kind, steps } of graph.blocks) {
      if (kind === 'switch') continue;
      yield [graph.hostOf(delta), id];
      for (let i = 1; i < steps.length; i++) {
        const host = graph.hostOf(steps[i]!.delta);
        if (blocks.executions(host, modeKey) > 0) yield [host, id];
      }
    }
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
    const { state } = this.#context, now = performance.now(), ms = Math.min(now - this.#sampledMs, MAX_SAMPLE_MS);
    const lo = state.lo('returnTo'), hi = state.hi('returnTo'), modeKey = state.get('modeKey'), mode = MODES[modeKey & MODE.CODE_SIZE] ?? 16;
    this.#sampledMs = now;
    if ((lo & hi) === -1 || mode === 16) return;
    state.setWords('returnTo', -1, -1);
    const key = blockKey(this.#context.tryFetch(lo, hi), modeKey), site = this.#sites.get(key);
    if (site === undefined) return;
    site.ms = site.ms * 2 ** ((site.sampledMs - now) / HALF_LIFE_MS) + ms;
    site.sampledMs = now;
    if (site.ms < this.#options.inlineMs) return;
    const { region, delta } = site;
    this.#sites.delete(key);
    this.#inlined.set(region, key, true);
    this.counters.inlinedCalls++;
    if (!this.#queued.has(region.host)) this.#want(region.host, modeKey, mode, (lo >>> 0) - delta, hi);
  }

  mayGoOn(code: number, lo: number, hi: number): boolean {
    const region = this.#byId.get(code);
    if (region === undefined || region.modeKey !== this.#context.state.get('modeKey')) return false;
    const is64 = (region.modeKey & MODE.CODE_SIZE) === MODE.CODE64;
    return region.pages.every(({ page, host }) => this.#pageAt(lo, hi, page, is64) === host);
  }

  poll(): void {
    this.#sample();
    if (this.#queue.length === 0) return;
    if (performance.now() - this.#queuedSinceMs < this.#options.batchDelayMs) return;
    this.#timed(() => { this.#translate(); });
  }
  #timed(work: () => void): void {
    const start = performance.now();
    work();
    this.counters.translateMs += performance.now() - start;
  }

  /** From now on the code's bytes are watched: a region whose code changes before it is made is not made, after that it dies. */
  #watch(region: Region, graph: FlowGraph): void {
    const { blocks } = this.#context;
    const { host, modeKey } = region;
    const { pages } = graph;
    const ranges: { from: number; to: number }[] = [];
    for (const block of graph.blocks) {
      const start = (host & PAGE - 1) + block.delta, end = (host & PAGE - 1) + block.endDelta;
      for (const { page, host: base } of pages) {
        const from = Math.max(start, page * PAGE), to = Math.min(end, (page + 1) * PAGE);
        if (from < to) ranges.push({ from: base + from - page * PAGE, to: base + to - page * PAGE });
      }
    }
    const key = blockKey(host, modeKey);
    const unit: CodeUnit = {
      overlaps: (at, size) => ranges.some((range) => at < range.to && at + size > range.from),
      kill: () => {
        if (region.isStale) return;
        this.counters.regionDeaths++;
        const page = Math.floor(host / PAGE);
        this.#deaths.set(page, (this.#deaths.get(page) ?? 0) + 1);
        region.retire();
        this.#context.state.set('callsInDoubt', ALL_CALLS);
      },
    };
    region.retire = () => {
      region.isStale = true;
      const isInUse = region.slot !== 0;
      this.#unlink(region);
      if (isInUse) {
        this.#installed.delete(key);
        this.#byId.delete(region.id);
        blocks.removeRegion(host, modeKey);
      }
      for (const { host: at } of pages) blocks.unwatch(at, unit);
      for (const notes of [this.#sites, this.#inlined, this.#sizes, this.#loopHeads]) notes.release(region);
    };
    for (const { host: at } of pages) blocks.watch(at, unit);
  }

  /** A region's stamp, which says of no mapping yet that it is right; 0 for slots without. */
  #stampOf(slot: number): number {
    if (slot * 8 >= VCPU_LAYOUT.stampsBytes) return 0;
    const { state, privateBase } = this.#context, stamp = privateBase + VCPU_LAYOUT.stamps + slot * 8;
    state.i32[stamp >> 2] = -1;
    return stamp;
  }

  /** What the interpreter noted of the computed jump at `delta` from an address. */
  #computedTargets(lo: number, hi: number, delta: number): Set<number> {
    const { state: { i32 }, privateBase } = this.#context;
    const first = privateBase + VCPU_LAYOUT.computed >> 2, end = first + VCPU_LAYOUT.computedEntries * 4;
    const targets = new Set<number>(), site = lo + delta | 0;
    for (let at = first; at < end; at += 4) {
      if (i32[at] !== site) continue;
      // near enough that the upper halves do not matter: wide differences are no targets of one region
      if (Math.abs(i32[at + 1]! - hi) <= 1 && Math.abs(i32[at + 3]! - hi) <= 1) targets.add(i32[at + 2]! - lo | 0);
    }
    return targets;
  }

  /** A word for an exit, which leads to the region that is or will be at its target. */
  #linkFrom(region: Region, host: number): number {
    const { modeKey } = region;
    const target = blockKey(host, modeKey);
    const word = this.#links.take(target, this.#context.blocks.regionAt(host, modeKey));
    if (word !== 0) region.exits.push({ target, word });
    return word;
  }
  #releaseExits(region: Region): void { for (const { target, word } of region.exits.splice(0)) this.#links.release(target, word); }
  #unlink(region: Region): void {
    this.#releaseExits(region);
    if (region.slot === 0) return;
    this.#links.point(blockKey(region.host, region.modeKey), 0);
    this.#context.handlers.releaseSlot(region.slot);
    region.slot = 0;
  }

  /** Whether an instruction can be part of translated code in a mode. */
  translates(inst: Instruction, modeKey: number): boolean { return !inst.row.cpl0 && this.#meanings.of(inst, modeKey) !== undefined; }

  /** The module of a batch, which imports what its instructions used when they were tried; everything if one of them wants more. */
  #emit(batch: readonly Slotted[]): { module: ModuleBuilder; refs: FunctionRef[] } {
    const helpers = new Set(FLAG_HELPERS);
    for (const { graph } of batch) for (const block of graph.blocks) for (const step of block.steps) for (const name of step.traits.helpers) helpers.add(name);
    try {
      return this.#emitWith(batch, helpers);
    } catch (cause) {
      if (!(cause instanceof MissingHelper)) throw cause;
      for (const { region } of batch) this.#releaseExits(region);
      return this.#emitWith(batch);
    }
  }
  #emitWith(batch: readonly Slotted[], helpers?: ReadonlySet<string>): { module: ModuleBuilder; refs: FunctionRef[] } {
    const { handlers, privateBase } = this.#context;
    const { module, core } = handlers.extensionModule(helpers);
    const lookUps = new Map<number, FunctionRef>();
    const refs = batch.map(({ graph, region, slot, starts }) => {
      const { modeKey } = region;
      return module.define(['i32'], ['i32'], (fn) => {
        const emitter = new RegionEmitter(new TranslatorMachine(new RegionCode(fn, module, core, privateBase, modeKey, region.id), lookUps), graph, (delta) => {
          const target = graph.hostOnPages(delta);
          return target === 0 ? 0 : this.#linkFrom(region, target);
        }, this.#stampOf(slot));
        emitter.emit();
        for (const { kind, targets } of graph.blocks) {
          if (kind === 'call') this.#sites.set(region, blockKey(graph.hostOf(targets[0]!), modeKey), { region, delta: targets[0]!, ms: 0, sampledMs: 0 });
        }
        for (const [at, id] of starts) {
          const head = emitter.loopHeads[id]!;
          this.#loopHeads.set(region, blockKey(at, modeKey), head < 0 || graph.blocks[head]!.kind === 'switch' ? 0 : graph.hostOf(graph.blocks[head]!.delta));
        }
      });
    });
    return { module, refs };
  }

  #translate(): void {
    const { handlers, blocks } = this.#context;
    const batch = this.#queue.filter(({ region }) => !region.isStale);
    this.#queue = [];
    this.#queued.clear();
    if (batch.length === 0) this.#instructionsUsed = 0;
    if (!handlers.hasFreeSlot) for (const { region } of batch) region.retire();
    if (batch.length === 0 || !handlers.hasFreeSlot) return;
    const slotted = batch.map((wanted) => ({ ...wanted, slot: handlers.takeSlot(), starts: [...this.#startsIn(wanted.graph, wanted.region.modeKey)] }));
    const { module, refs } = this.#emit(slotted);
    refs.forEach((ref, i) => { module.elements(slotted[i]!.slot, [ref]); });
    const bytes = module.finish();
    new WebAssembly.Instance(new WebAssembly.Module(bytes), handlers.imports);
    for (const { graph, region, slot, starts } of slotted) {
      const key = blockKey(region.host, region.modeKey);
      this.#installed.get(key)?.retire();
      this.#installed.set(key, region);
      this.#byId.set(region.id, region);
      blocks.installRegion(region.host, region.modeKey, slot);
      region.slot = slot;
      this.#links.point(key, slot);
      this.counters.regions++;
      for (const block of graph.blocks) this.counters.regionInstructions += block.steps.length;
      // they count from now on what the region leaves to the interpreter
      for (const [at] of starts) blocks.reheat(at, region.modeKey);
    }
    this.#instructionsUsed = 0;
    this.counters.modules++;
    this.counters.regionBytes += bytes.length;
  }
}
