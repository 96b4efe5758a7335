import { describe, expect, it } from 'vitest';
import { ATTRIBUTE, CR0, CR4, EFLAGS, GPR, SEG, VECTOR } from './architecture.ts';
import { SELECTOR, TestMachine } from './cpu.testing.ts';
import { ARITHMETIC_FLAGS } from './flags.ts';
import { CPU_MODELS } from './models.ts';
import { wholeMachine } from './whole.testing.ts';
import type { WholeMachine } from './whole.testing.ts';

const ALL = CPU_MODELS['host-like'];
const CR4_USED = CR4.PAE | CR4.OSXSAVE | CR4.OSFXSR | CR4.PKE;

/** 64-bit code that ends with HLT; the vector of the first exception, or none. */
function run(code: string, before: (machine: WholeMachine) => void = () => undefined): { machine: WholeMachine; vector: number | undefined } {
  const machine = wholeMachine(), { vcpu, m } = machine;
  let vector: number | undefined;
  vcpu.onException = (number) => { vector ??= number; };
  m.long(0, { cr4: CR4_USED });
  m.state.setWords('xcr0', 0x207, 0);
  for (let at = 0; at < 32; at++) m.gate64(at, SELECTOR.code64, 0x6000n);
  machine.place(0x6000, 'f4');
  machine.place(0x5000, `${code} f4`);
  before(machine);
  expect(vcpu.run(1000)).toBe('halt');
  return { machine, vector };
}

describe('protection keys', () => {
  it('are written and read, and count for the next access', () => {
    const key1 = { at: 0x20_1000, pt: 0x1_3000 };
    // wrpkru · mov al, [rsi]
    const { machine: { m }, vector } = run('0f 01 ef 8a 06', (machine) => {
      machine.m.write64(0x1_2000 + 8, BigInt(key1.pt | 7));
      for (let page = 0; page < 512; page++) machine.m.write64(key1.pt + 8 * page, BigInt(0x20_0000 + page * 0x1000 | 7) | (page === 1 ? 1n << 59n : 0n));
      machine.m.gpr(GPR.RAX, 1 << 2);
      machine.m.gpr(GPR.RSI, key1.at);
    });
    expect([vector, m.state.get('pkru'), m.state.number('cr2')]).toEqual([VECTOR.PF, 4, key1.at]);
  });

  it.each([['ECX is not 0', GPR.RCX], ['EDX is not 0', GPR.RDX]])('refuse WRPKRU where %s', (_, register) => {
    expect(run('0f 01 ef', ({ m }) => { m.gpr(register, 1); }).vector).toBe(VECTOR.GP);
  });

  it('are unknown without CR4.PKE', () => {
    const m = new TestMachine({ model: ALL }).long(0);
    expect([m.call('rdpkru'), m.fault?.vector]).toEqual([2, VECTOR.UD]);
  });

  it('travel through XSAVE and XRSTOR', () => {
    // xsave [rsi] · mov edx, 0 · mov eax, 0x203 · xrstor [rsi]
    const { machine: { m }, vector } = run('0f ae 26 0f ae 2e', (machine) => {
      machine.m.state.set('pkru', 0x1234_5678);
      machine.m.gpr(GPR.RSI, 0x8000);
      machine.m.gpr(GPR.RAX, 0x200);
    });
    expect([vector, m.read64(0x8000 + 512), m.read64(0x8000 + 832), m.state.get('pkru')]).toEqual([undefined, 0x200n, 0x1234_5678n, 0x1234_5678]);
  });

  it('lie behind the header where a compacted area has no AVX state', () => {
    // xsavec [rsi] · mov dword [rsi+576], 7 · xrstor [rsi]
    const { machine: { m }, vector } = run('0f c7 26 c7 86 40 02 00 00 07 00 00 00 0f ae 2e', (machine) => {
      machine.m.state.set('pkru', 3);
      machine.m.gpr(GPR.RSI, 0x8000);
      machine.m.gpr(GPR.RAX, 0x202);
    });
    expect([vector, m.read64(0x8000 + 520), m.state.get('pkru')]).toEqual([undefined, 1n << 63n | 0x202n, 7]);
  });
});

describe('XSAVE', () => {
  it('touches no more of its area than the components asked for need', () => {
    // the area's first 576 bytes end with the mapped memory; XSAVE of x87 and SSE state is fine, of AVX state a page fault
    const before = (components: number) => ({ m }: WholeMachine): void => {
      m.gpr(GPR.RSI, 0x40_0000 - 576);
      m.gpr(GPR.RAX, components);
    };
    expect([run('0f ae 26', before(3)).vector, run('0f ae 26', before(7)).vector]).toEqual([undefined, VECTOR.PF]);
  });
  it('has a compacted form for ring 0, and XRSTORS takes no other', () => {
    const area = ({ m }: WholeMachine): void => {
      m.gpr(GPR.RSI, 0x8000);
      m.gpr(GPR.RAX, 3);
    };
    expect([run('0f c7 2e 0f c7 1e', area).vector, run('0f ae 26 0f c7 1e', area).vector]).toEqual([undefined, VECTOR.GP]);
  });
});

describe('direct stores', () => {
  it('MOVDIR64B copies a line to an aligned address', () => {
    const fill = (to: number) => ({ m }: WholeMachine): void => {
      for (let at = 0; at < 64; at += 8) m.write64(0x8008 + at, BigInt(at) * 0x0101_0101_0101n);
      m.gpr(GPR.RSI, 0x8008);
      m.gpr(GPR.RDI, to);
    };
    const done = run('66 0f 38 f8 3e', fill(0x8100)), { m } = done.machine; // movdir64b rdi, [rsi]
    expect(done.vector).toBeUndefined();
    expect(m.memory.guest.readBytes(0x8100, 64)).toEqual(m.memory.guest.readBytes(0x8008, 64));
    expect(run('66 0f 38 f8 3e', fill(0x8110)).vector).toBe(VECTOR.GP);
  });
  it('MOVDIRI stores a register', () => {
    const { machine: { m } } = run('48 0f 38 f9 06', ({ m }) => {
      m.gpr(GPR.RSI, 0x8000);
      m.gpr(GPR.RAX, 0x1122_3344_5566_7788n);
    });
    expect(m.read64(0x8000)).toBe(0x1122_3344_5566_7788n);
  });
});

describe('waiting', () => {
  it('MWAIT halts until an interrupt, unless the monitored line has changed', () => {
    // monitor · (mov [rax], cl) · mwait · inc ebx
    const code = (store: string): string => `0f 01 c8 ${store} 0f 01 c9 ff c3`;
    const machine = ({ m }: WholeMachine): void => {
      m.gpr(GPR.RAX, 0x8000);
      m.state.set('eflags', EFLAGS.IF);
    };
    expect(run(code('90 90'), machine).machine.m.gpr(GPR.RBX)).toBe(0n);
    expect(run(code('c6 00 01'), machine).machine.m.gpr(GPR.RBX)).toBe(1n);
    expect(run(code('90 90'), ({ m }) => { m.gpr(GPR.RAX, 0x8000); }).machine.m.gpr(GPR.RBX)).toBe(1n);
  });
  it('MONITOR looks through DS or the segment named', () => {
    const m = new TestMachine({ model: ALL }).protected(0);
    expect(m.call('monitor', [0x8000])).toBe(0);
    const { vcpu, m: whole, place } = wholeMachine();
    whole.protected(0);
    whole.gate(VECTOR.GP, SELECTOR.code0, 0x6000);
    place(0x6000, 'f4');
    place(0x5000, '0f 01 c8 0f 01 c8 f4'); // DS is good, ES is not
    whole.state.set('segmentAttributes', ATTRIBUTE.UNUSABLE, SEG.ES);
    whole.state.set('segment', 8, 3);
    expect(vcpu.run(100)).toBe('halt');
    expect(whole.rip).toBe(0x5007);
  });
  it('TPAUSE and UMWAIT end at once with clear flags, and refuse reserved bits', () => {
    const { machine: { m }, vector } = run('f9 66 0f ae f1 f2 0f ae f1', ({ m: machine }) => { machine.gpr(GPR.RCX, 1); });
    expect([vector, m.flags & ARITHMETIC_FLAGS]).toEqual([undefined, 0]);
    expect(run('66 0f ae f1', ({ m: machine }) => { machine.gpr(GPR.RCX, 2); }).vector).toBe(VECTOR.GP);
    expect(run('f3 0f ae f0', ({ m: machine }) => { machine.gpr(GPR.RAX, 0x100_0000); }).vector).toBe(VECTOR.PF);
  });
});

describe('shadow stack instructions without shadow stacks', () => {
  it('RDSSP leaves its register alone and INCSSP is undefined', () => {
    const { machine: { m }, vector } = run('f3 48 0f 1e c8', ({ m: machine }) => { machine.gpr(GPR.RAX, 0x1234_5678_9abcn); }); // rdsspq rax
    expect([vector, m.gpr(GPR.RAX)]).toEqual([undefined, 0x1234_5678_9abcn]);
    expect(run('f3 48 0f ae e8').vector).toBe(VECTOR.UD); // incsspq rax
  });
});

describe('an unmasked x87 exception', () => {
  // fld1 · fldz · fldcw [rsi] (zero-divide unmasked) · fdivp · fwait
  const code = 'd9 e8 d9 ee d9 2e de f9 9b';
  const unmasked = (ne: boolean) => ({ m }: WholeMachine): void => {
    m.write16(0x8000, 0x37b);
    m.gpr(GPR.RSI, 0x8000);
    m.state.set('fpuControl', 0x37f);
    m.state.set('fpuTags', 0xff);
    m.state.setWords('cr0', m.state.lo('cr0') & ~CR0.NE | (ne ? CR0.NE : 0), 0);
  };
  it('is #MF at the next waiting instruction with CR0.NE', () => {
    const { machine: { m }, vector } = run(code, unmasked(true));
    expect([vector, m.read64(m.rsp)]).toEqual([VECTOR.MF, 0x5008n]);
  });
  it('asks for IRQ 13 without, and the instruction waits for it', () => {
    let requests = 0;
    const { vcpu, m, place } = wholeMachine({ raiseFpuError: () => { requests++; } });
    m.long(0);
    unmasked(false)({ vcpu, m, place });
    place(0x5000, `${code} f4`);
    expect([vcpu.run(100), requests, m.rip]).toEqual(['halt', 1, 0x5008]);
    expect(run(code, unmasked(false)).vector).toBeUndefined();
  });
});

describe('a hypercall', () => {
  it('is answered where CPUID tells of a hypervisor', () => {
    const { machine: { m }, vector } = run('0f 01 c1', ({ m: machine }) => { machine.gpr(GPR.RAX, 5); });
    expect([vector, BigInt.asIntN(64, m.gpr(GPR.RAX))]).toEqual([undefined, -1000n]);
  });
  it('is undefined elsewhere', () => {
    const m = new TestMachine({ model: ALL, hypervisorLeaf: false }).protected(0, { cr0: CR0.PE });
    expect([m.call('vmcall'), m.fault?.vector]).toEqual([2, VECTOR.UD]);
  });
});
