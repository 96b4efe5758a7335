import { jumpEntry } from '@vmm/cpu';
import { VCPU_LAYOUT } from '@vmm/state';
import * as w from '@vmm/wasm';
import type { Local } from '@vmm/wasm';
import type { RegionCode } from './region-code.ts';

/** Sets `slot` to that of the region that was reached at `rip` before, in this mode and address space, else to 0. */
export function lookUpJump(code: RegionCode, ripLocal: Local, slot: Local): void {
  const { fn } = code, rip = fn.get(ripLocal), jumps = code.privateBase + VCPU_LAYOUT.jumps;
  const entry = fn.let(jumpEntry(code.low(rip)));
  // tag, slot and mode key in one word
  const found = fn.let(w.load('i64', 64, entry, jumps + 8));
  const tag = w.or(w.load('i64', 32, w.i32(0), code.address('tlbTag')), w.load('i64', 32, w.i32(0), code.address('jumpVersion')));
  const wanted = w.or(tag, w.i64(0, code.modeKey << 16));
  const difference = w.or(w.xor(w.load('i64', 64, entry, jumps), code.wide(rip)), w.and(w.xor(found, wanted), w.i64(-1, 0xffff_0000 | 0)));
  fn.set(slot, w.i32(0));
  fn.if(w.eqz(difference), () => { fn.set(slot, w.and(w.wrap(w.shrU(found, w.i64(32))), w.i32(0xffff))); }, undefined, true);
}
