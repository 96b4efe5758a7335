/* @hot: runs while the guest waits; indices are bounded by construction. */
import { ByteWriter } from './bytes.ts';
import { emit, emitOpcode, eqz, isConst, isLocal, localGet, storeCode } from './expression.ts';
import type { Expr, ValueType, Width } from './expression.ts';

export interface Label { readonly depth: number }
export interface Local { readonly index: number; readonly type: ValueType }
export interface FunctionType { readonly params: readonly ValueType[]; readonly results: readonly ValueType[] }

/** Whether the condition of the `if` or `br_if` at a byte offset is mostly true. */
export interface BranchHint { readonly at: number; readonly isLikely: boolean }
export interface FunctionBody { readonly body: ByteWriter; readonly hints: readonly BranchHint[] }

const TYPE_BYTE: Readonly<Record<ValueType, number>> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };

/**
 * One function's body, written front to back with structured control flow. Locals made inside `scope` are recycled after it, which keeps
 * the number of locals of very large functions (the interpreter's loop) small.
 */
export class FunctionBuilder {
  readonly type: FunctionType;
  readonly code = new ByteWriter();
  readonly #locals: ValueType[];
  readonly #hints: BranchHint[] = [];
  /** Locals to be used again, by type. */
  readonly #free: Readonly<Record<ValueType, Local[]>> = { i32: [], i64: [], f32: [], f64: [], v128: [] };
  #scoped: Local[][] = [];
  #depth = 0;
  #later: { readonly at: number; readonly write: () => void }[] = [];

  constructor(type: FunctionType) {
    this.type = type;
    this.#locals = [...type.params];
  }

  param(index: number): Expr {
    const type = this.type.params[index];
    if (type === undefined) throw new Error(`function has no parameter ${index}`);
    return localGet(index, type);
  }

  local(type: ValueType): Local {
    const local = this.#free[type].pop() ?? { index: this.#locals.push(type) - 1, type };
    this.#scoped.at(-1)?.push(local);
    return local;
  }

  /** A local that no scope recycles. */
  permanentLocal(type: ValueType): Local { return { index: this.#locals.push(type) - 1, type }; }

  /** A recycled local keeps an old value: set it before you get it. */
  get(local: Local): Expr { return localGet(local.index, local.type); }
  set(local: Local | number, value: Expr): void {
    emit(this.code, value);
    this.code.u8(0x21);
    this.code.u32(typeof local === 'number' ? local : local.index);
  }

  /** Evaluate now, use any number of times later. */
  let(value: Expr): Expr {
    if (isConst(value)) return value;
    const local = this.local(value.type);
    this.set(local, value);
    return this.get(local);
  }
  /** Like `let`, but keeps a bare local as it is: only for locals that are not set again. */
  once(value: Expr): Expr { return isLocal(value) ? value : this.let(value); }

  scope<T>(body: () => T): T {
    this.#scoped.push([]);
    const result = body();
    for (const local of this.#scoped.pop() ?? []) this.#free[local.type].push(local);
    return result;
  }

  /** How many locals the innermost scope holds. */
  get scopedLocals(): number { return this.#scoped.at(-1)?.length ?? 0; }
  /** Recycles the locals of the innermost scope before its end: nothing that follows gets one without setting it first, but for these. */
  recycleScoped(kept: ReadonlySet<Local>): void {
    const scope = this.#scoped.at(-1) ?? [];
    for (const local of scope.splice(0)) (kept.has(local) ? scope : this.#free[local.type]).push(local);
  }

  store(width: Width, address: Expr, offset: number, value: Expr): void {
    const code = storeCode(value.type, width);
    if (code === 0) throw new Error(`no ${width}-bit store of ${value.type}`);
    emit(this.code, address);
    emit(this.code, value);
    emitOpcode(this.code, code);
    this.code.u32(0);
    this.code.u32(offset);
  }

  /** v128.storeN_lane. */
  storeLane(width: 8 | 16 | 32 | 64, index: number, address: Expr, offset: number, vector: Expr): void {
    emit(this.code, address);
    emit(this.code, vector);
    emitOpcode(this.code, { 8: 0xfd58, 16: 0xfd59, 32: 0xfd5a, 64: 0xfd5b }[width]);
    this.code.u32(0);
    this.code.u32(offset);
    this.code.u8(index);
  }

  block(body: (label: Label) => void): void { this.#structured(0x02, body); }
  /**
   * A block that leaves values on the stack: `brWith` brings them, `take` stores them in locals, the last one first. `typeIndex`: of a function
   * without parameters that has these results. Its own end must not be reached.
   */
  blockOf(typeIndex: number, body: (label: Label) => void): void {
    this.code.u8(0x02);
    this.code.u32(typeIndex);
    const label = { depth: ++this.#depth };
    body(label);
    this.#depth--;
    this.code.u8(0x00);
    this.code.u8(0x0b);
  }
  brWith(label: Label, values: readonly Expr[]): void {
    for (const value of values) emit(this.code, value);
    this.br(label);
  }
  /** Takes the value on top of the stack. */
  take(local: Local): void { this.code.u8(0x21); this.code.u32(local.index); }
  loop(body: (label: Label) => void): void { this.#structured(0x03, body); }

  /** `isLikely`: what the condition mostly is, where that is known. The engine keeps the other side out of the way, its register spills too. */
  if(condition: Expr, then: () => void, otherwise?: () => void, isLikely?: boolean): void {
    emit(this.code, condition);
    this.#hint(isLikely);
    this.code.u8(0x04);
    this.code.u8(0x40);
    this.#depth++;
    this.scope(then);
    if (otherwise !== undefined) { this.code.u8(0x05); this.scope(otherwise); }
    this.#depth--;
    this.code.u8(0x0b);
  }
  unless(condition: Expr, body: () => void, isLikely?: boolean): void { this.if(eqz(condition), body, undefined, isLikely); }
  #hint(isLikely: boolean | undefined): void { if (isLikely !== undefined) this.#hints.push({ at: this.code.length, isLikely }); }

  /** Code for this place that is known only when the rest has been written: `write` is called then. It branches nowhere. */
  later(write: () => void): void { this.#later.push({ at: this.code.length, write }); }
  #settle(): void {
    if (this.#later.length === 0) return;
    const pieces = this.#later.splice(0), code = this.code.finish(), hints = this.#hints.splice(0);
    let from = 0, next = 0;
    this.code.length = 0;
    const copy = (to: number): void => {
      const moved = this.code.length - from;
      for (; next < hints.length && hints[next]!.at < to; next++) this.#hints.push({ at: hints[next]!.at + moved, isLikely: hints[next]!.isLikely });
      this.code.raw(code.subarray(from, to));
      from = to;
    };
    for (const { at, write } of pieces) {
      copy(at);
      write();
    }
    copy(code.length);
  }

  /** Puts code in front of everything written so far. */
  prepend(write: () => void): void {
    this.#settle();
    const code = this.code.finish();
    const hints = this.#hints.splice(0);
    this.code.length = 0;
    write();
    for (const { at, isLikely } of hints) this.#hints.push({ at: at + this.code.length, isLikely });
    this.code.raw(code);
  }

  #structured(op: number, body: (label: Label) => void): void {
    this.code.u8(op);
    this.code.u8(0x40);
    const label = { depth: ++this.#depth };
    body(label);
    this.#depth--;
    this.code.u8(0x0b);
  }

  br(label: Label): void { this.code.u8(0x0c); this.code.u32(this.#depth - label.depth); }
  brIf(label: Label, condition: Expr, isLikely?: boolean): void { emit(this.code, condition); this.#hint(isLikely); this.code.u8(0x0d); this.code.u32(this.#depth - label.depth); }
  brTable(labels: readonly Label[], otherwise: Label, index: Expr): void {
    emit(this.code, index);
    this.code.u8(0x0e);
    this.code.u32(labels.length);
    for (const label of labels) this.code.u32(this.#depth - label.depth);
    this.code.u32(this.#depth - otherwise.depth);
  }

  return(...values: readonly Expr[]): void { for (const value of values) emit(this.code, value); this.code.u8(0x0f); }
  /** Evaluate for its effect. A call without result takes `callVoid`. */
  drop(value: Expr): void { emit(this.code, value); this.code.u8(0x1a); }
  callVoid(functionIndex: number, args: readonly Expr[]): void {
    for (const arg of args) emit(this.code, arg);
    this.code.u8(0x10);
    this.code.u32(functionIndex);
  }
  returnCall(functionIndex: number, args: readonly Expr[]): void {
    for (const arg of args) emit(this.code, arg);
    this.code.u8(0x12);
    this.code.u32(functionIndex);
  }
  returnCallIndirect(typeIndex: number, args: readonly Expr[], index: Expr, table = 0): void {
    for (const arg of args) emit(this.code, arg);
    emit(this.code, index);
    this.code.u8(0x13);
    this.code.u32(typeIndex);
    this.code.u32(table);
  }
  /** memory.copy(destination, source, bytes): bulk memory, no overlap hazards. */
  memoryCopy(destination: Expr, source: Expr, bytes: Expr): void {
    for (const arg of [destination, source, bytes]) emit(this.code, arg);
    this.code.raw([0xfc, 0x0a, 0, 0]);
  }
  memoryFill(destination: Expr, value: Expr, bytes: Expr): void {
    for (const arg of [destination, value, bytes]) emit(this.code, arg);
    this.code.raw([0xfc, 0x0b, 0]);
  }
  setGlobal(index: number, value: Expr): void { emit(this.code, value); this.code.u8(0x24); this.code.u32(index); }
  unreachable(): void { this.code.u8(0x00); }

  /** The body with its local declarations, as the code section wants it, and the hints on its branches by offset in the body. */
  finish(): FunctionBody {
    this.#settle();
    const body = new ByteWriter(this.code.length + 16);
    const declared = this.#locals.slice(this.type.params.length);
    const runs: { type: ValueType; count: number }[] = [];
    for (const type of declared) {
      const last = runs.at(-1);
      if (last?.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    body.u32(runs.length);
    for (const run of runs) { body.u32(run.count); body.u8(TYPE_BYTE[run.type]); }
    const start = body.length;
    body.raw(this.code.bytes, this.code.length);
    body.u8(0x0b);
    return { body, hints: this.#hints.map(({ at, isLikely }) => ({ at: at + start, isLikely })) };
  }
}

export { TYPE_BYTE };
