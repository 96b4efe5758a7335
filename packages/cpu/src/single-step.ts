/** What happens around a block of one instruction: trap flag, interrupt shadow, resume flag, breakpoints. SDM vol 3B §17.3 */
import { DR6 } from '@vmm/spec';
import { STATE } from '@vmm/state';
import { DR7_ENABLES, EFLAGS, SEG, VECTOR } from './architecture.ts';
import { concealWatchedPages, instructionHits } from './breakpoints.ts';
import type { Cpu } from './cpu.ts';
import { deliverDebugTrap } from './exceptions.ts';
import { refreshSingleStep } from './mode.ts';
import { SHADOW } from './segments.ts';
import type { Delivery } from './status.ts';

/** Safe to call again if the block did not run after all. False: an instruction breakpoint was met and recorded as #DB fault; the instruction must not run. */
export function beginStep(cpu: Cpu): boolean {
  const state = cpu.state;
  const flags = state.word(STATE.eflags);
  cpu.wasTrapping = (flags & EFLAGS.TF) !== 0;
  cpu.didSetResumeFlag = false;
  cpu.didSetShadow = false;
  const shadow = state.word(STATE.inhibit);
  if ((state.word(STATE.dr + 8 * 7) & DR7_ENABLES) !== 0 && !(flags & EFLAGS.RF) && shadow !== SHADOW.MOV_SS) {
    const hits = instructionHits(cpu, state.word(STATE.segment + 16 * SEG.CS) + state.word(STATE.rip) | 0, state.word(STATE.rip + 4));
    if (hits !== 0) {
      cpu.recordDebug(hits);
      cpu.raise(VECTOR.DB);
      return false;
    }
  }
  if (cpu.branchTrap.isRecording || cpu.wasTrapping && cpu.branchTrap.isOn) cpu.branchTrap.look();
  if (cpu.watchesData) concealWatchedPages(cpu);
  return true;
}

/** Call when the instruction has completed: RF and the interrupt shadow have served their one instruction. */
export function endStep(cpu: Cpu): Delivery {
  const state = cpu.state;
  if (!cpu.didSetShadow) state.setWord(STATE.inhibit, SHADOW.NONE);
  if (!cpu.didSetResumeFlag) state.setWord(STATE.eflags, state.word(STATE.eflags) & ~EFLAGS.RF);
  if (cpu.branchTrap.isRecording) cpu.branchTrap.record();
  const isStep = cpu.wasTrapping && (!cpu.branchTrap.isOn || cpu.branchTrap.wasTaken);
  const hits = cpu.debugHits | (isStep ? DR6.BS : 0);
  if (hits !== 0 && state.word(STATE.inhibit) !== SHADOW.MOV_SS) {
    cpu.debugHits = 0;
    return deliverDebugTrap(cpu, hits);
  }
  refreshSingleStep(state);
  return 'delivered';
}
