import { describe, expect, it } from 'vitest';
import { ElfFile } from './elf.ts';

/** A file with .text at 0x401000, a symbol table with one function and one object, and their names. */
function elf(bits: 32 | 64): Uint8Array {
  const wide = bits === 64, bytes = new Uint8Array(0x400), data = new DataView(bytes.buffer);
  const header = wide ? 64 : 52, sectionSize = wide ? 64 : 40, symbolSize = wide ? 24 : 16, table = 0x200;
  const word = (at: number, value: number): void => { if (wide) data.setBigUint64(at, BigInt(value), true); else data.setUint32(at, value, true); };
  bytes.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1]);
  data.setUint16(18, wide ? 62 : 3, true);
  word(wide ? 40 : 32, table);
  data.setUint16(wide ? 58 : 46, sectionSize, true);
  data.setUint16(wide ? 60 : 48, 4, true);
  const section = (index: number, type: number, address: number, offset: number, size: number, link = 0, entry = 0): void => {
    const at = table + index * sectionSize, step = wide ? 8 : 4, first = at + (wide ? 16 : 12);
    data.setUint32(at + 4, type, true);
    [address, offset, size].forEach((value, i) => { word(first + i * step, value); });
    data.setUint32(first + 3 * step, link, true);
    word(at + (wide ? 56 : 36), entry);
  };
  const symbol = (index: number, name: number, address: number, size: number, info: number): void => {
    const at = 0x140 + index * symbolSize;
    data.setUint32(at, name, true);
    bytes[at + (wide ? 4 : 12)] = info;
    word(at + (wide ? 8 : 4), address);
    word(at + (wide ? 16 : 8), size);
  };
  bytes.set([0x31, 0xc0, 0xc3], header + 0x20);
  bytes.set(new TextEncoder().encode('\0zero\0table\0'), 0x100);
  symbol(1, 1, 0x40_1000, 3, 2);
  symbol(2, 6, 0x40_2000, 8, 1);
  section(1, 1, 0x40_1000, header + 0x20, 16);
  section(2, 2, 0, 0x140, 3 * symbolSize, 3, symbolSize);
  section(3, 3, 0, 0x100, 12);
  return bytes;
}

describe.each([32, 64] as const)('an ELF file of %i bits', (bits) => {
  const file = new ElfFile(elf(bits), 'a.out');

  it('has functions by name', () => {
    expect(file.bits).toBe(bits);
    expect(file.functions()).toEqual([{ name: 'zero', address: 0x40_1000n, sizeBytes: 3 }]);
  });

  it('is read by address, to the end of the section at most', () => {
    expect([...file.read(0x40_1000n, 3) ?? []]).toEqual([0x31, 0xc0, 0xc3]);
    expect(file.read(0x40_100en, 100)).toHaveLength(2);
    expect(file.read(0x50_0000n, 1)).toBeUndefined();
  });
});

it('an ELF file is refused when it is none, or not for x86', () => {
  const other = elf(64);
  other[18] = 183;
  expect(() => new ElfFile(new Uint8Array(100), 'zeros')).toThrow('Cannot use zeros: it is no x86 ELF file');
  expect(() => new ElfFile(other, 'arm')).toThrow('Cannot use arm');
});
