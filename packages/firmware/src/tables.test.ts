import { describe, expect, it } from 'vitest';
import { ADDRESS } from './address-map.ts';
import { E820_TYPE, e820Map, highMemoryEnd } from './e820.ts';
import { buildMpTable } from './mp-table.ts';
import { PlainMemory } from './plain-memory.testing.ts';
import { installPlatformTables } from './platform-tables.ts';
import { buildSmbios } from './smbios.ts';
import { sumOfBytes } from './structure-writer.ts';

function findOnParagraph(memory: PlainMemory, mark: string): number {
  for (let at: number = ADDRESS.BIOS; at < ADDRESS.HIGH_MEMORY; at += 16) {
    if (String.fromCharCode(...memory.read(at, mark.length)) === mark) return at;
  }
  throw new Error(`no ${mark}`);
}

describe('the MP table', () => {
  const memory = new PlainMemory(2);
  buildMpTable(memory, { cpus: 2 });
  const pointer = findOnParagraph(memory, '_MP_');
  const table = memory.u32(pointer + 4);

  it('is found by its mark and adds up to zero', () => {
    expect(sumOfBytes(memory.read(pointer, 16))).toBe(0);
    expect(sumOfBytes(memory.read(table, memory.u16(table + 4)))).toBe(0);
  });

  it('has as many entries as it says, and ends where it says', () => {
    let at = table + 44;
    const kinds: number[] = [];
    for (let index = 0; index < memory.u16(table + 34); index++) {
      kinds.push(memory.u8(at));
      at += memory.u8(at) === 0 ? 20 : 8;
    }
    expect(at).toBe(table + memory.u16(table + 4));
    expect(kinds).toEqual([0, 0, 1, 2, ...Array.from({ length: 15 }, () => 3), 4, 4]);
  });
});

describe('SMBIOS', () => {
  it('is found by its mark, adds up to zero and holds as many structures as it says', () => {
    const memory = new PlainMemory(2);
    buildSmbios(memory);
    const entry = findOnParagraph(memory, '_SM_');
    expect(sumOfBytes(memory.read(entry, 0x1f))).toBe(0);
    expect(sumOfBytes(memory.read(entry + 0x10, 0x0f))).toBe(0);
    let at = memory.u32(entry + 0x18);
    const end = at + memory.u16(entry + 0x16);
    const types: number[] = [];
    while (at < end) {
      types.push(memory.u8(at));
      at += memory.u8(at + 1);
      while (memory.u16(at) !== 0) at++;
      at += 2;
    }
    expect([at, types]).toEqual([end, [0, 1, 3, 127]]);
    expect(memory.u16(entry + 0x1c)).toBe(4);
  });
});

describe('platform tables', () => {
  it('overlap neither each other nor the BIOS services', () => {
    const memory = new PlainMemory(2);
    installPlatformTables(memory, { cpus: 8 });
    expect(findOnParagraph(memory, '_SM_')).toBe(ADDRESS.BIOS);
    const mp = memory.u32(findOnParagraph(memory, '_MP_') + 4);
    expect(mp + memory.u16(mp + 4)).toBeLessThanOrEqual(memory.u32(ADDRESS.BIOS + 0x18));
    expect(memory.read(0xf_e000, 0x2000).every((byte) => byte === 0)).toBe(true);
  });
});

describe('the memory map', () => {
  it.each([[2, 0x20_0000], [256, 0x1000_0000], [3072, 0xc000_0000], [4096, 0xc000_0000]])('of %i MiB ends its RAM at %i', (mebibytes, end) => {
    const map = e820Map(mebibytes * 0x10_0000);
    expect(highMemoryEnd(map)).toBe(end);
    for (const [index, entry] of map.entries()) expect(entry.base).toBeGreaterThanOrEqual(index === 0 ? 0 : map[index - 1]!.base + map[index - 1]!.length);
  });

  it('calls what lies from the ACPI tables to 1 MiB reserved', () => {
    expect(e820Map(0x100_0000)).toContainEqual({ base: ADDRESS.ACPI, length: 0x2_0000, type: E820_TYPE.RESERVED });
  });
});
