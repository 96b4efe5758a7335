import { createMachine } from '@vmm/runtime';
import type { Machine } from '@vmm/runtime';
import { obtainGuest } from '@vmm/guests';
import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { getPriority } from 'node:os';
import { describe, expect, it } from 'vitest';
import { VmmRun, vmm } from './vmm.ts';

/** Name and nice value of each thread of a process. */
function threadsOf(pid: number): (readonly [string, number])[] {
  return readdirSync(`/proc/${pid}/task`).map((id) => [readFileSync(`/proc/${pid}/task/${id}/comm`, 'latin1').trim(), getPriority(Number(id))] as const);
}

/** The promise: unmodified kernels reach a shell, and the shell works. */
const SCRIPT = 'uname -a; cat /proc/cpuinfo; dmesg | tail; ls /; poweroff\n';
/** The first one with its serial port in a worker; the last one with all the memory a machine can have: its upper part lies where 32-bit signed addresses end. */
const GUESTS = [['linux-i386', 'i686', ['--placement', 'serial=worker']], ['linux-amd64', 'x86_64', []], ['linux-cloud-amd64', 'x86_64', ['--memory', '3G']]] as const;

function expectTranscript(text: string, machine: string): void {
  expect(text).toMatch(new RegExp(`^Linux linux-\\S+ 6\\.1\\.0-\\S+ #1 SMP .* ${machine} GNU/Linux\\r$`, 'm'));
  expect(text).toMatch(/^processor\t: 0\r$/m);
  expect(text).toMatch(/^model name\t: VMM virtual CPU\r$/m);
  expect(text).toMatch(/^bin .*proc .*sys .*tmp\r$/m);
  expect(text).toMatch(/reboot: Power down/);
}

describe('vmm run', () => {
  it.each(GUESTS)('boots %s to a shell, runs a script piped into it and exits with 0', async (guest, machine, options) => {
    const { code, stdout, stderr } = await vmm(['run', '--guest', guest, ...options], { input: SCRIPT });
    expectTranscript(stdout, machine);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });
});

describe('nano', () => {
  it('walks through every mode, answers at its monitor, resets and powers off', async () => {
    const run = new VmmRun(['run', '--guest', 'nano']);
    let at = await run.expect(/real mode[^]*long mode[^]*nano> /);
    run.type('cpuid\r');
    at = await run.expect(/756e6547[^]*nano> /, at);
    run.type('reboot\r');
    await run.expect(/long mode[^]*nano> /, at);
    run.type('off\r');
    expect(await run.exited).toBe(0);
  });

  it('runs the same, to the instruction, on a counted clock with either engine', async () => {
    const runs = [];
    for (const engine of ['bare', 'bare', 'interpreter']) {
      const run = new VmmRun(['run', '--guest', 'nano', '--engine', engine, '--clock', 'instructions=100000000', '--stats']);
      await run.expect(/nano> /);
      run.type('off\r');
      expect(await run.exited).toBe(0);
      runs.push({ output: run.stdout, instructions: /^instructions \d+$/m.exec(run.stderr)?.[0] });
    }
    expect(runs[0]?.instructions).toBeDefined();
    expect(runs[1]).toEqual(runs[0]);
    expect(runs[2]).toEqual(runs[0]);
  });

  it.runIf(process.platform === 'linux')('runs before V8\'s compiler threads', async () => {
    const run = new VmmRun(['run', '--guest', 'nano']);
    await run.expect(/nano> /);
    const niceOf = threadsOf(run.child.pid ?? 0), of = (name: string): number[] => niceOf.filter(([each]) => each.includes(name)).map(([, nice]) => nice);
    run.type('fault triple\r');
    await run.exited;
    expect(Math.min(...of('V8Worker'))).toBeGreaterThan(Math.max(...of('vcpu')));
    expect(of('vcpu')).toHaveLength(1);
  });

  it('ends with a triple fault when it is asked for one', async () => {
    const run = new VmmRun(['run', '--guest', 'nano']);
    await run.expect(/nano> /);
    run.type('fault triple\r');
    expect(await run.exited).toBe(4);
    expect(run.stderr).toMatch(/triple-faulted[^]*mode long[^]*last instructions:/);
  });
});

describe('the API', () => {
  it('runs a 32-bit and a 64-bit guest at once in one process', async () => {
    const transcripts = await Promise.all([bootByApi('linux-i386'), bootByApi('linux-cloud-amd64')]);
    expectTranscript(transcripts[0], 'i686');
    expectTranscript(transcripts[1], 'x86_64');
  });
});

describe('the older entries of the Linux boot protocol', () => {
  it.each([['linux-i386', 16], ['linux-amd64', 16], ['linux-amd64', 32]] as const)('start %s from its %i-bit entry', async (name, entry) => {
    const guest = await obtainGuest(name);
    const machine = createMachine({ memory: '128M', boot: { kernel: await readFile(guest.kernel), commandLine: 'earlyprintk=serial,ttyS0', entry } });
    const text = collect(machine);
    const hasSpoken = new Promise<void>((resolve) => { machine.serial.onData(() => { if (/Linux version 6\.1[^]*bootconsole/.test(text())) resolve(); }); });
    try {
      await machine.start();
      await hasSpoken;
      expect(text()).toMatch(/BIOS-e820: \[mem 0x0000000000100000-0x0000000007ffffff\] usable/);
    } finally {
      await machine.close();
    }
  });
});

async function bootByApi(name: string): Promise<string> {
  const guest = await obtainGuest(name);
  const machine = createMachine({
    name, memory: '256M', boot: { kernel: await readFile(guest.kernel), initrd: await readFile(guest.initrd), commandLine: guest.append },
  });
  const text = collect(machine);
  try {
    await machine.start();
    void machine.serial.write(SCRIPT);
    expect(await machine.exited).toEqual({ reason: 'poweroff' });
    return text();
  } finally {
    await machine.close();
  }
}

function collect(machine: Machine): () => string {
  const decoder = new TextDecoder();
  let text = '';
  machine.serial.onData((data) => { text += decoder.decode(data, { stream: true }); });
  return () => text;
}
