/** Virtual-8086 mode below IOPL 3: CR4.VME's software interrupt redirection and virtual IRET. SDM vol 3A §20.3.3, Table 20-2 */
import { TSS32 } from '@vmm/spec';
import { STATE } from '@vmm/state';
import { CR4, EFLAGS, SEG, VECTOR } from './architecture.ts';
import type { Cpu } from './cpu.ts';
import { loadVirtualFlags } from './flag-instructions.ts';
import { readFlags } from './flags.ts';
import { recomputeMode } from './mode.ts';
import { setVm86Segment } from './segments.ts';
import { FAULT, REDISPATCH } from './status.ts';
import type { Status } from './status.ts';

/** The redirection map ends where the I/O map begins. */
const REDIRECTION_BYTES = 32;

export function virtualIret(cpu: Cpu, size: number): Status {
  const { state, stack } = cpu;
  if (size !== 2 || !(state.word(STATE.cr4) & CR4.VME)) return cpu.protectionFault();
  stack.openCurrent();
  if (!stack.pop(2)) return FAULT;
  const ip = stack.valueLo;
  if (!stack.pop(2)) return FAULT;
  const cs = stack.valueLo;
  if (!stack.pop(2)) return FAULT;
  if (!loadVirtualFlags(cpu, stack.valueLo)) return cpu.protectionFault();
  stack.commit();
  setVm86Segment(state, SEG.CS, cs);
  state.setPair(STATE.rip, ip, 0);
  recomputeMode(cpu);
  return REDISPATCH;
}

/** Whether INT n goes to the 8086 program's own handler; -1: the look-up faulted. */
export function isRedirected(cpu: Cpu, vector: number): boolean | -1 {
  const { state, mmu } = cpu;
  if (!(state.word(STATE.cr4) & CR4.VME)) return false;
  const limit = state.word(STATE.segmentLimit + 4 * SEG.TR) >>> 0, base = state.word(STATE.segmentBase + 8 * SEG.TR);
  if (limit < TSS32.SIZE - 1) return false;
  const map = mmu.readSystem16(base + TSS32.IO_MAP_BASE | 0, 0);
  if (mmu.faulted) return -1;
  const at = map - REDIRECTION_BYTES + (vector >> 3);
  if (at < 0 || at > limit) {
    cpu.raise(VECTOR.GP, 0);
    return -1;
  }
  const byte = mmu.readSystem8(base + at | 0, 0);
  if (mmu.faulted) return -1;
  return (byte >> (vector & 7) & 1) === 0;
}

/** INT n through the 8086 interrupt table at linear 0, without leaving virtual-8086 mode. */
export function redirectInterrupt(cpu: Cpu, vector: number): Status {
  const { state, mmu, stack } = cpu;
  const entry = mmu.read32(vector * 4, 0);
  if (mmu.faulted) return FAULT;
  const flags = readFlags(state);
  const isVirtual = cpu.iopl < 3;
  const image = isVirtual ? flags & ~EFLAGS.IF | EFLAGS.IOPL_MASK | (flags & EFLAGS.VIF ? EFLAGS.IF : 0) : flags;
  stack.openCurrent();
  if (!stack.push16(image) || !stack.push16(state.word(STATE.selector + 4 * SEG.CS)) || !stack.push16(cpu.nextRipLo)) return FAULT;
  stack.commit();
  setVm86Segment(state, SEG.CS, entry >>> 16);
  state.setPair(STATE.rip, entry & 0xffff, 0);
  state.setWord(STATE.eflags, state.word(STATE.eflags) & ~(EFLAGS.TF | EFLAGS.NT | (isVirtual ? EFLAGS.VIF : EFLAGS.IF)));
  cpu.wasTrapping = false;
  recomputeMode(cpu);
  return REDISPATCH;
}
