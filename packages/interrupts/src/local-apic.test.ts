import { describe, expect, it } from 'vitest';
import { fakeClock, fuzzDevice, seededRandom } from '@vmm/device-kit/testing';
import { InterruptController } from './interrupt-controller.ts';
import type { InterruptControllerOptions } from './interrupt-controller.ts';

const BASE = 0xfee00000;
const ID = 0x20, VERSION = 0x30, TPR = 0x80, PPR = 0xa0, EOI = 0xb0, LDR = 0xd0, DFR = 0xe0, SVR = 0xf0, ISR = 0x100, TMR = 0x180;
const IRR = 0x200, ESR = 0x280, ICR = 0x300, ICR_HIGH = 0x310, LVTT = 0x320, LVTPC = 0x340, LINT0 = 0x350, LINT1 = 0x360, LVTERR = 0x370;
const TMICT = 0x380, TMCCT = 0x390, TDCR = 0x3e0;
const MASKED = 0x10000;

function powered(options: Partial<InterruptControllerOptions> = {}) {
  const clock = fakeClock();
  const controller = new InterruptController({ clock, ...options });
  const on = (index: number) => {
    const apic = controller.cpu(index);
    return {
      apic,
      read: (offset: number): number => apic.mmioRead(BASE + offset, 4),
      write: (offset: number, value: number): void => apic.mmioWrite(BASE + offset, 4, value >>> 0),
      take: (): number => (apic.pending() ? apic.acknowledge() : -1),
    };
  };
  return { clock, controller, on, ...on(0) };
}

/** Enabled by software, everything masked, divider 1. */
function enabled(options: Partial<InterruptControllerOptions> = {}) {
  const board = powered(options);
  for (const { id } of board.controller.localApics) {
    board.on(id).write(SVR, 0x1ff);
    board.on(id).write(TDCR, 0xb);
  }
  return board;
}

const X2APIC = 0xc00;
const toX2apic = (board: ReturnType<typeof powered>, index = 0): boolean => board.controller.cpu(index).writeApicBase(0xfee00000 | X2APIC, 0);

describe('LocalApic at reset', () => {
  it.each([
    ['ID', ID, 0], ['VERSION', VERSION, 0x01050014], ['TPR', TPR, 0], ['DFR', DFR, 0xffffffff], ['SVR', SVR, 0xff], ['LDR', LDR, 0],
    ['LVT timer', LVTT, MASKED], ['LVT error', LVTERR, MASKED], ['LINT0: the virtual wire', LINT0, 0x700], ['LINT1: NMI', LINT1, 0x400],
  ])('has %s', (_, offset, value) => {
    expect(powered().read(offset)).toBe(value);
  });

  it('masks LINT0 where there is a BIOS to unmask it', () => {
    expect(powered({ isVirtualWire: false }).read(LINT0)).toBe(MASKED);
  });

  it('says in APIC_BASE which vCPU boots', () => {
    const { controller } = powered({ vcpus: 2 });
    expect(controller.localApics.map((apic) => apic.apicBaseLow)).toEqual([0xfee00900, 0xfee00800]);
  });

  it('shows the id of each vCPU', () => {
    const board = powered({ vcpus: 3 });
    expect(board.on(2).read(ID)).toBe(0x02000000);
  });
});

describe('LocalApic priorities', () => {
  it('delivers the highest vector first and the next after EOI', () => {
    const { apic, write, take } = enabled();
    for (const vector of [0x31, 0xf1, 0x80]) apic.receive(0, vector, false);
    const order = [];
    for (let vector = take(); vector >= 0; vector = take()) {
      order.push(vector);
      write(EOI, 0);
    }
    expect(order).toEqual([0xf1, 0x80, 0x31]);
  });

  it('nests only a higher class', () => {
    const { apic, take } = enabled();
    apic.receive(0, 0x41, false);
    expect(take()).toBe(0x41);
    apic.receive(0, 0x4f, false);
    expect(take()).toBe(-1);
    apic.receive(0, 0x50, false);
    expect(take()).toBe(0x50);
  });

  it.each([
    { tpr: 0x00, vector: 0x10, delivered: true }, { tpr: 0x30, vector: 0x3f, delivered: false },
    { tpr: 0x3f, vector: 0x40, delivered: true }, { tpr: 0xf0, vector: 0xff, delivered: false },
  ])('with TPR $tpr delivers $vector: $delivered', ({ tpr, vector, delivered }) => {
    const { apic, write } = enabled();
    write(TPR, tpr);
    apic.receive(0, vector, false);
    expect(apic.pending()).toBe(delivered);
    expect(apic.pendingVector()).toBe(delivered ? vector : -1);
  });

  it('computes PPR from TPR and the class in service', () => {
    const { apic, write, read, take } = enabled();
    apic.receive(0, 0x57, false);
    take();
    expect(read(PPR)).toBe(0x50);
    write(TPR, 0x5b);
    expect(read(PPR)).toBe(0x5b);
    write(TPR, 0x62);
    expect(read(PPR)).toBe(0x62);
    write(TPR, 0x22);
    expect(read(PPR)).toBe(0x50);
  });

  it('shows CR8 and TPR as one register', () => {
    const { apic, write, read } = enabled();
    apic.cr8 = 9;
    expect(read(TPR)).toBe(0x90);
    write(TPR, 0x37);
    expect(apic.cr8).toBe(3);
    apic.receive(0, 0x35, false);
    expect(apic.pending()).toBe(false);
    apic.cr8 = 0;
    expect(apic.pending()).toBe(true);
  });

  it('answers the spurious vector, without service, when TPR rose before INTA', () => {
    const { apic, write, read } = enabled();
    apic.receive(0, 0x41, false);
    write(TPR, 0xff);
    expect(apic.acknowledge()).toBe(0xff);
    expect(Array.from({ length: 8 }, (_, i) => read(ISR + 16 * i))).toEqual(Array(8).fill(0));
    expect(read(IRR + 0x20)).toBe(2);
  });

  it('shows vectors in IRR, ISR and TMR', () => {
    const { apic, read, take } = enabled();
    apic.receive(0, 0x61, true);
    expect([read(IRR + 0x30), read(TMR + 0x30), read(ISR + 0x30)]).toEqual([2, 2, 0]);
    take();
    expect([read(IRR + 0x30), read(TMR + 0x30), read(ISR + 0x30)]).toEqual([0, 2, 2]);
  });

  it('takes no interrupts while software has it disabled, but NMI, INIT and start-up', () => {
    const { apic } = powered();
    apic.receive(0, 0x41, false);
    expect(apic.pending()).toBe(false);
    apic.receive(4, 0, false);
    expect([apic.takeNmi(), apic.takeNmi()]).toEqual([true, false]);
  });

  it('calls onChange when INTR changes, not when a lower vector joins', () => {
    const { apic } = enabled();
    let changes = 0;
    apic.onChange = () => changes++;
    apic.receive(0, 0x41, false);
    apic.receive(0, 0x31, false);
    expect(changes).toBe(1);
  });
});

describe('LocalApic timer', () => {
  it.each([[0xb, 1], [0, 2], [1, 4], [2, 8], [3, 16], [8, 32], [9, 64], [10, 128]])('with divide configuration %i counts every %i ns', (tdcr, ns) => {
    const { clock, write, read } = enabled();
    write(TDCR, tdcr);
    write(TMICT, 1000);
    expect(read(TMCCT)).toBe(1000);
    clock.advance(100 * ns);
    expect(read(TMCCT)).toBe(900);
  });

  it('fires once in one-shot mode', () => {
    const { clock, write, read, take } = enabled();
    write(LVTT, 0x31);
    write(TMICT, 50_000);
    clock.advance(49_999);
    expect(take()).toBe(-1);
    clock.advance(1);
    expect(take()).toBe(0x31);
    write(EOI, 0);
    expect([read(TMCCT), read(TMICT)]).toEqual([0, 50_000]);
    clock.advance(1e6);
    expect(take()).toBe(-1);
  });

  it('fires every period in periodic mode, without drift, coalescing what was missed', () => {
    const { clock, write, take, read } = enabled();
    write(LVTT, 0x20031);
    write(TMICT, 1_000_000);
    let fired = 0;
    for (let i = 0; i < 100; i++) {
      clock.advance(1_000_000);
      if (take() === 0x31) fired++;
      write(EOI, 0);
    }
    expect(fired).toBe(100);
    clock.stall(5_300_000);
    expect(take()).toBe(0x31);
    write(EOI, 0);
    expect(take()).toBe(-1);
    expect(read(TMCCT)).toBe(700_000);
    expect(clock.nextDeadline()).toBe(106e6);
  });

  it('runs silently while masked and stops at a count of 0', () => {
    const { clock, write, read, take } = enabled();
    write(LVTT, MASKED | 0x31);
    write(TMICT, 1000);
    clock.advance(400);
    expect(read(TMCCT)).toBe(600);
    clock.advance(1000);
    expect(take()).toBe(-1);
    write(LVTT, 0x31);
    write(TMICT, 1000);
    write(TMICT, 0);
    expect(clock.nextDeadline()).toBe(Infinity);
  });

  it('keeps its count when the divider changes', () => {
    const { clock, write, read } = enabled();
    write(TMICT, 10_000);
    clock.advance(4000);
    write(TDCR, 1);
    expect(read(TMCCT)).toBe(6000);
    clock.advance(4000);
    expect(read(TMCCT)).toBe(5000);
  });

  it('goes on counting when the mode changes between one-shot and periodic', () => {
    const { clock, write, read } = enabled();
    const count = 1_000_000;
    write(LVTT, MASKED);
    write(TMICT, count);
    clock.advance(0.9 * count);
    write(LVTT, MASKED | 0x20000);
    expect([read(TMICT), read(TMCCT)]).toEqual([count, 0.1 * count]);
    clock.advance(3.5 * count);
    expect(read(TMCCT)).toBe(0.6 * count);
    write(LVTT, MASKED);
    expect(read(TMCCT)).toBe(0.6 * count);
    clock.advance(0.6 * count);
    expect(read(TMCCT)).toBe(0);
    write(LVTT, MASKED | 0x20000);
    clock.advance(0.5 * count);
    expect(read(TMCCT)).toBe(0); // a count that has ended stays so
    write(TMICT, count);
    clock.advance(1.25 * count);
    expect(read(TMCCT)).toBe(0.75 * count);
  });

  it.each([
    ['its mode', (write) => { write(LVTT, 0x20032); }],
    ['its vector', (write) => { write(LVTT, 0x32); }],
    ['its divider', (write) => { write(TDCR, 1); }],
    ['its count', (write) => { write(TMICT, 0); }],
  ] satisfies [string, (write: (offset: number, value: number) => void) => void][])('has expired when its time is past, even if %s changes before anybody looks at the clock', (_, change) => {
    const { clock, write, read, take } = enabled();
    write(LVTT, 0x31);
    write(TMICT, 50_000);
    clock.pass(50_000);
    change(write);
    expect(read(TMCCT)).toBe(0);
    expect(take()).toBe(0x31);
    write(EOI, 0);
    clock.advance(120_000);
    expect([read(TMCCT), take()]).toEqual([0, -1]);
  });

  it('has expired when a TSC deadline is past, even if another is written before anybody looks at the clock', () => {
    const { apic, clock, write, take } = enabled({ tscToNs: (tsc) => tsc });
    write(LVTT, 0x40031);
    apic.writeMsr(0x6e0, 1000, 0);
    clock.pass(1000);
    apic.writeMsr(0x6e0, 5000, 0);
    expect(take()).toBe(0x31);
    write(EOI, 0);
    expect([take(), clock.nextDeadline()]).toEqual([-1, 5000]);
  });

  it('ignores the initial count in TSC-deadline mode and reads zero there', () => {
    const { clock, write, read } = enabled({ tscToNs: (tsc) => tsc });
    write(LVTT, 0x40031);
    write(TMICT, 1000);
    expect([read(TMICT), read(TMCCT), clock.nextDeadline()]).toEqual([0, 0, Infinity]);
  });

  it('does not let a period of a nanosecond flood the host', () => {
    const { clock, write, take } = enabled();
    write(LVTT, 0x20031);
    write(TMICT, 1);
    let fired = 0;
    for (let i = 0; i < 1000; i++) {
      clock.advance(1000);
      if (take() >= 0) fired++;
      write(EOI, 0);
    }
    expect(fired).toBeLessThanOrEqual(51);
  });

  it('fires when the TSC reaches the deadline, then reads as zero', () => {
    const board = enabled({ tscToNs: (tsc) => tsc / 2 });
    const { apic, clock, write, take } = board;
    expect(apic.writeMsr(0x6e0, 4000, 0)).toBe(true);
    expect(clock.nextDeadline()).toBe(Infinity); // not in the mode
    write(LVTT, 0x40031);
    apic.writeMsr(0x6e0, 4000, 0);
    apic.readMsr(0x6e0);
    expect(apic.msrLow).toBe(4000);
    clock.advance(1999);
    expect(take()).toBe(-1);
    clock.advance(1);
    expect(take()).toBe(0x31);
    apic.readMsr(0x6e0);
    expect(apic.msrLow).toBe(0);
  });

  it('fires at once for a deadline past, is disarmed by zero and by leaving the mode', () => {
    const { apic, clock, write, take } = enabled({ tscToNs: (tsc) => tsc });
    clock.advance(1e6);
    write(LVTT, 0x40031);
    apic.writeMsr(0x6e0, 5, 0);
    clock.runExpired();
    expect(take()).toBe(0x31);
    apic.writeMsr(0x6e0, 0, 1);
    expect(clock.nextDeadline()).toBe(0x1_0000_0000);
    apic.writeMsr(0x6e0, 0, 0);
    expect(clock.nextDeadline()).toBe(Infinity);
    apic.writeMsr(0x6e0, 0, 1);
    write(LVTT, 0x31);
    expect(clock.nextDeadline()).toBe(Infinity);
  });

  it.each([['TSC-deadline', 0x40031, true], ['one-shot', 0x31, true], ['periodic', 0x20031, false]])('may be late in %s mode, vector table entry %i: %s', (_, mode, mayBeLate) => {
    const { apic, clock, write } = enabled({ tscToNs: (tsc) => tsc });
    write(LVTT, mode);
    apic.writeMsr(0x6e0, 40_000, 0);
    write(TMICT, 1000);
    expect(clock.nextDeadline(100) - clock.nextDeadline()).toBe(mayBeLate ? 100 : 0);
  });

  it('has no deadline MSR without a TSC', () => {
    const { apic } = enabled();
    expect(apic.readMsr(0x6e0)).toBe(false);
    expect(apic.writeMsr(0x6e0, 1, 0)).toBe(false);
  });
});

describe('Interprocessor interrupts', () => {
  /** Who of four got the vector. */
  function receivers(send: (write: (offset: number, value: number) => void) => void, prepare?: (board: ReturnType<typeof enabled>) => void): number[] {
    const board = enabled({ vcpus: 4 });
    for (let i = 0; i < 4; i++) board.on(i).write(LDR, (1 << i) << 24);
    prepare?.(board);
    send(board.on(1).write);
    return [0, 1, 2, 3].filter((i) => board.on(i).take() === 0x41);
  }

  it.each([
    { name: 'physical 2', high: 2, low: 0x4041, to: [2] },
    { name: 'physical to itself', high: 1, low: 0x4041, to: [1] },
    { name: 'physical to nobody', high: 9, low: 0x4041, to: [] },
    { name: 'physical broadcast', high: 0xff, low: 0x4041, to: [0, 1, 2, 3] },
    { name: 'flat logical', high: 0b1010, low: 0x4841, to: [1, 3] },
    { name: 'self', high: 0, low: 0x44041, to: [1] },
    { name: 'all', high: 0, low: 0x84041, to: [0, 1, 2, 3] },
    { name: 'all others', high: 0, low: 0xc4041, to: [0, 2, 3] },
  ])('$name reaches $to', ({ high, low, to }) => {
    expect(receivers((write) => {
      write(ICR_HIGH, high << 24);
      write(ICR, low);
    })).toEqual(to);
  });

  it('cluster logical reaches the members of one cluster', () => {
    expect(receivers(
      (write) => {
        write(ICR_HIGH, 0x13 << 24);
        write(ICR, 0x4841);
      },
      (board) => {
        for (let i = 0; i < 4; i++) {
          board.on(i).write(DFR, 0x0fffffff);
          board.on(i).write(LDR, (((i >> 1) << 4) | (1 << (i & 1))) << 24);
        }
      })).toEqual([2, 3]);
  });

  it('lowest priority goes to the one of the lowest processor priority, and round among equals', () => {
    const to = (tprs: number[]): number[] => receivers(
      (write) => {
        write(ICR_HIGH, 0x0f << 24);
        write(ICR, 0x4941);
      },
      (board) => tprs.forEach((tpr, i) => board.on(i).write(TPR, tpr)));
    expect(to([0x30, 0x20, 0x10, 0x20])).toEqual([2]);
    expect(to([0, 0, 0, 0])).toHaveLength(1);
  });

  it('INIT resets the other APIC and START-UP names the page', () => {
    const { on } = enabled({ vcpus: 2 });
    on(1).write(TPR, 0x50);
    on(0).write(ICR_HIGH, 1 << 24);
    on(0).write(ICR, 0xc500);
    expect(on(1).apic.takeInit()).toBe(true);
    expect([on(1).read(TPR), on(1).read(SVR), on(1).read(ID)]).toEqual([0, 0xff, 0x01000000]);
    on(0).write(ICR, 0x8500); // de-assert
    expect(on(1).apic.hasEvent()).toBe(false);
    on(0).write(ICR, 0x4698);
    expect(on(1).apic.takeStartup()).toBe(0x98);
    expect(on(1).apic.takeStartup()).toBe(-1);
  });

  it('NMI and SMI are events', () => {
    const { on } = enabled({ vcpus: 2 });
    on(0).write(ICR, 0xc4400);
    on(0).write(ICR, 0xc4200);
    expect([on(1).apic.takeNmi(), on(1).apic.takeSmi(), on(0).apic.hasEvent()]).toEqual([true, true, false]);
  });

  it('reads the command back as idle', () => {
    const { write, read } = enabled();
    write(ICR_HIGH, 0x55000000);
    write(ICR, 0x5041);
    expect([read(ICR), read(ICR_HIGH)]).toEqual([0x4041, 0x55000000]);
  });
});

describe('LocalApic errors', () => {
  it('notes a vector below 16 and shows it after a write to ESR', () => {
    const { write, read, take } = enabled();
    write(LVTERR, 0xfe);
    write(ICR, 0x44005);
    expect(read(ESR)).toBe(0);
    write(ESR, 0);
    expect(read(ESR)).toBe(0x20);
    write(ESR, 0);
    expect(read(ESR)).toBe(0);
    expect(take()).toBe(0xfe);
  });

  it('notes a received illegal vector and an illegal register', () => {
    const { apic, write, read } = enabled();
    apic.receive(0, 3, false);
    read(0x3c0);
    write(ESR, 0);
    expect(read(ESR)).toBe(0xc0);
  });

  it('masks the entries of the local vector table while software has it disabled', () => {
    const { write, read } = enabled();
    write(LVTT, 0x31);
    write(SVR, 0xff);
    expect(read(LVTT)).toBe(MASKED | 0x31);
    write(LVTT, 0x32);
    expect(read(LVTT)).toBe(MASKED | 0x32);
  });

  it('masks the performance entry when it has delivered', () => {
    const { apic, write, read } = enabled();
    write(LVTPC, 0x400);
    apic.performanceOverflow();
    expect(apic.takeNmi()).toBe(true);
    expect(read(LVTPC)).toBe(MASKED | 0x400);
  });
});

describe('x2APIC', () => {
  it('is entered from xAPIC mode only, and left by disabling', () => {
    const { apic } = powered();
    expect(apic.writeApicBase(0xfee00400, 0)).toBe(false);
    expect(apic.writeApicBase(0xfee00000, 0)).toBe(true);
    expect(apic.writeApicBase(0xfee00c00, 0)).toBe(false);
    expect(apic.writeApicBase(0xfee00800, 0)).toBe(true);
    expect(apic.writeApicBase(0xfee00c00, 0)).toBe(true);
    expect(apic.writeApicBase(0xfee00800, 0)).toBe(false);
    expect(apic.writeApicBase(0xfee00000, 0)).toBe(true);
    expect(apic.writeApicBase(0xfee00001, 0)).toBe(false);
  });

  it('is not entered where CPUID does not have it', () => {
    expect(powered({ hasX2apic: false }).apic.writeApicBase(0xfee00c00, 0)).toBe(false);
  });

  it('gives the MSRs #GP in xAPIC mode', () => {
    const { apic } = powered();
    expect(apic.readMsr(0x802)).toBe(false);
    expect(apic.writeMsr(0x80b, 0, 0)).toBe(false);
  });

  it.each([
    ['ID', 0x802, 'r'], ['version', 0x803, 'r'], ['TPR', 0x808, 'rw'], ['APR', 0x809, ''], ['PPR', 0x80a, 'r'], ['EOI', 0x80b, 'w'],
    ['LDR', 0x80d, 'r'], ['DFR', 0x80e, ''], ['SVR', 0x80f, 'rw'], ['ISR7', 0x817, 'r'], ['TMR0', 0x818, 'r'], ['IRR7', 0x827, 'r'],
    ['ESR', 0x828, 'rw'], ['CMCI', 0x82f, ''], ['ICR', 0x830, 'rw'], ['ICR high', 0x831, ''], ['LVT timer', 0x832, 'rw'], ['LVT error', 0x837, 'rw'],
    ['initial count', 0x838, 'rw'], ['current count', 0x839, 'r'], ['divide', 0x83e, 'rw'], ['self IPI', 0x83f, 'w'], ['0x840', 0x840, ''],
  ])('allows %s (MSR %i): %s', (_, msr, access) => {
    const board = powered();
    toX2apic(board);
    expect((board.apic.readMsr(msr) ? 'r' : '') + (board.apic.writeMsr(msr, 0, 0) ? 'w' : '')).toBe(access);
  });

  it.each([['TPR', 0x808, 0x100, 0], ['EOI', 0x80b, 1, 0], ['SVR', 0x80f, 0x2000, 0], ['timer entry', 0x832, 0x80000, 0], ['TPR high', 0x808, 0, 1], ['divide', 0x83e, 4, 0]])(
    'gives #GP for reserved bits of %s', (_, msr, low, high) => {
      const board = powered();
      toX2apic(board);
      expect(board.apic.writeMsr(msr, low, high)).toBe(false);
    });

  it('has a 32-bit id, a derived logical id and a 64-bit command', () => {
    const board = powered({ vcpus: 20 });
    for (let i = 0; i < 20; i++) {
      toX2apic(board, i);
      board.on(i).apic.writeMsr(0x80f, 0x1ff, 0);
    }
    const { apic } = board.on(18);
    apic.readMsr(0x802);
    expect(apic.msrLow).toBe(18);
    apic.readMsr(0x80d);
    expect(apic.msrLow).toBe(0x10004);
    board.apic.writeMsr(0x830, 0x4841, 0x1000c);
    expect(Array.from({ length: 20 }, (_, i) => i).filter((i) => board.on(i).take() === 0x41)).toEqual([18, 19]);
    board.apic.writeMsr(0x830, 0x4042, 0xffffffff);
    expect(board.on(7).take()).toBe(0x42);
    board.apic.writeMsr(0x83f, 0x55, 0);
    expect(board.take()).toBe(0x55);
  });

  it('tells the board where its page is', () => {
    const moves: unknown[] = [];
    const { apic } = powered({ onRelocate: (vcpu, gpa) => moves.push(vcpu, gpa) });
    apic.writeApicBase(0xfed00800, 1);
    apic.writeApicBase(0xfed00c00, 1);
    expect(moves).toEqual([0, 0xfee00000, 0, 0x1_fed0_0000, 0, undefined]);
  });
});

describe('LocalApic snapshot', () => {
  it('continues with its timer, requests and events', () => {
    const one = enabled();
    one.write(LVTT, 0x20031);
    one.write(TMICT, 1_000_000);
    one.clock.advance(300_000);
    one.apic.receive(0, 0x51, true);
    one.take();
    one.apic.receive(0, 0x61, false);
    one.apic.receive(4, 0, false);
    const two = powered();
    two.clock.advanceTo(one.clock.now());
    two.controller.restore(structuredClone(one.controller.save()));
    expect(two.take()).toBe(0x61);
    expect(two.read(TMCCT)).toBe(700_000);
    expect(two.clock.nextDeadline()).toBe(1_000_000);
    expect(two.apic.takeNmi()).toBe(true);
  });

  it('survives a mad driver by page and by MSR', () => {
    const board = powered({ vcpus: 2, tscToNs: (tsc) => tsc });
    fuzzDevice(board.apic, { clock: board.clock, accesses: 50_000 });
    const random = seededRandom(3);
    for (let i = 0; i < 50_000; i++) {
      if (random(500) === 0) board.apic.writeApicBase(random(8) << 9, 0);
      if (random(2) === 0) board.apic.writeMsr(0x7f8 + random(0x50), random(2) === 0 ? random(0x1000) : random(2 ** 32), random(3));
      else board.apic.readMsr(0x7f8 + random(0x50));
      board.take();
      if (random(10) === 0) board.clock.advance(random(10_000));
    }
  });
});
