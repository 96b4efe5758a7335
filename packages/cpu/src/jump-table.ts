/** The jump table (`VCPU_LAYOUT.jumps`): which region was reached at an address before, in a mode and in an address space. Read by generated code only. */
import { STATE, VCPU_LAYOUT } from '@vmm/state';
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder } from '@vmm/wasm';

const KEY_SHIFT = 16, GLOBAL_SHIFT = 31;
/** Of `tlbTag`: the address space. */
const SPACE = 0xffc;

/** Byte offset of the entry for the low word of an address. */
function jumpEntry(linear: Expr): Expr {
  return w.shl(w.and(w.xor(linear, w.shrU(linear, w.i32(10))), w.i32(VCPU_LAYOUT.jumpEntries - 1)), w.i32(4));
}
const stateWord = (type: 'i32' | 'i64', privateBase: number, field: 'tlbTag' | 'jumpVersion'): Expr => w.load(type, 32, w.i32(0), privateBase + VCPU_LAYOUT.state + STATE[field]);

/** Notes that a region (table slot) has been reached at a linear address (i64) in a mode; `isGlobal` (0 or 1): on a page that is the same in all address spaces. */
export function noteJump(fn: FunctionBuilder, privateBase: number, linear: Expr, region: Expr, modeKey: Expr, isGlobal: Expr): void {
  const jump = fn.let(jumpEntry(w.wrap(linear))), jumps = privateBase + VCPU_LAYOUT.jumps;
  fn.store(64, jump, jumps, linear);
  fn.store(32, jump, jumps + 8, w.or(stateWord('i32', privateBase, 'tlbTag'), stateWord('i32', privateBase, 'jumpVersion')));
  fn.store(32, jump, jumps + 12, w.or(w.or(region, w.shl(modeKey, w.i32(KEY_SHIFT))), w.shl(isGlobal, w.i32(GLOBAL_SHIFT))));
  fn.store(8, w.and(w.wrap(w.shrU(linear, w.i64(12))), w.i32(VCPU_LAYOUT.jumpPages - 1)), jumps + VCPU_LAYOUT.jumpEntries * 16, w.i32(1));
}

/** Calls `then` with the table slot of the region that was reached at a linear address (i64, its low word as i32) before, in a mode and in this address space, if there is one. */
export function findJump(fn: FunctionBuilder, privateBase: number, linear: { readonly wide: Expr; readonly low: Expr }, modeKey: number | Expr, then: (slot: Expr) => void): void {
  const jumps = privateBase + VCPU_LAYOUT.jumps, entry = fn.let(jumpEntry(linear.low));
  // tag, slot and mode key in one word
  const found = fn.let(w.load('i64', 64, entry, jumps + 8));
  const tag = w.or(stateWord('i64', privateBase, 'tlbTag'), stateWord('i64', privateBase, 'jumpVersion'));
  const key = typeof modeKey === 'number' ? w.i64(0, modeKey << KEY_SHIFT) : w.shl(w.extendU(modeKey), w.i64(32 + KEY_SHIFT));
  const isOther = w.and(w.xor(found, w.or(tag, key)), w.i64(-1, ~(1 << GLOBAL_SHIFT) & -1 << KEY_SHIFT));
  const difference = w.or(w.xor(w.load('i64', 64, entry, jumps), linear.wide), w.and(isOther, w.xor(w.and(w.shrS(found, w.i64(63)), w.i64(SPACE)), w.i64(-1, -1))));
  fn.if(w.eqz(difference), () => { then(w.and(w.wrap(w.shrU(found, w.i64(32))), w.i32(0xffff))); }, undefined, true);
}
