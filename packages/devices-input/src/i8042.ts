import type { AccessSize, Device, IrqLine } from '@vmm/device-kit';
import { I8042_COMMAND as COMMAND, I8042_CONTROL as CONTROL, I8042_OUTPUT_PORT as OUTPUT, I8042_STATUS as STATUS, PORT } from '@vmm/spec';
import { Ps2Keyboard } from './ps2-keyboard.ts';
import { Ps2Mouse } from './ps2-mouse.ts';
import { toSet1 } from './scan-codes.ts';

export interface I8042Options {
  /** ISA interrupt 1. */
  readonly keyboardIrq: IrqLine;
  /** ISA interrupt 12. */
  readonly mouseIrq: IrqLine;
  /** The guest pulls the processor's reset line (0xFE, output port bit 0, port 0x92 bit 0). */
  readonly onReset: () => void;
  /** The A20 gate has moved. It is open at reset. */
  readonly onA20?: (isOpen: boolean) => void;
}

/** Whose byte is in the output buffer. */
type Source = 'keyboard' | 'mouse' | 'controller';

interface I8042State {
  readonly keyboard: ReturnType<Ps2Keyboard['save']>;
  readonly mouse: ReturnType<Ps2Mouse['save']>;
  readonly ram: Uint8Array;
  readonly output: number;
  readonly source: Source | undefined;
  readonly answers: readonly number[];
  readonly awaiting: number;
  readonly isLastCommand: boolean;
  readonly isA20Open: boolean;
  readonly breaks: boolean;
}

const RAM_BYTES = 32;
const POWER_ON_CONTROL = CONTROL.KEYBOARD_INTERRUPT | CONTROL.AUX_INTERRUPT | CONTROL.SYSTEM | CONTROL.TRANSLATE;
const BREAK_PREFIX = 0xf0;
const FAST_RESET = 1;
const FAST_A20 = 2;
const SELF_TEST_PASSED = 0x55;
const PORT_TEST_PASSED = 0x00;

/** The 8042 with a keyboard and a mouse, and port 0x92. The A20 gate is one: whoever moved it last decides, as under QEMU. */
export class I8042 implements Device {
  readonly name = 'i8042';
  readonly ports = [
    { base: PORT.KEYBOARD_DATA, length: 1 },
    { base: PORT.KEYBOARD_COMMAND, length: 1 },
    { base: PORT.SYSTEM_CONTROL_A, length: 1 },
  ];
  readonly keyboard = new Ps2Keyboard(() => this.#refill());
  readonly mouse = new Ps2Mouse(() => this.#refill());
  readonly #options: I8042Options;
  readonly #ram = new Uint8Array(RAM_BYTES);
  #output = 0;
  #source: Source | undefined;
  /** Answers of the controller itself; they go before the devices'. */
  #answers: number[] = [];
  /** Command that waits for a byte at port 0x60, 0 for none. */
  #awaiting = 0;
  #isLastCommand = false;
  #isA20Open = true;
  /** Translation has swallowed a break prefix. */
  #breaks = false;

  constructor(options: I8042Options) {
    this.#options = options;
    this.#ram[0] = POWER_ON_CONTROL;
  }

  get isA20Open(): boolean {
    return this.#isA20Open;
  }

  pioRead(port: number, _size: AccessSize): number {
    if (port === PORT.KEYBOARD_DATA) return this.#readData();
    if (port === PORT.KEYBOARD_COMMAND) return this.#status();
    return this.#isA20Open ? FAST_A20 : 0;
  }

  pioWrite(port: number, _size: AccessSize, value: number): void {
    const byte = value & 0xff;
    if (port === PORT.KEYBOARD_DATA) this.#writeData(byte);
    else if (port === PORT.KEYBOARD_COMMAND) this.#command(byte);
    else this.#writeSystemControlA(byte);
  }

  reset(): void {
    this.#ram.fill(0);
    this.#ram[0] = POWER_ON_CONTROL;
    this.#source = undefined;
    this.#answers = [];
    this.#awaiting = 0;
    this.#isLastCommand = false;
    this.#breaks = false;
    this.keyboard.reset();
    this.mouse.reset();
    this.#moveA20(true);
    this.#updateIrqs();
  }

  save(): I8042State {
    return {
      keyboard: this.keyboard.save(), mouse: this.mouse.save(), ram: this.#ram.slice(), output: this.#output, source: this.#source,
      answers: [...this.#answers], awaiting: this.#awaiting, isLastCommand: this.#isLastCommand, isA20Open: this.#isA20Open,
      breaks: this.#breaks,
    };
  }

  restore(snapshot: unknown): void {
    const state = snapshot as I8042State;
    this.keyboard.restore(state.keyboard);
    this.mouse.restore(state.mouse);
    this.#ram.set(state.ram);
    this.#output = state.output;
    this.#source = state.source;
    this.#answers = [...state.answers];
    this.#awaiting = state.awaiting;
    this.#isLastCommand = state.isLastCommand;
    this.#breaks = state.breaks;
    this.#moveA20(state.isA20Open);
    this.#updateIrqs();
  }

  // Output buffer

  #control(bit: number): boolean {
    return ((this.#ram[0] ?? 0) & bit) !== 0;
  }

  #status(): number {
    return STATUS.UNLOCKED
      | (this.#source === undefined ? 0 : STATUS.OUTPUT_FULL)
      | (this.#source === 'mouse' ? STATUS.AUX_DATA : 0)
      | (this.#control(CONTROL.SYSTEM) ? STATUS.SYSTEM : 0)
      | (this.#isLastCommand ? STATUS.COMMAND : 0);
  }

  /** An empty buffer answers the last byte again. */
  #readData(): number {
    const byte = this.#output;
    if (this.#source === undefined) return byte;
    this.#source = undefined;
    this.#updateIrqs();
    this.#refill();
    return byte;
  }

  /** Puts the next byte, if any, into an empty buffer: the controller's answers, then the keyboard, then the mouse. */
  #refill(): void {
    if (this.#source !== undefined) return;
    const answer = this.#answers.shift();
    if (answer !== undefined) return this.#fill(answer, 'controller');
    if (!this.#control(CONTROL.KEYBOARD_DISABLE)) {
      const byte = this.#nextFromKeyboard();
      if (byte !== undefined) return this.#fill(byte, 'keyboard');
    }
    if (this.#control(CONTROL.AUX_DISABLE)) return;
    const byte = this.mouse.next();
    if (byte !== undefined) this.#fill(byte, 'mouse');
  }

  #fill(byte: number, source: Source): void {
    this.#output = byte;
    this.#source = source;
    this.#updateIrqs();
  }

  /** In translation a break prefix is swallowed and sets the top bit of the code after it. */
  #nextFromKeyboard(): number | undefined {
    let byte = this.keyboard.next();
    if (byte === undefined || !this.#control(CONTROL.TRANSLATE)) return byte;
    while (byte === BREAK_PREFIX) {
      this.#breaks = true;
      byte = this.keyboard.next();
    }
    if (byte === undefined) return undefined;
    const translated = toSet1(byte) | (this.#breaks ? 0x80 : 0);
    this.#breaks = false;
    return translated;
  }

  #updateIrqs(): void {
    const isFromMouse = this.#source === 'mouse';
    const isFull = this.#source !== undefined;
    this.#options.keyboardIrq.set(isFull && !isFromMouse && this.#control(CONTROL.KEYBOARD_INTERRUPT));
    this.#options.mouseIrq.set(isFromMouse && this.#control(CONTROL.AUX_INTERRUPT));
  }

  // Commands

  #answer(byte: number): void {
    this.#answers.push(byte);
    this.#refill();
  }

  #command(command: number): void {
    this.#isLastCommand = true;
    this.#awaiting = 0;
    if (command >= COMMAND.PULSE) return this.#pulse(command & 15);
    if (command >= COMMAND.READ_RAM && command < COMMAND.READ_RAM + RAM_BYTES) return this.#answer(this.#ram[command & 0x1f] ?? 0);
    if (command >= COMMAND.WRITE_RAM && command < COMMAND.WRITE_RAM + RAM_BYTES) {
      this.#awaiting = command;
      return;
    }
    switch (command) {
      case COMMAND.DISABLE_AUX: return this.#setControl(CONTROL.AUX_DISABLE, true);
      case COMMAND.ENABLE_AUX: return this.#setControl(CONTROL.AUX_DISABLE, false);
      case COMMAND.DISABLE_KEYBOARD: return this.#setControl(CONTROL.KEYBOARD_DISABLE, true);
      case COMMAND.ENABLE_KEYBOARD: return this.#setControl(CONTROL.KEYBOARD_DISABLE, false);
      case COMMAND.TEST_AUX:
      case COMMAND.TEST_KEYBOARD: return this.#answer(PORT_TEST_PASSED);
      case COMMAND.SELF_TEST:
        this.#setControl(CONTROL.SYSTEM, true);
        return this.#answer(SELF_TEST_PASSED);
      case COMMAND.READ_INPUT_PORT: return this.#answer(0x80);
      case COMMAND.READ_OUTPUT_PORT: return this.#answer(this.#outputPort());
      case COMMAND.ENABLE_A20: return this.#moveA20(true);
      case COMMAND.DISABLE_A20: return this.#moveA20(false);
      case COMMAND.WRITE_OUTPUT_PORT:
      case COMMAND.WRITE_KEYBOARD_OUTPUT:
      case COMMAND.WRITE_AUX_OUTPUT:
      case COMMAND.WRITE_AUX: this.#awaiting = command;
    }
  }

  #writeData(byte: number): void {
    const command = this.#awaiting;
    this.#awaiting = 0;
    this.#isLastCommand = false;
    switch (command) {
      case 0:
        // A byte for the keyboard switches it on again, as the IBM controller does.
        this.#setControl(CONTROL.KEYBOARD_DISABLE, false);
        return this.keyboard.command(byte);
      case COMMAND.WRITE_OUTPUT_PORT: return this.#writeOutputPort(byte);
      case COMMAND.WRITE_KEYBOARD_OUTPUT: return this.#fill(byte, 'keyboard');
      case COMMAND.WRITE_AUX_OUTPUT: return this.#fill(byte, 'mouse');
      case COMMAND.WRITE_AUX:
        this.#setControl(CONTROL.AUX_DISABLE, false);
        return this.mouse.command(byte);
      default:
        this.#ram[command & 0x1f] = byte;
        this.#updateIrqs();
        this.#refill();
    }
  }

  #setControl(bit: number, on: boolean): void {
    const control = this.#ram[0] ?? 0;
    this.#ram[0] = on ? control | bit : control & ~bit;
    this.#updateIrqs();
    this.#refill();
  }

  // Output port, reset and A20

  #outputPort(): number {
    return OUTPUT.NOT_RESET | (this.#isA20Open ? OUTPUT.A20 : 0)
      | (this.#source === undefined ? 0 : this.#source === 'mouse' ? OUTPUT.AUX_FULL : OUTPUT.KEYBOARD_FULL);
  }

  #writeOutputPort(value: number): void {
    this.#moveA20((value & OUTPUT.A20) !== 0);
    if ((value & OUTPUT.NOT_RESET) === 0) this.#options.onReset();
  }

  /** Lines whose bit is clear go low for 6 µs. */
  #pulse(lines: number): void {
    if ((lines & OUTPUT.NOT_RESET) === 0) this.#options.onReset();
  }

  #writeSystemControlA(value: number): void {
    this.#moveA20((value & FAST_A20) !== 0);
    if ((value & FAST_RESET) !== 0) this.#options.onReset();
  }

  #moveA20(isOpen: boolean): void {
    if (isOpen === this.#isA20Open) return;
    this.#isA20Open = isOpen;
    this.#options.onA20?.(isOpen);
  }
}
