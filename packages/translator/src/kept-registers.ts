/* @hot: runs while the guest waits; indices are bounded by construction. */
import { repeatedLanes } from '@vmm/isa';
import * as w from '@vmm/wasm';
import type { Expr, Local } from '@vmm/wasm';
import type { RegionCode } from './region-code.ts';

const VECTOR_BYTES = 32;

/** Guest registers in locals: those that code uses, loaded at entry and stored, if it wrote them, at exits. */
export class KeptRegisters {
  readonly #code: RegionCode;
  readonly #onWrite: (register: number) => void;
  readonly #general: (Local | undefined)[] = [];
  readonly #written = new Set<number>();
  /** Low halves of vector registers, where the region keeps them; upper halves stay in the state block. */
  readonly #vectors: (Local | undefined)[] = [];
  readonly #writtenVectors = new Set<number>();
  readonly #constants = new Map<string, Local>();
  keepsVectors = false;

  /** `onWrite`: is told of general registers that are about to be written. */
  constructor(code: RegionCode, onWrite: (register: number) => void) {
    this.#code = code;
    this.#onWrite = onWrite;
  }

  load(): void {
    const { fn } = this.#code;
    this.#general.forEach((local, number) => { if (local !== undefined) fn.set(local, this.#code.loadWord('gpr', number)); });
    for (const [key, local] of this.#constants) fn.set(local, repeatedLanes(key.split(',').map(Number)));
    this.#vectors.forEach((local, number) => { if (local !== undefined) fn.set(local, this.#vectorHome(number)); });
  }
  store(): void {
    const { fn } = this.#code;
    for (const number of this.#written) fn.store(64, w.i32(0), this.#code.address('gpr', number), this.#code.wide(fn.get(this.#general[number]!)));
    for (const number of this.#writtenVectors) fn.store(128, w.i32(0), this.vectorAddress(number), fn.get(this.#vectors[number]!));
  }

  // --- general registers ---

  #local(number: number): Local { return this.#general[number] ??= this.#code.fn.permanentLocal(this.#code.word); }
  #toWrite(number: number): Local {
    const local = this.#local(number);
    this.#written.add(number);
    this.#onWrite(number);
    return local;
  }
  /** As it stands when the expression is evaluated. */
  word(number: number): Expr { return this.#code.fn.get(this.#local(number)); }
  get(number: number, size: number): Expr {
    const { fn } = this.#code, word = this.word(number);
    if (size === 8) return fn.let(this.#code.wide(word));
    const low = this.#code.low(word);
    return fn.let(size === 4 ? low : w.and(low, w.i32(size === 2 ? 0xffff : 0xff)));
  }
  set(number: number, size: number, value: Expr): void {
    const local = this.#toWrite(number), { fn } = this.#code;
    if (size >= 4) { fn.set(local, this.#code.fit(value)); return; }
    const mask = size === 2 ? 0xffff : 0xff;
    fn.set(local, this.#merged(local, mask, w.and(value, w.i32(mask))));
  }
  /** Bits 8 to 15: AH, CH, DH, BH. */
  high(number: number): Expr { return this.#code.fn.let(w.and(w.shrU(this.#code.low(this.word(number)), w.i32(8)), w.i32(0xff))); }
  setHigh(number: number, value: Expr): void {
    const local = this.#toWrite(number);
    this.#code.fn.set(local, this.#merged(local, 0xff00, w.shl(w.and(value, w.i32(0xff)), w.i32(8))));
  }
  #merged(local: Local, mask: number, bits: Expr): Expr {
    const { fn, is64 } = this.#code;
    return w.or(w.and(fn.get(local), is64 ? w.i64(~mask, -1) : w.i32(~mask)), this.#code.fit(bits));
  }

  // --- vector registers ---

  vectorAddress(number: number): number { return this.#code.address('vector', number, VECTOR_BYTES); }
  #vectorHome(number: number): Expr { return w.load('v128', 128, w.i32(0), this.vectorAddress(number)); }
  #vectorLocal(number: number): Local { return this.#vectors[number] ??= this.#code.fn.permanentLocal('v128'); }
  vector(number: number): Expr { return this.#code.fn.let(this.keepsVectors ? this.#code.fn.get(this.#vectorLocal(number)) : this.#vectorHome(number)); }
  setVector(number: number, value: Expr): void {
    const { fn } = this.#code;
    if (!this.keepsVectors) { fn.store(128, w.i32(0), this.vectorAddress(number), value); return; }
    fn.set(this.#vectorLocal(number), value);
    this.#writtenVectors.add(number);
  }
  /** 32-bit lanes, repeated to four: made once, at entry. */
  constantVector(lanes: readonly number[]): Expr {
    const key = lanes.join();
    let local = this.#constants.get(key);
    if (local === undefined) this.#constants.set(key, local = this.#code.fn.permanentLocal('v128'));
    return this.#code.fn.get(local);
  }
}
