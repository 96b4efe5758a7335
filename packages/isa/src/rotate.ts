import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';

/**
 * Rotations of 32 and 64 bits as two shifts: V8's optimizing compiler makes one instruction of both forms, its baseline compiler calls a C function
 * for WebAssembly's own rotations (3 to 5 times as long). `value` must be one that may be used twice; counts are taken modulo the width.
 */
export const rotateLeft = (value: Expr, count: Expr): Expr => w.or(w.shl(value, count), w.shrU(value, rest(count)));
export const rotateRight = (value: Expr, count: Expr): Expr => w.or(w.shrU(value, count), w.shl(value, rest(count)));

function rest(count: Expr): Expr {
  const width = count.type === 'i64' ? w.i64(64) : w.i32(32);
  return w.isConst(count) && count.type === 'i64' ? w.i64(64 - count.lo) : w.sub(width, count);
}
