import { describe, expect, it } from 'vitest';
import { fakeClock, fuzzDevice } from '@vmm/device-kit/testing';
import { InterruptController } from './interrupt-controller.ts';
import { IoApic } from './io-apic.ts';
import { decodeMsi } from './msi.ts';
import type { ApicMessage } from './apic-message.ts';

const IOAPIC = 0xfec00000;
const LEVEL = 0x8000, MASKED = 0x10000, REMOTE_IRR = 0x4000;

function board(vcpus = 1) {
  const clock = fakeClock();
  const controller = new InterruptController({ clock, vcpus });
  const { ioApic, pic } = controller;
  const cpu = controller.cpu(0);
  for (const apic of controller.localApics) apic.mmioWrite(0xfee000f0, 4, 0x1ff);
  return {
    clock, controller, ioApic, pic, cpu,
    entry: (pin: number, low: number, destination = 0): void => {
      ioApic.mmioWrite(IOAPIC, 4, 0x11 + 2 * pin);
      ioApic.mmioWrite(IOAPIC + 0x10, 4, (destination << 24) >>> 0);
      ioApic.mmioWrite(IOAPIC, 4, 0x10 + 2 * pin);
      ioApic.mmioWrite(IOAPIC + 0x10, 4, low);
    },
    low: (pin: number): number => {
      ioApic.mmioWrite(IOAPIC, 4, 0x10 + 2 * pin);
      return ioApic.mmioRead(IOAPIC + 0x10, 4);
    },
    take: (): number => (cpu.pending() ? cpu.acknowledge() : -1),
    eoi: (): void => cpu.mmioWrite(0xfee000b0, 4, 0),
    initPic: (): void => {
      for (const [port, value] of [[0x20, 0x11], [0x21, 0x30], [0x21, 4], [0x21, 1], [0xa0, 0x11], [0xa1, 0x38], [0xa1, 2], [0xa1, 1]] as const) {
        pic.pioWrite(port, 1, value);
      }
    },
  };
}

describe('IoApic', () => {
  it('has 24 masked pins, version 0x20 and the id it was given', () => {
    const { ioApic, low } = board(3);
    ioApic.mmioWrite(IOAPIC, 4, 1);
    expect(ioApic.mmioRead(IOAPIC + 0x10, 4)).toBe(0x00170020);
    ioApic.mmioWrite(IOAPIC, 4, 0);
    expect(ioApic.mmioRead(IOAPIC + 0x10, 4)).toBe(0x03000000);
    for (let pin = 0; pin < 24; pin++) expect(low(pin)).toBe(MASKED);
  });

  it('delivers one interrupt per edge', () => {
    const { controller, entry, take, eoi, low } = board();
    entry(4, 0x44);
    const line = controller.gsi(4);
    line.set(true);
    line.set(true);
    expect(take()).toBe(0x44);
    expect(low(4)).toBe(0x44);
    eoi();
    expect(take()).toBe(-1);
    line.set(false);
    line.set(true);
    expect(take()).toBe(0x44);
  });

  it('loses an edge at a masked pin', () => {
    const { controller, entry, take } = board();
    entry(4, MASKED | 0x44);
    controller.gsi(4).set(true);
    entry(4, 0x44);
    expect(take()).toBe(-1);
  });

  it('delivers a level once until EOI, then again while the line is high', () => {
    const { controller, entry, take, eoi, low } = board();
    entry(17, LEVEL | 0x51);
    const line = controller.gsi(17);
    line.set(true);
    expect(take()).toBe(0x51);
    expect(low(17)).toBe(LEVEL | REMOTE_IRR | 0x51);
    line.set(false);
    line.set(true);
    expect(take()).toBe(-1);
    eoi();
    expect(take()).toBe(0x51);
    line.set(false);
    eoi();
    expect(take()).toBe(-1);
    expect(low(17)).toBe(LEVEL | 0x51);
  });

  it('serves a level that waited behind the mask', () => {
    const { controller, entry, take } = board();
    entry(17, MASKED | LEVEL | 0x51);
    controller.gsi(17).set(true);
    expect(take()).toBe(-1);
    entry(17, LEVEL | 0x51);
    expect(take()).toBe(0x51);
  });

  it('ends by its own EOI register when the broadcast is suppressed', () => {
    const { controller, entry, take, eoi, cpu, ioApic, low } = board();
    cpu.mmioWrite(0xfee000f0, 4, 0x11ff);
    entry(17, LEVEL | 0x51);
    controller.gsi(17).set(true);
    expect(take()).toBe(0x51);
    eoi();
    expect(low(17) & REMOTE_IRR).toBe(REMOTE_IRR);
    ioApic.mmioWrite(IOAPIC + 0x40, 4, 0x51);
    expect(take()).toBe(0x51);
  });

  it('ends by switching the entry to edge and back, as Linux does on old parts', () => {
    const { controller, entry, take, low } = board();
    entry(17, LEVEL | 0x51);
    controller.gsi(17).set(true);
    take();
    entry(17, MASKED | 0x51);
    entry(17, MASKED | LEVEL | 0x51);
    expect(low(17)).toBe(MASKED | LEVEL | 0x51);
  });

  it.each([
    { low: 0x0041, destination: 1, to: [1] }, { low: 0x0841, destination: 0b101, to: [0, 2] },
    { low: 0x0041, destination: 0xff, to: [0, 1, 2] }, { low: 0x0941, destination: 0b110, to: [1] },
  ])('routes entry $low of destination $destination to $to', ({ low, destination, to }) => {
    const { controller, entry } = board(3);
    for (const [i, apic] of controller.localApics.entries()) apic.mmioWrite(0xfee000d0, 4, (1 << i) << 24);
    entry(5, low, destination);
    controller.gsi(5).set(true);
    expect([0, 1, 2].filter((i) => controller.cpu(i).pendingVector() === 0x41)).toEqual(to);
  });

  it('delivers NMI', () => {
    const { controller, entry, cpu } = board();
    entry(2, 0x400);
    controller.gsi(0).set(true);
    expect(cpu.takeNmi()).toBe(true);
  });

  it('keeps read-only bits and survives a mad driver', () => {
    const messages: ApicMessage[] = [];
    const ioApic = new IoApic({ deliver: (message) => messages.push(message) });
    fuzzDevice(ioApic);
    for (let pin = 0; pin < 24; pin++) ioApic.setPin(pin, true);
    ioApic.reset();
    ioApic.mmioWrite(IOAPIC, 4, 0x10);
    ioApic.mmioWrite(IOAPIC + 0x10, 4, 0xffffffff);
    expect(ioApic.mmioRead(IOAPIC + 0x10, 4)).toBe(0x1afff);
  });
});

describe('IrqRouter', () => {
  it('brings ISA interrupt 0 to pin 2 and to input 0 of the 8259', () => {
    for (const gsi of [0, 2]) {
      const { controller, entry, take, initPic, pic, cpu } = board();
      initPic();
      cpu.mmioWrite(0xfee00350, 4, MASKED);
      entry(2, 0x30);
      controller.gsi(gsi).set(true);
      expect(take()).toBe(0x30);
      expect(pic.acknowledge()).toBe(0x30);
    }
  });

  it('brings a line to both controllers', () => {
    const { controller, entry, take, initPic } = board();
    initPic();
    entry(9, LEVEL | 0x49);
    controller.gsi(9).set(true);
    expect(take()).toBe(0x39); // ExtINT through the virtual wire comes first
    expect(take()).toBe(0x49);
  });

  it.each([
    { address: 0xfee01000, data: 0x4041, expected: { destination: 1, isLogical: false, deliveryMode: 0, vector: 0x41, isLevelTriggered: false } },
    { address: 0xfee0300c, data: 0x0141, expected: { destination: 3, isLogical: true, deliveryMode: 1, vector: 0x41, isLevelTriggered: false } },
    { address: 0xfeeff000, data: 0xc400, expected: { destination: 0xffffffff, isLogical: false, deliveryMode: 4, vector: 0, isLevelTriggered: true } },
  ])('decodes the MSI $address $data', ({ address, data, expected }) => {
    expect(decodeMsi(address, data)).toMatchObject(expected);
  });

  it('delivers an MSI and declines ordinary memory', () => {
    const { controller, take } = board();
    expect(controller.msi(0xfee00000, 0x55)).toBe(true);
    expect(take()).toBe(0x55);
    expect(controller.msi(0xfed00000, 0x55)).toBe(false);
  });
});

describe('ExtINT', () => {
  it('reaches the boot processor through the virtual wire before any APIC is touched', () => {
    const clock = fakeClock();
    const controller = new InterruptController({ clock });
    const { pic } = controller;
    for (const [port, value] of [[0x20, 0x11], [0x21, 0x08], [0x21, 4], [0x21, 1]] as const) pic.pioWrite(port, 1, value);
    controller.gsi(0).set(true);
    expect(controller.cpu(0).pending()).toBe(true);
    expect(controller.cpu(0).acknowledge()).toBe(8);
    expect(controller.cpu(0).pending()).toBe(false);
  });

  it('is not held back by TPR, stops when LINT0 is masked, and bypasses a disabled APIC', () => {
    const { controller, cpu, initPic } = board();
    initPic();
    cpu.cr8 = 15;
    controller.gsi(1).set(true);
    expect(cpu.pending()).toBe(true);
    cpu.mmioWrite(0xfee00350, 4, MASKED | 0x700);
    expect(cpu.pending()).toBe(false);
    cpu.writeApicBase(0xfee00000, 0);
    expect(cpu.pending()).toBe(true);
    expect(cpu.acknowledge()).toBe(0x31);
  });

  it('also comes through pin 0 of the IO-APIC', () => {
    const { controller, cpu, initPic, entry } = board();
    initPic();
    cpu.mmioWrite(0xfee00350, 4, MASKED);
    entry(0, 0x700);
    controller.gsi(1).set(true);
    expect(cpu.pending()).toBe(true);
    expect(cpu.acknowledge()).toBe(0x31);
    expect(cpu.pending()).toBe(false);
  });

  it('delivers the board NMI through LINT1, once per edge', () => {
    const { controller, cpu } = board();
    controller.nmi.set(true);
    controller.nmi.set(true);
    expect([cpu.takeNmi(), cpu.takeNmi()]).toEqual([true, false]);
  });

  it('repeats a level-triggered fixed LINT0 while the pin is high', () => {
    const { cpu, take, eoi } = board();
    cpu.mmioWrite(0xfee00350, 4, LEVEL | 0x45);
    cpu.setLint(0, true);
    expect(take()).toBe(0x45);
    eoi();
    expect(take()).toBe(0x45);
    cpu.setLint(0, false);
    eoi();
    expect(take()).toBe(-1);
  });
});

describe('InterruptController snapshot', () => {
  it('continues with a level in service', () => {
    const one = board();
    one.entry(17, LEVEL | 0x51);
    one.controller.gsi(17).set(true);
    one.take();
    const two = board();
    two.controller.restore(structuredClone(one.controller.save()));
    two.eoi();
    expect(two.take()).toBe(0x51);
  });
});
