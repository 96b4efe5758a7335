/** @hot CLI, STI, PUSHF, POPF, HLT, with the virtual interrupt flag. SDM vol 2A, CLI, Table 3-7; vol 3A §20.3.3, §20.4 */
import { STATE } from '@vmm/state';
import { CR4, EFLAGS } from './architecture.ts';
import type { Cpu } from './cpu.ts';
import { readFlags, writeFlags } from './flags.ts';
import { loadableFlags, loadFlags } from './interrupt-return.ts';
import { isProtected, refreshSingleStep } from './mode.ts';
import { beginShadow, SHADOW } from './segments.ts';
import { DONE } from './status.ts';
import type { Status } from './status.ts';

/** Flags whose change the run loop or the MMU must hear of. */
const WATCHED = EFLAGS.TF | EFLAGS.IF | EFLAGS.AC | EFLAGS.RF;

function mayChangeInterruptFlag(cpu: Cpu): boolean { return !isProtected(cpu.state) || cpu.cpl <= cpu.iopl; }

/** CPL 3 below IOPL with CR4.VME (virtual-8086 mode) or CR4.PVI: VIF stands in for IF. */
function hasVirtualInterruptFlag(cpu: Cpu): boolean {
  return cpu.cpl === 3 && (cpu.state.word(STATE.cr4) & (cpu.isVm86 ? CR4.VME : CR4.PVI)) !== 0;
}

export function cli(cpu: Cpu): Status {
  const state = cpu.state;
  if (mayChangeInterruptFlag(cpu)) state.setWord(STATE.eflags, state.word(STATE.eflags) & ~EFLAGS.IF);
  else if (hasVirtualInterruptFlag(cpu)) state.setWord(STATE.eflags, state.word(STATE.eflags) & ~EFLAGS.VIF);
  else return cpu.protectionFault();
  return DONE;
}

export function sti(cpu: Cpu): Status {
  const state = cpu.state;
  const flags = state.word(STATE.eflags);
  if (!mayChangeInterruptFlag(cpu)) {
    if (!hasVirtualInterruptFlag(cpu) || flags & EFLAGS.VIP) return cpu.protectionFault();
    state.setWord(STATE.eflags, flags | EFLAGS.VIF);
    return DONE;
  }
  if (flags & EFLAGS.IF) return DONE;
  state.setWord(STATE.eflags, flags | EFLAGS.IF);
  beginShadow(cpu, SHADOW.STI);
  return cpu.advance();
}

export function pushf(cpu: Cpu, size: number): Status {
  let flags = readFlags(cpu.state) & ~(EFLAGS.VM | EFLAGS.RF);
  if (cpu.isVm86 && cpu.iopl < 3) {
    if (size !== 2 || !hasVirtualInterruptFlag(cpu)) return cpu.protectionFault();
    flags = flags & ~EFLAGS.IF | EFLAGS.IOPL_MASK | (flags & EFLAGS.VIF ? EFLAGS.IF : 0);
  }
  cpu.setResult(flags);
  return DONE;
}

export function popf(cpu: Cpu, size: number): Status {
  const state = cpu.state;
  const value = cpu.argLo(0);
  const before = state.word(STATE.eflags);
  if (cpu.isVm86 && cpu.iopl < 3) {
    if (size !== 2 || !popVirtual(cpu, value)) return cpu.protectionFault();
  } else {
    // RF, VIF and VIP are cleared rather than loaded; virtual-8086 mode keeps IOPL (its CPL is 3).
    loadFlags(cpu, value & ~(EFLAGS.RF | EFLAGS.VIF | EFLAGS.VIP), loadableFlags(cpu, size));
  }
  const changed = before ^ state.word(STATE.eflags);
  if (!(changed & WATCHED)) return DONE;
  if (changed & EFLAGS.AC) cpu.mmu.contextChanged();
  refreshSingleStep(state);
  return cpu.advance();
}

/** POPF with CR4.VME below IOPL 3: the image's IF goes to VIF. */
function popVirtual(cpu: Cpu, value: number): boolean {
  if (!hasVirtualInterruptFlag(cpu)) return false;
  return loadVirtualFlags(cpu, value);
}

/** What POPF and IRET do with a 16-bit image under VME; false: #GP(0) is due. */
export function loadVirtualFlags(cpu: Cpu, value: number): boolean {
  const state = cpu.state;
  const flags = readFlags(state);
  if (value & EFLAGS.TF || value & EFLAGS.IF && flags & EFLAGS.VIP) return false;
  const mask = 0xffff & ~(EFLAGS.IF | EFLAGS.IOPL_MASK);
  writeFlags(state, flags & ~mask & ~EFLAGS.VIF | value & mask | (value & EFLAGS.IF ? EFLAGS.VIF : 0));
  return true;
}

export function hlt(cpu: Cpu): Status {
  if (cpu.cpl !== 0) return cpu.protectionFault();
  cpu.state.setWord(STATE.halted, 1);
  return cpu.advance();
}
