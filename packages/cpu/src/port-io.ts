/** @hot IN and OUT with their permission checks. SDM vol 1 §19.5 */
import { TSS32 } from '@vmm/spec';
import { STATE } from '@vmm/state';
import { DR7_ENABLES, SEG, VECTOR } from './architecture.ts';
import { notePortAccess } from './breakpoints.ts';
import type { Cpu } from './cpu.ts';
import { isProtected } from './mode.ts';
import { DONE, FAULT } from './status.ts';
import type { Status } from './status.ts';

/** Whether the ports may be used; records #GP(0) or a page fault on the TSS if not. */
export function checkPorts(cpu: Cpu, port: number, size: number): boolean {
  const { state, mmu } = cpu;
  if (!isProtected(state) || !cpu.isVm86 && cpu.cpl <= cpu.iopl) return true;
  const limit = state.word(STATE.segmentLimit + 4 * SEG.TR) >>> 0;
  const isWide = (state.word(STATE.segmentAttributes + 4 * SEG.TR) & 0x10008) === 8;
  if (!isWide || limit < TSS32.SIZE - 1) return cpu.fail(VECTOR.GP, 0);
  const baseLo = state.word(STATE.segmentBase + 8 * SEG.TR), baseHi = state.word(STATE.segmentBase + 8 * SEG.TR + 4);
  const map = readTss16(cpu, baseLo, baseHi, TSS32.IO_MAP_BASE);
  if (mmu.faulted) return false;
  const at = map + (port >> 3);
  if (at + 1 > limit) return cpu.fail(VECTOR.GP, 0);
  const bits = readTss16(cpu, baseLo, baseHi, at);
  if (mmu.faulted) return false;
  return (bits >> (port & 7) & (1 << size) - 1) === 0 || cpu.fail(VECTOR.GP, 0);
}

function readTss16(cpu: Cpu, lo: number, hi: number, offset: number): number {
  const sum = (lo >>> 0) + offset;
  return cpu.mmu.readSystem16(sum | 0, sum > 0xffff_ffff && hi !== 0 ? hi + 1 | 0 : hi);
}

export function portIn(cpu: Cpu, size: number): Status {
  const port = cpu.argLo(0) & 0xffff;
  if (!checkPorts(cpu, port, size)) return FAULT;
  if (cpu.state.word(STATE.dr + 8 * 7) & DR7_ENABLES) notePortAccess(cpu, port, size);
  cpu.setResult(cpu.ports.read(port, size));
  if (cpu.state.word(STATE.pending) !== 0) cpu.management.noteAccess(port, size, true);
  return DONE;
}

export function portOut(cpu: Cpu, size: number): Status {
  const port = cpu.argLo(0) & 0xffff;
  if (!checkPorts(cpu, port, size)) return FAULT;
  if (cpu.state.word(STATE.dr + 8 * 7) & DR7_ENABLES) notePortAccess(cpu, port, size);
  const value = cpu.argLo(1);
  cpu.ports.write(port, size, size === 4 ? value >>> 0 : size === 2 ? value & 0xffff : value & 0xff);
  if (cpu.state.word(STATE.pending) !== 0) cpu.management.noteAccess(port, size, false);
  return DONE;
}
