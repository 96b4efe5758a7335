import { describe, expect, it, vi } from 'vitest';
import { PortBus } from '@vmm/device-kit';
import type { AccessSize } from '@vmm/device-kit';
import { fakeIrq, fuzzDevice } from '@vmm/device-kit/testing';
import {
  i440fxHostBridge, Msi, msiCapability, Msix, msixCapability, PciBus, PciFunction, PciHost, Piix3IsaBridge, piix4PowerManagement,
} from './index.ts';
import type { BarChange, PciFunctionOptions } from './index.ts';

const CARD: PciFunctionOptions = {
  name: 'card', vendorId: 0x1af4, deviceId: 0x1000, classCode: 0x0200, interruptPin: 1, command: 4,
  bars: [
    { index: 0, kind: 'io', sizeBytes: 0x20 },
    { index: 1, kind: 'memory', sizeBytes: 0x1000 },
    { index: 2, kind: 'memory64', sizeBytes: 0x4000, isPrefetchable: true },
    { index: 'rom', kind: 'memory', sizeBytes: 0x10000 },
  ],
  capabilities: [msiCapability(4), msixCapability(3, 1, 0, 0x800)],
};

function board(card: Partial<PciFunctionOptions> = {}) {
  const ports = new PortBus();
  const bus = new PciBus();
  const changes: BarChange[] = [];
  const fn = new PciFunction({ ...CARD, onBar: (change) => changes.push(change), ...card });
  const lines = Array.from({ length: 16 }, fakeIrq);
  const piix3 = new Piix3IsaBridge({ isaIrq: (irq) => lines[irq] ?? fakeIrq() });
  const reset = { name: 'reset', pioRead: vi.fn(() => 0x0e), pioWrite: vi.fn(), reset: vi.fn(), save: () => null, restore() {} };
  bus.add(0, i440fxHostBridge());
  bus.add(1, piix3.fn);
  bus.add(1, piix4PowerManagement(), 3);
  bus.add(3, fn);
  const host = new PciHost({ bus, resetControl: reset });
  ports.attach(host);
  const select = (device: number, functionNumber: number, offset: number, busNumber = 0): void =>
    ports.write(0xcf8, 4, (0x8000_0000 | (busNumber << 16) | (device << 11) | (functionNumber << 8) | (offset & 0xfc)) >>> 0);
  return {
    ports, bus, host, fn, changes, lines, piix3, reset, select,
    read: (device: number, functionNumber: number, offset: number, size: AccessSize = 4): number => {
      select(device, functionNumber, offset);
      return ports.read(0xcfc + (offset & 3), size);
    },
    write: (device: number, functionNumber: number, offset: number, size: AccessSize, value: number): void => {
      select(device, functionNumber, offset);
      ports.write(0xcfc + (offset & 3), size, value);
    },
  };
}

describe('Configuration mechanism 1', () => {
  it('is found as Linux looks for it: the address register reads back', () => {
    const { ports } = board();
    ports.write(0xcfb, 1, 0x01);
    ports.write(0xcf8, 4, 0x80000000);
    expect(ports.read(0xcf8, 4)).toBe(0x80000000);
    ports.write(0xcf8, 4, 0xffffffff);
    expect(ports.read(0xcf8, 4)).toBe(0x80fffffc);
  });

  it('lists the functions of a bus scan, all ones elsewhere', () => {
    const { read } = board();
    const found = [];
    for (let device = 0; device < 32; device++) {
      for (let functionNumber = 0; functionNumber < 8; functionNumber++) {
        const id = read(device, functionNumber, 0);
        if (id !== 0xffffffff) found.push(`${device}.${functionNumber} ${id.toString(16)}`);
      }
    }
    expect(found).toEqual(['0.0 12378086', '1.0 70008086', '1.3 71138086', '3.0 10001af4']);
  });

  it.each<[number, AccessSize, number]>([[0, 2, 0x8086], [2, 2, 0x1237], [3, 1, 0x12], [8, 4, 0x06000002], [10, 2, 0x0600], [11, 1, 0x06]])(
    'reads byte %i of the host bridge, %i bytes: %i', (offset, size, value) => {
      expect(board().read(0, 0, offset, size)).toBe(value);
    });

  it('answers all ones while the enable bit is clear and on other buses', () => {
    const { ports, select } = board();
    ports.write(0xcf8, 4, 0);
    expect(ports.read(0xcfc, 4)).toBe(0xffffffff);
    select(0, 0, 0, 1);
    expect(ports.read(0xcfc, 2)).toBe(0xffff);
  });

  it('tells 0xCF9 from the address register by its width', () => {
    const { ports, reset } = board();
    ports.write(0xcf8, 4, 0x80000604);
    expect(reset.pioWrite).not.toHaveBeenCalled();
    ports.write(0xcf9, 1, 0x06);
    expect(reset.pioWrite).toHaveBeenCalledExactlyOnceWith(0xcf9, 1, 6);
    expect(ports.read(0xcf9, 1)).toBe(0x0e);
    expect(ports.read(0xcf8, 4)).toBe(0x80000604);
  });

  it('marks a device of several functions, and only that', () => {
    const { read } = board();
    expect([read(1, 0, 0x0e, 1), read(3, 0, 0x0e, 1)]).toEqual([0x80, 0x00]);
  });

  it('refuses a slot that is taken, with both names', () => {
    const { bus } = board();
    expect(() => bus.add(3, new PciFunction(CARD))).toThrow('Cannot put card at PCI 3.0: card');
    expect(bus.freeDevice()).toBe(2);
  });
});

describe('PciFunction', () => {
  it.each([
    { bar: 'I/O', offset: 0x10, sized: 0xffffffe1 }, { bar: 'memory', offset: 0x14, sized: 0xfffff000 },
    { bar: '64-bit low', offset: 0x18, sized: 0xffffc00c }, { bar: '64-bit high', offset: 0x1c, sized: 0xffffffff },
    { bar: 'absent', offset: 0x20, sized: 0 }, { bar: 'ROM', offset: 0x30, sized: 0xffff0001 },
  ])('sizes its $bar register', ({ offset, sized }) => {
    const { read, write } = board();
    write(3, 0, offset, 4, 0xffffffff);
    expect(read(3, 0, offset)).toBe(sized);
  });

  it('maps its BARs while decoding is on, and tells of every move', () => {
    const { write, changes } = board();
    const last = (): unknown => changes.splice(0).map(({ bar, base }) => [bar.index, base]);
    write(3, 0, 0x10, 4, 0xc001);
    write(3, 0, 0x14, 4, 0xfebf0000);
    write(3, 0, 0x18, 4, 0x0000c000);
    write(3, 0, 0x1c, 4, 0x00000080);
    expect(last()).toEqual([]);
    write(3, 0, 4, 2, 7);
    expect(last()).toEqual([[0, 0xc000], [1, 0xfebf0000], [2, 0x80_0000_c000]]);
    write(3, 0, 0x14, 4, 0xfebe0000);
    expect(last()).toEqual([[1, 0xfebe0000]]);
    write(3, 0, 0x30, 4, 0xfea00001);
    expect(last()).toEqual([['rom', 0xfea00000]]);
    write(3, 0, 4, 2, 5);
    expect(last()).toEqual([[1, undefined], [2, undefined], ['rom', undefined]]);
  });

  it('unmaps a BAR while it is being sized', () => {
    const { write, changes } = board();
    write(3, 0, 0x14, 4, 0xfebf0000);
    write(3, 0, 4, 2, 2);
    write(3, 0, 0x14, 4, 0xffffffff);
    write(3, 0, 0x14, 4, 0xfebf0000);
    expect(changes.map(({ base }) => base)).toEqual([0xfebf0000, undefined, 0xfebf0000]);
  });

  it.each([
    { what: 'ids', offset: 0, size: 4 as const, write: 0, read: 0x10001af4 },
    { what: 'COMMAND: only what it implements', offset: 4, size: 2 as const, write: 0xffff, read: 0x0407 },
    { what: 'the interrupt line', offset: 0x3c, size: 1 as const, write: 11, read: 11 },
    { what: 'the interrupt pin', offset: 0x3d, size: 1 as const, write: 4, read: 1 },
    { what: 'the class', offset: 8, size: 4 as const, write: 0, read: 0x02000000 },
  ])('reads back $what', ({ offset, size, write: value, read: expected }) => {
    const { read, write } = board();
    write(3, 0, offset, size, value);
    expect(read(3, 0, offset, size)).toBe(expected);
  });

  it('chains its capabilities', () => {
    const { read } = board();
    expect(read(3, 0, 6, 2) & 0x10).toBe(0x10);
    const ids = [];
    for (let at = read(3, 0, 0x34, 1); at !== 0; at = read(3, 0, at + 1, 1)) ids.push(read(3, 0, at, 1));
    expect(ids).toEqual([0x05, 0x11]);
    expect(board({ capabilities: [] }).read(3, 0, 6, 2)).toBe(0);
  });

  it('shows its interrupt in STATUS and on its pin unless that is off', () => {
    const { fn, read, write } = board();
    const pin = fakeIrq();
    fn.intx = pin;
    fn.setInterrupt(true);
    expect([read(3, 0, 6, 2) & 8, pin.level]).toEqual([8, true]);
    write(3, 0, 4, 2, 0x400);
    expect([read(3, 0, 6, 2) & 8, pin.level]).toEqual([8, false]);
    write(3, 0, 4, 2, 0);
    expect(pin.level).toBe(true);
    fn.setInterrupt(false);
    expect([read(3, 0, 6, 2) & 8, pin.level]).toEqual([0, false]);
  });
});

describe('PIIX3', () => {
  it('routes the pins of a slot through PIRQRC, several to one ISA interrupt', () => {
    const { piix3, lines } = board();
    const a = piix3.intx(3, 1); // PIRQC
    const b = piix3.intx(4, 1); // PIRQD
    a.set(true);
    b.set(true);
    expect([piix3.irqOf(3, 1), lines[11]?.level, lines[10]?.level]).toEqual([11, true, false]);
    a.set(false);
    expect(lines[11]?.level).toBe(true);
    b.set(false);
    expect(lines[11]?.level).toBe(false);
  });

  it('moves a raised wire when the guest changes its route, and drops it when it is disabled', () => {
    const { piix3, lines, write } = board();
    piix3.intx(3, 1).set(true);
    write(1, 0, 0x62, 1, 5);
    expect([lines[11]?.level, lines[5]?.level]).toEqual([false, true]);
    write(1, 0, 0x62, 1, 0x80);
    expect(lines[5]?.level).toBe(false);
    expect(piix3.irqOf(3, 1)).toBeUndefined();
  });

  it('brings each wire to its pin of the IO-APIC too', () => {
    const pins = Array.from({ length: 4 }, fakeIrq);
    const piix3 = new Piix3IsaBridge({ isaIrq: fakeIrq, ioApicLine: (pirq) => pins[pirq] ?? fakeIrq() });
    piix3.intx(3, 2).set(true);
    expect(pins.map((pin) => pin.level)).toEqual([false, false, false, true]);
  });

  it('leaves the ISA interrupts of others alone', () => {
    const { piix3, lines } = board();
    lines[11]?.set(true); // an ISA device's
    piix3.intx(1, 1).set(true);
    piix3.intx(1, 1).set(false);
    expect(lines[11]?.level).toBe(true);
  });
});

describe('PIIX4 power management', () => {
  it('says where the ACPI registers are, and that they interrupt by ISA interrupt 9', () => {
    const { read } = board();
    expect([read(1, 3, 0x40), read(1, 3, 0x80, 1), read(1, 3, 0x3c, 2)]).toEqual([0x601, 1, 0x0109]);
  });

  it('tells the board when the guest moves them', () => {
    const onPmBase = vi.fn();
    const fn = piix4PowerManagement({ onPmBase });
    fn.configWrite(0x40, 4, 0xb001);
    expect(onPmBase).toHaveBeenLastCalledWith(0xb000);
    fn.configWrite(0x80, 1, 0);
    expect(onPmBase).toHaveBeenLastCalledWith(undefined);
  });
});

describe('i440FX', () => {
  it('tells of the attribute map that shadows the BIOS', () => {
    const onAttributeMap = vi.fn();
    const fn = i440fxHostBridge({ onAttributeMap });
    fn.configWrite(0x59, 4, 0x33333330);
    expect(onAttributeMap).toHaveBeenLastCalledWith([0x30, 0x33, 0x33, 0x33, 0, 0, 0]);
    fn.configWrite(0x3c, 1, 1);
    expect(onAttributeMap).toHaveBeenCalledTimes(1);
  });
});

describe('MSI', () => {
  it('sends address and data, the vector in the low bits that the guest enabled', () => {
    const { fn, write } = board();
    const send = vi.fn();
    const msi = new Msi(fn, 0, send);
    expect(msi.notify(0)).toBe(false);
    write(3, 0, 0x44, 4, 0xfee01003);
    write(3, 0, 0x4c, 2, 0x4041);
    write(3, 0, 0x42, 2, 0x0021);
    expect(msi.notify(0)).toBe(true);
    msi.notify(3);
    expect(send.mock.calls).toEqual([[0xfee01000, 0x4040], [0xfee01000, 0x4043]]);
  });

  it('offers 64-bit addresses and the number of vectors', () => {
    expect(board().read(3, 0, 0x42, 2)).toBe(0x0084);
  });
});

describe('MSI-X', () => {
  function table() {
    const b = board();
    const send = vi.fn();
    const msix = new Msix({ fn: b.fn, capabilityIndex: 1, vectors: 3, send });
    const control = b.fn.capabilityOffset(1) + 2;
    const entry = (vector: number, address: number, data: number, mask: number): void =>
      [address, 0, data, mask].forEach((value, i) => msix.writeTable(vector * 16 + 4 * i, 4, value));
    return { ...b, send, msix, control, entry };
  }

  it('sends what its entry says', () => {
    const { msix, control, entry, send, write, read } = table();
    expect(read(3, 0, control, 2)).toBe(2);
    write(3, 0, control, 2, 0x8000);
    entry(2, 0xfee02000, 0x55, 0);
    msix.notify(2);
    expect(send).toHaveBeenCalledExactlyOnceWith(0xfee02000, 0x55);
    expect(msix.notify(3)).toBe(false);
  });

  it('keeps a masked vector pending and sends it once when it is unmasked', () => {
    const { msix, control, entry, send, write } = table();
    write(3, 0, control, 2, 0x8000);
    entry(1, 0xfee00000, 0x66, 1);
    msix.notify(1);
    msix.notify(1);
    expect([send.mock.calls.length, msix.readPending(0)]).toEqual([0, 2]);
    entry(1, 0xfee00000, 0x66, 0);
    expect([send.mock.calls.length, msix.readPending(0)]).toEqual([1, 0]);
    write(3, 0, control, 2, 0xc000);
    msix.notify(1);
    expect(send).toHaveBeenCalledTimes(1);
    write(3, 0, control, 2, 0x8000);
    msix.flush();
    expect(send).toHaveBeenCalledTimes(2);
  });
});

describe('PCI snapshot', () => {
  it('continues with its address, its mappings and its routes', () => {
    const one = board();
    one.write(3, 0, 0x14, 4, 0xfebf0000);
    one.write(3, 0, 4, 2, 2);
    one.write(1, 0, 0x62, 1, 5);
    const two = board();
    two.host.restore(structuredClone(one.host.save()));
    expect(two.changes.map(({ base }) => base)).toEqual([0xfebf0000]);
    expect(two.piix3.irqOf(3, 1)).toBe(5);
    expect(two.ports.read(0xcf8, 4)).toBe(one.ports.read(0xcf8, 4));
  });

  it('resets every function', () => {
    const { host, read, write, changes } = board();
    write(3, 0, 0x14, 4, 0xfebf0000);
    write(3, 0, 4, 2, 2);
    host.reset();
    expect([read(3, 0, 0x14), read(3, 0, 4, 2), changes.at(-1)?.base]).toEqual([0, 0, undefined]);
  });

  it('survives a mad driver', () => {
    const { host, select } = board();
    for (let device = 0; device < 5; device++) {
      for (let offset = 0; offset < 256; offset += 4) {
        select(device, device === 1 ? 3 : 0, offset);
        fuzzDevice(host, { seed: device * 256 + offset + 1, accesses: 50 });
      }
    }
  });
});
