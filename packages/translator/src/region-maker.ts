/* @hot: runs while the guest waits, or beside it; indices are bounded by construction. */
import { blockKey, codeSizeOf, hasFlatSegments } from '@vmm/cpu';
import type { ExtensionModules, Lowered } from '@vmm/cpu';
import { Instruction } from '@vmm/decoder';
import { VCPU_LAYOUT } from '@vmm/state';
import type { FunctionRef } from '@vmm/wasm';
import { linearPage } from './code-page.ts';
import { DEFAULT_LIMITS, FlowGraph } from './flow-graph.ts';
import type { CodeSource } from './flow-graph.ts';
import { LinkWords } from './link-words.ts';
import { Meanings } from './meanings.ts';
import { OwnedMap } from './owned-map.ts';
import { MissingHelper, RegionCode } from './region-code.ts';
import { RegionEmitter } from './region.ts';
import { codeKey, isOfCode, recipeOf } from './recipe.ts';
import type { Recipe } from './recipe.ts';
import { SITE_KIND } from './slow-sites.ts';
import type { SiteKind } from './slow-sites.ts';
import type { MadeBatch, MadeRegion, RegionJob } from './region-job.ts';
import { TranslatorMachine } from './translator-machine.ts';

/** What a maker sees of the machine. */
export interface MakerSurroundings {
  /** Machine memory, and where the vCPU's private part begins. */
  readonly u8: Uint8Array;
  readonly i32: Int32Array;
  readonly privateBase: number;
  readonly modules: ExtensionModules;
  lower(inst: Instruction, modeKey: number): Lowered;
  /** How often the interpreter has executed the block at a host address. */
  executions(host: number, modeKey: number): number;
  /** Host address for fetching at a linear address, or 0; what is wrong is found when the region is entered. */
  fetch(lo: number, hi: number, modeKey: number): number;
}

/** What stays of a region once it is made: its graph must not, it is most of the heap then. */
interface Known { readonly id: number; readonly words: number[] }
interface Draft { readonly job: RegionJob; readonly graph: FlowGraph; readonly known: Known; /** See `#startsIn`. */ readonly starts: readonly (readonly [host: number, id: number])[] }
interface Emitted { readonly exits: number[]; readonly starts: number[] }

/** Functions for lazy flags, which any code may come to want. */
const FLAG_HELPERS = ['lazyAux', 'lazyResult'];
const PAGE = 4096;
/** Functions that have a region of this size or less are translated once more where they are called. */
const MAX_INLINED = 24;

/** Makes regions: graphs from jobs, then a module from all graphs at hand. It only reads machine memory, on whatever thread it is. */
export class RegionMaker {
  readonly #around: MakerSurroundings;
  readonly #meanings: Meanings;
  readonly #words: LinkWords;
  readonly #known = new Map<number, Known>();
  /** Calls whose function goes into the caller's region when that is made again, by key of the return address. */
  readonly #inlined = new OwnedMap<Known, true>();
  /** Instructions of the regions there are, by key. */
  readonly #sizes = new OwnedMap<Known, number>();
  /** Keys of blocks that regions have. */
  readonly #blocks = new OwnedMap<Known, true>();
  /** Instructions that do not make their accesses as most do, by key. */
  readonly #sites = new Map<number, SiteKind>();
  #drafts: Draft[] = [];
  /** Keys of blocks in regions that the vCPU's thread has not seen yet, with the batch they are in. */
  readonly #unseen = new Map<number, number>();
  #batch = 1;
  #covered: number[] = [];
  #refused: number[] = [];
  #ms = 0;
  /** Decoded instructions of drafts; used again once those are made. */
  readonly #instructions: Instruction[] = [];
  #instructionsUsed = 0;

  /** `firstWord`: words for links below this address are not to be used. */
  constructor(around: MakerSurroundings, firstWord = 0) {
    this.#around = around;
    this.#meanings = new Meanings(around);
    const words = around.privateBase + VCPU_LAYOUT.links;
    this.#words = new LinkWords(Math.max(words, firstWord), words + VCPU_LAYOUT.linksBytes);
  }

  /** Regions that wait to be made. */
  get waiting(): number { return this.#drafts.length; }
  get notes(): number { return this.#inlined.size + this.#sizes.size + this.#blocks.size; }

  /** Finds out what the region for a job consists of. False: its code is on its way already, in another one. */
  add(job: RegionJob): boolean {
    const start = performance.now(), { host, modeKey } = job;
    const isNew = job.isRemake || !this.#unseen.has(blockKey(host, modeKey));
    if (isNew) this.#draft(job);
    else this.#covered.push(job.id);
    this.#ms += performance.now() - start;
    return isNew;
  }
  #draft(job: RegionJob): void {
    const { id, host, modeKey } = job, inlined: number[] = [], graph = this.#graphOf(job, inlined);
    if (graph === undefined || graph.blocks.length === 0 || graph.blocks[0]!.steps.length === 0) { this.#refused.push(id); return; }
    const known: Known = { id, words: [] }, starts = [...this.#startsIn(graph, modeKey)];
    this.#known.set(id, known);
    this.#drafts.push({ job, graph, known, starts });
    for (const key of inlined) this.#inlined.set(known, key, true);
    this.#sizes.set(known, blockKey(host, modeKey), instructionsOf(graph));
    for (const [at] of starts) {
      const key = blockKey(at, modeKey);
      this.#blocks.set(known, key, true);
      this.#unseen.set(key, this.#batch);
    }
  }

  /** Undefined: the job's recipe is of other code. */
  #graphOf(job: RegionJob, inlined: number[]): FlowGraph | undefined {
    const around = this.#around, { host, lo, hi, codeBase, codeLimit, modeKey, recipe } = job, mode = codeSizeOf(modeKey), isFlat = hasFlatSegments(modeKey);
    const pageHost = (page: number): number => {
      const found = page === 0 ? host : around.fetch(...linearPage(lo + codeBase | 0, hi, page, mode), modeKey);
      return found - (found & PAGE - 1);
    };
    if (recipe !== undefined && !isOfCode(recipe, byteReader(around.u8, pageHost, host & PAGE - 1))) return undefined;
    return new FlowGraph({
      mode, host, pageHost, keepsCalls: isFlat,
      from: isFlat ? -Infinity : -(lo >>> 0), to: isFlat ? Infinity : (mode === 16 ? Math.min(codeLimit >>> 0, 0xffff) : codeLimit >>> 0) + 1 - (lo >>> 0), copyPage: (at) => around.u8.slice(at, at + PAGE),
      newInstruction: () => this.#instructions[this.#instructionsUsed++] ??= new Instruction(),
      meaning: (inst) => this.#meanings.of(inst, modeKey),
      siteKind: (at) => (this.#sites.size === 0 ? SITE_KIND.usual : this.#sites.get(blockKey(at, modeKey)) ?? SITE_KIND.usual),
      ...(recipe === undefined ? this.#byProfile(job, inlined) : byRecipe(recipe)),
    }, DEFAULT_LIMITS);
  }
  /** What belongs to a region by what has run. */
  #byProfile({ lo, hi, modeKey, executions }: RegionJob, inlined: number[]): Choices {
    const around = this.#around;
    return {
      heat: (at) => {
        const often = around.executions(at, modeKey);
        return often >= executions || this.#blocks.has(blockKey(at, modeKey)) ? 1 : often / executions;
      },
      inlinesCall: (at) => {
        const key = blockKey(at, modeKey), isInlined = this.#inlined.has(key);
        if (isInlined) inlined.push(key);
        return isInlined;
      },
      callsRegion: (at) => (this.#sizes.get(blockKey(at, modeKey)) ?? 0) > MAX_INLINED,
      computedTargets: (delta) => this.#computedTargets(lo, hi, delta),
    };
  }

  /** What the interpreter noted of the computed jump at `delta` from an address. */
  #computedTargets(lo: number, hi: number, delta: number): Set<number> {
    const { i32, privateBase } = this.#around;
    const first = privateBase + VCPU_LAYOUT.computed >> 2, end = first + VCPU_LAYOUT.computedEntries * 4;
    const targets = new Set<number>(), site = lo + delta | 0;
    for (let at = first; at < end; at += 4) {
      if (i32[at] !== site) continue;
      // near enough that the upper halves do not matter: wide differences are no targets of one region
      if (Math.abs(i32[at + 1]! - hi) <= 1 && Math.abs(i32[at + 3]! - hi) <= 1) targets.add(i32[at + 2]! - lo | 0);
    }
    return targets;
  }

  /** Where the interpreter's blocks begin in a graph, with the graph's block there: its own are cut at a length, at pages and where faults were. */
  *#startsIn(graph: FlowGraph, modeKey: number): Generator<readonly [host: number, id: number]> {
    for (const { id, delta, kind, steps } of graph.blocks) {
      if (kind === 'switch') continue;
      yield [graph.hostOf(delta), id];
      for (let i = 1; i < steps.length; i++) {
        const host = graph.hostOf(steps[i]!.delta);
        if (this.#around.executions(host, modeKey) > 0) yield [host, id];
      }
    }
  }

  // --- notes ---

  /** See `RegionMaking`. */
  inline(key: number, id: number): void {
    const known = this.#known.get(id);
    if (known !== undefined) this.#inlined.set(known, key, true);
  }
  site(key: number, kind: SiteKind): void {
    if (kind === SITE_KIND.usual) this.#sites.delete(key);
    else this.#sites.set(key, kind);
  }
  gone(id: number): void {
    const known = this.#known.get(id);
    if (known === undefined) return;
    this.#known.delete(id);
    this.#words.release(known.words);
    for (const notes of [this.#inlined, this.#sizes, this.#blocks]) notes.release(known);
  }
  /** The vCPU's thread has taken this many batches. */
  seen(batches: number): void { for (const [key, batch] of this.#unseen) if (batch <= batches) this.#unseen.delete(key); }

  // --- modules ---

  /** What is to be told of jobs that no region will come of; undefined if nothing is. */
  news(): MadeBatch | undefined {
    if (this.#covered.length + this.#refused.length === 0) return undefined;
    return { regions: [], ...this.#told(), module: undefined, moduleBytes: 0 };
  }
  #told(): Pick<MadeBatch, 'covered' | 'refused' | 'ms'> {
    const told = { covered: this.#covered, refused: this.#refused, ms: this.#ms };
    this.#covered = [];
    this.#refused = [];
    this.#ms = 0;
    return told;
  }

  /** A module from everything that waits, which must be something. */
  make(onModule?: (bytes: Uint8Array) => void): MadeBatch {
    const start = performance.now(), { bytes, regions } = this.#emit(this.#drafts), module = new WebAssembly.Module(bytes);
    this.#drafts = [];
    this.#instructionsUsed = 0;
    this.#batch++;
    this.#ms += performance.now() - start;
    onModule?.(bytes);
    return { regions, ...this.#told(), module, moduleBytes: bytes.length };
  }

  /** The module of a batch, which imports what its instructions used when they were tried; everything if one of them wants more. */
  #emit(drafts: readonly Draft[]): { bytes: Uint8Array<ArrayBuffer>; regions: MadeRegion[] } {
    const helpers = new Set(FLAG_HELPERS);
    for (const { graph } of drafts) for (const block of graph.blocks) for (const step of block.steps) for (const name of step.traits.helpers) helpers.add(name);
    try {
      return this.#emitWith(drafts, helpers);
    } catch (cause) {
      if (!(cause instanceof MissingHelper)) throw cause;
      for (const { known } of drafts) this.#words.release(known.words.splice(0));
      return this.#emitWith(drafts);
    }
  }
  #emitWith(drafts: readonly Draft[], helpers?: ReadonlySet<string>): { bytes: Uint8Array<ArrayBuffer>; regions: MadeRegion[] } {
    const { module, core } = this.#around.modules.begin(helpers);
    const lookUps = new Map<number, FunctionRef>();
    const regions = drafts.map((draft): MadeRegion => {
      const emitted: Emitted = { exits: [], starts: [] }, { job, graph } = draft;
      const ref = module.define(['i32'], ['i32'], (fn) => { this.#emitRegion(draft, new RegionCode(fn, module, core, this.#around.privateBase, job.modeKey, job.id), lookUps, emitted); });
      module.elements(job.slot, [ref]);
      const calls = graph.blocks.flatMap(({ kind, targets }) => (kind === 'call' ? [graph.hostOf(targets[0]!), targets[0]!] : []));
      const ranges = graph.ranges(), bytes = graph.code(ranges);
      return {
        id: job.id, pages: graph.pages.map(({ page, host }) => ({ page, host })), ranges: Int32Array.from(ranges), code: bytes,
        exits: Int32Array.from(emitted.exits), calls: Int32Array.from(calls), starts: Int32Array.from(emitted.starts), instructions: instructionsOf(graph),
        recipe: recipeOf(graph, codeKey(graph.pages[0]!.bytes, job.host & PAGE - 1, job.modeKey), job.modeKey, bytes),
      };
    });
    return { bytes: module.finish(), regions };
  }
  #emitRegion({ job, graph, known, starts }: Draft, code: RegionCode, lookUps: Map<number, FunctionRef>, emitted: Emitted): void {
    const linkTo = (delta: number): number => {
      const target = graph.hostOnPages(delta), word = target === 0 ? 0 : this.#words.take();
      if (word === 0) return 0;
      known.words.push(word);
      emitted.exits.push(target, word);
      return word;
    };
    const emitter = new RegionEmitter(new TranslatorMachine(code, lookUps), graph, { linkTo, stamp: stampOf(this.#around.privateBase, job.slot), rip: job.lo >>> 0, codeBase: job.codeBase >>> 0 });
    emitter.emit();
    for (const [at, id] of starts) {
      const head = emitter.loopHeads[id]!;
      emitted.starts.push(at, head < 0 || graph.blocks[head]!.kind === 'switch' ? 0 : graph.hostOf(graph.blocks[head]!.delta));
    }
  }
}

const instructionsOf = (graph: FlowGraph): number => graph.blocks.reduce((sum, block) => sum + block.steps.length, 0);
type Choices = Pick<CodeSource, 'heat' | 'inlinesCall' | 'callsRegion' | 'computedTargets'>;
/** What belonged to a region before. */
function byRecipe({ leaders, calls, targets }: Recipe): Choices {
  const blocks = new Set(leaders), elsewhere = new Set(calls), computed = new Map<number, number[]>();
  for (let i = 0; i < targets.length; i += 2) computed.set(targets[i]!, [...computed.get(targets[i]!) ?? [], targets[i + 1]!]);
  return {
    heat: (_, delta) => (blocks.has(delta) ? 1 : 0), inlinesCall: (_, after) => !elsewhere.has(after), callsRegion: () => true,
    computedTargets: (delta) => computed.get(delta) ?? [],
  };
}
/** Bytes at distances from an entry that is at an offset in its page; -1 where there is no page. */
function byteReader(u8: Uint8Array, pageHost: (page: number) => number, offset: number): (delta: number) => number {
  let page = NaN, host = 0;
  return (delta) => {
    const at = offset + delta, wanted = Math.floor(at / PAGE);
    if (wanted !== page) {
      page = wanted;
      host = pageHost(wanted);
    }
    return host === 0 ? -1 : u8[host + at - wanted * PAGE]!;
  };
}

/** Where a region's stamp is (see `VCPU_LAYOUT.stamps`); 0 for slots without. */
export const stampOf = (privateBase: number, slot: number): number => (slot * 8 < VCPU_LAYOUT.stampsBytes ? privateBase + VCPU_LAYOUT.stamps + slot * 8 : 0);
