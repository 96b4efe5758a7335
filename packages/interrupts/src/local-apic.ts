// One local APIC, xAPIC and x2APIC. SDM vol 3A chapter 11.
// Threading: lives in its vCPU's worker; what comes from elsewhere comes through `receive()`, called in that worker.
// @hot
import type { AccessSize, Clock, Device, MmioRange, Nanoseconds } from '@vmm/device-kit';
import { APIC_BASE, APIC_ESR, DELIVERY_MODE, ICR, LVT, MSR, SVR } from '@vmm/spec';
import { decodeIcr, isLegalApicBase, matchesX2apicLogical, matchesXapicLogical, x2apicLogicalId } from './apic-addressing.ts';
import { APIC_EVENT, ApicEvents } from './apic-events.ts';
import type { ApicEventsState } from './apic-events.ts';
import { BROADCAST } from './apic-message.ts';
import type { ApicBus } from './apic-message.ts';
import { ApicTimer } from './apic-timer.ts';
import type { ApicTimerState } from './apic-timer.ts';
import { ApicVectors } from './apic-vectors.ts';
import type { ApicVectorsState } from './apic-vectors.ts';
import type { CpuInterrupts } from './cpu-interrupts.ts';
import {
  ICR_X2APIC_WRITABLE, LVT_WRITABLE, R, REGISTER_COUNT, resetRegisters, SVR_WRITABLE, timerDivisor, VERSION, X2APIC_ACCESS,
} from './local-apic.registers.ts';
import { LocalVectorTable } from './local-vector-table.ts';
import type { LocalVectorTableState } from './local-vector-table.ts';

export interface LocalApicOptions {
  /** APIC id: 8 bits, or 32 for a vCPU that only x2APIC can name. */
  readonly id: number;
  readonly clock: Clock;
  readonly bus: ApicBus;
  /** INTA to the 8259 when an ExtINT is taken. */
  readonly acknowledgeExternal: () => number;
  readonly isBootProcessor: boolean;
  /** Input of the timer's divider. Default 1 GHz. */
  readonly busHz?: number;
  /** When the TSC will have this value. Absent: no TSC-deadline mode (leave it out of CPUID too). */
  readonly tscToNs?: (tsc: number) => Nanoseconds;
  /** Whether APIC_BASE may enter x2APIC mode. Default true. */
  readonly hasX2apic?: boolean;
  /** Reset leaves LINT0 as ExtINT and LINT1 as NMI on the boot processor, for boards without a BIOS. Default false. */
  readonly isVirtualWire?: boolean;
  /** The guest has moved or disabled the register page: undefined for disabled and for x2APIC mode. */
  readonly onRelocate?: (gpa: number | undefined) => void;
}

interface LocalApicState {
  readonly registers: Uint32Array;
  readonly vectors: ApicVectorsState;
  readonly lvt: LocalVectorTableState;
  readonly timer: ApicTimerState;
  readonly apicBase: readonly [low: number, high: number];
  readonly pendingErrors: number;
  readonly tscDeadline: readonly [low: number, high: number];
  readonly isExternalLatched: boolean;
  readonly events: ApicEventsState;
}

const PAGE_BYTES = 0x1000;
const TWO_32 = 0x1_0000_0000;
const FIRST_LEGAL_VECTOR = 16;
const MODE_BITS = APIC_BASE.GLOBAL_ENABLE | APIC_BASE.X2APIC_ENABLE;

export class LocalApic implements CpuInterrupts, Device {
  readonly id: number;
  readonly name: string;
  onChange: () => void = () => {};
  msrLow = 0;
  msrHigh = 0;
  readonly #options: LocalApicOptions;
  readonly #timer: ApicTimer;
  readonly #vectors = new ApicVectors();
  readonly #events = new ApicEvents();
  readonly #lvt = new LocalVectorTable((deliveryMode, vector, isLevel) => this.receive(deliveryMode, vector, isLevel));
  #r = resetRegisters();
  #apicBaseLow = 0;
  #apicBaseHigh = 0;
  #pendingErrors = 0;
  #tscDeadlineLow = 0;
  #tscDeadlineHigh = 0;
  #isExternalLatched = false;
  #isIntr = false;

  constructor(options: LocalApicOptions) {
    this.#options = options;
    this.id = options.id;
    this.name = `lapic${options.id}`;
    this.#timer = new ApicTimer({
      clock: options.clock,
      busHz: options.busHz ?? 1e9,
      onExpire: () => this.#timerExpired(),
      ...(options.tscToNs === undefined ? {} : { tscToNs: options.tscToNs }),
    });
    this.reset();
  }

  // Modes

  get mmio(): readonly MmioRange[] {
    return this.isEnabled && !this.isX2apic ? [{ base: this.#baseGpa(), length: PAGE_BYTES }] : [];
  }

  /** Globally enabled (APIC_BASE bit 11). Disabled, LINT0 is the processor's INTR pin and LINT1 its NMI pin. */
  get isEnabled(): boolean {
    return (this.#apicBaseLow & APIC_BASE.GLOBAL_ENABLE) !== 0;
  }

  get isX2apic(): boolean {
    return (this.#apicBaseLow & APIC_BASE.X2APIC_ENABLE) !== 0;
  }

  get isSoftwareEnabled(): boolean {
    return this.isEnabled && (this.#r[R.SVR]! & SVR.SOFTWARE_ENABLE) !== 0;
  }

  get apicBaseLow(): number {
    return this.#apicBaseLow >>> 0;
  }

  get apicBaseHigh(): number {
    return this.#apicBaseHigh;
  }

  writeApicBase(low: number, high: number): boolean {
    if (!isLegalApicBase(this.#apicBaseLow, low, this.#options.hasX2apic !== false)) return false;
    const isModeChanged = ((low ^ this.#apicBaseLow) & MODE_BITS) !== 0;
    this.#apicBaseLow = low;
    this.#apicBaseHigh = high;
    if (isModeChanged && !this.isEnabled) this.#clear();
    if (isModeChanged && this.isX2apic) this.#r[R.ICR_HIGH] = 0;
    this.#options.onRelocate?.(this.mmio[0]?.base);
    this.#update();
    return true;
  }

  // Towards the processor

  pending(): boolean {
    return this.#isIntr;
  }

  acknowledge(): number {
    if (this.#isExternalPending()) {
      this.#isExternalLatched = false;
      const vector = this.#options.acknowledgeExternal();
      this.#update();
      return vector;
    }
    const vector = this.#vectors.take();
    if (vector < 0) return this.#r[R.SVR]! & SVR.VECTOR_MASK;
    this.#update();
    return vector;
  }

  /** The highest requested vector above the processor priority, or -1. An ExtINT is not among them. */
  pendingVector(): number {
    return this.isEnabled ? this.#vectors.pending() : -1;
  }

  hasEvent(): boolean {
    return this.#events.areWaiting;
  }

  takeNmi(): boolean {
    return this.#events.take(APIC_EVENT.NMI);
  }

  takeSmi(): boolean {
    return this.#events.take(APIC_EVENT.SMI);
  }

  takeInit(): boolean {
    return this.#events.take(APIC_EVENT.INIT);
  }

  takeStartup(): number {
    return this.#events.takeStartup();
  }

  get cr8(): number {
    return this.#vectors.tpr >> 4;
  }

  set cr8(value: number) {
    this.#vectors.tpr = (value & 15) << 4;
    this.#update();
  }

  processorPriority(): number {
    return this.#vectors.processorPriority();
  }

  // From the pins, the bus and the processor's own sources

  /** LINT0 (the 8259's INTR) or LINT1 (the board's NMI). */
  setLint(pin: 0 | 1, level: boolean): void {
    this.#lvt.setPin(pin, level, this.isEnabled);
    this.#update();
  }

  /** Whether a message with this destination is for this APIC. */
  matches(destination: number, isLogical: boolean): boolean {
    if (!this.isEnabled) return false;
    if (destination === BROADCAST) return true;
    if (!isLogical) return destination === (this.isX2apic ? this.id : this.id & 0xff);
    if (this.isX2apic) return matchesX2apicLogical(destination, this.id);
    return matchesXapicLogical(destination, this.#r[R.LDR]!, this.#r[R.DFR]!);
  }

  /** Takes a message that is for this APIC (the bus has looked). */
  receive(deliveryMode: number, vector: number, isLevelTriggered: boolean): void {
    switch (deliveryMode) {
      case DELIVERY_MODE.FIXED:
      case DELIVERY_MODE.LOWEST_PRIORITY: this.#accept(vector, isLevelTriggered); break;
      case DELIVERY_MODE.SMI: this.#raise(APIC_EVENT.SMI); break;
      case DELIVERY_MODE.NMI: this.#raise(APIC_EVENT.NMI); break;
      case DELIVERY_MODE.INIT: this.#receiveInit(); break;
      case DELIVERY_MODE.STARTUP: this.#events.raiseStartup(vector); this.onChange(); break;
      case DELIVERY_MODE.EXTINT: this.#isExternalLatched = true; this.#update(); break;
    }
  }

  /** A performance counter has overflowed: the entry masks itself until software has looked (SDM vol 3B §20.6.3.5.8). */
  performanceOverflow(): void {
    this.#lvt.raise(R.LVT_PERFORMANCE);
    this.#lvt.mask(R.LVT_PERFORMANCE);
  }

  thermalEvent(): void {
    this.#lvt.raise(R.LVT_THERMAL);
  }

  // Register page

  mmioRead(gpa: number, size: AccessSize): number {
    const offset = gpa % PAGE_BYTES;
    const word = this.#readRegister(offset >> 4);
    if (size === 4) return word;
    // Software must use aligned 32-bit accesses; narrower reads find the byte anyway, as on most processors.
    return (offset & 15) < 4 ? (word >>> (8 * (offset & 3))) & (size === 1 ? 0xff : 0xffff) : 0;
  }

  mmioWrite(gpa: number, size: AccessSize, value: number): void {
    const offset = gpa % PAGE_BYTES;
    if (size === 4 && (offset & 15) === 0) this.#writeRegister(offset >> 4, value >>> 0);
  }

  // MSRs

  readMsr(msr: number): boolean {
    this.msrHigh = 0;
    if (msr === MSR.TSC_DEADLINE) return this.#readTscDeadline();
    const index = msr - MSR.X2APIC_BASE;
    const access = this.isX2apic ? X2APIC_ACCESS[index] : undefined;
    if (access === undefined || access === 'w') return false;
    this.msrLow = this.#readRegister(index);
    if (index === R.ICR_LOW) this.msrHigh = this.#r[R.ICR_HIGH]!;
    return true;
  }

  writeMsr(msr: number, low: number, high: number): boolean {
    if (msr === MSR.TSC_DEADLINE) return this.#writeTscDeadline(low >>> 0, high >>> 0);
    const index = msr - MSR.X2APIC_BASE;
    const access = this.isX2apic ? X2APIC_ACCESS[index] : undefined;
    if (access === undefined || access === 'r') return false;
    if (high !== 0 && index !== R.ICR_LOW) return false;
    if ((low & ~this.#x2apicWritable(index)) !== 0) return false;
    if (index === R.ICR_LOW) this.#r[R.ICR_HIGH] = high;
    this.#writeRegister(index, low >>> 0);
    return true;
  }

  // Reset and snapshots

  reset(): void {
    this.#apicBaseLow = APIC_BASE.DEFAULT_ADDRESS | APIC_BASE.GLOBAL_ENABLE | (this.#options.isBootProcessor ? APIC_BASE.BSP : 0);
    this.#apicBaseHigh = 0;
    this.#events.clear();
    this.#clear();
    this.#options.onRelocate?.(this.#baseGpa());
    this.#update();
  }

  save(): LocalApicState {
    return {
      registers: this.#r.slice(), vectors: this.#vectors.save(), lvt: this.#lvt.save(), timer: this.#timer.save(), apicBase: [this.#apicBaseLow, this.#apicBaseHigh], pendingErrors: this.#pendingErrors,
      tscDeadline: [this.#tscDeadlineLow, this.#tscDeadlineHigh],
      isExternalLatched: this.#isExternalLatched, events: this.#events.save(),
    };
  }

  restore(snapshot: unknown): void {
    const state = snapshot as LocalApicState;
    this.#r = state.registers.slice();
    this.#vectors.restore(state.vectors);
    this.#timer.restore(state.timer);
    [this.#apicBaseLow, this.#apicBaseHigh] = state.apicBase;
    [this.#tscDeadlineLow, this.#tscDeadlineHigh] = state.tscDeadline;
    this.#pendingErrors = state.pendingErrors;
    this.#lvt.restore(state.lvt, (state.registers[R.SVR]! & SVR.SOFTWARE_ENABLE) !== 0);
    this.#isExternalLatched = state.isExternalLatched;
    this.#events.restore(state.events);
    this.#options.onRelocate?.(this.mmio[0]?.base);
    this.#update();
  }

  #clear(): void {
    this.#r = resetRegisters();
    this.#lvt.reset(this.#options.isBootProcessor && this.#options.isVirtualWire === true);
    this.#vectors.clear();
    this.#timer.stop();
    this.#timer.setPeriodic(false);
    this.#timer.setDivide(timerDivisor(0));
    this.#pendingErrors = 0;
    this.#tscDeadlineLow = 0;
    this.#tscDeadlineHigh = 0;
    this.#isExternalLatched = false;
  }

  #baseGpa(): number {
    return (this.#apicBaseHigh * TWO_32) + ((this.#apicBaseLow & APIC_BASE.ADDRESS_MASK) >>> 0);
  }

  // Registers

  #readRegister(index: number): number {
    switch (index) {
      case R.ID: return this.isX2apic ? this.id : (this.id << 24) >>> 0;
      case R.VERSION: return VERSION;
      case R.APR:
      case R.PPR: return this.processorPriority();
      case R.LDR: return this.isX2apic ? x2apicLogicalId(this.id) : this.#r[R.LDR]!;
      case R.TIMER_INITIAL_COUNT: return this.#timer.initialCount;
      case R.TIMER_CURRENT_COUNT: return this.#timer.currentCount();
      case R.TPR: return this.#vectors.tpr;
      case R.DFR: case R.SVR: case R.ESR: case R.ICR_LOW: case R.ICR_HIGH: case R.TIMER_DIVIDE:
        return this.#r[index]!;
      case R.EOI: case R.RRD: return 0;
      default: return this.#lvt.has(index) ? this.#lvt.read(index) : this.#readVectors(index);
    }
  }

  #readVectors(index: number): number {
    if (index >= R.ISR0 && index < R.TMR0) return this.#vectors.isr.words[index - R.ISR0]!;
    if (index >= R.TMR0 && index < R.IRR0) return this.#vectors.tmr.words[index - R.TMR0]!;
    if (index >= R.IRR0 && index < R.ESR) return this.#vectors.irr.words[index - R.IRR0]!;
    this.#noteError(APIC_ESR.ILLEGAL_REGISTER);
    return 0;
  }

  #writeRegister(index: number, value: number): void {
    switch (index) {
      case R.TPR: this.#vectors.tpr = value & 0xff; this.#update(); break;
      case R.EOI: this.#endOfInterrupt(); break;
      case R.LDR: this.#r[R.LDR] = value & 0xff00_0000; break;
      case R.DFR: this.#r[R.DFR] = value | 0x0fff_ffff; break;
      case R.SVR: this.#writeSvr(value & SVR_WRITABLE); break;
      case R.ESR: this.#r[R.ESR] = this.#pendingErrors; this.#pendingErrors = 0; break;
      case R.ICR_LOW: this.#writeIcr(value); break;
      case R.ICR_HIGH: this.#r[R.ICR_HIGH] = value & 0xff00_0000; break;
      case R.TIMER_INITIAL_COUNT:
        if (!this.#isTscDeadlineMode()) this.#timer.start(value);
        break;
      case R.TIMER_DIVIDE:
        this.#r[R.TIMER_DIVIDE] = value & 0xb;
        this.#timer.setDivide(timerDivisor(value));
        break;
      case R.SELF_IPI: if (this.isX2apic) this.#selfIpi(value & 0xff); break;
      default: this.#writeOther(index, value);
    }
  }

  #writeOther(index: number, value: number): void {
    if (this.#lvt.has(index)) return this.#writeLvt(index, value);
    const isReadOnly = index === R.ID || index === R.VERSION || index === R.APR || index === R.PPR || index === R.RRD
      || index === R.TIMER_CURRENT_COUNT || (index >= R.ISR0 && index < R.ESR);
    if (!isReadOnly || index >= REGISTER_COUNT) this.#noteError(APIC_ESR.ILLEGAL_REGISTER);
  }

  #x2apicWritable(index: number): number {
    switch (index) {
      case R.TPR: case R.SELF_IPI: return 0xff;
      case R.SVR: return SVR_WRITABLE;
      case R.ICR_LOW: return ICR_X2APIC_WRITABLE;
      case R.EOI: case R.ESR: return 0;
      case R.TIMER_INITIAL_COUNT: return -1;
      case R.TIMER_DIVIDE: return 0xb;
      default: return LVT_WRITABLE[index] ?? 0;
    }
  }

  #writeSvr(value: number): void {
    this.#r[R.SVR] = value;
    this.#lvt.setEnabled((value & SVR.SOFTWARE_ENABLE) !== 0);
    this.#update();
  }

  #writeLvt(index: number, value: number): void {
    const wasTscDeadline = this.#isTscDeadlineMode();
    if (index === R.LVT_TIMER) this.#timer.catchUp();
    this.#lvt.write(index, value);
    if (index === R.LVT_TIMER) this.#timerModeChanged(wasTscDeadline);
    this.#update();
  }

  // Timer

  #isTscDeadlineMode(): boolean {
    return this.#options.tscToNs !== undefined && this.#lvt.timerMode === LVT.TIMER_TSC_DEADLINE;
  }

  /** Entering or leaving TSC-deadline mode disarms the timer (SDM vol 3A §11.5.4.1). */
  #timerModeChanged(wasTscDeadline: boolean): void {
    if (this.#isTscDeadlineMode() !== wasTscDeadline) {
      this.#timer.stop();
      this.#tscDeadlineLow = 0;
      this.#tscDeadlineHigh = 0;
    }
    this.#timer.setPeriodic(this.#lvt.timerMode === LVT.TIMER_PERIODIC);
  }

  #timerExpired(): void {
    this.#tscDeadlineLow = 0;
    this.#tscDeadlineHigh = 0;
    this.#lvt.raise(R.LVT_TIMER);
  }

  #readTscDeadline(): boolean {
    if (this.#options.tscToNs === undefined) return false;
    this.msrLow = this.#tscDeadlineLow;
    this.msrHigh = this.#tscDeadlineHigh;
    return true;
  }

  /** Ignored in the other timer modes; zero disarms. */
  #writeTscDeadline(low: number, high: number): boolean {
    if (this.#options.tscToNs === undefined) return false;
    if (!this.#isTscDeadlineMode()) return true;
    this.#tscDeadlineLow = low;
    this.#tscDeadlineHigh = high;
    this.#timer.armTscDeadline(high * TWO_32 + low);
    return true;
  }

  // Interprocessor interrupts

  #writeIcr(value: number): void {
    const low = value & ~ICR.DELIVERY_STATUS;
    this.#r[R.ICR_LOW] = low;
    const message = decodeIcr(low, this.#r[R.ICR_HIGH]!, this.isX2apic);
    if (message === undefined) return;
    const { deliveryMode, vector } = message;
    if (deliveryMode <= DELIVERY_MODE.LOWEST_PRIORITY && vector < FIRST_LEGAL_VECTOR) this.#noteError(APIC_ESR.SEND_ILLEGAL_VECTOR);
    else if (message.shorthand === ICR.SHORTHAND_SELF) this.receive(deliveryMode, vector, false);
    else this.#options.bus.send(message, this.id);
  }

  #selfIpi(vector: number): void {
    if (vector < FIRST_LEGAL_VECTOR) this.#noteError(APIC_ESR.SEND_ILLEGAL_VECTOR);
    else this.#accept(vector, false);
  }

  #receiveInit(): void {
    this.#clear();
    this.#events.clear();
    this.#raise(APIC_EVENT.INIT);
    this.#update();
  }

  // Acceptance

  #accept(vector: number, isLevelTriggered: boolean): void {
    if (!this.isSoftwareEnabled) return;
    if (vector < FIRST_LEGAL_VECTOR) return this.#noteError(APIC_ESR.RECEIVE_ILLEGAL_VECTOR);
    this.#vectors.accept(vector, isLevelTriggered);
    this.#update();
  }

  #endOfInterrupt(): void {
    const vector = this.#vectors.end();
    if (vector < 0) return;
    this.#lvt.endOfInterrupt(vector);
    const isBroadcast = this.#vectors.tmr.has(vector) && (this.#r[R.SVR]! & SVR.SUPPRESS_EOI_BROADCAST) === 0;
    if (isBroadcast) this.#options.bus.endOfInterrupt(vector);
    this.#update();
  }

  #noteError(bit: number): void {
    if ((this.#pendingErrors & bit) !== 0) return;
    this.#pendingErrors |= bit;
    this.#lvt.raise(R.LVT_ERROR);
  }

  #isExternalPending(): boolean {
    if (!this.isEnabled) return this.#lvt.pin(0);
    return this.#isExternalLatched || this.#lvt.isExternalPending();
  }

  #raise(event: number): void {
    this.#events.raise(event);
    this.onChange();
  }

  #update(): void {
    const isIntr = this.#isExternalPending() || this.pendingVector() >= 0;
    if (isIntr === this.#isIntr) return;
    this.#isIntr = isIntr;
    this.onChange();
  }
}
