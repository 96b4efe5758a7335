import { findJump } from '@vmm/cpu';
import { CS } from '@vmm/isa';
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';
import type { RegionCode } from './region-code.ts';

/** The slot of the region that was reached at `rip` (a word, in the CS there is) before, in this mode and address space, else 0. */
export function lookUpJump(code: RegionCode, rip: Expr): Expr {
  const { fn } = code, slot = fn.local('i32'), linear = code.isFlat ? rip : fn.let(w.add(rip, w.wrap(code.load64('segment', 2 * CS))));
  fn.set(slot, w.i32(0));
  findJump(fn, code.privateBase, { wide: code.wide(linear), low: code.low(linear) }, code.modeKey, (found) => { fn.set(slot, found); });
  return fn.get(slot);
}
