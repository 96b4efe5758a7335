import { obtainGuest } from '@vmm/guests';
import { createMachine } from '@vmm/runtime';
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';

const WATCH_MS = 10_000;

/** The promise: a guest that waits at its prompt costs next to nothing. */
it('an idle shell uses at most 3 % of a core', async () => {
  const guest = await obtainGuest('linux-cloud-amd64');
  const machine = createMachine({ boot: { kernel: await readFile(guest.kernel), initrd: await readFile(guest.initrd), commandLine: guest.append } });
  let text = '';
  const prompt = new Promise<void>((resolve) => {
    machine.serial.onData((data) => {
      text += new TextDecoder().decode(data);
      if (text.includes('root@')) resolve();
    });
  });
  try {
    await machine.start();
    await prompt;
    await new Promise((resolve) => { setTimeout(resolve, 3000); });
    const before = process.cpuUsage();
    await new Promise((resolve) => { setTimeout(resolve, WATCH_MS); });
    const { user, system } = process.cpuUsage(before);
    const share = (user + system) / 1000 / WATCH_MS;
    console.log(`idle: ${(share * 100).toFixed(2)} % of a core, ${Math.round(process.memoryUsage.rss() / 2 ** 20)} MiB resident`);
    expect(share).toBeLessThan(0.03);
  } finally {
    await machine.close();
  }
});
