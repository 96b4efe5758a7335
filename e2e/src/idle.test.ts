import { obtainGuest } from '@vmm/guests';
import { createMachine } from '@vmm/runtime';
import type { Machine, MachineState } from '@vmm/runtime';
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';

const SETTLE_MS = 3000, WATCH_MS = 8000;
/** A waking kernel executes some ten thousand instructions a second, one that spins a thousand times as many. */
const MOST_INSTRUCTIONS = 1_000_000, MOST_RUNS = 2000, MOST_INTERRUPTS = 300;

const pause = (ms: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, ms); });

/** The promise: a guest that waits at its prompt sleeps. Counted, in what it does a second of its own time; its share of a core is only printed. */
it.each(['linux-cloud-amd64', 'linux-i386'])('%s sleeps at its prompt', async (name) => {
  const machine = await bootToPrompt(name);
  try {
    await pause(SETTLE_MS);
    const before = await machine.state(), cpu = process.cpuUsage();
    await pause(WATCH_MS);
    const { user, system } = process.cpuUsage(cpu), after = await machine.state();
    console.log(`${name}: ${((user + system) / 10 / WATCH_MS).toFixed(2)} % of a core, ${Math.round(process.memoryUsage.rss() / 2 ** 20)} MiB resident`);
    const perSecond = ratesBetween(before, after);
    expect(perSecond.instructions).toBeLessThan(MOST_INSTRUCTIONS);
    expect(perSecond.runs).toBeLessThan(MOST_RUNS);
    expect(perSecond.interrupts).toBeLessThan(MOST_INTERRUPTS);
    expect(perSecond.interrupts).toBeGreaterThan(0); // it sleeps, it is not dead
  } finally {
    await machine.close();
  }
});

async function bootToPrompt(name: string): Promise<Machine> {
  const guest = await obtainGuest(name);
  const machine = createMachine({ boot: { kernel: await readFile(guest.kernel), initrd: await readFile(guest.initrd), commandLine: guest.append } });
  const decoder = new TextDecoder();
  let text = '';
  const prompt = new Promise<void>((resolve) => {
    machine.serial.onData((data) => {
      text += decoder.decode(data, { stream: true });
      if (text.includes('root@')) resolve();
    });
  });
  await machine.start();
  await prompt;
  return machine;
}

function ratesBetween(before: MachineState, after: MachineState): { instructions: number; runs: number; interrupts: number } {
  const seconds = (after.virtualTimeNs - before.virtualTimeNs) / 1e9;
  const rate = (counter: string): number => ((after.counters[counter] ?? NaN) - (before.counters[counter] ?? NaN)) / seconds;
  return { instructions: (after.instructions - before.instructions) / seconds, runs: rate('runs'), interrupts: rate('interrupts') };
}
