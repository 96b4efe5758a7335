/* @hot: runs while the guest waits; indices are bounded by construction. */
import { decode, NEED_MORE, OpKind } from '@vmm/decoder';
import type { Instruction } from '@vmm/decoder';
import type { Form, InstructionEntry } from '@vmm/isa';
import type { SiteKind } from './slow-sites.ts';

export interface Meaning { readonly entry: InstructionEntry; readonly form: Form; readonly traits: Traits }
/** A decoded instruction at `delta` bytes from the region's entry. */
export interface Step {
  readonly delta: number;
  readonly inst: Instruction;
  readonly entry: InstructionEntry;
  readonly form: Form;
  readonly traits: Traits;
  /** How it makes its accesses. */
  readonly site: SiteKind;
}
/** What is known of an instruction by what its builder did once. */
export interface Traits { readonly writesFlags: boolean; /** Vector registers are used where they lie in the state block. */ readonly touchesVectorState: boolean; readonly helpers: readonly string[] }

/** A basic block: straight code, then where it goes. */
export interface FlowBlock {
  readonly id: number;
  readonly delta: number;
  readonly steps: Step[];
  /**
   * `branch`: taken and fall-through; `jump`: one target (also plain fall-through into another block); `leave`: control leaves by the last
   * instruction's own computed target; `stop`: the region ends before `endDelta`, which is for the dispatcher; `computed`: the last instruction's
   * computed target is looked for by the region's block of kind `switch`, which has no code of its own; `call`: the last instruction calls what is not
   * in the region, and its successor is where that returns to.
   */
  kind: 'branch' | 'jump' | 'leave' | 'stop' | 'computed' | 'switch' | 'call';
  /** Deltas of successors: [fall-through or target, taken]. */
  targets: number[];
  endDelta: number;
}

export interface RegionLimits { readonly maxBlocks: number; readonly maxInstructions: number; readonly maxPages: number }
export const DEFAULT_LIMITS: RegionLimits = { maxBlocks: 192, maxInstructions: 1200, maxPages: 4 };

export interface CodePage { /** Page number relative to the entry's page. */ readonly page: number; readonly host: number }
/** With what is there. */
export interface CopiedPage extends CodePage { readonly bytes: Uint8Array }

export interface CodeSource {
  readonly mode: 16 | 32 | 64;
  /** Host address of the entry. */
  readonly host: number;
  /** Host address of the page `page` pages from the entry's, or 0 if it is not to be used. */
  pageHost(page: number): number;
  /** A copy of what is there: what is decoded must be what is compared later, however often the guest writes meanwhile. */
  copyPage(host: number): Uint8Array;
  /** Distances from the entry that code can lie at: the segment's, where it has a limit or base. */
  readonly from: number;
  readonly to: number;
  /** Whether what is called outside comes back into the region. */
  readonly keepsCalls: boolean;
  /** An object to decode into, this region's until it has been emitted. */
  newInstruction(): Instruction;
  /** What an instruction means to the CPU at hand; undefined if it cannot be translated (rare ones call TypeScript). */
  meaning(inst: Instruction): Meaning | undefined;
  /** How the instruction at a host address makes its accesses. */
  siteKind(host: number): SiteKind;
  /** How often the block at a host address has been executed, as a part of how often the one was that the region is made for; 1 also where a region has it. */
  heat(host: number, delta: number): number;
  /** Whether the function that a call calls is to be part of the region whatever its size; `host`: where it returns to. */
  inlinesCall(host: number, delta: number): boolean;
  /** Whether a called function has such a region of its own that it is left to that. `host`: its address; `after`: where the call returns to. */
  callsRegion(host: number, after: number): boolean;
  /** Where the computed jump or call at a delta has gone, in deltas. */
  computedTargets(delta: number): Iterable<number>;
}

const PAGE = 4096;
const LONGEST = 15;
/** What a site's constant can give back to the budget. */
const MAX_BLOCK_STEPS = 500;
/** A return compares with at most this many addresses; if there are more, it goes through the region's switch. */
const MAX_RETURN_SITES = 4;
const MAX_SWITCH_TARGETS = 64;
/** What is executed less often than this is left out: it would cost more than it brings. */
const MIN_HEAT = 1 / 8;
/** Stands for the address of the block of kind `switch`. */
export const SWITCH_DELTA = 0x4000_0000;

export class FlowGraph {
  readonly blocks: FlowBlock[] = [];
  readonly pages: CopiedPage[] = [];
  readonly #source: CodeSource;
  readonly #limits: RegionLimits;
  readonly #steps = new Map<number, Step | undefined>();
  #instructions = 0;
  /** Addresses after calls whose target is in the region too. */
  readonly #returnSites = new Set<number>();
  readonly #switchTargets = new Set<number>();
  /** Calls that leave the region and come back. */
  readonly #calls = new Set<number>();
  /** Pairs: a computed jump or call, a target of it that is in the region. */
  readonly computed: number[] = [];

  constructor(source: CodeSource, limits: RegionLimits = DEFAULT_LIMITS) {
    this.#source = source;
    this.#limits = limits;
    this.#addPage(0, source.host - (source.host & PAGE - 1));
    this.#build();
  }

  /** Host address of code that is in the region. */
  hostOf(delta: number): number { return this.#hostOf(delta, true); }

  /** Host address of code that may be outside the region, if it lies on one of its pages, else 0. */
  hostOnPages(delta: number): number {
    const offset = (this.#source.host & PAGE - 1) + delta, page = Math.floor(offset / PAGE);
    const known = this.#knownPage(page);
    return known === undefined ? 0 : known.host + (offset - page * PAGE);
  }
  #knownPage(page: number): CopiedPage | undefined { return this.pages.find((p) => p.page === page); }
  /** Host address of a delta, or 0 if its page is not part of the region and cannot be. */
  #hostOf(delta: number, isContinuation = false): number {
    const offset = (this.#source.host & PAGE - 1) + delta;
    const page = Math.floor(offset / PAGE);
    const at = this.#knownPage(page) ?? this.#newPage(page, offset - page * PAGE, isContinuation);
    return at === undefined ? 0 : at.host + (offset - page * PAGE);
  }

  #newPage(number: number, offset: number, isContinuation: boolean): CopiedPage | undefined {
    if (this.pages.length >= this.#limits.maxPages) return undefined;
    const host = this.#source.pageHost(number);
    if (host === 0 || (!isContinuation && this.#source.heat(host + offset, number * PAGE + offset - (this.#source.host & PAGE - 1)) < MIN_HEAT)) return undefined;
    return this.#addPage(number, host);
  }
  #addPage(page: number, host: number): CopiedPage {
    const added = { page, host, bytes: this.#source.copyPage(host) };
    this.pages.push(added);
    return added;
  }

  /** Where blocks begin. */
  leaders(): number[] { return this.blocks.filter(({ kind }) => kind !== 'switch').map(({ delta }) => delta); }
  /** Distances from the entry that the code lies at, as [from, to) pairs. */
  deltaRanges(): number[] { return this.blocks.flatMap(({ delta, endDelta }) => (delta < endDelta ? [delta, endDelta] : [])); }
  /** Host addresses that the code lies at, as [from, to) pairs: in the order of `deltaRanges`, cut at pages. */
  ranges(): number[] {
    const ranges: number[] = [], pages = this.pages.toSorted((a, b) => a.page - b.page);
    for (const block of this.blocks) {
      const start = (this.#source.host & PAGE - 1) + block.delta, end = (this.#source.host & PAGE - 1) + block.endDelta;
      for (const { page, host } of pages) {
        const from = Math.max(start, page * PAGE), to = Math.min(end, (page + 1) * PAGE);
        if (from < to) ranges.push(host + from - page * PAGE, host + to - page * PAGE);
      }
    }
    return ranges;
  }
  /** What was there, one range after the other. */
  code(ranges: readonly number[]): Uint8Array {
    const code: number[] = [];
    for (let i = 0; i < ranges.length; i += 2) {
      const from = ranges[i]!, { host, bytes } = this.pages.find((page) => from >= page.host && from < page.host + PAGE)!;
      for (let at = from; at < ranges[i + 1]!; at++) code.push(bytes[at - host]!);
    }
    return Uint8Array.from(code);
  }

  #decode(delta: number): Step | undefined {
    if (this.#steps.has(delta)) return this.#steps.get(delta);
    const step = this.#decodeNew(delta);
    this.#steps.set(delta, step);
    return step;
  }
  #decodeNew(delta: number): Step | undefined {
    const host = this.#hostOf(delta);
    if (host === 0 || this.#instructions >= this.#limits.maxInstructions) return undefined;
    const inst = this.#source.newInstruction();
    const { bytes } = this.#pageOf(delta), at = host & PAGE - 1;
    let length = decode(bytes, at, PAGE, this.#source.mode, inst);
    if (length === NEED_MORE) length = this.#decodeCrossing(delta, bytes.subarray(at), inst);
    if (length <= 0) return undefined;
    if (!isTranslated(inst)) return undefined;
    const meaning = this.#source.meaning(inst);
    if (meaning === undefined) return undefined;
    const step: Step = { delta, inst, entry: meaning.entry, form: meaning.form, traits: meaning.traits, site: this.#source.siteKind(host) };
    if (!this.#isWithinSegment(step)) return undefined;
    this.#instructions++;
    return step;
  }
  /** With where it goes, unless that is computed. */
  #isWithinSegment(step: Step): boolean {
    const { from, to } = this.#source, after = step.delta + step.inst.length;
    return step.delta >= from && after <= to && (branchTargets(step, after) ?? []).every((target) => target === after || (target >= from && target < to));
  }

  /** The page of code that is in the region. */
  #pageOf(delta: number): CopiedPage { return this.#knownPage(Math.floor(((this.#source.host & PAGE - 1) + delta) / PAGE))!; }

  /** An instruction that goes on in the next page. */
  #decodeCrossing(delta: number, first: Uint8Array, inst: Instruction): number {
    const rest = first.length;
    if (this.#hostOf(delta + rest, true) === 0) return 0;
    const bytes = new Uint8Array(LONGEST + 1);
    bytes.set(first);
    bytes.set(this.#pageOf(delta + rest).bytes.subarray(0, LONGEST + 1 - rest), rest);
    return decode(bytes, 0, LONGEST + 1, this.#source.mode, inst);
  }

  /** Finds leaders first, so that no instruction is in two blocks; then cuts blocks. */
  #build(): void {
    const leaders = new Set<number>([0]);
    const work = [0];
    const visited = new Set<number>();
    for (let next = work.shift(); next !== undefined; next = work.shift()) {
      let delta = next;
      for (;;) {
        if (visited.has(delta)) break;
        visited.add(delta);
        const step = this.#decode(delta);
        if (step === undefined) break;
        const after = delta + step.inst.length;
        let targets = branchTargets(step, after);
        if (targets !== undefined) {
          if (isCall(step)) {
            const [callee] = targets as [number];
            if (this.#goesElsewhere(callee, after, leaders)) {
              targets = this.#leftBy(step, after);
            } else {
              if (leaders.size + 1 < this.#limits.maxBlocks && this.#wanted(after)) this.#returnSites.add(after);
              targets.push(after);
            }
          }
          for (const target of targets) {
            if (leaders.has(target)) continue;
            if (leaders.size >= this.#limits.maxBlocks || !this.#wanted(target)) continue;
            leaders.add(target);
            work.push(target);
          }
          break;
        }
        if (endsRegion(step)) {
          if (isComputed(step)) this.#findTargets(step, after, leaders, work);
          break;
        }
        delta = after;
      }
    }
    const ordered = [...leaders].filter((delta) => this.#steps.get(delta) !== undefined).sort((a, b) => a - b);
    const isLeader = new Set(ordered);
    for (const delta of [0, ...ordered.filter((d) => d !== 0)]) if (isLeader.has(delta)) this.#cut(delta, isLeader);
    this.#addSwitch(isLeader);
  }
  /** Targets of a computed jump or call that are to be in the region; a call's return too. */
  #findTargets(step: Step, after: number, leaders: Set<number>, work: number[]): void {
    const targets = [...this.#source.computedTargets(step.delta)];
    if (step.inst.row.mnemonic === 'call') {
      const leaves = targets.length === 0 || targets.some((target) => this.#goesElsewhere(target, after, leaders));
      if (leaves) targets.splice(0, Infinity, ...this.#leftBy(step, after));
      else {
        if (this.#wanted(after)) this.#returnSites.add(after);
        targets.push(after);
      }
    }
    for (const target of targets) {
      if (Math.abs(target) >= SWITCH_DELTA || (!leaders.has(target) && leaders.size >= this.#limits.maxBlocks) || !this.#wanted(target)) continue;
      if (target !== after && this.#switchTargets.size < MAX_SWITCH_TARGETS) {
        this.#switchTargets.add(target);
        this.computed.push(step.delta, target);
      }
      if (!leaders.has(target)) { leaders.add(target); work.push(target); }
    }
  }
  /** Where the region goes on after a call that leaves it. */
  #leftBy(call: Step, after: number): number[] {
    if (!this.#source.keepsCalls) return [];
    this.#calls.add(call.delta);
    return [after];
  }
  /** Whether a called function is left to its own region: large ones, and those that go on at once to where nobody knows. */
  #goesElsewhere(callee: number, after: number, leaders: ReadonlySet<number>): boolean {
    if (leaders.has(callee)) return false;
    if (Math.abs(callee) >= SWITCH_DELTA || !this.#wanted(callee)) return true;
    const first = this.#decode(callee);
    if (this.#source.inlinesCall(this.#hostOf(after), after)) return first === undefined;
    return first === undefined || isComputed(first) || this.#source.callsRegion(this.#hostOf(callee), after);
  }
  /** One block for all computed jumps: the region's control flow stays reducible, however they jump among each other. */
  #addSwitch(isLeader: ReadonlySet<number>): void {
    const returnSites = [...this.#returnSites].filter((delta) => isLeader.has(delta));
    const sources = this.blocks.filter((block) => block.kind === 'leave' && (isComputed(block.steps.at(-1)!) || isReturn(block.steps.at(-1)!)));
    const targets = new Set([...this.#switchTargets].filter((delta) => isLeader.has(delta)));
    if (returnSites.length > MAX_RETURN_SITES && returnSites.length + targets.size <= MAX_SWITCH_TARGETS) for (const site of returnSites) targets.add(site);
    if (targets.size === 0) return;
    for (const block of sources) {
      if (isReturn(block.steps.at(-1)!) && returnSites.length <= MAX_RETURN_SITES) continue;
      block.kind = 'computed';
      block.targets = [SWITCH_DELTA];
    }
    this.blocks.push({ id: this.blocks.length, delta: SWITCH_DELTA, steps: [], kind: 'switch', targets: [...targets], endDelta: SWITCH_DELTA });
  }
  #wanted(delta: number): boolean {
    const host = this.#hostOf(delta);
    return host !== 0 && (this.#steps.has(delta) || this.#source.heat(host, delta) >= MIN_HEAT);
  }

  #cut(delta: number, leaders: ReadonlySet<number>): void {
    const steps: Step[] = [];
    const block: FlowBlock = { id: this.blocks.length, delta, steps, kind: 'stop', targets: [], endDelta: delta };
    this.blocks.push(block);
    for (let at = delta; ;) {
      const isLeader = at !== delta && leaders.has(at);
      const step = isLeader || steps.length === MAX_BLOCK_STEPS ? undefined : this.#steps.get(at);
      if (step === undefined) {
        block.endDelta = at;
        // STI's interrupt shadow is the next instruction's: where that is not translated in the same place, STI is not either
        if (steps.at(-1)?.inst.row.mnemonic === 'sti') block.endDelta = steps.pop()!.delta;
        else if (isLeader) { block.kind = 'jump'; block.targets = [at]; }
        return;
      }
      steps.push(step);
      const after = at + step.inst.length;
      block.endDelta = after;
      const targets = branchTargets(step, after);
      if (this.#calls.has(at) && leaders.has(after)) { block.kind = 'call'; block.targets = [after]; return; }
      if (targets !== undefined) { block.kind = targets.length === 2 ? 'branch' : 'jump'; block.targets = targets; return; }
      if (endsRegion(step)) {
        block.kind = 'leave';
        if (isReturn(step)) block.targets = [...this.#returnSites].slice(0, MAX_RETURN_SITES);
        return;
      }
      at = after;
    }
  }
}

/**
 * Privileged instructions that are part of regions: they change no mapping and no right that code which is entered later or goes on later takes for granted
 * (an INVLPG that does is left to TypeScript), and most of what they are used for is done without TypeScript.
 */
const PRIVILEGED = new Set(['swapgs', 'sysret', 'sysexit', 'clts', 'invlpg']);
/** Whether regions contain an instruction, if its meaning can be translated. */
export function isTranslated({ row, opKind }: Instruction): boolean { return !row.cpl0 || PRIVILEGED.has(row.mnemonic) || (row.mnemonic === 'mov' && opKind[1] === OpKind.cr); }

const isRelative = (step: Step): boolean => step.form.operands[0]?.kind === 'imm' && step.inst.row.mnemonic.startsWith('j') && !step.inst.row.mnemonic.endsWith('f');
export const isCall = (step: Step): boolean => step.inst.row.mnemonic === 'call' && step.form.operands[0]?.kind === 'imm';
const isReturn = (step: Step): boolean => step.inst.row.mnemonic === 'ret';
const isComputed = (step: Step): boolean => (step.inst.row.mnemonic === 'jmp' || step.inst.row.mnemonic === 'call') && step.form.operands[0]?.kind !== 'imm';
const isLoop = (step: Step): boolean => step.inst.row.mnemonic.startsWith('loop');

/** Direct near branches: [fall-through, taken] or [target]; undefined for everything else. Backward displacement is signed. */
function branchTargets(step: Step, after: number): number[] | undefined {
  if (isCall(step) || (step.inst.row.mnemonic === 'jmp' && isRelative(step))) return [after + step.inst.immLo];
  if (isRelative(step) || isLoop(step)) return [after, after + step.inst.immLo];
  return undefined;
}
const endsRegion = (step: Step): boolean => step.entry.ends === true;
