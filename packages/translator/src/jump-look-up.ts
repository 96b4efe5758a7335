import { findJump } from '@vmm/cpu';
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';
import type { RegionCode } from './region-code.ts';

/** The slot of the region that was reached at `rip` (a word) before, in this mode and address space, else 0. */
export function lookUpJump(code: RegionCode, rip: Expr): Expr {
  const { fn } = code, slot = fn.local('i32');
  fn.set(slot, w.i32(0));
  findJump(fn, code.privateBase, { wide: code.wide(rip), low: code.low(rip) }, code.modeKey, (found) => { fn.set(slot, found); });
  return fn.get(slot);
}
