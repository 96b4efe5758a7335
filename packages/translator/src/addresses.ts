/* @hot: runs while the guest waits; indices are bounded by construction. */
import { bytesToLimit, UNLIMITED, WRITES } from '@vmm/cpu';
import { CS, FS, GS, RSP } from '@vmm/isa';
import { OpKind } from '@vmm/decoder';
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';
import type { Step } from './flow-graph.ts';
import type { KeptRegisters } from './kept-registers.ts';
import type { OpenWindows } from './open-windows.ts';
import type { Place } from './place.ts';
import type { RegionCode } from './region-code.ts';

/** In a segment's bounds: its limit, above it what is to be checked, of which the limit is the lowest bit. */
const LIMIT_SHIFT = 32;

export interface AddressParts { readonly code: RegionCode; readonly place: Place; readonly registers: KeptRegisters; readonly windows: OpenWindows; readonly leaveFault: () => void }

/** Effective and linear addresses of the instruction at hand. Segments that the mode key says are flat add nothing. */
export class Addresses {
  readonly #code: RegionCode;
  readonly #place: Place;
  readonly #registers: KeptRegisters;
  readonly #windows: OpenWindows;
  readonly #leaveFault: () => void;
  #step!: Step;

  constructor({ code, place, registers, windows, leaveFault }: AddressParts) {
    this.#code = code;
    this.#place = place;
    this.#registers = registers;
    this.#windows = windows;
    this.#leaveFault = leaveFault;
  }

  begin(step: Step): void { this.#step = step; }

  /** Linear address (i64) of a memory operand. */
  ofOperand(operand: number, bytes: number, write: boolean): Expr {
    const { inst } = this.#step, { is64 } = this.#code;
    if (inst.opKind[operand] === OpKind.moffs) return this.linear(inst.seg, is64 ? w.i64(inst.immLo, inst.immHi) : w.i64(inst.immLo, 0), bytes, write);
    if (inst.base >= 0 && inst.index < 0 && !inst.ripRelative && this.#isFlat(inst.seg) && inst.addrSize === (is64 ? 8 : 4)) {
      const located = this.#windows.locate(inst.base, inst.disp + this.#popped(), bytes);
      if (located !== undefined) return located;
    }
    return this.linear(inst.seg, this.#wide(this.#offset()), bytes, write);
  }
  /** Effective address (i64). */
  offset(): Expr { return this.#code.fn.let(this.#wide(this.#offset())); }
  #wide(offset: Expr): Expr { return offset.type === 'i64' ? offset : w.extendU(offset); }
  /** Offset in the word type of the mode: i32 for 32-bit addresses outside long mode, else i64. */
  #offset(): Expr {
    const { inst } = this.#step, { is64 } = this.#code;
    if (inst.ripRelative) return this.#place.at(this.#place.after + inst.disp);
    let sum: Expr | undefined = inst.base < 0 ? undefined : this.#registers.word(inst.base);
    if (inst.index >= 0) {
      const scaled = w.shl(this.#registers.word(inst.index), this.#code.constant(inst.scale));
      sum = sum === undefined ? scaled : w.add(sum, scaled);
    }
    const constant = this.#code.constant(inst.disp + this.#popped());
    sum = sum === undefined ? constant : w.add(sum, constant);
    if (inst.addrSize === 2) return is64 ? sum : w.and(sum, w.i32(0xffff));
    return is64 && inst.addrSize === 4 ? w.and(sum, w.i64(-1, 0)) : sum;
  }
  /** POP to memory computes its address with the stack pointer already moved. */
  #popped(): number {
    const { inst } = this.#step;
    return inst.row.mnemonic === 'pop' && inst.base === RSP ? inst.opSize : 0;
  }
  /** Linear address of the element of a VSIB operand that an index (i64) selects. */
  ofElement(index: Expr, bytes: number): Expr {
    const { inst } = this.#step, base = inst.ripRelative || inst.base < 0 ? w.i64(0) : this.#registers.word(inst.base);
    const sum = w.add(w.add(this.#wide(base), w.shl(index, w.i64(inst.scale))), w.i64(inst.disp));
    const cut = inst.addrSize === 8 ? sum : w.and(sum, w.i64(inst.addrSize === 4 ? -1 : 0xffff, 0));
    return this.linear(inst.seg, this.#code.fn.let(cut), bytes);
  }
  /** Of bytes at a distance from a stack or frame pointer of the mode's width, if a window has them. */
  onStack(distance: number, bytes: number, pointer = RSP): Expr | undefined {
    return this.#code.isFlat && this.#step.form.stackSize === (this.#code.is64 ? 8 : 4) ? this.#windows.locate(pointer, distance, bytes) : undefined;
  }

  /** FLAT says nothing about FS and GS, and CS cannot be written. */
  #isFlat(segment: number): boolean { return this.#code.isFlat && segment !== FS && segment !== GS && (this.#code.is64 || segment !== CS); }
  /** Linear address (i64) of an offset (i64) in a segment. */
  linear(segment: number, offset: Expr, bytes: number, write = false): Expr {
    const { fn, is64, core } = this.#code;
    if (this.#isFlat(segment)) return is64 ? fn.let(offset) : w.extendU(fn.let(w.wrap(offset)));
    if (is64) return fn.let(w.add(offset, this.#code.load64('segment', segment * 2)));
    const linear = fn.local('i32'), base = segment * 2, from = fn.let(offset), bounds = fn.let(this.#code.load64('segment', base + 1));
    // nothing but the limit is to be checked, and that holds
    const isBeyond = w.gtU(w.add(from, w.i64(Math.max(bytes, 1) - 1)), w.and(bounds, w.i64(-1, 0)));
    fn.if(w.or(isBeyond, w.ne(w.shrU(bounds, w.i64(LIMIT_SHIFT + 1)), w.i64(0))), () => {
      const checked = fn.let(core.segmentLinear.call(w.i32(segment * 16), from, w.i32(bytes | (write ? WRITES : 0))));
      // a failed check has recorded its fault and gives an address above 4 GiB
      fn.if(w.wrap(w.shrU(checked, w.i64(32))), this.#leaveFault, undefined, false);
      fn.set(linear, w.wrap(checked));
    }, () => { fn.set(linear, w.add(w.wrap(from), w.wrap(this.#code.load64('segment', base)))); }, false);
    return w.extendU(fn.get(linear));
  }
  /** Bytes from an offset (i64) on that a segment's limit allows: flat segments and those of long mode have none that a run could meet. */
  limit(segment: number, offset: Expr): Expr {
    if (this.#code.is64 || this.#isFlat(segment)) return UNLIMITED;
    return bytesToLimit(this.#code.fn, w.i32(segment * 16), this.#code.address('segment', 1), offset);
  }
}
