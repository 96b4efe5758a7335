import { describe, expect, it } from 'vitest';
import { fakeClock, fakeIrq, fuzzDevice } from '@vmm/device-kit/testing';
import { Pit } from './pit.ts';

const NS_PER_TICK = 1e9 / 1_193_182;
const CONTROL = 0x43;

function powered() {
  const clock = fakeClock();
  const irq = fakeIrq();
  const tones: number[] = [];
  const pit = new Pit({ clock, irq, onSpeaker: (hz) => tones.push(Math.round(hz)) });
  const out = (port: number, value: number): void => pit.pioWrite(port, 1, value);
  const inb = (port: number): number => pit.pioRead(port, 1);
  let tick = 0;
  return {
    clock, irq, pit, out, inb, tones,
    /** Moves to just after the given number of further ticks. */
    ticks(count: number): void {
      tick += count;
      clock.advanceTo(Math.ceil(tick * NS_PER_TICK));
    },
    program(channel: number, mode: number, count: number, bcd = 0): void {
      out(CONTROL, (channel << 6) | 0x30 | (mode << 1) | bcd);
      out(0x40 + channel, count & 0xff);
      out(0x40 + channel, count >> 8);
    },
    count(channel: number): number {
      out(CONTROL, channel << 6);
      return inb(0x40 + channel) | (inb(0x40 + channel) << 8);
    },
    output(channel: number): number {
      out(CONTROL, 0xe0 | (2 << channel));
      return inb(0x40 + channel) >> 7;
    },
  };
}

/** OUT of channel 2, tick by tick from the one after the count was written, with the gate open. */
function waveform(mode: number, count: number, ticks: number): string {
  const board = powered();
  board.out(0x61, 1);
  board.program(2, mode, count);
  let wave = '';
  for (let i = 0; i < ticks; i++) {
    board.ticks(1);
    wave += (board.inb(0x61) & 0x20) !== 0 ? '#' : '_';
  }
  return wave;
}

describe('Pit output', () => {
  it.each([
    { mode: 0, count: 4, wave: '____########' },
    { mode: 2, count: 4, wave: '###_###_###_' },
    { mode: 3, count: 4, wave: '##__##__##__' },
    { mode: 3, count: 5, wave: '###__###__###__' },
    { mode: 4, count: 4, wave: '####_#######' },
    { mode: 1, count: 4, wave: '############' },
    { mode: 5, count: 4, wave: '############' },
  ])('of mode $mode with count $count is $wave', ({ mode, count, wave }) => {
    expect(waveform(mode, count, wave.length)).toBe(wave);
  });

  it.each([
    { mode: 1, wave: '____#####' },
    { mode: 5, wave: '####_####' },
  ])('of mode $mode waits for the gate to rise: $wave', ({ mode, wave }) => {
    const board = powered();
    board.program(2, mode, 4);
    board.ticks(10);
    board.out(0x61, 1);
    let seen = '';
    for (let i = 0; i < wave.length; i++) {
      board.ticks(1);
      seen += (board.inb(0x61) & 0x20) !== 0 ? '#' : '_';
    }
    expect(seen).toBe(wave);
  });

  it('stays high in mode 2 while the gate is closed, and starts a new cycle when it opens', () => {
    const board = powered();
    board.out(0x61, 1);
    board.program(2, 2, 100);
    board.ticks(60);
    board.out(0x61, 0);
    board.ticks(500);
    expect(board.inb(0x61) & 0x20).toBe(0x20);
    board.out(0x61, 1);
    board.ticks(1);
    expect(board.count(2)).toBe(100);
  });

  it('pauses mode 0 while the gate is closed', () => {
    const board = powered();
    board.out(0x61, 1);
    board.program(2, 0, 1000);
    board.ticks(101);
    board.out(0x61, 0);
    board.ticks(5000);
    expect(board.count(2)).toBe(900);
    board.out(0x61, 1);
    board.ticks(100);
    expect(board.count(2)).toBe(800);
  });
});

describe('Pit counts', () => {
  it.each([
    { mode: 0, after: 11, value: 0x1000 - 10 },
    { mode: 2, after: 11, value: 0x1000 - 10 },
    { mode: 3, after: 11, value: 0x1000 - 20 },
    { mode: 0, after: 0x1000 + 3, value: 0xfffe },
    { mode: 2, after: 0x1000 + 3, value: 0x1000 - 2 },
  ])('of mode $mode reads $value after $after ticks', ({ mode, after, value }) => {
    const board = powered();
    board.program(0, mode, 0x1000);
    board.ticks(after);
    expect(board.count(0)).toBe(value);
  });

  it('counts in BCD, a count of 0 being 10000', () => {
    const board = powered();
    board.program(0, 0, 0x0000, 1);
    board.ticks(1 + 1);
    expect(board.count(0)).toBe(0x9999);
    board.ticks(999);
    expect(board.count(0)).toBe(0x9000);
  });

  it('keeps the first latch until it has been read', () => {
    const board = powered();
    board.program(0, 2, 0);
    board.ticks(1 + 0x100);
    board.out(CONTROL, 0x00);
    board.ticks(0x1000);
    board.out(CONTROL, 0x00);
    expect(board.inb(0x40) | (board.inb(0x40) << 8)).toBe(0xff00);
    expect(board.count(0)).toBe(0xef00);
  });

  it('reads low and high bytes in turn without a latch, as quick_pit_calibrate does', () => {
    const board = powered();
    board.out(0x61, 1);
    board.out(CONTROL, 0xb0);
    board.out(0x42, 0xff);
    board.out(0x42, 0xff);
    board.ticks(1);
    const msbs = new Set<number>();
    for (let i = 0; i < 400; i++) {
      board.inb(0x42);
      msbs.add(board.inb(0x42));
      board.ticks(2);
    }
    expect([...msbs]).toEqual([0xff, 0xfe, 0xfd, 0xfc]);
  });

  it('latches status and count together by read-back, status first', () => {
    const board = powered();
    board.out(CONTROL, 0x34);
    board.out(CONTROL, 0xe2);
    expect(board.inb(0x40)).toBe(0xf4); // OUT high, null count, low then high byte, mode 2
    board.program(0, 2, 0x1234);
    board.ticks(1);
    board.out(CONTROL, 0xc2);
    expect(board.inb(0x40)).toBe(0xb4);
    expect(board.inb(0x40) | (board.inb(0x40) << 8)).toBe(0x1234);
  });

  it('takes a new count of mode 2 at the end of the cycle', () => {
    const board = powered();
    board.program(0, 2, 1000);
    board.ticks(1 + 400);
    board.out(0x40, 200); board.out(0x40, 0);
    expect(board.count(0)).toBe(600);
    board.ticks(600);
    expect(board.count(0)).toBe(200);
  });

  it('takes a new count of mode 3 at the end of the half cycle', () => {
    const board = powered();
    board.program(0, 3, 1000);
    board.ticks(1 + 100);
    const edges = board.irq.edges;
    board.out(0x40, 200); board.out(0x40, 0);
    expect(board.output(0)).toBe(1);
    board.ticks(401); // the high half has ended
    expect(board.output(0)).toBe(0);
    board.ticks(99); // so has the low half, of the new count
    expect(board.output(0)).toBe(1);
    expect(board.irq.edges).toBe(edges + 1);
  });
});

describe('Pit interrupt', () => {
  it('comes 100 times a second for a count of 11932 and does not drift', () => {
    const board = powered();
    board.program(0, 2, 11932);
    const before = board.irq.edges;
    board.clock.advance(10e9);
    expect(board.irq.edges - before).toBe(Math.floor((10e9 / NS_PER_TICK - 1) / 11932));
  });

  it('comes once in modes 0 and 4, again after each new count', () => {
    for (const mode of [0, 4]) {
      const board = powered();
      board.program(0, mode, 1000);
      const before = board.irq.edges;
      board.ticks(1000);
      expect(board.irq.edges).toBe(before);
      board.ticks(2);
      expect(board.irq.edges).toBe(before + 1);
      board.ticks(200_000);
      expect(board.irq.edges).toBe(before + 1);
      board.out(0x40, 100); board.out(0x40, 0);
      board.ticks(103);
      expect(board.irq.edges).toBe(before + 2);
    }
  });

  it('coalesces the edges missed while the host was away and keeps its phase', () => {
    const board = powered();
    board.program(0, 2, 1193);
    const before = board.irq.edges;
    board.clock.stall(1e9);
    expect(board.irq.edges).toBe(before + 1);
    const rises = Math.ceil((1e9 / NS_PER_TICK - 1) / 1193);
    expect(board.clock.nextDeadline()).toBe(Math.ceil((1 + rises * 1193) * NS_PER_TICK));
  });

  it('does not let a period of one tick flood the host', () => {
    const board = powered();
    board.program(0, 3, 2);
    const before = board.irq.edges;
    board.clock.advance(1e6);
    expect(board.irq.edges - before).toBeLessThanOrEqual(100);
  });
});

describe('Port 0x61', () => {
  it('toggles the refresh bit with the clock', () => {
    const board = powered();
    let toggles = 0;
    let last = board.inb(0x61) & 0x10;
    for (let i = 0; i < 10_000; i++) {
      board.clock.advance(1000);
      const now = board.inb(0x61) & 0x10;
      if (now !== last) toggles++;
      last = now;
    }
    expect(toggles).toBeGreaterThan(660);
    expect(toggles).toBeLessThan(666); // 10 ms / 15.085 µs = 662.9
  });

  it('reads its four control bits back and sounds the speaker', () => {
    const board = powered();
    board.program(2, 3, 1193);
    board.out(0x61, 0xff);
    expect(board.inb(0x61) & 0xcf).toBe(0x0f);
    board.out(0x61, 0);
    expect(board.tones).toEqual([1000, 0]);
  });
});

describe('pit_calibrate_tsc', () => {
  it('sees OUT of channel 2 rise 50 ms after a count of 59659', () => {
    const board = powered();
    board.out(0x61, (board.inb(0x61) & ~2) | 1);
    board.out(CONTROL, 0xb0);
    board.out(0x42, 59659 & 0xff);
    board.out(0x42, 59659 >> 8);
    const start = board.clock.now();
    while ((board.inb(0x61) & 0x20) === 0) board.clock.advance(500);
    expect((board.clock.now() - start) / 1e6).toBeCloseTo(50, 2);
  });
});

describe('Pit snapshot', () => {
  it('continues where it was saved', () => {
    const one = powered();
    one.program(0, 2, 11932);
    one.program(2, 0, 40000);
    one.out(0x61, 1);
    one.ticks(5000);
    const clock = fakeClock(one.clock.now());
    const irq = fakeIrq();
    const pit = new Pit({ clock, irq });
    pit.restore(structuredClone(one.pit.save()));
    expect(irq.level).toBe(true);
    expect(clock.nextDeadline()).toBe(one.clock.nextDeadline());
    pit.pioWrite(CONTROL, 1, 0x80);
    expect(pit.pioRead(0x42, 1) | (pit.pioRead(0x42, 1) << 8)).toBe(one.count(2));
  });

  it('survives a mad driver', () => {
    const { pit, clock } = powered();
    fuzzDevice(pit, { clock });
  });
});
