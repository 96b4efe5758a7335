import { afterEach, describe, expect, it } from 'vitest';
import { spawnWorker, workerUrl } from '@vmm/bus/node';
import type { WorkerHandle } from '@vmm/bus/control';
import { Machine } from './machine.ts';
import { resolveOptions } from './options.ts';
import type { MachineOptions } from './options.ts';

const machines: Machine[] = [];
const workers: WorkerHandle[] = [];
afterEach(async () => {
  await Promise.all(machines.splice(0).map((machine) => machine.close()));
  workers.length = 0;
});

/** A machine whose guest is a list of words (see `fake-engine.testing.ts`). */
function machineOf(words: string, options: Omit<MachineOptions, 'boot'> = {}): Machine {
  const config = resolveOptions({ memory: '4M', placement: {}, ...options, boot: { kernel: new TextEncoder().encode(words) } }, 2, ['default64']);
  const spawn = (module: string) => (name: string) => {
    const worker = spawnWorker(workerUrl(module, import.meta.url), { name });
    workers.push(worker);
    return worker;
  };
  const machine = new Machine(config, { spawnVcpu: spawn('vcpu.worker.testing'), spawnConsole: spawn('console.worker.node'), spawnTranslator: spawn('translator.worker.node') });
  machines.push(machine);
  return machine;
}

function output(machine: Machine): () => string {
  const decoder = new TextDecoder();
  let text = '';
  machine.serial.onData((data) => { text += decoder.decode(data); });
  return () => text;
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 300 && !condition(); i++) await new Promise((resolve) => { setTimeout(resolve, 10); });
  expect(condition()).toBe(true);
}

const PLACES = ['vcpu', 'worker'] as const;

describe('Machine', () => {
  it.each(PLACES)('delivers all serial output before it says that the guest powered off (serial in %s)', async (serial) => {
    const machine = machineOf('print:hello print:world poweroff', { placement: { serial } });
    const text = output(machine);
    await machine.start();
    expect(await machine.exited).toEqual({ reason: 'poweroff' });
    expect(text()).toBe('hello\nworld\n');
  });

  it.each(PLACES)('types into the guest and hears it answer (serial in %s)', async (serial) => {
    const machine = machineOf('echo poweroff', { placement: { serial } });
    const text = output(machine);
    await machine.start();
    await machine.serial.write('hello');
    await until(() => text() === 'hello');
    await machine.serial.write(' again q');
    await machine.exited;
    expect(text()).toBe('hello again ');
  });

  it.each(PLACES)('holds what is typed until the guest listens (serial in %s)', async (serial) => {
    const machine = machineOf('clear-fifo timer clear-fifo echo poweroff', { placement: { serial } });
    const text = output(machine);
    void machine.serial.write('early q');
    await machine.start();
    await machine.exited;
    expect(text().slice(-6)).toBe('early ');
  });

  it('gives serial output as an async iterable that ends with the machine', async () => {
    const machine = machineOf('print:one poweroff');
    const chunks: string[] = [];
    const reading = (async () => { for await (const chunk of machine.serial) chunks.push(new TextDecoder().decode(chunk)); })();
    await machine.start();
    await reading;
    expect(chunks.join('')).toBe('one\n');
  });

  it('wakes an idle guest for its timer', async () => {
    const machine = machineOf('timer poweroff');
    const text = output(machine);
    const startMs = performance.now();
    await machine.start();
    await machine.exited;
    expect(text()).toBe('tick1\ntick2\ntick3\ntick4\ntick5\n');
    expect(performance.now() - startMs).toBeGreaterThan(40);
  });

  it('lets counted time jump over idle time', async () => {
    const machine = machineOf('timer poweroff', { clock: { instructionsPerSecond: 1e8 } });
    await machine.start();
    await machine.exited;
    const state = await machine.state().catch(() => undefined);
    expect(state?.virtualTimeNs).toBeCloseTo(40e6, -5);
  });

  it('stops a guest that spins with interrupts off within 100 ms', async () => {
    const machine = machineOf('spin');
    await machine.start();
    const startMs = performance.now();
    expect(await machine.stop()).toEqual({ reason: 'stopped' });
    expect(performance.now() - startMs).toBeLessThan(100);
  });

  it('stops an idle, a paused and a machine that never ran, and twice', async () => {
    for (const words of ['idle', 'halt']) {
      const machine = machineOf(words);
      await machine.start();
      expect(await machine.stop()).toEqual({ reason: 'stopped' });
      expect(await machine.stop()).toEqual({ reason: 'stopped' });
    }
    const paused = machineOf('spin');
    await paused.start();
    await paused.pause();
    expect(await paused.stop()).toEqual({ reason: 'stopped' });
    expect(await machineOf('spin').stop()).toEqual({ reason: 'stopped' });
  });

  it('stands still while it is paused', async () => {
    const machine = machineOf('spin');
    await machine.start();
    while ((await machine.state()).instructions === 0) { /* it has hardly begun */ }
    await machine.pause();
    const [first, second] = [await machine.state(), await machine.state()];
    expect(first.instructions).toBeGreaterThan(0);
    expect(second).toEqual(first);
    expect(first.status).toBe('paused');
    await machine.resume();
    expect(machine.status).toBe('running');
    while ((await machine.state()).instructions === first.instructions) { /* it goes on, or the test times out */ }
  });

  it('resets when the guest asks for it, loads the kernel again and goes on', async () => {
    const machine = machineOf('print:boot reset-once poweroff');
    const text = output(machine);
    const causes: string[] = [];
    machine.events.on('reset', ({ cause }) => { causes.push(cause); });
    await machine.start();
    expect(await machine.exited).toEqual({ reason: 'poweroff' });
    expect([text(), causes]).toEqual(['boot\nboot\n', ['port 0xCF9']]);
  });

  it('ends at a reset, or resets at a triple fault, when told so', async () => {
    const ending = machineOf('reset-once poweroff', { onReset: 'stop' });
    await ending.start();
    expect(await ending.exited).toEqual({ reason: 'reset' });
    const going = machineOf('triple-once poweroff', { onTripleFault: 'reset' });
    await going.start();
    expect(await going.exited).toEqual({ reason: 'poweroff' });
  });

  it('reports a triple fault with registers and the last instructions', async () => {
    const machine = machineOf('print:x triple');
    await machine.start();
    expect(await machine.exited).toEqual({ reason: 'triple-fault', dump: { registers: { rip: '0x1234' }, mode: 'fake', recent: ['0x1234  ud2'] } });
  });

  it('says when nothing can end a halt', async () => {
    const machine = machineOf('halt');
    const halted = machine.events.once('halted');
    await machine.start();
    expect(await halted).toMatchObject({ mode: 'fake' });
  });

  it('refuses to start with a bad image and leaves nothing running', async () => {
    const machine = machineOf('invalid');
    await expect(machine.start()).rejects.toMatchObject({ code: 'IMAGE_INVALID', hint: 'Give a bzImage.' });
    expect(machine.status).toBe('stopped');
    for (const worker of workers) expect(worker.died).toBeDefined();
  });

  it.each([
    ['crashes', 'crash', { message: 'the engine is on fire' }],
    ['exits', 'exit', { code: 'WORKER_LOST', message: expect.stringContaining('Lost worker w vcpu0: it exited with code 9') as string }],
  ])('reports a worker that %s', async (_, words, error) => {
    const machine = machineOf(words, { name: 'w' });
    await machine.start();
    expect(await machine.exited).toMatchObject({ reason: 'error', error });
  });

  it.each([['vcpu0', 0], ['console', 1]])('reports a killed %s worker by name', async (name, index) => {
    const machine = machineOf('echo', { name: 'k', placement: { serial: 'worker' } });
    await machine.start();
    await workers[index]?.terminate();
    expect(await machine.exited).toMatchObject({ reason: 'error', error: { code: 'WORKER_LOST', workerName: `k ${name}` } });
    for (const worker of workers) expect(worker.died).toBeDefined();
  });

  it('runs two machines at once, each with its own line', async () => {
    const [a, b] = [machineOf('echo poweroff'), machineOf('echo poweroff')];
    const [textA, textB] = [output(a), output(b)];
    await Promise.all([a.start(), b.start()]);
    await Promise.all([a.serial.write('aaa'), b.serial.write('bbb')]);
    await until(() => textA() === 'aaa' && textB() === 'bbb');
    await a.stop();
    await b.serial.write('more');
    await until(() => textB() === 'bbbmore');
  });

  it('refuses a profile that nobody asked for', async () => {
    const machine = machineOf('spin');
    await machine.start();
    await expect(machine.profile()).rejects.toThrow('no samples were taken');
  });
});
