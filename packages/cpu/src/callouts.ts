/** The rare instructions by name. Arguments and results pass through `state.scratch`; `size` is the operand size in bytes. */
import { CALLOUT_NAMES } from '@vmm/isa';
import type { CalloutName } from '@vmm/isa';
import { EFLAGS, SEG, VECTOR } from './architecture.ts';
import {
  clearTaskSwitched, invalidateContext, invalidatePage, loadMachineStatus, readControlRegister, readDebugRegister, readXcr, setAlignmentCheck,
  storeMachineStatus, writeControlRegister, writeDebugRegister, writeXcr,
} from './control-registers.ts';
import type { Cpu } from './cpu.ts';
import { cpuid } from './cpuid.ts';
import {
  loadAccessRights, loadLocalTable, loadSegmentLimit, loadTable, loadTaskRegister, storeSelector, storeTable, verifyRead, verifyWrite,
} from './descriptor-tables.ts';
import { farCall, farJump, farReturn } from './far-transfer.ts';
import { cli, hlt, popf, pushf, sti } from './flag-instructions.ts';
import { ARITHMETIC_FLAGS, changeFlags } from './flags.ts';
import { fpuError } from './fpu-error.ts';
import { hypercall } from './hypercall.ts';
import { iret } from './interrupt-return.ts';
import { monitor, mwait, userMonitor, userWait } from './monitor.ts';
import { readCounter, readMsr, readProcessorId, readTimeStamp, readTimeStampAndId, writeMsr } from './msr.ts';
import { checkPorts, portIn, portOut } from './port-io.ts';
import { keysChanged, readUserKeys, writeUserKeys } from './protection-keys.ts';
import { loadSegment, shadowStackLoad } from './segments.ts';
import { breakpoint, debugInterrupt, overflowTrap, softwareInterrupt } from './software-interrupts.ts';
import { DONE, FAULT } from './status.ts';
import type { Status } from './status.ts';
import { resumeFromManagement } from './system-management.ts';
import { readBase, swapgs, syscall, sysenter, sysexit, sysret, writeBase } from './system-calls.ts';

export type Callout = (cpu: Cpu, size: number) => Status;

/** MOV Sreg, POP Sreg, LDS…: a new SS means a new stack size and, but for LSS (bit 3 of the first argument), an interrupt shadow. */
function moveToSegment(cpu: Cpu): Status {
  const index = cpu.argLo(0) & 7;
  const status = loadSegment(cpu, index, cpu.argLo(1) & 0xffff);
  if (status === FAULT || index !== SEG.SS) return status;
  if ((cpu.argLo(0) & 8) === 0) shadowStackLoad(cpu);
  return cpu.advance();
}

/** A segment check failed in generated code: args are the segment register and whether the access went through the stack. */
function segmentFault(cpu: Cpu): Status {
  return cpu.raise(cpu.argLo(0) === SEG.SS || cpu.argLo(1) !== 0 ? VECTOR.SS : VECTOR.GP, 0);
}

function needsCpl0(cpu: Cpu): Status { return cpu.cpl === 0 ? DONE : cpu.protectionFault(); }

/** RDRAND, RDSEED: there is always entropy, so CF is set and the other arithmetic flags are cleared. */
function random(cpu: Cpu, feature: 'rdrand' | 'rdseed', size: number): Status {
  if (!cpu.cpuid.has(feature)) return cpu.undefinedOpcode();
  cpu.setResult(size === 2 ? cpu.random() & 0xffff : cpu.random(), size === 8 ? cpu.random() : 0);
  changeFlags(cpu.state, EFLAGS.CF, ARITHMETIC_FLAGS);
  return DONE;
}

/** Permission alone, before a string instruction touches memory: the port. */
function checkIo(cpu: Cpu, size: number): Status { return checkPorts(cpu, cpu.argLo(0) & 0xffff, size) ? DONE : FAULT; }

/** What this package performs; floating-point state belongs to another. */
export const SYSTEM_CALLOUTS = {
  undefined_opcode: (cpu) => cpu.undefinedOpcode(),
  general_protection: (cpu) => cpu.protectionFault(),
  segment_fault: segmentFault,
  cpuid,
  rdtsc: readTimeStamp,
  rdtscp: readTimeStampAndId,
  rdpid: readProcessorId,
  rdmsr: readMsr,
  wrmsr: writeMsr,
  rdpmc: readCounter,
  mov_from_cr: readControlRegister,
  mov_to_cr: writeControlRegister,
  mov_from_dr: readDebugRegister,
  mov_to_dr: writeDebugRegister,
  clts: clearTaskSwitched,
  lmsw: loadMachineStatus,
  smsw: storeMachineStatus,
  xgetbv: readXcr,
  xsetbv: writeXcr,
  lgdt: (cpu, size) => loadTable(cpu, 'gdtr', size),
  lidt: (cpu, size) => loadTable(cpu, 'idtr', size),
  sgdt: (cpu) => storeTable(cpu, 'gdtr'),
  sidt: (cpu) => storeTable(cpu, 'idtr'),
  lldt: loadLocalTable,
  ltr: loadTaskRegister,
  sldt: (cpu) => storeSelector(cpu, SEG.LDTR),
  str: (cpu) => storeSelector(cpu, SEG.TR),
  invlpg: invalidatePage,
  invpcid: invalidateContext,
  wbinvd: needsCpl0,
  invd: needsCpl0,
  load_segment: moveToSegment,
  far_jump: farJump,
  far_call: farCall,
  far_return: farReturn,
  iret,
  int_n: softwareInterrupt,
  int3: breakpoint,
  int1: debugInterrupt,
  into: overflowTrap,
  syscall,
  sysret,
  sysenter,
  sysexit,
  swapgs,
  rdfsbase: (cpu, size) => readBase(cpu, SEG.FS, size),
  rdgsbase: (cpu, size) => readBase(cpu, SEG.GS, size),
  wrfsbase: (cpu, size) => writeBase(cpu, SEG.FS, size),
  wrgsbase: (cpu, size) => writeBase(cpu, SEG.GS, size),
  lar: loadAccessRights,
  lsl: loadSegmentLimit,
  verr: verifyRead,
  verw: verifyWrite,
  in: portIn,
  out: portOut,
  io_check: checkIo,
  hlt,
  cli,
  sti,
  pushf,
  popf,
  stac: (cpu) => setAlignmentCheck(cpu, true),
  clac: (cpu) => setAlignmentCheck(cpu, false),
  monitor,
  mwait,
  rdrand: (cpu, size) => random(cpu, 'rdrand', size),
  rdseed: (cpu, size) => random(cpu, 'rdseed', size),
  rsm: resumeFromManagement,
  fpu_exception: fpuError,
  serialize: (cpu) => cpu.cpuid.has('serialize') ? DONE : cpu.undefinedOpcode(),
  vmcall: hypercall,
  rdpkru: readUserKeys,
  wrpkru: writeUserKeys,
  pkru_changed: keysChanged,
  umonitor: userMonitor,
  umwait: userWait,
} as const satisfies Readonly<Record<string, Callout>>;

export type SystemCalloutName = keyof typeof SYSTEM_CALLOUTS;

/** Every callout generated code may make: those nobody performs raise #UD, as on a CPU without the instruction. */
export const CALLOUTS: Readonly<Record<CalloutName, Callout>> = {
  ...Object.fromEntries(CALLOUT_NAMES.map((name): [CalloutName, Callout] => [name, (cpu) => cpu.undefinedOpcode()])) as Record<CalloutName, Callout>,
  ...SYSTEM_CALLOUTS,
};
