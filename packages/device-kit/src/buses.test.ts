import { describe, expect, it } from 'vitest';
import { MmioBus } from './mmio-bus.ts';
import { PortBus } from './port-bus.ts';
import type { AccessSize, Device, MmioRange, PortRange } from './device.ts';
import { wireOr } from './irq-line.ts';
import { fakeIrq } from './testing.ts';

function recorder(name: string, claims: { ports?: PortRange[]; mmio?: MmioRange[] }) {
  const log: string[] = [];
  const device: Device = {
    name,
    ...claims,
    pioRead: (port, size) => (log.push(`r${size} ${port.toString(16)}`), port & 0xff),
    pioWrite: (port, size, value) => void log.push(`w${size} ${port.toString(16)}=${value.toString(16)}`),
    mmioRead: (gpa, size) => (log.push(`r${size} ${gpa.toString(16)}`), 7),
    mmioWrite: (gpa, size, value) => void log.push(`w${size} ${gpa.toString(16)}=${value.toString(16)}`),
    reset() {},
    save: () => null,
    restore() {},
  };
  return { device, log };
}

describe('PortBus', () => {
  it.each<[AccessSize, number]>([[1, 0xff], [2, 0xffff], [4, 0xffff_ffff]])(
    'reads all ones of %i bytes from ports that nobody claims, and ignores writes there', (size, ones) => {
      const bus = new PortBus();
      bus.write(0x80, size, 1);
      expect(bus.read(0x80, size)).toBe(ones);
      expect(bus.read(0xffff, size)).toBe(ones);
    });

  it('splits an access that is wider than the device takes into bytes, lowest port first', () => {
    const bus = new PortBus();
    const { device, log } = recorder('uart', { ports: [{ base: 0x3f8, length: 8 }] });
    bus.attach(device);
    bus.write(0x3f8, 2, 0xbbaa);
    expect(bus.read(0x3f8, 4)).toBe(0xfbfaf9f8);
    expect(log).toEqual(['w1 3f8=aa', 'w1 3f9=bb', 'r1 3f8', 'r1 3f9', 'r1 3fa', 'r1 3fb']);
  });

  it('hands a wide access whole to a device that takes it, and splits one that leaves its range', () => {
    const bus = new PortBus();
    const { device, log } = recorder('pci', { ports: [{ base: 0xcf8, length: 4, access: 4 }] });
    bus.attach(device);
    bus.write(0xcf8, 4, 0x80000000);
    bus.write(0xcfa, 4, 0x44332211);
    expect(bus.read(0xcfb, 2)).toBe(0xfffb);
    expect(log).toEqual(['w4 cf8=80000000', 'w1 cfa=11', 'w1 cfb=22', 'r1 cfb']);
  });

  it('lets an access that begins below a device reach it', () => {
    const bus = new PortBus();
    const { device, log } = recorder('dev', { ports: [{ base: 0x61, length: 1 }] });
    bus.attach(device);
    bus.write(0x60, 2, 0x1234);
    expect(log).toEqual(['w1 61=12']);
    expect(bus.read(0x60, 2)).toBe(0x61ff);
  });

  it('names both devices and the port when two claim one', () => {
    const bus = new PortBus();
    bus.attach(recorder('pit', { ports: [{ base: 0x40, length: 4 }] }).device);
    const late = recorder('joystick', { ports: [{ base: 0x43, length: 1 }] }).device;
    expect(() => bus.attach(late)).toThrow('Cannot give port 0x0043 to joystick: pit has it');
  });

  it('gives the ports of a detached device back', () => {
    const bus = new PortBus();
    const { device } = recorder('pit', { ports: [{ base: 0x40, length: 4 }] });
    bus.attach(device);
    bus.detach(device);
    expect(bus.deviceAt(0x40)).toBeUndefined();
    expect(bus.read(0x40, 1)).toBe(0xff);
    bus.attach(device);
    expect(bus.deviceAt(0x43)).toBe(device);
  });
});

describe('MmioBus', () => {
  it('finds the window of an address, above 4 GiB too, and reads all ones between windows', () => {
    const bus = new MmioBus();
    const apic = recorder('apic', { mmio: [{ base: 0xfee00000, length: 0x1000 }] });
    const high = recorder('nvme', { mmio: [{ base: 0x1_0000_0000, length: 0x4000 }] });
    bus.attach(high.device);
    bus.attach(apic.device);
    expect(bus.read(0xfee00020, 4)).toBe(7);
    expect(bus.read(0x1_0000_3ffc, 4)).toBe(7);
    expect(bus.read(0xfee01000, 4)).toBe(0xffffffff);
    expect(bus.read(0xfedfffff, 1)).toBe(0xff);
    bus.write(0x1_0000_4000, 4, 1);
    expect(apic.log).toEqual(['r4 fee00020']);
    expect(high.log).toEqual(['r4 100003ffc']);
  });

  it('moves a window', () => {
    const bus = new MmioBus();
    const { device } = recorder('vga', { mmio: [{ base: 0xa0000, length: 0x20000 }] });
    bus.attach(device);
    expect(bus.read(0xa0000, 1)).toBe(7);
    bus.release(device, 0xa0000);
    bus.claim(device, { base: 0xe000_0000, length: 0x1000 });
    expect(bus.read(0xa0000, 1)).toBe(0xff);
    expect(bus.read(0xe000_0000, 1)).toBe(7);
  });

  it.each([[0xfec00800, 0x1000], [0xfebff800, 0x1000], [0xfec00000, 0x10], [0xfeb00000, 0x200000]])(
    'refuses a window at 0x%s that overlaps another', (base, length) => {
      const bus = new MmioBus();
      bus.attach(recorder('ioapic', { mmio: [{ base: 0xfec00000, length: 0x1000 }] }).device);
      expect(() => bus.claim(recorder('other', {}).device, { base, length })).toThrow(/to other: ioapic has it/);
    });
});

describe('wireOr', () => {
  it('keeps the wire high while any source is high', () => {
    const wire = fakeIrq();
    const source = wireOr(wire);
    const [a, b] = [source(), source()];
    a.set(true);
    b.set(true);
    a.set(true);
    a.set(false);
    expect(wire.level).toBe(true);
    b.set(false);
    expect(wire.level).toBe(false);
  });
});
