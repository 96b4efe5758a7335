import { describe, expect, it } from 'vitest';
import { CR0, EFER, VmmError } from '@vmm/spec';
import { ADDRESS } from '../address-map.ts';
import { PlainMemory } from '../plain-memory.testing.ts';
import { makeKernel, type SyntheticKernel } from './bzimage.testing.ts';
import { type LinuxImage, loadLinux } from './load-linux.ts';

const ZERO_PAGE = ADDRESS.BOOT_INFORMATION;
const KERNEL_64 = 1;

function boot(kernel: SyntheticKernel, image: Partial<LinuxImage> = {}, mebibytes = 64): { memory: PlainMemory; state: ReturnType<typeof loadLinux> } {
  const memory = new PlainMemory(mebibytes);
  return { memory, state: loadLinux(memory, { kernel: makeKernel(kernel), ...image }) };
}

describe('a 32-bit kernel', () => {
  it('starts in flat protected mode at its preferred address, ESI at boot_params', () => {
    const { memory, state } = boot({});
    expect(state).toMatchObject({ mode: 'protected', rip: 0x100_0000, registers: { rsi: ZERO_PAGE }, efer: 0, rflags: 2 });
    expect(state.cr0 & (CR0.PE | CR0.PG)).toBe(CR0.PE);
    expect([memory.u8(0x100_0000), memory.u8(0x100_0001), memory.u8(0x100_00ff)]).toEqual([1, 2, 0]);
  });

  it('finds the selectors the protocol names in the descriptor table, as the segments say', () => {
    const { memory, state } = boot({});
    for (const name of ['cs', 'ds', 'ss'] as const) {
      const segment = state.segments[name]!;
      const [low, high] = [memory.u32(state.gdtr.base + segment.selector), memory.u32(state.gdtr.base + segment.selector + 4)];
      expect(high >>> 8 & 0xf0ff).toBe(segment.attributes);
      expect((high & 0xf_0000 | low & 0xffff) * 0x1000 + 0xfff).toBe(segment.limit);
    }
    expect([state.segments.cs?.selector, state.segments.ds?.selector]).toEqual([0x10, 0x18]);
  });

  it('is loaded at 1 MiB when it cannot be moved', () => {
    expect(boot({ isRelocatable: false }).state.rip).toBe(ADDRESS.HIGH_MEMORY);
  });
});

describe('a 64-bit kernel', () => {
  it('starts in long mode 200H behind its load address', () => {
    const { state } = boot({ xloadFlags: KERNEL_64 });
    expect(state).toMatchObject({ mode: 'long', rip: 0x100_0200, cr3: ADDRESS.PAGE_TABLES, registers: { rsi: ZERO_PAGE } });
    expect(state.efer & EFER.LME).toBe(EFER.LME);
  });

  it('sees the first 4 GiB one to one', () => {
    const { memory, state } = boot({ xloadFlags: KERNEL_64 });
    const walk = (address: number): number => {
      const pdpt = memory.u64(state.cr3) - 3;
      const directory = memory.u64(pdpt + Math.floor(address / 2 ** 30) * 8) - 3;
      return memory.u64(directory + (Math.floor(address / 2 ** 21) & 511) * 8) - 0x83 + address % 2 ** 21;
    };
    for (const address of [0, 0x12_3456, 0x7fff_f000, 0xfee0_0020, 0xffff_ffff]) expect(walk(address)).toBe(address);
  });

  it('starts by its 32-bit entry when asked', () => {
    expect(boot({ xloadFlags: KERNEL_64 }, { entry: 32 }).state).toMatchObject({ mode: 'protected', rip: 0x100_0000 });
  });
});

describe('boot_params', () => {
  it('hold the header, the memory map, the command line and the RSDP', () => {
    const { memory } = boot({}, { commandLine: 'console=ttyS0', acpiRsdp: 0xe_0000 });
    expect(memory.u32(ZERO_PAGE + 0x202)).toBe(0x5372_6448);
    expect(memory.u8(ZERO_PAGE + 0x210)).toBe(0xff);
    expect(memory.u64(ZERO_PAGE + 0x70)).toBe(0xe_0000);
    expect(memory.text(memory.u32(ZERO_PAGE + 0x228))).toBe('console=ttyS0');
    expect(memory.u32(ZERO_PAGE + 0x1e0)).toBe(63 * 1024);
    const count = memory.u8(ZERO_PAGE + 0x1e8);
    const last = ZERO_PAGE + 0x2d0 + (count - 1) * 20;
    expect([memory.u64(last), memory.u64(last + 8), memory.u32(last + 16)]).toEqual([0x10_0000, 63 * 0x10_0000, 1]);
  });

  it('say that there is no display', () => {
    const { memory } = boot({});
    expect(memory.read(ZERO_PAGE, 0x40).filter((byte, index) => byte !== 0 && index !== 2 && index !== 3)).toHaveLength(0);
  });
});

describe('the initial RAM disk', () => {
  it('lies on a page at the top of RAM', () => {
    const { memory } = boot({}, { initrd: Uint8Array.from({ length: 5000 }, () => 7) });
    const base = memory.u32(ZERO_PAGE + 0x218);
    expect([base, memory.u32(ZERO_PAGE + 0x21c)]).toEqual([64 * 0x10_0000 - 0x2000, 5000]);
    expect([memory.u8(base), memory.u8(base + 4999), memory.u8(base + 5000)]).toEqual([7, 7, 0]);
  });

  it('stays below the highest address the kernel takes', () => {
    const { memory } = boot({ initrdMax: 0x27f_ffff }, { initrd: new Uint8Array(4096) });
    expect(memory.u32(ZERO_PAGE + 0x218)).toBe(0x27f_f000);
  });
});

describe('the 16-bit entry', () => {
  it('starts the set-up code in real mode, with a heap and what it needs to load itself', () => {
    const { memory, state } = boot({}, { entry: 16, commandLine: 'x', initrd: new Uint8Array(10) });
    expect(state).toMatchObject({ mode: 'real', rip: 0, segments: { cs: { selector: 0x1020 }, ds: { selector: 0x1000 } } });
    const setup = ADDRESS.REAL_MODE_SETUP;
    expect(memory.u8(setup + 0x211) & 0x80).toBe(0x80);
    expect(memory.u32(setup + 0x214)).toBe(0x100_0000);
    expect(memory.text(memory.u32(setup + 0x228))).toBe('x');
    expect(memory.u32(setup + 0x21c)).toBe(10);
  });
});

describe('a kernel or machine that will not do', () => {
  const MIB = 0x10_0000;
  it.each<[string, SyntheticKernel, Partial<LinuxImage>, number, string, RegExp]>([
    ['64-bit kernel, 32-bit CPU', { xloadFlags: KERNEL_64 }, { hasLongMode: false }, 64, 'KERNEL_UNSUPPORTED', /kernel is 64-bit, the CPU model is not/],
    ['64-bit entry that is not there', {}, { entry: 64 }, 64, 'KERNEL_UNSUPPORTED', /no 64-bit entry/],
    ['ancient protocol', { version: 0x203 }, {}, 64, 'KERNEL_UNSUPPORTED', /protocol 2\.03/],
    ['too little RAM', { initBytes: 50 * MIB }, {}, 64, 'MEMORY_INVALID', /needs 66 MiB of RAM, the machine has 64/],
    ['RAM disk beyond RAM', {}, { initrd: new Uint8Array(50 * MIB) }, 64, 'INITRD_TOO_LARGE', /50 MiB, of 64 MiB of RAM 47 are free/],
    ['long command line', { commandLineMax: 255 }, { commandLine: 'x'.repeat(256) }, 64, 'KERNEL_COMMAND_LINE_TOO_LONG', /256 bytes, this kernel takes 255/],
  ])('%s', (_name, kernel, image, mebibytes, code, message) => {
    const error = errorOf(() => boot(kernel, image, mebibytes));
    expect(error).toMatchObject({ code, message: expect.stringMatching(message), hint: expect.stringMatching(/./) });
  });

  it('takes exactly the command line that fits', () => {
    const { memory } = boot({ commandLineMax: 255 }, { commandLine: 'x'.repeat(255) });
    expect(memory.text(ADDRESS.COMMAND_LINE)).toHaveLength(255);
  });

  it('says that a cut file is cut, wherever it is cut', () => {
    const whole = makeKernel();
    for (const length of [0x206, 0x230, 512 * 3, whole.length - 16]) {
      expect(errorOf(() => loadLinux(new PlainMemory(64), { kernel: whole.slice(0, length) })).code).toBe('KERNEL_TRUNCATED');
    }
    expect(() => loadLinux(new PlainMemory(64), { kernel: whole.slice(0, -15) })).not.toThrow();
  });

  it('says that something else is no kernel', () => {
    expect(errorOf(() => loadLinux(new PlainMemory(64), { kernel: new Uint8Array(4096) })).code).toBe('KERNEL_INVALID');
  });
});

function errorOf(action: () => unknown): VmmError {
  try {
    action();
  } catch (error) {
    if (error instanceof VmmError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
