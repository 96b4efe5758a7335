import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';
import { RSP } from './machine.ts';
import type { Machine } from './machine.ts';

/** All bits of the stack pointer that the stack's width uses, as an i64 constant. */
export function stackMask(m: Machine): Expr {
  return m.form.stackSize === 2 ? w.i64(0xffff, 0) : m.form.stackSize === 4 ? w.i64(-1, 0) : w.i64(-1, -1);
}

/** SP, ESP or RSP by the stack's width, zero-extended to i64. */
export function stackPointer(m: Machine): Expr {
  return m.let(w.and(m.register(RSP, 8), stackMask(m)));
}
export function setStackPointer(m: Machine, value: Expr): void {
  m.setRegister(RSP, m.form.stackSize, m.let(m.resize(8, m.form.stackSize, value)));
}

/** Push a value of `size` bytes. May fault; the stack pointer moves only after the store. */
export function push(m: Machine, size: number, value: Expr): void {
  const next = m.let(w.and(w.sub(m.register(RSP, 8), w.i64(size)), stackMask(m)));
  m.storeLinear(m.stackLinear(-size, size, true), size, value);
  setStackPointer(m, next);
}

/** The value on top of the stack, without moving the pointer. */
export function popValue(m: Machine, size: number): Expr {
  return m.loadLinear(m.stackLinear(0, size), size);
}
