import { fileURLToPath } from 'node:url';
import { assemble } from '@vmm/assembler';
import { createMachine } from '@vmm/runtime';
import { describe, expect, it } from 'vitest';
import { CLIFFS, cliffsSource, MEMORY_MIB } from './cliffs.asm.ts';
import type { Cliff } from './cliffs.asm.ts';
import { cliffsImage } from './cliffs.ts';
import { MarkerReader, runGuest } from './markers.ts';

/** The same on QEMU's TCG and on v86. */
const CHECKSUMS: Readonly<Record<string, string>> = { alu: '3b9524c0', modekey: '3d401fc0', code16: '00005529', call: '88896b40', icall: 'a5470480', dcall: 'a06b5500', tlb: '96969a40', cr3: '00004e20' };

async function run(cliffs: readonly Cliff[]): Promise<MarkerReader> {
  const machine = createMachine({ memory: `${MEMORY_MIB}M`, boot: { kernel: assemble(cliffsSource(cliffs)).bytes } });
  const reader = new MarkerReader();
  let text = '';
  machine.serial.onData((data) => { text += String.fromCharCode(...data); });
  try {
    await machine.start();
    await machine.exited;
  } finally {
    await machine.close();
  }
  for (const line of text.split('\r\n')) reader.line(line, 0);
  return reader;
}

describe('the image of cliffs', () => {
  it('computes on our machine what it computes on others', { timeout: 120_000 }, async () => {
    const { rows, isDone } = await run(CLIFFS.filter(({ name }) => name in CHECKSUMS));
    expect(isDone).toBe(true);
    expect(Object.fromEntries(Object.entries(rows).map(([name, { checksum }]) => [name, checksum]))).toEqual(CHECKSUMS);
  });

  it('has loops that plain WebAssembly computes too', async () => {
    const runner = fileURLToPath(new URL('./run-ideal.ts', import.meta.url)), { rows, failure } = await runGuest([process.execPath, runner]);
    expect([failure, Object.keys(rows), rows['alu']?.checksum]).toEqual([undefined, CLIFFS.filter(({ loops }) => loops !== undefined).map(({ name }) => name), CHECKSUMS['alu']]);
  });

  it('fits below its page tables', () => { expect(cliffsImage().length).toBeLessThan(0xf_0000); });
});
