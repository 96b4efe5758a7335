import { VCPU_LAYOUT } from './layout.ts';
import type { StateView } from './state-view.ts';

/** Versions are above the bits of `tlbTag`. */
const ONE_VERSION = 0x1000;

/** A page or a region has gone: what the jump table has noted so far is void. */
export function forgetJumps(state: StateView, privateBase: number): void {
  const version = state.get('jumpVersion') + ONE_VERSION | 0;
  state.set('jumpVersion', version);
  if (version !== 0) return;
  // versions begin again
  const from = privateBase + VCPU_LAYOUT.jumps >> 2;
  state.i32.fill(0, from, from + VCPU_LAYOUT.jumpEntries * 4);
}
