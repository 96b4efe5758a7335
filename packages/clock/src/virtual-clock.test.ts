import { describe, expect, it, vi } from 'vitest';
import { CountedTime } from './counted-time.ts';
import { HostTime } from './host-time.ts';
import { PeriodicTimer } from './periodic.ts';
import { VirtualClock } from './virtual-clock.ts';

function at(startNs = 0) {
  const time = { ns: startNs };
  return { time, clock: new VirtualClock(() => time.ns) };
}

describe('VirtualClock', () => {
  it('runs what is due in order of deadline, equal deadlines in order of arming', () => {
    const { time, clock } = at();
    const ran: string[] = [];
    for (const [name, ns] of [['c', 30], ['a', 10], ['b1', 20], ['b2', 20], ['late', 99]] as const) {
      clock.schedule(ns, () => ran.push(name));
    }
    time.ns = 30;
    expect(clock.runExpired()).toBe(4);
    expect(ran).toEqual(['a', 'b1', 'b2', 'c']);
    expect(clock.nextDeadline()).toBe(99);
  });

  it('answers Infinity when nothing is armed', () => {
    const { clock } = at();
    const timer = clock.schedule(5, () => {});
    timer.cancel();
    expect(clock.nextDeadline()).toBe(Infinity);
    expect(timer.isArmed).toBe(false);
  });

  it('says when to wake up if timers that may be late are, and only those', () => {
    const { clock } = at();
    clock.schedule(10, () => {}).mayBeLate = true;
    const punctual = clock.schedule(40, () => {});
    expect(clock.nextDeadline()).toBe(10);
    expect(clock.nextDeadline(20)).toBe(30);
    expect(clock.nextDeadline(100)).toBe(40);
    punctual.cancel();
    expect(clock.nextDeadline(100)).toBe(110);
  });

  it('does not run a timer which one that ran before it has cancelled or moved', () => {
    const { time, clock } = at();
    const cancelled = vi.fn();
    const moved = vi.fn();
    clock.schedule(1, () => {
      first.cancel();
      second.reschedule(50);
    });
    const first = clock.schedule(2, cancelled);
    const second = clock.schedule(2, moved);
    time.ns = 10;
    clock.runExpired();
    expect(cancelled).not.toHaveBeenCalled();
    expect(moved).not.toHaveBeenCalled();
    time.ns = 50;
    clock.runExpired();
    expect(moved).toHaveBeenCalledOnce();
  });

  it('lets no timer hold the loop: one that arms itself for the past runs at the next call', () => {
    const { time, clock } = at(100);
    let runs = 0;
    const timer = clock.schedule(1, () => {
      runs++;
      timer.reschedule(1);
    });
    expect(clock.runExpired()).toBe(1);
    expect(clock.runExpired()).toBe(1);
    expect(runs).toBe(2);
    time.ns++;
  });

  it('tells the run loop when the earliest deadline moves earlier, also after a cancel', () => {
    const onEarlierDeadline = vi.fn();
    const clock = new VirtualClock(() => 0, { onEarlierDeadline });
    const first = clock.schedule(10, () => {});
    clock.schedule(20, () => {});
    expect(onEarlierDeadline).toHaveBeenCalledTimes(1);
    first.cancel();
    clock.schedule(15, () => {});
    expect(onEarlierDeadline).toHaveBeenCalledTimes(2);
  });

  it('keeps a thousand timers in order through random moves and cancels', () => {
    const { time, clock } = at();
    const ran: number[] = [];
    let seed = 7;
    const random = (): number => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % 10_000;
    const timers = Array.from({ length: 1000 }, () => {
      const timer = clock.schedule(random(), () => ran.push(timer.deadlineNs));
      return timer;
    });
    for (const timer of timers) if (random() < 5000) timer.reschedule(random());
    const cancelled = timers.filter(() => random() < 2000);
    for (const timer of cancelled) timer.cancel();
    time.ns = 10_000;
    expect(clock.runExpired()).toBe(1000 - cancelled.length);
    expect(ran).toEqual(ran.toSorted((a, b) => a - b));
  });
});

describe('PeriodicTimer', () => {
  it('does not drift, whatever the latency of the calls', () => {
    const { time, clock } = at();
    const ran: number[] = [];
    new PeriodicTimer(clock, () => ran.push(time.ns)).start(100, 100);
    for (const ns of [130, 199, 250, 310, 400]) {
      time.ns = ns;
      clock.runExpired();
    }
    expect(ran).toEqual([130, 250, 310, 400]);
    expect(clock.nextDeadline()).toBe(500);
  });

  it('coalesces the periods it missed and tells their number', () => {
    const { time, clock } = at();
    const run = vi.fn();
    new PeriodicTimer(clock, run).start(100, 100);
    time.ns = 1050;
    clock.runExpired();
    expect(run).toHaveBeenCalledExactlyOnceWith(10);
    expect(clock.nextDeadline()).toBe(1100);
  });
});

describe('HostTime', () => {
  it('starts stopped, scales, and does not count a pause', () => {
    let ms = 1000;
    const time = new HostTime({ hostNowMs: () => ms, scale: 2, startNs: 5 });
    ms += 10;
    expect(time.now()).toBe(5);
    time.resume();
    ms += 3;
    expect(time.now()).toBe(5 + 6e6);
    expect(time.hostMsUntil(5 + 8e6)).toBe(1);
    time.pause();
    ms += 100;
    time.resume();
    expect(time.now()).toBe(5 + 6e6);
  });
});

describe('HostTime with pauses of the host', () => {
  function running() {
    const host = { ms: 0 };
    const time = new HostTime({ hostNowMs: () => host.ms, longestGapMs: 5 });
    time.resume();
    return { host, time, at: (ms: number): number => ((host.ms = ms), time.now() / 1e6) };
  }

  it('shows the guest five milliseconds of a pause of a hundred', () => {
    const { at, time } = running();
    at(10);
    expect([at(110), time.behindMs]).toEqual([10, 100]);
  });

  it('shows gaps of a slice in full', () => {
    const { at } = running();
    expect([at(4), at(8), at(12)]).toEqual([4, 8, 12]);
  });

  it('makes up for it, a quarter faster, until it is even with the host', () => {
    const { at, time } = running();
    at(105);
    expect(at(109)).toBe(5 + 5);
    let last = 10;
    for (let ms = 113; ms <= 1000; ms += 4) {
      const now = at(ms);
      expect(now - last).toBeLessThanOrEqual(5);
      expect(now).toBeGreaterThan(last);
      last = now;
    }
    expect([Math.round(at(1000)), Math.round(time.behindMs)]).toEqual([1000, 0]);
  });

  it('counts a sleep in full and makes up for pauses at twice the speed meanwhile', () => {
    const { host, at, time } = running();
    at(105);
    host.ms += 40;
    time.slept();
    expect(time.now() / 1e6).toBe(5 + 80);
    expect(time.behindMs).toBe(60);
    host.ms += 1000;
    time.slept();
    expect(time.now() / 1e6).toBe(1145);
  });

  it('asks for shorter sleeps while it is behind', () => {
    const { at, time } = running();
    at(105);
    expect(time.hostMsUntil(15e6)).toBe(5);
    expect(time.hostMsUntil(1005e6)).toBe(900);
  });

  it('does not take a stop for a pause', () => {
    const { host, at, time } = running();
    at(4);
    time.pause();
    host.ms += 1000;
    time.resume();
    expect([at(1006), time.behindMs]).toEqual([6, 0]);
  });
});

describe('CountedTime', () => {
  it('moves with instructions and skips to a deadline when halted, never back', () => {
    const time = new CountedTime(2);
    time.advance(50);
    expect(time.now()).toBe(100);
    expect(time.instructionsUntil(107)).toBe(4);
    time.skipTo(1000);
    time.skipTo(500);
    expect(time.now()).toBe(1000);
  });
});
