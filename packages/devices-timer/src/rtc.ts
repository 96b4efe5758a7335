// MC146818A: the calendar, its alarms and the CMOS. @hot
import type { AccessSize, Clock, Device, IrqLine, Nanoseconds, Timer } from '@vmm/device-kit';
import { PORT, RTC, RTC_BITS as B } from '@vmm/spec';
import { CalendarFormat, calendarOf } from './calendar.ts';

export interface RtcOptions {
  readonly clock: Clock;
  /** ISA interrupt 8. */
  readonly irq: IrqLine;
  /** Wall-clock time, milliseconds since 1970, at virtual time 0. UTC, as Linux expects. */
  readonly startUnixMs: number;
  /** Further CMOS bytes, see `cmosBytes`. */
  readonly cmos?: Readonly<Record<number, number>>;
  /** Bit 7 of port 0x70 has changed. */
  readonly onNmiMask?: (isMasked: boolean) => void;
}

interface RtcState {
  readonly cmos: Uint8Array;
  readonly index: number;
  readonly offsetMs: number;
  readonly flagsUpToNs: Nanoseconds;
}

const CMOS_BYTES = 128;
const NS_PER_MS = 1e6;
const NS_PER_SECOND = 1e9;
/** UIP rises this long before an update (MC146818A, "Update in progress"). */
const UPDATE_WARNING_MS = 0.244;
const DIVIDER_MASK = 0x70;
const DIVIDER_RESET = 0x60;
/** The first update comes half a second after the divider is released. */
const DIVIDER_RELEASE_MS = 500;
const POWER_ON_A = 0x26;
/** Alarm bytes from here on match everything. */
const ALARM_ANY = 0xc0;
const INTERRUPT_ENABLES = B.B_PERIODIC_INTERRUPT | B.B_ALARM_INTERRUPT | B.B_UPDATE_INTERRUPT;
const LAST_TIME_REGISTER = RTC.YEAR;

/**
 * MC146818A with 128 bytes of CMOS. The calendar is an offset to the clock, and the flags of register C are worked out
 * when they are read; a timer exists only while the guest has an interrupt enabled and not pending.
 */
export class Rtc implements Device {
  readonly name = 'rtc';
  readonly ports = [{ base: PORT.CMOS_INDEX, length: 2 }];
  readonly #clock: Clock;
  readonly #irq: IrqLine;
  readonly #onNmiMask: ((isMasked: boolean) => void) | undefined;
  /** Time bytes are valid while the clock is stopped, and as last looked at otherwise. */
  readonly #cmos = new Uint8Array(CMOS_BYTES);
  #index = 0;
  /** Calendar time less virtual time. */
  #offsetMs: number;
  #flagsUpToNs: Nanoseconds;
  #timer: Timer | undefined;
  /** The second that the time bytes show; NaN: they must be worked out. */
  #storedSecond = NaN;

  constructor(options: RtcOptions) {
    this.#clock = options.clock;
    this.#irq = options.irq;
    this.#onNmiMask = options.onNmiMask;
    this.#offsetMs = options.startUnixMs;
    this.#flagsUpToNs = options.clock.now();
    for (const [index, value] of Object.entries(options.cmos ?? {})) this.setCmos(Number(index), value);
    this.#cmos[RTC.A] = POWER_ON_A;
    this.#cmos[RTC.B] = B.B_24H;
  }

  get isNmiMasked(): boolean {
    return (this.#index & 0x80) !== 0;
  }

  /** A byte as the board or its battery left it. */
  setCmos(index: number, value: number): void {
    this.#cmos[index & 0x7f] = value;
  }

  getCmos(index: number): number {
    return this.#cmos[index & 0x7f] ?? 0;
  }

  /** Sets the calendar, for example when a snapshot wakes up days later. */
  setWallClock(unixMs: number): void {
    this.#noteFlags();
    this.#offsetMs = unixMs - this.#nowMs();
    if (this.#isStopped()) this.#storeTime();
    this.#changed();
  }

  pioRead(port: number, _size: AccessSize): number {
    return port === PORT.CMOS_DATA ? this.#readRegister(this.#index & 0x7f) : 0xff;
  }

  pioWrite(port: number, _size: AccessSize, value: number): void {
    if (port === PORT.CMOS_DATA) return this.#writeRegister(this.#index & 0x7f, value & 0xff);
    const wasMasked = this.isNmiMasked;
    this.#index = value & 0xff;
    if (wasMasked !== this.isNmiMasked) this.#onNmiMask?.(this.isNmiMasked);
  }

  /** The battery keeps time and CMOS; the interrupt enables and flags go. */
  reset(): void {
    this.#index = 0;
    this.#cmos[RTC.B]! &= ~(INTERRUPT_ENABLES | B.B_SQUARE_WAVE);
    this.#cmos[RTC.C] = 0;
    this.#flagsUpToNs = this.#clock.now();
    this.#changed();
  }

  save(): RtcState {
    this.#noteFlags();
    return { cmos: this.#cmos.slice(), index: this.#index, offsetMs: this.#offsetMs, flagsUpToNs: this.#flagsUpToNs };
  }

  restore(snapshot: unknown): void {
    const state = snapshot as RtcState;
    this.#cmos.set(state.cmos);
    this.#index = state.index;
    this.#offsetMs = state.offsetMs;
    this.#flagsUpToNs = state.flagsUpToNs;
    this.#changed();
  }

  // Registers

  #readRegister(index: number): number {
    if (isTime(index) && !this.#isStopped()) this.#storeTime();
    if (index === RTC.A) return this.#cmos[RTC.A]! | (this.#isUpdateInProgress() ? B.A_UIP : 0);
    if (index === RTC.C) return this.#readFlags();
    if (index === RTC.D) return B.D_VALID;
    return this.#cmos[index]!;
  }

  #writeRegister(index: number, value: number): void {
    this.#noteFlags();
    if (isTime(index)) this.#writeTime(index, value);
    else if (index === RTC.A) this.#writeA(value & 0x7f);
    else if (index === RTC.B) this.#writeB(value);
    else if (index !== RTC.C && index !== RTC.D) this.#cmos[index] = value;
    this.#changed();
  }

  #writeTime(index: number, value: number): void {
    if (!this.#isStopped()) this.#storeTime();
    this.#cmos[index] = value;
    if (!this.#isStopped()) this.#loadTime(this.#calendarMs() % 1000);
  }

  #writeA(value: number): void {
    const wasReset = this.#isDividerReset();
    if (!this.#isStopped()) this.#storeTime();
    this.#cmos[RTC.A] = value;
    if (wasReset && !this.#isDividerReset() && !this.#isStopped()) this.#loadTime(DIVIDER_RELEASE_MS);
  }

  /** SET stops the calendar where it is and withdraws the update interrupt; clearing it starts from the bytes then there. */
  #writeB(value: number): void {
    const wasStopped = this.#isStopped();
    if (!wasStopped) this.#storeTime();
    this.#cmos[RTC.B] = (value & B.B_SET) !== 0 ? value & ~B.B_UPDATE_INTERRUPT : value;
    if (wasStopped && !this.#isStopped()) this.#loadTime(0);
  }

  // Calendar

  #nowMs(): number {
    return this.#clock.now() / NS_PER_MS;
  }

  #calendarMs(): number {
    return this.#offsetMs + this.#nowMs();
  }

  #format(): CalendarFormat {
    return new CalendarFormat(this.#cmos[RTC.B]!);
  }

  #isDividerReset(): boolean {
    return (this.#cmos[RTC.A]! & DIVIDER_MASK) >= DIVIDER_RESET;
  }

  #isStopped(): boolean {
    return (this.#cmos[RTC.B]! & B.B_SET) !== 0 || this.#isDividerReset();
  }

  #storeTime(): void {
    const second = Math.floor(this.#calendarMs() / 1000);
    if (second === this.#storedSecond) return;
    this.#format().store(this.#cmos, calendarOf(second * 1000));
    this.#storedSecond = second;
  }

  /** The calendar goes on from the bytes, `phaseMs` into their second. */
  #loadTime(phaseMs: number): void {
    const unixMs = this.#format().load(this.#cmos);
    if (Number.isFinite(unixMs)) this.#offsetMs = unixMs + phaseMs - this.#nowMs();
  }

  #isUpdateInProgress(): boolean {
    return !this.#isStopped() && 1000 - modulo(this.#calendarMs(), 1000) <= UPDATE_WARNING_MS;
  }

  // Flags and interrupt

  #periodNs(): Nanoseconds {
    const rate = this.#cmos[RTC.A]! & B.A_RATE_MASK;
    if (rate === 0 || this.#isDividerReset()) return Infinity;
    return (2 ** ((rate < 3 ? rate + 7 : rate) - 1) * NS_PER_SECOND) / 32_768;
  }

  /** Sets in register C what has happened since it was last brought up to date. */
  #noteFlags(): void {
    const fromNs = this.#flagsUpToNs;
    const nowNs = this.#clock.now();
    this.#flagsUpToNs = nowNs;
    if (this.#nextPeriodicNs(fromNs) <= nowNs) this.#cmos[RTC.C]! |= B.C_PERIODIC;
    if (this.#nextUpdateNs(fromNs) <= nowNs) this.#cmos[RTC.C]! |= B.C_UPDATE;
    if (this.#nextAlarmNs(fromNs) <= nowNs) this.#cmos[RTC.C]! |= B.C_ALARM;
  }

  #readFlags(): number {
    this.#noteFlags();
    const value = this.#cmos[RTC.C]! | (this.#isInterrupting() ? B.C_IRQ : 0);
    this.#cmos[RTC.C] = 0;
    this.#changed();
    return value;
  }

  #isInterrupting(): boolean {
    return (this.#cmos[RTC.C]! & this.#cmos[RTC.B]! & INTERRUPT_ENABLES) !== 0;
  }

  #nextPeriodicNs(afterNs: Nanoseconds): Nanoseconds {
    const periodNs = this.#periodNs();
    return periodNs === Infinity ? Infinity : (Math.floor(afterNs / periodNs) + 1) * periodNs;
  }

  #nextUpdateNs(afterNs: Nanoseconds): Nanoseconds {
    if (this.#isStopped()) return Infinity;
    const calendarMs = this.#offsetMs + afterNs / NS_PER_MS;
    return this.#virtualNs((Math.floor(calendarMs / 1000) + 1) * 1000);
  }

  /** First second after `afterNs` that the alarm bytes match, skipping whole hours and minutes that they do not. */
  #nextAlarmNs(afterNs: Nanoseconds): Nanoseconds {
    if (this.#isStopped()) return Infinity;
    const format = this.#format();
    const matches = (alarm: number, encoded: number): boolean => (this.#cmos[alarm]! & ALARM_ANY) === ALARM_ANY || this.#cmos[alarm] === encoded;
    let second = Math.floor((this.#offsetMs + afterNs / NS_PER_MS) / 1000) + 1;
    for (let step = 0; step < 24 + 60 + 60 + 60; step++) {
      const time = calendarOf(second * 1000);
      if (!matches(RTC.HOURS_ALARM, format.encodeHours(time.hours))) second += 3600 - time.minutes * 60 - time.seconds;
      else if (!matches(RTC.MINUTES_ALARM, format.encode(time.minutes))) second += 60 - time.seconds;
      else if (!matches(RTC.SECONDS_ALARM, format.encode(time.seconds))) second++;
      else return this.#virtualNs(second * 1000);
    }
    return Infinity;
  }

  #virtualNs(calendarMs: number): Nanoseconds {
    return Math.ceil((calendarMs - this.#offsetMs) * NS_PER_MS);
  }

  /** Something was written: drives the line, and wakes up for the next flag that would raise it. */
  #changed(): void {
    this.#storedSecond = NaN;
    const isInterrupting = this.#isInterrupting();
    this.#irq.set(isInterrupting);
    const deadlineNs = isInterrupting ? Infinity : this.#nextInterruptNs();
    if (deadlineNs === Infinity) this.#timer?.cancel();
    else if (this.#timer === undefined) this.#timer = this.#clock.schedule(deadlineNs, () => this.#expired());
    else this.#timer.reschedule(deadlineNs);
  }

  #nextInterruptNs(): Nanoseconds {
    const enables = this.#cmos[RTC.B]!;
    const fromNs = this.#flagsUpToNs;
    return Math.min(
      (enables & B.B_PERIODIC_INTERRUPT) !== 0 ? this.#nextPeriodicNs(fromNs) : Infinity,
      (enables & B.B_UPDATE_INTERRUPT) !== 0 ? this.#nextUpdateNs(fromNs) : Infinity,
      (enables & B.B_ALARM_INTERRUPT) !== 0 ? this.#nextAlarmNs(fromNs) : Infinity,
    );
  }

  #expired(): void {
    this.#noteFlags();
    this.#changed();
  }
}

function isTime(index: number): boolean {
  const isAlarm = index === RTC.SECONDS_ALARM || index === RTC.MINUTES_ALARM || index === RTC.HOURS_ALARM;
  return (index <= LAST_TIME_REGISTER && !isAlarm) || index === RTC.CENTURY;
}

function modulo(value: number, modulus: number): number {
  return ((value % modulus) + modulus) % modulus;
}
