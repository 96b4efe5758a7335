import { VirtualClock } from '@vmm/clock';
import type { AccessSize, Device } from './device.ts';
import type { IrqLine } from './irq-line.ts';

/** A line that remembers what happened to it. */
export interface FakeIrq extends IrqLine {
  readonly level: boolean;
  /** Low-to-high transitions so far. */
  readonly edges: number;
}

export function fakeIrq(): FakeIrq {
  let isHigh = false;
  let edges = 0;
  return {
    get level() {
      return isHigh;
    },
    get edges() {
      return edges;
    },
    set(level) {
      if (level && !isHigh) edges++;
      isHigh = level;
    },
  };
}

/** A clock that moves when told, firing every timer at its own deadline on the way. */
export class FakeClock extends VirtualClock {
  readonly #time: { ns: number };

  constructor(startNs = 0) {
    const time = { ns: startNs };
    super(() => time.ns);
    this.#time = time;
  }

  advance(ns: number): void {
    this.advanceTo(this.now() + ns);
  }

  advanceTo(targetNs: number): void {
    for (let next = this.nextDeadline(); next <= targetNs; next = this.nextDeadline()) {
      this.#time.ns = Math.max(this.#time.ns, next);
      this.runExpired();
    }
    this.#time.ns = targetNs;
  }

  /** The host was away: time passes and nothing runs until the end of it. */
  stall(ns: number): void {
    this.pass(ns);
    this.runExpired();
  }

  /** Time passes and nobody has looked at the clock yet. */
  pass(ns: number): void {
    this.#time.ns += ns;
  }
}

export function fakeClock(startNs = 0): FakeClock {
  return new FakeClock(startNs);
}

/** xorshift32: the same accesses for the same seed on every host. */
export function seededRandom(seed: number): (limit: number) => number {
  let state = seed >>> 0 || 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

export interface FuzzOptions {
  readonly seed?: number;
  readonly accesses?: number;
  /** Moves time between accesses, so that timers run too. */
  readonly clock?: FakeClock;
}

/**
 * A driver that has lost its mind: random accesses of every size to everything that the device claims. Throws when the
 * device throws, or answers something that does not fit the size.
 */
export function fuzzDevice(device: Device, options: FuzzOptions = {}): void {
  const random = seededRandom(options.seed ?? 1);
  const ranges = [
    ...(device.ports ?? []).map((range) => ({ ...range, isMmio: false })),
    ...(device.mmio ?? []).map((range) => ({ ...range, isMmio: true })),
  ];
  for (let i = 0; i < (options.accesses ?? 20_000); i++) {
    const range = ranges[random(ranges.length)];
    if (range === undefined) return;
    const size = (1 << random(3)) as AccessSize;
    const at = range.base + random(range.length);
    if (random(2) === 0) {
      checkRead(device, range.isMmio ? device.mmioRead?.(at, size) : device.pioRead?.(at, size), at, size);
    } else {
      const value = randomValue(random, size);
      if (range.isMmio) device.mmioWrite?.(at, size, value);
      else device.pioWrite?.(at, size, value);
    }
    if (options.clock !== undefined && random(4) === 0) options.clock.advance(random(200_000));
    if (random(1000) === 0) device.restore(structuredClone(device.save()));
  }
}

function randomValue(random: (limit: number) => number, size: AccessSize): number {
  const value = random(4) === 0 ? 1 << random(8 * size) : random(0x1_0000_0000);
  return size === 4 ? value >>> 0 : value & ((1 << (8 * size)) - 1);
}

function checkRead(device: Device, value: number | undefined, at: number, size: number): void {
  const isSound = value === undefined || (Number.isInteger(value) && value >= 0 && value < 2 ** (8 * size));
  if (!isSound) throw new Error(`${device.name} answered ${value} to a read of ${size} bytes at 0x${at.toString(16)}`);
}
