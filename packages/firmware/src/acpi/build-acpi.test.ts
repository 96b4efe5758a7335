import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ADDRESS } from '../address-map.ts';
import { hasProgram } from '../oracle.testing.ts';
import { PlainMemory } from '../plain-memory.testing.ts';
import { sumOfBytes } from '../structure-writer.ts';
import { device, eisaId, integer, name, packageOf } from './aml.ts';
import { buildAcpi } from './build-acpi.ts';

describe('the tables', () => {
  const memory = new PlainMemory(2);
  const { rsdp, tables } = buildAcpi(memory, { cpus: 2 });

  it('add up to zero, the RSDP in both its lengths', () => {
    for (const [signature, { address, bytes }] of tables) {
      if (signature !== 'FACS') expect([signature, sumOfBytes(memory.read(address, bytes.length))]).toEqual([signature, 0]);
    }
    expect(sumOfBytes(memory.read(rsdp, 20))).toBe(0);
  });

  it('are found from the RSDP on a paragraph of the BIOS area, by RSDT and by XSDT', () => {
    expect(rsdp % 16).toBe(0);
    expect(rsdp).toBeGreaterThanOrEqual(ADDRESS.ACPI);
    const [rsdt, xsdt] = [memory.u32(rsdp + 16), memory.u64(rsdp + 24)];
    const signature = (address: number): string => String.fromCharCode(...memory.read(address, 4));
    expect([signature(memory.u32(rsdt + 36)), signature(memory.u32(rsdt + 40))]).toEqual(['FACP', 'APIC']);
    expect([signature(memory.u64(xsdt + 36)), signature(memory.u64(xsdt + 44))]).toEqual(['FACP', 'APIC']);
    expect(signature(memory.u32(memory.u32(rsdt + 36) + 40))).toBe('DSDT');
  });

  it('name the power-management ports, the reset register and the SCI', () => {
    const fadt = tables.get('FACP')!.address;
    expect([memory.u16(fadt + 46), memory.u32(fadt + 56), memory.u32(fadt + 64), memory.u32(fadt + 76)]).toEqual([9, 0x600, 0x604, 0x608]);
    expect([memory.u8(fadt + 116), memory.u64(fadt + 120), memory.u8(fadt + 128)]).toEqual([1, 0xcf9, 6]);
    expect(memory.u32(fadt + 48)).toBe(0);
  });

  it('list every processor and route the timer to pin 2', () => {
    const madt = tables.get('APIC')!;
    expect(madt.bytes.slice(44, 60)).toEqual(Uint8Array.of(0, 8, 0, 0, 1, 0, 0, 0, 0, 8, 1, 1, 1, 0, 0, 0));
    expect(madt.bytes.slice(60, 66)).toEqual(Uint8Array.of(1, 12, 2, 0, 0, 0));
    expect(madt.bytes.slice(72, 82)).toEqual(Uint8Array.of(2, 10, 0, 0, 2, 0, 0, 0, 0, 0));
  });

  it.skipIf(!hasProgram('iasl'))('are what ACPICA\'s disassembler reads (skipped without iasl, package acpica-tools)', () => {
    const folder = mkdtempSync(join(tmpdir(), 'vmm-acpi-'));
    try {
      for (const signature of ['DSDT', 'FACP', 'APIC', 'FACS', 'RSDT', 'XSDT']) writeFileSync(join(folder, `${signature}.dat`), tables.get(signature)!.bytes);
      const run = spawnSync('iasl', ['-d', 'DSDT.dat', 'FACP.dat', 'APIC.dat', 'FACS.dat', 'RSDT.dat', 'XSDT.dat'], { cwd: folder, encoding: 'utf8' });
      expect(`${run.stdout}${run.stderr}`).not.toMatch(/error|warning|incorrect|exception|invalid/i);
      const text = (table: string): string => readFileSync(join(folder, `${table}.dsl`), 'utf8');
      expect(text('DSDT')).toMatch(/Name \(\\_S5, Package \(0x04\)[^]*?0x05,\s+0x05,\s+Zero,\s+Zero\s+\}\)/);
      expect(text('DSDT')).toMatch(/Device \(PCI0\)\s+\{\s+Name \(_HID, EisaId \("PNP0A03"\)/);
      expect(text('DSDT')).toMatch(/DWordMemory \(ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,\s+0x00000000,[^\n]*\n\s+0xC0000000/);
      expect(text('DSDT')).toMatch(/Device \(COM1\)[^]*?IO \(Decode16,\s+0x03F8,[^]*?IRQNoFlags \(\)\s+\{4\}/);
      expect(text('FACP')).toMatch(/Reset Register : \[Generic Address Structure\][^]*?Address : 0000000000000CF9/);
      expect(text('APIC')).toMatch(/Interrupt Source Override[^]*?Source : 09[^]*?Polarity : 1[^]*?Trigger Mode : 3/);
      const again = spawnSync('iasl', ['-oa', '-p', 'again', 'DSDT.dsl'], { cwd: folder, encoding: 'utf8' });
      expect(again.stdout).toMatch(/Compilation successful\. 0 Errors/);
      expect(readFileSync(join(folder, 'again.aml')).subarray(36)).toEqual(Buffer.from(tables.get('DSDT')!.bytes.subarray(36)));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('machine language', () => {
  it.each([
    ['zero', integer(0), '00'],
    ['a byte', integer(0x12), '0a 12'],
    ['a word', integer(0x1234), '0b 34 12'],
    ['a double word', integer(0xfee0_0000), '0c 00 00 e0 fe'],
    ['a quad word', integer(0x1_0000_0000), '0e 00 00 00 00 01 00 00 00'],
    ['an EISA id', eisaId('PNP0A03'), '0c 41 d0 0a 03'],
    ['a root name', name('\\_S5', integer(1)), '08 5c 5f 53 35 5f 01'],
    ['a package', packageOf([integer(5), integer(0)]), '12 05 02 0a 05 00'],
    ['an empty device', device('PCI0', []), '5b 82 05 50 43 49 30'],
  ])('encodes %s', (_what, bytes, expected) => {
    expect(bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(' ')).toBe(expected);
  });

  it.each([[0x3e, 1], [0x3f, 2], [0xffd, 2], [0xffe, 3]])('gives a body of %i bytes a length of %i bytes', (bodyBytes, lengthBytes) => {
    const body = Array.from({ length: bodyBytes - 4 }, () => 0);
    expect(device('ABCD', [body]).length).toBe(2 + lengthBytes + bodyBytes);
  });
});
