import { STATE } from '@vmm/state';
import type { StateView } from '@vmm/state';
import { EFLAGS } from './architecture.ts';

/** The flags that arithmetic writes; kept lazily in `flagResult` and `flagAux` (see readFlags), the others in `eflags`. */
export const ARITHMETIC_FLAGS = EFLAGS.CF | EFLAGS.PF | EFLAGS.AF | EFLAGS.ZF | EFLAGS.SF | EFLAGS.OF;
/** Every flag `eflags` may hold. */
export const SYSTEM_FLAGS = EFLAGS.TF | EFLAGS.IF | EFLAGS.DF | EFLAGS.IOPL_MASK | EFLAGS.NT | EFLAGS.RF | EFLAGS.VM | EFLAGS.AC
  | EFLAGS.VIF | EFLAGS.VIP | EFLAGS.ID;

/** Whether the low byte has an even number of ones: four bits at a time through a 16-bit table. */
function isEvenParity(byte: number): boolean {
  const nibble = (byte ^ byte >> 4) & 0xf;
  return (0x9669 >> nibble & 1) !== 0;
}

/**
 * EFLAGS as the guest sees it, bit 1 included. Lazy form: ZF is result == 0, SF is its sign ^ aux bit 0, PF the parity of
 * result ^ aux bits 8..15, AF aux bit 3, CF aux bit 31 and OF aux bit 31 ^ bit 30.
 */
export function readFlags(state: StateView): number {
  const lo = state.word(STATE.flagResult), hi = state.word(STATE.flagResult + 4), aux = state.word(STATE.flagAux);
  let flags = state.word(STATE.eflags) | EFLAGS.FIXED;
  if (aux < 0) flags |= EFLAGS.CF;
  if (isEvenParity(lo ^ aux >> 8)) flags |= EFLAGS.PF;
  if (aux & 8) flags |= EFLAGS.AF;
  if ((lo | hi) === 0) flags |= EFLAGS.ZF;
  if ((hi >>> 31 ^ aux & 1) !== 0) flags |= EFLAGS.SF;
  if ((aux ^ aux << 1) < 0) flags |= EFLAGS.OF;
  return flags;
}

/** Sets all flags. Any combination has a lazy form, also those that no addition yields (ZF with SF). */
export function writeFlags(state: StateView, value: number): void {
  const result = value & EFLAGS.ZF ? 0 : 1;
  const parityDelta = result ^ (value & EFLAGS.PF ? 0 : 1);
  const carry = value & EFLAGS.CF ? 1 : 0, overflow = value & EFLAGS.OF ? 1 : 0;
  state.setPair(STATE.flagResult, result, 0);
  state.setWord(STATE.flagAux, carry << 31 | (carry ^ overflow) << 30 | parityDelta << 8 | (value & EFLAGS.AF ? 8 : 0) | (value & EFLAGS.SF ? 1 : 0));
  state.setWord(STATE.eflags, value & SYSTEM_FLAGS);
}

/** Sets or clears arithmetic flags only. */
export function changeFlags(state: StateView, set: number, clear: number): void {
  writeFlags(state, readFlags(state) & ~clear | set);
}
