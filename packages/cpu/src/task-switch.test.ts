import { describe, expect, it } from 'vitest';
import { CR0, EFLAGS, GPR, SEG, VECTOR } from './architecture.ts';
import { AT, SELECTOR, TestMachine } from './cpu.testing.ts';

const BUSY = 0x8b, AVAILABLE = 0x89;
const typeOf = (m: TestMachine, selector: number): number => m.read8(AT.gdt + (selector & ~7) + 5);

/** Fixture task 2: ring 0, ESP 0x70000, at 0x6000. */
function machine(overrides: Partial<Record<'eip' | 'eflags' | 'esp' | 'cs' | 'ss' | 'ds' | 'ldt' | 'trap', number>> = {}): TestMachine {
  const m = new TestMachine().protected(0);
  const task = { eip: 0x6000, eflags: 2, esp: 0x7_0000, cs: SELECTOR.code0, ss: SELECTOR.data0, ds: SELECTOR.data0, ldt: 0, trap: 0, ...overrides };
  m.write8(AT.gdt + SELECTOR.tss + 5, BUSY);
  m.write32(AT.tss2 + 0x20, task.eip);
  m.write32(AT.tss2 + 0x24, task.eflags);
  for (let index = 0; index < 8; index++) m.write32(AT.tss2 + 0x28 + 4 * index, index === GPR.RSP ? task.esp : 0x1110 * (index + 1));
  [SELECTOR.data0, task.cs, task.ss, task.ds, 0, 0].forEach((selector, index) => { m.write32(AT.tss2 + 0x48 + 4 * index, selector); });
  m.write32(AT.tss2 + 0x60, task.ldt);
  m.write16(AT.tss2 + 0x64, task.trap);
  m.gpr(GPR.RAX, 0xaaaa_0001n);
  return m;
}

describe('a task switch', () => {
  it('by JMP saves one task, loads the other and moves the busy bit', () => {
    const m = machine();
    expect(m.call('far_jump', [SELECTOR.tss2, 0])).toBe(1);
    expect([m.rip, m.rsp, m.gpr(GPR.RAX), m.cs, m.ss]).toEqual([0x6000, 0x7_0000, 0x1110n, SELECTOR.code0, SELECTOR.data0]);
    expect([m.read32(AT.tss + 0x20), m.read32(AT.tss + 0x28), m.read32(AT.tss + 0x38), m.read16(AT.tss + 0x4c)]).toEqual([0x5002, 0xaaaa_0001, 0x8_0000, SELECTOR.code0]);
    expect([typeOf(m, SELECTOR.tss), typeOf(m, SELECTOR.tss2), m.state.get('selector', SEG.TR)]).toEqual([AVAILABLE, BUSY, SELECTOR.tss2]);
    expect([m.flags & EFLAGS.NT, m.state.lo('cr0') & CR0.TS]).toEqual([0, CR0.TS]);
  });

  it('by CALL nests, and IRET returns', () => {
    const m = machine();
    expect(m.call('far_call', [SELECTOR.tss2, 0])).toBe(1);
    expect([m.flags & EFLAGS.NT, m.read16(AT.tss2), typeOf(m, SELECTOR.tss), typeOf(m, SELECTOR.tss2)]).toEqual([EFLAGS.NT, SELECTOR.tss, BUSY, BUSY]);
    expect(m.call('iret')).toBe(1);
    expect([m.rip, m.rsp, m.gpr(GPR.RAX), typeOf(m, SELECTOR.tss), typeOf(m, SELECTOR.tss2)]).toEqual([0x5002, 0x8_0000, 0xaaaa_0001n, BUSY, AVAILABLE]);
    expect([m.read32(AT.tss2 + 0x20), m.read32(AT.tss2 + 0x24) & EFLAGS.NT]).toEqual([0x6002, 0]);
  });

  it('by a task gate in the IDT pushes the error code on the new stack', () => {
    const m = machine();
    m.gate(VECTOR.DF, SELECTOR.tss2, 0, 0x85);
    m.cpu.raise(VECTOR.DF, 0);
    expect(m.cpu.deliverException()).toBe('delivered');
    expect([m.rip, m.rsp, m.read32(m.rsp), m.read32(AT.tss + 0x20), m.state.get('selector', SEG.TR)]).toEqual([0x6000, 0x6_fffc, 0, 0x5000, SELECTOR.tss2]);
  });

  it('enters virtual-8086 mode', () => {
    const m = machine({ eflags: EFLAGS.VM | 2, cs: 0x1000, ss: 0x2000, ds: 0x3000 });
    expect(m.call('far_jump', [SELECTOR.tss2, 0])).toBe(1);
    expect([m.cpl, m.state.number('segmentBase', SEG.CS), m.state.number('segmentBase', SEG.DS)]).toEqual([3, 0x1_0000, 0x3_0000]);
  });

  it('works with a 16-bit TSS', () => {
    const m = machine();
    m.descriptor(SELECTOR.tss2, { base: AT.tss2, limit: 0x2b, access: 0x81, flags: 0 });
    m.write16(AT.tss2 + 0x0e, 0x6000);
    m.write16(AT.tss2 + 0x10, 2);
    for (let index = 0; index < 8; index++) m.write16(AT.tss2 + 0x12 + 2 * index, 0x1110 * (index + 1));
    [SELECTOR.data0, SELECTOR.code0, SELECTOR.data0, SELECTOR.data0, 0].forEach((selector, index) => { m.write16(AT.tss2 + 0x22 + 2 * index, selector); });
    expect(m.call('far_call', [SELECTOR.tss2, 0])).toBe(1);
    expect([m.rip, m.gpr(GPR.RCX), typeOf(m, SELECTOR.tss2)]).toEqual([0x6000, 0xffff_2220n, 0x83]);
  });

  it.each<[string, number, number, (m: TestMachine) => void]>([
    ['to a busy task', VECTOR.GP, SELECTOR.tss2, (m) => { m.write8(AT.gdt + SELECTOR.tss2 + 5, BUSY); }],
    ['to an absent task', VECTOR.NP, SELECTOR.tss2, (m) => { m.write8(AT.gdt + SELECTOR.tss2 + 5, 0x09); }],
    ['to a TSS that is too short', VECTOR.TS, SELECTOR.tss2, (m) => { m.descriptor(SELECTOR.tss2, { base: AT.tss2, limit: 0x66, access: 0x89, flags: 0 }); }],
  ])('is refused %s, and nothing has changed', (_, vector, error, prepare) => {
    const m = machine();
    prepare(m);
    expect([m.call('far_jump', [SELECTOR.tss2, 0]), m.fault]).toEqual([2, { vector, error }]);
    expect([m.rip, m.rsp, m.state.get('selector', SEG.TR), typeOf(m, SELECTOR.tss)]).toEqual([0x5000, 0x8_0000, SELECTOR.tss, BUSY]);
  });

  it.each<[string, Parameters<typeof machine>[0], number, number]>([
    ['a null CS', { cs: 0 }, VECTOR.TS, 0],
    ['data as CS', { cs: SELECTOR.data0 }, VECTOR.TS, SELECTOR.data0],
    ['a bad LDT', { ldt: SELECTOR.tss }, VECTOR.TS, SELECTOR.tss],
    ['EIP beyond its code', { cs: SELECTOR.small }, VECTOR.GP, 0],
  ])('faults in the new task on %s', (_, overrides, vector, error) => {
    const m = machine(overrides);
    // The new task has no usable stack, so the handler is a task too: the first one, which the JMP has left available.
    m.gate(vector, SELECTOR.tss, 0, 0x85);
    expect(m.call('far_jump', [SELECTOR.tss2, 0])).toBe(1);
    expect([m.state.get('selector', SEG.TR), m.rip, m.rsp, m.read32(m.rsp)]).toEqual([SELECTOR.tss, 0x5002, 0x7_fffc, error]);
    expect([m.read32(AT.tss2 + 0x20), m.read16(AT.tss)]).toEqual([0x6000, SELECTOR.tss2]);
  });

  it('traps after the switch when the new TSS asks for it', () => {
    const m = machine({ trap: 1 });
    m.gate(VECTOR.DB, SELECTOR.code0, 0xdb);
    expect(m.call('far_jump', [SELECTOR.tss2, 0])).toBe(1);
    expect([m.rip, m.read32(m.rsp), m.state.lo('dr', 6) & 0x8000]).toEqual([0xdb, 0x6000, 0x8000]);
  });
});
