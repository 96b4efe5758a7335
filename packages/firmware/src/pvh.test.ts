import { describe, expect, it } from 'vitest';
import { ADDRESS } from './address-map.ts';
import { makeElf, type SyntheticElf } from './elf.testing.ts';
import { detectKernelFormat, loadKernel } from './load-kernel.ts';
import { PlainMemory } from './plain-memory.testing.ts';
import { loadPvh } from './pvh.ts';
import { StructureWriter } from './structure-writer.ts';

const note = (name: string, type: number, value: number): Uint8Array =>
  new StructureWriter().u32(name.length + 1, 4, type).text(name).zeros(4 - name.length % 4).u32(value).finish();
const NOTES = Uint8Array.from([...note('Linux', 18, 1), ...note('Xen', 1, 2), ...note('Xen', 18, 0x10_0010)]);
const KERNEL: SyntheticElf = { is64Bit: true, entry: 0x10_0000, address: 0x10_0000, contents: Uint8Array.of(1, 2, 3, 4), memoryBytes: 0x3000, notes: NOTES };

describe('a vmlinux with a PVH note', () => {
  it.each([true, false])('starts in protected mode where the note says, EBX at start_info (64-bit: %s)', (is64Bit) => {
    const memory = new PlainMemory(4);
    const state = loadPvh(memory, { kernel: makeElf({ ...KERNEL, is64Bit }) });
    expect(state).toMatchObject({ mode: 'protected', rip: 0x10_0010, registers: { rbx: ADDRESS.BOOT_INFORMATION } });
    expect(memory.read(0x10_0000, 5)).toEqual(Uint8Array.of(1, 2, 3, 4, 0));
  });

  it('is given its RAM disk, command line, RSDP and memory map', () => {
    const memory = new PlainMemory(4);
    const info = loadPvh(memory, { kernel: makeElf(KERNEL), initrd: Uint8Array.of(9, 9), commandLine: 'quiet', acpiRsdp: 0xe_0000 }).registers.rbx!;
    expect([memory.u32(info), memory.u32(info + 4), memory.u32(info + 12)]).toEqual([0x336e_c578, 1, 1]);
    const module = memory.u64(info + 16);
    expect([memory.u64(module), memory.u64(module + 8), memory.u16(0x10_3000)]).toEqual([0x10_3000, 2, 0x0909]);
    expect([memory.text(memory.u64(info + 24)), memory.u64(info + 32)]).toEqual(['quiet', 0xe_0000]);
    const last = memory.u64(info + 40) + (memory.u32(info + 48) - 1) * 24;
    expect([memory.u64(last), memory.u64(last + 8), memory.u32(last + 16)]).toEqual([0x10_0000, 0x30_0000, 1]);
  });

  it('is recognised, and loaded with platform tables', () => {
    const memory = new PlainMemory(4);
    expect(loadKernel(memory, { kernel: makeElf(KERNEL) }).format).toBe('pvh');
    expect(memory.u64(memory.u32(ADDRESS.BOOT_INFORMATION + 32) === ADDRESS.ACPI ? ADDRESS.ACPI : 0)).toBe(Number(0x2052_5450_2044_5352n));
  });

  it('is refused without the note, or cut', () => {
    const { notes: _, ...plain } = KERNEL;
    expect(detectKernelFormat(makeElf(plain))).toBeUndefined();
    expect(() => loadPvh(new PlainMemory(4), { kernel: makeElf(plain) })).toThrow(expect.objectContaining({ code: 'KERNEL_INVALID' }));
    const cut = makeElf({ ...KERNEL, contents: new Uint8Array(100) }).slice(0, 200);
    expect(() => loadPvh(new PlainMemory(4), { kernel: cut })).toThrow(expect.objectContaining({ code: 'KERNEL_TRUNCATED' }));
  });
});
