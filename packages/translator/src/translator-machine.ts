/* @hot: runs while the guest waits; indices are bounded by construction. */
import { CS, FS, GS, Machine } from '@vmm/isa';
import type { CalloutName, Flag } from '@vmm/isa';
import { HANDLER_STATUS, jumpEntry, MODE, REPEATS_A_TURN } from '@vmm/cpu';
import type { InterpreterCore } from '@vmm/cpu';
import { OpKind } from '@vmm/decoder';
import { TLB_ENTRY, TLB_USER_FLIP, VCPU_LAYOUT } from '@vmm/state';
import type { StateField } from '@vmm/state';
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder, FunctionRef, Label, Local, ModuleBuilder, ValueType } from '@vmm/wasm';
import { SWITCH_DELTA } from './flow-graph.ts';
import type { Step } from './flow-graph.ts';
import { adjustmentOf } from './windows.ts';
import type { Opening, Window } from './windows.ts';

/**
 * How and where code leaves by the common exit of rare cases, in one constant: distance of rip from the entry, instructions to give back to the budget
 * (both biased), what the three flag words mean (no operation, but a size: the flags are still in memory; KEEP_KIND and an operation: a
 * step), and why.
 */
const SITE = { BIAS: 0x4000, LEFT_SHIFT: 15, LEFT_BIAS: 512, SIZE_SHIFT: 25, OPERATION_SHIFT: 27, KEEP_KIND: 1 << 29, FAULT: 1 << 30, INTERPRET: 1 << 31 } as const;

/** Kinds of the lazy flags in locals. `ready`: fR is the result (sign-extended), fA is flagAux. Others: operation and size. */
const KIND = { ready: 0, add: 1, sub: 2, logic: 3, up: 4, down: 5 } as const;
type Operation = 'add' | 'sub' | 'logic' | 'up' | 'down';
const isStep = (operation: Operation): boolean => operation === 'up' || operation === 'down';
const kindNumber = (operation: Operation, size: number): number => KIND[operation] * 16 + size;

const NEXT = { type: 'next' } as const;
/** What is known statically about the flags at this point of the code. */
type Pending =
  /** In the state block, untouched since the region was entered. */
  | { readonly type: 'memory' }
  | { readonly type: 'locals' }
  | { readonly type: 'ready'; readonly result: Expr; readonly aux: Expr }
  | { readonly type: 'operation'; /** No carry came in: comparisons can be made on the operands. */ readonly isPlain: boolean; readonly operation: Operation; readonly size: number; readonly a: Expr; readonly b: Expr; readonly result: Expr };

/** How the last instruction of a block goes on; the region's emitter turns it into structured control flow. */
export type Outcome = { readonly type: 'next' } | { readonly type: 'dynamic'; readonly target: Expr } | { readonly type: 'branch'; readonly condition: Expr } | { readonly type: 'jump' } | { readonly type: 'leave' };

/** An open window: its host address (0: accesses look up by themselves), and how far its register is from where its offsets count from. */
interface Near { readonly window: Window; readonly host: Local; readonly adjustment: number }
export interface Known { readonly pending: Pending; readonly nearby: ReadonlyMap<number, Near>; readonly owed: number; readonly checked: ReadonlySet<string> }
/** What is known of an address that lies in a window. */
interface Located { readonly host: Local; readonly at: number; readonly bytes: number; readonly isWritable: boolean }

/** Calls of regions by regions that may be open: the host's stack is finite. */
const MAX_CALL_DEPTH = 64;

const SP = 4;
const VALUE_NUMBER: Readonly<Record<ValueType, number>> = { i32: 1, i64: 2, f32: 3, f64: 4, v128: 5 };
/** A repeated instruction is left to the interpreter now and then, which counts repeats and sees that the host gets its turn. */
const REPEATS_A_VISIT = 64;
const ATOMIC_OR = 0xfe33;
const ENTRY_MASK = w.i32((VCPU_LAYOUT.tlbEntries - 1) * VCPU_LAYOUT.tlbEntryBytes);
/** Conditions, by half their code, that a result alone decides. */
const ZERO_OR_SIGN = new Set([2, 4]);
const CARRY_IN = new Set(['adc', 'sbb']);

/** Code wants a function that its module does not import. */
export class MissingHelper extends Error {
  constructor(name: string) { super(`no helper function ${name}`); }
}

/**
 * The abstract machine with static operands: registers and lazy flags live in locals, memory goes through an inlined TLB probe, and everything
 * that leaves branches to one epilogue that stores what has changed.
 */
export class TranslatorMachine extends Machine {
  readonly core: InterpreterCore;
  readonly privateBase: number;
  readonly is64: boolean;
  readonly #isUser: boolean;
  readonly #word: 'i32' | 'i64';
  readonly #registers: (Local | undefined)[] = [];
  readonly written = new Set<number>();
  /** Low halves of vector registers, where the region keeps them in locals; upper halves stay in the state block. */
  readonly #vectors: (Local | undefined)[] = [];
  readonly #writtenVectors = new Set<number>();
  readonly #constants = new Map<string, Local>();
  keepsVectors = false;
  readonly usedHelpers = new Set<string>();
  /** Whether code has used vector registers as memory. */
  touchesVectorState = false;
  /** Where code with a target in `rip` goes: with the flags in locals, or still in memory. */
  #leave!: Label;
  #leaveFlags!: Label;
  /** Where sites go (site, flag result, operands on the stack). */
  #exit!: Label;
  readonly #module: ModuleBuilder;
  readonly #probes: Map<number, FunctionRef>;
  /** Address of the word that leads to the successor, 0 for none. */
  #link!: Local;
  /** Whether look-ups are written out where they are made: in loops. */
  inlinesProbes = false;
  ripBase!: Local;
  readonly #modeKey: number;
  readonly #code: number;
  /** In the word type of the mode, as everything that is an address. */
  rip!: Local;
  status!: Local;
  budget!: Local;
  #tag!: Local;
  #kind!: Local;
  #flagA!: Local;
  #flagB!: Local;
  #flagR!: Local;
  pending: Pending = { type: 'memory' };
  /** Instructions of this path that the budget does not know of yet. */
  owed = 0;
  /** How often code has set flags so far. */
  flagWrites = 0;
  outcome: Outcome = { type: 'next' };
  /** Windows open at this point of the code, by register; never changed in place. */
  nearby: ReadonlyMap<number, Near> = new Map();
  openings: ReadonlyMap<Step, readonly Opening[]> = new Map();
  /** Checks that have been made on every way to this point; never changed in place. */
  checked: ReadonlySet<string> = new Set();
  readonly #located = new Map<Expr, Located>();
  #adjustment: { readonly register: number; readonly distance: number } | undefined;
  /** Where a repeated instruction begins once more. */
  #again: Label | undefined;
  #step!: Step;
  /** Instructions of the block at hand from this one on: what a fault gives back to the budget. */
  #left = 0;
  #prepared = new Map<number, Expr>();

  /** `probes`: the module's own probe functions so far, by what they do; `code`: see `Translator.mayGoOn`. */
  constructor(module: ModuleBuilder, probes: Map<number, FunctionRef>, privateBase: number, core: InterpreterCore, modeKey: number, code = 0) {
    super(privateBase + VCPU_LAYOUT.state);
    this.privateBase = privateBase;
    this.core = core;
    this.#module = module;
    this.#code = code;
    this.#probes = probes;
    const is64 = this.is64 = (modeKey & MODE.CODE_SIZE) === MODE.CODE64;
    this.#isUser = (modeKey & MODE.USER) !== 0;
    this.#modeKey = modeKey;
    this.#word = is64 ? 'i64' : 'i32';
  }

  // --- the region around the code ---

  /** Emits body and epilogue, then puts the prologue (which must know what the body used) in front. */
  region(fn: FunctionBuilder, checkEntry: (leave: () => void) => void, body: () => void): void {
    this.fn = fn;
    this.ripBase = fn.local(this.#word);
    this.rip = fn.local(this.#word);
    this.status = fn.local('i32');
    this.budget = fn.local('i32');
    this.#tag = fn.local(this.#word);
    this.#kind = fn.local('i32');
    this.#flagA = fn.local(this.#word);
    this.#flagB = fn.local(this.#word);
    this.#flagR = fn.local(this.#word);
    this.pending = { type: 'memory' };
    this.owed = 0;
    const site = fn.local('i32');
    this.#link = fn.local('i32');
    const siteType = this.#module.typeIndex({ params: [], results: ['i32', this.#word, this.#word, this.#word] });
    fn.block((leave) => {
      this.#leave = leave;
      fn.block((leaveFlags) => {
        this.#leaveFlags = leaveFlags;
        fn.blockOf(siteType, (exit) => {
          this.#exit = exit;
          body();
        });
        for (const local of [this.#flagB, this.#flagA, this.#flagR, site]) fn.take(local);
        this.#takeSite(fn.get(site));
      });
      this.#storeFlags();
    });
    this.#epilogue();
    fn.prepend(() => {
      checkEntry(() => { fn.return(w.i32(HANDLER_STATUS.interpret)); });
      this.#prologue();
    });
  }

  #takeSite(site: Expr): void {
    const { fn } = this;
    const delta = w.sub(w.and(site, w.i32(2 * SITE.BIAS - 1)), w.i32(SITE.BIAS));
    fn.set(this.rip, w.add(fn.get(this.ripBase), this.is64 ? w.extendS(delta) : delta));
    fn.set(this.budget, w.add(fn.get(this.budget), w.sub(w.and(w.shrU(site, w.i32(SITE.LEFT_SHIFT)), w.i32(2 * SITE.LEFT_BIAS - 1)), w.i32(SITE.LEFT_BIAS))));
    fn.set(this.status, w.select(w.and(site, w.i32(SITE.FAULT)), w.i32(HANDLER_STATUS.faultAtRip), w.select(w.and(site, w.i32(SITE.INTERPRET)), w.i32(HANDLER_STATUS.interpret), w.i32(0))));
    const operation = fn.let(w.and(w.shrU(site, w.i32(SITE.OPERATION_SHIFT)), w.i32(3))), size = fn.let(w.and(w.shrU(site, w.i32(SITE.SIZE_SHIFT)), w.i32(3)));
    const kindOf = (number: Expr): Expr => w.add(w.mul(number, w.i32(16)), w.shl(w.i32(1), size));
    fn.if(w.and(site, w.i32(SITE.KEEP_KIND)), () => {
      fn.if(operation, () => { fn.set(this.#kind, kindOf(w.add(operation, w.i32(KIND.logic)))); });
    }, () => {
      fn.brIf(this.#leave, w.and(w.eqz(operation), size));
      fn.set(this.#kind, w.select(operation, kindOf(operation), w.i32(0)));
    });
  }

  get #regionType(): number { return this.#module.typeIndex({ params: ['i32'], results: ['i32'] }); }

  #prologue(): void {
    const { fn } = this;
    fn.set(this.ripBase, w.load(this.#word, this.is64 ? 64 : 32, w.i32(0), this.stateAddress('rip')));
    fn.set(this.budget, w.load('i32', 32, w.i32(0), this.stateAddress('budget')));
    this.#loadTag();
    this.#loadRegisters();
  }
  #loadTag(): void { this.fn.set(this.#tag, w.load(this.#word, this.is64 ? 64 : 32, w.i32(0), this.stateAddress('tlbTag'))); }
  #loadRegisters(): void {
    const { fn } = this;
    this.#registers.forEach((local, number) => {
      if (local !== undefined) fn.set(local, w.load(this.#word, this.is64 ? 64 : 32, w.i32(0), this.stateAddress('gpr', number)));
    });
    for (const [key, local] of this.#constants) fn.set(local, super.constantVector(...key.split(',').map(Number)));
    this.#vectors.forEach((local, number) => { if (local !== undefined) fn.set(local, this.#vectorHome(number)); });
  }
  #storeRegisters(): void {
    const { fn } = this;
    for (const number of this.written) {
      const value = fn.get(this.#registers[number]!);
      fn.store(64, w.i32(0), this.stateAddress('gpr', number), this.is64 ? value : w.extendU(value));
    }
    for (const number of this.#writtenVectors) fn.store(128, w.i32(0), super.stateAddress('vector', number, 32), fn.get(this.#vectors[number]!));
  }

  #epilogue(): void {
    const { fn } = this;
    this.#storeRegisters();
    this.#storePlace();
    fn.if(fn.get(this.status), () => { fn.return(fn.get(this.status)); }, undefined, false);
    const goesOn = w.and(w.gtS(fn.get(this.budget), w.i32(0)), w.eqz(w.load('i32', 32, w.i32(0), this.stateAddress('pending'))));
    fn.if(goesOn, () => {
      const slot = fn.local('i32');
      fn.if(fn.get(this.#link), () => { fn.set(slot, w.load('i32', 32, fn.get(this.#link))); }, () => {
        const returns = w.eq(this.is64 ? fn.get(this.rip) : w.extendU(fn.get(this.rip)), w.load('i64', 64, w.i32(0), this.stateAddress('returnTo')));
        // its caller looks at itself first if it must
        fn.if(returns, () => { fn.return(w.select(w.ltS(this.state32('callsInDoubt'), this.state32('callDepth')), w.i32(HANDLER_STATUS.returned), w.i32(HANDLER_STATUS.dispatch))); });
        this.#lookUpJump(slot);
      });
      fn.if(fn.get(slot), () => { fn.returnCallIndirect(this.#regionType, [w.i32(0)], fn.get(slot)); });
    }, undefined, true);
    fn.return(w.i32(HANDLER_STATUS.dispatch));
  }
  /** Where control goes, and how many instructions are left. */
  #storePlace(): void {
    const { fn } = this;
    fn.store(64, w.i32(0), this.stateAddress('rip'), this.is64 ? fn.get(this.rip) : w.extendU(fn.get(this.rip)));
    fn.store(32, w.i32(0), this.stateAddress('budget'), fn.get(this.budget));
  }
  /** As they are: the run loop settles them when somebody else is to look. */
  #storeFlags(): void {
    const { fn } = this;
    const wide = (value: Expr): Expr => (this.is64 ? value : w.extendU(value));
    fn.store(32, w.i32(0), this.stateAddress('flagKind'), fn.get(this.#kind));
    fn.store(64, w.i32(0), this.stateAddress('flagA'), wide(fn.get(this.#flagA)));
    fn.store(64, w.i32(0), this.stateAddress('flagB'), wide(fn.get(this.#flagB)));
    fn.store(64, w.i32(0), this.stateAddress('flagResult'), this.is64 ? fn.get(this.#flagR) : w.extendS(fn.get(this.#flagR)));
  }
  #loadFlags(): void {
    const { fn } = this;
    const word = (field: 'flagA' | 'flagB' | 'flagResult'): Expr => w.load(this.#word, this.is64 ? 64 : 32, w.i32(0), this.stateAddress(field));
    fn.set(this.#kind, w.load('i32', 32, w.i32(0), this.stateAddress('flagKind')));
    fn.set(this.#flagR, word('flagResult'));
    fn.set(this.#flagA, word('flagA'));
    fn.set(this.#flagB, word('flagB'));
  }

  /**
   * Calls the region at a target, then goes on at `after` with everything loaded anew. If there is no region, or control does not come back there before it
   * leaves translated code, this region and whoever called it are left too. `link`: the word that leads to the target, 0 for none.
   */
  call(target: Expr, after: number, link = 0): void {
    const { fn } = this;
    fn.scope(() => {
      this.setTarget(target);
      this.#flushForExit();
      if (this.pending.type !== 'memory') this.#storeFlags();
      this.pay();
      fn.later(() => { this.#storeRegisters(); });
      this.#storePlace();
      const slot = fn.local('i32');
      if (link === 0) this.#lookUpJump(slot);
      else fn.set(slot, w.load('i32', 32, w.i32(0), link));
      // known to samples also when the slice ends here
      const outer = this.state64('returnTo');
      fn.store(64, w.i32(0), this.stateAddress('returnTo'), this.ripAt(after));
      const stops = w.or(w.leS(fn.get(this.budget), w.i32(0)), w.load('i32', 32, w.i32(0), this.stateAddress('pending')));
      fn.if(stops, () => { fn.return(w.i32(HANDLER_STATUS.dispatch)); }, undefined, false);
      const depth = this.state32('callDepth');
      fn.if(w.geS(depth, w.i32(MAX_CALL_DEPTH)), () => {
        fn.store(64, w.i32(0), this.stateAddress('returnTo'), outer);
        fn.returnCallIndirect(this.#regionType, [w.i32(0)], fn.get(slot));
      }, undefined, false);
      this.setState32('callDepth', w.add(depth, w.i32(1)));
      const status = fn.let(w.callIndirectExpr(this.#regionType, 'i32', [w.i32(0)], fn.get(slot)));
      fn.if(w.ne(status, w.i32(HANDLER_STATUS.returned)), () => {
        const finished = fn.let(this.core.finishCall.call(status, this.ripAt(after), w.add(depth, w.i32(1)), w.i32(this.#code), this.ripAt(0)));
        fn.if(w.ne(finished, w.i32(HANDLER_STATUS.returned)), () => { fn.return(finished); }, undefined, false);
        this.#loadTag();
      }, undefined, false);
      this.setState32('callDepth', depth);
      fn.store(64, w.i32(0), this.stateAddress('returnTo'), outer);
    });
    fn.set(this.budget, w.load('i32', 32, w.i32(0), this.stateAddress('budget')));
    fn.later(() => { this.#loadRegisters(); });
    this.pending = { type: 'memory' };
    this.nearby = new Map();
    this.checked = new Set();
  }

  /** The slot of the region that was reached at this address before, in this mode and address space, else 0. */
  #lookUpJump(slot: Local): void {
    const { fn } = this;
    const rip = fn.get(this.rip), jumps = this.privateBase + VCPU_LAYOUT.jumps;
    const entry = fn.let(jumpEntry(this.is64 ? w.wrap(rip) : rip));
    const wide = this.is64 ? rip : w.extendU(rip);
    // tag, slot and mode key in one word
    const found = fn.let(w.load('i64', 64, entry, jumps + 8));
    const tag = w.or(w.load('i64', 32, w.i32(0), this.stateAddress('tlbTag')), w.load('i64', 32, w.i32(0), this.stateAddress('jumpVersion')));
    const wanted = w.or(tag, w.i64(0, this.#modeKey << 16));
    const difference = w.or(w.xor(w.load('i64', 64, entry, jumps), wide), w.and(w.xor(found, wanted), w.i64(-1, 0xffff_0000 | 0)));
    fn.set(slot, w.i32(0));
    fn.if(w.eqz(difference), () => { fn.set(slot, w.and(w.wrap(w.shrU(found, w.i64(32))), w.i32(0xffff))); }, undefined, true);
  }

  /** In the word type of the mode. */
  ripWord(delta: number): Expr { return w.add(this.fn.get(this.ripBase), this.#constant(delta)); }
  #constant(value: number): Expr { return this.is64 ? w.i64(value) : w.i32(value); }
  ripAt(delta: number): Expr { return this.is64 ? this.ripWord(delta) : w.extendU(this.ripWord(delta)); }

  /** Leave for the dispatcher at a static address. Static knowledge stays as it is. */
  leaveTo(delta: number, link = 0): void {
    const { fn } = this;
    this.#flushForExit();
    this.#payForExit();
    fn.set(this.rip, this.ripWord(delta));
    if (link !== 0) fn.set(this.#link, w.i32(link));
    fn.br(this.pending.type === 'memory' ? this.#leave : this.#leaveFlags);
  }
  /** The flags to where an exit looks for them; static knowledge stays as it is. */
  #flushForExit(): void { if (this.pending.type !== 'memory') this.flushFlags(false); }
  #payForExit(): void { if (this.owed !== 0) this.fn.set(this.budget, w.sub(this.fn.get(this.budget), w.i32(this.owed))); }
  /** Cold: the current instruction faults (or must be retried); nothing of it has happened. */
  #leaveFault(): void { this.#leaveAt(this.#step.delta, this.#left, SITE.FAULT); }
  #leaveAt(delta: number, left: number, why: number): void {
    const { fn, pending } = this;
    if (delta < -SITE.BIAS || delta >= SITE.BIAS) { this.#leaveFar(delta, left, why); return; }
    const word = (value: Expr): Expr => this.is64 ? value.type === 'i64' ? value : w.extendU(value) : value.type === 'i64' ? w.wrap(value) : value;
    const none = this.#constant(0);
    let meaning: number, words: readonly Expr[];
    if (pending.type === 'memory') {
      meaning = 1 << SITE.SIZE_SHIFT;
      words = [none, none, none];
    } else if (pending.type === 'locals') {
      meaning = SITE.KEEP_KIND;
      words = [fn.get(this.#flagR), fn.get(this.#flagA), fn.get(this.#flagB)];
    } else if (pending.type === 'ready') {
      meaning = 0;
      words = [word(pending.result), word(pending.aux), none];
    } else if (isStep(pending.operation)) {
      meaning = SITE.KEEP_KIND | KIND[pending.operation] - KIND.logic << SITE.OPERATION_SHIFT | Math.log2(pending.size) << SITE.SIZE_SHIFT;
      words = [word(pending.result), word(pending.a), none];
    } else {
      meaning = KIND[pending.operation] << SITE.OPERATION_SHIFT | Math.log2(pending.size) << SITE.SIZE_SHIFT;
      words = pending.operation === 'logic' ? [word(pending.result), none, none] : [word(pending.result), word(pending.a), word(pending.b)];
    }
    fn.brWith(this.#exit, [w.i32(delta + SITE.BIAS | left - this.owed + SITE.LEFT_BIAS << SITE.LEFT_SHIFT | meaning | why), ...words]);
  }
  /** The same for a place that a site's constant cannot name: a jump or call out of the region, or a fault in a function far from its entry. */
  #leaveFar(delta: number, left: number, why: number): void {
    this.#flushForExit();
    if (left !== this.owed) this.fn.set(this.budget, w.add(this.fn.get(this.budget), w.i32(left - this.owed)));
    this.fn.set(this.rip, this.ripWord(delta));
    this.fn.set(this.status, w.i32((why & SITE.FAULT) !== 0 ? HANDLER_STATUS.faultAtRip : why !== 0 ? HANDLER_STATUS.interpret : 0));
    this.fn.br(this.pending.type === 'memory' ? this.#leave : this.#leaveFlags);
  }
  /** At a loop's head: return now and then, so that events are seen and the function can be replaced by optimized code. */
  pollEvents(delta: number | undefined): void {
    const { fn } = this;
    const leaveIf = (condition: Expr): void => {
      fn.if(condition, () => {
        if (delta === undefined) this.leaveToTarget();
        else this.leaveTo(delta);
      }, undefined, false);
    };
    leaveIf(w.leS(fn.get(this.budget), w.i32(0)));
    leaveIf(w.load('i32', 32, w.i32(0), this.stateAddress('pending')));
  }
  /** Counted now, taken from the budget where paths join or leave. */
  spend(instructions: number): void {
    if (this.owed + instructions >= SITE.LEFT_BIAS) this.pay();
    this.owed += instructions;
  }
  pay(): void {
    this.#payForExit();
    this.owed = 0;
  }

  /** What is known statically at a point where paths part, for the code of the other path. */
  known(): Known { return { pending: this.pending, nearby: this.nearby, owed: this.owed, checked: this.checked }; }
  recall({ pending, nearby, owed, checked }: Known): void {
    this.checked = checked;
    this.pending = pending;
    this.nearby = nearby;
    this.owed = owed;
  }

  begin(step: Step, left: number): void {
    this.#step = step;
    this.form = step.form;
    this.#left = left;
    if (this.#prepared.size > 0) this.#prepared.clear();
    if (this.#located.size > 0) this.#located.clear();
    this.outcome = NEXT;
    const openings = this.openings.get(step);
    if (openings !== undefined) for (const opening of openings) this.#open(opening);
    this.#adjustment = this.nearby.size > 0 ? adjustmentOf(step) : undefined;
  }

  /** Code of one instruction; what a REP prefix repeats goes on in place. */
  run(step: Step, left: number): void {
    this.begin(step, left);
    if (step.form.rep === 0) { step.entry.run(this); return; }
    if (step.traits.writesFlags) this.flushFlags();
    this.fn.loop((again) => {
      this.#again = again;
      step.entry.run(this);
      this.#again = undefined;
    });
  }

  // --- windows ---

  #open({ window, adjustment }: Opening): void {
    const { fn } = this, distance = window.low - adjustment;
    const at = fn.let(w.add(this.#get(window.base), this.#constant(distance)));
    const { entry, hits } = this.#inlineProbe(at, window.high - window.low, window.writes ? 1 : 0);
    const host = fn.local('i32');
    fn.set(host, w.select(hits, this.#hostAt(at, entry), w.i32(0)));
    this.nearby = new Map(this.nearby).set(window.base, { window, host, adjustment });
  }
  /** A register is written: its window moves with it if the instruction moves it by a constant, else it is closed. */
  #moved(register: number): void {
    const near = this.nearby.get(register);
    if (near === undefined) return;
    const nearby = new Map(this.nearby), adjustment = this.#adjustment;
    if (adjustment?.register === register) {
      nearby.set(register, { ...near, adjustment: near.adjustment + adjustment.distance });
      this.#adjustment = undefined;
    } else nearby.delete(register);
    this.nearby = nearby;
  }
  /** Linear address at a distance from a register, if a window has it. */
  #locate(register: number, distance: number, bytes: number): Expr | undefined {
    const near = this.nearby.get(register);
    if (near === undefined) return undefined;
    const { window, host, adjustment } = near, at = adjustment + distance - window.low;
    if (at < 0 || at + bytes > window.high - window.low) return undefined;
    // not evaluated now: only what looks up by itself needs it
    const address = w.add(this.#get(register), this.#constant(distance)), linear = this.is64 ? address : w.extendU(address);
    this.#located.set(linear, { host, at, bytes, isWritable: window.writes });
    return linear;
  }
  #locatedFor(linear: Expr, bytes: number, kind: number): Located | undefined {
    const found = this.#located.get(linear);
    return found !== undefined && bytes <= found.bytes && (kind === 0 || found.isWritable) ? found : undefined;
  }
  override stackLinear(distance: number, bytes: number, write = false, pointer = SP): Expr {
    const isPlain = this.form.stackSize === (this.is64 ? 8 : 4);
    return (isPlain ? this.#locate(pointer, distance, bytes) : undefined) ?? super.stackLinear(distance, bytes, write, pointer);
  }
  override loadLinear(linear: Expr, size: number): Expr { return this.#load(linear, size, this.typeOf(size)); }
  #load(linear: Expr, bytes: number, type: ValueType): Expr {
    const { fn } = this, near = this.#locatedFor(linear, bytes, 0), width = (bytes * 8) as w.Width;
    if (near === undefined) return fn.let(w.load(type, width, this.hostRead(linear, bytes)));
    const value = fn.local(type);
    fn.if(fn.get(near.host), () => { fn.set(value, w.load(type, width, fn.get(near.host), near.at)); }, () => {
      fn.set(value, w.load(type, width, this.#hostByCall(this.#narrow(linear), bytes, 0)));
    }, true);
    return fn.get(value);
  }

  // --- registers ---

  #local(number: number): Local {
    return this.#registers[number] ??= this.fn.permanentLocal(this.#word);
  }
  #get(number: number): Expr { return this.fn.get(this.#local(number)); }
  register(number: number, size: number): Expr {
    const value = this.#get(number);
    if (size === 8) return this.fn.let(this.is64 ? value : w.extendU(value));
    const low = this.is64 ? w.wrap(value) : value;
    return this.fn.let(this.truncate(size, low));
  }
  setRegister(number: number, size: number, value: Expr): void {
    const local = this.#local(number);
    this.written.add(number);
    this.#moved(number);
    const { fn } = this;
    if (size === 8) fn.set(local, this.is64 ? value : w.wrap(value));
    else if (size === 4) fn.set(local, this.is64 ? w.extendU(value) : value);
    else {
      const mask = size === 2 ? 0xffff : 0xff;
      const low = w.and(value, w.i32(mask));
      fn.set(local, this.is64 ? w.or(w.and(fn.get(local), w.i64(~mask, -1)), w.extendU(low)) : w.or(w.and(fn.get(local), w.i32(~mask)), low));
    }
  }
  #high(number: number): Expr {
    const value = this.#get(number);
    return this.fn.let(w.and(w.shrU(this.is64 ? w.wrap(value) : value, w.i32(8)), w.i32(0xff)));
  }
  #setHigh(number: number, value: Expr): void {
    const local = this.#local(number);
    this.written.add(number);
    this.#moved(number);
    const { fn } = this;
    const byte = w.shl(w.and(value, w.i32(0xff)), w.i32(8));
    fn.set(local, this.is64 ? w.or(w.and(fn.get(local), w.i64(~0xff00, -1)), w.extendU(byte)) : w.or(w.and(fn.get(local), w.i32(~0xff00)), byte));
  }
  registerAh(): Expr { return this.#high(0); }
  setRegisterAh(value: Expr): void { this.#setHigh(0, value); }

  // --- vector registers ---

  override stateAddress(field: StateField, index = 0, stride = 8): number {
    if (field === 'vector') this.touchesVectorState = true;
    return super.stateAddress(field, index, stride);
  }
  #vectorHome(number: number): Expr { return w.load('v128', 128, w.i32(0), super.stateAddress('vector', number, 32)); }
  #vector(number: number): Expr {
    if (!this.keepsVectors) return this.fn.let(this.#vectorHome(number));
    return this.fn.let(this.fn.get(this.#vectors[number] ??= this.fn.permanentLocal('v128')));
  }
  #setVector(number: number, value: Expr): void {
    if (!this.keepsVectors) { this.fn.store(128, w.i32(0), super.stateAddress('vector', number, 32), value); return; }
    this.fn.set(this.#vectors[number] ??= this.fn.permanentLocal('v128'), value);
    this.#writtenVectors.add(number);
  }

  // --- operands ---

  read(operand: number, size?: number): Expr {
    const { inst } = this.#step;
    const bytes = inst.opSizeBytes[operand]!, register = inst.opReg[operand]!;
    switch (inst.opKind[operand]) {
      case OpKind.gpr: return this.register(register, bytes);
      case OpKind.gpr8h: return this.#high(register - 4);
      case OpKind.imm: case OpKind.rel: case OpKind.far: case OpKind.imm2: {
        const width = size ?? this.sizeOf(0);
        return width === 8 ? w.i64(inst.immLo, inst.immHi) : w.i32(width === 4 ? inst.immLo : inst.immLo & (width === 2 ? 0xffff : 0xff));
      }
      case OpKind.xmm: case OpKind.ymm: return this.#vector(register);
      case OpKind.mmx: return this.fn.let(w.load('i64', 64, w.i32(0), this.stateAddress('fpr', register, 16)));
      case OpKind.seg: return this.state32('selector', register);
      default: return this.#loadMemory(this.address(operand, bytes), bytes);
    }
  }
  #loadMemory(linear: Expr, bytes: number): Expr {
    return this.#load(linear, bytes, bytes === 16 ? 'v128' : this.typeOf(bytes));
  }
  #isMemoryOperand(operand: number): boolean {
    const kind = this.form.operands[operand]?.kind;
    return kind === 'mem' || kind === 'moffs';
  }
  readModify(operand: number): Expr {
    if (!this.#isMemoryOperand(operand)) return this.read(operand);
    const bytes = this.sizeOf(operand);
    const host = this.hostWrite(this.address(operand, bytes, true), bytes, true);
    this.#prepared.set(operand, host);
    return this.fn.let(bytes === 16 ? w.load('v128', 128, host) : w.load(this.typeOf(bytes), (bytes * 8) as w.Width, host));
  }
  prepareWrite(operand: number): void {
    if (!this.#isMemoryOperand(operand)) return;
    const bytes = this.sizeOf(operand);
    this.#prepared.set(operand, this.hostWrite(this.address(operand, bytes, true), bytes));
  }
  write(operand: number, value: Expr): void {
    const { inst } = this.#step;
    const bytes = inst.opSizeBytes[operand]!, register = inst.opReg[operand]!;
    switch (inst.opKind[operand]) {
      case OpKind.gpr: this.setRegister(register, bytes, value); return;
      case OpKind.gpr8h: this.#setHigh(register - 4, value); return;
      case OpKind.xmm: case OpKind.ymm: this.#setVector(register, value); return;
      case OpKind.mmx: this.fn.store(64, w.i32(0), this.stateAddress('fpr', register, 16), value); return;
      default: {
        const prepared = this.#prepared.get(operand);
        if (prepared === undefined) { this.storeLinear(this.address(operand, bytes, true), bytes, value); return; }
        this.fn.store((bytes * 8) as w.Width, prepared, 0, value);
        this.commit(prepared);
      }
    }
  }

  /** Offset in the word type of the mode: i32 for 32-bit addresses outside long mode, else i64. */
  #offset(): Expr {
    const { inst } = this.#step;
    if (inst.ripRelative) return this.ripAt(this.#step.delta + inst.length + inst.disp);
    const wide = this.is64;
    let sum: Expr | undefined = inst.base < 0 ? undefined : this.#get(inst.base);
    if (inst.index >= 0) {
      const index = this.#get(inst.index);
      const scaled = w.shl(index, wide ? w.i64(inst.scale) : w.i32(inst.scale));
      sum = sum === undefined ? scaled : w.add(sum, scaled);
    }
    const disp = inst.disp + this.#popped();
    const constant = wide ? w.i64(disp) : w.i32(disp);
    sum = sum === undefined ? constant : w.add(sum, constant);
    if (inst.addrSize === 2) return wide ? sum : w.and(sum, w.i32(0xffff));
    return wide && inst.addrSize === 4 ? w.and(sum, w.i64(-1, 0)) : sum;
  }
  /** POP to memory computes its address with the stack pointer already moved. */
  #popped(): number {
    const { inst } = this.#step;
    return inst.row.mnemonic === 'pop' && inst.base === SP ? inst.opSize : 0;
  }
  indexVectorAddress(): Expr { return w.i32(this.stateAddress('vector', this.#step.inst.index, 32)); }
  elementAddress(index: Expr, bytes: number): Expr {
    const { inst } = this.#step, base = inst.ripRelative || inst.base < 0 ? w.i64(0) : this.#get(inst.base);
    const sum = w.add(w.add(base.type === 'i64' ? base : w.extendU(base), w.shl(index, w.i64(inst.scale))), w.i64(inst.disp));
    const cut = inst.addrSize === 8 ? sum : w.and(sum, w.i64(inst.addrSize === 4 ? -1 : 0xffff, 0));
    return this.linear(inst.seg, this.fn.let(cut), bytes);
  }
  offset(): Expr {
    const offset = this.#offset();
    return this.fn.let(offset.type === 'i64' ? offset : w.extendU(offset));
  }
  address(operand: number, bytes = this.sizeOf(operand), write = false): Expr {
    const { inst } = this.#step;
    if (inst.opKind[operand] === OpKind.moffs) {
      const offset = this.is64 ? w.i64(inst.immLo, inst.immHi) : w.i64(inst.immLo, 0);
      return this.linear(inst.seg, offset, bytes, write);
    }
    if (inst.base >= 0 && inst.index < 0 && !inst.ripRelative && this.#isFlat(inst.seg) && inst.addrSize === (this.is64 ? 8 : 4)) {
      const located = this.#locate(inst.base, inst.disp + this.#popped(), bytes);
      if (located !== undefined) return located;
    }
    const offset = this.#offset();
    return this.linear(inst.seg, offset.type === 'i64' ? offset : w.extendU(offset), bytes, write);
  }
  /** Without a limit of CS, or it would not be translated (MODE.FLAT). */
  override readonly checksCodeLimit = false;
  selector(): Expr { return this.state32('selector', this.#step.inst.seg); }
  number(operand: number): Expr { return w.i32(this.#step.inst.opReg[operand]!); }
  immediate64(): Expr { return w.i64(this.#step.inst.immLo, this.#step.inst.immHi); }
  secondImmediate(): Expr { return w.i32(this.#step.inst.imm2); }
  /** For the upper half, which is nowhere else: gathers alone want more, and are known by their index register. */
  vectorAddress(operand: number): Expr { return w.i32(super.stateAddress('vector', this.#step.inst.opReg[operand], 32)); }
  mmxAddress(operand: number): Expr { return w.i32(this.stateAddress('fpr', this.#step.inst.opReg[operand], 16)); }

  // --- memory ---

  /** The linear address as the probe wants it: i32 outside long mode, i64 inside. */
  #narrow(linear: Expr): Expr { return this.is64 ? linear : w.narrowed(linear); }
  /** FLAT says nothing about FS and GS, and CS cannot be written. */
  #isFlat(segment: number): boolean { return segment !== FS && segment !== GS && (this.is64 || segment !== CS); }
  linear(segment: number, offset: Expr, bytes: number, write = false): Expr {
    if (this.#isFlat(segment)) return this.is64 ? this.fn.let(offset) : w.extendU(this.fn.let(w.narrowed(offset)));
    if (this.is64) return this.fn.let(w.add(offset, w.load('i64', 64, w.i32(0), this.stateAddress('segment', segment * 2))));
    const linear = this.fn.let(this.core.segmentLinear.call(w.i32(segment * 16), offset, w.i32(bytes | (write ? 0x100 : 0))));
    // a failed check has recorded its fault and gives an address above 4 GiB
    this.fn.if(w.wrap(w.shrU(linear, w.i64(32))), () => { this.#leaveFault(); }, undefined, false);
    return linear;
  }
  linearSource(offset: Expr, bytes: number, write = false): Expr { return this.linear(this.#step.inst.seg, offset, bytes, write); }

  /**
   * The module's function that looks an address up: (linear) -> host address or 0, or with a value (linear, value) -> whether it was stored.
   * Functions of the module, so that a site is small; V8 inlines them where code is hot.
   */
  #probe(bytes: number, kind: 0 | 1 | 3, value?: ValueType): FunctionRef {
    const name = (((bytes * 4 + kind) * 8 + (value === undefined ? 0 : VALUE_NUMBER[value])) * 2 + (this.#isUser ? 1 : 0)) * 2 + (this.is64 ? 1 : 0);
    let probe = this.#probes.get(name);
    if (probe === undefined) {
      probe = this.#module.declare(value === undefined ? [this.#word] : [this.#word, value], ['i32']);
      this.#module.fill(probe, (fn) => { this.#defineProbe(fn, bytes, kind, value !== undefined); });
      this.#probes.set(name, probe);
    }
    return probe;
  }
  #defineProbe(fn: FunctionBuilder, bytes: number, kind: 0 | 1 | 3, stores: boolean): void {
    const linear = fn.param(0), low = this.is64 ? w.wrap(linear) : linear;
    const { entry, hits } = this.#lookUp(fn, linear, bytes, kind, w.load(this.#word, this.is64 ? 64 : 32, w.i32(0), this.stateAddress('tlbTag')));
    fn.if(hits, () => {
      const host = this.#hostAt(linear, entry);
      if (!stores) { fn.return(host); return; }
      fn.store((bytes * 8) as w.Width, host, 0, fn.param(1));
      fn.return(w.i32(1));
    }, undefined, true);
    const slow = this.core.access.call(low, this.is64 ? w.wrap(w.shrU(linear, w.i64(32))) : w.i32(0), w.i32(bytes), w.i32(kind));
    if (!stores) { fn.return(slow); return; }
    const host = fn.let(slow);
    fn.if(w.eqz(host), () => { fn.return(w.i32(0)); });
    fn.store((bytes * 8) as w.Width, host, 0, fn.param(1));
    fn.if(w.ltU(host, w.i32(this.privateBase + VCPU_LAYOUT.tlb)), () => { fn.return(w.eqz(this.core.commit.call())); });
    fn.return(w.i32(1));
  }
  /** By the module's function; a fault leaves. */
  #hostByCall(linear: Expr, bytes: number, kind: 0 | 1 | 3, host = this.fn.local('i32')): Expr {
    this.fn.set(host, this.#probe(bytes, kind).call(linear));
    this.fn.unless(this.fn.get(host), () => { this.#leaveFault(); }, false);
    return this.fn.get(host);
  }
  #host(linear64: Expr, bytes: number, kind: 0 | 1 | 3): Expr {
    const { fn } = this;
    const linear = this.#narrow(linear64);
    const near = this.#locatedFor(linear64, bytes, kind);
    if (near === undefined && !this.inlinesProbes) return this.#hostByCall(linear, bytes, kind);
    const host = fn.local('i32'), byCall = (): void => { this.#hostByCall(linear, bytes, kind, host); };
    if (near === undefined) {
      const { entry, hits } = this.#inlineProbe(linear, bytes, kind);
      fn.if(hits, () => { fn.set(host, this.#hostAt(linear, entry)); }, byCall, true);
    } else fn.if(fn.get(near.host), () => { fn.set(host, w.add(fn.get(near.host), w.i32(near.at))); }, byCall, true);
    return fn.get(host);
  }
  #inlineProbe(linear: Expr, bytes: number, kind: 0 | 1 | 3): { entry: Expr; hits: Expr } { return this.#lookUp(this.fn, linear, bytes, kind, this.fn.get(this.#tag)); }
  /** Offset of the TLB entry for an address, and whether it allows the access. */
  #lookUp(fn: FunctionBuilder, linear: Expr, bytes: number, kind: 0 | 1 | 3, tag: Expr): { entry: Expr; hits: Expr } {
    const page = w.shrU(linear, this.#constant(7)), slot = w.and(this.is64 ? w.wrap(page) : page, ENTRY_MASK);
    const entry = fn.let(this.#isUser ? w.xor(slot, w.i32(TLB_USER_FLIP)) : slot);
    const wanted = w.or(w.and(w.add(linear, this.#constant(bytes - 1)), this.#constant(-4096)), tag);
    const found = w.load('i64', this.is64 ? 64 : 32, entry, this.privateBase + VCPU_LAYOUT.tlb + (kind === 0 ? TLB_ENTRY.readTag : TLB_ENTRY.writeTag));
    // as 64 bits also where 32 are meant: V8 folds a 32-bit load into the comparison and makes it a second time, because it may trap
    return { entry, hits: w.eq(found, this.is64 ? wanted : w.extendU(wanted)) };
  }
  #hostAt(linear: Expr, entry: Expr): Expr {
    return w.add(this.is64 ? w.wrap(linear) : linear, w.load('i32', 32, entry, this.privateBase + VCPU_LAYOUT.tlb + TLB_ENTRY.addend));
  }
  hostRead(linear: Expr, bytes: number): Expr { return this.#host(linear, bytes, 0); }
  hostWrite(linear: Expr, bytes: number, alsoRead = false): Expr { return this.#host(linear, bytes, alsoRead ? 3 : 1); }
  override storeLinear(linear64: Expr, size: number, value: Expr): void {
    const { fn } = this;
    const linear = this.#narrow(linear64);
    const store = this.#probe(size, 1, value.type);
    const byCall = (what: Expr): void => { fn.unless(store.call(linear, what), () => { this.#leaveFault(); }, false); };
    const near = this.#locatedFor(linear64, size, 1);
    if (near === undefined && !this.inlinesProbes) { byCall(value); return; }
    const stored = fn.let(value), width = (size * 8) as w.Width;
    if (near === undefined) {
      const { entry, hits } = this.#inlineProbe(linear, size, 1);
      fn.if(hits, () => { fn.store(width, this.#hostAt(linear, entry), 0, stored); }, () => { byCall(stored); }, true);
    } else fn.if(fn.get(near.host), () => { fn.store(width, fn.get(near.host), near.at, stored); }, () => { byCall(stored); }, true);
  }
  commit(host: Expr): void {
    this.fn.if(w.ltU(host, w.i32(this.privateBase + VCPU_LAYOUT.tlb)), () => {
      this.fn.if(this.core.commit.call(), () => { this.#leaveFault(); }, undefined, false);
    }, undefined, false);
  }
  bulkReadable(linear: Expr, bytes: number): Expr { return this.fn.let(this.#inlineProbe(this.#narrow(linear), bytes, 0).hits); }
  bulkWritable(linear: Expr, bytes: number): Expr { return this.fn.let(this.#inlineProbe(this.#narrow(linear), bytes, 1).hits); }
  /** Flat segments and those of long mode have no limit that a run could meet. */
  override bulkLimit(segment: number | 'source'): Expr {
    const number = segment === 'source' ? this.#step.inst.seg : segment;
    return this.is64 || (number !== FS && number !== GS) ? w.i64(-1, 0x7fff_ffff) : w.i64(0);
  }

  // --- flags ---

  /** Bring the flags into the locals that every block edge and exit expects. With `keep` false the static knowledge stays (cold paths). */
  flushFlags(settle = true): void {
    const { fn, pending } = this;
    if (pending.type === 'locals') return;
    if (pending.type === 'memory') {
      this.#loadFlags();
      if (settle) this.pending = { type: 'locals' };
      return;
    }
    const widen = (value: Expr): Expr => (this.is64 ? value.type === 'i64' ? value : w.extendU(value) : value);
    if (pending.type === 'ready') {
      fn.set(this.#flagR, this.is64 ? pending.result : w.wrap(pending.result));
      fn.set(this.#flagA, widen(pending.aux));
      fn.set(this.#kind, w.i32(KIND.ready));
    } else {
      fn.set(this.#flagR, widen(pending.result));
      if (pending.operation !== 'logic') {
        fn.set(this.#flagA, widen(pending.a));
        fn.set(this.#flagB, widen(pending.b));
      }
      fn.set(this.#kind, w.i32(kindNumber(pending.operation, pending.size)));
    }
    if (settle) this.pending = { type: 'locals' };
  }
  setFlags(result64: Expr, aux: Expr): void { this.flagWrites++; this.pending = { type: 'ready', result: this.fn.once(result64), aux: this.fn.once(aux) }; }
  override flagsLogic(size: number, result: Expr): void { this.#operation('logic', size, result, result, result); }
  override flagsAdd(size: number, a: Expr, b: Expr, result: Expr): void { this.#operation('add', size, a, b, result); }
  override flagsSub(size: number, a: Expr, b: Expr, result: Expr): void { this.#operation('sub', size, a, b, result); }
  override flagsStep(size: number, up: boolean, carry: Expr, result: Expr): void { this.#operation(up ? 'up' : 'down', size, carry, w.i32(0), result); }
  #operation(operation: Operation, size: number, a: Expr, b: Expr, result: Expr): void { this.flagWrites++; this.pending = { type: 'operation', isPlain: !CARRY_IN.has(this.form.mnemonic), operation, size, a, b, result }; }

  /** Result and aux from the locals, whatever their kind: a call to a helper unless they are ready. */
  #localFlags(): { result: Expr; aux: Expr } {
    const { fn } = this;
    const result = fn.local('i64'), aux = fn.local('i32');
    const wide = (local: Local): Expr => (this.is64 ? fn.get(local) : w.extendU(fn.get(local)));
    fn.if(fn.get(this.#kind), () => {
      fn.set(aux, this.#helper('lazyAux').call(fn.get(this.#kind), wide(this.#flagA), wide(this.#flagB), wide(this.#flagR)));
      fn.set(result, this.#helper('lazyResult').call(fn.get(this.#kind), wide(this.#flagR)));
    }, () => {
      fn.set(aux, this.is64 ? w.wrap(fn.get(this.#flagA)) : fn.get(this.#flagA));
      fn.set(result, this.is64 ? fn.get(this.#flagR) : w.extendS(fn.get(this.#flagR)));
    });
    return { result: fn.get(result), aux: fn.get(aux) };
  }
  /** Carry alone from the locals, which stay as they are. */
  #localCarry(): Expr {
    this.flushFlags();
    const { fn } = this, carry = fn.local('i32');
    const low = (local: Local): Expr => (this.is64 ? w.wrap(fn.get(local)) : fn.get(local)), wide = (local: Local): Expr => (this.is64 ? fn.get(local) : w.extendU(fn.get(local)));
    fn.if(fn.get(this.#kind), () => {
      fn.if(w.geU(fn.get(this.#kind), w.i32(KIND.up * 16)), () => { fn.set(carry, low(this.#flagA)); }, () => {
        fn.set(carry, w.shrU(this.#helper('lazyAux').call(fn.get(this.#kind), wide(this.#flagA), wide(this.#flagB), wide(this.#flagR)), w.i32(31)));
      });
    }, () => { fn.set(carry, w.shrU(low(this.#flagA), w.i32(31))); });
    return fn.get(carry);
  }
  /** Make the flags `ready` in static knowledge. */
  #ready(): { result: Expr; aux: Expr } {
    const { pending } = this;
    if (pending.type === 'ready') return pending;
    if (pending.type === 'memory') this.flushFlags();
    if (pending.type === 'locals' || pending.type === 'memory') {
      const flags = this.#localFlags();
      this.pending = { type: 'ready', ...flags };
      return flags;
    }
    const { operation, size, a, b, result } = pending;
    const { flagWrites } = this;
    if (operation === 'add') super.flagsAdd(size, a, b, result);
    else if (operation === 'sub') super.flagsSub(size, a, b, result);
    else if (isStep(operation)) super.flagsStep(size, operation === 'up', a, result);
    else super.flagsLogic(size, result);
    this.flagWrites = flagWrites;
    return this.pending as { result: Expr; aux: Expr } & Pending;
  }
  flagResult(): Expr { return this.#ready().result; }
  flagAux(): Expr { return this.#ready().aux; }

  override flag(flag: Flag): Expr {
    if (flag === 'c' && (this.pending.type === 'locals' || this.pending.type === 'memory')) return this.#localCarry();
    const direct = this.#directFlag(flag);
    return direct === undefined ? super.flag(flag) : this.fn.let(direct);
  }
  #directFlag(flag: Flag): Expr | undefined {
    const { pending } = this;
    if (pending.type !== 'operation') return undefined;
    const { operation, size, a, b, result, isPlain } = pending;
    switch (flag) {
      case 'z': return w.eqz(result);
      case 's': return size === 8 ? w.wrap(w.shrU(result, w.i64(63))) : w.and(w.shrU(result, w.i32(size * 8 - 1)), w.i32(1));
      case 'c': return isStep(operation) ? a : operation === 'logic' ? w.i32(0) : isPlain ? operation === 'sub' ? w.ltU(a, b) : w.ltU(result, a) : undefined;
      case 'o': return isStep(operation) ? this.stepOverflow(size, operation === 'up', result) : operation === 'logic' ? w.i32(0) : undefined;
      case 'p': return w.xor(w.and(w.popcnt(w.and(size === 8 ? w.wrap(result) : result, w.i32(0xff))), w.i32(1)), w.i32(1));
      default: return undefined;
    }
  }
  override condition(code: number): Expr {
    const { pending } = this;
    const isDirect = pending.type === 'operation' && (pending.operation === 'logic' || (pending.operation === 'sub' && pending.isPlain) || (isStep(pending.operation) && ZERO_OR_SIGN.has(code >> 1)));
    if (isDirect) {
      const direct = this.#compare(code >> 1, pending.operation, pending.size, pending.a, pending.b, pending.result);
      if (direct !== undefined) return this.fn.let((code & 1) === 0 ? direct : w.eqz(direct));
    }
    return super.condition(code);
  }
  #compare(pair: number, operation: Operation, size: number, a: Expr, b: Expr, result: Expr): Expr | undefined {
    const s = (value: Expr): Expr => this.signed(size, value);
    const isSub = operation === 'sub';
    switch (pair) {
      case 1: return isSub ? w.ltU(a, b) : w.i32(0);
      case 2: return isSub ? w.eq(a, b) : w.eqz(result);
      case 3: return isSub ? w.leU(a, b) : w.eqz(result);
      case 4: return w.ltS(s(result), this.constant(size, 0));
      case 6: return isSub ? w.ltS(s(a), s(b)) : w.ltS(s(result), this.constant(size, 0));
      case 7: return isSub ? w.leS(s(a), s(b)) : w.leS(s(result), this.constant(size, 0));
      default: return undefined;
    }
  }

  // --- events and control ---

  fault(vector: number, errorCode: number | Expr = 0): void {
    this.setState32('faultVector', w.i32(vector));
    this.setState32('faultError', typeof errorCode === 'number' ? w.i32(errorCode) : errorCode);
    this.#leaveFault();
  }
  /** Stored too: a clock that counts instructions looks at it there. */
  override instructionsLeft(): Expr {
    const left = this.fn.let(w.sub(this.fn.get(this.budget), w.i32(this.owed - this.#left + 1)));
    this.setState32('budget', left);
    return left;
  }
  nextIp(): Expr { return this.fn.let(this.ripAt(this.#step.delta + this.#step.inst.length)); }
  currentIp(): Expr { return this.fn.let(this.ripAt(this.#step.delta)); }
  #cut(target: Expr, size: number): Expr { return size === 8 ? target : w.and(target, w.i64(size === 2 ? 0xffff : -1, 0)); }
  relativeTarget(): Expr {
    this.#needWideBranch();
    const { inst, delta } = this.#step;
    return this.fn.let(this.#cut(this.ripAt(delta + inst.length + inst.immLo), this.size));
  }
  jump(target: Expr, size = this.size): void {
    this.outcome = { type: 'dynamic', target: this.fn.once(this.#cut(target, size)) };
  }
  /** Where a computed jump goes; `leaveToTarget` and `targetDelta` follow. */
  setTarget(target: Expr): void { this.fn.set(this.rip, this.is64 ? target : w.wrap(target)); }
  /** Distance of the computed target from the entry (i32); far away in long mode: one that no block has. */
  targetDelta(): Expr {
    const distance = w.sub(this.fn.get(this.rip), this.fn.get(this.ripBase));
    if (!this.is64) return distance;
    const wide = this.fn.let(distance);
    return w.select(w.eq(w.extendS(w.wrap(wide)), wide), w.wrap(wide), w.i32(SWITCH_DELTA));
  }
  /** Leave for the dispatcher at the computed target. */
  leaveToTarget(): void {
    this.#flushForExit();
    this.#payForExit();
    this.fn.br(this.pending.type === 'memory' ? this.#leave : this.#leaveFlags);
  }
  jumpRelative(): void { this.#needWideBranch(); this.outcome = { type: 'jump' }; }
  /** A branch of 16-bit operand size cuts its target: left to the interpreter (see isTranslatable). */
  #needWideBranch(): void { if (this.size === 2) throw new Error('16-bit branch'); }
  jumpRelativeIf(condition: Expr): void { this.#needWideBranch(); this.outcome = { type: 'branch', condition: this.fn.once(condition) }; }
  dispatchNext(): void {
    this.leaveTo(this.#step.delta + this.#step.inst.length);
    this.outcome = { type: 'leave' };
  }
  dispatch(): void { throw new Error('not in translated code'); }
  repeat(): void {
    const { fn } = this, again = this.#again;
    if (again === undefined) throw new Error(`${this.form.mnemonic} is repeated without a prefix`);
    const repeats = fn.let(w.add(this.state32('exitReason'), w.i32(1)));
    const stops = w.or(w.eqz(w.and(repeats, w.i32(REPEATS_A_VISIT - 1))), w.load('i32', 32, w.i32(0), this.stateAddress('pending')));
    this.setState32('exitReason', repeats);
    fn.if(stops, () => {
      // a slice must end, however long the instruction goes on
      fn.unless(w.and(repeats, w.i32(REPEATS_A_TURN - 1)), () => { fn.drop(w.atomic('i32', ATOMIC_OR, [w.i32(this.stateAddress('pending')), w.i32(1)], 0, 2)); });
      this.#leaveAt(this.#step.delta, this.#left, 0);
    }, undefined, false);
    if (this.#step.traits.writesFlags) this.flushFlags();
    fn.br(again);
  }
  uncommon(): void { this.#leaveAt(this.#step.delta, this.#left, this.#step.delta === 0 ? SITE.INTERPRET : 0); }
  calloutThen(name: CalloutName): void {
    // a pending x87 exception without CR0.NE: on a cold edge, and the interpreter's
    if (name !== 'fpu_exception') throw new Error(`callout ${name} in translated code`);
    this.uncommon();
  }

  override constantVector(...lanes: readonly number[]): Expr {
    const key = lanes.join();
    let local = this.#constants.get(key);
    if (local === undefined) this.#constants.set(key, local = this.fn.permanentLocal('v128'));
    return this.fn.get(local);
  }
  override once(name: string, check: () => void): void {
    if (this.checked.has(name)) return;
    check();
    this.checked = new Set(this.checked).add(name);
  }
  override when(condition: Expr, then: () => void, otherwise?: () => void): void {
    // what is checked on the way through a condition is not checked on the other
    const { checked } = this;
    this.#when(condition, then, otherwise);
    this.checked = checked;
  }
  #when(condition: Expr, then: () => void, otherwise?: () => void): void {
    if (w.isConst(condition)) {
      if (condition.lo !== 0) then();
      else otherwise?.();
      return;
    }
    const { fn, pending, flagWrites } = this;
    if (otherwise !== undefined) {
      this.flushFlags();
      const branch = (body: () => void) => (): void => {
        body();
        this.flushFlags();
      };
      fn.if(condition, branch(then), branch(otherwise));
      return;
    }
    // most bodies have nothing to do with flags: what is known about them then stays known
    let isSame = false;
    fn.if(condition, () => {
      then();
      isSame = this.pending === pending && this.flagWrites === flagWrites;
      if (!isSame) this.flushFlags();
    }, () => {
      this.pending = pending;
      if (!isSame) this.flushFlags();
    });
  }
  override unless(condition: Expr, then: () => void): void { this.when(w.eqz(condition), then); }

  #helper(name: string): InterpreterCore['commit'] {
    const found = this.core.helpers[name];
    if (found === undefined) throw new MissingHelper(name);
    this.usedHelpers.add(name);
    return found;
  }
  helper(name: string, ...args: readonly Expr[]): Expr { return this.fn.let(this.#helper(name).call(...args)); }
  helperVoid(name: string, ...args: readonly Expr[]): void { this.fn.callVoid(this.#helper(name).index, args); }
}
