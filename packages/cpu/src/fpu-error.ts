/**
 * Unmasked x87 exceptions at the next waiting instruction: #MF, or with CR0.NE clear FERR#, which asks the interrupt controllers for IRQ 13, as PCs have it since
 * the 286. SDM vol 1 §8.7
 */
import { STATE } from '@vmm/state';
import { CR0, VECTOR } from './architecture.ts';
import type { Cpu } from './cpu.ts';
import { DONE, FAULT, REDISPATCH } from './status.ts';
import type { Status } from './status.ts';

/** The pin FERR# goes active: an x87 instruction waits for its exception to be dealt with. */
export type FpuErrorPin = () => void;

const LONGEST_PREFIXES = 13, ESCAPE = 0xd8;

/**
 * The last opcode register: eleven bits of the instruction that raised the exception. Processors update it then only ("fopcode compatibility", SDM vol 1 §8.1.9.1),
 * so it is read from the code when somebody is about to be told.
 */
function recordOpcode(cpu: Cpu): void {
  const { state, mmu } = cpu;
  // where the code segment has changed since, nobody knows its base
  if (state.word(STATE.fpuCs) !== state.word(STATE.selector + 4)) return;
  const at = state.word(STATE.segmentBase + 8) + state.word(STATE.fpuIp) | 0, high = state.word(STATE.fpuIp + 4);
  const byte = (offset: number): number => {
    const value = mmu.readSystem8(at + offset | 0, high);
    return mmu.faulted ? 0 : value;
  };
  for (let offset = 0; offset <= LONGEST_PREFIXES; offset++) {
    const first = byte(offset);
    if ((first & ~7) !== ESCAPE) continue;
    state.setWord(STATE.fpuOpcode, (first & 7) << 8 | byte(offset + 1));
    break;
  }
  state.setWord(STATE.faultVector, -1);
}

/** Without CR0.NE the instruction waits for the interrupt, whose handler clears the exception; where nobody has wired FERR# it goes on, as under IGNNE#. */
export function fpuError(cpu: Cpu): Status {
  recordOpcode(cpu);
  if (cpu.state.word(STATE.cr0) & CR0.NE) {
    cpu.raise(VECTOR.MF);
    return FAULT;
  }
  if (cpu.raiseFpuError === undefined) return DONE;
  cpu.raiseFpuError();
  // the same instruction again, when the interrupt has been served
  cpu.state.setWord(STATE.halted, 1);
  return REDISPATCH;
}
