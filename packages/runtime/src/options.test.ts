import { describe, expect, it } from 'vitest';
import { resolveOptions } from './options.ts';
import { formatSize, parseSize } from './size.ts';

const boot = { kernel: Uint8Array.of(1) };
const resolve = (options: object, cores = 8): ReturnType<typeof resolveOptions> => resolveOptions({ boot, ...options }, cores, ['default', 'pentium']);

describe('options', () => {
  it('have defaults for everything but the image', () => {
    expect(resolve({ name: 'a' })).toEqual({
      name: 'a', memoryBytes: 256 * 1024 * 1024, cpu: 'default', boot: { kernel: boot.kernel, initrd: undefined, commandLine: '' },
      clock: { kind: 'host', scale: 1 }, placement: { serial: 'worker', debugConsole: 'vcpu', translator: 'worker' }, engine: 'bare', onTripleFault: 'stop', onReset: 'reset', translationCache: undefined, profile: false,
    });
  });

  it.each([[1, 'vcpu'], [2, 'vcpu'], [4, 'worker']] as const)('give workers to what a host with %i cores has room for', (cores, place) => {
    expect(resolve({}, cores).placement).toMatchObject({ serial: place, translator: place });
  });
  it('keep everything beside the vCPU if runs are to repeat', () => {
    expect(Object.values(resolve({ clock: { instructionsPerSecond: 1e8 } }, 8).placement)).toEqual(['vcpu', 'vcpu', 'vcpu']);
  });

  it.each([
    [{ memory: '3M' }, 'MEMORY_INVALID', 'Cannot give the guest 3 MiB of memory'],
    [{ memory: '4G' }, 'MEMORY_INVALID', 'Cannot give the guest 4 GiB of memory'],
    [{ memory: 5_000_001 }, 'MEMORY_INVALID', 'Cannot give the guest 5000001 bytes of memory'],
    [{ memory: NaN }, 'MEMORY_INVALID', 'of memory'],
    [{ memory: 'lots' }, 'OPTION_INVALID', 'Cannot read "lots" as a size'],
    [{ cpu: 'z80' }, 'OPTION_INVALID', 'Cannot use cpu "z80"'],
    [{ engine: 'magic' }, 'OPTION_INVALID', 'Cannot use engine "magic"'],
    [{ ram: 5 }, 'OPTION_INVALID', 'Cannot use option "ram"'],
    [{ boot: undefined }, 'OPTION_INVALID', 'Cannot boot without a kernel'],
    [{ boot: { ...boot, entry: 20 } }, 'OPTION_INVALID', 'Cannot enter the kernel in 20 bits'],
    [{ placement: { disk: 'worker' } }, 'OPTION_INVALID', 'Cannot use placement of "disk"'],
    [{ placement: { serial: 'moon' } }, 'OPTION_INVALID', 'Cannot use placement.serial "moon"'],
    [{ clock: { scale: -1 } }, 'OPTION_INVALID', 'Cannot run the clock'],
    [{ clock: { instructionsPerSecond: 1e8 }, placement: { serial: 'worker' } }, 'OPTION_INVALID', 'Cannot put serial into a worker'],
  ])('refuse %o', (options, code, message) => {
    expect(() => resolve(options)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) as string, hint: expect.any(String) as string }));
  });
});

describe('sizes', () => {
  it.each([['256M', 0x1000_0000], ['1G', 0x4000_0000], ['1.5G', 0x6000_0000], ['64', 0x400_0000], ['8192K', 0x80_0000], ['512MiB', 0x2000_0000], ['4096b', 4096]])('read %s', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });
  it.each([[0x1000_0000, '256 MiB'], [0x4000_0000, '1 GiB'], [1024, '1 KiB'], [5, '5 bytes']])('print %d', (bytes, text) => expect(formatSize(bytes)).toBe(text));
});
