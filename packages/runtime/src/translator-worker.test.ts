import { spawnWorker, workerUrl } from '@vmm/bus/node';
import type { WorkerHandle } from '@vmm/bus/control';
import { afterEach, describe, expect, it } from 'vitest';
import { Machine } from './machine.ts';
import { multibootKernel } from './multiboot.testing.ts';
import type { MachineExit } from './machine-events.ts';
import { resolveOptions } from './options.ts';
import type { Place } from './options.ts';

const TURNS = 4000;
/** Many turns of some loops, then their sum is written to the debug console and the machine ends. */
const KERNEL = multibootKernel(`
    mov ebp, ${TURNS}
again:
    mov ecx, 10000
one: add eax, ecx
    rol eax, 3
    dec ecx
    jnz one
    call other
    dec ebp
    jnz again
    and al, 0x3f
    add al, 0x40
    out 0xe9, al
    jmp end
other:
    mov ecx, 10000
two: xor eax, ecx
    imul eax, eax, 1664525
    dec ecx
    jnz two
    ret
end:`);

let machine: Machine | undefined;
afterEach(async () => { await machine?.close(); });

interface Outcome { readonly exit: MachineExit; readonly debug: string; readonly regions: number; readonly warnings: readonly string[] }

async function run(translator: Place, engine: 'bare' | 'interpreter' = 'bare', onTranslator?: (worker: WorkerHandle) => void): Promise<Outcome> {
  const spawn = (module: string) => (name: string): WorkerHandle => spawnWorker(workerUrl(module, import.meta.url), { name });
  const made = machine = new Machine(resolveOptions({ memory: '16M', engine, placement: { translator }, boot: { kernel: KERNEL } }, 2, ['default32']), {
    spawnVcpu: spawn('vcpu.worker.node'), spawnConsole: spawn('console.worker.node'),
    spawnTranslator: (name) => {
      const worker = spawn('translator.worker.node')(name);
      onTranslator?.(worker);
      return worker;
    },
  });
  let debug = '';
  const warnings: string[] = [];
  made.events.on('debug', (bytes) => { debug += new TextDecoder().decode(Uint8Array.from(bytes)); });
  made.events.on('degraded', ({ message }) => { warnings.push(message); });
  await made.start();
  const exit = await made.exited, { counters } = await made.state();
  return { exit, debug, regions: counters['regions'] ?? 0, warnings };
}

describe('the translator worker', { timeout: 60_000 }, () => {
  it('makes regions for a guest that gives the same result as on the vCPU\'s thread', async () => {
    const here = await run('vcpu'), there = await run('worker');
    expect(there).toEqual({ ...here, regions: there.regions });
    expect([there.exit.reason, there.warnings]).toEqual(['debug-exit', []]);
    expect(there.regions).toBeGreaterThan(0);
  });

  it('may die: the machine says so and makes its own', async () => {
    const { exit, regions, warnings } = await run('worker', 'bare', (worker) => { void worker.terminate(); });
    expect([exit.reason, warnings.length]).toEqual(['debug-exit', 1]);
    expect(warnings[0]).toContain('translator');
    expect(regions).toBeGreaterThan(0);
  });

  it('is not started for an interpreted guest', async () => {
    let isStarted = false;
    await run('worker', 'interpreter', () => { isStarted = true; });
    expect(isStarted).toBe(false);
  });
});
