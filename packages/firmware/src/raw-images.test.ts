import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ADDRESS } from './address-map.ts';
import { BIOS_LISTING, readListing } from './bios-services.ts';
import { detectKernelFormat, loadKernel } from './load-kernel.ts';
import { hasProgram } from './oracle.testing.ts';
import { PlainMemory } from './plain-memory.testing.ts';
import { loadFlat, loadRom } from './raw-images.ts';

describe('a boot sector', () => {
  const sector = new Uint8Array(512);
  sector.set([0xeb, 0xfe]);
  sector.set([0x55, 0xaa], 510);

  it('starts at 7C00H in real mode, drive in DL, stack below it', () => {
    const memory = new PlainMemory(2);
    expect(detectKernelFormat(sector)).toBe('boot-sector');
    expect(loadKernel(memory, { kernel: sector })).toMatchObject({ mode: 'real', rip: 0x7c00, rsp: 0x7c00, registers: { rdx: 0x80 }, segments: { cs: { selector: 0, base: 0 } } });
    expect(memory.u16(0x7c00)).toBe(0xfeeb);
  });

  it('finds interrupt vectors, conventional memory size and COM1 where a BIOS leaves them', () => {
    const memory = new PlainMemory(2);
    loadFlat(memory, { bytes: sector });
    expect([memory.u16(0x413), memory.u16(0x400)]).toEqual([639, 0x3f8]);
    for (const vector of [0, 0x10, 0x13, 0x15, 0xff]) expect(memory.u16(vector * 4 + 2)).toBe(0xf000);
  });

  it('may be any code below the EBDA', () => {
    expect(loadFlat(new PlainMemory(2), { bytes: sector, address: 0x2_0000 })).toMatchObject({ rip: 0, segments: { cs: { selector: 0x2000 } } });
    expect(() => loadFlat(new PlainMemory(2), { bytes: new Uint8Array(0xa_0000) })).toThrow(expect.objectContaining({ code: 'IMAGE_TOO_LARGE' }));
  });
});

describe('a ROM', () => {
  it('ends at 4 GiB and shows its last 128 KiB below 1 MiB', () => {
    const rom = Uint8Array.from({ length: 0x4_0000 }, (_, index) => index >> 16);
    const memory = new PlainMemory(2);
    const written: number[] = [];
    expect(loadRom(memory, rom, (gpa, bytes) => { written.push(gpa, bytes.length); })).toEqual({ base: 0xfffc_0000 });
    expect(written).toEqual([0xfffc_0000, 0x4_0000]);
    expect([memory.u8(0xd_ffff), memory.u8(0xe_0000), memory.u8(0xf_ffff)]).toEqual([0, 2, 3]);
  });

  it('is a multiple of 64 KiB', () => {
    expect(() => loadRom(new PlainMemory(2), new Uint8Array(1000), () => undefined)).toThrow(expect.objectContaining({ code: 'IMAGE_INVALID' }));
  });
});

describe('the BIOS services', () => {
  const { bytes, labels } = readListing(BIOS_LISTING);

  it('fit their place', () => {
    expect(bytes.length).toBeLessThan(0x800);
    expect(labels.get('default')).toBe(0);
    expect(ADDRESS.BIOS).toBe(0xf_0000);
  });

  it.skipIf(!hasProgram('objdump'))('have the bytes their listing claims (skipped without objdump, package binutils)', () => {
    const folder = mkdtempSync(join(tmpdir(), 'vmm-bios-'));
    try {
      writeFileSync(join(folder, 'bios.bin'), Uint8Array.from(bytes));
      const { stdout } = spawnSync('objdump', ['-D', '-b', 'binary', '-m', 'i8086', '-M', 'intel', '-w', join(folder, 'bios.bin')], { encoding: 'utf8' });
      const disassembled = [...stdout.matchAll(/^ +([0-9a-f]+):\t([0-9a-f ]+)\t(\S+)/gm)].map((m) => `${m[1]} ${m[2]!.trim()} ${m[3]}`);
      const listed = [...BIOS_LISTING.matchAll(/^ {4}0*([0-9a-f]+) {2}((?:[0-9a-f]{2} )+) *(\S+)/gm)].map((m) => `${m[1]} ${m[2]!.trim()} ${m[3]}`);
      expect(listed).toEqual(disassembled);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
