import { VmmError } from '@vmm/spec';
import { VCPU_LAYOUT } from '@vmm/state';
import { describe, expect, it } from 'vitest';
import { PAGE } from './attributes.ts';
import { layOutMachine } from './geometry.ts';
import { MachineMemory } from './machine-memory.ts';
import { NO_DEVICES } from './mmio.ts';
import type { MmioHandler } from './mmio.ts';

const MIB = 1 << 20;
const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return error instanceof VmmError ? error.code : String(error);
  }
  return 'no error';
};

describe('layOutMachine', () => {
  it('puts RAM behind the private areas of the vCPUs, then ROM, then attributes', () => {
    const layout = layOutMachine({ ramBytes: 64 * MIB, vcpus: 2, romBytes: MIB });
    expect(layout).toMatchObject({ ramBase: 2 * VCPU_LAYOUT.sizeBytes, romBase: 96 * MIB, attributesBase: 97 * MIB });
    expect(layout.totalBytes).toBe(97 * MIB + 0x1_0000);
  });
  it.each<[string, Parameters<typeof layOutMachine>[0], string]>([
    ['no RAM', { ramBytes: 0, vcpus: 1, romBytes: 0 }, 'OPTION_INVALID'],
    ['half a page', { ramBytes: 0x1800, vcpus: 1, romBytes: 0 }, 'OPTION_INVALID'],
    ['no vCPU', { ramBytes: MIB, vcpus: 0, romBytes: 0 }, 'OPTION_INVALID'],
    ['an odd ROM', { ramBytes: MIB, vcpus: 1, romBytes: 7 }, 'OPTION_INVALID'],
    ['more RAM than the PCI hole leaves', { ramBytes: 0xc000_1000, vcpus: 1, romBytes: 0 }, 'MEMORY_INVALID'],
    ['RAM and vCPUs that exceed one memory together', { ramBytes: 0xc000_0000, vcpus: 64, romBytes: 0 }, 'MEMORY_INVALID'],
    ['exactly 3 GiB', { ramBytes: 0xc000_0000, vcpus: 8, romBytes: 0 }, 'no error'],
  ])('judges %s', (_name, geometry, code) => {
    expect(codeOf(() => layOutMachine(geometry))).toBe(code);
  });
});

describe('MachineMemory', () => {
  it('is one shared memory in which guest page g of RAM lies at ramBase + g', () => {
    const memory = new MachineMemory({ ramBytes: MIB });
    expect(memory.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(memory.hostAddress(3)).toBe(memory.ramBase + 0x3000);
    expect(memory.translate(0x3004, 0)).toBe(memory.ramBase + 0x3004);
  });
  it('has nothing behind RAM and above 4 GiB', () => {
    const memory = new MachineMemory({ ramBytes: MIB });
    expect([memory.hostAddress(0x100), memory.hostAddress(0xfffff), memory.hostAddress(0x10_0000)]).toEqual([-1, -1, -1]);
    expect(memory.translate(0, 1)).toBe(0);
    expect([memory.mmio.read(0x10_0000, 1), memory.mmio.read(0x10_0000, 2), memory.mmio.read(0x10_0000, 4)]).toEqual([0xff, 0xffff, 0xffff_ffff]);
  });
  it('is seen by another worker through the posted descriptor, ROMs and A20 gate included', () => {
    const memory = new MachineMemory({ ramBytes: MIB, vcpus: 2, romBytes: 0x2000 });
    memory.mapRom(0xffff_f000, Uint8Array.of(0xea));
    memory.setA20(false);
    memory.guest.write32(0x5000, 0x1234_5678);
    const other = MachineMemory.attach(memory.descriptor());
    expect(other.guest.read32(0x5000)).toBe(0x1234_5678);
    expect(other.a20).toBe(false);
    other.setA20(true);
    expect(other.guest.read8(0xffff_f000)).toBe(0xea);
    other.setAttribute(other.ramBase + 0x5000, PAGE.CODE);
    expect(memory.attributesAt(memory.ramBase + 0x5fff)).toBe(PAGE.CODE);
  });
  it('refuses a descriptor whose memory is too small', () => {
    const { memory } = new MachineMemory({ ramBytes: MIB });
    expect(codeOf(() => MachineMemory.attach({ memory, ramBytes: 64 * MIB, vcpus: 1, romBytes: 0, roms: [], a20: true }))).toBe('MEMORY_INVALID');
  });
  it('folds odd megabytes onto even ones while A20 is closed, and says so', () => {
    const memory = new MachineMemory({ ramBytes: 4 * MIB });
    let changes = 0;
    const unsubscribe = memory.onMapChange(() => { changes++; });
    memory.setA20(false);
    memory.setA20(false);
    expect(memory.translate(0x10_0123, 0)).toBe(memory.ramBase + 0x123);
    expect(memory.translate(0x20_0123, 0)).toBe(memory.ramBase + 0x20_0123);
    memory.setA20(true);
    unsubscribe();
    memory.setA20(false);
    expect(changes).toBe(2);
  });
});

describe('the guest-physical map', () => {
  it('shows a ROM outside RAM read-only at its address', () => {
    const memory = new MachineMemory({ ramBytes: MIB, romBytes: 0x3000 });
    memory.mapRom(0xffff_e000, new Uint8Array(0x1800).fill(0x90));
    const host = memory.hostAddress(0xfffff);
    expect([memory.u8[host], memory.u8[host + 0x800]]).toEqual([0x90, 0]);
    expect(memory.attributesAt(host)).toBe(PAGE.ROM);
    expect(codeOf(() => { memory.mapRom(0xfff0_0000, new Uint8Array(0x2000)); })).toBe('MEMORY_INVALID');
    expect(codeOf(() => { memory.mapRom(0xfff0_0800, new Uint8Array(8)); })).toBe('MEMORY_INVALID');
  });
  it('copies a ROM inside RAM there, and the chipset can lift its protection', () => {
    const memory = new MachineMemory({ ramBytes: MIB });
    memory.mapRom(0xf_0000, Uint8Array.of(1, 2, 3));
    expect(memory.guest.read8(0xf_0002)).toBe(3);
    expect(memory.attributesAt(memory.ramBase + 0xf_0000)).toBe(PAGE.ROM);
    memory.protectRom(0xf_0000, 0x1000, false);
    expect(memory.attributesAt(memory.ramBase + 0xf_0000)).toBe(0);
  });
  it('asks regions first, then the bus', () => {
    const log: string[] = [];
    const spy = (name: string): MmioHandler => ({
      read: (gpa, size) => { log.push(`${name} r${size} ${gpa.toString(16)}`); return -1; },
      write: (gpa, size, value) => { log.push(`${name} w${size} ${gpa.toString(16)} ${value}`); },
    });
    const memory = new MachineMemory({ ramBytes: MIB, mmio: spy('bus') });
    memory.mapMmio(0xa_0000, 0x2_0000, spy('vga'));
    expect([memory.hostAddress(0x9f), memory.hostAddress(0xa0), memory.hostAddress(0xbf), memory.hostAddress(0xc0)])
      .toEqual([memory.ramBase + 0x9_f000, -1, -1, memory.ramBase + 0xc_0000]);
    expect(memory.mmio.read(0xa_0000, 4)).toBe(0xffff_ffff);
    memory.mmio.write(0xc_0000, 2, 7);
    expect(log).toEqual(['vga r4 a0000', 'bus w2 c0000 7']);
    memory.protectHole(0xa_0000, 0x2_0000, false);
    expect(memory.hostAddress(0xa0)).toBe(memory.ramBase + 0xa_0000);
    expect(codeOf(() => { memory.protectHole(0xa_0800, 0x1000, true); })).toBe('MEMORY_INVALID');
  });
  it('logs stored-to pages once armed', () => {
    const memory = new MachineMemory({ ramBytes: MIB });
    const dirty = (): number[] => { const pages: number[] = []; memory.takeDirty((page) => pages.push(page)); return pages; };
    memory.guest.write8(0x1000, 1);
    memory.watchStores();
    expect(dirty()).toEqual([]);
    memory.guest.fill(0x2ffe, 4);
    memory.guest.write8(0x9000, 1);
    expect(dirty()).toEqual([2, 3, 9]);
    expect(dirty()).toEqual([]);
    memory.guest.write8(0x9000, 1);
    expect(dirty()).toEqual([9]);
  });
});

describe('GuestMemory', () => {
  it('reads back what it wrote, unaligned and little-endian', () => {
    const { guest } = new MachineMemory({ ramBytes: MIB });
    guest.write64(0xffd, 0x8877_6655_4433_2211n);
    expect([guest.read8(0xffd), guest.read16(0xffe), guest.read32(0xfff), guest.read64(0xffd)]).toEqual([0x11, 0x3322, 0x6655_4433, 0x8877_6655_4433_2211n]);
    guest.write16(0x10, 0xbeef);
    guest.write32(0x12, 0xdead_beef);
    guest.writeBytes(0x20, Uint8Array.of(1, 2, 3));
    expect([...guest.readBytes(0x10, 6), ...guest.view(0x20, 3)]).toEqual([0xef, 0xbe, 0xef, 0xbe, 0xad, 0xde, 1, 2, 3]);
  });
  it.each([['below', -1, 1], ['behind the end', MIB, 1], ['across the end', MIB - 2, 4], ['nowhere', NaN, 1], ['in a fraction', 0.5, 1], ['above 4 GiB', 2 ** 32, 1], ['a hole', 0xa_0000, 1], ['across into a hole', 0x9_ffff, 2]])(
    'refuses an access %s', (_name, gpa, length) => {
      const memory = new MachineMemory({ ramBytes: MIB });
      memory.protectHole(0xa_0000, 0x1000, true);
      expect(memory.guest.contains(gpa, length)).toBe(false);
      expect(() => memory.guest.readBytes(gpa, length)).toThrow(/read \d bytes of guest memory at/);
      expect(codeOf(() => { memory.guest.writeBytes(gpa, new Uint8Array(length)); })).toBe('MEMORY_INVALID');
    });
  it('tells the block cache about stores to code, page by page, before they happen', () => {
    const memory = new MachineMemory({ ramBytes: MIB });
    const stores: unknown[] = [];
    memory.onExternalStore((host, sizeBytes) => stores.push([host - memory.ramBase, sizeBytes, memory.guest.read8(0x2ff0)]));
    memory.setAttribute(memory.ramBase + 0x2000, PAGE.CODE);
    memory.setAttribute(memory.ramBase + 0x3000, PAGE.CODE);
    memory.guest.writeBytes(0x2ff0, new Uint8Array(0x2000).fill(9));
    expect(stores).toEqual([[0x2ff0, 0x10, 0], [0x3000, 0x1000, 0]]);
    memory.clearAttribute(memory.ramBase + 0x2000, PAGE.CODE);
    memory.guest.write8(0x2ff0, 1);
    expect(stores).toHaveLength(2);
  });
});

describe('NO_DEVICES', () => {
  it('drops writes', () => { expect(NO_DEVICES.write(0, 4, 1)).toBeUndefined(); });
});
