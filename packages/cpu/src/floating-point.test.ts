import { STATE } from '@vmm/state';
import { describe, expect, it } from 'vitest';
import { CR0, CR4, EFLAGS, GPR, VECTOR } from './architecture.ts';
import { AT, SELECTOR } from './cpu.testing.ts';
import type { TestMachine } from './cpu.testing.ts';
import { CPU_MODELS } from './models.ts';
import { wholeMachine } from './whole.testing.ts';

type Prepare = (m: TestMachine) => void;

/** Code in the mode that `prepare` sets up, up to its HLT; the vector of the first exception, or none. */
function run(code: string, prepare: Prepare): { m: TestMachine; vector: number | undefined } {
  const { vcpu, m, place } = wholeMachine({ model: CPU_MODELS['host-like'] });
  let vector: number | undefined;
  vcpu.onException = (number) => { vector ??= number; };
  place(0x5000, `${code} f4`);
  place(0x6000, 'f4');
  for (let at = 0; at < 32; at++) m.write32(4 * at, 0x6000);
  prepare(m);
  m.state.set('fpuControl', 0x37f);
  m.state.set('fpuTags', 0xff);
  expect(vcpu.run(1000)).toBe('halt');
  return { m, vector };
}
const words = (m: TestMachine, at: number, count: number): string[] => Array.from({ length: count }, (_, i) => m.read16(at + 2 * i).toString(16));
const dwords = (m: TestMachine, at: number, count: number): string[] => Array.from({ length: count }, (_, i) => m.read32(at + 4 * i).toString(16));

/** Code at 0F00:xxxx would not lie at 5000H; data at 1234:0010. */
const real: Prepare = (m) => {
  m.real();
  m.state.set('selector', 0x1234, 3);
  m.state.setBig('segmentBase', 0x1_2340n, 3);
  m.state.setWord(STATE.segment + 16 * 3, 0x1_2340);
};
/** fld1 · fadd dword [10H] */
const ADD = 'd9 e8 d8 06 10 00';

describe('the x87 environment', () => {
  it('has linear addresses and the opcode in 16-bit real mode', () => {
    // … fnstenv [20H]
    const { m } = run(`${ADD} d9 36 20 00`, real);
    expect(words(m, 0x1_2360, 7)).toEqual(['37f', '3800', '3fff', '5002', '0', '2350', '1000']);
  });
  it('has them in 32 bits', () => {
    // … o32 fnstenv [20H]
    const { m } = run(`${ADD} 66 d9 36 20 00`, real);
    expect(dwords(m, 0x1_2360, 7)).toEqual(['ffff037f', 'ffff3800', 'ffff3fff', 'ffff5002', '0', 'ffff2350', '1000']);
  });
  it('comes back: 20 bits of a pointer, or 32', () => {
    // fldenv [20H] · o32 fnstenv [40H] · o32 fldenv [60H] · fnstenv [80H]
    const { m } = run('d9 26 20 00 66 d9 36 40 00 66 d9 26 60 00 d9 36 80 00', (machine) => {
      real(machine);
      for (const [i, word] of [0x37f, 0, 0xffff, 0x1111, 0xa5de, 0x2222, 0xb000].entries()) machine.write16(0x1_2360 + 2 * i, word);
      for (const [i, word] of [0x37f, 0, 0xffff, 0x3333, 0x0abc_d5de, 0x4444, 0x0000_e000].entries()) machine.write32(0x1_23a0 + 4 * i, word);
    });
    expect(dwords(m, 0x1_2380, 7).slice(3)).toEqual(['ffff1111', 'a5de', 'ffff2222', 'b000']);
    expect([m.state.number('fpuIp'), m.state.number('fpuDp')]).toEqual([0xabcd_3333, 0xe_4444]);
    expect(words(m, 0x1_23c0, 7).slice(3)).toEqual(['3333', 'd5de', '4444', 'e000']);
  });
  it('has selectors and offsets in protected mode', () => {
    // fld1 · fadd dword [8010H] · fnstenv [8020H]
    const { m } = run('d9 e8 d8 05 10 80 00 00 d9 35 20 80 00 00', (machine) => { machine.protected(); });
    expect(dwords(m, 0x8020, 7).slice(3)).toEqual(['5002', '8', '8010', 'ffff0010']);
  });
  it('names the opcode once an unmasked exception is reported', () => {
    // fninit · fldcw [8000H] · fld1 · fldz · fdivp · fwait
    const { m, vector } = run('db e3 d9 2d 00 80 00 00 d9 e8 d9 ee de f9 9b', (machine) => {
      machine.protected(0, { cr0: CR0.PE | CR0.NE });
      machine.write16(0x8000, 0x37b);
      for (let at = 0; at < 32; at++) machine.gate(at, 8, 0x6000);
    });
    expect([vector, m.state.get('fpuOpcode').toString(16), m.state.number('fpuIp').toString(16)]).toEqual([VECTOR.MF, '6f9', '500c']);
  });
  it('is the real one in virtual-8086 mode', () => {
    const real86 = { selector: 0x100, base: 0x1000, limit: 0xffff, attributes: 0xf3 };
    const { m, vector } = run('', (machine) => {
      machine.protected(3, { rip: 0x4000, rflags: EFLAGS.FIXED | EFLAGS.VM, segments: { cs: real86, ss: real86, ds: real86, es: real86, tr: { selector: SELECTOR.tss, base: AT.tss, limit: 0x67, attributes: 0x8b } } });
      for (let at = 0; at < 32; at++) machine.gate(at, SELECTOR.code0, 0x6000);
      // fld1 · fnstenv [20H] · hlt
      [0xd9, 0xe8, 0xd9, 0x36, 0x20, 0, 0xf4].forEach((byte, i) => { machine.write8(0x5000 + i, byte); });
    });
    // HLT is #GP there
    expect([vector, ...words(m, 0x1020, 7).slice(3)]).toEqual([VECTOR.GP, '5000', '0', '0', '0']);
  });
});

const TINY = { single: 0x0040_0000n, double: 1n << 40n } as const;
/** Two lanes of doubles or four of singles: all 1, but the first. */
function vector(first: bigint, single: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer(16));
  if (single) for (let i = 0; i < 4; i++) view.setUint32(4 * i, i === 0 ? Number(first) : 0x3f80_0000, true);
  else for (let i = 0; i < 2; i++) view.setBigUint64(8 * i, i === 0 ? first : 0x3ff0_0000_0000_0000n, true);
  return new Uint8Array(view.buffer);
}

describe('a denormal operand with an ordinary result', () => {
  const PE = 0x20, DE = 2, OPERATIONS = { add: 0x58, mul: 0x59, sub: 0x5c, min: 0x5d, div: 0x5e, max: 0x5f, sqrt: 0x51, compare: 0xc2 } as const;
  const PREFIXES = { ps: '', ss: 'f3', pd: '66', sd: 'f2' } as const;
  /** xmm1 = 1 op denormal (or, `swapped`, the other way round), with the precision flag set; MXCSR afterwards. */
  function flags(prefix: string, opcode: number, single: boolean, operands: readonly [bigint, bigint]): number {
    const { m } = run(`${prefix} 0f ${opcode.toString(16)} ca ${opcode === OPERATIONS.compare ? '01' : ''}`.trim().replace(/\s+/g, ' '), (machine) => {
      machine.long(0, { cr4: CR4.PAE | CR4.OSFXSR });
      machine.state.set('mxcsr', 0x1f80 | PE);
      operands.forEach((bits, i) => { machine.state.u8.set(vector(bits, single), machine.state.base + STATE.vector + 32 * (i + 1)); });
      machine.gpr(GPR.RSI, 0x8000);
    });
    return m.state.get('mxcsr') & 0x3f;
  }
  const one = (single: boolean): bigint => (single ? 0x3f80_0000n : 0x3ff0_0000_0000_0000n);
  const cases = Object.entries(PREFIXES).flatMap(([format, prefix]) => Object.entries(OPERATIONS).map(([name, opcode]) => ({ name: `${name}${format}`, prefix, opcode, single: format.endsWith('s') })));
  it.each(cases)('sets the flag in $name', ({ name, prefix, opcode, single }) => {
    const tiny = single ? TINY.single : TINY.double, unit = one(single);
    expect(flags(prefix, opcode, single, [unit, tiny]) & DE).toBe(DE);
    if (!name.startsWith('sqrt')) expect(flags(prefix, opcode, single, [tiny, unit]) & DE).toBe(DE);
    expect(flags(prefix, opcode, single, [unit, unit]) & DE).toBe(0);
    expect(flags(prefix, opcode, single, [0n, unit]) & DE).toBe(0);
  });
  it.each([['comiss', '0f 2f ca', true], ['ucomisd', '66 0f 2e ca', false], ['cvtss2sd', 'f3 0f 5a ca', true], ['cvtps2pd', '0f 5a ca', true], ['cvtsd2ss', 'f2 0f 5a ca', false]] as const)('sets it in %s', (_, code, single) => {
    const tail = code.slice(code.indexOf('0f') + 3, code.indexOf('0f') + 5), prefix = code.slice(0, code.indexOf('0f')).trim();
    expect(flags(prefix, Number.parseInt(tail, 16), single, [one(single), single ? TINY.single : TINY.double]) & DE).toBe(DE);
  });
});
