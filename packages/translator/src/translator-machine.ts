/* @hot: runs while the guest waits; indices are bounded by construction. */
import { Machine } from '@vmm/isa';
import type { CalloutName, Flag } from '@vmm/isa';
import { REPEATS_A_TURN } from '@vmm/cpu';
import { VCPU_LAYOUT } from '@vmm/state';
import type { StateField } from '@vmm/state';
import * as w from '@vmm/wasm';
import type { Expr, FunctionRef, Label, Local } from '@vmm/wasm';
import { Addresses } from './addresses.ts';
import { FlagState } from './flag-state.ts';
import type { Step } from './flow-graph.ts';
import { KeptRegisters } from './kept-registers.ts';
import { LookUps } from './look-ups.ts';
import { MemoryAccess } from './memory-access.ts';
import { ModuleFunctions } from './module-functions.ts';
import { NONE_NEARBY, OpenWindows } from './open-windows.ts';
import type { Nearby } from './open-windows.ts';
import { Operands } from './operands.ts';
import { IN_LOCALS, IN_MEMORY, isStep } from './pending-flags.ts';
import type { Operation, Pending, PendingOperation } from './pending-flags.ts';
import { Place } from './place.ts';
import type { RegionCode } from './region-code.ts';
import { RegionFrame } from './region-frame.ts';

/** How the last instruction of a block goes on; the region's emitter turns it into structured control flow. */
export type Outcome = { readonly type: 'next' } | { readonly type: 'dynamic'; readonly target: Expr } | { readonly type: 'branch'; readonly condition: Expr } | { readonly type: 'jump' } | { readonly type: 'leave' };
const NEXT: Outcome = { type: 'next' }, LEFT: Outcome = { type: 'leave' };

/** What is known statically at a point of the code. */
export interface Known { readonly pending: Pending; readonly nearby: Nearby; readonly owed: number; readonly checked: ReadonlySet<string> }
const NONE_CHECKED: ReadonlySet<string> = new Set();

/** A repeated instruction is left to the interpreter now and then, which counts repeats and sees that the host gets its turn. */
const REPEATS_A_VISIT = 64;
const ATOMIC_OR = 0xfe33;
const CARRY_IN = new Set(['adc', 'sbb']);

/**
 * The abstract machine with static operands, as the instructions' builders see it. Its parts do the work: registers and lazy flags live in locals, memory
 * goes through inlined look-ups, and everything that leaves branches to the frame's one epilogue.
 */
export class TranslatorMachine extends Machine {
  readonly code: RegionCode;
  readonly place: Place;
  readonly flags: FlagState;
  readonly registers: KeptRegisters;
  readonly frame: RegionFrame;
  readonly windows: OpenWindows;
  readonly memory: MemoryAccess;
  readonly #addresses: Addresses;
  readonly #operands: Operands;
  /** Whether code has used vector registers as memory. */
  touchesVectorState = false;
  /** Checks that have been made on every way to this point; never changed in place. */
  #checked = NONE_CHECKED;
  readonly #kept = new Map<string, { readonly local: Local; readonly value: () => Expr }>();
  outcome = NEXT;
  #step!: Step;
  /** Where a repeated instruction begins once more. */
  #again: Label | undefined;

  /** `known`: the module's own functions so far, see `ModuleFunctions`. */
  constructor(code: RegionCode, known: Map<number, FunctionRef>) {
    super(code.privateBase + VCPU_LAYOUT.state);
    this.code = code;
    this.fn = code.fn;
    const place = this.place = new Place(code), functions = new ModuleFunctions(code, known), lookUps = new LookUps(code, functions);
    this.flags = new FlagState(code, functions, this);
    const registers = this.registers = new KeptRegisters(code, (register) => { this.windows.moved(register); });
    const { leaveFault } = this.frame = new RegionFrame({ code, place, flags: this.flags, registers, lookUps, functions });
    const windows = this.windows = new OpenWindows(code, registers, lookUps);
    this.memory = new MemoryAccess(code, lookUps, windows, leaveFault);
    this.#addresses = new Addresses({ code, place, registers, windows, leaveFault });
    this.#operands = new Operands(code, registers, this.#addresses, this.memory);
  }

  /** Code of one instruction; what a REP prefix repeats goes on in place. `left`: instructions of its block from it on. */
  run(step: Step, left: number): void {
    this.#begin(step, left);
    if (step.form.rep === 0) { step.entry.run(this); return; }
    if (step.traits.writesFlags) this.flags.flush();
    this.fn.loop((again) => {
      this.#again = again;
      step.entry.run(this);
      this.#again = undefined;
    });
  }
  #begin(step: Step, left: number): void {
    this.#step = step;
    this.form = step.form;
    this.outcome = NEXT;
    this.place.begin(step.delta, step.inst.length, left);
    this.#operands.begin(step);
    this.#addresses.begin(step);
    this.windows.begin(step);
    this.memory.begin(step);
  }

  // --- what is known ---

  /** What is known statically at a point where paths part, for the code of the other path. */
  known(): Known { return { pending: this.flags.pending, nearby: this.windows.nearby, owed: this.place.owed, checked: this.#checked }; }
  recall({ pending, nearby, owed, checked }: Known): void {
    this.flags.pending = pending;
    this.windows.nearby = nearby;
    this.place.owed = owed;
    this.#checked = checked;
  }
  /** Here begins code that several ways lead to. */
  forget(areFlagsInMemory: boolean): void { this.recall({ pending: areFlagsInMemory ? IN_MEMORY : IN_LOCALS, nearby: NONE_NEARBY, owed: 0, checked: NONE_CHECKED }); }
  /** See `RegionFrame.call`. */
  call(target: Expr, after: number, link = 0): void {
    this.frame.call(target, after, link);
    this.forget(true);
  }

  override once(name: string, check: () => void): void {
    if (this.#checked.has(name)) return;
    check();
    this.#checked = new Set(this.#checked).add(name);
  }
  override kept(name: string, value: () => Expr): Expr {
    let kept = this.#kept.get(name);
    if (kept === undefined) this.#kept.set(name, kept = { local: this.fn.permanentLocal('i32'), value });
    const { local } = kept;
    this.once(name, () => { this.fn.set(local, value()); });
    return this.fn.get(local);
  }
  override changed(name: string): void {
    const kept = this.#kept.get(name);
    if (kept !== undefined && this.#checked.has(name)) this.fn.set(kept.local, kept.value());
  }
  override when(condition: Expr, then: () => void, otherwise?: () => void): void {
    if (w.isConst(condition)) {
      if (condition.lo !== 0) then();
      else otherwise?.();
      return;
    }
    // what is checked on the way through a condition is not checked on the other
    const checked = this.#checked;
    this.flags.branch(condition, then, otherwise);
    this.#checked = checked;
  }
  override seldom(condition: Expr): void { this.fn.if(condition, () => { this.uncommon(); }, undefined, false); }
  override unless(condition: Expr, then: () => void): void { this.when(w.eqz(condition), then); }

  // --- registers and operands ---

  register(number: number, size: number): Expr { return this.registers.get(number, size); }
  setRegister(number: number, size: number, value: Expr): void { this.registers.set(number, size, value); }
  registerAh(): Expr { return this.registers.high(0); }
  setRegisterAh(value: Expr): void { this.registers.setHigh(0, value); }
  override constantVector(...lanes: readonly number[]): Expr { return this.registers.constantVector(lanes); }

  read(operand: number, size?: number): Expr { return this.#operands.read(operand, size); }
  readModify(operand: number): Expr { return this.#operands.readModify(operand); }
  prepareWrite(operand: number): void { this.#operands.prepareWrite(operand); }
  write(operand: number, value: Expr): void { this.#operands.write(operand, value); }
  selector(): Expr { return this.state32('selector', this.#step.inst.seg); }
  number(operand: number): Expr { return w.i32(this.#step.inst.opReg[operand]!); }
  immediate64(): Expr { return w.i64(this.#step.inst.immLo, this.#step.inst.immHi); }
  secondImmediate(): Expr { return w.i32(this.#step.inst.imm2); }

  override stateAddress(field: StateField, index = 0, stride = 8): number {
    if (field === 'vector') this.touchesVectorState = true;
    return super.stateAddress(field, index, stride);
  }
  /** For the upper half, which is nowhere else: gathers alone want more, and are known by their index register. */
  vectorAddress(operand: number): Expr { return w.i32(this.registers.vectorAddress(this.#step.inst.opReg[operand]!)); }
  indexVectorAddress(): Expr { return w.i32(this.stateAddress('vector', this.#step.inst.index, 32)); }
  mmxAddress(operand: number): Expr { return w.i32(this.#operands.mmxAddress(operand)); }

  // --- memory ---

  address(operand: number, bytes = this.sizeOf(operand), write = false): Expr { return this.#addresses.ofOperand(operand, bytes, write); }
  offset(): Expr { return this.#addresses.offset(); }
  elementAddress(index: Expr, bytes: number): Expr { return this.#addresses.ofElement(index, bytes); }
  linear(segment: number, offset: Expr, bytes: number, write = false): Expr { return this.#addresses.linear(segment, offset, bytes, write); }
  linearSource(offset: Expr, bytes: number, write = false): Expr { return this.linear(this.#step.inst.seg, offset, bytes, write); }
  override stackLinear(distance: number, bytes: number, write = false, pointer?: number): Expr {
    return this.#addresses.onStack(distance, bytes, pointer) ?? super.stackLinear(distance, bytes, write, pointer);
  }
  override loadLinear(linear: Expr, size: number): Expr { return this.memory.load(linear, size, this.typeOf(size)); }
  override storeLinear(linear: Expr, size: number, value: Expr): void { this.memory.store(linear, size, value); }
  hostRead(linear: Expr, bytes: number): Expr { return this.memory.host(linear, bytes, 0); }
  hostWrite(linear: Expr, bytes: number, alsoRead = false): Expr { return this.memory.host(linear, bytes, alsoRead ? 3 : 1); }
  commit(host: Expr): void { this.memory.commit(host); }
  bulkReadable(linear: Expr, bytes: number): Expr { return this.memory.isPlain(linear, bytes, 0); }
  bulkWritable(linear: Expr, bytes: number): Expr { return this.memory.isPlain(linear, bytes, 1); }
  override bulkLimit(segment: number | 'source', offset: Expr): Expr { return this.#addresses.limit(segment === 'source' ? this.#step.inst.seg : segment, offset); }
  /** What the region consists of is within the limit, or it is not entered: computed targets alone may lie elsewhere. */
  override get checksCodeLimit(): boolean { return !this.code.isFlat && (this.form.mnemonic === 'ret' || this.form.operands[0]?.kind !== 'imm'); }

  // --- flags ---

  setFlags(result64: Expr, aux: Expr): void { this.flags.set(result64, aux); }
  override flagsLogic(size: number, result: Expr): void { this.#setOperation('logic', size, result, result, result); }
  override flagsAdd(size: number, a: Expr, b: Expr, result: Expr): void { this.#setOperation('add', size, a, b, result); }
  override flagsSub(size: number, a: Expr, b: Expr, result: Expr): void { this.#setOperation('sub', size, a, b, result); }
  override flagsStep(size: number, up: boolean, carry: Expr, result: Expr): void { this.#setOperation(up ? 'up' : 'down', size, carry, w.i32(0), result); }
  override flagsMultiply(size: number, a: Expr, b: Expr, result: Expr): void { this.#setOperation('multiply', size, a, b, result); }
  #setOperation(operation: Operation, size: number, a: Expr, b: Expr, result: Expr): void {
    this.flags.setOperation({ type: 'operation', operation, size, isPlain: !CARRY_IN.has(this.form.mnemonic), a, b, result });
  }
  computeFlags({ operation, size, a, b, result }: PendingOperation): void {
    if (operation === 'add') super.flagsAdd(size, a, b, result);
    else if (operation === 'sub') super.flagsSub(size, a, b, result);
    else if (operation === 'multiply') super.flagsMultiply(size, a, b, result);
    else if (isStep(operation)) super.flagsStep(size, operation === 'up', a, result);
    else super.flagsLogic(size, result);
  }
  flagResult(): Expr { return this.flags.ready().result; }
  flagAux(): Expr { return this.flags.ready().aux; }
  override flag(flag: Flag): Expr { return this.flags.flag(flag) ?? super.flag(flag); }
  override condition(code: number): Expr { return this.flags.condition(code) ?? super.condition(code); }

  // --- events and control ---

  fault(vector: number, errorCode: number | Expr = 0): void {
    this.setState32('faultVector', w.i32(vector));
    this.setState32('faultError', typeof errorCode === 'number' ? w.i32(errorCode) : errorCode);
    this.frame.leaveFault();
  }
  override instructionsLeft(): Expr { return this.place.instructionsLeft(); }
  nextIp(): Expr { return this.fn.let(this.place.at(this.place.after)); }
  currentIp(): Expr { return this.fn.let(this.place.at(this.place.delta)); }
  #cut(target: Expr, size: number): Expr { return size === 8 ? target : w.and(target, w.i64(size === 2 ? 0xffff : -1, 0)); }
  relativeTarget(): Expr {
    this.#needWideBranch();
    return this.fn.let(this.#cut(this.place.at(this.place.after + this.#step.inst.immLo), this.size));
  }
  jump(target: Expr, size = this.size): void { this.outcome = { type: 'dynamic', target: this.fn.once(this.#cut(target, size)) }; }
  jumpRelative(): void {
    this.#needWideBranch();
    this.outcome = { type: 'jump' };
  }
  jumpRelativeIf(condition: Expr): void {
    this.#needWideBranch();
    this.outcome = { type: 'branch', condition: this.fn.once(condition) };
  }
  /** Outside 16-bit code, where regions have no targets that would have to be cut, a branch of 16-bit operand size is left to the interpreter, as everything whose trial fails. */
  #needWideBranch(): void { if (this.size === 2 && this.#step.inst.mode !== 16) throw new Error('16-bit branch'); }
  dispatchNext(): void {
    this.frame.leaveTo(this.place.after);
    this.outcome = LEFT;
  }
  transferOr(isDone: () => Expr): void {
    this.frame.transfer(isDone);
    this.outcome = LEFT;
  }
  repeat(): void {
    const { fn } = this, again = this.#again;
    if (again === undefined) throw new Error(`${this.form.mnemonic} is repeated without a prefix`);
    const repeats = fn.let(w.add(this.state32('exitReason'), w.i32(1)));
    const stops = w.or(w.eqz(w.and(repeats, w.i32(REPEATS_A_VISIT - 1))), this.code.load32('pending'));
    this.setState32('exitReason', repeats);
    fn.if(stops, () => {
      // a slice must end, however long the instruction goes on
      fn.unless(w.and(repeats, w.i32(REPEATS_A_TURN - 1)), () => { fn.drop(w.atomic('i32', ATOMIC_OR, [w.i32(this.stateAddress('pending')), w.i32(1)], 0, 2)); });
      this.frame.leaveBefore();
    }, undefined, false);
    if (this.#step.traits.writesFlags) this.flags.flush();
    fn.br(again);
  }
  uncommon(): void { this.frame.leaveToInterpreter(); }
  calloutThen(name: CalloutName): void {
    // a pending x87 exception without CR0.NE: on a cold edge, and the interpreter's
    if (name !== 'fpu_exception') throw new Error(`callout ${name} in translated code`);
    this.uncommon();
  }
  helper(name: string, ...args: readonly Expr[]): Expr { return this.fn.let(this.code.helper(name).call(...args)); }
  helperVoid(name: string, ...args: readonly Expr[]): void { this.fn.callVoid(this.code.helper(name).index, args); }
}
