import { afterEach, describe, expect, it } from 'vitest';
import { VmmError } from '@vmm/spec';
import { connect, WorkerDied } from './control/index.ts';
import type { Supervised, WorkerHandle } from './control/index.ts';
import { spawnWorker, workerUrl } from './host.node.ts';
import { closeRing, createRing } from './ring-layout.ts';
import { RingConsumer } from './ring-consumer.ts';
import { RingProducer } from './ring-producer.ts';
import type { TestWorker } from './workers.testing.ts';

let worker: WorkerHandle;
function start(): Supervised<TestWorker> {
  worker = spawnWorker(workerUrl('workers.testing', import.meta.url), { name: 'tester' });
  return connect<TestWorker>(worker);
}
afterEach(() => worker.terminate());

describe('supervised control', () => {
  it('answers calls', async () => {
    expect(await start().add(2, 3)).toBe(5);
  });

  it('carries a VmmError with its code and hint', async () => {
    const error = await start().refuse().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(VmmError);
    expect(error).toMatchObject({ code: 'STATE_INVALID', message: 'Cannot start twice', hint: 'Stop it first.' });
  });

  it.each([
    ['throws outside a call', 'crashLater', 'Lost worker tester: the reactor is on fire'],
    ['exits', 'exit', 'Lost worker tester: it exited with code 3'],
  ] as const)('rejects every outstanding and later call when the worker %s', async (_, method, message) => {
    const remote = start();
    const calls = await Promise.allSettled([remote.hang(), remote[method]()]);
    for (const call of calls) expect(call).toMatchObject({ status: 'rejected', reason: { code: 'WORKER_LOST', message } });
    await expect(remote.add(1, 1)).rejects.toBeInstanceOf(WorkerDied);
  });

  it('rejects when the worker is terminated by its owner', async () => {
    const remote = start();
    await remote.add(0, 0);
    const [call] = await Promise.allSettled([remote.hang(), worker.terminate()]);
    expect(call).toMatchObject({ status: 'rejected', reason: { workerName: 'tester', message: 'Lost worker tester: it was terminated' } });
  });
});

describe('rings between threads', () => {
  it('carry 20,000 records there and back, both ends sleeping', async () => {
    const remote = start();
    const [there, back] = [createRing(4096), createRing(4096)];
    const echo = remote.echo(there, back);
    const producer = new RingProducer(there);
    const consumer = new RingConsumer(back);
    let sent = 0;
    let received = 0;
    while (received < 20_000) {
      while (sent < 20_000 && producer.begin(1, 4)) producer.words[producer.at >> 2] = sent++;
      producer.publish();
      while (consumer.next()) expect(consumer.words[consumer.at >> 2]).toBe(received++);
      await consumer.waitAsync(100);
    }
    closeRing(there);
    expect(await echo).toBe(20_000);
  });
});
