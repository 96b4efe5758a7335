/** @hot */
import { DR6 } from '@vmm/spec';
import { EVENT_CARE, STATE } from '@vmm/state';
import type { StateView } from '@vmm/state';
import { CR4, EFER, EFLAGS, GPR, VECTOR } from './architecture.ts';
import { initCpu, resetCpu, startCpu } from './boot-state.ts';
import { BranchTrap } from './branch-trap.ts';
import { noteDataAccess } from './breakpoints.ts';
import { CpuidTable } from './cpuid.ts';
import { CpuidCache } from './cpuid-cache.ts';
import { deliverException, deliverInterrupt, deliverNmi } from './exceptions.ts';
import type { FeatureName } from './cpuid-features.ts';
import type { FpuErrorPin } from './fpu-error.ts';
import type { CpuModel } from './models.ts';
import type { FarReturn } from './interrupt-return.ts';
import { MonitoredLine } from './monitor.ts';
import { MsrBank } from './msr.ts';
import type { ApicPort, CpuClock, CpuMmu, IoPorts, RandomWord } from './ports.ts';
import { beginStep, endStep } from './single-step.ts';
import { StackCursor } from './stack.ts';
import { FAULT, REDISPATCH } from './status.ts';
import { SystemManagement } from './system-management.ts';
import type { Delivery } from './status.ts';

export interface CpuOptions {
  readonly state: StateView;
  readonly mmu: CpuMmu;
  readonly ports: IoPorts;
  readonly clock: CpuClock;
  readonly model: CpuModel;
  readonly apic?: ApicPort;
  /** Core crystal in Hz for CPUID leaf 15H; Linux takes it as the local APIC timer's input clock. Default 25 MHz. */
  readonly crystalHz?: number;
  /** Offer the hypervisor leaves at 0x40000000. Default true. */
  readonly hypervisorLeaf?: boolean;
  /** Number of this CPU and its APIC ID; 0 is the bootstrap processor. */
  readonly index?: number;
  /** Where FERR# leads. Default: nowhere, exceptions without CR0.NE are ignored. */
  readonly raiseFpuError?: FpuErrorPin;
  /** 32 random bits. Default: `Math.random`, which is no source of secrets. */
  readonly random?: RandomWord;
  /** Changes to the model's CPUID features, for one machine. */
  readonly addFeatures?: readonly FeatureName[];
  readonly dropFeatures?: readonly FeatureName[];
}

const BREAKPOINTS_MET = DR6.B0 | DR6.B1 | DR6.B2 | DR6.B3;
/** Where a callout finds the address of the instruction after it. */
const NEXT_RIP_ARGUMENT = 7;

/**
 * One virtual CPU's rare and system half: everything that generated code does not do itself. It owns no registers: all architectural state
 * is in the state block, so that this class, the interpreter and translated code see the same.
 */
export class Cpu {
  readonly state: StateView;
  readonly mmu: CpuMmu;
  readonly ports: IoPorts;
  readonly clock: CpuClock;
  readonly model: CpuModel;
  readonly apic: ApicPort | undefined;
  readonly index: number;
  readonly random: RandomWord;
  readonly raiseFpuError: FpuErrorPin | undefined;
  readonly cpuid: CpuidTable;
  readonly cpuidCache: CpuidCache;
  readonly msrs: MsrBank;
  readonly stack: StackCursor;

  /** The table entry read last, and where it lies. */
  descriptorLo = 0;
  descriptorHi = 0;
  /** A task switch got past the point of no return: faults now belong to the new task. */
  isTaskCommitted = false;
  /** The new TSS has its T bit set. */
  isTaskTrapDue = false;
  /** What a far return or IRET has popped. */
  readonly frame: FarReturn = { size: 0, popsStack: false, cs: 0, ripLo: 0, ripHi: 0, flags: 0, mask: 0, releaseBytes: 0 };
  /** The stack segment that openInnerStack took from the TSS. */
  innerLo = 0;
  innerHi = 0;
  innerSelector = 0;
  #tableLo = 0;
  #tableHi = 0;
  /** Bit of the high word from which an address must be sign-extended: 15 for 48-bit linear addresses, 24 for 57-bit ones. */
  #canonicalBit = 15;
  readonly #widestBit: number;
  readonly branchTrap: BranchTrap;
  readonly management: SystemManagement;
  /** RSM met a state that no CPU can be in. */
  isShutDown = false;
  /** What MONITOR armed. */
  readonly monitored: MonitoredLine;
  isNmiPending = false;
  /** DR6 bits of debug conditions met by the instruction under way. */
  debugHits = 0;
  /** Data breakpoints are armed: generated code's accesses must be reported to `noteAccess`. */
  watchesData = false;
  /** A single-step trap is due after the instruction under way: TF was set when it began. */
  wasTrapping = false;
  /** The instruction under way loaded RF itself (IRET): it holds for the next one. */
  didSetResumeFlag = false;
  /** The instruction under way began an interrupt shadow (STI, MOV SS): it covers the next one. */
  didSetShadow = false;
  /** The instruction pointer that an event being delivered will push. */
  returnLo = 0;
  returnHi = 0;
  readonly #words: Int32Array;
  readonly #scratch: number;

  constructor(options: CpuOptions) {
    this.state = options.state;
    this.mmu = options.mmu;
    this.ports = options.ports;
    this.clock = options.clock;
    this.model = options.model;
    this.apic = options.apic;
    this.raiseFpuError = options.raiseFpuError;
    this.index = options.index ?? 0;
    this.random = options.random ?? (() => Math.random() * 0x1_0000_0000 | 0);
    this.#words = options.state.i32;
    this.#scratch = options.state.base + STATE.scratch >> 2;
    this.cpuid = new CpuidTable({
      model: options.model, tscHz: options.clock.tscHz, crystalHz: options.crystalHz ?? 25_000_000, hypervisorLeaf: options.hypervisorLeaf ?? true,
      hasApic: options.apic !== undefined, apicId: this.index, add: options.addFeatures ?? [], drop: options.dropFeatures ?? [],
    });
    this.#widestBit = this.cpuid.has('la57') ? 24 : 15;
    this.cpuidCache = new CpuidCache(options.state);
    this.branchTrap = new BranchTrap(this);
    this.msrs = new MsrBank(this);
    this.stack = new StackCursor(this);
    this.monitored = new MonitoredLine(options.state);
    this.management = new SystemManagement(this);
  }

  /** Power-on. SDM vol 3A §9.1.1 */
  reset(): void { resetCpu(this); }
  /** INIT. The bootstrap processor then runs from the reset vector; the others are to be kept waiting for `startUp`. */
  init(): void { initCpu(this); }
  startUp(vector: number): void { startCpu(this, vector); }

  /** Nothing pending, blocked or under way. */
  forgetEvents(): void {
    this.isNmiBlocked = false;
    this.isNmiPending = false;
    this.isShutDown = false;
    this.monitored.isArmed = false;
    this.debugHits = 0;
    this.wasTrapping = false;
    this.didSetResumeFlag = false;
    this.didSetShadow = false;
    this.watchesData = false;
  }

  // Arguments and results of callouts.

  argLo(index: number): number { return this.#words[this.#scratch + 2 * index]!; }
  argHi(index: number): number { return this.#words[this.#scratch + 2 * index + 1]!; }
  argBig(index: number): bigint { return BigInt.asUintN(64, BigInt(this.argHi(index)) << 32n | BigInt(this.argLo(index) >>> 0)); }
  setResult(lo: number, hi = 0): void {
    this.#words[this.#scratch] = lo;
    this.#words[this.#scratch + 1] = hi;
  }
  setArg(index: number, lo: number, hi = 0): void {
    this.#words[this.#scratch + 2 * index] = lo;
    this.#words[this.#scratch + 2 * index + 1] = hi;
  }
  get nextRipLo(): number { return this.argLo(NEXT_RIP_ARGUMENT); }
  get nextRipHi(): number { return this.argHi(NEXT_RIP_ARGUMENT); }

  /** The instruction is done; go on behind it, through the run loop. */
  advance(): typeof REDISPATCH {
    this.state.setPair(STATE.rip, this.nextRipLo, this.nextRipHi);
    return REDISPATCH;
  }

  // Faults as values.

  /** Records a fault for the run loop to deliver. */
  raise(vector: number, errorCode = 0): typeof FAULT {
    this.state.setWord(STATE.faultVector, vector);
    this.state.setWord(STATE.faultError, errorCode);
    return FAULT;
  }
  /** `raise` for functions that answer whether they succeeded. */
  fail(vector: number, errorCode: number): false {
    this.raise(vector, errorCode);
    return false;
  }
  setReturn(lo: number, hi: number): void {
    this.returnLo = lo;
    this.returnHi = hi;
  }
  /** Reports debug conditions in DR6: B0..B3 say what was met this time, the others only software clears. */
  recordDebug(hits: number): void {
    this.state.setPair(STATE.dr + 8 * 6, this.state.word(STATE.dr + 8 * 6) & ~BREAKPOINTS_MET | hits, 0);
  }
  undefinedOpcode(): typeof FAULT { return this.raise(VECTOR.UD); }
  protectionFault(): typeof FAULT { return this.raise(VECTOR.GP, 0); }

  // Registers.

  get cpl(): number { return this.state.word(STATE.cpl); }
  get iopl(): number { return this.state.word(STATE.eflags) >> EFLAGS.IOPL_SHIFT & 3; }
  get isVm86(): boolean { return (this.state.word(STATE.eflags) & EFLAGS.VM) !== 0; }
  /** NMI delivered and no IRET since. */
  get isNmiBlocked(): boolean { return (this.state.word(STATE.eventCare) & EVENT_CARE.nmiBlocked) !== 0; }
  set isNmiBlocked(blocked: boolean) { this.state.setWord(STATE.eventCare, this.state.word(STATE.eventCare) & ~EVENT_CARE.nmiBlocked | (blocked ? EVENT_CARE.nmiBlocked : 0)); }
  get isInterruptible(): boolean { return (this.state.word(STATE.eflags) & EFLAGS.IF) !== 0 && this.state.word(STATE.inhibit) === 0; }
  gprLo(index: number): number { return this.state.word(STATE.gpr + 8 * index); }
  /** Writes a 32-bit register: the upper half becomes 0. */
  setGpr32(index: number, value: number): void { this.state.setPair(STATE.gpr + 8 * index, value, 0); }
  /** EDX:EAX, as CPUID-era instructions return 64 bits. */
  setEdxEax(lo: number, hi: number): void {
    this.setGpr32(GPR.RAX, lo);
    this.setGpr32(GPR.RDX, hi);
  }

  /** The guest's time-stamp counter. */
  readTsc(): bigint { return BigInt.asUintN(64, this.clock.readTsc() + this.state.big('tscOffset')); }

  /** Whether a 64-bit address with this high word is canonical in the paging mode in force. */
  isCanonical(hi: number): boolean { return hi >> this.#canonicalBit === hi >> 31; }
  /** For bases and entry points that instructions load: they may be as wide as the CPU can make addresses, whatever the mode. SDM vol 1 §3.3.7.1 */
  isCanonicalBase(hi: number): boolean { return hi >> this.#widestBit === hi >> 31; }
  /** CR4.LA57 decides how wide a linear address is. */
  linearWidthChanged(): void { this.#canonicalBit = this.state.word(STATE.cr4) & CR4.LA57 ? 24 : 15; }

  // Descriptor tables, read as supervisor.

  /** Reads eight bytes at base + offset into descriptorLo/Hi and remembers where. */
  readTable64(baseLo: number, baseHi: number, offset: number): boolean {
    const sum = (baseLo >>> 0) + offset;
    this.#tableLo = sum | 0;
    this.#tableHi = sum > 0xffff_ffff ? this.#carriedHigh(baseHi) : baseHi;
    this.descriptorLo = this.mmu.readSystem32(this.#tableLo, this.#tableHi) | 0;
    if (this.mmu.faulted) return false;
    this.descriptorHi = this.readTable32(4);
    return !this.mmu.faulted;
  }
  /** Another word of the entry read last (system descriptors of 16 bytes); check mmu.faulted. */
  readTable32(offset: number): number {
    const sum = (this.#tableLo >>> 0) + offset;
    return this.mmu.readSystem32(sum | 0, sum > 0xffff_ffff ? this.#carriedHigh(this.#tableHi) : this.#tableHi) | 0;
  }
  writeTable8(offset: number, value: number): boolean {
    const sum = (this.#tableLo >>> 0) + offset;
    return this.mmu.writeSystem8(sum | 0, sum > 0xffff_ffff ? this.#carriedHigh(this.#tableHi) : this.#tableHi, value);
  }
  #carriedHigh(hi: number): number { return this.state.word(STATE.efer) & EFER.LMA ? hi + 1 | 0 : 0; }

  // Events, called by the run loop between blocks.

  /** Delivers the fault recorded in the state block. */
  deliverException(): Delivery { return deliverException(this); }
  /** Delivers an external interrupt; the caller has checked `isInterruptible` and acknowledged the vector. */
  deliverInterrupt(vector: number): Delivery { return deliverInterrupt(this, vector); }
  /** Delivers an NMI unless one is being handled; then it stays pending. */
  deliverNmi(): Delivery { return deliverNmi(this); }
  /** An access of generated code while `watchesData`: a hit traps when the instruction is over. `kind` as in the MMU. */
  noteAccess(lo: number, hi: number, size: number, kind: number): void { noteDataAccess(this, lo, hi, size, kind); }
  /** IRET is over: an NMI that waited for it comes before the next instruction. */
  unblockNmi(): void {
    this.isNmiBlocked = false;
    if (this.isNmiPending) this.requestAttention();
  }
  /** The run loop looks at events before the next block. */
  requestAttention(): void { Atomics.or(this.#words, this.state.base + STATE.pending >> 2, 1); }
  /** Before a block with MODE.SINGLE_STEP: false if an instruction breakpoint was recorded as a fault instead. */
  beginStep(): boolean { return beginStep(this); }
  /** After such a block ended without a fault: delivers the debug trap that is due. */
  endStep(): Delivery { return endStep(this); }
}
