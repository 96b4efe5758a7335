import { STATE } from '@vmm/state';
import type { StateField } from '@vmm/state';
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder } from '@vmm/wasm';

/** The state block as functions of the interpreter's module read and write it. `offset`: bytes from the field's start; `element`: likewise, computed. */
export class StateCode {
  readonly #base: number;
  constructor(stateBase: number) { this.#base = stateBase; }

  at(field: StateField): number { return this.#base + STATE[field]; }
  word(field: StateField, offset = 0, element: Expr = w.i32(0)): Expr { return w.load('i32', 32, element, this.#base + STATE[field] + offset); }
  long(field: StateField, offset = 0, element: Expr = w.i32(0)): Expr { return w.load('i64', 64, element, this.#base + STATE[field] + offset); }
  setWord(fn: FunctionBuilder, field: StateField, value: Expr, offset = 0, element: Expr = w.i32(0)): void { fn.store(32, element, this.#base + STATE[field] + offset, value); }
  setLong(fn: FunctionBuilder, field: StateField, value: Expr, offset = 0, element: Expr = w.i32(0)): void { fn.store(64, element, this.#base + STATE[field] + offset, value); }

  /** EFER.LMA and such: whether bits of a word are set, as 0 or something else. */
  bits(field: StateField, mask: number, offset = 0): Expr { return w.and(this.word(field, offset), w.i32(mask)); }
}

/** Leaves the function with 0, which says that nothing was done. */
export function giveUpIf(fn: FunctionBuilder, condition: Expr): void { fn.if(condition, () => { fn.return(w.i32(0)); }, undefined, false); }
export function giveUpUnless(fn: FunctionBuilder, condition: Expr): void { giveUpIf(fn, w.eqz(condition)); }

export const isSet = (value: Expr): Expr => w.ne(value, w.i32(0));
