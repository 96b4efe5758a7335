/** MXCSR and state saving. */
import * as w from '@vmm/wasm';
import type { CalloutName } from './callout-names.ts';
import type { InstructionEntry } from './entry.ts';
import type { Machine } from './machine.ts';
import { checkSse, GP, NM } from './sse-access.ts';

/** MXCSR bits that exist: DAZ is supported. SDM vol 1 §10.2.3 */
const MXCSR_MASK = 0xffff;
const CR0_EM_TS = 0xc;

function loadMxcsr(m: Machine): void {
  checkSse(m);
  const value = m.read(0, 4);
  m.faultIf(w.and(value, w.i32(~MXCSR_MASK)), GP);
  m.setState32('mxcsr', value);
}

function storeMxcsr(m: Machine): void {
  checkSse(m);
  m.write(0, m.state32('mxcsr'));
}

/** FXSAVE and FXRSTOR: 512 bytes on a 16-byte boundary; `size` 8 selects the 64-bit pointer format. CR4.OSFXSR does not matter to whether they run. */
function fxState(name: CalloutName, write: boolean): InstructionEntry {
  return { uses: ['size'], run: (m) => {
    m.faultIf(w.and(w.load('i32', 32, w.i32(0), m.stateAddress('cr0')), w.i32(CR0_EM_TS)), NM);
    const linear = m.address(0, 512, write);
    m.faultIf(w.and(w.wrap(linear), w.i32(15)), GP);
    m.callout(name, [linear], m.size);
  } };
}

export const SSE_STATE: Readonly<Record<string, InstructionEntry>> = {
  ldmxcsr: { run: loadMxcsr }, stmxcsr: { run: storeMxcsr },
  fxsave: fxState('fxsave', true), fxrstor: fxState('fxrstor', false),
};
