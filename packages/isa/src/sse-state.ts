/** MXCSR. */
import * as w from '@vmm/wasm';
import type { InstructionEntry } from './entry.ts';
import type { Machine } from './machine.ts';
import { checkSse, GP } from './sse-access.ts';
import { setMxcsr } from './sse-mxcsr.ts';

/** MXCSR bits that exist: DAZ is supported. SDM vol 1 §10.2.3 */
const MXCSR_MASK = 0xffff;

function loadMxcsr(m: Machine): void {
  checkSse(m);
  const value = m.read(0, 4);
  m.faultIf(w.and(value, w.i32(~MXCSR_MASK)), GP);
  setMxcsr(m, value);
}

function storeMxcsr(m: Machine): void {
  checkSse(m);
  m.write(0, m.state32('mxcsr'));
}

export const SSE_STATE: Readonly<Record<string, InstructionEntry>> = {
  ldmxcsr: { run: loadMxcsr }, stmxcsr: { run: storeMxcsr },
};
