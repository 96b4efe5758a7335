/* @hot: runs while the guest waits; indices are bounded by construction. */
import { Binding } from './binding.ts';
import { BOUND, boundExpr, CALL, CONST, GLOBAL, isCheap, LANE, LOCAL, MEMORY, MEMORY_LANE, PLAIN, SHUFFLE, TOP, V_CONST, withOperand } from './expression.ts';
import type { Expr, ValueType } from './expression.ts';
import type { ByteWriter } from './bytes.ts';

const GET = 0x20, SET = 0x21, TEE = 0x22;
/** A stretch of code after all others. */
const LAST = 0x3fff_ffff;

/**
 * Writes expressions and the locals that they are kept in. What is got right after it was set is written as `local.tee`; what turns out not to be
 * wanted, and copies that are, are edits of the code at its end.
 */
export class ExpressionWriter {
  readonly #code: ByteWriter;
  readonly #newLocal: (type: ValueType, isScoped: boolean) => number;
  /** How often each local has been set. */
  readonly #versions: number[] = [];
  /** Grows where control may come from elsewhere, or locals change unseen. */
  #epoch = 0;
  /** Of the open blocks, outermost first: which ones they are. */
  readonly #open: number[] = [0];
  #depth = 0;
  #blocks = 0;
  /** The last code written, if it set a local: from where to where, and for what. */
  #setAt = 0;
  #setEnd = -1;
  #setLocal = 0;
  #setFor: Binding | undefined;
  /** The expression at hand begins with a `local.tee` there. */
  #teeAt = -1;
  #teeOf: Binding | undefined;
  /** The last copy of each local. */
  readonly #copyOf: Expr[] = [];
  readonly #computed: Binding[] = [];
  readonly #copies: Binding[] = [];
  readonly #uses: Binding[] = [];

  constructor(code: ByteWriter, newLocal: (type: ValueType, isScoped: boolean) => number) {
    this.#code = code;
    this.#newLocal = newLocal;
  }

  // --- where control goes ---

  /** A block, a loop or one side of a condition begins; it ends. */
  enter(): void { this.#open[++this.#depth] = ++this.#blocks; }
  leave(): void { this.#depth--; }
  /** From here on nothing is known of locals. */
  forget(): number {
    this.#setEnd = -1;
    return ++this.#epoch;
  }

  // --- locals ---

  #version(local: number): number { return this.#versions[local] ?? 0; }
  #get(local: number): void {
    const code = this.#code;
    if (this.#setEnd === code.length && this.#setLocal === local) this.#tee();
    else code.indexed(GET, local);
  }
  #tee(): void {
    this.#code.bytes[this.#setAt] = TEE;
    this.#setEnd = -1;
    this.#teeAt = this.#setAt;
    this.#teeOf = this.#setFor;
    if (this.#setFor !== undefined) this.#setFor.isTeed = true;
  }
  /** Takes the value on top of the stack. */
  take(local: number, binding?: Binding): void {
    const code = this.#code;
    this.#setAt = code.length;
    code.indexed(SET, local);
    this.#setEnd = code.length;
    this.#setLocal = local;
    this.#setFor = binding;
    this.#versions[local] = this.#version(local) + 1;
  }
  set(local: number, value: Expr): void {
    const { binding } = value;
    if (binding !== undefined && binding.source === local && this.#isSame(binding)) return;
    this.write(value);
    this.take(local);
    if (binding === undefined || binding.source >= 0) return;
    binding.twin = local;
    binding.twinVersion = this.#version(local);
    binding.twinEpoch = this.#epoch;
    this.#place(binding);
  }

  // --- bound values ---

  /** The local that a binding copies has not changed. */
  #isSame(binding: Binding): boolean { return binding.epoch === this.#epoch && binding.version === this.#version(binding.source); }
  #hasTwin(binding: Binding): boolean {
    const { twin } = binding;
    return twin >= 0 && binding.twinEpoch === this.#epoch && binding.twinVersion === this.#version(twin) && this.#isOpen(binding);
  }
  #place(binding: Binding): void {
    binding.depth = this.#depth;
    binding.block = this.#open[this.#depth]!;
  }
  #isOpen({ depth, block }: Binding): boolean { return depth <= this.#depth && block === this.#open[depth]; }

  bind(value: Expr): Expr {
    switch (value.kind) {
      case CONST: case BOUND: return value;
      case LOCAL: return this.#copy(value);
      case TOP: return this.bindTop(value.type);
      default:
        if (isCheap(value)) {
          const { kind } = value.a!;
          if (kind === BOUND) return value;
          if (kind === LOCAL) return withOperand(value, this.#copy(value.a!));
        }
        return this.#compute(value);
    }
  }
  #copy({ type, lo }: Expr): Expr {
    const known = this.#copyOf[lo];
    if (known?.binding !== undefined && this.#isSame(known.binding) && this.#isOpen(known.binding)) return known;
    const binding = new Binding(-1, lo, this.#version(lo), this.#epoch, undefined, this.#code.length), copy = boundExpr(type, binding);
    binding.editAt = binding.at;
    this.#place(binding);
    this.#copyOf[lo] = copy;
    return copy;
  }
  #compute(value: Expr): Expr {
    const binding = new Binding(this.#newLocal(value.type, true), -1, 0, LAST, value, this.#code.length);
    binding.firstUse = this.#uses.length;
    this.#teeAt = -1;
    this.#teeOf = undefined;
    this.write(value);
    binding.endUse = this.#uses.length;
    binding.teeAt = this.#teeAt;
    binding.teeOf = this.#teeOf;
    return this.#kept(value.type, binding);
  }
  /** The value on top of the stack. */
  bindTop(type: ValueType): Expr { return this.#kept(type, new Binding(this.#newLocal(type, true), -1, 0, LAST, undefined, this.#code.length)); }
  #kept(type: ValueType, binding: Binding): Expr {
    binding.end = this.#code.length;
    this.take(binding.local, binding);
    this.#computed.push(binding);
    return boundExpr(type, binding);
  }

  #writeBound(binding: Binding, type: ValueType): void {
    if (binding.source >= 0) {
      if (this.#isSame(binding)) { this.#get(binding.source); return; }
      // not one that is used again: the copy is made further up
      if (binding.local < 0) {
        binding.local = this.#newLocal(type, false);
        this.#copies.push(binding);
      }
    } else {
      if (this.#hasTwin(binding)) { this.#get(binding.twin); return; }
      if (this.#setFor === binding && this.#setEnd === this.#code.length) { this.#tee(); return; }
    }
    binding.uses++;
    this.#uses.push(binding);
    this.#code.indexed(GET, binding.local);
  }

  // --- expressions ---

  /** Code that leaves the expression's value on the stack. */
  write(e: Expr): void {
    const { kind } = e, code = this.#code;
    if (kind === BOUND) { this.#writeBound(e.binding!, e.type); return; }
    if (kind === LOCAL) { this.#get(e.lo); return; }
    if (e.a !== undefined) {
      this.write(e.a);
      if (e.b !== undefined) {
        this.write(e.b);
        for (let i = 0; i < e.rest.length; i++) this.write(e.rest[i]!);
      }
    }
    switch (kind) {
      case PLAIN: this.opcode(e.op); return;
      case CONST:
        code.u8(e.op);
        if (e.type === 'i32') code.s32(e.lo);
        else if (e.type === 'i64') code.s64(e.lo, e.hi);
        else for (let i = 0; i < (e.type === 'f64' ? 8 : 4); i++) code.u8((i < 4 ? e.lo : e.hi) >>> ((i & 3) << 3) & 0xff);
        return;
      case GLOBAL: code.indexed(e.op, e.lo); return;
      case MEMORY: this.opcode(e.op); code.u32(e.hi); code.u32(e.lo); return;
      case MEMORY_LANE: this.opcode(e.op); code.u32(0); code.u32(e.lo); code.u8(e.hi); return;
      case CALL: code.indexed(e.op, e.lo); if (e.op === 0x11) code.u32(e.hi); return;
      case LANE: this.opcode(e.op); code.u8(e.lo); return;
      case V_CONST: case SHUFFLE: this.opcode(e.op); if (e.bytes !== undefined) code.raw(e.bytes); return;
      case TOP: return;
      default: throw new Error(`unknown expression kind ${kind}`);
    }
  }
  opcode(op: number): void {
    const code = this.#code;
    if (op < 0x100) { code.u8(op); return; }
    const prefix = op > 0xffff ? op >>> 12 : op >>> 8;
    code.u8(prefix);
    code.u32(op > 0xffff ? op & 0xfff : op & 0xff);
  }

  // --- the end ---

  /** What is to be changed in the code, first to last. Bindings are not used any more. */
  edits(): readonly Binding[] {
    const leftOut: Binding[] = [], computed = this.#computed;
    // the last ones first: what they are computed from may then be left out too
    for (let i = computed.length - 1; i >= 0; i--) if (computed[i]!.uses === 0 && this.#leavesOut(computed[i]!)) leftOut.push(computed[i]!);
    const copies = this.#copies.filter(({ uses }) => uses > 0).sort((a, b) => a.at - b.at || a.epoch - b.epoch);
    computed.length = this.#copies.length = this.#uses.length = 0;
    this.forget();
    return merged(copies, leftOut);
  }
  #leavesOut(binding: Binding): boolean {
    const { at, end, value, isTeed } = binding, setEnd = end + 1 + (binding.local < 0x80 ? 1 : binding.local < 0x4000 ? 2 : 3);
    binding.editAt = isTeed ? end : at;
    binding.leftOut = setEnd - binding.editAt;
    if (isTeed) return true;
    if (value === undefined || !isRemovable(value)) return false;
    for (let i = binding.firstUse; i < binding.endUse; i++) this.#uses[i]!.uses--;
    if (binding.teeAt >= 0) this.#code.bytes[binding.teeAt] = SET;
    if (binding.teeOf !== undefined) binding.teeOf.isTeed = false;
    return true;
  }
}

/** Copies, and what is left out, the last first, in the order of the code; at one place the copy comes first. */
function merged(copies: readonly Binding[], leftOut: Binding[]): readonly Binding[] {
  leftOut.reverse();
  if (copies.length === 0) return leftOut;
  const all: Binding[] = [];
  let next = 0;
  for (const binding of leftOut) {
    for (; next < copies.length && copies[next]!.at <= binding.editAt; next++) all.push(copies[next]!);
    all.push(binding);
  }
  for (; next < copies.length; next++) all.push(copies[next]!);
  return all;
}

/** Whether nobody sees that it is not computed: no calls, atomics, or what may trap. */
function isRemovable(e: Expr): boolean {
  if (e.kind === CALL || (e.kind === MEMORY && e.op >>> 8 === 0xfe) || (e.kind === PLAIN && isTrapping(e.op))) return false;
  return (e.a === undefined || isRemovable(e.a)) && (e.b === undefined || isRemovable(e.b)) && (e.rest.length === 0 || e.rest.every(isRemovable));
}
/** Divisions and conversions from floating point. */
const isTrapping = (op: number): boolean => (op >= 0x6d && op <= 0x70) || (op >= 0x7f && op <= 0x82) || (op >= 0xa8 && op <= 0xab) || (op >= 0xae && op <= 0xb1);
