import { spawnWorker, workerUrl } from '@vmm/bus/node';
import type { WorkerHandle } from '@vmm/bus/control';
import { assemble } from '@vmm/assembler';
import { afterEach, describe, expect, it } from 'vitest';
import { Machine } from './machine.ts';
import type { MachineExit } from './machine-events.ts';
import { resolveOptions } from './options.ts';
import type { Place } from './options.ts';

const LOAD = 0x10_0000, TURNS = 4000;
/** A multiboot image: many turns of some loops, then their sum is written to the debug console and the machine ends. */
const KERNEL = assemble(`
    bits 32
    org ${LOAD}
    dd 0x1badb002, 0x10000, ${-(0x1bad_b002 + 0x1_0000) >>> 0}
    dd ${LOAD}, ${LOAD}, 0, 0, start
start:
    mov esp, 0x90000
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
    mov al, 1
    out 0xf4, al
    jmp $
other:
    mov ecx, 10000
two: xor eax, ecx
    imul eax, eax, 1664525
    dec ecx
    jnz two
    ret
`).bytes;

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
