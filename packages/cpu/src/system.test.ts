import { MSR } from '@vmm/spec';
import { MachineMemory } from '@vmm/memory';
import { EptMmu } from '@vmm/mmu-ept';
import { describe, expect, it } from 'vitest';
import { ATTRIBUTE, CR0, CR4, EFER, EFLAGS, GPR, SEG, VECTOR } from './architecture.ts';
import { AT, SELECTOR, TestMachine } from './cpu.testing.ts';
import { readFlags, writeFlags } from './flags.ts';
import { reportMachineCheck } from './machine-check.ts';
import { MODE } from './mode.ts';
import { CPU_MODELS, cpuModel } from './models.ts';
import type { CpuModelName } from './models.ts';
import type { ApicPort } from './ports.ts';
import { Vcpu } from './vcpu.ts';
import { wholeMachine } from './whole.testing.ts';

const GP0 = { vector: VECTOR.GP, error: 0 };

describe('flags', () => {
  it('come back as written, in every combination', () => {
    const { state } = new TestMachine();
    const arithmetic = [EFLAGS.CF, EFLAGS.PF, EFLAGS.AF, EFLAGS.ZF, EFLAGS.SF, EFLAGS.OF];
    for (let mask = 0; mask < 64; mask++) {
      const value = arithmetic.reduce((flags, bit, index) => mask >> index & 1 ? flags | bit : flags, EFLAGS.FIXED | EFLAGS.DF | EFLAGS.ID);
      writeFlags(state, value);
      expect(readFlags(state)).toBe(value);
    }
  });

  it('are computed from a lazy addition', () => {
    const { state } = new TestMachine();
    // 0x7fffffff + 1: result 0x80000000, carries into but not out of bit 31, out of bit 3.
    state.setWords('flagResult', 0x8000_0000 | 0, -1);
    state.set('flagAux', 0x4000_0000 | 8);
    expect(readFlags(state)).toBe(EFLAGS.OF | EFLAGS.SF | EFLAGS.AF | EFLAGS.PF | EFLAGS.FIXED);
  });
});

describe('reset', () => {
  it('starts at the top of 4 GiB in real mode', () => {
    const m = new TestMachine();
    expect([m.cs, m.rip, m.state.number('segmentBase', SEG.CS), m.flags]).toEqual([0xf000, 0xfff0, 0xffff_0000, 2]);
    expect([m.state.number('cr0'), m.state.get('modeKey'), m.state.big('linearMask')]).toEqual([0x6000_0010, MODE.LIMITED, 0xffff_ffffn]);
    expect(m.gpr(GPR.RDX)).toBe(0x1_06can);
  });
});

describe('control registers', () => {
  it('enter long mode in the usual order', () => {
    const m = new TestMachine().protected(0);
    m.write64(AT.pml4, BigInt(AT.pdpt | 7));
    m.write64(AT.pdpt, BigInt(AT.pd | 7));
    m.write64(AT.pd, 0x87n);
    expect(m.call('mov_to_cr', [4, CR4.PAE])).toBe(1);
    expect(m.call('mov_to_cr', [3, AT.pml4])).toBe(1);
    m.gpr(GPR.RCX, MSR.EFER);
    m.gpr(GPR.RAX, EFER.LME | EFER.NXE);
    expect(m.call('wrmsr')).toBe(0);
    expect(m.call('mov_to_cr', [0, CR0.PE | CR0.PG | CR0.WP])).toBe(1);
    expect(m.state.lo('efer')).toBe(EFER.LME | EFER.NXE | EFER.LMA);
    expect(m.state.get('modeKey') & MODE.CODE_SIZE).toBe(MODE.CODE32);
    expect(m.call('far_jump', [SELECTOR.code64, 0x6000])).toBe(1);
    expect(m.state.get('modeKey') & MODE.CODE_SIZE).toBe(MODE.CODE64);
    expect([m.call('mov_to_cr', [0, CR0.PE]), m.fault]).toEqual([2, GP0]);
    expect([m.call('mov_to_cr', [4, 0]), m.fault]).toEqual([2, GP0]);
  });

  it.each<[string, number, number | bigint]>([
    ['paging without protection', 0, CR0.PG >>> 0],
    ['NW without CD', 0, CR0.PE | CR0.NW],
    ['the upper half of CR0', 0, 0x1_0000_0001n],
    ['a reserved bit of CR4', 4, CR4.PAE | 1 << 31 >>> 0],
    ['a feature of CR4 the model has not', 4, CR4.PAE | CR4.PKE],
    ['PCIDE where the model has no PCID', 4, CR4.PAE | CR4.PCIDE],
    ['an address in CR3 beyond the physical width', 3, 1n << 45n],
    ['a CR8 above 15', 8, 16],
  ])('refuse %s', (_, register, value) => {
    const m = new TestMachine().long(0);
    expect([m.call('mov_to_cr', [register, value], 8), m.fault]).toEqual([2, GP0]);
  });

  it('are for ring 0', () => {
    const m = new TestMachine().protected(3);
    for (const name of ['mov_to_cr', 'mov_from_cr', 'clts', 'lmsw', 'lgdt', 'invlpg', 'wbinvd', 'hlt', 'rdmsr', 'wrmsr', 'mov_from_dr', 'lldt', 'ltr'] as const) {
      expect([name, m.call(name, [0, 0]), m.fault]).toEqual([name, 2, GP0]);
    }
  });

  it('LMSW cannot leave protected mode', () => {
    const m = new TestMachine().protected(0);
    m.call('lmsw', [CR0.TS]);
    expect(m.state.lo('cr0')).toBe(CR0.PE | CR0.ET | CR0.TS);
    m.call('clts');
    expect(m.state.lo('cr0')).toBe(CR0.PE | CR0.ET);
  });

  it('loads the PDPTEs of PAE paging and refuses reserved bits', () => {
    const m = new TestMachine().protected(0, { cr4: CR4.PAE });
    m.write64(0x2_0000, 0x1n);
    m.write64(0x2_0020, 0x1e7n);
    expect(m.call('mov_to_cr', [3, 0x2_0020])).toBe(1);
    expect([m.call('mov_to_cr', [0, 0x8000_0001]), m.fault]).toEqual([2, GP0]);
    expect(m.call('mov_to_cr', [3, 0x2_0000])).toBe(1);
    expect(m.call('mov_to_cr', [0, 0x8000_0001])).toBe(1);
    expect([m.call('mov_to_cr', [3, 0x2_0020]), m.fault, m.state.lo('cr3')]).toEqual([2, GP0, 0x2_0000]);
  });
});

describe('debug registers', () => {
  it('alias DR4 and DR5 unless CR4.DE', () => {
    const m = new TestMachine().protected(0);
    m.call('mov_from_dr', [4]);
    expect(m.result).toBe(0xffff_0ff0);
    m.state.setWords('cr4', CR4.DE, 0);
    expect([m.call('mov_from_dr', [4]), m.fault?.vector]).toEqual([2, VECTOR.UD]);
  });

  it('guarded by DR7.GD raise #DB, whose delivery lifts the guard', () => {
    const m = new TestMachine().protected(0);
    m.gate(VECTOR.DB, SELECTOR.code0, 0xdb);
    m.call('mov_to_dr', [7, 0x2000]);
    expect([m.call('mov_from_dr', [0]), m.fault?.vector]).toEqual([2, VECTOR.DB]);
    m.cpu.deliverException();
    expect([m.rip, m.state.lo('dr', 6) & 0x2000, m.state.lo('dr', 7) & 0x2000]).toEqual([0xdb, 0x2000, 0]);
  });

  it('stop before the instruction at a code breakpoint, once', () => {
    const m = new TestMachine().protected(0);
    m.gate(VECTOR.DB, SELECTOR.code0, 0xdb);
    m.call('mov_to_dr', [0, 0x5000]);
    m.state.setWords('rip', 0x5000, 0);
    m.call('mov_to_dr', [7, 1]);
    m.state.setWords('rip', 0x5000, 0);
    expect(m.state.get('modeKey') & MODE.SINGLE_STEP).toBe(MODE.SINGLE_STEP);
    expect(m.cpu.beginStep()).toBe(false);
    m.cpu.deliverException();
    expect([m.rip, m.state.lo('dr', 6) & 15, m.read32(m.rsp)]).toEqual([0xdb, 1, 0x5000]);
    // The handler returns with RF set: the breakpoint does not hit again, and RF is gone after the instruction.
    m.write32(m.rsp + 8, m.read32(m.rsp + 8) | EFLAGS.RF);
    m.cpu.beginStep();
    m.call('iret');
    m.cpu.endStep();
    expect([m.rip, m.flags & EFLAGS.RF]).toEqual([0x5000, EFLAGS.RF]);
    expect(m.cpu.beginStep()).toBe(true);
    m.cpu.endStep();
    expect(m.flags & EFLAGS.RF).toBe(0);
    expect(m.cpu.beginStep()).toBe(false);
  });

  it('trap after an access to a watched port', () => {
    const m = new TestMachine().protected(0);
    m.gate(VECTOR.DB, SELECTOR.code0, 0xdb);
    m.state.setWords('cr4', CR4.DE, 0);
    m.call('mov_to_dr', [1, 0x61]);
    m.call('mov_to_dr', [7, 0x4 | 0x2 << 20]);
    m.cpu.beginStep();
    m.call('out', [0x60, 0xff], 2);
    m.state.setWords('rip', 0x5002, 0);
    m.cpu.endStep();
    expect([m.rip, m.state.lo('dr', 6) & 15, m.read32(m.rsp)]).toEqual([0xdb, 2, 0x5002]);
  });
});

describe('data breakpoints', () => {
  /** Real-mode code at 0x7c00 on a whole CPU, with DR0 watching two bytes at 0x600; the #DB handler at 0x500 halts. */
  function runWatched(code: readonly number[], dr7: number): { ip: number; hits: number } {
    const memory = new MachineMemory({ ramBytes: 1 << 20 });
    const vcpu = new Vcpu({
      memory, model: CPU_MODELS.default32, createMmu: (context) => new EptMmu(context), clock: { readTsc: () => 0n, tscHz: 1e9 },
      ports: { read: () => 0xff, write: () => undefined }, interrupts: { pending: () => false, acknowledge: () => -1, takeNmi: () => false },
    });
    memory.u8.set(code, memory.ramBase + 0x7c00);
    memory.data.setUint16(memory.ramBase + 4, 0x500, true);
    memory.u8[memory.ramBase + 0x500] = 0xf4;
    const real = { selector: 0, base: 0, limit: 0xffff, attributes: 0x93 };
    vcpu.boot({
      mode: 'real', rip: 0x7c00, rsp: 0x7c00, rflags: 2, registers: { rax: 0x600, rbx: dr7 }, cr0: 0, cr3: 0, cr4: 0, efer: 0, gdtr: { base: 0, limit: 0 },
      idtr: { base: 0, limit: 0x3ff }, segments: { cs: real, ds: real, es: real, ss: real },
    });
    expect(vcpu.run(1000)).toBe('halt');
    return { ip: memory.data.getUint16(memory.ramBase + vcpu.state.lo('gpr', GPR.RSP), true), hits: vcpu.state.lo('dr', 6) & 15 };
  }
  // mov dr0, eax · mov dr7, ebx · mov al, [600h] · inc ax · mov [602h], al · mov [601h], al · nop · int 1
  const STACKS = [0x0f, 0x23, 0xc0, 0x0f, 0x23, 0xfb, 0xbc, 0x04, 0x06, 0x0e, 0x9a, 0x30, 0x7c, 0x00, 0x00];
  it('trap on the stack accesses of a far call', () => {
    // mov sp, 604h · push cs (writes 602h) · call far 0:7c30 (writes 600h and 5feh), where a HLT is never reached
    expect(runWatched(STACKS, 0x5_0001)).toEqual({ ip: 0x7c30, hits: 1 });
  });
  const CODE = [0x0f, 0x23, 0xc0, 0x0f, 0x23, 0xfb, 0xa0, 0x00, 0x06, 0x40, 0xa2, 0x02, 0x06, 0xa2, 0x01, 0x06, 0x90, 0xcd, 0x01];

  it.each([
    ['a write, after it', 0x5_0001, 0x7c10, 1],
    ['a read, after it', 0x7_0001, 0x7c09, 1],
    ['neither when disabled', 0x7_0000, 0x7c13, 0],
  ])('trap on %s', (_, dr7, ip, hits) => {
    expect(runWatched(CODE, dr7)).toEqual({ ip, hits });
  });
});

describe('a CPU by name', () => {
  it('may have features added and taken away, which CPUID then shows', () => {
    const m = new TestMachine({ model: cpuModel('x86-64-v3,-avx2,+pku') }).long(0);
    m.gpr(GPR.RAX, 7);
    m.gpr(GPR.RCX, 0);
    m.call('cpuid');
    expect([Number(m.gpr(GPR.RBX)) >> 5 & 1, Number(m.gpr(GPR.RCX)) >> 3 & 1, Number(m.gpr(GPR.RBX)) >> 3 & 1]).toEqual([0, 1, 1]);
  });
  it.each([['z80', 'Cannot use cpu "z80"'], ['core2,avx', 'Cannot change cpu feature "avx"'], ['core2,+warp', 'Cannot change cpu feature "+warp"']])('%s is refused', (text, message) => {
    expect(() => cpuModel(text)).toThrow(message);
  });
});

describe('a machine check', () => {
  const uncorrected = { bank: 1, statusLo: 0x134, statusHi: 0x2000_0000, address: 0x1_2345_6000 };
  it('is in its bank when the handler looks, and a second one before the first is cleared is shutdown', () => {
    const m = new TestMachine({ model: CPU_MODELS.core2 }).protected(0, { cr4: CR4.MCE });
    m.gate(VECTOR.MC, SELECTOR.code0, 0x6000);
    expect([reportMachineCheck(m.cpu, uncorrected), m.rip]).toEqual(['delivered', 0x6000]);
    const read = (index: number): number[] => (m.cpu.msrs.read(index) ? [m.cpu.msrs.lo, m.cpu.msrs.hi >>> 0] : []);
    expect([read(0x405), read(0x406), read(0x17a)]).toEqual([[0x134, 0xa400_0000], [0x2345_6000, 1], [5, 0]]);
    expect([m.cpu.msrs.write(0x404, 5, 0), m.cpu.msrs.write(0x404, -1, -1), m.cpu.msrs.write(0x410, 0, 0)]).toEqual([false, true, false]);
    expect([m.cpu.msrs.write(0x405, 1, 0), m.cpu.msrs.write(0x405, 0, 0), read(0x405)]).toEqual([false, true, [0, 0]]);
    expect(reportMachineCheck(m.cpu, uncorrected)).toBe('shutdown');
  });
  it('is shutdown without CR4.MCE, and only stored if it was corrected', () => {
    const m = new TestMachine({ model: CPU_MODELS.core2 }).protected(0);
    expect([reportMachineCheck(m.cpu, { ...uncorrected, statusHi: 0 }), reportMachineCheck(m.cpu, uncorrected)]).toEqual(['stored', 'shutdown']);
  });
});

describe('DEBUGCTL.BTF', () => {
  it('makes the trap flag trap on taken branches, once', () => {
    const { vcpu, m, place } = wholeMachine();
    m.protected(0, { rflags: EFLAGS.TF | 2 });
    m.gate(VECTOR.DB, SELECTOR.code0, 0x6000);
    place(0x6000, 'f4');
    vcpu.state.set('debugControl', 2);
    place(0x5000, '90 75 00 40 74 01 90 eb 01 90 90'); // nop · jnz +0 (not taken) · inc eax · jz +1 (not taken) · nop · jmp +1
    m.state.setWords('flagResult', 0, 0);
    expect(vcpu.run(50)).toBe('halt');
    expect([m.read32(m.rsp), m.state.lo('dr', 6) & 0x4000, vcpu.state.get('debugControl')]).toEqual([0x500a, 0x4000, 0]);
  });
});

describe.each(['taken', 'not taken'] as const)('a conditional branch to the next instruction, %s', (expected) => {
  const O = EFLAGS.OF, C = EFLAGS.CF, Z = EFLAGS.ZF, S = EFLAGS.SF, P = EFLAGS.PF, isTaken = expected === 'taken';
  // flags with which each even condition is met
  const met = [O, C, Z, C, S, P, O, S | Z];
  const cases = [
    ...met.flatMap((flags, pair) => [[`${(0x70 + 2 * pair).toString(16)} 00`, flags, 7n], [`${(0x71 + 2 * pair).toString(16)} 00`, 0, 7n]] as const).map(([code, flags, rcx], i): [string, number, bigint] => [code, isTaken ? flags : i % 2 === 0 ? 0 : met[i >> 1] ?? 0, rcx]),
    ['e2 00', 0, isTaken ? 2n : 1n], ['e1 00', isTaken ? Z : 0, 2n], ['e0 00', isTaken ? 0 : Z, 2n], ['e1 00', Z, isTaken ? 0n : 1n], ['67 e2 00', 0, isTaken ? 0x1_0000n : 0x1_0001n],
    ['e3 00', 0, isTaken ? 0n : 0x1_0000n], ['67 e3 00', 0, isTaken ? 0x1_0000n : 1n],
  ] as const;
  it.each(cases)('counts as such for BTF: %s', (code, flags, rcx) => {
    const { vcpu, m, place } = wholeMachine();
    m.protected(0, { rflags: EFLAGS.TF | 2 | flags });
    m.gate(VECTOR.DB, SELECTOR.code0, 0x6000);
    place(0x6000, 'f4');
    vcpu.state.set('debugControl', 2);
    m.gpr(GPR.RCX, rcx);
    place(0x5000, `${code} f4`);
    expect(vcpu.run(50)).toBe('halt');
    expect(m.rip).toBe(isTaken ? 0x6001 : 0x5000 + code.split(' ').length + 1);
  });
});

describe('INIT', () => {
  it('keeps floating-point state and MSRs, and a start-up IPI begins at its page', () => {
    const m = new TestMachine().long(0);
    m.state.set('mxcsr', 0x1fa0);
    m.state.setBig('lstar', 0x1234n);
    m.cpu.init();
    expect([m.cs, m.rip, m.state.lo('cr0'), m.state.lo('efer'), m.state.get('mxcsr'), m.state.big('lstar')]).toEqual([0xf000, 0xfff0, CR0.ET, 0, 0x1fa0, 0x1234n]);
    m.cpu.startUp(0x9a);
    expect([m.cs, m.rip, m.state.number('segmentBase', SEG.CS), m.state.number('segment', 2 * SEG.CS)]).toEqual([0x9a00, 0, 0x9_a000, 0x9_a000]);
  });
});

describe('single step', () => {
  it('traps after an instruction that began with TF', () => {
    const m = new TestMachine().protected(0);
    m.gate(VECTOR.DB, SELECTOR.code0, 0xdb);
    expect(m.call('popf', [EFLAGS.TF | 2])).toBe(1);
    expect([m.rip, m.state.get('modeKey') & MODE.SINGLE_STEP]).toEqual([0x5002, MODE.SINGLE_STEP]);
    m.cpu.beginStep();
    m.state.setWords('rip', 0x5003, 0);
    expect(m.cpu.endStep()).toBe('delivered');
    expect([m.rip, m.read32(m.rsp), m.read32(m.rsp + 8) & EFLAGS.TF, m.flags & EFLAGS.TF, m.state.lo('dr', 6) & 0x4000]).toEqual([0xdb, 0x5003, EFLAGS.TF, 0, 0x4000]);
  });

  it('does not step into the handler of INT n', () => {
    const m = new TestMachine().protected(0, { rflags: EFLAGS.TF | 2 });
    m.gate(0x30, SELECTOR.code0, 0x30);
    m.cpu.beginStep();
    m.call('int_n', [0x30]);
    m.cpu.endStep();
    expect(m.rip).toBe(0x30);
  });
});

describe('interrupt flag instructions', () => {
  it('STI lets exactly one instruction run before interrupts', () => {
    const m = new TestMachine().protected(0);
    expect(m.call('sti')).toBe(1);
    expect([m.cpu.isInterruptible, m.state.get('modeKey') & MODE.SINGLE_STEP]).toEqual([false, MODE.SINGLE_STEP]);
    m.cpu.beginStep();
    expect(m.cpu.isInterruptible).toBe(false);
    m.cpu.endStep();
    expect([m.cpu.isInterruptible, m.state.get('modeKey') & MODE.SINGLE_STEP]).toEqual([true, 0]);
    expect(m.call('sti')).toBe(0);
    expect(m.call('cli')).toBe(0);
    expect(m.flags & EFLAGS.IF).toBe(0);
  });

  it('need IOPL in ring 3', () => {
    const m = new TestMachine().protected(3);
    expect([m.call('cli'), m.fault]).toEqual([2, GP0]);
    expect([m.call('sti'), m.fault]).toEqual([2, GP0]);
    m.state.set('eflags', EFLAGS.IOPL_MASK);
    expect(m.call('cli')).toBe(0);
  });

  it('POPF of ring 3 keeps IF and IOPL silently', () => {
    const m = new TestMachine().protected(3, { rflags: EFLAGS.IF | 2 });
    expect(m.call('popf', [EFLAGS.IOPL_MASK | EFLAGS.CF | EFLAGS.ID])).toBe(0);
    expect(m.flags).toBe(EFLAGS.IF | EFLAGS.CF | EFLAGS.ID | 2);
    m.call('pushf');
    expect(m.result).toBe(EFLAGS.IF | EFLAGS.CF | EFLAGS.ID | 2);
  });

  it('HLT halts behind itself, and an interrupt wakes it', () => {
    const m = new TestMachine().protected(0, { rflags: EFLAGS.IF | 2 });
    m.gate(0x20, SELECTOR.code0, 0x20);
    expect(m.call('hlt')).toBe(1);
    expect([m.rip, m.state.get('halted')]).toEqual([0x5002, 1]);
    m.cpu.deliverInterrupt(0x20);
    expect([m.rip, m.state.get('halted')]).toEqual([0x20, 0]);
  });
});

describe('ports', () => {
  it('are open to ring 0 and real mode, with the size asked for', () => {
    const m = new TestMachine().protected(0);
    expect([m.call('in', [0x3f8], 1), m.call('out', [0xcf8, 0x8000_0000], 4)]).toEqual([0, 0]);
    expect(m.portLog).toEqual(['in 3f8 1', 'out cf8 4 80000000']);
  });

  it('follow the I/O map in ring 3', () => {
    const m = new TestMachine().protected(3);
    m.state.set('segmentLimit', 0x68 + 0x80, SEG.TR);
    for (let at = 0; at < 0x80; at++) m.write8(AT.tss + 0x68 + at, 0xff);
    m.write8(AT.tss + 0x68 + 8, 0b1111_1100);
    expect([m.call('in', [0x41], 1), m.call('in', [0x41], 2), m.fault]).toEqual([0, 2, GP0]);
    expect(m.call('io_check', [0x40], 2)).toBe(0);
    expect([m.call('in', [0x1000], 1), m.fault]).toEqual([2, GP0]);
    expect(m.portLog).toEqual(['in 41 1']);
  });
});

describe('descriptor table instructions', () => {
  it('LGDT and SGDT move limit and base', () => {
    const m = new TestMachine().protected(0);
    m.write16(0x6000, 0x3ff);
    m.write32(0x6002, 0xc123_4567);
    expect(m.call('lgdt', [0x6000], 4)).toBe(0);
    expect([m.state.get('gdtrLimit'), m.state.number('gdtrBase')]).toEqual([0x3ff, 0xc123_4567]);
    m.call('lidt', [0x6000], 2);
    expect(m.state.number('idtrBase')).toBe(0x23_4567);
    m.call('sgdt', [0x6100]);
    expect([m.read16(0x6100), m.read32(0x6102)]).toEqual([0x3ff, 0xc123_4567]);
  });

  it('LTR marks the TSS busy and refuses a busy one', () => {
    const m = new TestMachine().protected(0);
    expect(m.call('ltr', [SELECTOR.tss2])).toBe(0);
    expect([m.read8(AT.gdt + SELECTOR.tss2 + 5), m.state.number('segmentBase', SEG.TR)]).toEqual([0x8b, AT.tss2]);
    expect([m.call('ltr', [SELECTOR.tss2]), m.fault]).toEqual([2, { vector: VECTOR.GP, error: SELECTOR.tss2 }]);
    m.call('str');
    expect(m.result).toBe(SELECTOR.tss2);
  });

  it('LTR reads a 64-bit base in long mode', () => {
    const m = new TestMachine().long(0);
    m.write64(AT.gdt + SELECTOR.tss + 8, 0x1_0000n);
    expect([m.call('ltr', [SELECTOR.tss]), m.fault?.error]).toEqual([2, SELECTOR.tss]);
    m.write64(AT.gdt + SELECTOR.tss + 8, 0xffff_8000n);
    expect(m.call('ltr', [SELECTOR.tss])).toBe(0);
    expect(m.state.big('segmentBase', SEG.TR)).toBe(0xffff_8000_0000_0000n | BigInt(AT.tss));
  });

  it.each<[string, 'lar' | 'lsl' | 'verr' | 'verw', number, boolean, number?]>([
    ['LAR of code', 'lar', SELECTOR.code0, true, 0x00c0_9a00],
    ['LAR of a TSS', 'lar', SELECTOR.tss, true, 0x0000_8900],
    ['LAR of null', 'lar', 0, false],
    ['LSL of a page-granular segment', 'lsl', SELECTOR.data0, true, 0xffff_ffff],
    ['LSL of a gate', 'lsl', SELECTOR.gate, false],
    ['VERR of execute-only code', 'verr', SELECTOR.executeOnly, false],
    ['VERR of data', 'verr', SELECTOR.data0, true],
    ['VERW of read-only data', 'verw', SELECTOR.readOnly, false],
    ['VERW beyond the table', 'verw', 0xfff8, false],
  ])('%s', (_, name, selector, isGood, value) => {
    const m = new TestMachine().protected(0);
    m.callGate(SELECTOR.gate, SELECTOR.code0, 0);
    expect(m.call(name, [selector])).toBe(0);
    expect((m.flags & EFLAGS.ZF) !== 0).toBe(isGood);
    if (value !== undefined) expect(m.result).toBe(value);
  });

  it('UMIP hides the tables from ring 3', () => {
    const m = new TestMachine().protected(3);
    expect(m.call('sidt', [0x6000])).toBe(0);
    m.state.setWords('cr4', CR4.UMIP, 0);
    for (const name of ['sgdt', 'sidt', 'sldt', 'str', 'smsw'] as const) expect([name, m.call(name, [0x6000]), m.fault]).toEqual([name, 2, GP0]);
  });
});

describe('boot state', () => {
  it('marks unnamed segments unusable and derives the mode', () => {
    const m = new TestMachine().long(3);
    expect([m.state.get('segmentAttributes', SEG.FS) & ATTRIBUTE.UNUSABLE, m.cpl, m.state.lo('efer') & EFER.LMA]).toEqual([ATTRIBUTE.UNUSABLE, 3, EFER.LMA]);
    expect(m.state.get('modeKey') & (MODE.CODE_SIZE | MODE.USER)).toBe(MODE.CODE64 | MODE.USER);
  });
});

function apic(): ApicPort {
  return {
    cr8: 0, apicBaseLow: 0xfee0_0900 | 0, apicBaseHigh: 0, msrLow: 7, msrHigh: 0, writeApicBase: () => true, readMsr: (msr) => msr === 0x802, writeMsr: (msr) => msr === 0x80b,
  };
}

describe('CPUID', () => {
  const leaf = (m: TestMachine, eax: number, ecx = 0): number[] => {
    m.gpr(GPR.RAX, BigInt(eax >>> 0));
    m.gpr(GPR.RCX, BigInt(ecx));
    m.call('cpuid');
    return [GPR.RAX, GPR.RBX, GPR.RCX, GPR.RDX].map((index) => Number(m.gpr(index)));
  };
  const text = (words: number[]): string => words.map((word) => String.fromCharCode(word & 255, word >> 8 & 255, word >> 16 & 255, word >>> 24)).join('').replace(/\0+$/, '');

  it.each(Object.keys(CPU_MODELS) as CpuModelName[])('%s names itself and offers only what is implemented', (name) => {
    const model = CPU_MODELS[name];
    const m = new TestMachine({ model, apic: apic() });
    const [max, ebx = 0, ecx = 0, edx = 0] = leaf(m, 0);
    expect([max, text([ebx, edx, ecx])]).toEqual([model.maxLeaf, 'GenuineIntel']);
    const [signature = 0] = leaf(m, 1);
    expect([signature >> 8 & 15, signature >> 4 & 15 | signature >> 12 & 0xf0, signature & 15]).toEqual([model.family, model.model, model.stepping]);
    expect(text([2, 3, 4].flatMap((n) => leaf(m, 0x8000_0000 + n)))).toBe(model.brand);
    const features = leaf(m, 1)[3]!;
    expect(features & 1).toBe(1);
    expect((features >>> 26 & 1) !== 0).toBe(m.cpu.cpuid.has('sse2'));
    for (const missing of m.cpu.cpuid.missing) expect(m.cpu.cpuid.has(missing)).toBe(false);
  });

  it('default64 describes a 64-bit CPU with SSE2 and its clock', () => {
    const m = new TestMachine({ apic: apic() });
    expect(leaf(m, 1)).toEqual([0x1_06ca, 0x1_0800, 0x8100_2000, expect.any(Number)]);
    expect(leaf(m, 0x8000_0001)[3]).toBe(1 << 11 | 1 << 20 | 1 << 27 | 1 << 29);
    expect(leaf(m, 0x15)).toEqual([1000, 80_000, 25_000_000, 0]);
    expect(leaf(m, 0x8000_0008)[0]).toBe(48 << 8 | 40);
    expect(text(leaf(m, 0x4000_0000).slice(1))).toBe('VMM in Wasm ');
  });

  it('answers an unknown leaf with the highest basic one', () => {
    const m = new TestMachine();
    expect(leaf(m, 0x1234)).toEqual(leaf(m, 0x16));
  });

  it('shows OSXSAVE and the APIC enable live, and can be masked per machine', () => {
    const m = new TestMachine({ apic: apic(), dropFeatures: ['sse2'] });
    expect([leaf(m, 1)[3]! >>> 9 & 1, leaf(m, 1)[3]! >>> 26 & 1]).toEqual([1, 0]);
    const off = new TestMachine({ apic: { ...apic(), apicBaseLow: 0xfee0_0100 | 0 } });
    expect(leaf(off, 1)[3]! >>> 9 & 1).toBe(0);
  });
});

describe('MSRs', () => {
  const read = (m: TestMachine, index: number): bigint | 'fault' => {
    m.gpr(GPR.RCX, BigInt(index >>> 0));
    return m.call('rdmsr') === 2 ? 'fault' : m.gpr(GPR.RDX) << 32n | m.gpr(GPR.RAX);
  };
  const write = (m: TestMachine, index: number, value: bigint): number => {
    m.gpr(GPR.RCX, BigInt(index >>> 0));
    m.gpr(GPR.RAX, value & 0xffff_ffffn);
    m.gpr(GPR.RDX, value >> 32n);
    return m.call('wrmsr');
  };

  it.each([
    ['SYSENTER_CS', 0x174, 0x10n], ['LSTAR', 0xc000_0082, 0xffff_ffff_8000_1234n], ['GS_BASE', 0xc000_0101, 0xffff_8880_0000_0000n],
    ['KERNEL_GS_BASE', 0xc000_0102, 0x7f00_1234_5678n], ['PAT', 0x277, 0x0007_0106_0007_0106n], ['MTRR_DEF_TYPE', 0x2ff, 0xc06n], ['TSC_AUX', 0xc000_0103, 5n],
    ['MTRR_PHYSBASE0', 0x200, 0xff_8000_0006n], ['MTRR_PHYSMASK7', 0x20f, 0xff_c000_0800n], ['MTRR_FIX64K', 0x250, 0x0605_0401_0006_0606n],
  ])('%s keeps what is written', (_, index, value) => {
    const m = new TestMachine().long(0);
    expect(write(m, index, value)).toBe(0);
    expect(read(m, index)).toBe(value);
  });

  it.each([
    ['an unknown MSR', 0x1234, 0n], ['a non-canonical LSTAR', 0xc000_0082, 1n << 60n], ['a reserved PAT type', 0x277, 2n], ['reserved bits of EFER', 0xc000_0080, 1n << 20n],
    ['LME while paging', 0xc000_0080, 0n], ['MTRR_CAP', 0xfe, 0n], ['MTRR type', 0x200, 7n], ['MTRR base', 0x200, 0x106n], ['MTRR address', 0x200, 0x100_0000_0006n], ['MTRR mask', 0x201, 0x400n], ['MTRR fixed', 0x26f, 2n << 56n], ['FMASK beyond 32 bits', 0xc000_0084, 1n << 32n],
  ])('refuse %s', (_, index, value) => {
    const m = new TestMachine().long(0);
    expect([write(m, index, value), m.fault]).toEqual([2, GP0]);
  });

  it('are absent with the feature', () => {
    const m = new TestMachine({ model: CPU_MODELS.pentium3 });
    expect([read(m, 0xc000_0080), read(m, 0xc000_0101), read(m, 0x6e0), read(m, 0x174)]).toEqual(['fault', 'fault', 'fault', 0n]);
  });

  it('GS_BASE reaches generated code', () => {
    const m = new TestMachine().long(0);
    write(m, 0xc000_0101, 0xffff_8880_1234_5678n);
    expect(m.state.big('segment', 2 * SEG.GS)).toBe(0xffff_8880_1234_5678n);
  });

  it('x2APIC registers go to the APIC', () => {
    const m = new TestMachine({ apic: apic(), model: CPU_MODELS['x86-64-v2'] }).long(0);
    expect([read(m, 0x802), read(m, 0x803), write(m, 0x80b, 0n), write(m, 0x80c, 0n)]).toEqual([7n, 'fault', 0, 2]);
  });

  it('TSC_DEADLINE is told to the APIC in cycles since power-on', () => {
    const written: string[] = [];
    const port = { ...apic(), writeMsr: (_msr: number, lo: number, hi: number) => { written.push(`${String(hi)}:${String(lo)}`); return true; } };
    const m = new TestMachine({ apic: port }).long(0);
    write(m, 0x6e0, 0x2_0000_0005n);
    write(m, MSR.TIME_STAMP_COUNTER, m.tsc + 100n);
    write(m, 0x6e0, 0x2_0000_0005n);
    write(m, 0x6e0, 50n);
    write(m, 0x6e0, 0n);
    expect(written).toEqual(['2:5', `1:${String(5 - 100 | 0)}`, '0:1', '0:0']);
  });

  it('TSC counts with the clock from what was written', () => {
    const m = new TestMachine().long(0);
    write(m, MSR.TIME_STAMP_COUNTER, 5_000_000_000n);
    m.tsc += 7n;
    m.call('rdtsc');
    expect(m.gpr(GPR.RDX) << 32n | m.gpr(GPR.RAX)).toBe(5_000_000_007n);
    m.state.setWords('cr4', m.state.lo('cr4') | CR4.TSD, 0);
    m.state.set('cpl', 3);
    expect([m.call('rdtsc'), m.fault]).toEqual([2, GP0]);
  });

  it('TSC_ADJUST and the TSC move together', () => {
    const m = new TestMachine({ model: CPU_MODELS.default64 }).long(0);
    const tsc = BigInt(m.tsc);
    write(m, MSR.TIME_STAMP_COUNTER, tsc + 1000n);
    expect(read(m, MSR.TSC_ADJUST)).toBe(1000n);
    write(m, MSR.TSC_ADJUST, 0n);
    expect(read(m, MSR.TIME_STAMP_COUNTER)).toBe(tsc);
  });
});
