import { VirtualClock } from '@vmm/clock';
import { expect, it } from 'vitest';
import { CallGate } from './call-gate.ts';
import { ControlBlock } from './control-block.ts';
import { RunLoop } from './run-loop.ts';

const LATE_MS = 0.07, RUN_NS = 5000;

/** A halted guest that waits for `deadlineNs`, on a host that wakes up late: what was slept, and when the timer ran. */
async function waitUntil(deadlineNs: number): Promise<{ readonly sleepsMs: number[]; readonly ranAtNs: number }> {
  let now = 0, ranAtNs = -1;
  const sleepsMs: number[] = [], clock = new VirtualClock(() => now);
  class Host extends ControlBlock {
    override sleep(timeoutMs: number): void {
      sleepsMs.push(timeoutMs);
      now += (timeoutMs + LATE_MS) * 1e6;
    }
  }
  const loop = new RunLoop({
    clock, block: new Host(), gate: new CallGate(() => Promise.resolve()), poll: () => false, flush: () => undefined, interruptsEnabled: () => true,
    vcpu: { instructions: 0, run: () => { now += RUN_NS; return ranAtNs < 0 ? 'halt' : 'shutdown'; } },
    time: {
      hostMsUntil: (deadline) => Math.max(0, deadline - now) / 1e6, sliceUntil: () => 1000,
      pause: () => undefined, resume: () => undefined, spent: () => undefined, slept: () => undefined, idle: () => undefined,
    },
  });
  clock.schedule(deadlineNs, () => { ranAtNs = now; });
  expect(await loop.run()).toBe('shutdown');
  return { sleepsMs, ranAtNs };
}

it('sleeps until shortly before a timer and is awake when it is due, though the host wakes late', async () => {
  const { sleepsMs, ranAtNs } = await waitUntil(1e6);
  expect(sleepsMs).toEqual([0.895]);
  expect(ranAtNs).toBeGreaterThanOrEqual(1e6);
  expect(ranAtNs).toBeLessThanOrEqual(1e6 + RUN_NS);
});

it('does not sleep at all for less than a wake-up takes', async () => {
  expect((await waitUntil(80_000)).sleepsMs).toEqual([]);
});

it('never sleeps longer than a second', async () => {
  expect(Math.max(...(await waitUntil(3.5e9)).sleepsMs)).toBeLessThanOrEqual(1000);
});
