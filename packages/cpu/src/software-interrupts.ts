/** @hot INT n, INT3, INTO, INT1: events that return behind the instruction. SDM vol 2A, INT */
import { EFLAGS, VECTOR } from './architecture.ts';
import type { Cpu } from './cpu.ts';
import { readFlags } from './flags.ts';
import { deliverEvent, SOURCE } from './interrupts.ts';
import { DONE, FAULT, REDISPATCH } from './status.ts';
import type { Status } from './status.ts';
import { settleTaskSwitch } from './task-switch.ts';
import { isRedirected, redirectInterrupt } from './virtual-8086.ts';

function deliverBehind(cpu: Cpu, vector: number, source: number): Status {
  cpu.setReturn(cpu.nextRipLo, cpu.nextRipHi);
  return deliverEvent(cpu, vector, source, false, 0) ? REDISPATCH : settleTaskSwitch(cpu, false);
}

export function softwareInterrupt(cpu: Cpu): Status {
  const vector = cpu.argLo(0) & 0xff;
  if (cpu.isVm86) {
    const redirected = isRedirected(cpu, vector);
    if (redirected === -1) return FAULT;
    if (redirected) return redirectInterrupt(cpu, vector);
    if (cpu.iopl < 3) return cpu.protectionFault();
  }
  return deliverBehind(cpu, vector, SOURCE.SOFTWARE);
}

/** INT3 and INTO need no IOPL in virtual-8086 mode and are never redirected. */
export function breakpoint(cpu: Cpu): Status { return deliverBehind(cpu, VECTOR.BP, SOURCE.SOFTWARE); }

export function overflowTrap(cpu: Cpu): Status {
  return readFlags(cpu.state) & EFLAGS.OF ? deliverBehind(cpu, VECTOR.OF, SOURCE.SOFTWARE) : DONE;
}

/** INT1 ignores the gate's DPL and leaves no mark in DR6. A data breakpoint that MOV SS held back is reported with it, in one #DB. */
export function debugInterrupt(cpu: Cpu): Status {
  const hits = cpu.debugHits;
  const status = deliverBehind(cpu, VECTOR.DB, SOURCE.TRAP);
  if (status === REDISPATCH && hits !== 0) {
    cpu.recordDebug(hits);
    cpu.debugHits = 0;
  }
  return status;
}
