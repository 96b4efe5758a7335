import { PS2_ANSWER, PS2_COMMAND } from '@vmm/spec';
import { ByteQueue } from './byte-queue.ts';

interface MouseState {
  readonly queue: readonly number[];
  readonly isReporting: boolean;
  readonly isRemote: boolean;
  readonly isWrapping: boolean;
  readonly isScaled: boolean;
  readonly resolution: number;
  readonly sampleRate: number;
  readonly knock: readonly number[];
  readonly id: number;
  readonly buttons: number;
  readonly moved: readonly [x: number, y: number, wheel: number];
  readonly awaiting: number;
}

const BUFFER_BYTES = 64;
const STANDARD = 0;
const WHEEL = 3;
const FIVE_BUTTONS = 4;
/** Sample rates in this order turn the mouse into one with a wheel, then with five buttons (Microsoft IntelliMouse). */
const KNOCKS: Readonly<Record<string, number>> = { '200,100,80': WHEEL, '200,200,80': FIVE_BUTTONS };

/** PS/2 mouse with the IntelliMouse extensions. */
export class Ps2Mouse {
  readonly #queue = new ByteQueue(BUFFER_BYTES);
  readonly #onData: () => void;
  #isReporting = false;
  #isRemote = false;
  #isWrapping = false;
  #isScaled = false;
  #resolution = 2;
  #sampleRate = 100;
  #knock: number[] = [];
  #id = STANDARD;
  #buttons = 0;
  #x = 0;
  #y = 0;
  #wheel = 0;
  #awaiting = 0;

  /** `onData` says that `next()` has a byte. */
  constructor(onData: () => void) {
    this.#onData = onData;
  }

  /** Movement in counts, y upwards, wheel towards the user. Adds up while the guest does not read. */
  move(x: number, y: number, wheel = 0): void {
    this.#x += x;
    this.#y += y;
    this.#wheel += wheel;
    this.#report();
  }

  /** Left 1, right 2, middle 4, back 8, forward 16. */
  setButtons(buttons: number): void {
    if (buttons === this.#buttons) return;
    this.#buttons = buttons & 31;
    this.#report();
  }

  /** Movement that had no room becomes a packet when the buffer has been read. */
  next(): number | undefined {
    if (this.#queue.length === 0 && this.#isStreaming() && this.#hasMoved()) this.#queue.push(...this.#packet());
    return this.#queue.shift();
  }

  command(byte: number): void {
    if (this.#isWrapping && byte !== PS2_COMMAND.RESET && byte !== PS2_COMMAND.RESET_WRAP_MODE) this.#queue.answer(byte);
    else if (this.#awaiting !== 0) this.#parameter(this.#awaiting, byte);
    else this.#execute(byte);
    this.#onData();
  }

  reset(): void {
    this.#queue.clear();
    this.#defaults();
    this.#id = STANDARD;
    this.#knock = [];
    this.#awaiting = 0;
    this.#isWrapping = false;
  }

  save(): MouseState {
    return {
      queue: this.#queue.save(), isReporting: this.#isReporting, isRemote: this.#isRemote, isWrapping: this.#isWrapping,
      isScaled: this.#isScaled, resolution: this.#resolution, sampleRate: this.#sampleRate, knock: [...this.#knock], id: this.#id,
      buttons: this.#buttons, moved: [this.#x, this.#y, this.#wheel], awaiting: this.#awaiting,
    };
  }

  restore(state: MouseState): void {
    this.#queue.restore(state.queue);
    this.#isReporting = state.isReporting;
    this.#isRemote = state.isRemote;
    this.#isWrapping = state.isWrapping;
    this.#isScaled = state.isScaled;
    this.#resolution = state.resolution;
    this.#sampleRate = state.sampleRate;
    this.#knock = [...state.knock];
    this.#id = state.id;
    this.#buttons = state.buttons;
    [this.#x, this.#y, this.#wheel] = state.moved;
    this.#awaiting = state.awaiting;
  }

  #defaults(): void {
    this.#isReporting = false;
    this.#isRemote = false;
    this.#isScaled = false;
    this.#resolution = 2;
    this.#sampleRate = 100;
    this.#x = this.#y = this.#wheel = 0;
  }

  #execute(command: number): void {
    const { ACK } = PS2_ANSWER;
    switch (command) {
      case PS2_COMMAND.SCALE_1_TO_1: this.#isScaled = false; break;
      case PS2_COMMAND.SCALE_2_TO_1: this.#isScaled = true; break;
      case PS2_COMMAND.SET_RESOLUTION:
      case PS2_COMMAND.SET_RATE: this.#awaiting = command; break;
      case PS2_COMMAND.STATUS: return this.#queue.answer(ACK, this.#status(), this.#resolution, this.#sampleRate);
      case PS2_COMMAND.STREAM_MODE: this.#isRemote = false; break;
      case PS2_COMMAND.READ_DATA: return this.#queue.answer(ACK, ...this.#packet());
      case PS2_COMMAND.RESET_WRAP_MODE: this.#isWrapping = false; break;
      case PS2_COMMAND.ECHO: this.#isWrapping = true; break;
      case PS2_COMMAND.SCAN_CODE_SET: this.#isRemote = true; break;
      case PS2_COMMAND.IDENTIFY: return this.#queue.answer(ACK, this.#id);
      case PS2_COMMAND.ENABLE: this.#isReporting = true; break;
      case PS2_COMMAND.DISABLE: this.#isReporting = false; break;
      case PS2_COMMAND.DEFAULTS: this.#defaults(); break;
      case PS2_COMMAND.RESET:
        this.reset();
        return this.#queue.answer(ACK, PS2_ANSWER.SELF_TEST_PASSED, this.#id);
      default: return this.#queue.answer(PS2_ANSWER.RESEND);
    }
    this.#queue.answer(ACK);
  }

  #parameter(command: number, value: number): void {
    this.#awaiting = 0;
    if (command === PS2_COMMAND.SET_RESOLUTION) this.#resolution = value & 3;
    else this.#setSampleRate(value);
    this.#queue.answer(PS2_ANSWER.ACK);
  }

  #setSampleRate(rate: number): void {
    this.#sampleRate = rate;
    this.#knock = [...this.#knock.slice(-2), rate];
    const id = KNOCKS[this.#knock.join()];
    if (id !== undefined) this.#id = id;
  }

  #status(): number {
    return (this.#isRemote ? 0x40 : 0) | (this.#isReporting ? 0x20 : 0) | (this.#isScaled ? 0x10 : 0)
      | ((this.#buttons & 1) !== 0 ? 4 : 0) | ((this.#buttons & 4) !== 0 ? 2 : 0) | ((this.#buttons & 2) !== 0 ? 1 : 0);
  }

  #hasMoved(): boolean {
    return this.#x !== 0 || this.#y !== 0 || (this.#id !== STANDARD && this.#wheel !== 0);
  }

  #isStreaming(): boolean {
    return this.#isReporting && !this.#isRemote;
  }

  #report(): void {
    if (!this.#isStreaming()) return;
    if (this.#queue.length > BUFFER_BYTES / 2) return; // movement adds up until there is room
    this.#queue.push(...this.#packet());
    this.#onData();
  }

  /** Takes what fits a packet from the movement so far. */
  #packet(): number[] {
    const x = clamp(this.#x, -255, 255);
    const y = clamp(this.#y, -255, 255);
    this.#x -= x;
    this.#y -= y;
    const first = 8 | (this.#buttons & 7) | (x < 0 ? 0x10 : 0) | (y < 0 ? 0x20 : 0);
    if (this.#id === STANDARD) {
      this.#wheel = 0;
      return [first, x & 0xff, y & 0xff];
    }
    const wheel = clamp(this.#wheel, -8, 7);
    this.#wheel -= wheel;
    const fourth = this.#id === FIVE_BUTTONS ? (wheel & 15) | ((this.#buttons & 0x18) << 1) : wheel & 0xff;
    return [first, x & 0xff, y & 0xff, fourth];
  }
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, Math.trunc(value)));
}
