/* @hot: runs while the guest waits; indices are bounded by construction. */
import { ByteWriter } from './bytes.ts';
import { eqz, isLocal, localGet, storeCode } from './expression.ts';
import { ExpressionWriter } from './expression-writer.ts';
import type { Binding } from './binding.ts';
import type { Expr, ValueType, Width } from './expression.ts';

export interface Label { readonly depth: number }
export interface Local { readonly index: number; readonly type: ValueType; /** What it holds when that is evaluated. */ readonly value: Expr }
export interface FunctionType { readonly params: readonly ValueType[]; readonly results: readonly ValueType[] }

/** Whether the condition of the `if` or `br_if` at a byte offset is mostly true. */
export interface BranchHint { readonly at: number; readonly isLikely: boolean }
/** From where to where it was written, and its hints. */
export interface FunctionBody { readonly from: number; readonly to: number; readonly hints: readonly BranchHint[] }

/** Code to be put in, where, and which stretch of code begins there. */
interface Piece { readonly at: number; readonly epoch: number; readonly write: () => void }

const TYPE_BYTE: Readonly<Record<ValueType, number>> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };

/** Buffers to be used again: code is written to one, settled through a second. */
const WRITERS: ByteWriter[] = [], WRITER_BYTES = 1 << 14, MAX_WRITERS = 4;
function release(writer: ByteWriter): void {
  writer.length = 0;
  if (WRITERS.length < MAX_WRITERS) WRITERS.push(writer);
}

/**
 * One function's body, written front to back with structured control flow. Locals made inside `scope` are recycled after it, which keeps
 * the number of locals of very large functions (the interpreter's loop) small.
 */
export class FunctionBuilder {
  readonly type: FunctionType;
  readonly code: ByteWriter;
  readonly #locals: ValueType[];
  readonly #hints: BranchHint[] = [];
  /** Locals to be used again, by type. */
  readonly #free: Readonly<Record<ValueType, Local[]>> = { i32: [], i64: [], f32: [], f64: [], v128: [] };
  /** Locals to be recycled, those of the innermost scope last. */
  readonly #scoped: Local[] = [];
  #scopeStart = 0;
  readonly #writer: ExpressionWriter;
  #depth = 0;
  #later: Piece[] = [];

  constructor(type: FunctionType) {
    this.type = type;
    this.code = WRITERS.pop() ?? new ByteWriter(WRITER_BYTES);
    this.#locals = [...type.params];
    this.#writer = new ExpressionWriter(this.code, (valueType, isScoped) => (isScoped ? this.local(valueType) : this.permanentLocal(valueType)).index);
  }

  param(index: number): Expr {
    const type = this.type.params[index];
    if (type === undefined) throw new Error(`function has no parameter ${index}`);
    return localGet(index, type);
  }

  /** A local of the innermost scope, whose end recycles it: what must outlive the scope (a value kept from one instruction to another) is a `permanentLocal`. */
  local(type: ValueType): Local {
    const local = this.#free[type].pop() ?? this.permanentLocal(type);
    this.#scoped.push(local);
    return local;
  }

  /** A local that no scope recycles. */
  permanentLocal(type: ValueType): Local {
    const index = this.#locals.push(type) - 1;
    return { index, type, value: localGet(index, type) };
  }

  /** A recycled local keeps an old value: set it before you get it. */
  get(local: Local): Expr { return local.value; }
  set(local: Local | number, value: Expr): void { this.#writer.set(typeof local === 'number' ? local : local.index, value); }

  /**
   * The value as it is now, to be used any number of times later, wherever control can only come from here. What is not used is not computed (unless it
   * calls or may trap), and what is cheap is computed where it is used.
   */
  let(value: Expr): Expr { return this.#writer.bind(value); }
  /** Like `let`, but keeps a bare local as it is: only for locals that are not set again. */
  once(value: Expr): Expr { return isLocal(value) ? value : this.let(value); }

  scope<T>(body: () => T): T {
    const outer = this.#scopeStart;
    this.#scopeStart = this.#scoped.length;
    const result = body();
    this.recycleScoped([]);
    this.#scopeStart = outer;
    return result;
  }

  /** How many locals the innermost scope holds. */
  get scopedLocals(): number { return this.#scoped.length - this.#scopeStart; }
  /** Recycles the locals of the innermost scope before its end: nothing that follows gets one without setting it first, but for those of these values. */
  recycleScoped(kept: readonly Expr[]): void {
    const scoped = this.#scoped;
    let end = this.#scopeStart;
    for (let i = end; i < scoped.length; i++) {
      const local = scoped[i]!;
      if (kept.some((value) => value.binding?.local === local.index)) scoped[end++] = local;
      else this.#free[local.type].push(local);
    }
    scoped.length = end;
  }

  store(width: Width, address: Expr, offset: number, value: Expr): void {
    const code = storeCode(value.type, width);
    if (code === 0) throw new Error(`no ${width}-bit store of ${value.type}`);
    this.#writer.write(address);
    this.#writer.write(value);
    this.#writer.opcode(code);
    this.code.u32(0);
    this.code.u32(offset);
  }

  /** v128.storeN_lane. */
  storeLane(width: 8 | 16 | 32 | 64, index: number, address: Expr, offset: number, vector: Expr): void {
    this.#writer.write(address);
    this.#writer.write(vector);
    this.#writer.opcode({ 8: 0xfd58, 16: 0xfd59, 32: 0xfd5a, 64: 0xfd5b }[width]);
    this.code.u32(0);
    this.code.u32(offset);
    this.code.u8(index);
  }

  block(body: (label: Label) => void): void { this.#structured(0x02, body); }
  /** A block that leaves values on the stack: branches to its end bring them, or code that runs into it. `typeIndex`: of a function without parameters that has these results. */
  blockOf(typeIndex: number, body: (label: Label) => void): void {
    this.code.u8(0x02);
    this.code.u32(typeIndex);
    body(this.#enter());
    this.#leave();
  }
  #enter(): Label {
    this.#writer.enter();
    return { depth: ++this.#depth };
  }
  #leave(): void {
    this.#depth--;
    this.#writer.leave();
    this.code.u8(0x0b);
  }
  brWith(label: Label, values: readonly Expr[]): void {
    this.push(values);
    this.br(label);
  }
  /** Branches with values if a condition holds, else leaves them on the stack. */
  brIfWith(label: Label, values: readonly Expr[], condition: Expr): void {
    this.push(values);
    this.brIf(label, condition);
  }
  /** Values for what comes next, on the stack. */
  push(values: readonly Expr[]): void { for (const value of values) this.#writer.write(value); }
  /** Takes the value on top of the stack. */
  take(local: Local): void { this.#writer.take(local.index); }
  loop(body: (label: Label) => void): void {
    this.#writer.forget();
    this.#structured(0x03, body);
  }

  /** `isLikely`: what the condition mostly is, where that is known. The engine keeps the other side out of the way, its register spills too. */
  if(condition: Expr, then: () => void, otherwise?: () => void, isLikely?: boolean): void {
    this.#writer.write(condition);
    this.#hint(isLikely);
    this.code.u8(0x04);
    this.code.u8(0x40);
    this.#enter();
    this.scope(then);
    if (otherwise !== undefined) this.#else(otherwise);
    this.#leave();
  }
  #else(body: () => void): void {
    const at = this.code.length, pieces = this.#later.length;
    this.code.u8(0x05);
    this.#writer.leave();
    this.#writer.enter();
    this.scope(body);
    if (this.code.length === at + 1 && this.#later.length === pieces) this.code.length = at;
  }
  /** A value, computed on one of two ways. */
  choose(type: ValueType, condition: Expr, then: () => Expr, otherwise: () => Expr, isLikely?: boolean): Expr {
    this.#writer.write(condition);
    this.#hint(isLikely);
    this.code.u8(0x04);
    this.code.u8(TYPE_BYTE[type]);
    this.#enter();
    this.scope(() => { this.#writer.write(then()); });
    this.#else(() => { this.#writer.write(otherwise()); });
    this.#leave();
    return this.#writer.bindTop(type);
  }
  unless(condition: Expr, body: () => void, isLikely?: boolean): void { this.if(eqz(condition), body, undefined, isLikely); }
  #hint(isLikely: boolean | undefined): void { if (isLikely !== undefined) this.#hints.push({ at: this.code.length, isLikely }); }

  /** Code for this place that is known only when the rest has been written: `write` is called then. It branches nowhere. */
  later(write: () => void): void { this.#later.push({ at: this.code.length, epoch: this.#writer.forget(), write }); }
  /** Puts in what was to be put in later, and makes the writer's edits. */
  #settle(): void {
    for (let edits = this.#writer.edits(); edits.length > 0 || this.#later.length > 0; edits = this.#writer.edits()) this.#change(edits);
  }
  #change(edits: readonly Binding[]): void {
    const { code } = this, pieces = this.#later, old = WRITERS.pop() ?? new ByteWriter(WRITER_BYTES), hints = this.#hints.splice(0);
    let from = 0, next = 0, piece = 0;
    this.#later = [];
    old.part(code.bytes, 0, code.length);
    code.length = 0;
    const copy = (to: number): void => {
      const moved = code.length - from;
      for (; next < hints.length && hints[next]!.at < to; next++) this.#hints.push({ at: hints[next]!.at + moved, isLikely: hints[next]!.isLikely });
      code.part(old.bytes, from, to);
      from = to;
    };
    const insert = (at: number, epoch: number): void => {
      for (; piece < pieces.length && (pieces[piece]!.at < at || (pieces[piece]!.at === at && pieces[piece]!.epoch <= epoch)); piece++) {
        copy(pieces[piece]!.at);
        pieces[piece]!.write();
      }
    };
    for (const { editAt, leftOut, epoch, source, local } of edits) {
      if (piece < pieces.length) insert(editAt, epoch);
      copy(editAt);
      from += leftOut;
      if (leftOut > 0) continue;
      code.indexed(0x20, source);
      code.indexed(0x21, local);
    }
    insert(old.length, Infinity);
    copy(old.length);
    release(old);
  }

  /** Puts code in front of everything written so far. */
  prepend(write: () => void): void {
    this.#settle();
    const { code } = this, body = WRITERS.pop() ?? new ByteWriter(WRITER_BYTES), hints = this.#hints.splice(0);
    body.part(code.bytes, 0, code.length);
    code.length = 0;
    write();
    this.#settle();
    for (const { at, isLikely } of hints) this.#hints.push({ at: at + code.length, isLikely });
    code.part(body.bytes, 0, body.length);
    release(body);
  }

  #structured(op: number, body: (label: Label) => void): void {
    this.code.u8(op);
    this.code.u8(0x40);
    const label = this.#enter();
    body(label);
    this.#leave();
  }

  br(label: Label): void { this.code.u8(0x0c); this.code.u32(this.#depth - label.depth); }
  brIf(label: Label, condition: Expr, isLikely?: boolean): void { this.#writer.write(condition); this.#hint(isLikely); this.code.u8(0x0d); this.code.u32(this.#depth - label.depth); }
  brTable(labels: readonly Label[], otherwise: Label, index: Expr): void {
    this.#writer.write(index);
    this.code.u8(0x0e);
    this.code.u32(labels.length);
    for (const label of labels) this.code.u32(this.#depth - label.depth);
    this.code.u32(this.#depth - otherwise.depth);
  }

  return(...values: readonly Expr[]): void { for (const value of values) this.#writer.write(value); this.code.u8(0x0f); }
  /** Evaluate for its effect. A call without result takes `callVoid`. */
  drop(value: Expr): void { this.#writer.write(value); this.code.u8(0x1a); }
  callVoid(functionIndex: number, args: readonly Expr[]): void {
    for (const arg of args) this.#writer.write(arg);
    this.code.u8(0x10);
    this.code.u32(functionIndex);
  }
  returnCall(functionIndex: number, args: readonly Expr[]): void {
    for (const arg of args) this.#writer.write(arg);
    this.code.u8(0x12);
    this.code.u32(functionIndex);
  }
  returnCallIndirect(typeIndex: number, args: readonly Expr[], index: Expr, table = 0): void {
    for (const arg of args) this.#writer.write(arg);
    this.#writer.write(index);
    this.code.u8(0x13);
    this.code.u32(typeIndex);
    this.code.u32(table);
  }
  /** memory.copy(destination, source, bytes): bulk memory, no overlap hazards. */
  memoryCopy(destination: Expr, source: Expr, bytes: Expr): void {
    for (const arg of [destination, source, bytes]) this.#writer.write(arg);
    this.code.raw([0xfc, 0x0a, 0, 0]);
  }
  memoryFill(destination: Expr, value: Expr, bytes: Expr): void {
    for (const arg of [destination, value, bytes]) this.#writer.write(arg);
    this.code.raw([0xfc, 0x0b, 0]);
  }
  setGlobal(index: number, value: Expr): void { this.#writer.write(value); this.code.u8(0x24); this.code.u32(index); }
  unreachable(): void { this.code.u8(0x00); }

  /** Appends the body with its local declarations, as the code section wants it; hints on its branches are by offset in the body. */
  finish(out: ByteWriter): FunctionBody {
    this.#settle();
    const from = out.length, types = this.#locals;
    let runs = 0;
    for (let i = this.type.params.length; i < types.length; i++) if (i === this.type.params.length || types[i] !== types[i - 1]) runs++;
    out.u32(runs);
    for (let i = this.type.params.length, next = i; i < types.length; i = next) {
      while (next < types.length && types[next] === types[i]) next++;
      out.u32(next - i);
      out.u8(TYPE_BYTE[types[i]!]);
    }
    const moved = out.length - from;
    out.part(this.code.bytes, 0, this.code.length);
    out.u8(0x0b);
    release(this.code);
    return { from, to: out.length, hints: this.#hints.map(({ at, isLikely }) => ({ at: at + moved, isLikely })) };
  }
}

export { TYPE_BYTE };
