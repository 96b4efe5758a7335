import { PIT } from '@vmm/spec';

/** One counter of the 8254 as plain data. Times are in ticks of the 1.193182 MHz input since power-on. */
export interface PitChannelState {
  mode: number;
  access: number;
  isBcd: boolean;
  gate: boolean;
  /** Count in effect, 1 to 65536 (10000 in BCD). 0: none written since the control word. */
  count: number;
  /** Tick at which `count` was, or will be, loaded. */
  loadedAt: number;
  /** Ticks counted when the gate closed; -1 while counting. */
  frozenAt: number;
  /** Modes 1 and 5 count only after a trigger. */
  isTriggered: boolean;
  /** Modes 2 and 3: a count that waits for the end of the cycle; 0 for none. */
  nextCount: number;
  nextAt: number;
  /** Low byte of a two-byte write that waits for its high byte; -1 for none. */
  lowByte: number;
  readsHighByte: boolean;
  /** Latched count, -1 for none. */
  latch: number;
  /** Latched status, -1 for none. */
  statusLatch: number;
}

export function pitChannelAtPowerOn(gate: boolean): PitChannelState {
  return {
    mode: 3, access: PIT.ACCESS_LOW_HIGH, isBcd: false, gate, count: 0, loadedAt: 0, frozenAt: -1, isTriggered: false,
    nextCount: 0, nextAt: 0, lowByte: -1, readsHighByte: false, latch: -1, statusLatch: -1,
  };
}

/** Modes 2 and 3 repeat; 6 and 7 are their aliases (8254 datasheet, "Mode definitions"). */
function canonicalMode(bits: number): number {
  return bits > 5 ? bits - 4 : bits;
}

function toBcd(value: number): number {
  return (Math.floor(value / 1000) << 12) | (Math.floor(value / 100) % 10 << 8) | (Math.floor(value / 10) % 10 << 4) | value % 10;
}

function fromBcd(value: number): number {
  return (value >> 12) * 1000 + ((value >> 8) & 15) * 100 + ((value >> 4) & 15) * 10 + (value & 15);
}

/**
 * One counter of the 8254, evaluated on demand: its count and output are functions of the ticks that have passed, so
 * it costs nothing while nobody looks. Every method is given the current tick.
 */
export class PitChannel {
  state: PitChannelState;

  constructor(gate: boolean) {
    this.state = pitChannelAtPowerOn(gate);
  }

  writeControl(word: number): void {
    const s = this.state;
    s.access = (word >> PIT.ACCESS_SHIFT) & 3;
    s.mode = canonicalMode((word & PIT.MODE_MASK) >> PIT.MODE_SHIFT);
    s.isBcd = (word & PIT.BCD) !== 0;
    s.count = 0;
    s.nextCount = 0;
    s.frozenAt = -1;
    s.isTriggered = false;
    s.lowByte = -1;
    s.readsHighByte = false;
    s.latch = -1;
    s.statusLatch = -1;
  }

  writeData(byte: number, tick: number): void {
    const s = this.state;
    if (s.access === PIT.ACCESS_LOW) {
      this.#load(byte, tick);
    } else if (s.access === PIT.ACCESS_HIGH) {
      this.#load(byte << 8, tick);
    } else if (s.lowByte < 0) {
      s.lowByte = byte;
      if (s.mode === 0) s.count = 0; // the first byte stops the counting and OUT stays low
    } else {
      const low = s.lowByte;
      s.lowByte = -1;
      this.#load((byte << 8) | low, tick);
    }
  }

  readData(tick: number): number {
    const s = this.state;
    if (s.statusLatch >= 0) {
      const status = s.statusLatch;
      s.statusLatch = -1;
      return status;
    }
    const value = s.latch >= 0 ? s.latch : this.value(tick);
    if (s.access !== PIT.ACCESS_LOW_HIGH) {
      s.latch = -1;
      return s.access === PIT.ACCESS_HIGH ? value >> 8 : value & 0xff;
    }
    const isHigh = s.readsHighByte;
    s.readsHighByte = !isHigh;
    if (!isHigh) return value & 0xff;
    s.latch = -1;
    return value >> 8;
  }

  /** A second latch command before the first has been read is ignored. */
  latchCount(tick: number): void {
    if (this.state.latch < 0) this.state.latch = this.value(tick);
  }

  latchStatus(tick: number): void {
    const s = this.state;
    if (s.statusLatch >= 0) return;
    const isNull = s.count === 0 || s.nextCount !== 0 || this.#elapsed(tick) < 0;
    s.statusLatch = (this.output(tick) ? PIT.STATUS_OUT : 0) | (isNull ? PIT.STATUS_NULL_COUNT : 0)
      | (s.access << PIT.ACCESS_SHIFT) | (s.mode << PIT.MODE_SHIFT) | (s.isBcd ? PIT.BCD : 0);
  }

  setGate(level: boolean, tick: number): void {
    const s = this.state;
    if (s.gate === level) return;
    const elapsed = this.#elapsed(tick);
    s.gate = level;
    if (s.mode === 1 || s.mode === 5) {
      if (!level) return;
      s.isTriggered = true;
      s.loadedAt = tick + 1;
      if (s.nextCount !== 0) this.#take(s.nextCount);
    } else if (!level) {
      s.frozenAt = Math.max(0, elapsed);
    } else if (s.mode === 2 || s.mode === 3) {
      s.frozenAt = -1;
      s.loadedAt = tick + 1;
      if (s.nextCount !== 0) this.#take(s.nextCount);
    } else {
      s.loadedAt = tick - Math.max(0, s.frozenAt);
      s.frozenAt = -1;
    }
  }

  /** The counting element as the guest reads it, in BCD if so programmed. */
  value(tick: number): number {
    const elapsed = this.#elapsed(tick);
    const s = this.state;
    const modulus = s.isBcd ? 10_000 : 0x1_0000;
    if (s.count === 0) return 0;
    const binary = this.#binaryValue(Math.max(0, elapsed), modulus);
    return s.isBcd ? toBcd(binary) : binary;
  }

  output(tick: number): boolean {
    const elapsed = this.#elapsed(tick);
    const s = this.state;
    if (s.count === 0) return s.mode !== 0;
    switch (s.mode) {
      case 0: return elapsed >= s.count;
      case 1: return !s.isTriggered || elapsed < 0 || elapsed >= s.count;
      case 2: return !s.gate || elapsed < 0 || elapsed % s.count !== s.count - 1;
      case 3: return !s.gate || elapsed < 0 || elapsed % s.count < (s.count + 1) >> 1;
      case 4: return elapsed !== s.count;
      default: return !s.isTriggered || elapsed !== s.count;
    }
  }

  /** First tick after `tick` at which OUT rises, or Infinity. */
  nextRise(tick: number): number {
    const elapsed = this.#elapsed(tick);
    const s = this.state;
    if (s.count === 0 || s.frozenAt >= 0) return Infinity;
    if (s.mode === 2 || s.mode === 3) {
      if (!s.gate) return Infinity;
      if (s.nextCount !== 0 && this.#changesAtHalf()) return s.nextAt + (s.nextCount >> 1);
      return s.loadedAt + (Math.floor(Math.max(0, elapsed) / s.count) + 1) * s.count;
    }
    if ((s.mode === 1 || s.mode === 5) && !s.isTriggered) return Infinity;
    const riseAfter = s.mode >= 4 ? s.count + 1 : s.count;
    return elapsed < riseAfter ? s.loadedAt + riseAfter : Infinity;
  }

  #binaryValue(elapsed: number, modulus: number): number {
    const { mode, count } = this.state;
    if (mode === 2) return (count - (elapsed % count)) % modulus;
    if (mode === 3) return this.#squareWaveValue(elapsed, modulus);
    if ((mode === 1 || mode === 5) && !this.state.isTriggered) return count % modulus;
    return (((count - elapsed) % modulus) + modulus) % modulus;
  }

  /** The count goes down by two in each half; an odd count gives its extra tick to the high half. */
  #squareWaveValue(elapsed: number, modulus: number): number {
    const { count } = this.state;
    const highTicks = (count + 1) >> 1;
    const phase = elapsed % count;
    const inHalf = phase < highTicks ? phase : phase - highTicks;
    return ((count & ~1) - 2 * inHalf) % modulus;
  }

  #load(raw: number, tick: number): void {
    const s = this.state;
    const elapsed = this.#elapsed(tick);
    const binary = s.isBcd ? fromBcd(raw) : raw;
    const count = binary === 0 ? (s.isBcd ? 10_000 : 0x1_0000) : binary;
    const isPeriodic = s.mode === 2 || s.mode === 3;
    if (isPeriodic && s.count !== 0 && s.gate && elapsed >= 0) {
      s.nextCount = count;
      s.nextAt = s.loadedAt + this.#endOfCycle(elapsed);
      return;
    }
    if ((s.mode === 1 || s.mode === 5) && s.isTriggered && s.count !== 0) {
      s.nextCount = count; // waits for the next trigger
      s.nextAt = Infinity;
      return;
    }
    s.count = count;
    s.nextCount = 0;
    s.loadedAt = tick + 1;
    s.frozenAt = s.gate || s.mode === 1 || s.mode === 5 ? -1 : 0;
  }

  /** Ticks from the load to the end of the current cycle; in mode 3 of the current half of it. */
  #endOfCycle(elapsed: number): number {
    const { mode, count } = this.state;
    const start = elapsed - (elapsed % count);
    const highTicks = (count + 1) >> 1;
    return start + (mode === 3 && elapsed % count < highTicks ? highTicks : count);
  }

  /** Ticks since the count was loaded, negative before; takes a waiting count whose time has come. */
  #elapsed(tick: number): number {
    const s = this.state;
    if (s.nextCount !== 0 && tick >= s.nextAt) {
      const isAtHalf = this.#changesAtHalf();
      this.#take(s.nextCount);
      s.loadedAt = isAtHalf ? s.nextAt - ((s.count + 1) >> 1) : s.nextAt;
    }
    return s.frozenAt >= 0 ? s.frozenAt : tick - s.loadedAt;
  }

  /** A new count of mode 3 that takes over between the high and the low half. */
  #changesAtHalf(): boolean {
    const s = this.state;
    return s.mode === 3 && (s.nextAt - s.loadedAt) % s.count !== 0;
  }

  #take(count: number): void {
    this.state.count = count;
    this.state.nextCount = 0;
  }
}
