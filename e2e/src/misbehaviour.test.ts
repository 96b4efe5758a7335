import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { obtainGuest } from '@vmm/guests';
import { createMachine } from '@vmm/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXITS, FLOODS, HALTS, RESETS, SPINS, TRIPLE_FAULTS } from './boot-sectors.ts';
import { VmmRun, vmm } from './vmm.ts';

/** The promise: whatever the input or the guest, one line, a hint, the documented exit code, and nothing left running. */
let folder: string;
let kernel: string;
const path = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vmm-e2e-'));
  kernel = (await obtainGuest('linux-amd64')).kernel;
  for (const [name, bytes] of Object.entries({ SPINS, HALTS, TRIPLE_FAULTS, EXITS, FLOODS, RESETS })) writeFileSync(path(name), bytes);
  const bytes = readFileSync(kernel);
  writeFileSync(path('truncated'), bytes.subarray(0, 100_000));
  const corrupt = Buffer.from(bytes);
  corrupt.fill(0, 0x1f1, 0x300);
  writeFileSync(path('corrupt'), corrupt);
  writeFileSync(path('huge-initrd'), '');
  truncateSync(path('huge-initrd'), 80 << 20);
});
afterAll(() => { rmSync(folder, { recursive: true }); });

describe('bad input', () => {
  it.each([
    ['a kernel that is not there', () => ['--kernel', path('nothing')], 3],
    ['an unknown option', () => ['--kernal', kernel], 2],
    ['an option with a wrong value', () => ['--cpu', 'z80'], 2],
    ['an unreadable configuration', () => ['--config', path('nothing.json')], 2],
    ['an entry that the kernel does not have', () => ['--guest', 'nano', '--entry', '16'], 3],
    ['a truncated kernel', () => ['--kernel', path('truncated')], 3],
    ['a corrupt kernel', () => ['--kernel', path('corrupt')], 3],
    ['a 64-bit kernel on a 32-bit CPU', () => ['--kernel', kernel, '--cpu', 'default32'], 3],
    ['an initrd larger than the memory', () => ['--kernel', kernel, '--initrd', path('huge-initrd'), '--memory', '128M'], 3],
    ['memory too small for the kernel', () => ['--kernel', kernel, '--memory', '4M'], 2],
    ['memory below the limit', () => ['--kernel', kernel, '--memory', '2M'], 2],
    ['memory above the limit', () => ['--kernel', kernel, '--memory', '4G'], 2],
  ])('%s is refused in one line', async (_, args, code) => {
    const outcome = await vmm(['run', ...args()]);
    expect(outcome).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(/^vmm: [^\n]+\n {2}[^\n]+\n$/) as string });
  });
});

describe('a guest that', () => {
  it('triple-faults is described: reason, registers, last instructions', async () => {
    const { code, stderr } = await vmm(['run', '--kernel', path('TRIPLE_FAULTS')]);
    expect(code).toBe(4);
    expect(stderr).toMatch(/triple-faulted/);
    expect(stderr).toMatch(/rip=0x7c05/);
    expect(stderr).toMatch(/last instructions:\n(?:.*\n)*.*ud2/);
  });

  it('halts for ever ends the command', async () => {
    expect(await vmm(['run', '--kernel', path('HALTS')])).toMatchObject({ code: 7, stderr: expect.stringContaining('halted for ever') as string });
  });

  it('writes to the debug-exit port ends it with that code', async () => {
    expect(await vmm(['run', '--kernel', path('EXITS')])).toMatchObject({ code: 0x21 });
  });

  it('resets ends it under --no-reboot', async () => {
    expect(await vmm(['run', '--kernel', path('RESETS'), '--no-reboot'])).toMatchObject({ code: 0, stderr: '' });
  });

  it.each(['SPINS', 'FLOODS'] as const)('%s is stopped within 100 ms', async (name) => {
    const machine = createMachine({ memory: '4M', boot: { kernel: readFileSync(path(name)) } });
    await machine.start();
    await new Promise((resolve) => { setTimeout(resolve, 200); });
    const startMs = performance.now();
    expect(await machine.stop()).toEqual({ reason: 'stopped' });
    expect(performance.now() - startMs).toBeLessThan(100);
  });

  it('floods a reader that has gone away ends the command', async () => {
    const run = new VmmRun(['run', '--kernel', path('FLOODS')]);
    await run.expect(/A{1000}/);
    run.child.stdout?.destroy();
    expect(await run.exited).toBe(141);
  });
});

describe('Ctrl-C', () => {
  it.each([
    ['while the guest runs', () => ['--kernel', path('SPINS')], 500],
    ['while the program starts', () => ['--kernel', kernel], 150],
    ['while a kernel is being loaded', () => ['--kernel', kernel, '--memory', '1G'], 350],
  ])('%s ends everything with 130', async (_, args, afterMs) => {
    const run = new VmmRun(['run', ...args()]);
    await new Promise((resolve) => { setTimeout(resolve, afterMs); });
    run.child.kill('SIGINT');
    const startMs = performance.now();
    // before the program has installed its handler the signal itself ends it
    expect([130, null]).toContain(await run.exited);
    expect(performance.now() - startMs).toBeLessThan(2000);
  });

  it('of SIGTERM likewise, with 143', async () => {
    const run = new VmmRun(['run', '--kernel', path('FLOODS')]);
    await run.expect(/A/);
    run.child.kill('SIGTERM');
    expect(await run.exited).toBe(143);
  });
});
