/** Runs one guest in v86: folder of the npm package, folder of the BIOS images, the boot as JSON. */
import { readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Boot } from './suites.ts';

interface Emulator {
  add_listener(event: 'serial0-output-byte', listener: (byte: number) => void): void;
  serial0_send(text: string): void;
}

const [folder = '', bios = '', json = ''] = process.argv.slice(2);
const boot = JSON.parse(json) as Boot;
const { V86 } = await import(pathToFileURL(join(folder, 'build/libv86.mjs')).href) as { V86: new (options: object) => Emulator };
const file = (path: string): { buffer: ArrayBuffer } => ({ buffer: new Uint8Array(readFileSync(path)).buffer });

const emulator = new V86({
  wasm_path: join(folder, 'build/v86.wasm'), memory_size: boot.memoryMib * 2 ** 20, vga_memory_size: 2 * 2 ** 20,
  bios: file(join(bios, 'bios.bin')), vga_bios: file(join(bios, 'vgabios-stdvga.bin')),
  ...(boot.kind === 'multiboot' ? { multiboot: file(boot.kernel) } : { bzimage: file(boot.kernel), cmdline: boot.commandLine }),
  ...(boot.initrd === undefined ? {} : { initrd: file(boot.initrd) }),
  autostart: true, disable_keyboard: true, disable_mouse: true, disable_speaker: true,
});
// a byte at a time and at once: the reader's clock must see each line when it is complete, prompts without an end too
emulator.add_listener('serial0-output-byte', (byte) => { writeSync(1, Uint8Array.of(byte)); });
process.stdin.on('data', (data: Buffer) => { emulator.serial0_send(data.toString('latin1')); });
