/* @hot: words of machine memory by computed index. */
import { CALLOUT_ID, CALLOUT_NAMES, TRANSCENDENTAL_TABLES } from '@vmm/isa';
import type { CalloutName } from '@vmm/isa';
import type { MachineMemory } from '@vmm/memory';
import type { AccessKind, Mmu, PagingModel } from '@vmm/paging';
import { EVENT_CARE, STATE, StateView, VCPU_LAYOUT } from '@vmm/state';
import { EFLAGS } from './architecture.ts';
import { applyBootState } from './boot-state.ts';
import type { BootState } from './boot-state.ts';
import { BlockCache } from './block-cache.ts';
import { CALLOUTS } from './callouts.ts';
import type { Callout } from './callouts.ts';
import { Cpu } from './cpu.ts';
import { hasInstruction } from './cpuid-features.ts';
import { deliverException, deliverInterrupt, deliverNmi } from './exceptions.ts';
import { HandlerTable } from './handlers.ts';
import { MODE } from './mode.ts';
import type { CpuModel } from './models.ts';
import type { ModuleStore } from './module-store.ts';
import type { ApicPort, CpuClock, IoPorts, RandomWord } from './ports.ts';
import { ADDRESS_MASKS, EXIT, RECORD } from './record.ts';
import { RefusedAddress } from './refused-address.ts';
import { dumpRegisters } from './register-dump.ts';
import type { RegisterDump } from './register-dump.ts';
import type { TranslationContext, Translator } from './translation.ts';
import { RecentInstructions } from './recent-instructions.ts';
import { beginStep, endStep } from './single-step.ts';
import { SlowAccesses } from './slow-accesses.ts';
import { REDISPATCH } from './status.ts';

/** The vCPU's side of the interrupt controllers. */
export interface InterruptPort {
  /** A vector could be delivered now if interrupts are enabled. Asked often: must be cheap. */
  pending(): boolean;
  /** Takes it. Negative: it went away. */
  acknowledge(): number;
  /** Takes a pending NMI. */
  takeNmi(): boolean;
  /** Take a pending SMI, a pending INIT. Without them there are none. */
  takeSmi?(): boolean;
  takeInit?(): boolean;
}

/** What a vCPU gives its MMU. */
export interface MmuContext {
  readonly memory: MachineMemory;
  readonly state: StateView;
  readonly privateBase: number;
  /** What the page walker must know of the CPU model. */
  readonly model: PagingModel;
  /** Whether the access being made goes through SS: a non-canonical address is #SS(0) then. */
  readonly lastSegmentWasStack: () => boolean;
  /** A store is about to change bytes that decoded code was made from. */
  readonly onCodeWrite: (host: number, sizeBytes: number) => void;
}

export interface VcpuOptions {
  readonly memory: MachineMemory;
  readonly index?: number;
  readonly model: CpuModel;
  /** Which MMU: `@vmm/mmu-ept`'s, or another behind the same interface. */
  readonly createMmu: (context: MmuContext) => Mmu;
  readonly ports: IoPorts;
  readonly interrupts: InterruptPort;
  readonly clock: CpuClock;
  readonly apic?: ApicPort;
  /** FERR#: IRQ 13 of a PC. Default: not wired. */
  readonly raiseFpuError?: () => void;
  /** Entropy for RDRAND and RDSEED. Default: the host's. */
  readonly random?: RandomWord;
  /** Binary translation of hot code. Default: interpretation only. */
  readonly createTranslator?: (context: TranslationContext) => Translator;
  /** Keeps the interpreter's module for the next start of the same program; for one kind of MMU. Default: it is made anew. */
  readonly moduleStore?: ModuleStore | undefined;
  /** Further callouts by name: the floating-point package's. */
  readonly callouts?: Partial<Record<CalloutName, Callout>>;
}

export type RunResult = 'slice' | 'halt' | 'shutdown' | 'stopped';

/** Bits of the shared `pending` word. Any non-zero value makes generated code return at the next block. */
export const PENDING = { attention: 1, stop: 2 } as const;

function pagingModelOf({ physicalBits, features }: CpuModel): PagingModel { return { physicalAddressBits: physicalBits, gigabytePages: features.includes('pdpe1gb') }; }

/** One virtual CPU: interpreter, block cache, MMU and system half around one state block. Runs on one thread; `requestAttention` from any. */
export class Vcpu {
  readonly state: StateView;
  readonly cpu: Cpu;
  readonly mmu: Mmu;
  readonly blocks: BlockCache;
  readonly handlers: HandlerTable;
  /** Index of the `pending` word in an Int32Array over machine memory, for Atomics. */
  readonly pendingIndex: number;
  /** Instructions retired since power-on. */
  instructions = 0;
  /** Events delivered, by kind. */
  readonly events = { exceptions: 0, interrupts: 0, runs: 0 };
  /** Callouts made, by position in `CALLOUT_NAMES`. */
  readonly calloutCounts = new Float64Array(CALLOUT_NAMES.length);
  #onException: ((vector: number, errorCode: number) => void) | undefined;
  readonly #memory: MachineMemory;
  readonly #interrupts: InterruptPort;
  readonly #words: Int32Array;
  readonly #budgetWord: number;
  readonly #faultWord: number;
  readonly #modeWord: number;
  readonly #flagsWord: number;
  readonly #waitsWord: number;
  readonly #repeatedWord: number;
  readonly #timeWord: number;
  readonly #refused: RefusedAddress;
  readonly #recent: RecentInstructions;
  readonly #translator: Translator | undefined;
  #slow: SlowAccesses | undefined;

  constructor(options: VcpuOptions) {
    const { memory, index = 0 } = options;
    const privateBase = memory.vcpuBase(index);
    const state = new StateView(memory.buffer, privateBase + VCPU_LAYOUT.state);
    this.state = state;
    this.#memory = memory;
    this.#interrupts = options.interrupts;
    this.#words = state.i32;
    this.pendingIndex = state.base + STATE.pending >> 2;
    this.#budgetWord = state.base + STATE.budget >> 2;
    this.#faultWord = state.base + STATE.faultVector >> 2;
    this.#modeWord = state.base + STATE.modeKey >> 2;
    this.#flagsWord = state.base + STATE.eflags >> 2;
    this.#waitsWord = state.base + STATE.interruptWaits >> 2;
    this.#repeatedWord = state.base + STATE.exitReason >> 2;
    this.#timeWord = state.base + STATE.timeStamp >> 2;
    state.set('faultVector', -1);
    state.set('timeStampTolerance', options.clock.toleranceInstructions ?? 0);
    ADDRESS_MASKS.forEach((mask, i) => { state.u64[(privateBase + VCPU_LAYOUT.masks >> 3) + i] = mask; });
    state.u64.set(TRANSCENDENTAL_TABLES, privateBase + VCPU_LAYOUT.fpuTables >> 3);
    this.mmu = options.createMmu({
      memory, state, privateBase, model: pagingModelOf(options.model), lastSegmentWasStack: () => this.#noteRefusedAddress(),
      onCodeWrite: (host, size) => { this.blocks.written(host, size); },
    });
    this.cpu = new Cpu({ state, mmu: this.mmu, ports: options.ports, clock: options.clock, model: options.model, index, ...(options.apic === undefined ? {} : { apic: options.apic }), ...(options.random === undefined ? {} : { random: options.random }), ...(options.raiseFpuError === undefined ? {} : { raiseFpuError: options.raiseFpuError }) });
    this.#refused = new RefusedAddress(this.cpu);
    const table: Partial<Record<string, Callout>> = { ...CALLOUTS, ...options.callouts };
    const callouts = CALLOUT_NAMES.map((name) => table[name] ?? CALLOUTS.undefined_opcode);
    const memoryPages = memory.buffer.byteLength / 0x1_0000;
    this.handlers = new HandlerTable({ privateBase, memoryPages }, memory.memory, {
      access: (lo, hi, size, kind) => this.#access(lo, hi, size, kind as AccessKind),
      commit: () => this.mmu.commit(),
      readTime: () => options.clock.readTscNumber?.() ?? -1,
      callout: (id, size) => {
        this.#forgetTime();
        this.calloutCounts[id]!++;
        const status = callouts[id]!(this.cpu, size);
        if (status === REDISPATCH) this.#redispatched();
        return status;
      },
      readPort: (port, size) => {
        this.calloutCounts[CALLOUT_ID.in]!++;
        const value = options.ports.read(port, size);
        if (this.#words[this.pendingIndex] !== 0) this.cpu.management.noteAccess(port, size, true, false);
        return value;
      },
      writePort: (port, size, value) => {
        this.calloutCounts[CALLOUT_ID.out]!++;
        options.ports.write(port, size, value >>> 0);
        if (this.#words[this.pendingIndex] !== 0) this.cpu.management.noteAccess(port, size, false, false);
      },
      // WebAssembly hands host addresses over as signed numbers
      lookup: (host) => {
        this.#forgetTime();
        return this.blocks.lookup(host >>> 0);
      },
      interpreted: (host) => this.blocks.interpreted(host >>> 0),
      becameHot: (host) => { if (this.blocks.isHot(host >>> 0, this.state.get('modeKey'))) this.#translator?.request(host >>> 0); },
      mayGoOn: (code, lo, hi) => this.#translator?.mayGoOn(code, lo, hi) === true ? 1 : 0,
    }, this.mmu.defineAccess?.bind(this.mmu), { store: options.moduleStore, key: [privateBase, memory.ramBase, memory.layout.romBase, memory.layout.attributesBase, memory.layout.totalBytes].join('-') });
    this.blocks = new BlockCache({
      state, privateBase, handlers: this.handlers,
      fetch: (lo, hi) => this.mmu.access(lo, hi, 1, 2),
      protectCode: (host) => { this.mmu.protectCode(host); },
      unprotectCode: (host) => { this.mmu.unprotectCode(host); },
      hasFeature: (row) => hasInstruction(this.cpu.cpuid.features, row),
    });
    memory.onExternalStore((host, size) => { this.blocks.written(host, size); });
    this.#recent = new RecentInstructions(state);
    if (options.createTranslator !== undefined) {
      this.#translator = options.createTranslator({
        state, privateBase, handlers: this.handlers, blocks: this.blocks, features: this.cpu.cpuid.features,
        tryFetch: (lo, hi) => {
          const host = this.mmu.access(lo, hi, 1, 2);
          if (host === 0) this.#words[this.#faultWord] = -1;
          return host;
        },
      });
      this.#slow = new SlowAccesses(() => this.mmu.counters, this.#translator.slowPeriod, (cause, lo, hi) => { this.#translator?.noteSlow(cause, lo, hi); });
      this.blocks.hotThreshold = this.#translator.hotThreshold;
      this.blocks.quickThreshold = this.#translator.quickThreshold;
      this.blocks.expects = this.#translator.expects.bind(this.#translator);
    }
    this.reset();
  }

  /** 0: a fault is recorded, or nothing is and the instruction must be retried because translated code died (it may be what is running). */
  #access(lo: number, hi: number, size: number, kind: AccessKind): number {
    if (this.#words[this.#faultWord] !== -1) return 0;
    this.#forgetTime();
    const slow = kind === 2 ? undefined : this.#slow;
    if (slow?.putsOff(lo, hi, kind) === true) return 0;
    if (this.cpu.watchesData) this.cpu.noteAccess(lo, hi, size, kind);
    if (this.#translator === undefined || slow === undefined) return this.mmu.access(lo, hi, size, kind);
    const before = this.#translator.deaths;
    const host = this.mmu.access(lo, hi, size, kind);
    if (host !== 0) slow.made(lo, hi, kind);
    return this.#translator.deaths === before || (kind & 1) === 0 ? host : 0;
  }

  /** Time may have passed that generated code has not seen in its budget. */
  #forgetTime(): void {
    this.#words[this.#timeWord] = 0;
    this.#words[this.#timeWord + 1] = 0;
  }

  reset(): void {
    this.cpu.reset();
    this.mmu.controlChanged();
    this.blocks.flush();
  }

  /** Put the CPU in the state that a loader asks for. */
  boot(boot: BootState): void { applyBootState(this.cpu, boot); }

  /** The mode may have changed under running code: leave the loop if it must go one instruction at a time, or if an interrupt is now due. */
  #redispatched(): void {
    if ((this.#words[this.#modeWord]! & MODE.SINGLE_STEP) !== 0 || this.state.get('halted') !== 0
      || (this.#words[this.#flagsWord]! & EFLAGS.IF) !== 0 && this.#interrupts.pending()) this.requestAttention();
  }

  /** Called for every delivered exception when set: for tracing. */
  get onException(): ((vector: number, errorCode: number) => void) | undefined { return this.#onException; }
  set onException(watcher: ((vector: number, errorCode: number) => void) | undefined) {
    this.#onException = watcher;
    this.state.set('eventCare', this.state.get('eventCare') & ~EVENT_CARE.watched | (watcher === undefined ? 0 : EVENT_CARE.watched));
  }

  requestAttention(): void { Atomics.or(this.#words, this.pendingIndex, PENDING.attention); }
  requestStop(): void { Atomics.or(this.#words, this.pendingIndex, PENDING.stop); }

  /** Runs at most about `maxInstructions`. 'slice': go on when convenient. 'halt': waits for an interrupt. 'shutdown': triple fault. */
  run(maxInstructions: number): RunResult {
    let left = maxInstructions;
    const { state, cpu } = this;
    for (;;) {
      const pending = Atomics.exchange(this.#words, this.pendingIndex, 0);
      if ((pending & PENDING.stop) !== 0) return 'stopped';
      if (!this.#deliverInterrupts()) return 'shutdown';
      if (state.get('halted') !== 0) return 'halt';
      if (left <= 0) {
        this.#translator?.poll();
        return 'slice';
      }
      const stepping = (this.#words[this.#modeWord]! & MODE.SINGLE_STEP) !== 0;
      const budget = stepping ? 1 : left;
      let fault = stepping && !beginStep(cpu);
      if (!fault) {
        this.#words[this.#budgetWord] = budget;
        this.#words[this.#repeatedWord] = 0;
        this.#forgetTime();
        this.events.runs++;
        const reason = this.handlers.run();
        let retired = budget - this.#words[this.#budgetWord]!;
        if (reason === EXIT.fault) {
          // translated code also leaves this way to have an instruction retried by the interpreter: then nothing is recorded
          fault = this.#words[this.#faultWord] !== -1;
          this.locateFault();
          if (!fault) this.#slow?.find(state.lo('rip'), state.hi('rip'));
        }
        left -= Math.max(retired, 1) + this.#words[this.#repeatedWord]!;
        // an event while stepping: the pending word stopped it before it ran; or it is to be tried again
        if (stepping && (reason === EXIT.fault ? !fault : retired === 0 && reason === EXIT.pending)) continue;
        // one element of a repeated instruction, and not the last
        if (stepping && this.#words[this.#repeatedWord] !== 0) retired = 0;
        this.instructions += retired;
      }
      if (fault) {
        this.events.exceptions++;
        this.onException?.(state.get('faultVector'), state.get('faultError'));
        if (deliverException(cpu) === 'shutdown') return 'shutdown';
      } else if (stepping && endStep(cpu) === 'shutdown') return 'shutdown';
    }
  }

  /** The MMU met a non-canonical address. Which segment it came through is known when the instruction is. */
  #noteRefusedAddress(): boolean {
    this.#refused.note();
    return false;
  }

  /** After generated code has left with a fault: sets rip to the instruction, and says what only the instruction decides of the fault. */
  locateFault(): void {
    this.#locate();
    this.#refused.correct();
  }
  #locate(): void {
    const record = this.state.get('currentRecord');
    if (record === 0) return;
    const { data } = this.state;
    const back = data.getUint16(record + RECORD.end, true) - data.getUint8(record + RECORD.length);
    const lo = (this.state.lo('blockRip') >>> 0) + back;
    this.state.setWords('rip', lo | 0, this.state.hi('blockRip') + (lo > 0xffff_ffff ? 1 : 0));
  }

  #deliverInterrupts(): boolean {
    if (this.cpu.isShutDown) return false;
    if (this.#interrupts.takeInit?.() === true && !this.cpu.management.isActive) this.cpu.init();
    this.cpu.management.poll(this.#interrupts.takeSmi?.() === true);
    if (this.#interrupts.takeNmi() || this.cpu.isNmiPending && !this.cpu.isNmiBlocked) {
      this.#wake();
      if (deliverNmi(this.cpu) === 'shutdown') return false;
    }
    const waits = this.#interrupts.pending();
    this.#words[this.#waitsWord] = waits ? 1 : 0;
    if (!waits || (this.#words[this.#flagsWord]! & EFLAGS.IF) === 0 || this.state.get('inhibit') !== 0) return true;
    const vector = this.#interrupts.acknowledge();
    this.#words[this.#waitsWord] = this.#interrupts.pending() ? 1 : 0;
    if (vector < 0) return true;
    this.#wake();
    this.events.interrupts++;
    return deliverInterrupt(this.cpu, vector) !== 'shutdown';
  }
  #wake(): void { this.state.set('halted', 0); }

  registers(): RegisterDump { return dumpRegisters(this.state); }
  /** The last instructions executed, disassembled; the latest last. */
  recent(): string[] { return this.#recent.list(this.blocks); }
  counters(): Record<string, number> { return { instructions: this.instructions, regionEntries: Number(this.state.big('regionEntries')), ...this.events, exceptions: this.events.exceptions + this.state.get('deliveredFaults'), callouts: this.calloutCounts.reduce((sum, count) => sum + count, 0), ...this.mmu.counters, ...this.blocks.counters, extensionForms: this.handlers.extensions.length, ...this.#translator?.counters }; }
  /** Callouts made, by name, the most frequent first. */
  callouts(): [CalloutName, number][] { return CALLOUT_NAMES.map((name, id): [CalloutName, number] => [name, this.calloutCounts[id]!]).filter(([, count]) => count > 0).sort((a, b) => b[1] - a[1]); }
  get memory(): MachineMemory { return this.#memory; }
}
