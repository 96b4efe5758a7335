import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { detectKernelFormat } from '@vmm/firmware';
import { createMachine } from '@vmm/runtime';
import { COMMANDS, nanoKernel } from './index.ts';
import { hasProgram } from './oracle.testing.ts';

/** Same on every correct processor: QEMU's TCG in both widths gave them too. */
const CHECKSUMS: Readonly<Record<string, string>> = {
  alu: 'bf333d88', branch: '0008a95c', call: '0000b520', muldiv: '003cc456', memory: 'b5cdc439', string: '00150c80', x87: '16a09e66', interrupt: '000186a0',
};

function checksumsIn(output: string): Record<string, string> {
  return Object.fromEntries([...output.matchAll(/^(\w+) +\d+ [^:\n]*: checksum ([0-9a-f]{8}),/gm)].map((match): [string, string] => [match[1]!, match[2]!]));
}

interface Outcome { readonly output: string; readonly reason: string }

async function runHere(commandLine: string, cpu?: string): Promise<Outcome> {
  const machine = createMachine({ memory: '8M', boot: { kernel: nanoKernel(), commandLine }, ...(cpu === undefined ? {} : { cpu }) });
  const decoder = new TextDecoder();
  let output = '';
  machine.serial.onData((data) => { output += decoder.decode(new Uint8Array(data)); });
  const exit = new Promise<string>((resolve) => { machine.events.on('exit', ({ reason }) => { resolve(reason); }); });
  try {
    await machine.start();
    const reason = await exit;
    return { output: output.replaceAll('\r', ''), reason };
  } finally {
    await machine.close();
  }
}

describe('nano', () => {
  it('is a multiboot image', () => {
    expect(detectKernelFormat(nanoKernel())).toBe('multiboot1');
  });

  it('gives every caller bytes of its own', () => {
    nanoKernel().fill(0);
    expect(detectKernelFormat(nanoKernel())).toBe('multiboot1');
  });
});

describe('nano on our own machine', () => {
  it('walks through every mode, reports the machine and powers off', async () => {
    const { output, reason } = await runHere('run=off');
    expect(output).toMatch(/started by the loader\nreal mode .*A20 open\nprotected mode .*\npaging .*\nlong mode /);
    expect(output).toMatch(/^cpu +\w{12} /m);
    expect(output).toMatch(/0000000000100000-00000000007fffff RAM/);
    expect(output).toMatch(/^pci +00:00\.0 [0-9a-f]{4}:[0-9a-f]{4} class 0600/m);
    expect(output).toMatch(/^timers +kHz by the PIT: tsc [1-9]\d+, pm timer [1-9]\d+, lapic [1-9]\d+/m);
    expect(reason).toBe('poweroff');
  }, 60_000);

  it.each([['x86-64-v2', /^long mode {8}64-bit/m], ['pentium3', /^long mode {8}this CPU has none/m]])('computes the right checksums as %s', async (cpu, mode) => {
    const { output } = await runHere('run=bench;off', cpu);
    expect(output).toMatch(mode);
    expect(checksumsIn(output)).toEqual(CHECKSUMS);
  }, 120_000);

  it('comes back from every exception with a report', async () => {
    const { output } = await runHere('run=fault de;fault ud;fault gp;fault pf;fault df;help;off');
    expect([...output.matchAll(/^#(\w\w) [^:]*: error ([0-9a-f]{8})/gm)].map((match) => match.slice(1)))
      .toEqual([['DE', '00000000'], ['UD', '00000000'], ['GP', '0000fff8'], ['PF', '00000000'], ['DF', '00000000']]);
    expect(output).toMatch(/cr2 0*deadbeef/);
    for (const { usage } of COMMANDS) expect(output).toContain(usage);
  }, 60_000);

  it('triple-faults when told to', async () => {
    expect((await runHere('run=fault triple')).reason).toBe('triple-fault');
  }, 60_000);
});

describe.skipIf(!hasProgram('qemu-system-x86_64'))('nano on QEMU (skipped without qemu-system-x86_64)', () => {
  it.each(['qemu64', 'pentium3'])('computes the same checksums on -cpu %s', async (cpu) => {
    expect(checksumsIn(await runOnQemu(cpu, 'run=bench;off'))).toEqual(CHECKSUMS);
  }, 60_000);
});

async function runOnQemu(cpu: string, commandLine: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'vmm-nano-'));
  try {
    const image = join(folder, 'nano.bin');
    writeFileSync(image, nanoKernel());
    const args = ['-accel', 'tcg', '-cpu', cpu, '-m', '16', '-display', 'none', '-serial', 'stdio', '-monitor', 'none', '-no-reboot', '-kernel', image, '-append', commandLine];
    const child = spawn('qemu-system-x86_64', args, { stdio: ['ignore', 'pipe', 'inherit'], timeout: 50_000 });
    let output = '';
    child.stdout.on('data', (data: Buffer) => { output += data.toString(); });
    await new Promise((resolve) => { child.on('close', resolve); });
    return output.replaceAll('\r', '');
  } finally {
    rmSync(folder, { recursive: true });
  }
}
