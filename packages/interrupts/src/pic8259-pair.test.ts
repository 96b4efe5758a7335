import { describe, expect, it } from 'vitest';
import { fuzzDevice } from '@vmm/device-kit/testing';
import { Pic8259Pair } from './pic8259-pair.ts';

const M = 0x20, MD = 0x21, S = 0xa0, SD = 0xa1, ELCR1 = 0x4d0, ELCR2 = 0x4d1;
const EOI = 0x20;

function powered() {
  const levels: boolean[] = [];
  const pic = new Pic8259Pair({ onIntr: (level) => levels.push(level) });
  return { pic, levels, out: (port: number, value: number) => pic.pioWrite(port, 1, value), inb: (port: number) => pic.pioRead(port, 1) };
}

/** As Linux' init_8259A does, with everything unmasked. */
function initialized(options: { icw4?: number; masterIcw4?: number } = {}) {
  const board = powered();
  const { out } = board;
  out(M, 0x11); out(MD, 0x30); out(MD, 4); out(MD, options.masterIcw4 ?? options.icw4 ?? 1);
  out(S, 0x11); out(SD, 0x38); out(SD, 2); out(SD, options.icw4 ?? 1);
  out(MD, 0); out(SD, 0);
  return board;
}

const pulse = (pic: Pic8259Pair, irq: number): void => {
  pic.setIrq(irq, true);
  pic.setIrq(irq, false);
};

describe('Pic8259Pair', () => {
  it.each([[0, 0x30], [1, 0x31], [7, 0x37], [8, 0x38], [12, 0x3c], [15, 0x3f]])('gives IRQ %i the vector 0x%s', (irq, vector) => {
    const { pic } = initialized();
    pulse(pic, irq);
    expect(pic.intr).toBe(true);
    expect(pic.acknowledge()).toBe(vector);
    expect(pic.intr).toBe(false);
  });

  it('serves the lower input number first, the slave in the place of input 2', () => {
    const { pic, out } = initialized();
    for (const irq of [5, 12, 8, 3, 1]) pulse(pic, irq);
    const served: number[] = [];
    while (pic.intr) {
      const vector = pic.acknowledge();
      served.push(vector - 0x30);
      if (vector >= 0x38) out(S, EOI);
      out(M, EOI);
    }
    expect(served).toEqual([1, 8, 12, 3, 5]);
  });

  it('holds lower priorities back until EOI, lets higher ones through', () => {
    const { pic, out } = initialized();
    pulse(pic, 4);
    pic.acknowledge();
    pulse(pic, 5);
    expect(pic.intr).toBe(false);
    pulse(pic, 3);
    expect(pic.acknowledge()).toBe(0x33);
    out(M, EOI);
    expect(pic.intr).toBe(false);
    out(M, EOI);
    expect(pic.acknowledge()).toBe(0x35);
  });

  it('asks for nothing while the input is masked, and does when it is unmasked', () => {
    const { pic, out, inb } = initialized();
    out(MD, 0xff);
    expect(inb(MD)).toBe(0xff);
    pulse(pic, 1);
    expect(pic.intr).toBe(false);
    expect(inb(M)).toBe(2);
    out(MD, 0xfd);
    expect(pic.intr).toBe(true);
  });

  it('latches one request per edge', () => {
    const { pic, out } = initialized();
    pic.setIrq(1, true);
    pic.acknowledge();
    out(M, EOI);
    pic.setIrq(1, true);
    expect(pic.intr).toBe(false);
    pic.setIrq(1, false);
    pic.setIrq(1, true);
    expect(pic.intr).toBe(true);
  });

  it('repeats a level-triggered request until the line falls', () => {
    const { pic, out, inb } = initialized();
    out(ELCR1, 0xff);
    out(ELCR2, 0xff);
    expect([inb(ELCR1), inb(ELCR2)]).toEqual([0xf8, 0xde]);
    pic.setIrq(11, true);
    expect(pic.acknowledge()).toBe(0x3b);
    out(S, EOI); out(M, EOI);
    expect(pic.intr).toBe(true);
    pic.setIrq(11, false);
    expect(pic.intr).toBe(false);
  });

  it.each([5, 11])('answers the spurious vector 7 when level IRQ %i has gone away before INTA', (irq) => {
    const { pic, out, inb } = initialized();
    out(ELCR1, 0xff); out(ELCR2, 0xff);
    pic.setIrq(irq, true);
    pic.setIrq(irq, false);
    expect(pic.acknowledge()).toBe(0x37);
    out(M, 0x0b); out(S, 0x0b);
    expect([inb(M), inb(S)]).toEqual([0, 0]);
  });

  it('reads IRR and ISR as OCW3 chose', () => {
    const { pic, out, inb } = initialized();
    pulse(pic, 4);
    pic.acknowledge();
    pulse(pic, 6);
    out(M, 0x0a);
    expect(inb(M)).toBe(0x40);
    out(M, 0x0b);
    expect(inb(M)).toBe(0x10);
  });

  it('ends a named level with a specific EOI', () => {
    const { pic, out, inb } = initialized();
    pulse(pic, 4); pic.acknowledge();
    pulse(pic, 3); pic.acknowledge();
    out(M, 0x64);
    out(M, 0x0b);
    expect(inb(M)).toBe(0x08);
  });

  it('ends every interrupt by itself in AEOI mode', () => {
    const { pic, out, inb } = initialized({ icw4: 3 });
    pulse(pic, 9);
    expect(pic.acknowledge()).toBe(0x39);
    out(M, 0x0b); out(S, 0x0b);
    expect([inb(M), inb(S)]).toEqual([0, 0]);
  });

  it('rotates priorities on the rotating EOI and on command', () => {
    const { pic, out } = initialized();
    pulse(pic, 0); pulse(pic, 3);
    expect(pic.acknowledge()).toBe(0x30);
    out(M, 0xa0);
    pulse(pic, 0); pulse(pic, 5);
    expect(pic.acknowledge()).toBe(0x33);
    out(M, EOI);
    expect(pic.acknowledge()).toBe(0x35);
    out(M, EOI);
    out(M, 0xc7); // lowest is 7 again
    expect(pic.acknowledge()).toBe(0x30);
  });

  it('lets lower priorities through in special mask mode while the one in service is masked', () => {
    const { pic, out } = initialized();
    pulse(pic, 4); pic.acknowledge();
    out(M, 0x68);
    out(MD, 0x10);
    pulse(pic, 6);
    expect(pic.acknowledge()).toBe(0x36);
    out(M, EOI); // non-specific: leaves the masked input in service
    out(M, 0x48);
    pulse(pic, 6);
    expect(pic.intr).toBe(false);
  });

  it('lets a higher slave input in during another in special fully nested mode', () => {
    const nested = initialized({ masterIcw4: 0x11 });
    pulse(nested.pic, 12); nested.pic.acknowledge();
    pulse(nested.pic, 9);
    expect(nested.pic.acknowledge()).toBe(0x39);
    const plain = initialized();
    pulse(plain.pic, 12); plain.pic.acknowledge();
    pulse(plain.pic, 9);
    expect(plain.pic.intr).toBe(false);
  });

  it('acknowledges by polling', () => {
    const { pic, out, inb } = initialized();
    pulse(pic, 6);
    out(M, 0x0c);
    expect(inb(M)).toBe(0x86);
    out(M, 0x0c);
    expect(inb(M)).toBe(0);
    out(M, 0x0b);
    expect(inb(M)).toBe(0x40);
  });

  it('forgets requests, mask and service at ICW1', () => {
    const { pic, out, inb } = initialized();
    pulse(pic, 4); pic.acknowledge(); pulse(pic, 1);
    out(MD, 0x55);
    out(M, 0x11); out(MD, 0x08); out(MD, 4); out(MD, 1);
    expect(inb(MD)).toBe(0);
    expect(pic.intr).toBe(false);
    pulse(pic, 0);
    expect(pic.acknowledge()).toBe(8);
  });

  it('passes the probe of Linux: the mask register reads back', () => {
    const { out, inb } = powered();
    out(SD, 0xff);
    out(MD, 0xfb);
    expect(inb(MD)).toBe(0xfb);
  });

  it('continues from a snapshot and drives INTR to match', () => {
    const one = initialized();
    pulse(one.pic, 4); one.pic.acknowledge(); pulse(one.pic, 1); pulse(one.pic, 12);
    const two = powered();
    two.pic.restore(structuredClone(one.pic.save()));
    expect(two.pic.intr).toBe(true);
    expect(two.levels.at(-1)).toBe(true);
    expect(two.pic.acknowledge()).toBe(0x31);
    two.out(M, EOI);
    expect(two.pic.acknowledge()).toBe(0x3c);
  });

  it('survives a mad driver', () => {
    const { pic } = powered();
    fuzzDevice(pic);
    for (let irq = 0; irq < 16; irq++) pulse(pic, irq);
    for (let i = 0; i < 20; i++) expect(pic.acknowledge()).toBeLessThan(256);
  });
});
