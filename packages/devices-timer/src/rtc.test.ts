import { describe, expect, it, vi } from 'vitest';
import { fakeClock, fakeIrq, fuzzDevice } from '@vmm/device-kit/testing';
import { cmosBytes } from './cmos-bytes.ts';
import { Rtc } from './rtc.ts';
import type { RtcOptions } from './rtc.ts';

const A = 10, B = 11, C = 12, D = 13;
const START = Date.UTC(2026, 1, 3, 16, 5, 9, 250);
const SECOND = 1e9;

function powered(options: Partial<RtcOptions> = {}) {
  const clock = fakeClock();
  const irq = fakeIrq();
  const rtc = new Rtc({ clock, irq, startUnixMs: START, ...options });
  const read = (index: number): number => {
    rtc.pioWrite(0x70, 1, index);
    return rtc.pioRead(0x71, 1);
  };
  const write = (index: number, value: number): void => {
    rtc.pioWrite(0x70, 1, index);
    rtc.pioWrite(0x71, 1, value);
  };
  /** year, month, day, hours, minutes, seconds as the bytes stand */
  const time = (): number[] => [0x32, 9, 8, 7, 4, 2, 0].map(read);
  return { clock, irq, rtc, read, write, time };
}

describe('Rtc calendar', () => {
  it.each([
    { name: 'BCD, 24 hours', b: 0x02, bytes: [0x20, 0x26, 0x02, 0x03, 0x16, 0x05, 0x09] },
    { name: 'binary, 24 hours', b: 0x06, bytes: [20, 26, 2, 3, 16, 5, 9] },
    { name: 'BCD, 12 hours', b: 0x00, bytes: [0x20, 0x26, 0x02, 0x03, 0x84, 0x05, 0x09] },
    { name: 'binary, 12 hours', b: 0x04, bytes: [20, 26, 2, 3, 0x84, 5, 9] },
  ])('reads in $name', ({ b, bytes }) => {
    const { write, time } = powered();
    write(B, b);
    expect(time()).toEqual(bytes);
  });

  it('moves with the clock and knows the weekday', () => {
    const { clock, time, read } = powered();
    expect(read(6)).toBe(3); // a Tuesday
    clock.advance(8 * 3600 * SECOND);
    expect(time()).toEqual([0x20, 0x26, 0x02, 0x04, 0x00, 0x05, 0x09]);
  });

  it.each([[0, 0x12], [1, 0x01], [12, 0x92], [13, 0x81], [23, 0x91]])('writes %i hours as %i on a 12-hour dial', (hours, byte) => {
    const { write, read } = powered({ startUnixMs: Date.UTC(2026, 0, 1, hours) });
    write(B, 0);
    expect(read(4)).toBe(byte);
  });

  it('is set under SET, and goes on from there', () => {
    const { clock, write, time } = powered();
    write(B, 0x82);
    for (const [index, value] of [[0, 0x58], [2, 0x59], [4, 0x23], [7, 0x31], [8, 0x12], [9, 0x99], [0x32, 0x19]] as const) write(index, value);
    clock.advance(5 * SECOND);
    expect(time()).toEqual([0x19, 0x99, 0x12, 0x31, 0x23, 0x59, 0x58]);
    write(B, 0x02);
    clock.advance(2 * SECOND);
    expect(time()).toEqual([0x20, 0x00, 0x01, 0x01, 0x00, 0x00, 0x00]);
  });

  it('updates half a second after the divider is released', () => {
    const { clock, write, read } = powered();
    write(B, 0x82); write(A, 0x76);
    write(0, 0x30);
    write(B, 0x02); write(A, 0x26);
    clock.advance(0.499 * SECOND);
    expect(read(0)).toBe(0x30);
    clock.advance(0.002 * SECOND);
    expect(read(0)).toBe(0x31);
  });

  it('shows an update in progress for the last 244 µs of a second', () => {
    const { clock, read } = powered();
    clock.advance(0.749 * SECOND);
    expect(read(A)).toBe(0x26);
    clock.advance(0.0008 * SECOND);
    expect(read(A)).toBe(0xa6);
    expect(read(0)).toBe(0x09);
    clock.advance(0.0003 * SECOND);
    expect([read(A), read(0)]).toEqual([0x26, 0x10]);
  });

  it('is set by the board after a long sleep', () => {
    const { rtc, time } = powered();
    rtc.setWallClock(Date.UTC(2030, 5, 1));
    expect(time()).toEqual([0x20, 0x30, 0x06, 0x01, 0x00, 0x00, 0x00]);
  });
});

describe('Rtc interrupts', () => {
  it.each([[6, 1024], [3, 8192], [15, 2], [1, 256], [2, 128]])('of rate %i come %i times a second', (rate, hertz) => {
    const { clock, irq, read, write } = powered();
    write(A, 0x20 | rate);
    write(B, 0x42);
    let count = 0;
    const end = clock.now() + SECOND;
    for (let next = clock.nextDeadline(); next <= end; next = clock.nextDeadline()) {
      clock.advanceTo(next);
      expect(irq.level).toBe(true);
      expect(read(C) & 0xc0).toBe(0xc0);
      count++;
    }
    expect(count).toBe(hertz);
  });

  it('of the update come once a second', () => {
    const { clock, irq, read, write } = powered();
    write(B, 0x12);
    clock.advance(0.74 * SECOND);
    expect(irq.level).toBe(false);
    clock.advance(0.02 * SECOND);
    expect(irq.level).toBe(true);
    expect(read(C) & 0x90).toBe(0x90);
    expect(irq.level).toBe(false);
    clock.advance(SECOND);
    expect(irq.edges).toBe(2);
  });

  it.each([
    { name: 'a time of day', alarm: [0x00, 0x00, 0x17], afterS: 54 * 60 + 50.75 },
    { name: 'every minute', alarm: [0x30, 0xff, 0xff], afterS: 20.75 },
    { name: 'every hour', alarm: [0x00, 0x30, 0xc0], afterS: 24 * 60 + 50.75 },
    { name: 'tomorrow', alarm: [0x09, 0x05, 0x16], afterS: 86_400 - 0.25 },
  ])('of the alarm for $name come after $afterS s', ({ alarm, afterS }) => {
    const { clock, irq, write } = powered();
    [1, 3, 5].forEach((index, i) => write(index, alarm[i] ?? 0));
    write(B, 0x22);
    clock.advance((afterS - 0.001) * SECOND);
    expect(irq.level).toBe(false);
    clock.advance(0.002 * SECOND);
    expect(irq.level).toBe(true);
  });

  it('do not come for an alarm that no time matches', () => {
    const { clock, write } = powered();
    write(1, 0x77);
    write(B, 0x22);
    expect(clock.nextDeadline()).toBe(Infinity);
  });

  it('can be polled for in register C without being enabled, at no cost', () => {
    const { clock, irq, read } = powered();
    read(C);
    clock.advance(SECOND);
    expect(clock.nextDeadline()).toBe(Infinity);
    expect(read(C)).toBe(0x50);
    expect(read(C)).toBe(0);
    expect(irq.edges).toBe(0);
  });

  it('hold the line until register C is read, without further timers', () => {
    const { clock, irq, read, write } = powered();
    write(B, 0x42);
    clock.advance(SECOND);
    expect([irq.level, irq.edges, clock.nextDeadline()]).toEqual([true, 1, Infinity]);
    read(C);
    clock.advance(SECOND / 500);
    expect(irq.edges).toBe(2);
  });
});

describe('CMOS', () => {
  it('keeps its bytes, says that the battery is good, and ignores writes to C and D', () => {
    const { read, write } = powered();
    write(0x0f, 0x0a);
    write(C, 0xff); write(D, 0);
    expect([read(0x0f), read(D), read(C) & 0x0f]).toEqual([0x0a, 0x80, 0]);
  });

  it.each([
    { name: '256 MiB', options: { lowMemoryBytes: 256 << 20 }, at: 0x34, bytes: [0x00, 0x0f] },
    { name: '8 MiB', options: { lowMemoryBytes: 8 << 20 }, at: 0x30, bytes: [0x00, 0x1c] },
    { name: '2 GiB above 4 GiB', options: { lowMemoryBytes: 3 * 2 ** 30, highMemoryBytes: 2 ** 31 }, at: 0x5b, bytes: [0x00, 0x80, 0x00] },
    { name: 'base memory', options: { lowMemoryBytes: 1 << 20 }, at: 0x15, bytes: [0x80, 0x02] },
  ])('tells the firmware of $name', ({ options, at, bytes }) => {
    const { read } = powered({ cmos: cmosBytes(options) });
    expect(bytes.map((_, i) => read(at + i))).toEqual(bytes);
  });

  it('masks NMI with bit 7 of the index port', () => {
    const onNmiMask = vi.fn();
    const { rtc } = powered({ onNmiMask });
    rtc.pioWrite(0x70, 1, 0x8f);
    rtc.pioWrite(0x70, 1, 0x8a);
    rtc.pioWrite(0x70, 1, 0x0a);
    expect(onNmiMask.mock.calls).toEqual([[true], [false]]);
  });

  it('survives a reset, the interrupt enables do not', () => {
    const { rtc, read, write, time } = powered();
    write(0x40, 0x77);
    write(B, 0x72);
    rtc.reset();
    expect([read(0x40), read(B)]).toEqual([0x77, 0x02]);
    expect(time()[6]).toBe(0x09);
  });
});

describe('Rtc snapshot', () => {
  it('continues with its calendar, alarm and line', () => {
    const one = powered();
    one.write(B, 0x52);
    one.clock.advance(10 * SECOND);
    const two = powered({ startUnixMs: 0 });
    two.clock.advanceTo(one.clock.now());
    two.rtc.restore(structuredClone(one.rtc.save()));
    expect(two.irq.level).toBe(true);
    expect(two.time()).toEqual(one.time());
  });

  it('survives a mad driver', () => {
    const { rtc, clock, write } = powered();
    fuzzDevice(rtc, { clock, accesses: 10_000 });
    for (let index = 0; index < 128; index++) write(index, 0xff);
    fuzzDevice(rtc, { clock, accesses: 10_000, seed: 9 });
  });
});
