import { findJump } from '@vmm/cpu';
import * as w from '@vmm/wasm';
import type { Local } from '@vmm/wasm';
import type { RegionCode } from './region-code.ts';

/** Sets `slot` to that of the region that was reached at `rip` before, in this mode and address space, else to 0. */
export function lookUpJump(code: RegionCode, ripLocal: Local, slot: Local): void {
  const { fn } = code, rip = fn.get(ripLocal);
  fn.set(slot, w.i32(0));
  findJump(fn, code.privateBase, { wide: code.wide(rip), low: code.low(rip) }, code.modeKey, (found) => { fn.set(slot, found); });
}
