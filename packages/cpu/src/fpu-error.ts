/** Unmasked x87 exceptions with CR0.NE clear: FERR# asks the interrupt controllers for IRQ 13, as PCs have it since the 286. SDM vol 1 §8.7.2 */
import { STATE } from '@vmm/state';
import type { Cpu } from './cpu.ts';
import { DONE, REDISPATCH } from './status.ts';
import type { Status } from './status.ts';

/** The pin FERR# goes active: an x87 instruction waits for its exception to be dealt with. */
export type FpuErrorPin = () => void;

/** The instruction waits for the interrupt, whose handler clears the exception; where nobody has wired FERR# it goes on, as under IGNNE#. */
export function fpuError(cpu: Cpu): Status {
  if (cpu.raiseFpuError === undefined) return DONE;
  cpu.raiseFpuError();
  // the same instruction again, when the interrupt has been served
  cpu.state.setWord(STATE.halted, 1);
  return REDISPATCH;
}
