/** All x87 instructions. */
import * as w from '@vmm/wasm';
import type { CalloutName } from './callout-names.ts';
import type { InstructionEntry, InstructionTable } from './entry.ts';
import { x87, X87_ARITHMETIC } from './x87-arithmetic.ts';
import { X87_STATE } from './x87-state.ts';
import { XSAVE } from './x87-xsave.ts';

/** Common cases by generated functions (x87-transcendental.ts), the others by the floating-point package on the state block. */
const TRANSCENDENTAL = ['f2xm1', 'fyl2x', 'fyl2xp1', 'fptan', 'fpatan', 'fsin', 'fcos', 'fsincos'] as const satisfies readonly CalloutName[];
const transcendental = (name: CalloutName): InstructionEntry => x87((m) => {
  m.when(w.eqz(m.helper(`x87_${name}`)), () => { m.uncommon(name); });
});

export const X87: InstructionTable = { ...X87_STATE, ...XSAVE, ...X87_ARITHMETIC, ...Object.fromEntries(TRANSCENDENTAL.map((name) => [name, transcendental(name)])) };
