import type { AccessSize, Clock, Device, IrqLine, PortRange, Timer } from '@vmm/device-kit';
import { RegisterBank } from '@vmm/registers';
import { ACPI_PM, SMI_COMMAND } from '@vmm/spec';
import { ACPI_PM_REGISTERS } from './acpi-pm.registers.ts';

export interface AcpiPmOptions {
  readonly clock: Clock;
  /** System control interrupt: level triggered, GSI 9 in our firmware tables. */
  readonly sci: IrqLine;
  /** The guest has asked for S5. */
  readonly onPowerOff: () => void;
  /** The guest has asked for another sleep state; `wake()` ends it. */
  readonly onSleep?: (sleepType: number) => void;
  /** Default 0x600. */
  readonly base?: number;
  /** Default true: the timer counts 32 bits, and the FADT must say so (TMR_VAL_EXT). */
  readonly is32BitTimer?: boolean;
  /** Default true: SCI_EN is set at reset, as on boards without a BIOS. Else the guest writes ACPI_ENABLE to SMI_CMD. */
  readonly startsInAcpiMode?: boolean;
}

interface AcpiPmState {
  readonly registers: Record<string, number>;
  readonly apmControl: number;
  readonly apmStatus: number;
  readonly clearedToggles: number;
}

const NS_PER_TICK = 1e9 / ACPI_PM.TIMER_HZ;

/** ACPI fixed hardware: PM1 events and control, the PM timer, GPE0, and the SMI command port that enters ACPI mode. */
export class AcpiPm implements Device {
  readonly name = 'acpi-pm';
  readonly ports: readonly PortRange[];
  readonly #options: AcpiPmOptions;
  readonly #base: number;
  readonly #timerBits: number;
  readonly #bank = new RegisterBank(ACPI_PM_REGISTERS, {
    status: { read: () => this.#noteTimerToggle(), write: (value, previous) => this.#statusWritten(value, previous) },
    enable: { write: () => this.#enableWritten() },
    control: { write: () => this.#controlWritten() },
    gpeStatus: { write: () => this.#updateSci() },
    gpeEnable: { write: () => this.#updateSci() },
  });
  #apmControl = 0;
  #apmStatus = 0;
  /** Toggles of the timer's top bit that TMR_STS has reported and the guest has cleared. */
  #clearedToggles = 0;
  #carryTimer: Timer | undefined;

  constructor(options: AcpiPmOptions) {
    this.#options = options;
    this.#base = options.base ?? ACPI_PM.BASE;
    this.#timerBits = options.is32BitTimer === false ? 24 : 32;
    this.ports = [
      { base: this.#base, length: ACPI_PM.LENGTH, access: 4 },
      { base: SMI_COMMAND.PORT, length: 2 },
    ];
    this.reset();
  }

  pioRead(port: number, size: AccessSize): number {
    if (port === SMI_COMMAND.PORT) return this.#apmControl;
    if (port === SMI_COMMAND.STATUS_PORT) return this.#apmStatus;
    const offset = port - this.#base;
    if (offset >= ACPI_PM.TIMER && offset < ACPI_PM.TIMER + 4) return this.#readTimer(offset - ACPI_PM.TIMER, size);
    return this.#bank.guestRead(offset, size);
  }

  pioWrite(port: number, size: AccessSize, value: number): void {
    if (port === SMI_COMMAND.PORT) this.#writeApmControl(value & 0xff);
    else if (port === SMI_COMMAND.STATUS_PORT) this.#apmStatus = value & 0xff;
    else this.#bank.guestWrite(port - this.#base, size, value);
  }

  pressPowerButton(): void {
    this.#bank.setField('status', 'powerButton', 1);
    this.#updateSci();
  }

  /** A general-purpose event, 0 to 15. */
  raiseGpe(event: number): void {
    this.#bank.poke('gpeStatus', this.#bank.get('gpeStatus') | (1 << (event & 15)));
    this.#updateSci();
  }

  /** Ends a sleep state other than S5. */
  wake(): void {
    this.#bank.setField('status', 'wake', 1);
  }

  reset(): void {
    this.#bank.reset();
    this.#bank.setField('control', 'sciEnable', this.#options.startsInAcpiMode === false ? 0 : 1);
    this.#apmControl = 0;
    this.#apmStatus = 0;
    this.#clearedToggles = this.#toggles();
    this.#carryTimer?.cancel();
    this.#updateSci();
  }

  save(): AcpiPmState {
    this.#noteTimerToggle();
    return { registers: this.#bank.save(), apmControl: this.#apmControl, apmStatus: this.#apmStatus, clearedToggles: this.#clearedToggles };
  }

  restore(snapshot: unknown): void {
    const state = snapshot as AcpiPmState;
    this.#bank.restore(state.registers);
    this.#apmControl = state.apmControl;
    this.#apmStatus = state.apmStatus;
    this.#clearedToggles = state.clearedToggles;
    this.#enableWritten();
  }

  // Timer

  #ticks(): number {
    return Math.floor(this.#options.clock.now() / NS_PER_TICK);
  }

  /** The shifts take the count modulo 2^32 by themselves. */
  #readTimer(skip: number, size: AccessSize): number {
    const ticks = this.#ticks();
    const value = (this.#timerBits === 32 ? ticks : ticks & 0xff_ffff) >>> (8 * skip);
    return size === 4 ? value : value & (size === 1 ? 0xff : 0xffff);
  }

  /** How often the top bit has changed since power-on. */
  #toggles(): number {
    return Math.floor(this.#ticks() / 2 ** (this.#timerBits - 1));
  }

  #noteTimerToggle(): void {
    if (this.#toggles() !== this.#clearedToggles) this.#bank.setField('status', 'timer', 1);
  }

  #scheduleCarry(): void {
    if (this.#bank.field('enable', 'timer') === 0) return this.#carryTimer?.cancel();
    const deadlineNs = Math.ceil((this.#toggles() + 1) * 2 ** (this.#timerBits - 1) * NS_PER_TICK);
    if (this.#carryTimer === undefined) this.#carryTimer = this.#options.clock.schedule(deadlineNs, () => this.#carried());
    else this.#carryTimer.reschedule(deadlineNs);
  }

  #carried(): void {
    this.#updateSci();
    this.#scheduleCarry();
  }

  // Events

  #statusWritten(value: number, previous: number): void {
    const isTimerCleared = (previous & ~value & 1) !== 0;
    if (isTimerCleared) this.#clearedToggles = this.#toggles();
    this.#updateSci();
  }

  #enableWritten(): void {
    this.#updateSci();
    this.#scheduleCarry();
  }

  #controlWritten(): void {
    this.#updateSci();
    if (this.#bank.field('control', 'sleepEnable') === 0) return;
    const sleepType = this.#bank.field('control', 'sleepType');
    if (sleepType === ACPI_PM.S5_SLEEP_TYPE) this.#options.onPowerOff();
    else this.#options.onSleep?.(sleepType);
  }

  /** In legacy mode the events would be SMIs, which nobody here serves. */
  #updateSci(): void {
    this.#noteTimerToggle();
    const events = (this.#bank.get('status') & this.#bank.get('enable')) | (this.#bank.get('gpeStatus') & this.#bank.get('gpeEnable'));
    this.#options.sci.set(events !== 0 && this.#bank.field('control', 'sciEnable') === 1);
  }

  /** What a BIOS's SMI handler would do. */
  #writeApmControl(command: number): void {
    this.#apmControl = command;
    if (command === SMI_COMMAND.ACPI_ENABLE) this.#bank.setField('control', 'sciEnable', 1);
    else if (command === SMI_COMMAND.ACPI_DISABLE) this.#bank.setField('control', 'sciEnable', 0);
    this.#updateSci();
  }
}
