/** @hot Which event is delivered: priorities among nested faults, double and triple fault. SDM vol 3A §6.15, Interrupt 8 */
import { CONTRIBUTORY_VECTORS, VECTOR, VECTORS_WITH_ERROR_CODE } from '@vmm/spec';
import { STATE } from '@vmm/state';
import type { Cpu } from './cpu.ts';
import { deliverEvent, SOURCE } from './interrupts.ts';
import { isProtected } from './mode.ts';
import type { Delivery } from './status.ts';

function isContributory(vector: number): boolean { return (CONTRIBUTORY_VECTORS >> vector & 1) !== 0; }

function becomesDoubleFault(first: number, second: number): boolean {
  if (first === VECTOR.PF) return second === VECTOR.PF || isContributory(second);
  return isContributory(first) && isContributory(second);
}

/** Delivers the recorded fault and whatever faults its delivery causes. */
export function deliverException(cpu: Cpu): Delivery {
  const state = cpu.state;
  for (;;) {
    const vector = state.word(STATE.faultVector), error = state.word(STATE.faultError);
    state.setWord(STATE.faultVector, -1);
    state.setWord(STATE.inhibit, 0);
    cpu.debugHits = 0;
    if (vector === VECTOR.PF) state.setPair(STATE.cr2, state.word(STATE.faultAddress), state.word(STATE.faultAddress + 4));
    const hasError = (VECTORS_WITH_ERROR_CODE >> vector & 1) !== 0 && isProtected(state);
    cpu.setReturn(state.word(STATE.rip), state.word(STATE.rip + 4));
    if (deliverEvent(cpu, vector, SOURCE.FAULT, hasError, error)) return finish(cpu);
    const second = state.word(STATE.faultVector);
    if (vector === VECTOR.DF) {
      state.setWord(STATE.faultVector, -1);
      return 'shutdown';
    }
    if (becomesDoubleFault(vector, second)) cpu.raise(VECTOR.DF, 0);
  }
}

function finish(cpu: Cpu): 'delivered' {
  cpu.state.setWord(STATE.halted, 0);
  return 'delivered';
}

/** An event that returns to the next instruction: external interrupt, NMI, debug trap. */
function deliverBetween(cpu: Cpu, vector: number, source: number): Delivery {
  const state = cpu.state;
  state.setWord(STATE.faultVector, -1);
  cpu.setReturn(state.word(STATE.rip), state.word(STATE.rip + 4));
  state.setWord(STATE.halted, 0);
  state.setWord(STATE.inhibit, 0);
  return deliverEvent(cpu, vector, source, false, 0) ? finish(cpu) : deliverException(cpu);
}

export function deliverInterrupt(cpu: Cpu, vector: number): Delivery { return deliverBetween(cpu, vector, SOURCE.EXTERNAL); }

/** Debug traps: single step, data and I/O breakpoints. `hits` are DR6 bits. */
export function deliverDebugTrap(cpu: Cpu, hits: number): Delivery {
  cpu.recordDebug(hits);
  return deliverBetween(cpu, VECTOR.DB, SOURCE.TRAP);
}

/** NMIs wait for the IRET of the one being handled; one is remembered. SDM vol 3A §6.7.1 */
export function deliverNmi(cpu: Cpu): Delivery {
  if (cpu.isNmiBlocked) {
    cpu.isNmiPending = true;
    return 'delivered';
  }
  cpu.isNmiPending = false;
  cpu.isNmiBlocked = true;
  return deliverBetween(cpu, VECTOR.NMI, SOURCE.EXTERNAL);
}
