import { describe, expect, it } from 'vitest';
import { loadMultiboot1 } from './multiboot.ts';
import { PlainMemory } from './plain-memory.testing.ts';
import { makeElf } from './elf.testing.ts';

const MAGIC = 0x1bad_b002;

function header(flags: number, ...addresses: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.of(MAGIC, flags, -(MAGIC + flags), ...addresses).buffer);
}

/** 32 bytes before the header, the header, 8 bytes of code, 100 bytes of bss. */
function rawKernel(): Uint8Array {
  const bytes = new Uint8Array(72);
  bytes.set(header(0x1_0003, 0x10_0020, 0x10_0000, 0x10_0048, 0x10_00ac, 0x10_0040), 32);
  bytes.fill(0xcc, 64);
  return bytes;
}

describe('a kernel with addresses in its header', () => {
  it('starts as the specification says, its bss cleared', () => {
    const memory = new PlainMemory(4);
    memory.bytes.fill(0xff, 0x10_0000, 0x10_0100);
    const state = loadMultiboot1(memory, { kernel: rawKernel() });
    expect(state).toMatchObject({ mode: 'protected', rip: 0x10_0040, registers: { rax: 0x2bad_b002 } });
    expect([memory.u32(0x10_0020), memory.u8(0x10_0047), memory.u8(0x10_0048), memory.u8(0x10_00ab), memory.u8(0x10_00ac)]).toEqual([MAGIC, 0xcc, 0, 0, 0xff]);
  });

  it('is given command line, modules and the whole memory map', () => {
    const memory = new PlainMemory(4);
    const state = loadMultiboot1(memory, { kernel: rawKernel(), commandLine: 'a b', modules: [{ bytes: Uint8Array.of(1, 2, 3), commandLine: 'm' }] });
    const info = state.registers.rbx!;
    expect(memory.u32(info) & 0x4d).toBe(0x4d);
    expect([memory.u32(info + 4), memory.u32(info + 8)]).toEqual([639, 3 * 1024]);
    expect(memory.text(memory.u32(info + 16))).toBe('a b');
    const module = memory.u32(info + 24);
    expect([memory.u32(info + 20), memory.read(memory.u32(module), 3), memory.u32(module + 4) - memory.u32(module), memory.text(memory.u32(module + 8))])
      .toEqual([1, Uint8Array.of(1, 2, 3), 3, 'm']);
    expect(memory.u32(module) % 4096).toBe(0);
    const [mapBytes, map] = [memory.u32(info + 44), memory.u32(info + 48)];
    expect(mapBytes % 24).toBe(0);
    const last = map + mapBytes - 24;
    expect([memory.u32(last), memory.u64(last + 4), memory.u64(last + 12), memory.u32(last + 20)]).toEqual([20, 0x10_0000, 0x30_0000, 1]);
  });
});

describe('an ELF kernel', () => {
  it('is loaded by its program headers', () => {
    const memory = new PlainMemory(4);
    const kernel = makeElf({ is64Bit: false, entry: 0x10_0004, address: 0x10_0000, contents: header(0), memoryBytes: 64 });
    expect(loadMultiboot1(memory, { kernel }).rip).toBe(0x10_0004);
    expect(memory.u32(0x10_0000)).toBe(MAGIC);
  });
});

describe('an image that will not do', () => {
  it.each([
    ['no header', new Uint8Array(9000), 'KERNEL_INVALID'],
    ['a header with a wrong checksum', (() => { const bytes = rawKernel(); bytes[40] = 1; return bytes; })(), 'KERNEL_INVALID'],
    ['a demand nobody knows', header(0x8000), 'KERNEL_UNSUPPORTED'],
    ['neither ELF nor addresses', header(3), 'KERNEL_INVALID'],
    ['addresses beyond the file', header(0x1_0003, 0x10_0000, 0x10_0000, 0x10_1000, 0, 0x10_0000), 'KERNEL_TRUNCATED'],
    ['addresses below 1 MiB', header(0x1_0003, 0x8000, 0x8000, 0, 0, 0x8000), 'KERNEL_UNSUPPORTED'],
    ['more bss than RAM', header(0x1_0003, 0x10_0000, 0x10_0000, 0, 0x50_0000, 0x10_0000), 'MEMORY_INVALID'],
  ])('%s', (_name, kernel, code) => {
    expect(() => loadMultiboot1(new PlainMemory(4), { kernel })).toThrow(expect.objectContaining({ code, hint: expect.any(String) }));
  });
});
