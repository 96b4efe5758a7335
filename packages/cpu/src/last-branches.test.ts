import { DEBUGCTL, MSR } from '@vmm/spec';
import { describe, expect, it } from 'vitest';
import { CR0, GPR, VECTOR } from './architecture.ts';
import { SELECTOR, TestMachine } from './cpu.testing.ts';
import { CPU_MODELS } from './models.ts';
import type { CpuModelName } from './models.ts';
import { wholeMachine } from './whole.testing.ts';

/** Code in protected mode up to its HLT, recording on. */
function record(model: CpuModelName, code: string): { m: TestMachine; pair: (n: number) => string; msr: (index: number) => number } {
  const { vcpu, m, place } = wholeMachine({ model: CPU_MODELS[model] });
  m.protected(0, { cr0: CR0.PE });
  for (let at = 0; at < 0x81; at++) m.gate(at, SELECTOR.code0, 0x6000);
  place(0x5000, `${code} f4`);
  place(0x6000, 'cf'); // iret
  expect(vcpu.cpu.msrs.write(MSR.DEBUGCTL, DEBUGCTL.LBR, 0)).toBe(true);
  expect(vcpu.run(1000)).toBe('halt');
  const { msrs } = vcpu.cpu, { from, to } = CPU_MODELS[model].lastBranches;
  const msr = (index: number): number => (msrs.read(index) ? msrs.lo : -1);
  return { m, msr, pair: (n) => `${msr(from + n).toString(16)} ${msr(to + n).toString(16)}` };
}
/** mov ecx, 3 · loop $ · jmp +1 · nop · jz (not taken) · call +0 · pop eax */
const BRANCHES = 'b9 03 00 00 00 e2 fe eb 01 90 0c 01 74 05 e8 00 00 00 00 58';

describe('DEBUGCTL.LBR', () => {
  it('records the branches that are taken, the latest where the top says', () => {
    const { pair, msr } = record('x86-64-v3', BRANCHES);
    expect([msr(0x1c9), pair(1), pair(2), pair(3), pair(4), pair(5)]).toEqual([4, '5005 5005', '5005 5005', '5007 500a', '500e 5013', '0 0']);
  });
  it('goes around the ring of the model', () => {
    const { pair, msr } = record('core2', BRANCHES);
    expect([msr(0x1c9), pair(0), pair(1)]).toEqual([0, '500e 5013', '5005 5005']);
  });
  it('keeps one branch on a Pentium III, and the one before the last event beside it', () => {
    // jmp +0 · int 80h
    const { pair, msr } = record('pentium3', 'eb 00 cd 80');
    expect([pair(0), msr(MSR.LASTINTFROMIP).toString(16), msr(MSR.LASTINTTOIP).toString(16), msr(0x1c9)]).toEqual(['6000 5004', '5000', '5002', -1]);
  });
  it('records interrupts and faults from the instruction that was interrupted', () => {
    // ud2, whose handler returns behind it
    const { m, vcpu, place } = { ...wholeMachine({ model: CPU_MODELS['x86-64-v2'] }) };
    m.protected(0, { cr0: CR0.PE });
    m.gate(VECTOR.UD, SELECTOR.code0, 0x6000);
    place(0x5000, '90 0f 0b f4');
    place(0x6000, '83 04 24 02 cf'); // add dword [esp], 2 · iret
    vcpu.cpu.msrs.write(MSR.DEBUGCTL, DEBUGCTL.LBR, 0);
    vcpu.run(100);
    const { msrs } = vcpu.cpu, at = (index: number): string => { msrs.read(index); return msrs.lo.toString(16); };
    expect([at(0x681), at(0x6c1), at(0x682), at(0x6c2)]).toEqual(['5001', '6000', '6004', '5003']);
  });
  it('is switched off by a debug exception', () => {
    const { m, pair, msr } = record('x86-64-v3', 'eb 00 f1 eb 00'); // jmp · int1 · jmp
    expect([msr(MSR.DEBUGCTL), msr(0x1c9), pair(2), m.gpr(GPR.RAX)]).toEqual([0, 2, '5002 6000', 0n]);
  });
  it('leaves nothing recorded while it is off, and its registers cannot be written', () => {
    const m = new TestMachine({ model: CPU_MODELS['x86-64-v3'] }).protected(0);
    expect([m.cpu.msrs.write(0x680, 1, 0), m.cpu.msrs.write(0x1c9, 1, 0), m.cpu.msrs.write(0x1c8, 0x1ff, 0), m.cpu.msrs.write(MSR.DEBUGCTL, 4, 0)]).toEqual([false, false, true, false]);
  });
});

describe('a non-canonical address', () => {
  const vectorOf = (code: string, rsp = 0x8_0000n): number | undefined => {
    const { vcpu, m, place } = wholeMachine();
    let vector: number | undefined;
    vcpu.onException = (number) => { vector ??= number; };
    m.long(0);
    for (let at = 0; at < 32; at++) m.gate64(at, SELECTOR.code64, 0x6000n, { ist: 1 });
    place(0x5000, `${code} f4`);
    place(0x6000, 'f4');
    m.gpr(GPR.RBP, 1n << 60n);
    m.gpr(GPR.RBX, 1n << 60n);
    m.gpr(GPR.RSP, rsp);
    vcpu.run(100);
    return vector;
  };
  it.each([['mov eax, [rbx]', '8b 03', VECTOR.GP], ['mov eax, [rbp]', '8b 45 00', VECTOR.SS], ['leave', 'c9', VECTOR.SS], ['push [rbx]', 'ff 33', VECTOR.GP], ['movsb', 'a4', undefined]] as const)('is #SS(0) through the stack segment, else #GP(0): %s', (_, code, vector) => {
    expect(vectorOf(code)).toBe(vector);
  });
  it.each([['push rax', '50'], ['pop rax', '58'], ['call', 'e8 00 00 00 00'], ['ret', 'c3'], ['pushf', '9c'], ['iretq', '48 cf']] as const)('in RSP makes %s #SS(0)', (_, code) => {
    expect(vectorOf(code, 1n << 61n)).toBe(VECTOR.SS);
  });
});
