/* @hot: runs while the guest waits; indices are bounded by construction. */
import type { Label } from '@vmm/wasm';
import * as w from '@vmm/wasm';
import { TLB_ENTRY, VCPU_LAYOUT } from '@vmm/state';
import { tlbEntry } from '@vmm/cpu';
import { CS } from '@vmm/isa';
import { analyse } from './dominators.ts';
import type { Structure } from './dominators.ts';
import { SWITCH_DELTA } from './flow-graph.ts';
import type { FlowBlock, FlowGraph, Step } from './flow-graph.ts';
import { perfectHash } from './perfect-hash.ts';
import { planWindows } from './windows.ts';
import type { Opening } from './windows.ts';
import type { TranslatorMachine } from './translator-machine.ts';

const PAGE = 4096;
/** Of one block at a time. */
const MOST_LOCALS = 150;
const ACCESS_EXECUTE = 2;

/** What a region is to know of where it will be. */
export interface Surroundings {
  /** Address of the word that leads from an exit to its target, 0 for none. */
  readonly linkTo: (delta: number) => number;
  /** Where the region remembers for which mapping its pages were found right; 0: nowhere. */
  readonly stamp: number;
  /** At the entry. */
  readonly rip: number;
  readonly codeBase: number;
}

/** Emits one region: structured control flow from the dominator tree, each block through the instruction builders. */
export class RegionEmitter {
  readonly #machine: TranslatorMachine;
  readonly #graph: FlowGraph;
  readonly #structure: Structure;
  readonly #byDelta: Map<number, number>;
  /** Blocks of the region that each block leads to. */
  readonly #successors: readonly (readonly number[])[];
  readonly #labels = new Map<number, Label>();
  readonly #loops = new Map<number, Label>();
  /** The head of the innermost loop that each block is in, -1 for none. */
  readonly loopHeads: Int32Array;
  /** Blocks that no path reaches with flags other than those in memory. */
  readonly #flagsInMemory: Uint8Array;
  readonly #linkTo: Surroundings['linkTo'];
  readonly #stamp: number;

  /** rip at the entry and the base of CS: outside flat segments, what the region is made for. */
  readonly #rip: number;
  readonly #codeBase: number;

  constructor(machine: TranslatorMachine, graph: FlowGraph, { linkTo, stamp, rip, codeBase }: Surroundings) {
    this.#stamp = stamp;
    this.#rip = rip;
    this.#codeBase = codeBase;
    this.#machine = machine;
    this.#graph = graph;
    this.#structure = analyse(graph.blocks);
    this.#linkTo = linkTo;
    this.#byDelta = new Map(graph.blocks.map((block) => [block.delta, block.id]));
    this.#successors = graph.blocks.map((block) => block.targets.map((delta) => this.#byDelta.get(delta)).filter((id) => id !== undefined));
    this.loopHeads = this.#findLoops();
    this.#flagsInMemory = this.#findUntouchedFlags();
    machine.windows.openings = this.#planWindows();
    machine.registers.keepsVectors = graph.blocks.every((block) => block.steps.every((step) => !step.traits.touchesVectorState));
  }

  emit(): void {
    this.#machine.frame.around((leave) => {
      if (!this.#machine.code.isFlat) this.#checkSegment(leave);
      this.#checkPages(leave);
    }, () => {
      this.#settleFor(0);
      this.#tree(0);
    });
  }

  /** Code is where it was in CS, and all of it within the limit: no branch in it can be one that does not go where it did. */
  #checkSegment(leave: () => void): void {
    const { fn, code } = this.#machine, end = Math.max(...this.#graph.blocks.map((block) => (block.kind === 'switch' ? 0 : block.endDelta)));
    const differs = w.or(w.ne(code.load64('rip'), w.i64(this.#rip | 0, 0)), w.ne(code.load64('segment', 2 * CS), w.i64(this.#codeBase | 0, 0)));
    fn.if(w.or(differs, w.ltU(w.wrap(code.load64('segment', 2 * CS + 1)), w.i32(this.#rip + end - 1 | 0))), leave, undefined, false);
  }

  /** The entry's own page is right by the look-up; others must still be mapped where they were when the region was made. */
  #checkPages(leave: () => void): void {
    const { fn } = this.#machine;
    if (this.#graph.pages.length === 1) return;
    if (this.#stamp === 0) { this.#lookAtPages(leave); return; }
    const word = (address: number): w.Expr => w.load('i32', 32, w.i32(0), address);
    const tag = this.#machine.stateAddress('tlbTag'), version = this.#machine.stateAddress('mapVersion');
    fn.if(w.or(w.xor(word(this.#stamp), word(tag)), w.xor(word(this.#stamp + 4), word(version))), () => {
      this.#lookAtPages(leave);
      fn.store(32, w.i32(0), this.#stamp, word(tag));
      fn.store(32, w.i32(0), this.#stamp + 4, word(version));
    }, undefined, false);
  }
  #lookAtPages(leave: () => void): void {
    const { fn } = this.#machine, { privateBase, is64, isFlat, core } = this.#machine.code;
    const state = (name: 'rip' | 'tlbTag'): w.Expr => w.load('i64', 64, w.i32(0), this.#machine.stateAddress(name));
    const tlb = privateBase + VCPU_LAYOUT.tlb;
    for (const { page, host } of this.#graph.pages) {
      if (page === 0) continue;
      const at = fn.let(isFlat ? w.and(w.add(state('rip'), w.i64(page * PAGE)), is64 ? w.i64(-PAGE) : w.i64(-PAGE, 0)) : w.i64((this.#rip + this.#codeBase + page * PAGE | 0) & -PAGE, 0));
      const entry = fn.let(tlbEntry(this.#machine.stateBase, at));
      const tag = w.ne(w.load('i64', 64, entry, tlb + TLB_ENTRY.execTag), w.or(at, state('tlbTag')));
      const addend = w.ne(w.add(w.wrap(at), w.load('i32', 32, entry, tlb + TLB_ENTRY.addend)), w.i32(host));
      // after a change of address space the TLB may simply not know the page yet
      fn.if(w.or(tag, addend), () => {
        const found = core.access.call(w.wrap(at), w.wrap(w.shrU(at, w.i64(32))), w.i32(1), w.i32(ACCESS_EXECUTE));
        fn.if(w.ne(found, w.i32(host)), () => {
          fn.store(32, w.i32(0), this.#machine.stateAddress('faultVector'), w.i32(-1));
          leave();
        }, undefined, false);
      }, undefined, false);
      // so that INVLPG tells
      const mark = w.and(w.wrap(w.shrU(at, w.i64(12))), w.i32(VCPU_LAYOUT.jumpPages - 1));
      fn.store(8, mark, privateBase + VCPU_LAYOUT.jumps + VCPU_LAYOUT.jumpEntries * 16, w.i32(1));
    }
  }

  #planWindows(): Map<Step, Opening[]> {
    const { blocks } = this.#graph, { order, isMerge, isLoopHeader, position } = this.#structure;
    const afterCall = new Set(blocks.flatMap((block) => (block.kind === 'call' ? this.#successors[block.id]! : [])));
    const isRoot = (id: number): boolean => id === 0 || afterCall.has(id) || isMerge[id] === 1 || isLoopHeader[id] === 1;
    const follow = ({ id: from }: FlowBlock): FlowBlock[] => this.#successors[from]!.filter((id) => !isRoot(id) && position[id]! > position[from]!).map((id) => blocks[id]!);
    const openings = new Map<Step, Opening[]>();
    if (!this.#machine.code.isFlat) return openings;
    for (const id of order) if (isRoot(id)) for (const [step, opened] of planWindows(blocks[id]!, follow)) openings.set(step, opened);
    return openings;
  }
  #findUntouchedFlags(): Uint8Array {
    const { blocks } = this.#graph, { order } = this.#structure;
    const writes = blocks.map((block) => block.steps.some((step) => step.traits.writesFlags));
    const untouched = new Uint8Array(blocks.length).fill(1);
    for (let changed = true; changed;) {
      changed = false;
      for (const id of order) {
        if (blocks[id]!.kind === 'call' || (untouched[id] === 1 && writes[id] === false)) continue;
        for (const target of this.#successors[id]!) if (untouched[target] === 1) { untouched[target] = 0; changed = true; }
      }
    }
    return untouched;
  }
  /** Here begins code that several edges lead to: nothing is known but what all of them agree on. */
  #join(id: number): void {
    this.#machine.forget(this.#flagsInMemory[id] === 1);
  }
  /** Before an edge that joins others: the flags where its target expects them. */
  #settleFor(target: number): void {
    this.#machine.place.pay();
    if (this.#flagsInMemory[target] === 0) this.#machine.flags.flush();
  }

  /** Natural loops: what reaches the source of a back edge without passing its target. */
  #findLoops(): Int32Array {
    const { blocks } = this.#graph, { position } = this.#structure;
    const successors = this.#successors;
    const predecessors = blocks.map((): number[] => []);
    successors.forEach((ids, from) => { for (const id of ids) predecessors[id]!.push(from); });
    const bodies = new Map<number, Set<number>>();
    successors.forEach((ids, from) => {
      for (const header of ids) {
        if (position[header]! > position[from]!) continue;
        const seen = bodies.get(header) ?? new Set([header]), work = [from];
        bodies.set(header, seen.add(from));
        for (let id = work.pop(); id !== undefined; id = work.pop()) {
          if (id !== header) for (const before of predecessors[id]!) if (!seen.has(before)) { seen.add(before); work.push(before); }
        }
      }
    });
    const heads = new Int32Array(blocks.length).fill(-1);
    for (const [header, body] of [...bodies].sort(([, a], [, b]) => b.size - a.size)) for (const id of body) heads[id] = header;
    return heads;
  }

  /** A block with everything it dominates. Merge children get a label that ends right before their code. */
  #tree(id: number): void {
    const { isLoopHeader, isMerge, children, position } = this.#structure;
    const merges = children[id]!.filter((child) => isMerge[child] === 1).sort((a, b) => position[b]! - position[a]!);
    if (isLoopHeader[id] === 1) {
      this.#machine.fn.loop((label) => {
        this.#loops.set(id, label);
        this.#join(id);
        this.#machine.frame.pollEvents(this.#graph.blocks[id]!.kind === 'switch' ? undefined : this.#graph.blocks[id]!.delta);
        this.#within(id, merges);
        this.#loops.delete(id);
      });
    } else this.#within(id, merges);
  }
  #within(id: number, merges: readonly number[]): void {
    const [outer, ...inner] = merges;
    if (outer === undefined) { this.#machine.fn.scope(() => { this.#code(this.#graph.blocks[id]!); }); return; }
    // the merge latest in order is outermost
    this.#machine.fn.block((label) => {
      this.#labels.set(outer, label);
      this.#within(id, inner);
      this.#labels.delete(outer);
    });
    this.#join(outer);
    this.#tree(outer);
  }

  /** In the middle of a long block: the engine's graph of a function grows with locals times branches (90 MB for 2,700 locals). */
  #recycleLocals(): void {
    const { flags, windows, fn } = this.#machine;
    if (flags.pending.type !== 'memory') flags.flush();
    fn.recycleScoped(windows.hosts);
  }

  #code(block: FlowBlock): void {
    const machine = this.#machine;
    const count = block.steps.length;
    machine.windows.inlinesLookUps = this.loopHeads[block.id]! >= 0;
    if (count > 0) machine.place.spend(count);
    block.steps.forEach((step, i) => {
      if (machine.fn.scopedLocals > MOST_LOCALS) this.#recycleLocals();
      machine.run(step, count - i);
    });
    switch (block.kind) {
      case 'switch': this.#switch(block); return;
      case 'computed': {
        const { outcome } = machine;
        if (outcome.type !== 'dynamic') throw new Error(`${block.steps.at(-1)!.form.mnemonic} computes no target`);
        machine.place.setTarget(outcome.target);
        this.#go(block, SWITCH_DELTA);
        return;
      }
      case 'call': {
        const { outcome } = machine, step = block.steps.at(-1)!, [after] = block.targets as [number];
        if (outcome.type === 'dynamic') machine.call(outcome.target, after);
        else {
          const callee = after + step.inst.immLo;
          machine.call(machine.place.at(callee), after, this.#linkTo(callee));
        }
        this.#go(block, after);
        return;
      }
      case 'stop': machine.frame.leaveTo(block.endDelta, this.#linkTo(block.endDelta)); return;
      case 'leave': {
        const { outcome } = machine;
        if (outcome.type === 'dynamic') this.#indirect(block, outcome.target);
        else if (outcome.type !== 'leave') machine.frame.leaveTo(block.endDelta, this.#linkTo(block.endDelta));
        return;
      }
      case 'jump': this.#go(block, block.targets[0]!); return;
      case 'branch': {
        const { outcome } = machine;
        if (outcome.type !== 'branch') throw new Error(`${block.steps.at(-1)!.form.mnemonic} does not branch`);
        const [next, taken] = block.targets as [number, number];
        const known = machine.known();
        this.#machine.fn.if(outcome.condition, () => { this.#go(block, taken); });
        machine.recall(known);
        this.#go(block, next);
      }
    }
  }

  /** Computed jumps: a jump table by a hash of the target, which is then compared. */
  #switch(block: FlowBlock): void {
    const machine = this.#machine, { fn } = machine;
    const known = machine.known();
    const targets = block.targets.filter((delta) => this.#byDelta.has(delta) && !this.#structure.cut.has(block.id * this.#graph.blocks.length + this.#byDelta.get(delta)!));
    const distance = fn.let(machine.place.targetDelta());
    const { multiplier, shift, slots } = perfectHash(targets);
    fn.block((missed) => {
      const open = (i: number, labels: readonly Label[]): void => {
        if (i === targets.length) {
          const none = missed, all = slots.map((at) => (at < 0 ? none : labels[at]!));
          fn.brTable(all, none, w.shrU(w.mul(distance, w.i32(multiplier)), w.i32(shift)));
          return;
        }
        fn.block((label) => { open(i + 1, [label, ...labels]); });
        // what follows the block of label i
        const at = targets.length - 1 - i;
        fn.brIf(missed, w.ne(distance, w.i32(targets[at]!)), false);
        machine.recall(known);
        fn.scope(() => { this.#go(block, targets[at]!); });
      };
      open(0, []);
    });
    machine.recall(known);
    machine.frame.leaveToTarget();
  }

  /** A computed target: return addresses of calls made in this region go on in place. */
  #indirect(block: FlowBlock, target: w.Expr): void {
    const machine = this.#machine;
    const known = machine.known();
    for (const site of block.targets) {
      if (!this.#byDelta.has(site)) continue;
      this.#machine.fn.if(w.eq(target, machine.place.at(site)), () => { this.#go(block, site); });
      machine.recall(known);
    }
    machine.place.setTarget(target);
    machine.frame.leaveToTarget();
  }

  /** Continue at a delta: in place, by branch, or out of the region. */
  #go(from: FlowBlock, delta: number): void {
    const machine = this.#machine;
    const target = this.#byDelta.get(delta);
    const { position, isMerge, cut } = this.#structure;
    if (target === undefined || cut.has(from.id * this.#graph.blocks.length + target)) {
      if (delta === SWITCH_DELTA) machine.frame.leaveToTarget();
      else machine.frame.leaveTo(delta, this.#linkTo(delta));
      return;
    }
    if (position[target]! <= position[from.id]!) {
      this.#settleFor(target);
      this.#machine.fn.br(this.#loops.get(target)!);
    } else if (isMerge[target] === 1) {
      this.#settleFor(target);
      this.#machine.fn.br(this.#labels.get(target)!);
    } else {
      if (this.#structure.isLoopHeader[target] === 1) this.#settleFor(target);
      this.#tree(target);
    }
  }
}
