import { STATE } from '@vmm/state';
import type { StateField } from '@vmm/state';
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder, ValueType } from '@vmm/wasm';
import type { Form } from './form.ts';
import type { CalloutName } from './callout-names.ts';
import { multiplyHigh } from './wide-arithmetic.ts';

/** Register numbers as instructions encode them (SDM vol 1 §3.4.1). */
export const RAX = 0, RCX = 1, RDX = 2, RBX = 3, RSP = 4, RBP = 5, RSI = 6, RDI = 7;
/** Segment register numbers. */
export const ES = 0, CS = 1, SS = 2, DS = 3, FS = 4, GS = 5, NO_SEGMENT = 6;

/** Bit positions in `flagAux` (see the state layout): carry, carry into the sign bit, adjust, sign delta. */
export const AUX = { CF: 31, PO: 30, AF: 3, SD: 0 } as const;

export type Flag = 'c' | 'z' | 's' | 'o' | 'p' | 'a';

export function repeatedLanes(lanes: readonly number[]): Expr {
  return w.v128(new Uint8Array(Uint32Array.from({ length: 4 }, (_, i) => lanes[i % lanes.length] ?? 0).buffer));
}

/**
 * The abstract machine that instruction builders run on. It emits WebAssembly; what is symbolic and what is static is the subclass's
 * business: the interpreter reads operands from a decoded record, the translator knows them and keeps registers in locals.
 *
 * Values: guest values of 1, 2 and 4 bytes are i32 (zero-extended), 8 bytes i64, XMM v128, MMX i64. Everything returned is bound and may be
 * used many times. Rule: nothing architecturally visible may change before the last thing that can fault.
 */
export abstract class Machine {
  fn!: FunctionBuilder;
  form!: Form;
  readonly stateBase: number;
  constructor(stateBase: number) { this.stateBase = stateBase; }

  // --- facts ---
  /** Operand size of the instruction (bytes). */
  get size(): number { return this.form.opSize; }
  sizeOf(operand: number): number {
    const fact = this.form.operands[operand];
    if (fact === undefined) throw new Error(`${this.form.mnemonic} has no operand ${operand}`);
    return fact.size;
  }
  isMemory(operand: number): boolean { return this.form.operands[operand]?.kind === 'mem'; }
  hasOperand(operand: number): boolean { return this.form.operands[operand] !== undefined; }

  // --- constants and widths ---
  typeOf(size: number): 'i32' | 'i64' { return size === 8 ? 'i64' : 'i32'; }
  constant(size: number, value: number): Expr { return size === 8 ? w.i64(value) : w.i32(value); }
  /** Keep the low `size` bytes (values of 1 and 2 bytes live zero-extended in an i32). */
  truncate(size: number, value: Expr): Expr { return size === 1 ? w.and(value, w.i32(0xff)) : size === 2 ? w.and(value, w.i32(0xffff)) : value; }
  /** Sign-extend a guest value to i64. */
  signed64(size: number, value: Expr): Expr {
    if (size === 8) return value;
    return w.extendS(size === 4 ? value : size === 2 ? w.extend16(value) : w.extend8(value));
  }
  /** Sign-extend a 1-, 2- or 4-byte value within i32 (8 bytes: unchanged). */
  signed(size: number, value: Expr): Expr { return size === 1 ? w.extend8(value) : size === 2 ? w.extend16(value) : value; }
  /** Zero-extend or cut a guest value from one width to another. */
  resize(from: number, to: number, value: Expr): Expr {
    if (from === to) return value;
    if (to === 8) return w.extendU(value);
    const narrow = from === 8 ? w.wrap(value) : value;
    return to < from ? this.truncate(to, narrow) : narrow;
  }
  /** Sign-extending resize to a wider width. */
  signExtend(from: number, to: number, value: Expr): Expr {
    if (from === to) return value;
    if (to === 8) return this.signed64(from, value);
    return this.truncate(to, this.signed(from, value));
  }
  let(value: Expr): Expr { return this.fn.once(value); }

  // --- state block ---
  stateAddress(field: StateField, index = 0, stride = 8): number { return this.stateBase + STATE[field] + index * stride; }
  /** 64-bit state field (or element). */
  state64(field: StateField, index = 0): Expr { return this.fn.let(w.load('i64', 64, w.i32(0), this.stateAddress(field, index))); }
  state32(field: StateField, index = 0): Expr { return this.fn.let(w.load('i32', 32, w.i32(0), this.stateAddress(field, index, 4))); }
  setState64(field: StateField, value: Expr, index = 0): void { this.fn.store(64, w.i32(0), this.stateAddress(field, index), value); }
  setState32(field: StateField, value: Expr, index = 0): void { this.fn.store(32, w.i32(0), this.stateAddress(field, index, 4), value); }

  // --- operands (implemented by interpreter and translator) ---
  /** Value of an operand. Immediates take the width asked for (default: that of operand 0), already sign-extended. */
  abstract read(operand: number, size?: number): Expr;
  /** Read an operand that `write` will be called on next: a memory operand is checked for writing now, so `write` cannot fault. */
  abstract readModify(operand: number): Expr;
  /** Write an operand. A 4-byte register write clears the upper half. May fault for memory unless `readModify` came first. */
  abstract write(operand: number, value: Expr): void;
  /** Check that a memory operand can be written, ahead of other effects; `write` then cannot fault. Nothing for registers. */
  abstract prepareWrite(operand: number): void;
  /** Linear address (i64) of a memory operand whose access will be `bytes` wide (segment limits are checked for that). */
  abstract address(operand: number, bytes?: number, write?: boolean): Expr;
  /** Effective address (offset, i64, cut to the address size) of a memory operand: LEA. */
  abstract offset(operand: number): Expr;
  /** Selector (i32) of the segment a memory operand is in. */
  abstract selector(operand: number): Expr;
  /** Address of the vector register that is the index of a VSIB memory operand (gathers). */
  abstract indexVectorAddress(): Expr;
  /** Linear address of the element of a VSIB operand that an index (i64, sign-extended) selects. */
  abstract elementAddress(index: Expr, bytes: number): Expr;
  /** Register number of a register operand (seg, cr, dr, xmm, st) as i32. */
  abstract number(operand: number): Expr;
  abstract immediate64(operand: number): Expr;
  /** Second immediate of ENTER and far pointers (i32). */
  abstract secondImmediate(): Expr;

  /** XMM (v128 of the low 128 bits) and MMX (i64) register operands go through `read`/`write`; this is the address of their storage. */
  abstract vectorAddress(operand: number): Expr;
  abstract mmxAddress(operand: number): Expr;

  // --- fixed registers ---
  abstract register(number: number, size: number): Expr;
  abstract setRegister(number: number, size: number, value: Expr): void;
  /** AH. */
  abstract registerAh(): Expr;
  abstract setRegisterAh(value: Expr): void;

  // --- memory by linear address ---
  /** Host address (i32) of `bytes` at a linear address, for reading; leaves the instruction on a fault. */
  abstract hostRead(linear: Expr, bytes: number): Expr;
  /** Host address for writing (or reading and writing). After the stores call `commit(host)`. Leaves the instruction on a fault. */
  abstract hostWrite(linear: Expr, bytes: number, alsoRead?: boolean): Expr;
  /** Finish stores through a host address from `hostWrite` (needed for MMIO and page-crossing accesses only; a compare otherwise). */
  abstract commit(host: Expr): void;
  /** Linear address of segment:offset (i64 offset) with limit check. `segment` is static, or an operand's own via `address`. */
  abstract linear(segment: number, offset: Expr, bytes: number, write?: boolean): Expr;
  /** Linear address of a string source: the record's effective segment (DS unless overridden). */
  abstract linearSource(offset: Expr, bytes: number, write?: boolean): Expr;

  /** Linear address of `bytes` at a distance (negative: below) from where the stack pointer, or the frame pointer, points. */
  stackLinear(distance: number, bytes: number, write = false, pointer = RSP): Expr {
    const { stackSize } = this.form, mask = w.i64(stackSize === 2 ? 0xffff : -1, stackSize === 8 ? -1 : 0);
    return this.linear(SS, this.fn.let(w.and(w.add(this.register(pointer, 8), w.i64(distance, distance >> 31)), mask)), bytes, write);
  }
  loadLinear(linear: Expr, size: number): Expr {
    const host = this.hostRead(linear, size);
    return this.fn.let(w.load(this.typeOf(size), (size * 8) as w.Width, host));
  }
  storeLinear(linear: Expr, size: number, value: Expr): void {
    const host = this.hostWrite(linear, size);
    this.fn.store((size * 8) as w.Width, host, 0, value);
    this.commit(host);
  }

  // --- flags ---
  abstract setFlags(result64: Expr, aux: Expr): void;
  /** The lazy words as they stand. */
  abstract flagResult(): Expr;
  abstract flagAux(): Expr;
  /** One flag as i32 0/1. */
  flag(flag: Flag): Expr {
    const aux = this.flagAux();
    switch (flag) {
      case 'c': return this.fn.let(w.shrU(aux, w.i32(31)));
      case 'o': return this.fn.let(w.shrU(w.xor(aux, w.shl(aux, w.i32(1))), w.i32(31)));
      case 'a': return this.fn.let(w.and(w.shrU(aux, w.i32(3)), w.i32(1)));
      case 'z': return this.fn.let(w.eqz(this.flagResult()));
      case 's': return this.fn.let(w.xor(w.wrap(w.shrU(this.flagResult(), w.i64(63))), w.and(aux, w.i32(1))));
      case 'p': {
        const low = w.and(w.xor(w.wrap(this.flagResult()), w.shrU(aux, w.i32(8))), w.i32(0xff));
        return this.fn.let(w.xor(w.and(w.popcnt(low), w.i32(1)), w.i32(1)));
      }
    }
  }
  /** Condition code 0..15 (SDM vol 2 appendix B.1.4.7: o no b nb z nz be nbe s ns p np l nl le nle) as i32 0/1. */
  condition(code: number): Expr {
    const base = this.#positive(code >> 1);
    return (code & 1) === 0 ? base : this.fn.let(w.eqz(base));
  }
  #positive(pair: number): Expr {
    switch (pair) {
      case 0: return this.flag('o');
      case 1: return this.flag('c');
      case 2: return this.flag('z');
      case 3: return this.fn.let(w.or(this.flag('c'), this.flag('z')));
      case 4: return this.flag('s');
      case 5: return this.flag('p');
      case 6: return this.fn.let(w.xor(this.flag('s'), this.flag('o')));
      default: return this.fn.let(w.or(w.xor(this.flag('s'), this.flag('o')), this.flag('z')));
    }
  }
  /** Result of a logic operation: CF, OF, AF cleared. */
  flagsLogic(size: number, result: Expr): void { this.setFlags(this.signed64(size, result), w.i32(0)); }
  /** Flags of a + b (+carry) = result, all `size` wide. */
  flagsAdd(size: number, a: Expr, b: Expr, result: Expr): void {
    this.setFlags(this.signed64(size, result), this.auxFromCarries(size, w.or(w.and(a, b), w.and(w.or(a, b), this.#not(size, result)))));
  }
  /** Flags of a - b (-borrow) = result. */
  flagsSub(size: number, a: Expr, b: Expr, result: Expr): void {
    const notA = this.#not(size, a);
    this.setFlags(this.signed64(size, result), this.auxFromCarries(size, w.or(w.and(notA, b), w.and(w.or(notA, b), result))));
  }
  /** Flags of a value that went up or down by one: carry (i32 0/1) as it was. */
  flagsStep(size: number, up: boolean, carry: Expr, result: Expr): void {
    const low = size === 8 ? w.wrap(result) : result;
    const adjust = w.shl(w.eq(w.and(low, w.i32(15)), w.i32(up ? 0 : 15)), w.i32(3));
    this.setFlags(this.signed64(size, result), w.or(this.auxFromCarryOverflow(carry, this.stepOverflow(size, up, result)), adjust));
  }
  /** Overflow (i32 0/1): going up ends at the smallest number, going down at the largest. */
  stepOverflow(size: number, up: boolean, result: Expr): Expr {
    const top = 2 ** (Math.min(size, 4) * 8 - 1);
    return w.eq(result, size === 8 ? w.i64(up ? 0 : -1, up ? -top : top - 1) : w.i32(up ? top : top - 1));
  }
  /** Flags of a signed product that was cut to its operands' size: carry and overflow say that it does not fit. */
  flagsMultiply(size: number, a: Expr, b: Expr, result: Expr): void {
    const isOver = size === 8 ? w.ne(multiplyHigh((value) => this.fn.let(value), a, b, true), w.shrS(result, w.i64(63)))
      : w.ne(w.mul(this.signed64(size, a), this.signed64(size, b)), this.signed64(size, result));
    this.setFlags(this.signed64(size, result), w.shl(isOver, w.i32(31)));
  }
  #not(size: number, value: Expr): Expr { return w.xor(value, this.constant(size, -1)); }
  /** `flagAux` from the vector of carries out of each bit. */
  auxFromCarries(size: number, carries: Expr): Expr {
    const out = this.fn.let(carries);
    const low = size === 8 ? w.wrap(out) : out;
    const high = size === 8 ? w.wrap(w.shrU(out, w.i64(32))) : w.shl(out, w.i32(32 - size * 8));
    return w.or(w.and(high, w.i32(0xc000_0000)), w.and(low, w.i32(8)));
  }
  /** `flagAux` with given CF and OF (i32 0/1) and AF 0. */
  auxFromCarryOverflow(carry: Expr, overflow: Expr): Expr {
    const c = this.fn.let(carry);
    return w.or(w.shl(c, w.i32(31)), w.shl(w.xor(c, overflow), w.i32(30)));
  }
  /** Set CF and OF, keep SF, ZF, AF and PF. */
  setCarryOverflow(carry: Expr, overflow: Expr): void {
    const kept = this.fn.let(w.and(this.flagAux(), w.i32(0x3fff_ffff)));
    this.setFlags(this.flagResult(), w.or(kept, this.auxFromCarryOverflow(carry, overflow)));
  }
  /** Set CF alone. */
  setCarry(carry: Expr): void { this.setCarryOverflow(carry, this.flag('o')); }
  /** Set all six from i32 0/1 values. */
  setAllFlags(flags: Readonly<Record<Flag, Expr>>): void {
    // ZF is "result is zero": use 0 or 1<<8 as result; its low byte is 0 (even parity), its sign 0, so PDB and SD say the rest
    const result = w.select(flags.z, w.i64(0), w.i64(0x100));
    const parityDelta = w.shl(w.xor(flags.p, w.i32(1)), w.i32(8));
    const aux = w.or(w.or(this.auxFromCarryOverflow(flags.c, flags.o), w.shl(flags.a, w.i32(3))), w.or(parityDelta, flags.s));
    this.setFlags(result, aux);
  }
  /** Only ZF,PF,CF as COMISS & friends set them, OF SF AF cleared. */
  setCompareFlags(zero: Expr, parity: Expr, carry: Expr): void {
    const no = w.i32(0);
    this.setAllFlags({ z: zero, p: parity, c: carry, o: no, s: no, a: no });
  }

  /** Near transfers look at the limit of CS; not in code that only runs where there is none. */
  get checksCodeLimit(): boolean { return true; }

  /** One half of a wide vector is being computed whose SIMD exceptions must wait for those of the other. */
  defersExceptions = false;

  // --- events and control ---
  /** Raise a fault (value, no error code unless given) and leave the instruction; use inside `fn.if` for conditional faults. */
  abstract fault(vector: number, errorCode?: number | Expr): void;
  faultIf(condition: Expr, vector: number, errorCode = 0): void { this.fn.if(condition, () => { this.fault(vector, errorCode); }); }
  /** Address (RIP, i64) of the instruction after this one, and of this one. */
  abstract nextIp(): Expr;
  abstract currentIp(): Expr;
  /** Near transfer to an offset (i64), cut to `size` bytes. Ends the instruction. */
  abstract jump(target: Expr, size?: number): void;
  /** Taken: nextIp + displacement (operand 0); else the next instruction. Ends the instruction. */
  abstract jumpRelativeIf(condition: Expr): void;
  abstract jumpRelative(): void;
  /** nextIp + displacement, cut to the operand size (i64). */
  abstract relativeTarget(): Expr;
  /** What is left of the budget of instructions (i32) after this one. */
  abstract instructionsLeft(): Expr;
  /** Continue with the next instruction through a fresh dispatch (pending events, mode and code are looked at again). */
  abstract dispatchNext(): void;
  /**
   * A transfer of control that a function of the interpreter's module does in the state block, where it sets rip and the mode; where it has done nothing (0)
   * TypeScript does it. Ends the instruction.
   */
  abstract transferOr(isDone: () => Expr, name: CalloutName, args?: readonly Expr[], size?: number): void;
  /** Run this same instruction again through dispatch (interruptible string instructions). */
  abstract repeat(): void;

  /**
   * Call TypeScript for something rare. Arguments are i64 (others are zero-extended). Leaves the instruction on a fault, dispatches anew if the
   * callout says so, otherwise goes on here. `calloutResult` then gives the value.
   */
  callout(name: CalloutName, args: readonly Expr[] = [], size = 4): void { this.calloutThen(name, args, size, () => undefined); }
  /** Like `callout`, with more to do once it is certain that there is no fault (also before a fresh dispatch). */
  /**
   * The rest of this instruction, in a case that hardly ever happens: a callout in the interpreter; translated code leaves the whole instruction to
   * the interpreter. Nothing may have been changed before.
   */
  abstract uncommon(name: CalloutName, args?: readonly Expr[], size?: number, after?: () => void): void;
  abstract calloutThen(name: CalloutName, args: readonly Expr[], size: number, after: () => void): void;
  calloutResult(size: number): Expr { return this.fn.let(w.load(this.typeOf(size), (size * 8) as w.Width, w.i32(0), this.stateAddress('scratch'))); }

  /** Call a helper of the same module by name (soft-float, square roots …). See `ModuleHelpers`. */
  abstract helper(name: string, ...args: readonly Expr[]): Expr;
  abstract helperVoid(name: string, ...args: readonly Expr[]): void;

  /** Whether `bytes` at a linear address are plain memory that can be read (written) up to the end of the page without any slow path (i32). */
  abstract bulkReadable(linear: Expr, bytes: number): Expr;
  abstract bulkWritable(linear: Expr, bytes: number): Expr;
  /** Bytes from an offset on that a segment's limit allows (i64); 'source': the operand's own segment. Default: not known to be any. */
  bulkLimit(_segment: number | 'source', _offset: Expr): Expr { return w.i64(0); }

  /** A hardly ever taken way that has nothing to do with flags. */
  rarely(condition: Expr, then: () => void): void { this.fn.if(condition, then, undefined, false); }
  /** A case that hardly ever happens, before anything has changed: translated code leaves the instruction to the interpreter. */
  seldom(condition: Expr, then: () => void): void { this.rarely(condition, then); }
  /** A check that, once made, holds while code runs on in one piece, whatever other instructions do; `name` tells checks apart. */
  once(_name: string, check: () => void): void { check(); }
  /** A value (i32) of state that hardly ever changes: it may be kept while code runs on in one piece. `name` tells values apart; whoever changes the state says so by `changed`. */
  kept(_name: string, value: () => Expr): Expr { return value(); }
  changed(_name: string): void { /* nothing is kept */ }
  /** A vector of 32-bit lanes, repeated to four of them, for use in many places: V8 makes every constant anew where it is used, in three instructions. */
  constantVector(...lanes: readonly number[]): Expr { return repeatedLanes(lanes); }
  unless(condition: Expr, then: () => void): void { this.fn.unless(condition, then); }
  when(condition: Expr, then: () => void, otherwise?: () => void): void { this.fn.if(condition, then, otherwise); }
  select(condition: Expr, yes: Expr, no: Expr): Expr { return this.fn.let(w.select(condition, yes, no)); }
  local(type: ValueType): w.Local { return this.fn.local(type); }
}
