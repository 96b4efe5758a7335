import { describe, expect, it } from 'vitest';
import { fakeClock, fakeIrq, fuzzDevice } from '@vmm/device-kit/testing';
import { Uart16550 } from './uart16550.ts';

const DATA = 0, IER = 1, IIR = 2, FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCRATCH = 7;
const DTR_RTS_OUT2 = 0x0b;
const CHARACTER_NS = 86_806; // ten bits at 115200

function powered(options: { withClock?: boolean; receiveQueueBytes?: number } = {}) {
  const clock = fakeClock();
  const irq = fakeIrq();
  const sent: number[] = [];
  let drained = 0;
  const uart = new Uart16550({
    irq, onTransmit: (byte) => sent.push(byte), onReceiveDrained: () => drained++,
    ...(options.withClock === false ? {} : { clock }),
    ...(options.receiveQueueBytes === undefined ? {} : { receiveQueueBytes: options.receiveQueueBytes }),
  });
  return {
    uart, clock, irq, sent,
    drained: () => drained,
    out: (offset: number, value: number): void => uart.pioWrite(0x3f8 + offset, 1, value),
    inb: (offset: number): number => uart.pioRead(0x3f8 + offset, 1),
  };
}

/** 115200 8N1, FIFOs on with trigger level 8, interrupts connected. */
function opened(options: Parameters<typeof powered>[0] = {}) {
  const board = powered(options);
  const { out } = board;
  out(LCR, 0x83); out(DATA, 1); out(IER, 0); out(LCR, 0x03);
  out(FCR, 0x87);
  out(MCR, DTR_RTS_OUT2);
  return board;
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

describe('Uart16550 transmitter', () => {
  it('hands every byte to the host and is empty at once', () => {
    const { out, inb, sent } = opened();
    for (const byte of text('hi')) out(DATA, byte);
    expect(sent).toEqual([...text('hi')]);
    expect(inb(LSR)).toBe(0x60);
  });

  it('interrupts after each byte while the transmit interrupt is enabled; reading IIR withdraws it', () => {
    const { out, inb, irq } = opened();
    out(IER, 2);
    expect(irq.level).toBe(true);
    expect(inb(IIR)).toBe(0xc2);
    expect(irq.level).toBe(false);
    expect(inb(IIR)).toBe(0xc1);
    const edges = irq.edges;
    out(DATA, 0x41);
    out(DATA, 0x42);
    expect(irq.edges).toBe(edges + 2);
  });

  it('passes the THRE test of Linux: each enabling of the interrupt raises it again', () => {
    const { out, inb } = opened();
    for (let i = 0; i < 2; i++) {
      out(IER, 2);
      expect(inb(IIR) & 1).toBe(0);
      out(IER, 0);
    }
  });

  it('keeps the line low while OUT2 is clear', () => {
    const { out, irq, inb } = opened();
    out(MCR, 0x03);
    out(IER, 2);
    expect(irq.level).toBe(false);
    expect(inb(IIR)).toBe(0xc2);
    out(IER, 0); out(IER, 2);
    out(MCR, DTR_RTS_OUT2);
    expect(irq.level).toBe(true);
  });
});

describe('Uart16550 receiver', () => {
  it.each([[0x07, 1], [0x47, 4], [0x87, 8], [0xc7, 14]])('with FCR %i interrupts at %i bytes', (fcr, level) => {
    const { uart, out, inb, irq } = opened();
    out(FCR, fcr);
    out(IER, 1);
    for (let i = 1; i < level; i++) uart.receive([i]);
    expect(irq.level).toBe(false);
    uart.receive([level]);
    expect(irq.level).toBe(true);
    expect(inb(IIR)).toBe(0xc4);
    inb(DATA);
    expect(irq.level).toBe(false);
  });

  it('interrupts for fewer bytes after four character times, once per silence', () => {
    const { uart, clock, out, inb, irq } = opened();
    out(IER, 1);
    clock.advance(11_000_000); // the guest is known to listen
    uart.receive(text('ab'));
    clock.advance(3 * CHARACTER_NS);
    expect(irq.level).toBe(false);
    clock.advance(1.1 * CHARACTER_NS);
    expect(irq.level).toBe(true);
    expect(inb(IIR)).toBe(0xcc);
    expect(inb(DATA)).toBe(0x61);
    expect(irq.level).toBe(false);
    clock.advance(5 * CHARACTER_NS);
    expect(inb(IIR)).toBe(0xcc);
    expect(inb(DATA)).toBe(0x62);
    expect(inb(LSR) & 1).toBe(0);
    expect(clock.nextDeadline()).toBe(Infinity);
  });

  it('needs no clock: the timeout then comes at once', () => {
    const { uart, out, inb, irq } = opened({ withClock: false });
    out(IER, 1);
    uart.receive(text('a'));
    expect(irq.level).toBe(true);
    expect(inb(IIR)).toBe(0xcc);
  });

  it('feeds a long paste through the FIFO without loss and tells when it is through', () => {
    const { uart, inb, drained } = opened();
    const paste = Uint8Array.from({ length: 1000 }, (_, i) => i & 0xff);
    expect(uart.receive(paste)).toBe(1000);
    expect(drained()).toBe(0);
    const read: number[] = [];
    while ((inb(LSR) & 1) !== 0) read.push(inb(DATA));
    expect(read).toEqual([...paste]);
    expect(drained()).toBe(1);
    expect(inb(LSR) & 2).toBe(0);
  });

  it('pushes back when the queue is full', () => {
    const { uart } = opened({ receiveQueueBytes: 10 });
    expect(uart.receive(new Uint8Array(100))).toBe(10);
    expect(uart.receive(new Uint8Array(100))).toBe(10); // the first ten went to the FIFO
    expect(uart.receive(new Uint8Array(100))).toBe(6);
    expect(uart.receive(new Uint8Array(100))).toBe(0);
  });

  it('holds one byte without FIFOs', () => {
    const { uart, out, inb } = opened();
    out(FCR, 0);
    out(IER, 1);
    uart.receive(text('ab'));
    expect(inb(IIR)).toBe(4);
    expect(inb(DATA)).toBe(0x61);
    expect(inb(DATA)).toBe(0x62);
    expect(inb(IIR)).toBe(1);
  });

  it('keeps bytes typed before the driver opens the port, not those in a FIFO that it clears', () => {
    const { uart, out, inb } = opened();
    uart.receive(text('0123456789abcdefXY'));
    out(FCR, 0x07);
    expect(String.fromCharCode(inb(DATA), inb(DATA))).toBe('XY');
  });

  it('reports a break with a line status interrupt, once', () => {
    const { uart, out, inb, irq } = opened();
    out(IER, 4);
    uart.receiveBreak();
    expect(irq.level).toBe(true);
    expect(inb(IIR)).toBe(0xc6);
    expect(inb(LSR)).toBe(0xf1);
    expect(irq.level).toBe(false);
    expect(inb(LSR)).toBe(0x61);
    expect(inb(DATA)).toBe(0);
  });

  it('serves line status before data before transmitter before modem', () => {
    const { uart, out, inb } = opened();
    out(FCR, 0x07);
    out(MCR, 0x10); out(MCR, 0x0b);
    out(IER, 0x0f);
    uart.receiveBreak();
    const seen = [inb(IIR)];
    inb(LSR); seen.push(inb(IIR));
    inb(DATA); seen.push(inb(IIR));
    seen.push(inb(IIR));
    inb(MSR); seen.push(inb(IIR));
    expect(seen.map((iir) => iir & 0x0f)).toEqual([6, 4, 2, 0, 1]);
  });
});

describe('Uart16550 listening', () => {
  it('begins when the guest has enabled the receive interrupt, connected, and left it so for 10 ms: a probe does not count', () => {
    const { uart, out, clock } = powered();
    const later = (): boolean => { clock.advance(11_000_000); return uart.isListening; };
    out(IER, 1);
    expect(later()).toBe(false);
    out(MCR, DTR_RTS_OUT2);
    expect(uart.isListening).toBe(false);
    out(IER, 0);
    expect(later()).toBe(false);
    out(IER, 1);
    expect(later()).toBe(true);
  });

  it('begins when the guest polls for a byte, not when it polls to send', () => {
    const { uart, out, inb } = powered();
    for (let i = 0; i < 1000; i++) {
      inb(LSR);
      out(DATA, 65);
    }
    expect(uart.isListening).toBe(false);
    for (let i = 0; i < 100; i++) inb(LSR);
    expect(uart.isListening).toBe(true);
  });
});

describe('Uart16550 probing', () => {
  it('implements four bits of IER and eight of the scratch register', () => {
    const { out, inb } = powered();
    out(IER, 0xff);
    expect(inb(IER)).toBe(0x0f);
    out(SCRATCH, 0xae);
    expect(inb(SCRATCH)).toBe(0xae);
  });

  it.each([[0x1a, 0x90], [0x15, 0x60], [0x10, 0x00], [0x1f, 0xf0]])(
    'in loopback MCR 0x%s shows at MSR as 0x%s', (mcr, msr) => {
      const { out, inb } = powered();
      out(MCR, mcr);
      expect(inb(MSR) & 0xf0).toBe(msr);
      out(MCR, 0x0b);
      expect(inb(MSR) & 0xf0).toBe(0xb0);
    });

  it('notes changes of the modem lines until MSR is read', () => {
    const { out, inb } = powered();
    out(MCR, 0x10); inb(MSR);
    out(MCR, 0x1f);
    expect(inb(MSR)).toBe(0xfb); // RI rose: no trailing edge
    out(MCR, 0x10);
    expect(inb(MSR)).toBe(0x0f);
    expect(inb(MSR)).toBe(0x00);
  });

  it('returns what it sends in loopback, and sends nothing', () => {
    const { out, inb, sent, uart } = opened();
    out(MCR, 0x18);
    uart.receive(text('z'));
    out(DATA, 0x55);
    expect(inb(DATA)).toBe(0x55);
    expect(inb(LSR) & 1).toBe(0);
    expect(sent).toEqual([]);
    out(MCR, 0x08);
    expect(inb(DATA)).toBe(0x7a);
  });

  it('is a 16550A to the autoconfiguration of Linux', () => {
    const { out, inb } = powered();
    out(LCR, 0xbf); out(FCR, 0); out(LCR, 0); out(FCR, 1);
    expect(inb(IIR) >> 6).toBe(3);
    out(LCR, 0x80);
    expect(inb(IIR)).not.toBe(0); // no EFR: not a 16650
    out(LCR, 0xbf);
    expect(inb(IIR)).not.toBe(0);
    out(LCR, 0); out(FCR, 0x21);
    expect(inb(IIR) >> 5).toBe(6);
    out(LCR, 0x80); out(FCR, 0x21);
    expect(inb(IIR) >> 5).toBe(6); // no 64-byte FIFO: not a 16750
  });

  it('keeps the divisor behind DLAB', () => {
    const { out, inb } = powered();
    out(LCR, 0x80); out(DATA, 0x34); out(IER, 0x12);
    expect([inb(DATA), inb(IER)]).toEqual([0x34, 0x12]);
    out(LCR, 0x03);
    expect(inb(IER)).toBe(0);
  });
});

describe('Uart16550 snapshot', () => {
  it('continues with its FIFO, its queue and its line', () => {
    const one = opened();
    one.out(IER, 1);
    one.uart.receive(text('the quick brown fox'));
    const two = powered();
    two.uart.restore(structuredClone(one.uart.save()));
    expect(two.irq.level).toBe(true);
    let read = '';
    while ((two.inb(LSR) & 1) !== 0) read += String.fromCharCode(two.inb(DATA));
    expect(read).toBe('the quick brown fox');
  });

  it('survives a mad driver and a mad sender', () => {
    const { uart, clock } = powered({ receiveQueueBytes: 64 });
    for (let seed = 1; seed < 20; seed++) {
      fuzzDevice(uart, { clock, seed, accesses: 2000 });
      uart.receive(new Uint8Array(seed));
      uart.receiveBreak();
    }
    uart.reset();
  });
});
