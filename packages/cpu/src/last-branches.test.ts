import { DEBUGCTL, LBR_SELECT, MSR } from '@vmm/spec';
import { describe, expect, it } from 'vitest';
import { CR0, GPR, VECTOR } from './architecture.ts';
import { SELECTOR, TestMachine } from './cpu.testing.ts';
import { CPU_MODELS } from './models.ts';
import type { CpuModelName } from './models.ts';
import { wholeMachine } from './whole.testing.ts';

/** Code in protected mode up to its HLT, recording on. */
function record(model: CpuModelName, code: string, select = 0): { m: TestMachine; pair: (n: number) => string; msr: (index: number) => number } {
  const { vcpu, m, place } = wholeMachine({ model: CPU_MODELS[model] });
  m.protected(0, { cr0: CR0.PE });
  for (let at = 0; at < 0x81; at++) m.gate(at, SELECTOR.code0, 0x6000);
  place(0x5000, `${code} f4`);
  place(0x6000, 'cf'); // iret
  if (select !== 0) expect(vcpu.cpu.msrs.write(0x1c8, select, 0)).toBe(true);
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
    expect([m.cpu.msrs.write(0x1c8, 0x3ff, 0), m.cpu.msrs.write(0x1c8, 0x400, 0), m.cpu.msrs.write(0x1c8, 0, 1)]).toEqual([true, false, false]);
    expect([m.cpu.msrs.write(0x680, 1, 0), m.cpu.msrs.write(0x1c9, 1, 0), m.cpu.msrs.write(0x1c8, 0x1ff, 0), m.cpu.msrs.write(MSR.DEBUGCTL, 4, 0)]).toEqual([false, false, true, false]);
  });
});

describe('LBR_SELECT', () => {
  // jmp +0 · jz +1 (taken) · call +0 · add dword [esp], 5 · ret · mov eax, 5018h · jmp eax · mov eax, 501fh · call eax · pop eax · loop +1 · callf +0 · pop eax · pop eax · int 80h
  const ALL = 'eb 00 31 c0 74 01 90 e8 00 00 00 00 83 04 24 05 c3 b8 18 50 00 00 ff e0 b8 1f 50 00 00 ff d0 58 e2 01 90 9a 2a 50 00 00 08 00 58 58 cd 80';
  const KINDS = [
    ['NEAR_REL_JMP', ['5000 5002']], ['JCC', ['5004 5007', '5020 5023']], ['NEAR_REL_CALL', ['5007 500c']], ['NEAR_RET', ['5010 5011']], ['NEAR_IND_JMP', ['5016 5018']],
    ['NEAR_IND_CALL', ['501d 501f']], ['FAR_BRANCH', ['5023 502a', '502c 6000', '6000 502e']],
  ] as const;
  const recorded = (select: number, model: CpuModelName = 'x86-64-v3'): string[] => {
    const { pair, msr } = record(model, ALL, select);
    return Array.from({ length: msr(0x1c9) }, (_, i) => pair(i + 1));
  };
  it.each(KINDS)('leaves %s out', (kind, pairs) => {
    const all = recorded(0);
    expect([...all].sort()).toEqual(KINDS.flatMap(([, of]) => of).sort());
    expect(recorded(LBR_SELECT[kind])).toEqual(all.filter((pair) => !(pairs as readonly string[]).includes(pair)));
    expect(recorded(0x1fc & ~LBR_SELECT[kind], 'x86-64-v2')).toEqual(pairs);
  });
  it('leaves out what ends in ring 0, or outside it', () => {
    expect([recorded(LBR_SELECT.CPL_EQ_0), recorded(LBR_SELECT.CPL_NEQ_0).length]).toEqual([[], 10]);
    const { vcpu, m, place } = wholeMachine({ model: CPU_MODELS['x86-64-v2'] });
    for (const [select, pairs] of [[LBR_SELECT.CPL_EQ_0, ['5000 5002', '6000 5004', '5004 5000']], [LBR_SELECT.CPL_NEQ_0, ['5002 6000']]] as const) {
      m.protected(3, { cr0: CR0.PE });
      vcpu.cpu.branchTrap.last.reset();
      m.gate(0x80, SELECTOR.code0, 0x6000, 0xee);
      place(0x5000, 'eb 00 cd 80 eb fa');
      place(0x6000, 'cf');
      vcpu.cpu.msrs.write(0x1c8, select, 0);
      vcpu.cpu.msrs.write(MSR.DEBUGCTL, DEBUGCTL.LBR, 0);
      vcpu.run(4);
      const { msrs } = vcpu.cpu, at = (index: number): string => { msrs.read(index); return msrs.lo.toString(16); };
      expect(pairs.map((_, i) => `${at(0x681 + i)} ${at(0x6c1 + i)}`)).toEqual(pairs);
      expect(at(0x1c9)).toBe(String(pairs.length));
    }
  });
  it('still says which branch came before the last event', () => {
    const { msr } = record('x86-64-v3', 'eb 00 cd 80', 0x1fc);
    expect([msr(0x1c9), msr(MSR.LASTINTFROMIP), msr(MSR.LASTINTTOIP)]).toEqual([0, 0x5000, 0x5002]);
  });
  it('keeps the calls that have not returned, where the model can', () => {
    // call f · hlt · f: call g · call h · g: jz (taken) · ret · h: int 80h · hlt
    const { pair, msr } = record('host-like', 'e8 01 00 00 00 f4 e8 05 00 00 00 e8 05 00 00 00 31 c0 74 00 c3 cd 80', LBR_SELECT.EN_CALLSTACK | 0x1c4);
    expect([msr(0x1c9), pair(1), pair(2)]).toEqual([2, '5000 5006', '500b 5015']);
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
