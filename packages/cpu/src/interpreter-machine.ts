import { CALLOUT_ID, Machine, NO_SEGMENT } from '@vmm/isa';
import type { CalloutName, HelperFunctions } from '@vmm/isa';
import { STATE, TLB_ENTRY, VCPU_LAYOUT } from '@vmm/state';
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder, FunctionRef } from '@vmm/wasm';
import { CHECK } from './mode.ts';
import type { Handler } from './handler.ts';
import { RECORD } from './record.ts';

/** Functions that handlers call, defined by the main module and imported by extension modules. */
export interface InterpreterCore {
  /** Slow path of every access: (lo, hi, size, kind) -> host address or 0. */
  readonly access: FunctionRef;
  /** The same without looking at the TLB once more: for what is not found there anyhow. */
  readonly slowAccess: FunctionRef;
  readonly probeRead: FunctionRef;
  readonly probeWrite: FunctionRef;
  readonly address: FunctionRef;
  readonly offset: FunctionRef;
  readonly segmentLinear: FunctionRef;
  readonly commit: FunctionRef;
  readonly callout: FunctionRef;
  /**
   * Goes on, from wherever a called region has left, until control is where the call returns to: (status, return address, calls open, caller, its entry,
   * its mode key, its `tlbTag`) -> `returned`, or a status to leave with.
   */
  readonly finishCall: FunctionRef;
  /** Goes on where a transfer has led, in whatever mode, in the region that was reached there before: () -> a region's status. Whoever called looks at itself then. */
  readonly goOn: FunctionRef;
  readonly helpers: HelperFunctions;
}

/** How a handler leaves: by branch inside the loop function, by return code in a function of its own. */
export interface Exits {
  fault(): void;
  dispatch(): void;
}

/** Parts of a repeated instruction, or faults, between two looks at the run loop. */
export const REPEATS_A_TURN = 1024;
/** i32.atomic.rmw.or: other threads write the pending word too. */
const ATOMIC_OR = 0xfe33;
/** Flag in a size argument: the access writes. */
export const WRITES = 0x100;

/** Bytes from an offset (i64) on that a segment's limit allows; `slot`: bytes from ES to the segment, `bounds`: address of the limit of ES. */
export function bytesToLimit(fn: FunctionBuilder, slot: Expr, bounds: number, offset: Expr): Expr {
  const checks = fn.let(w.load('i32', 32, slot, bounds + 4));
  const toLimit = w.add(w.sub(w.extendU(w.load('i32', 32, slot, bounds)), offset), w.i64(1));
  const unlimited = w.select(w.and(checks, w.i32(CHECK.EXPAND_DOWN)), w.i64(0), UNLIMITED);
  return fn.let(w.select(w.and(checks, w.i32(CHECK.LIMIT)), toLimit, unlimited));
}
/** More bytes than a run can have. */
export const UNLIMITED = w.i64(-1, 0x7fff_ffff);

/** The abstract machine with symbolic operands: everything comes from the record at hand. */
export class InterpreterMachine extends Machine {
  readonly core: InterpreterCore;
  readonly privateBase: number;
  record!: Expr;
  exits!: Exits;
  /** This becomes part of the run loop's function. */
  #isInLoop = false;
  #isPlain = false;
  /** Host addresses of memory operands already checked for writing. */
  #prepared = new Map<number, Expr>();

  constructor(privateBase: number, core: InterpreterCore) {
    super(privateBase + VCPU_LAYOUT.state);
    this.privateBase = privateBase;
    this.core = core;
  }

  begin(fn: FunctionBuilder, { form, isPlain }: Pick<Handler, 'form' | 'isPlain'>, record: Expr, exits: Exits, isInLoop = false): void {
    this.fn = fn;
    this.form = form;
    this.record = record;
    this.exits = exits;
    this.#isInLoop = isInLoop;
    this.#isPlain = isPlain;
    this.#prepared.clear();
  }

  #slot(operand: number): Expr {
    return w.load('i32', 8, this.record, operand === 3 ? RECORD.immediate : RECORD.slots + operand);
  }
  #kind(operand: number): string {
    const fact = this.form.operands[operand];
    if (fact === undefined) throw new Error(`${this.form.mnemonic} has no operand ${operand}`);
    return fact.kind;
  }

  read(operand: number, size?: number): Expr {
    const kind = this.#kind(operand);
    switch (kind) {
      case 'reg': return this.#loadRegister(this.#slot(operand), this.sizeOf(operand));
      case 'mem': case 'moffs': {
        const bytes = this.sizeOf(operand);
        return this.loadMemory(this.address(operand, bytes), bytes);
      }
      case 'imm': {
        const width = size ?? this.sizeOf(0);
        return this.fn.let(w.load(this.typeOf(width), (width * 8) as w.Width, this.record, RECORD.immediate));
      }
      case 'seg': return this.fn.let(w.load('i32', 32, w.shl(this.#slot(operand), w.i32(2)), this.stateAddress('selector')));
      case 'xmm': return this.fn.let(w.load('v128', 128, this.vectorAddress(operand)));
      case 'mmx': return this.fn.let(w.load('i64', 64, this.mmxAddress(operand)));
      default: throw new Error(`cannot read operand ${operand} (${kind}) of ${this.form.mnemonic}`);
    }
  }
  loadMemory(linear: Expr, bytes: number): Expr {
    const host = this.hostRead(linear, bytes);
    if (bytes === 16) return this.fn.let(w.load('v128', 128, host));
    return this.fn.let(w.load(this.typeOf(bytes), (bytes * 8) as w.Width, host));
  }

  readModify(operand: number): Expr {
    if (!this.#isMemory(operand)) return this.read(operand);
    const bytes = this.sizeOf(operand);
    const host = this.hostWrite(this.address(operand, bytes, true), bytes, true);
    this.#prepared.set(operand, host);
    if (bytes === 16) return this.fn.let(w.load('v128', 128, host));
    return this.fn.let(w.load(this.typeOf(bytes), (bytes * 8) as w.Width, host));
  }
  prepareWrite(operand: number): void {
    if (!this.#isMemory(operand)) return;
    const bytes = this.sizeOf(operand);
    this.#prepared.set(operand, this.hostWrite(this.address(operand, bytes, true), bytes));
  }
  #isMemory(operand: number): boolean {
    const kind = this.#kind(operand);
    return kind === 'mem' || kind === 'moffs';
  }

  write(operand: number, value: Expr): void {
    const kind = this.#kind(operand);
    const bytes = this.sizeOf(operand);
    switch (kind) {
      case 'reg': this.#storeRegister(this.#slot(operand), bytes, value); return;
      case 'mem': case 'moffs': {
        const host = this.#prepared.get(operand) ?? this.hostWrite(this.address(operand, bytes, true), bytes);
        this.fn.store((bytes * 8) as w.Width, host, 0, value);
        this.commit(host);
        return;
      }
      case 'xmm': this.fn.store(128, this.vectorAddress(operand), 0, value); return;
      case 'mmx': this.fn.store(64, this.mmxAddress(operand), 0, value); return;
      default: throw new Error(`cannot write operand ${operand} (${kind}) of ${this.form.mnemonic}`);
    }
  }

  #loadRegister(slot: Expr, size: number): Expr { return this.fn.let(w.load(this.typeOf(size), (size * 8) as w.Width, slot, this.stateBase + STATE.gpr)); }
  #storeRegister(slot: Expr, size: number, value: Expr): void {
    if (size === 4) this.fn.store(64, slot, this.stateBase + STATE.gpr, w.extendU(value));
    else this.fn.store((size * 8) as w.Width, slot, this.stateBase + STATE.gpr, value);
  }

  #sizeWord(bytes: number, write: boolean): Expr { return w.i32(bytes | (write ? WRITES : 0)); }
  address(operand: number, bytes = this.sizeOf(operand), write = false): Expr {
    if (this.#kind(operand) === 'moffs') {
      const offset = this.fn.let(w.load('i64', 64, this.record, RECORD.immediate));
      return this.linearSource(offset, bytes, write);
    }
    if (this.#isPlain) return this.#plainOffset();
    return this.fn.let(this.core.address.call(this.record, this.#sizeWord(bytes, write)));
  }
  indexVectorAddress(): Expr {
    // the record's index is a register number times 8
    return this.fn.let(w.add(w.shl(w.load('i32', 8, this.record, RECORD.index), w.i32(2)), w.i32(this.stateAddress('vector'))));
  }
  elementAddress(index: Expr, bytes: number): Expr {
    const base = w.load('i64', 64, w.load('i32', 8, this.record, RECORD.base), this.stateBase), scaled = w.shl(index, w.load('i64', 8, this.record, RECORD.scale));
    const mask = w.load('i64', 64, w.shl(w.and(w.load('i32', 8, this.record, RECORD.segment), w.i32(3)), w.i32(3)), this.privateBase + VCPU_LAYOUT.masks);
    return this.linearSource(this.fn.let(w.and(w.add(w.add(base, scaled), w.load('i64', 32, this.record, RECORD.displacement, true)), mask)), bytes);
  }
  offset(): Expr { return this.#isPlain ? this.#plainOffset() : this.fn.let(this.core.offset.call(this.record)); }
  /** Base and displacement, as wide as addresses are in this mode. */
  #plainOffset(): Expr {
    const base = w.load('i64', 64, w.load('i32', 8, this.record, RECORD.base), this.stateBase);
    return this.fn.let(w.and(w.add(base, w.load('i64', 32, this.record, RECORD.displacement, true)), this.state64('linearMask')));
  }
  selector(): Expr {
    const segment = w.shrU(w.load('i32', 8, this.record, RECORD.segment), w.i32(4));
    return this.fn.let(w.load('i32', 32, w.shl(segment, w.i32(2)), this.stateAddress('selector')));
  }
  number(operand: number): Expr { return this.fn.let(this.#slot(operand)); }
  immediate64(): Expr { return this.fn.let(w.load('i64', 64, this.record, RECORD.immediate)); }
  secondImmediate(): Expr { return this.fn.let(w.load('i32', 32, this.record, RECORD.displacement)); }
  vectorAddress(operand: number): Expr { return this.fn.let(w.add(w.shl(this.#slot(operand), w.i32(5)), w.i32(this.stateAddress('vector')))); }
  mmxAddress(operand: number): Expr { return this.fn.let(w.add(w.shl(this.#slot(operand), w.i32(4)), w.i32(this.stateAddress('fpr')))); }

  register(number: number, size: number): Expr { return this.#loadRegister(w.i32(number * 8), size); }
  setRegister(number: number, size: number, value: Expr): void { this.#storeRegister(w.i32(number * 8), size, value); }
  registerAh(): Expr { return this.#loadRegister(w.i32(1), 1); }
  setRegisterAh(value: Expr): void { this.#storeRegister(w.i32(1), 1, value); }

  hostRead(linear: Expr, bytes: number): Expr {
    if (this.#isInLoop) return this.#probe(linear, bytes, TLB_ENTRY.readTag, 0);
    return this.#faultUnless(this.fn.let(this.core.probeRead.call(linear, w.i32(bytes))));
  }
  hostWrite(linear: Expr, bytes: number, alsoRead = false): Expr {
    if (this.#isInLoop) return this.#probe(linear, bytes, TLB_ENTRY.writeTag, alsoRead ? 3 : 1);
    return this.#faultUnless(this.fn.let(this.core.probeWrite.call(linear, w.i32(bytes), w.i32(alsoRead ? 3 : 1))));
  }
  #faultUnless(host: Expr): Expr {
    this.fn.unless(host, () => { this.exits.fault(); }, false);
    return host;
  }
  /** The look-up in place: nothing is called, and no result looked at, where it hits. */
  #probe(linear: Expr, bytes: number, tag: number, kind: number): Expr {
    const { fn } = this, host = fn.local('i32'), entry = fn.let(tlbEntry(this.stateBase, linear));
    fn.if(this.#hits(entry, linear, bytes, tag), () => {
      fn.set(host, w.add(w.wrap(linear), w.load('i32', 32, entry, this.privateBase + VCPU_LAYOUT.tlb + TLB_ENTRY.addend)));
    }, () => {
      fn.set(host, this.core.access.call(w.wrap(linear), w.wrap(w.shrU(linear, w.i64(32))), w.i32(bytes), w.i32(kind)));
      this.#faultUnless(fn.get(host));
    }, true);
    return fn.get(host);
  }
  commit(host: Expr): void {
    this.fn.if(w.ltU(host, w.i32(this.privateBase + VCPU_LAYOUT.tlb)), () => {
      this.fn.if(this.core.commit.call(), () => { this.exits.fault(); });
    }, undefined, false);
  }
  linear(segment: number, offset: Expr, bytes: number, write = false): Expr {
    if (segment === NO_SEGMENT || this.#isPlain) return offset;
    return this.fn.let(this.core.segmentLinear.call(w.i32(segment * 16), offset, this.#sizeWord(bytes, write)));
  }
  linearSource(offset: Expr, bytes: number, write = false): Expr {
    const slot = w.and(w.load('i32', 8, this.record, RECORD.segment), w.i32(0x70));
    return this.fn.let(this.core.segmentLinear.call(slot, offset, this.#sizeWord(bytes, write)));
  }
  #hits(entry: Expr, linear: Expr, bytes: number, tag: number): Expr {
    return w.eq(w.load('i64', 64, entry, this.privateBase + VCPU_LAYOUT.tlb + tag), tlbWanted(this.stateBase, linear, w.i64(bytes - 1)));
  }
  bulkReadable(linear: Expr, bytes: number): Expr { return this.fn.let(this.#hits(tlbEntry(this.stateBase, linear), linear, bytes, TLB_ENTRY.readTag)); }
  bulkWritable(linear: Expr, bytes: number): Expr { return this.fn.let(this.#hits(tlbEntry(this.stateBase, linear), linear, bytes, TLB_ENTRY.writeTag)); }
  override bulkLimit(segment: number | 'source', offset: Expr): Expr {
    const slot = this.fn.let(segment === 'source' ? w.and(w.load('i32', 8, this.record, RECORD.segment), w.i32(0x70)) : w.i32(segment * 16));
    return bytesToLimit(this.fn, slot, this.stateAddress('segment', 1), offset);
  }

  setFlags(result64: Expr, aux: Expr): void {
    this.setState64('flagResult', result64);
    this.setState32('flagAux', aux);
  }
  flagResult(): Expr { return this.state64('flagResult'); }
  flagAux(): Expr { return this.state32('flagAux'); }

  fault(vector: number, errorCode: number | Expr = 0): void {
    this.setState32('faultVector', w.i32(vector));
    this.setState32('faultError', typeof errorCode === 'number' ? w.i32(errorCode) : errorCode);
    this.exits.fault();
  }

  #ip(adjust?: Expr): Expr {
    const end = w.load('i32', 16, this.record, RECORD.end);
    return w.add(w.load('i64', 64, w.i32(0), this.stateAddress('blockRip')), w.extendU(adjust === undefined ? end : w.sub(end, adjust)));
  }
  nextIp(): Expr { return this.fn.let(this.#ip()); }
  currentIp(): Expr { return this.fn.let(this.#ip(w.load('i32', 8, this.record, RECORD.length))); }
  #cut(target: Expr, size: number): Expr { return size === 8 ? target : w.and(target, w.i64(size === 2 ? 0xffff : -1, 0)); }
  relativeTarget(): Expr { return this.fn.let(this.#cut(w.add(this.#ip(), this.immediate64()), this.size)); }
  jump(target: Expr, size = this.size): void {
    const cut = this.fn.let(this.#cut(target, size));
    this.setState64('rip', cut);
    if (this.form.mnemonic !== 'ret') this.#noteComputed(cut);
    this.exits.dispatch();
  }
  /** What translations are made with: a region that knows where its computed jumps go keeps them inside. */
  #noteComputed(target: Expr): void {
    const at = this.state32('computedNext'), list = this.stateBase - VCPU_LAYOUT.state + VCPU_LAYOUT.computed;
    this.fn.store(64, at, list, this.currentIp());
    this.fn.store(64, at, list + 8, target);
    this.setState32('computedNext', w.and(w.add(at, w.i32(16)), w.i32(VCPU_LAYOUT.computedEntries * 16 - 1)));
  }
  jumpRelative(): void {
    this.setState64('rip', this.relativeTarget());
    this.exits.dispatch();
  }
  jumpRelativeIf(condition: Expr): void {
    const next = this.nextIp();
    // only a taken branch is cut to the operand size
    this.setState64('rip', w.select(condition, this.#cut(w.add(next, this.immediate64()), this.size), next));
    this.exits.dispatch();
  }
  dispatchNext(): void {
    this.setState64('rip', this.#ip());
    this.exits.dispatch();
  }
  override instructionsLeft(): Expr { return this.state32('budget'); }
  transferOr(isDone: () => Expr, name: CalloutName, args: readonly Expr[] = [], size = 4): void {
    this.fn.if(isDone(), () => { this.exits.dispatch(); }, () => { this.uncommon(name, args, size); });
  }
  repeat(): void {
    this.setState64('rip', this.currentIp());
    // a repeated instruction counts once, when it is over, however many parts it is done in; single steps are ended by the count and corrected outside
    const steps = w.and(w.shrU(this.state32('modeKey'), w.i32(3)), w.i32(1));
    this.setState32('budget', w.add(this.state32('budget'), w.xor(steps, w.i32(1))));
    // but it must not hold a slice for ever: now and then the run loop is to look
    const repeats = this.fn.let(w.add(this.state32('exitReason'), w.i32(1)));
    this.setState32('exitReason', repeats);
    this.fn.unless(w.and(repeats, w.i32(REPEATS_A_TURN - 1)), () => { this.fn.drop(w.atomic('i32', ATOMIC_OR, [w.i32(this.stateAddress('pending')), w.i32(1)], 0, 2)); });
    this.exits.dispatch();
  }

  uncommon(name: CalloutName, args: readonly Expr[] = [], size = 4, after = (): void => undefined): void { this.calloutThen(name, args, size, after); }
  calloutThen(name: CalloutName, args: readonly Expr[], size: number, after: () => void): void {
    args.forEach((arg, i) => { this.fn.store(64, w.i32(0), this.stateAddress('scratch', i), arg.type === 'i64' ? arg : w.extendU(arg)); });
    const next = this.nextIp();
    this.fn.store(64, w.i32(0), this.stateAddress('scratch', 7), next);
    this.setState64('rip', this.currentIp());
    this.setState32('currentRecord', this.record);
    const status = this.fn.let(this.core.callout.call(w.i32(CALLOUT_ID[name]), w.i32(size)));
    this.fn.if(w.eq(status, w.i32(2)), () => { this.exits.fault(); });
    after();
    this.fn.if(status, () => { this.exits.dispatch(); });
  }

  helper(name: string, ...args: readonly Expr[]): Expr { return this.fn.let(this.#helper(name).call(...args)); }
  helperVoid(name: string, ...args: readonly Expr[]): void { this.fn.callVoid(this.#helper(name).index, args); }
  #helper(name: string): FunctionRef {
    const found = this.core.helpers[name];
    if (found === undefined) throw new Error(`no helper function ${name}`);
    return found;
  }
}

/** Byte offset (i32) of the TLB entry for a linear address. */
export function tlbEntry(stateBase: number, linear: Expr): Expr {
  return w.xor(w.and(w.wrap(w.shrU(linear, w.i64(7))), w.i32((VCPU_LAYOUT.tlbEntries - 1) * VCPU_LAYOUT.tlbEntryBytes)), w.load('i32', 32, w.i32(0), stateBase + STATE.tlbFlip));
}
/** The tag that must be found there for an access that ends `last` bytes on. */
export function tlbWanted(stateBase: number, linear: Expr, last: Expr): Expr {
  return w.or(w.and(w.add(linear, last), w.i64(-4096)), w.load('i64', 64, w.i32(0), stateBase + STATE.tlbTag));
}
