import { describe, expect, it } from 'vitest';
import { wholeMachine } from './whole.testing.ts';
import { EFLAGS, GPR, SEG, VECTOR } from './architecture.ts';
import { AT, SELECTOR, TestMachine } from './cpu.testing.ts';
import { CHECK, MODE } from './mode.ts';

const fault = (vector: number, error = 0): { vector: number; error: number } => ({ vector, error });

describe('loading a data segment', () => {
  it('fills cache, effective slot and the accessed bit', () => {
    const m = new TestMachine().protected(0);
    m.descriptor(SELECTOR.data3, { base: 0x1234_5000, limit: 0x7f, access: 0xf2, flags: 0x4 });
    expect(m.call('load_segment', [SEG.FS, SELECTOR.data3])).toBe(0);
    expect([m.state.number('segmentBase', SEG.FS), m.state.get('segmentLimit', SEG.FS), m.state.get('segmentAttributes', SEG.FS)]).toEqual([0x1234_5000, 0x7f, 0x40f3]);
    expect([m.state.lo('segment', 2 * SEG.FS), m.state.lo('segment', 2 * SEG.FS + 1), m.state.hi('segment', 2 * SEG.FS + 1)]).toEqual([0x1234_5000, 0x7f, CHECK.LIMIT]);
    expect(m.read8(AT.gdt + (SELECTOR.data3 & ~7) + 5)).toBe(0xf3);
  });

  it.each<[string, number, number]>([
    ['flat and writable needs none', SELECTOR.data0, 0],
    ['read-only', SELECTOR.readOnly, CHECK.NO_WRITE],
    ['readable code', SELECTOR.code0, CHECK.NO_WRITE],
    ['expand-down', SELECTOR.expandDown, CHECK.EXPAND_DOWN | CHECK.BIG],
    ['null', 0, CHECK.UNUSABLE],
  ])('gives generated code the checks it needs: %s', (_, selector, checks) => {
    const m = new TestMachine().protected(0);
    expect(m.call('load_segment', [SEG.GS, selector])).toBe(0);
    expect(m.state.hi('segment', 2 * SEG.GS + 1)).toBe(checks);
  });

  it.each<[string, number, number, ReturnType<typeof fault>, (0 | 3)?]>([
    ['beyond the GDT', SEG.DS, 0x1003, fault(VECTOR.GP, 0x1000)],
    ['LDT selector without an LDT', SEG.DS, 0x0c, fault(VECTOR.GP, 0x0c)],
    ['system descriptor', SEG.DS, SELECTOR.tss, fault(VECTOR.GP, SELECTOR.tss)],
    ['execute-only code', SEG.DS, SELECTOR.executeOnly, fault(VECTOR.GP, SELECTOR.executeOnly)],
    ['ring 0 data from ring 3', SEG.ES, SELECTOR.data0, fault(VECTOR.GP, SELECTOR.data0), 3],
    ['RPL 3 on ring 0 data', SEG.ES, SELECTOR.data0 | 3, fault(VECTOR.GP, SELECTOR.data0)],
    ['absent data', SEG.FS, SELECTOR.absent | 3, fault(VECTOR.NP, SELECTOR.absent)],
    ['null SS', SEG.SS, 0, fault(VECTOR.GP, 0)],
    ['SS with the wrong RPL', SEG.SS, SELECTOR.data0 | 1, fault(VECTOR.GP, SELECTOR.data0)],
    ['code as SS', SEG.SS, SELECTOR.code0, fault(VECTOR.GP, SELECTOR.code0)],
    ['absent SS', SEG.SS, SELECTOR.absent | 3, fault(VECTOR.SS, SELECTOR.absent), 3],
  ])('faults: %s', (_, index, selector, expected, cpl = 0) => {
    const m = new TestMachine().protected(cpl);
    expect(m.call('load_segment', [index, selector])).toBe(2);
    expect(m.fault).toEqual(expected);
  });

  it('reads the LDT', () => {
    const m = new TestMachine().protected(0);
    expect(m.call('lldt', [SELECTOR.ldt])).toBe(0);
    m.descriptor(0x0c, { base: 0x7_0000, access: 0x92 });
    expect(m.call('load_segment', [SEG.DS, 0x0c])).toBe(0);
    expect(m.state.number('segmentBase', SEG.DS)).toBe(0x7_0000);
  });

  it('begins an interrupt shadow with SS and switches the stack size', () => {
    const m = new TestMachine().protected(0);
    expect(m.call('load_segment', [SEG.SS, SELECTOR.data16])).toBe(1);
    expect([m.rip, m.cpu.isInterruptible, m.state.big('stackMask')]).toEqual([0x5002, false, 0xffffn]);
    expect(m.state.get('modeKey') & (MODE.STACK32 | MODE.SINGLE_STEP)).toBe(MODE.SINGLE_STEP);
    m.cpu.beginStep();
    m.cpu.endStep();
    expect([m.state.get('inhibit'), m.state.get('modeKey') & MODE.SINGLE_STEP]).toEqual([0, 0]);
  });

  it('is a shift in real mode and keeps an unreal limit', () => {
    const m = new TestMachine().protected(0);
    expect(m.call('mov_to_cr', [0, 0])).toBe(1);
    expect(m.call('load_segment', [SEG.DS, 0xb800])).toBe(0);
    expect([m.state.number('segmentBase', SEG.DS), m.state.get('segmentLimit', SEG.DS)]).toEqual([0xb_8000, -1]);
  });

  it('accepts a null SS in 64-bit ring 0 only', () => {
    const m = new TestMachine().long(0);
    expect(m.call('load_segment', [SEG.SS, 0])).toBe(1);
    const user = new TestMachine().long(3);
    expect([user.call('load_segment', [SEG.SS, 3]), user.fault]).toEqual([2, fault(VECTOR.GP)]);
  });
});

describe('far transfers', () => {
  it('jumps from real to protected mode as loaders do', () => {
    const m = new TestMachine().protected(0);
    m.real();
    m.call('mov_to_cr', [0, 1]);
    expect(m.state.get('modeKey') & (MODE.PROTECTED | MODE.CODE_SIZE)).toBe(MODE.PROTECTED);
    expect(m.call('far_jump', [SELECTOR.code0, 0x12_3456])).toBe(1);
    expect([m.cs, m.rip, m.state.get('modeKey') & MODE.CODE_SIZE]).toEqual([SELECTOR.code0, 0x12_3456, MODE.CODE32]);
  });

  it('calls and returns within a ring', () => {
    const m = new TestMachine().protected(0);
    expect(m.call('far_call', [SELECTOR.conforming, 0x6000])).toBe(1);
    expect([m.cs, m.rip, ...m.stack32(2)]).toEqual([SELECTOR.conforming, 0x6000, 0x5002, SELECTOR.code0]);
    expect(m.call('far_return', [8])).toBe(1);
    expect([m.cs, m.rip, m.rsp]).toEqual([SELECTOR.code0, 0x5002, 0x8_0008]);
  });

  it.each<[string, number, number, ReturnType<typeof fault>]>([
    ['null', 0, 0, fault(VECTOR.GP)],
    ['data', SELECTOR.data0, 0, fault(VECTOR.GP, SELECTOR.data0)],
    ['outer ring', SELECTOR.code3, 0, fault(VECTOR.GP, SELECTOR.code3 & ~3)],
    ['RPL above CPL', SELECTOR.code0 | 1, 0, fault(VECTOR.GP, SELECTOR.code0)],
    ['beyond the limit', SELECTOR.small, 0x1000, fault(VECTOR.GP)],
  ])('refuses a jump: %s', (_, selector, offset, expected) => {
    const m = new TestMachine().protected(0);
    expect([m.call('far_jump', [selector, offset]), m.fault]).toEqual([2, expected]);
  });

  it('calls an inner ring through a gate with a new stack and copied parameters', () => {
    const m = new TestMachine().protected(3);
    m.callGate(SELECTOR.gate, SELECTOR.code0, 0x7000, { parameters: 2 });
    m.write32(0x8_0000, 0x11);
    m.write32(0x8_0004, 0x22);
    expect(m.call('far_call', [SELECTOR.gate, 0xdead])).toBe(1);
    expect([m.cpl, m.cs, m.ss, m.rip, m.rsp]).toEqual([0, SELECTOR.code0, SELECTOR.data0, 0x7000, 0x9_0000 - 24]);
    expect(m.stack32(6)).toEqual([0x5002, SELECTOR.code3, 0x11, 0x22, 0x8_0000, SELECTOR.data3]);
    expect(m.call('far_return', [8])).toBe(1);
    expect([m.cpl, m.cs, m.ss, m.rip, m.rsp]).toEqual([3, SELECTOR.code3, SELECTOR.data3, 0x5002, 0x8_0008]);
  });

  it('cannot jump inward through a gate, nor use one below its DPL', () => {
    const m = new TestMachine().protected(3);
    m.callGate(SELECTOR.gate, SELECTOR.code0, 0x7000);
    expect([m.call('far_jump', [SELECTOR.gate, 0]), m.fault]).toEqual([2, fault(VECTOR.GP, SELECTOR.code0)]);
    m.callGate(SELECTOR.gate, SELECTOR.code0, 0x7000, { access: 0x8c });
    expect([m.call('far_call', [SELECTOR.gate, 0]), m.fault]).toEqual([2, fault(VECTOR.GP, SELECTOR.gate & ~3)]);
    m.callGate(SELECTOR.gate, SELECTOR.code0, 0x7000, { access: 0x6c });
    expect([m.call('far_call', [SELECTOR.gate, 0]), m.fault]).toEqual([2, fault(VECTOR.NP, SELECTOR.gate & ~3)]);
  });

  it('goes between compatibility and 64-bit code', () => {
    const m = new TestMachine().long(0);
    m.write32(0x8_0000, 0x6000);
    m.write32(0x8_0004, SELECTOR.code0);
    expect(m.call('far_return', [0], 4)).toBe(1);
    expect([m.state.get('modeKey') & MODE.CODE_SIZE, m.rip, m.state.big('linearMask')]).toEqual([MODE.CODE32, 0x6000, 0xffff_ffffn]);
    expect(m.call('far_jump', [SELECTOR.code64, 0x6000])).toBe(1);
    expect([m.state.get('modeKey') & MODE.CODE_SIZE, m.state.big('linearMask')]).toEqual([MODE.CODE64, 0xffff_ffff_ffff_ffffn]);
  });
});

describe('fast system calls', () => {
  function long(cpl: 0 | 3): TestMachine {
    const m = new TestMachine().long(cpl, { rflags: EFLAGS.IF | EFLAGS.DF | EFLAGS.ZF | 2 });
    m.state.setBig('star', 0x0023_0010_0000_0000n);
    m.state.setBig('lstar', 0xffff_ffff_8100_0000n);
    m.state.setBig('fmask', BigInt(EFLAGS.IF | EFLAGS.TF | EFLAGS.DF));
    return m;
  }

  it('SYSCALL saves RIP and RFLAGS in registers and masks flags', () => {
    const m = long(3);
    expect(m.call('syscall', [], 8)).toBe(1);
    expect([m.state.big('rip'), m.gpr(GPR.RCX), m.gpr(GPR.R11)]).toEqual([0xffff_ffff_8100_0000n, 0x5002n, BigInt(EFLAGS.IF | EFLAGS.DF | EFLAGS.ZF | 2)]);
    expect([m.cs, m.ss, m.cpl, m.flags, m.rsp]).toEqual([0x10, 0x18, 0, EFLAGS.ZF | 2, 0x8_0000]);
  });

  it('SYSRET returns to 64-bit or 32-bit code of ring 3', () => {
    const m = long(0);
    m.gpr(GPR.RCX, 0x40_0000n);
    m.gpr(GPR.R11, BigInt(EFLAGS.IF | EFLAGS.RF | EFLAGS.CF));
    expect(m.call('sysret', [], 8)).toBe(1);
    expect([m.rip, m.cs, m.ss, m.cpl, m.flags, m.state.get('modeKey') & MODE.CODE_SIZE]).toEqual([0x40_0000, 0x33, 0x2b, 3, EFLAGS.IF | EFLAGS.CF | 2, MODE.CODE64]);
    const compat = long(0);
    compat.gpr(GPR.RCX, 0x1_0040_0000n);
    expect(compat.call('sysret', [], 4)).toBe(1);
    expect([compat.rip, compat.cs, compat.state.get('modeKey') & MODE.CODE_SIZE]).toEqual([0x40_0000, 0x23, MODE.CODE32]);
  });

  it('SYSRET checks CPL and a canonical RCX, SYSCALL checks EFER.SCE', () => {
    const m = long(0);
    m.gpr(GPR.RCX, 0x8000_0000_0000n);
    expect([m.call('sysret', [], 8), m.fault]).toEqual([2, fault(VECTOR.GP)]);
    expect([long(3).call('sysret', [], 8)]).toEqual([2]);
    const off = long(3);
    off.state.setWords('efer', off.state.lo('efer') & ~1, 0);
    expect([off.call('syscall', [], 8), off.fault]).toEqual([2, fault(VECTOR.UD)]);
  });

  it('SYSENTER and SYSEXIT go there and back', () => {
    const m = new TestMachine().protected(3, { rflags: EFLAGS.IF | 2 });
    m.state.setWords('sysenterCs', SELECTOR.code0, 0);
    m.state.setWords('sysenterEsp', 0x9_0000, 0);
    m.state.setWords('sysenterEip', 0xc000_0000 | 0, 0);
    expect(m.call('sysenter')).toBe(1);
    expect([m.rip, m.rsp, m.cs, m.ss, m.cpl, m.flags]).toEqual([0xc000_0000, 0x9_0000, SELECTOR.code0, SELECTOR.data0, 0, 2]);
    m.gpr(GPR.RDX, 0x5555n);
    m.gpr(GPR.RCX, 0x6666n);
    expect(m.call('sysexit')).toBe(1);
    expect([m.rip, m.rsp, m.cs, m.ss, m.cpl]).toEqual([0x5555, 0x6666, 0x1b, 0x23, 3]);
    m.state.setWords('sysenterCs', 0, 0);
    expect([m.call('sysenter'), m.fault]).toEqual([2, fault(VECTOR.GP)]);
  });

  it('SWAPGS exchanges the bases for ring 0 only', () => {
    const m = long(0);
    m.state.setBig('kernelGsBase', 0xffff_8880_0000_0000n);
    m.state.setBig('segmentBase', 0x7f00_0000_0000n, SEG.GS);
    expect(m.call('swapgs')).toBe(0);
    expect([m.state.big('segment', 2 * SEG.GS), m.state.big('kernelGsBase')]).toEqual([0xffff_8880_0000_0000n, 0x7f00_0000_0000n]);
    expect([long(3).call('swapgs')]).toEqual([2]);
  });

  it('WRFSBASE needs CR4.FSGSBASE and a canonical address', () => {
    const m = long(3);
    expect([m.call('wrfsbase', [1], 8), m.fault]).toEqual([2, fault(VECTOR.UD)]);
    m.state.setWords('cr4', m.state.lo('cr4') | 1 << 16, 0);
    expect([m.call('wrfsbase', [1n << 62n], 8), m.fault]).toEqual([2, fault(VECTOR.GP)]);
    expect(m.call('wrfsbase', [0x7fff_1234_5678n], 8)).toBe(0);
    expect(m.state.big('segment', 2 * SEG.FS)).toBe(0x7fff_1234_5678n);
    m.call('rdfsbase', [], 4);
    expect([m.cpu.argLo(0), m.cpu.argHi(0)]).toEqual([0x1234_5678, 0]);
  });
});

describe('a relative branch', () => {
  // each leads to 1000AH
  it.each([['jmp', '66 e9 04 b0 00 00'], ['jz', '31 c0 66 0f 84 01 b0 00 00'], ['call', '66 e8 04 b0 00 00']] as const)('beyond the limit of CS is #GP at the branch: %s', (_, code) => {
    const { vcpu, m, place } = wholeMachine(), faults: [number, number][] = [];
    vcpu.onException = (vector) => { faults.push([vector, m.rip]); };
    m.real();
    for (let at = 0; at < 32; at++) m.write32(4 * at, 0x7000);
    place(0x7000, 'f4');
    place(0x5000, `${code} f4`);
    expect(vcpu.run(20)).toBe('halt');
    expect(faults).toEqual([[13, code.startsWith('31') ? 0x5002 : 0x5000]]);
  });
  it('that is not taken goes on, and LOOP has not counted when it faults', () => {
    const { vcpu, m, place } = wholeMachine(), faults: number[] = [];
    vcpu.onException = (vector) => { faults.push(vector); };
    m.protected(0);
    for (let at = 0; at < 32; at++) m.gate(at, 8, 0x7000);
    // a code segment that ends at 5010H, in registers only
    m.state.setWords('segment', 0x5010, 1, 3);
    m.gpr(1, 2);
    place(0x7000, 'f4');
    place(0x5000, '75 7f e2 7e f4'); // jnz (not taken) · loop 5082h
    m.state.setBig('flagResult', 0n);
    expect(vcpu.run(20)).toBe('halt');
    expect([faults, m.gpr(1)]).toEqual([[13], 2n]);
  });
});
