import type { Instruction } from '@vmm/decoder';
import { EFLAGS, GPR } from './architecture.ts';
import type { Cpu } from './cpu.ts';
import { readFlags } from './flags.ts';

/** Of Jcc by bits 1..3 of the opcode; bit 0 negates. SDM vol 2A, Jcc */
const CONDITIONS: readonly ((flags: number) => boolean)[] = [
  (flags) => (flags & EFLAGS.OF) !== 0,
  (flags) => (flags & EFLAGS.CF) !== 0,
  (flags) => (flags & EFLAGS.ZF) !== 0,
  (flags) => (flags & (EFLAGS.CF | EFLAGS.ZF)) !== 0,
  (flags) => (flags & EFLAGS.SF) !== 0,
  (flags) => (flags & EFLAGS.PF) !== 0,
  isLess,
  (flags) => isLess(flags) || (flags & EFLAGS.ZF) !== 0,
];
function isLess(flags: number): boolean { return ((flags & EFLAGS.SF) !== 0) !== ((flags & EFLAGS.OF) !== 0); }

/** Whether a conditional branch (Jcc, JCXZ, LOOP, INTO) that is about to run will be taken. */
export function isConditionMet(cpu: Cpu, { row, addrSize }: Instruction): boolean {
  const flags = readFlags(cpu.state);
  if (row.mnemonic === 'into') return (flags & EFLAGS.OF) !== 0;
  if (!/^(loop|j[er]?cxz)/.test(row.mnemonic)) return CONDITIONS[row.opcode >> 1 & 7]?.(flags) !== ((row.opcode & 1) !== 0);
  const lo = cpu.state.lo('gpr', GPR.RCX) & (addrSize === 2 ? 0xffff : -1), hi = addrSize === 8 ? cpu.state.hi('gpr', GPR.RCX) : 0;
  if (row.mnemonic.startsWith('j')) return (lo | hi) === 0;
  if (lo === 1 && hi === 0) return false;
  if (row.mnemonic === 'loop') return true;
  return ((flags & EFLAGS.ZF) !== 0) === (row.mnemonic === 'loope');
}
