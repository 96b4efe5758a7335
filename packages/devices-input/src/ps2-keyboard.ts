import { PS2_ANSWER, PS2_COMMAND } from '@vmm/spec';
import { ByteQueue } from './byte-queue.ts';
import { scanCodeBytes } from './scan-codes.ts';
import type { KeyCode } from './scan-codes.ts';

interface KeyboardState {
  readonly queue: readonly number[];
  readonly isScanning: boolean;
  readonly leds: number;
  readonly scanCodeSet: number;
  readonly awaiting: number;
}

const BUFFER_BYTES = 256;
/** AB 83: an MF2 keyboard. */
const IDENTITY = [0xab, 0x83];

/** PS/2 keyboard speaking scan code set 2. */
export class Ps2Keyboard {
  /** Scroll lock 1, num lock 2, caps lock 4, as the guest lit them. */
  leds = 0;
  readonly #queue = new ByteQueue(BUFFER_BYTES);
  readonly #onData: () => void;
  #isScanning = true;
  #scanCodeSet = 2;
  /** Command whose parameter comes next, 0 for none. */
  #awaiting = 0;

  /** `onData` says that `next()` has a byte. */
  constructor(onData: () => void) {
    this.#onData = onData;
  }

  /** A key goes down or up. Keys pressed while the guest is not scanning, or has not read for long, are lost. */
  key(code: KeyCode, isDown: boolean): void {
    if (!this.#isScanning) return;
    if (this.#queue.push(...scanCodeBytes(code, isDown))) this.#onData();
  }

  next(): number | undefined {
    return this.#queue.shift();
  }

  command(byte: number): void {
    if (this.#awaiting !== 0) this.#parameter(this.#awaiting, byte);
    else this.#execute(byte);
    this.#onData();
  }

  reset(): void {
    this.#queue.clear();
    this.#defaults();
    this.#awaiting = 0;
    this.leds = 0;
  }

  save(): KeyboardState {
    return {
      queue: this.#queue.save(), isScanning: this.#isScanning, leds: this.leds, scanCodeSet: this.#scanCodeSet, awaiting: this.#awaiting,
    };
  }

  restore(state: KeyboardState): void {
    this.#queue.restore(state.queue);
    this.#isScanning = state.isScanning;
    this.leds = state.leds;
    this.#scanCodeSet = state.scanCodeSet;
    this.#awaiting = state.awaiting;
  }

  #defaults(): void {
    this.#isScanning = true;
    this.#scanCodeSet = 2;
  }

  #execute(command: number): void {
    switch (command) {
      case PS2_COMMAND.SET_LEDS:
      case PS2_COMMAND.SCAN_CODE_SET:
      case PS2_COMMAND.SET_RATE: this.#awaiting = command; return this.#queue.answer(PS2_ANSWER.ACK);
      case PS2_COMMAND.ECHO: return this.#queue.answer(PS2_COMMAND.ECHO);
      case PS2_COMMAND.IDENTIFY: return this.#queue.answer(PS2_ANSWER.ACK, ...IDENTITY);
      case PS2_COMMAND.ENABLE: this.#isScanning = true; return this.#queue.answer(PS2_ANSWER.ACK);
      case PS2_COMMAND.DISABLE: this.#defaults(); this.#isScanning = false; return this.#queue.answer(PS2_ANSWER.ACK);
      case PS2_COMMAND.DEFAULTS: this.#defaults(); return this.#queue.answer(PS2_ANSWER.ACK);
      case PS2_COMMAND.RESET:
        this.reset();
        return this.#queue.answer(PS2_ANSWER.ACK, PS2_ANSWER.SELF_TEST_PASSED);
      default: return this.#queue.answer(PS2_ANSWER.RESEND);
    }
  }

  #parameter(command: number, value: number): void {
    this.#awaiting = 0;
    if (command === PS2_COMMAND.SET_LEDS) this.leds = value & 7;
    if (command !== PS2_COMMAND.SCAN_CODE_SET) return this.#queue.answer(PS2_ANSWER.ACK);
    if (value === 0) return this.#queue.answer(PS2_ANSWER.ACK, this.#scanCodeSet);
    if (value !== 2) return this.#queue.answer(PS2_ANSWER.RESEND); // sets 1 and 3: drivers go on with 2
    this.#queue.answer(PS2_ANSWER.ACK);
  }
}
