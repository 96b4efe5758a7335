import type { AccessSize, Clock, Device, IrqLine, Timer } from '@vmm/device-kit';
import { PIT, PORT, SYSTEM_CONTROL_B } from '@vmm/spec';
import { PitChannel } from './pit-channel.ts';
import type { PitChannelState } from './pit-channel.ts';

export interface PitOptions {
  readonly clock: Clock;
  /** OUT of channel 0: ISA interrupt 0. */
  readonly irq: IrqLine;
  /** Told the speaker's frequency when it changes; 0 is silence. */
  readonly onSpeaker?: (frequencyHz: number) => void;
}

interface PitState {
  readonly channels: readonly PitChannelState[];
  readonly controlB: number;
}

const NS_PER_TICK = 1e9 / PIT.FREQUENCY_HZ;
/** The refresh request of the AT: every 15.085 µs (channel 1 with a count of 18). */
const REFRESH_PERIOD_TICKS = 18;
const CONTROL_B_WRITABLE = 0x0f;
/** A guest may program a period of one tick; the host is not asked to interrupt more often than this. */
const SHORTEST_PERIOD_TICKS = 12;

/** The 8254 and port 0x61. Counters are computed from the clock when they are looked at; only IRQ 0 needs a timer. */
export class Pit implements Device {
  readonly name = 'pit';
  readonly ports = [
    { base: PORT.PIT_CHANNEL0, length: 4 },
    { base: PORT.SYSTEM_CONTROL_B, length: 1 },
  ];
  readonly #clock: Clock;
  readonly #irq: IrqLine;
  readonly #onSpeaker: ((frequencyHz: number) => void) | undefined;
  readonly #channels = [new PitChannel(true), new PitChannel(true), new PitChannel(false)] as const;
  #controlB = 0;
  #speakerHz = 0;
  #timer: Timer | undefined;
  #dueTick = 0;

  constructor(options: PitOptions) {
    this.#clock = options.clock;
    this.#irq = options.irq;
    this.#onSpeaker = options.onSpeaker;
  }

  pioRead(port: number, _size: AccessSize): number {
    const tick = this.#tick();
    switch (port) {
      case PORT.PIT_CHANNEL0: return this.#channels[0].readData(tick);
      case PORT.PIT_CHANNEL1: return this.#channels[1].readData(tick);
      case PORT.PIT_CHANNEL2: return this.#channels[2].readData(tick);
      case PORT.SYSTEM_CONTROL_B: return this.#readControlB(tick);
      default: return 0xff; // the control word cannot be read
    }
  }

  pioWrite(port: number, _size: AccessSize, value: number): void {
    const byte = value & 0xff;
    const tick = this.#tick();
    switch (port) {
      case PORT.PIT_CHANNEL0:
        this.#channels[0].writeData(byte, tick);
        this.#channel0Changed(tick);
        break;
      case PORT.PIT_CHANNEL1: this.#channels[1].writeData(byte, tick); break;
      case PORT.PIT_CHANNEL2: this.#channels[2].writeData(byte, tick); break;
      case PORT.PIT_CONTROL: this.#writeControl(byte, tick); break;
      case PORT.SYSTEM_CONTROL_B:
        this.#controlB = byte & CONTROL_B_WRITABLE;
        this.#channels[2].setGate((byte & SYSTEM_CONTROL_B.TIMER2_GATE) !== 0, tick);
        break;
    }
    if (this.#onSpeaker !== undefined) this.#updateSpeaker(this.#onSpeaker);
  }

  reset(): void {
    this.#controlB = 0;
    for (const [index, channel] of this.#channels.entries()) channel.state = new PitChannel(index !== 2).state;
    this.#timer?.cancel();
    this.#irq.set(false);
  }

  save(): PitState {
    return { channels: this.#channels.map((channel) => ({ ...channel.state })), controlB: this.#controlB };
  }

  restore(snapshot: unknown): void {
    const state = snapshot as PitState;
    for (const [index, channel] of this.#channels.entries()) {
      const saved = state.channels[index];
      if (saved !== undefined) channel.state = { ...saved };
    }
    this.#controlB = state.controlB;
    this.#channel0Changed(this.#tick());
  }

  #tick(): number {
    return Math.floor(this.#clock.now() / NS_PER_TICK);
  }

  #writeControl(word: number, tick: number): void {
    const selected = word >> PIT.CHANNEL_SHIFT;
    if (selected === PIT.CHANNEL_READ_BACK) return this.#readBack(word, tick);
    const channel = this.#channels[selected];
    if (channel === undefined) return;
    if (((word >> PIT.ACCESS_SHIFT) & 3) === PIT.ACCESS_LATCH) return channel.latchCount(tick);
    channel.writeControl(word);
    if (selected === 0) this.#channel0Changed(tick);
  }

  #readBack(word: number, tick: number): void {
    for (const [index, channel] of this.#channels.entries()) {
      if ((word & (2 << index)) === 0) continue;
      if ((word & PIT.READ_BACK_COUNT) === 0) channel.latchCount(tick);
      if ((word & PIT.READ_BACK_STATUS) === 0) channel.latchStatus(tick);
    }
  }

  #readControlB(tick: number): number {
    const isRefreshHigh = (Math.floor(tick / REFRESH_PERIOD_TICKS) & 1) === 1;
    return this.#controlB
      | (isRefreshHigh ? SYSTEM_CONTROL_B.REFRESH_TOGGLE : 0)
      | (this.#channels[2].output(tick) ? SYSTEM_CONTROL_B.TIMER2_OUT : 0);
  }

  #channel0Changed(tick: number): void {
    this.#irq.set(this.#channels[0].output(tick));
    this.#arm(tick);
  }

  #arm(tick: number): void {
    let dueTick = this.#channels[0].nextRise(tick);
    if (dueTick === Infinity) return this.#timer?.cancel();
    if (this.#isFlooding()) dueTick = tick + SHORTEST_PERIOD_TICKS;
    this.#dueTick = dueTick;
    const deadlineNs = Math.ceil(dueTick * NS_PER_TICK);
    if (this.#timer === undefined) this.#timer = this.#clock.schedule(deadlineNs, () => this.#fire());
    else this.#timer.reschedule(deadlineNs);
  }

  #isFlooding(): boolean {
    const { mode, count } = this.#channels[0].state;
    return (mode === 2 || mode === 3) && count < SHORTEST_PERIOD_TICKS;
  }

  /** OUT has risen, perhaps several times since: one edge, then the next rise that lies ahead. */
  #fire(): void {
    const tick = Math.max(this.#tick(), this.#dueTick); // the deadline in ns may round to just before the tick
    this.#irq.set(false);
    this.#irq.set(true);
    this.#arm(tick);
  }

  #updateSpeaker(onSpeaker: (frequencyHz: number) => void): void {
    const { mode, count, nextCount } = this.#channels[2].state;
    const on = SYSTEM_CONTROL_B.TIMER2_GATE | SYSTEM_CONTROL_B.SPEAKER_DATA;
    const divisor = nextCount !== 0 ? nextCount : count;
    const isSounding = (this.#controlB & on) === on && mode === 3 && divisor !== 0;
    const frequencyHz = isSounding ? PIT.FREQUENCY_HZ / divisor : 0;
    if (frequencyHz === this.#speakerHz) return;
    this.#speakerHz = frequencyHz;
    onSpeaker(frequencyHz);
  }
}
