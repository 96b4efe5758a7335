import type { Flag } from '@vmm/isa';
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder, Local } from '@vmm/wasm';
import { SITE } from './exit-site.ts';
import { FUNCTION } from './module-functions.ts';
import type { ModuleFunctions } from './module-functions.ts';
import { directCondition, directFlag, IN_LOCALS, IN_MEMORY, isStep } from './pending-flags.ts';
import type { FlagArithmetic, Operation, Pending, PendingOperation } from './pending-flags.ts';
import type { RegionCode } from './region-code.ts';

/** Kinds of the lazy flags in locals. `ready`: the result local is the result (sign-extended), the first operand's flagAux. Others: operation and size. */
const KIND = { ready: 0, add: 1, sub: 2, logic: 3, up: 4, down: 5, multiply: 6 } as const;
const OPERATION_FACTOR = 16;

/** The flags as result and aux. */
interface ReadyFlags { readonly result: Expr; readonly aux: Expr }
export interface FlagWords { /** Of the words, for a site. */ readonly meaning: number; /** Result and operands, unless they are where they have been. */ readonly words: readonly Expr[] | undefined }
/** What the machine does for its flags. */
export interface FlagPorts extends FlagArithmetic {
  /** Sets the flags of an operation as result and aux, as every machine would. */
  computeFlags(pending: PendingOperation): void;
}

/** (site, kind so far) -> kind, negative if the flags are in the state block. */
function defineSiteKind(fn: FunctionBuilder): void {
  const site = fn.param(0), operation = fn.let(w.and(w.shrU(site, w.i32(SITE.OPERATION_SHIFT)), w.i32(3))), size = fn.let(w.and(w.shrU(site, w.i32(SITE.SIZE_SHIFT)), w.i32(3)));
  const kindOf = (number: Expr): Expr => w.add(w.mul(number, w.i32(OPERATION_FACTOR)), w.shl(w.i32(1), size));
  fn.if(w.and(site, w.i32(SITE.KEEP_KIND)), () => { fn.return(w.select(operation, kindOf(w.add(operation, w.i32(KIND.logic))), fn.param(1))); });
  fn.return(w.select(operation, kindOf(operation), w.sub(w.i32(0), size)));
}

/** Lazy flags: an operation and its operands that only code knows (pending), the same in locals (at joins and exits), or still in the state block. */
export class FlagState {
  readonly #code: RegionCode;
  readonly #ports: FlagPorts;
  readonly #functions: ModuleFunctions;
  readonly #kind: Local;
  readonly #a: Local;
  readonly #b: Local;
  readonly #result: Local;
  pending: Pending = IN_MEMORY;
  /** How often code has set flags so far. */
  writes = 0;

  constructor(code: RegionCode, functions: ModuleFunctions, ports: FlagPorts) {
    const { fn, word } = this.#code = code;
    this.#functions = functions;
    this.#ports = ports;
    this.#kind = fn.local('i32');
    this.#a = fn.local(word);
    this.#b = fn.local(word);
    this.#result = fn.local(word);
  }

  // --- between locals and the state block ---

  /** As they are: the run loop settles them when somebody else is to look. */
  store(): void {
    const { fn } = this.#code;
    this.#code.store32('flagKind', fn.get(this.#kind));
    this.#code.store64('flagA', this.#code.wide(fn.get(this.#a)));
    this.#code.store64('flagB', this.#code.wide(fn.get(this.#b)));
    this.#code.store64('flagResult', this.#signedResult());
  }
  #load(): void {
    const { fn } = this.#code;
    fn.set(this.#kind, this.#code.load32('flagKind'));
    fn.set(this.#result, this.#code.loadWord('flagResult'));
    fn.set(this.#a, this.#code.loadWord('flagA'));
    fn.set(this.#b, this.#code.loadWord('flagB'));
  }
  #signedResult(): Expr { return this.#code.is64 ? this.#code.fn.get(this.#result) : w.extendS(this.#code.fn.get(this.#result)); }

  // --- into locals ---

  /** Bring the flags into the locals that every block edge and exit expects. */
  flush(): void {
    const { pending } = this, { fn } = this.#code;
    this.pending = IN_LOCALS;
    if (pending.type === 'locals') return;
    if (pending.type === 'memory') { this.#load(); return; }
    fn.set(this.#result, this.#code.fit(pending.result));
    if (pending.type === 'ready') {
      fn.set(this.#a, this.#code.fit(pending.aux));
      fn.set(this.#kind, w.i32(KIND.ready));
      return;
    }
    if (pending.operation !== 'logic') {
      fn.set(this.#a, this.#code.fit(pending.a));
      fn.set(this.#b, this.#code.fit(pending.b));
    }
    fn.set(this.#kind, this.#kindOf(pending));
  }
  #kindOf({ operation, size }: PendingOperation): Expr { return w.i32(KIND[operation] * OPERATION_FACTOR + size); }

  // --- for exits: result, operands and kind on the stack, or by a site: three words on the stack, and what they mean in its constant ---

  /** Result, operands and kind where only code knows them. */
  wordsForExit(): readonly Expr[] | undefined {
    const { pending } = this;
    if (pending.type === 'memory' || pending.type === 'locals') return undefined;
    return [...this.#words(pending), pending.type === 'ready' ? w.i32(KIND.ready) : this.#kindOf(pending)];
  }
  wordsForSite(): FlagWords {
    const { pending } = this;
    switch (pending.type) {
      case 'memory': return { meaning: 1 << SITE.SIZE_SHIFT, words: undefined };
      case 'locals': return { meaning: SITE.KEEP_KIND, words: undefined };
      case 'ready': return { meaning: 0, words: this.#words(pending) };
      case 'operation': return { meaning: this.#operationMeaning(pending.operation) | Math.log2(pending.size) << SITE.SIZE_SHIFT, words: this.#words(pending) };
    }
  }
  #words(pending: Pending & { readonly type: 'ready' | 'operation' }): readonly [Expr, Expr, Expr] {
    const code = this.#code, result = code.fit(pending.result), none = code.constant(0);
    if (pending.type === 'ready') return [result, code.fit(pending.aux), none];
    if (pending.operation === 'logic') return [result, none, none];
    return [result, code.fit(pending.a), isStep(pending.operation) ? none : code.fit(pending.b)];
  }
  #operationMeaning(operation: Operation): number {
    return KIND[operation] > KIND.logic ? SITE.KEEP_KIND | KIND[operation] - KIND.logic << SITE.OPERATION_SHIFT : KIND[operation] << SITE.OPERATION_SHIFT;
  }
  /** The words from the stack, and the kind. */
  takeWords(): void { for (const local of [this.#b, this.#a, this.#result]) this.#code.fn.take(local); }
  takeKind(): void { this.#code.fn.take(this.#kind); }
  /** What a site's words mean; gives whether the flags never left the state block. */
  takeMeaning(site: Expr): Expr {
    const { fn } = this.#code, kindOf = this.#functions.get(FUNCTION.siteKind, ['i32', 'i32'], defineSiteKind);
    fn.set(this.#kind, kindOf.call(site, fn.get(this.#kind)));
    return w.ltS(fn.get(this.#kind), w.i32(0));
  }

  // --- setting ---

  set(result: Expr, aux: Expr): void {
    const { fn } = this.#code;
    this.writes++;
    this.pending = { type: 'ready', result: fn.once(result), aux: fn.once(aux) };
  }
  setOperation(operation: PendingOperation): void {
    this.writes++;
    this.pending = operation;
  }

  // --- reading ---

  get isPending(): boolean { return this.pending.type === 'ready' || this.pending.type === 'operation'; }
  /** All of them; static knowledge from now on. */
  ready(): ReadyFlags {
    if (this.pending.type === 'operation') {
      const { writes } = this;
      this.#ports.computeFlags(this.pending);
      this.writes = writes;
    } else if (this.pending.type !== 'ready') this.pending = { type: 'ready', ...this.#fromLocals() };
    return this.pending as Pending & ReadyFlags;
  }
  /** One flag (i32 0/1) or condition where that takes less than all of them; else undefined. */
  flag(flag: Flag): Expr | undefined {
    const { pending } = this;
    if (flag === 'c' && !this.isPending) return this.#carryFromLocals();
    return pending.type === 'operation' ? this.#bound(directFlag(pending, flag, this.#ports)) : undefined;
  }
  condition(code: number): Expr | undefined {
    const { pending } = this;
    return pending.type === 'operation' ? this.#bound(directCondition(pending, code, this.#ports)) : undefined;
  }
  #bound(value: Expr | undefined): Expr | undefined { return value === undefined ? undefined : this.#code.fn.let(value); }

  /** Whatever their kind: a call to a helper unless they are ready. */
  #fromLocals(): ReadyFlags {
    this.flush();
    const { fn } = this.#code, result = fn.local('i64'), aux = fn.local('i32');
    fn.if(fn.get(this.#kind), () => {
      fn.set(aux, this.#lazyAux());
      fn.set(result, this.#code.helper('lazyResult').call(fn.get(this.#kind), this.#code.wide(fn.get(this.#result))));
    }, () => {
      fn.set(aux, this.#code.low(fn.get(this.#a)));
      fn.set(result, this.#signedResult());
    });
    return { result: fn.get(result), aux: fn.get(aux) };
  }
  /** Carry alone from the locals, which stay as they are. */
  #carryFromLocals(): Expr {
    this.flush();
    const { fn } = this.#code, carry = fn.local('i32');
    fn.if(fn.get(this.#kind), () => {
      const isStepped = w.ltU(w.sub(fn.get(this.#kind), w.i32(KIND.up * OPERATION_FACTOR)), w.i32((KIND.multiply - KIND.up) * OPERATION_FACTOR));
      fn.if(isStepped, () => { fn.set(carry, this.#code.low(fn.get(this.#a))); }, () => {
        fn.set(carry, w.shrU(this.#lazyAux(), w.i32(31)));
      });
    }, () => { fn.set(carry, w.shrU(this.#code.low(fn.get(this.#a)), w.i32(31))); });
    return fn.get(carry);
  }
  #lazyAux(): Expr {
    const { fn } = this.#code, wide = (local: Local): Expr => this.#code.wide(fn.get(local));
    return this.#code.helper('lazyAux').call(fn.get(this.#kind), wide(this.#a), wide(this.#b), wide(this.#result));
  }

  // --- conditions within an instruction ---

  /** A condition, after which as much is known of the flags as on all ways through it. */
  branch(condition: Expr, then: () => void, otherwise?: () => void): void {
    const { fn } = this.#code, { pending, writes } = this;
    if (otherwise !== undefined) {
      this.flush();
      const way = (body: () => void) => (): void => {
        body();
        this.flush();
      };
      fn.if(condition, way(then), way(otherwise));
      return;
    }
    // most bodies have nothing to do with flags: what is known about them then stays known
    let isSame = false;
    fn.if(condition, () => {
      then();
      isSame = this.pending === pending && this.writes === writes;
      if (!isSame) this.flush();
    }, () => {
      this.pending = pending;
      if (!isSame) this.flush();
    });
  }
}
