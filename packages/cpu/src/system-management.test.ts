import { describe, expect, it } from 'vitest';
import { ATTRIBUTE, CR0, CR4, EFER, EFLAGS, GPR, SEG } from './architecture.ts';
import { TestMachine } from './cpu.testing.ts';
import { CPU_MODELS } from './models.ts';
import { wholeMachine } from './whole.testing.ts';
import type { WholeMachine } from './whole.testing.ts';

const SMBASE = 0x3_0000, HANDLER = SMBASE + 0x8000, MAP = SMBASE + 0x8000;

/** A machine whose next SMI is asked for by the function. */
function managed(model: keyof typeof CPU_MODELS): WholeMachine & { readonly smi: () => void } {
  let isDue = false;
  const machine = wholeMachine({
    model: CPU_MODELS[model],
    interrupts: { pending: () => false, takeNmi: () => false, acknowledge: () => -1, takeSmi: () => { const was = isDue; isDue = false; return was; } },
  });
  return { ...machine, smi: () => { isDue = true; machine.vcpu.requestAttention(); } };
}

describe('an SMI', () => {
  it('interrupts 64-bit code, and RSM goes back to what the handler left in the map', () => {
    const { vcpu, m, place, smi } = managed('host-like');
    m.long(3, { cr4: CR4.PAE | CR4.OSFXSR, registers: { rax: 0x1122, r15: 0x3344 }, rflags: EFLAGS.IF | EFLAGS.CF | 2 });
    place(0x5000, 'ff c3 f4'); // inc ebx · hlt (which ring 3 may not)
    place(HANDLER, '66 2e ff 06 f8 ff 0f aa'); // inc dword [cs:fff8h] · rsm
    const before = { flags: m.flags, cr0: m.state.lo('cr0'), cs: m.state.get('segmentAttributes', SEG.CS) };
    smi();
    vcpu.run(3);
    expect([m.gpr(GPR.RAX), m.gpr(15), m.cpl, m.flags & ~EFLAGS.ZF & ~0x94, m.state.lo('efer')]).toEqual([0x1123n, 0x3344n, 3, before.flags, EFER.LME | EFER.LMA | EFER.SCE]);
    expect([m.state.lo('cr0'), m.state.get('segmentAttributes', SEG.CS), m.state.get('modeKey') & 3, m.gpr(GPR.RBX)]).toEqual([before.cr0, before.cs, 2, 1n]);
  });

  it('enters 16-bit code at SMBASE with the state saved where firmware looks for it', () => {
    const { vcpu, m, place, smi } = managed('host-like');
    m.long(0, { registers: { rbx: 0xabcd, r8: 0x8888 } });
    place(0x5000, '90');
    place(HANDLER, 'f4');
    smi();
    expect(vcpu.run(10)).toBe('halt');
    expect([m.cs, m.rip, m.state.number('segmentBase', SEG.CS), m.state.lo('cr0') & (CR0.PE | CR0.PG), m.flags, m.cpl]).toEqual([0x3000, 0x8001, SMBASE, 0, 2, 0]);
    expect([m.read32(MAP + 0x7efc), m.read32(MAP + 0x7f00), m.read64(MAP + 0x7f78), m.read64(MAP + 0x7fe0), m.read64(MAP + 0x7fb8)]).toEqual([0x3_0064, SMBASE, 0x5000n, 0xabcdn, 0x8888n]);
    expect([m.read16(MAP + 0x7e10), m.read16(MAP + 0x7e12) & ATTRIBUTE.L, m.read64(MAP + 0x7f50)]).toEqual([0x38, ATTRIBUTE.L, 0x1_0000n]);
  });

  it('saves the 32-bit map on a CPU without long mode, moves SMBASE, and a second SMI waits for RSM', () => {
    const { vcpu, m, place, smi } = managed('pentium3');
    m.protected(0, { registers: { rcx: 0x77 } });
    place(0x5000, '90 90 90 eb fe');
    place(HANDLER, '66 2e c7 06 f8 fe 00 00 04 00 0f aa'); // mov dword [cs:fef8h], 40000h · rsm
    smi();
    vcpu.run(1);
    smi();
    expect([m.read32(MAP + 0x7efc), m.read32(MAP + 0x7fd4), m.read32(MAP + 0x7ff0)]).toEqual([0x3_0000, 0x77, 0x5000]);
    place(0x4_8000, 'f4');
    for (let step = 0; step < 5; step++) vcpu.run(2);
    expect([m.state.number('segmentBase', SEG.CS), vcpu.cpu.management.count, m.read32(0x4_8000 + 0x7fd4)]).toEqual([0x4_0000, 2, 0x77]);
  });

  /** OUT to port B2H asks for an SMI, as in PCs; so does every access to it. */
  function withSmiPort(model: keyof typeof CPU_MODELS): WholeMachine & { readonly accesses: number[] } {
    const accesses: number[] = [];
    let isDue = false;
    const access = (): void => {
      accesses.push(machine.m.rip);
      if (accesses.length === 1) { isDue = true; machine.vcpu.requestAttention(); }
    };
    const machine = wholeMachine({
      model: CPU_MODELS[model], ports: { read: () => { access(); return 0x5a; }, write: access },
      interrupts: { pending: () => false, takeNmi: () => false, acknowledge: () => -1, takeSmi: () => { const was = isDue; isDue = false; return was; } },
    });
    return { ...machine, accesses };
  }

  it('comes before the instruction after the OUT that caused it', () => {
    const { vcpu, m, place } = withSmiPort('host-like');
    m.protected(0);
    place(0x5000, 'e6 b2 43 f4'); // out b2h, al · inc ebx · hlt
    place(HANDLER, 'f4');
    vcpu.run(10);
    expect([m.read64(MAP + 0x7f78), m.read64(MAP + 0x7fe0), m.read32(MAP + 0x7ec0) >>> 0, m.read64(MAP + 0x7ea0)]).toEqual([0x5002n, 0n, 0xb2_0012, 0x5000n]);
  });

  it.each(['host-like', 'pentium3'] as const)('whose handler asks for it has the I/O instruction done again: one element of a REP OUTSB on %s', (model) => {
    const { vcpu, m, place, accesses } = withSmiPort(model), slot = model === 'pentium3' ? '00 ff' : 'c8 fe';
    m.protected(0, { registers: { rcx: 3, rsi: 0x6000, rdx: 0xb2 } });
    place(0x5000, 'f3 6e f4'); // rep outsb · hlt
    place(HANDLER, `2e c6 06 ${slot} ff 0f aa`); // mov byte [cs:slot], ffh · rsm
    expect(vcpu.run(100)).toBe('halt');
    expect([accesses.length, m.gpr(GPR.RCX), m.gpr(GPR.RSI), m.rip, vcpu.cpu.management.count]).toEqual([4, 0n, 0x6003n, 0x5003, 1]);
  });

  it('wakes HLT and goes back to it', () => {
    const { vcpu, m, place, smi } = managed('host-like');
    m.protected(0, { rflags: EFLAGS.IF | 2 });
    place(0x5000, 'f4');
    place(HANDLER, '0f aa');
    expect(vcpu.run(5)).toBe('halt');
    smi();
    expect([vcpu.run(50), vcpu.cpu.management.count, m.rip]).toEqual(['halt', 1, 0x5001]);
  });
});

describe('RSM', () => {
  it('is undefined outside system-management mode', () => {
    const m = new TestMachine().protected(0);
    expect([m.call('rsm'), m.fault?.vector]).toEqual([2, 6]);
  });
  it('ends in shutdown if the map says what no CPU can be in', () => {
    const { vcpu, m, place, smi } = managed('pentium3');
    m.protected(0);
    place(0x5000, '90');
    place(HANDLER, '66 2e c7 06 fc ff 00 00 00 80 0f aa'); // CR0 = PG without PE
    smi();
    expect(vcpu.run(10)).toBe('shutdown');
  });
});
