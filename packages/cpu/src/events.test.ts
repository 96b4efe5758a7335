import { describe, expect, it } from 'vitest';
import { EFLAGS, GPR, SEG, VECTOR } from './architecture.ts';
import { AT, SELECTOR, TestMachine } from './cpu.testing.ts';
import { MODE } from './mode.ts';

const HANDLER = 0x1234_5678;
const HANDLER64 = 0xffff_8000_1234_5678n;

describe('an interrupt in real mode', () => {
  it('pushes FLAGS, CS and IP and enters through the table at 0', () => {
    const m = new TestMachine().real({ rflags: EFLAGS.IF | EFLAGS.TF | EFLAGS.CF | 2 });
    m.write16(4 * 0x21, 0x0456);
    m.write16(4 * 0x21 + 2, 0x0700);
    expect(m.cpu.deliverInterrupt(0x21)).toBe('delivered');
    expect([m.cs, m.rip, m.rsp, m.state.number('segmentBase', SEG.CS)]).toEqual([0x700, 0x456, 0x7ffa, 0x7000]);
    expect([m.read16(0x7ffa), m.read16(0x7ffc), m.read16(0x7ffe)]).toEqual([0x5000, 0, EFLAGS.IF | EFLAGS.TF | EFLAGS.CF | 2]);
    expect(m.flags).toBe(EFLAGS.CF | 2);
  });

  it('ends in shutdown when the table has no room for the double fault', () => {
    const m = new TestMachine().real({ idtr: { base: 0, limit: 3 } });
    m.cpu.raise(VECTOR.GP);
    expect(m.cpu.deliverException()).toBe('shutdown');
  });
});

describe('an event in protected mode', () => {
  it('stays on the stack in the same ring and masks interrupts through an interrupt gate', () => {
    const m = new TestMachine().protected(0, { rflags: EFLAGS.IF | EFLAGS.ZF | 2 });
    m.gate(0x30, SELECTOR.code0, HANDLER);
    expect(m.cpu.deliverInterrupt(0x30)).toBe('delivered');
    expect([m.cs, m.rip, m.rsp]).toEqual([SELECTOR.code0, HANDLER, 0x8_0000 - 12]);
    expect(m.stack32(3)).toEqual([0x5000, SELECTOR.code0, EFLAGS.IF | EFLAGS.ZF | 2]);
    expect(m.flags & EFLAGS.IF).toBe(0);
  });

  it('leaves IF alone through a trap gate', () => {
    const m = new TestMachine().protected(0, { rflags: EFLAGS.IF | 2 });
    m.gate(0x30, SELECTOR.code0, HANDLER, 0x8f);
    m.cpu.deliverInterrupt(0x30);
    expect(m.flags & EFLAGS.IF).toBe(EFLAGS.IF);
  });

  it('takes the inner stack from the TSS when it comes from ring 3', () => {
    const m = new TestMachine().protected(3, { rflags: EFLAGS.IF | 2 });
    m.gate(0x30, SELECTOR.code0, HANDLER);
    m.cpu.deliverInterrupt(0x30);
    expect([m.cpl, m.cs, m.ss, m.rsp]).toEqual([0, SELECTOR.code0, SELECTOR.data0, 0x9_0000 - 20]);
    expect(m.stack32(5)).toEqual([0x5000, SELECTOR.code3, EFLAGS.IF | 2, 0x8_0000, SELECTOR.data3]);
    expect(m.state.get('modeKey') & MODE.USER).toBe(0);
  });

  it('pushes 16-bit words through a 16-bit gate', () => {
    const m = new TestMachine().protected(0);
    m.gate(0x30, SELECTOR.code0, HANDLER, 0x86);
    m.cpu.deliverInterrupt(0x30);
    expect([m.rip, m.rsp]).toEqual([HANDLER & 0xffff, 0x8_0000 - 6]);
    expect([m.read16(m.rsp), m.read16(m.rsp + 2), m.read16(m.rsp + 4)]).toEqual([0x5000, SELECTOR.code0, 2]);
  });

  it('keeps the ring of the interrupted code in a conforming handler', () => {
    const m = new TestMachine().protected(3);
    m.gate(0x30, SELECTOR.conforming, HANDLER);
    m.cpu.deliverInterrupt(0x30);
    expect([m.cpl, m.cs, m.rsp]).toEqual([3, SELECTOR.conforming | 3, 0x8_0000 - 12]);
  });

  it('pushes the error code and sets RF in the image of a fault', () => {
    const m = new TestMachine().protected(0);
    m.gate(VECTOR.GP, SELECTOR.code0, HANDLER);
    m.cpu.raise(VECTOR.GP, 0x48);
    m.cpu.deliverException();
    expect(m.stack32(4)).toEqual([0x48, 0x5000, SELECTOR.code0, EFLAGS.RF | 2]);
  });

  it('puts the address of a page fault into CR2', () => {
    const m = new TestMachine().protected(0);
    m.gate(VECTOR.PF, SELECTOR.code0, HANDLER);
    m.state.setWords('faultAddress', 0x1234_5000, 0);
    m.cpu.raise(VECTOR.PF, 2);
    m.cpu.deliverException();
    expect([m.state.number('cr2'), m.read32(m.rsp)]).toEqual([0x1234_5000, 2]);
  });

  it.each<[string, (m: TestMachine) => void, number]>([
    ['beyond the IDT: #GP with the IDT bit', (m) => m.state.set('idtrLimit', 0x30 * 8 + 6), 0x30 * 8 | 3],
    ['gate of a wrong type: #GP with the IDT bit', (m) => { m.gate(0x30, SELECTOR.code0, HANDLER, 0x8c); }, 0x30 * 8 | 3],
    ['null code selector: #GP(EXT)', (m) => { m.gate(0x30, 0, HANDLER); }, 1],
    ['data segment as handler: #GP(selector)', (m) => { m.gate(0x30, SELECTOR.data0, HANDLER); }, SELECTOR.data0 | 1],
    ['selector beyond the GDT: #GP(selector)', (m) => { m.gate(0x30, 0x1000, HANDLER); }, 0x1000 | 1],
    ['handler of an outer ring: #GP(selector)', (m) => { m.gate(0x30, SELECTOR.code3, HANDLER); }, SELECTOR.code3 & ~3 | 1],
    ['offset beyond the code segment: #GP(EXT)', (m) => { m.gate(0x30, SELECTOR.small, 0x1000); }, 1],
  ])('turns into a fault: %s', (_, prepare, error) => {
    const m = new TestMachine().protected(0);
    m.gate(VECTOR.GP, SELECTOR.code0, HANDLER);
    m.gate(0x30, SELECTOR.code0, HANDLER);
    prepare(m);
    expect(m.cpu.deliverInterrupt(0x30)).toBe('delivered');
    expect([m.rip, m.read32(m.rsp)]).toEqual([HANDLER, error]);
  });

  it('raises #NP for a gate that is not present', () => {
    const m = new TestMachine().protected(0);
    m.gate(VECTOR.NP, SELECTOR.code0, HANDLER);
    m.gate(0x30, SELECTOR.code0, 0x1000, 0x0e);
    m.cpu.deliverInterrupt(0x30);
    expect(m.read32(m.rsp)).toBe(0x30 * 8 | 3);
  });

  it.each<[string, (m: TestMachine) => void, number, number]>([
    ['null inner SS', (m) => { m.write32(AT.tss + 8, 0); }, VECTOR.TS, 1],
    ['inner SS with the wrong RPL', (m) => { m.write32(AT.tss + 8, SELECTOR.data3); }, VECTOR.TS, SELECTOR.data3 & ~3 | 1],
    ['read-only inner SS', (m) => { m.descriptor(SELECTOR.data0, { access: 0x90 }); }, VECTOR.TS, SELECTOR.data0 | 1],
    ['absent inner SS', (m) => { m.descriptor(SELECTOR.data0, { access: 0x12 }); }, VECTOR.SS, SELECTOR.data0 | 1],
    ['TSS too short for the stack', (m) => { m.state.set('segmentLimit', 8, SEG.TR); }, VECTOR.TS, SELECTOR.tss | 1],
    ['inner stack overflow', (m) => { m.descriptor(SELECTOR.data0, { access: 0x92, limit: 0x10, flags: 4 }); }, VECTOR.SS, SELECTOR.data0 | 1],
  ])('faults on the inner stack: %s', (_, prepare, vector, error) => {
    const m = new TestMachine().protected(3);
    m.gate(0x30, SELECTOR.code0, HANDLER);
    // The fault's own handler runs in ring 3, so that it needs no inner stack.
    m.gate(vector, SELECTOR.code3, HANDLER);
    prepare(m);
    expect(m.cpu.deliverInterrupt(0x30)).toBe('delivered');
    expect([m.cpl, m.read32(m.rsp)]).toEqual([3, error]);
  });
});

describe('nested faults', () => {
  function machine(): TestMachine {
    const m = new TestMachine().protected(0);
    m.gate(VECTOR.DF, SELECTOR.code0, 0xdf);
    return m;
  }

  it.each([VECTOR.GP, VECTOR.PF, VECTOR.DE])('vector %i whose delivery raises #GP gives #DF(0)', (first) => {
    const m = machine();
    m.cpu.raise(first);
    expect(m.cpu.deliverException()).toBe('delivered');
    expect([m.rip, m.read32(m.rsp)]).toEqual([0xdf, 0]);
  });

  it('a benign first fault is followed by the second, serially', () => {
    const m = machine();
    m.gate(VECTOR.GP, SELECTOR.code0, 0x99);
    m.cpu.raise(VECTOR.UD);
    m.cpu.deliverException();
    expect([m.rip, m.read32(m.rsp)]).toEqual([0x99, VECTOR.UD * 8 | 3]);
  });

  it('a fault in the double fault is shutdown', () => {
    const m = new TestMachine().protected(0);
    m.cpu.raise(VECTOR.GP);
    expect(m.cpu.deliverException()).toBe('shutdown');
  });
});

describe('INT n', () => {
  it('pushes the address behind the instruction', () => {
    const m = new TestMachine().protected(0);
    m.gate(0x80, SELECTOR.code0, HANDLER, 0xee);
    expect(m.call('int_n', [0x80])).toBe(1);
    expect(m.stack32(2)).toEqual([0x5002, SELECTOR.code0]);
  });

  it('needs a gate as open as the CPL, without EXT in the error', () => {
    const m = new TestMachine().protected(3);
    m.gate(0x80, SELECTOR.code0, HANDLER);
    expect(m.call('int_n', [0x80])).toBe(2);
    expect(m.fault).toEqual({ vector: VECTOR.GP, error: 0x80 * 8 | 2 });
    expect([m.rip, m.rsp, m.cpl]).toEqual([0x5000, 0x8_0000, 3]);
  });

  it('INTO does nothing without OF', () => {
    const m = new TestMachine().protected(0);
    expect(m.call('into')).toBe(0);
  });

  it('INT1 ignores the DPL of the gate', () => {
    const m = new TestMachine().protected(3);
    m.gate(VECTOR.DB, SELECTOR.code0, HANDLER);
    expect(m.call('int1')).toBe(1);
    expect(m.cpl).toBe(0);
  });
});

describe('an event in long mode', () => {
  it('aligns the stack and pushes SS:RSP also within a ring', () => {
    const m = new TestMachine().long(0, { rsp: 0x7_fff9, rflags: EFLAGS.IF | 2 });
    m.gate64(0x30, SELECTOR.code64, HANDLER64);
    m.cpu.deliverInterrupt(0x30);
    expect([m.state.big('rip'), m.rsp, m.cs, m.ss]).toEqual([HANDLER64, 0x7_fff0 - 40, SELECTOR.code64, SELECTOR.data0]);
    expect(m.stack64(5)).toEqual([0x5000n, BigInt(SELECTOR.code64), BigInt(EFLAGS.IF | 2), 0x7_fff9n, BigInt(SELECTOR.data0)]);
  });

  it('loads a null SS when it goes inward', () => {
    const m = new TestMachine().long(3);
    m.gate64(VECTOR.GP, SELECTOR.code64, HANDLER64);
    m.cpu.raise(VECTOR.GP, 0);
    m.cpu.deliverException();
    expect([m.cpl, m.ss, m.rsp]).toEqual([0, 0, 0x9_0000 - 48]);
    expect(m.stack64(6)).toEqual([0n, 0x5000n, BigInt(SELECTOR.user64), BigInt(EFLAGS.RF | 2), 0x8_0000n, BigInt(SELECTOR.data3)]);
  });

  it('switches to the IST stack even in ring 0', () => {
    const m = new TestMachine().long(0);
    m.gate64(VECTOR.NMI, SELECTOR.code64, HANDLER64, { ist: 3 });
    m.cpu.deliverNmi();
    expect([m.rsp, m.ss]).toEqual([0xa_3000 - 40, SELECTOR.data0]);
  });

  it('refuses a 32-bit handler', () => {
    const m = new TestMachine().long(0);
    m.gate64(0x30, SELECTOR.code0, HANDLER64);
    m.gate64(VECTOR.GP, SELECTOR.code64, HANDLER64);
    m.cpu.deliverInterrupt(0x30);
    expect(m.stack64(1)).toEqual([BigInt(SELECTOR.code0 | 1)]);
  });

  it('raises #SS on a stack that is not canonical, and its handler may use the IST', () => {
    const m = new TestMachine().long(0);
    m.state.setWords('gpr', 0, 0x8000_0000 | 0, GPR.RSP);
    m.gate64(0x30, SELECTOR.code64, HANDLER64);
    m.gate64(VECTOR.SS, SELECTOR.code64, HANDLER64, { ist: 1 });
    m.cpu.deliverInterrupt(0x30);
    expect(m.rsp).toBe(0xa_1000 - 48);
  });

  it('comes out of compatibility mode into 64-bit code', () => {
    const compat = new TestMachine().long(3, {
      segments: {
        cs: { selector: SELECTOR.code3, base: 0, limit: -1, attributes: 0xc0fb }, ss: { selector: SELECTOR.data3, base: 0, limit: -1, attributes: 0xc0f3 },
        tr: { selector: SELECTOR.tss, base: AT.tss, limit: 0x67, attributes: 0x8b },
      },
    });
    expect(compat.state.get('modeKey') & MODE.CODE_SIZE).toBe(MODE.CODE32);
    compat.gate64(0x30, SELECTOR.code64, HANDLER64);
    compat.cpu.deliverInterrupt(0x30);
    expect([compat.state.get('modeKey') & MODE.CODE_SIZE, compat.rsp]).toEqual([MODE.CODE64, 0x9_0000 - 40]);
    expect(compat.call('iret', [], 8)).toBe(1);
    expect([compat.state.get('modeKey') & MODE.CODE_SIZE, compat.cs, compat.rip, compat.rsp]).toEqual([MODE.CODE32, SELECTOR.code3, 0x5000, 0x8_0000]);
  });
});

describe('IRET', () => {
  it.each([['protected', 4] as const, ['long', 8] as const])('returns to the outer ring as it was interrupted (%s)', (mode, size) => {
    const m = mode === 'long' ? new TestMachine().long(3, { rflags: EFLAGS.IF | EFLAGS.CF | 2 }) : new TestMachine().protected(3, { rflags: EFLAGS.IF | EFLAGS.CF | 2 });
    const before = [m.cs, m.ss, m.rip, m.rsp, m.flags, m.cpl, m.state.get('modeKey'), m.state.big('stackMask')];
    if (mode === 'long') m.gate64(0x30, SELECTOR.code64, HANDLER64);
    else m.gate(0x30, SELECTOR.code0, HANDLER);
    m.cpu.deliverInterrupt(0x30);
    expect(m.cpl).toBe(0);
    expect(m.call('iret', [], size)).toBe(1);
    expect([m.cs, m.ss, m.rip, m.rsp, m.flags, m.cpl, m.state.get('modeKey'), m.state.big('stackMask')]).toEqual(before);
  });

  it('makes data segments null that the outer ring may not use', () => {
    const m = new TestMachine().protected(0);
    m.call('load_segment', [SEG.DS, SELECTOR.data0]);
    m.call('load_segment', [SEG.ES, SELECTOR.data3]);
    [0x6000, SELECTOR.code3, 2, 0x7_0000, SELECTOR.data3].forEach((value, index) => { m.write32(0x8_0000 + 4 * index, value); });
    expect(m.call('iret')).toBe(1);
    expect([m.state.get('selector', SEG.DS), m.state.get('selector', SEG.ES), m.rip, m.cpl]).toEqual([0, SELECTOR.data3, 0x6000, 3]);
    expect(m.state.hi('segment', 2 * SEG.DS + 1)).not.toBe(0);
  });

  it.each<[string, number[], number, number]>([
    ['null CS', [0x6000, 0, 2], VECTOR.GP, 0],
    ['data as CS', [0x6000, SELECTOR.data0, 2], VECTOR.GP, SELECTOR.data0],
    ['absent CS', [0x6000, SELECTOR.absent, 2], VECTOR.GP, SELECTOR.absent],
    ['EIP beyond the limit', [0x6000, SELECTOR.small, 2], VECTOR.GP, 0],
    ['null SS for ring 3', [0x6000, SELECTOR.code3, 2, 0, 0], VECTOR.GP, 0],
    ['ring 0 SS for ring 3', [0x6000, SELECTOR.code3, 2, 0, SELECTOR.data0], VECTOR.GP, SELECTOR.data0],
  ])('faults and changes nothing: %s', (_, frame, vector, error) => {
    const m = new TestMachine().protected(0);
    frame.forEach((value, index) => { m.write32(0x8_0000 + 4 * index, value); });
    expect(m.call('iret')).toBe(2);
    expect(m.fault).toEqual({ vector, error });
    expect([m.rip, m.rsp, m.cs, m.cpl]).toEqual([0x5000, 0x8_0000, SELECTOR.code0, 0]);
  });

  it('does not let ring 3 change IOPL or IF', () => {
    const m = new TestMachine().protected(3);
    [0x6000, SELECTOR.code3, EFLAGS.IOPL_MASK | EFLAGS.IF | EFLAGS.CF | 2].forEach((value, index) => { m.write32(0x8_0000 + 4 * index, value); });
    expect(m.call('iret')).toBe(1);
    expect(m.flags).toBe(EFLAGS.CF | 2);
  });

  it('refuses a non-canonical RIP', () => {
    const m = new TestMachine().long(0);
    [0x8000_0000_0000n, BigInt(SELECTOR.code64), 2n, 0x8_0000n, 0n].forEach((value, index) => { m.write64(0x8_0000 + 8 * index, value); });
    expect([m.call('iret', [], 8), m.fault]).toEqual([2, { vector: VECTOR.GP, error: 0 }]);
  });

  it('unblocks NMIs', () => {
    const m = new TestMachine().long(0);
    m.gate64(VECTOR.NMI, SELECTOR.code64, HANDLER64);
    m.cpu.deliverNmi();
    m.cpu.deliverNmi();
    expect([m.cpu.isNmiBlocked, m.cpu.isNmiPending, m.rsp]).toEqual([true, true, 0x8_0000 - 40]);
    m.call('iret', [], 8);
    expect([m.cpu.isNmiBlocked, m.cpu.isNmiPending]).toEqual([false, true]);
  });
});

describe('virtual-8086 mode', () => {
  function enter(flags = EFLAGS.VM | EFLAGS.IF | 2): TestMachine {
    const m = new TestMachine().protected(0);
    [0x0100, 0x2000, flags, 0xfffe, 0x3000, 0x4000, 0x5000, 0x6000, 0x7000].forEach((value, index) => { m.write32(0x8_0000 + 4 * index, value); });
    expect(m.call('iret')).toBe(1);
    return m;
  }

  it('is entered by IRET from ring 0 with all segments', () => {
    const m = enter();
    expect([m.cs, m.ss, m.cpl, m.rip, m.rsp]).toEqual([0x2000, 0x3000, 3, 0x100, 0xfffe]);
    expect([SEG.ES, SEG.DS, SEG.FS, SEG.GS].map((index) => m.state.number('segmentBase', index))).toEqual([0x4_0000, 0x5_0000, 0x6_0000, 0x7_0000]);
    expect(m.state.get('modeKey') & (MODE.VM86 | MODE.PROTECTED | MODE.CODE_SIZE)).toBe(MODE.VM86);
  });

  it('is left by an interrupt with the data segments on the ring 0 stack', () => {
    const m = enter();
    m.gate(0x30, SELECTOR.code0, HANDLER);
    m.cpu.deliverInterrupt(0x30);
    expect(m.stack32(9)).toEqual([0x100, 0x2000, EFLAGS.VM | EFLAGS.IF | 2, 0xfffe, 0x3000, 0x4000, 0x5000, 0x6000, 0x7000]);
    expect([m.cpl, m.flags & EFLAGS.VM, m.state.get('selector', SEG.DS)]).toEqual([0, 0, 0]);
    expect(m.call('iret')).toBe(1);
    expect([m.cs, m.state.get('selector', SEG.GS)]).toEqual([0x2000, 0x7000]);
  });

  it('raises #GP(0) for sensitive instructions below IOPL 3', () => {
    for (const name of ['cli', 'sti', 'pushf', 'popf', 'int_n', 'iret'] as const) {
      const m = enter();
      expect([name, m.call(name, [0x21], 2), m.fault]).toEqual([name, 2, { vector: VECTOR.GP, error: 0 }]);
    }
  });

  it('refuses LLDT and friends as undefined', () => {
    const m = enter();
    expect([m.call('lldt', [0]), m.fault?.vector]).toEqual([2, VECTOR.UD]);
  });

  it('redirects INT n to the 8086 handler under VME where the map allows', () => {
    const m = enter(EFLAGS.VM | EFLAGS.VIF | 2);
    m.state.setWords('cr4', 1, 0);
    m.state.set('segmentLimit', 0xff, SEG.TR);
    m.write16(AT.tss + 0x66, 0x88);
    m.write32(4 * 0x21, 0x1111_2222);
    expect(m.call('int_n', [0x21], 2)).toBe(1);
    expect([m.cs, m.rip, m.cpl, m.flags & EFLAGS.VIF]).toEqual([0x1111, 0x2222, 3, 0]);
    expect([m.read16(0x3_fff8), m.read16(0x3_fffa), m.read16(0x3_fffc)]).toEqual([0x102, 0x2000, EFLAGS.IF | EFLAGS.IOPL_MASK | 2]);
  });

  it('has a virtual interrupt flag under VME', () => {
    const m = enter(EFLAGS.VM | 2);
    m.state.setWords('cr4', 1, 0);
    expect(m.call('sti')).toBe(0);
    expect(m.flags & (EFLAGS.VIF | EFLAGS.IF)).toBe(EFLAGS.VIF);
    m.call('pushf', [], 2);
    expect(m.result & 0xffff).toBe(EFLAGS.IF | EFLAGS.IOPL_MASK | 2);
    m.state.set('eflags', m.state.get('eflags') | EFLAGS.VIP);
    expect(m.call('sti')).toBe(2);
  });
});
