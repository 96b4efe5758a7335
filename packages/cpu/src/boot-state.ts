/** Reset and hand-over states. SDM vol 3A §9.1.1, Table 9-1 */
import { STATE } from '@vmm/state';
import type { StateView } from '@vmm/state';
import { DR6, DR7, MEMORY_TYPE, MISC_ENABLE, MSR, MTRR, PAT_RESET } from '@vmm/spec';
import { ATTRIBUTE, CR0, EFER, EFLAGS, GPR, SEG } from './architecture.ts';
import { refreshAll } from './control-registers.ts';
import type { Cpu } from './cpu.ts';
import { writeFlags } from './flags.ts';
import { setNullSegment } from './segments.ts';

export interface BootSegment {
  readonly selector: number;
  readonly base: number;
  /** In bytes: granularity applied. */
  readonly limit: number;
  /** Descriptor bits 40..55 as in the VMCS access rights. */
  readonly attributes: number;
}

export const SEGMENT_NAMES = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'] as const;
export type SegmentName = (typeof SEGMENT_NAMES)[number];
export const REGISTER_NAMES = [
  'rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15',
] as const;
export type RegisterName = (typeof REGISTER_NAMES)[number];

/** What a loader hands over: everything not named is as after reset (segments: unusable). */
export interface BootState {
  readonly mode: 'real' | 'protected' | 'long';
  readonly rip: number;
  readonly rsp: number;
  readonly rflags: number;
  readonly registers: Readonly<Partial<Record<RegisterName, number>>>;
  readonly segments: Readonly<Partial<Record<SegmentName, BootSegment>>>;
  readonly cr0: number;
  readonly cr3: number;
  readonly cr4: number;
  readonly efer: number;
  readonly gdtr: { readonly base: number; readonly limit: number };
  readonly idtr: { readonly base: number; readonly limit: number };
}

const FPU_CONTROL_RESET = 0x40, MXCSR_RESET = 0x1f80;

function setSegmentTo(state: StateView, index: number, segment: BootSegment): void {
  state.set('selector', segment.selector, index);
  state.setNumber('segmentBase', segment.base, index);
  state.set('segmentLimit', segment.limit | 0, index);
  state.set('segmentAttributes', segment.attributes, index);
}

/** Power-on: real mode at F000:FFF0 with base FFFF0000H, everything else too. */
export function resetCpu(cpu: Cpu): void {
  const { state } = cpu;
  initCpu(cpu);
  for (const field of ['star', 'lstar', 'cstar', 'fmask', 'kernelGsBase', 'tscAux', 'tscOffset', 'sysenterCs', 'sysenterEsp', 'sysenterEip', 'fpuIp', 'fpuDp'] as const) state.setWords(field, 0, 0);
  state.setWords('cr0', CR0.ET | CR0.CD | CR0.NW, 0);
  state.setWords('xcr0', 1, 0);
  state.set('pkru', 0);
  state.set('pkrs', 0);
  state.set('debugControl', 0);
  cpu.branchTrap.last.reset();
  state.setWords('pat', PAT_RESET.low, PAT_RESET.high);
  // there is no branch trace store, no precise event sampling
  state.setWords('miscEnable', MISC_ENABLE.FAST_STRINGS | MISC_ENABLE.BTS_UNAVAILABLE | MISC_ENABLE.PEBS_UNAVAILABLE, 0);
  state.set('fpuControl', FPU_CONTROL_RESET);
  for (const field of ['fpuStatus', 'fpuTop', 'fpuTags', 'fpuCs', 'fpuDs', 'fpuOpcode'] as const) state.set(field, 0);
  state.set('mxcsr', MXCSR_RESET);
  state.u8.fill(0, state.base + STATE.fpr, state.base + STATE.fpr + 8 * 16);
  state.u8.fill(0, state.base + STATE.vector, state.base + STATE.vector + 16 * 32);
  cpu.msrs.reset();
  cpu.management.reset();
}

/** INIT: as power-on, but the floating-point and vector state, most MSRs and the caching bits of CR0 stay. */
export function initCpu(cpu: Cpu): void {
  const { state, model } = cpu;
  for (let index = 0; index < 16; index++) state.setWords('gpr', 0, 0, index);
  state.setWords('zero', 0, 0);
  state.setWords('gpr', model.family << 8 | (model.model & 15) << 4 | model.stepping | model.model >> 4 << 16, 0, GPR.RDX);
  writeFlags(state, EFLAGS.FIXED);
  state.setWords('rip', 0xfff0, 0);
  for (let index = SEG.ES; index <= SEG.GS; index++) setSegmentTo(state, index, { selector: 0, base: 0, limit: 0xffff, attributes: 0x93 });
  setSegmentTo(state, SEG.CS, { selector: 0xf000, base: 0xffff_0000, limit: 0xffff, attributes: 0x9b });
  setSegmentTo(state, SEG.LDTR, { selector: 0, base: 0, limit: 0xffff, attributes: 0x82 });
  setSegmentTo(state, SEG.TR, { selector: 0, base: 0, limit: 0xffff, attributes: 0x8b });
  for (const field of ['cr2', 'cr3', 'cr4', 'cr8', 'efer', 'gdtrBase', 'idtrBase'] as const) state.setWords(field, 0, 0);
  for (let index = 0; index < 6; index++) state.setWords('dr', 0, 0, index);
  state.setWords('dr', DR6.RESET, 0, 6);
  state.setWords('dr', DR7.RESET, 0, 7);
  state.setWords('cr0', state.lo('cr0') & (CR0.CD | CR0.NW) | CR0.ET, 0);
  state.set('gdtrLimit', 0xffff);
  state.set('idtrLimit', 0xffff);
  for (const field of ['cpl', 'inhibit', 'halted', 'exitReason', 'faultError'] as const) state.set(field, 0);
  state.set('faultVector', -1);
  cpu.forgetEvents();
  refreshAll(cpu);
}

/** Start-up IPI: the CPU that INIT has stopped begins at `vector` << 12 in real mode. */
export function startCpu(cpu: Cpu, vector: number): void {
  cpu.state.set('selector', vector << 8, SEG.CS);
  cpu.state.setWords('segmentBase', vector << 12, 0, SEG.CS);
  cpu.state.setWords('rip', 0, 0);
  cpu.state.set('halted', 0);
  refreshAll(cpu);
}

/** MTRRs as firmware leaves them: on, everything write-back. */
const MTRR_WRITE_BACK = MTRR.DEF_ENABLE | MEMORY_TYPE.WB;

/** Puts the CPU into a loader's hand-over state; resets it first. */
export function applyBootState(cpu: Cpu, boot: BootState): void {
  resetCpu(cpu);
  const state = cpu.state;
  cpu.msrs.keep(MSR.MTRR_DEF_TYPE, MTRR_WRITE_BACK, 0);
  if (boot.mode !== 'real') for (let index = SEG.ES; index <= SEG.GS; index++) setNullSegment(state, index, 0);
  for (const [index, name] of SEGMENT_NAMES.entries()) {
    const segment = boot.segments[name];
    if (segment) setSegmentTo(state, index, segment);
  }
  for (const [index, name] of REGISTER_NAMES.entries()) state.setNumber('gpr', boot.registers[name] ?? 0, index);
  state.setNumber('gpr', boot.rsp, GPR.RSP);
  state.setNumber('rip', boot.rip);
  writeFlags(state, boot.rflags);
  state.setWords('cr0', boot.cr0 | CR0.ET, 0);
  state.setNumber('cr3', boot.cr3);
  state.setNumber('cr4', boot.cr4);
  const isLong = (boot.efer & EFER.LME) !== 0 && (boot.cr0 & CR0.PG) !== 0;
  state.setWords('efer', boot.efer & ~EFER.LMA | (isLong ? EFER.LMA : 0), 0);
  state.setNumber('gdtrBase', boot.gdtr.base);
  state.set('gdtrLimit', boot.gdtr.limit);
  state.setNumber('idtrBase', boot.idtr.base);
  state.set('idtrLimit', boot.idtr.limit);
  state.set('cpl', boot.mode === 'real' ? 0 : (state.get('segmentAttributes', SEG.SS) & ATTRIBUTE.DPL) >> 5);
  refreshAll(cpu);
}
