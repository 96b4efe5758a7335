import { describe, expect, it } from 'vitest';
import { CR0, CR4, EFER, GPR, VECTOR } from './architecture.ts';
import type { BootSegment, BootState } from './boot-state.ts';
import { AT, SELECTOR } from './cpu.testing.ts';
import { wholeMachine } from './whole.testing.ts';
import type { WholeMachine } from './whole.testing.ts';

const HANDLER = 0x6000;
type Mode = 'real' | 'protected, 16 bits' | 'protected, 32 bits' | 'compatibility';
const MODES: readonly Mode[] = ['real', 'protected, 16 bits', 'protected, 32 bits', 'compatibility'];

/** A CPU about to run at `rip` in a code segment that begins at `base` and ends at `limit`; faults are noted, and the handler halts. */
function limited(mode: Mode, rip: number, limit: number, base = 0, more: Partial<BootState> = {}): WholeMachine & { faults: string[] } {
  const whole = wholeMachine(), { m, vcpu, place } = whole, faults: string[] = [];
  vcpu.onException = (vector, error) => { faults.push(`${String(vector)}(${String(error)}) at ${m.rip.toString(16)}`); };
  const flat: BootSegment = { selector: SELECTOR.data0, base: 0, limit: -1, attributes: 0xc093 };
  const code = (attributes: number): Partial<BootState> => ({ rip, segments: {
    cs: { selector: SELECTOR.code0, base, limit, attributes }, ss: flat, ds: flat, es: flat, tr: { selector: SELECTOR.tss, base: AT.tss, limit: 0x67, attributes: 0x8b },
  }, ...more });
  if (mode === 'real') {
    const segment: BootSegment = { selector: 0, base: 0, limit: 0xffff, attributes: 0x93 };
    m.real({ rip, segments: { cs: { ...segment, base, selector: base >>> 4, limit }, ss: segment, ds: segment, es: segment }, ...more });
    for (let at = 0; at < 32; at++) m.write32(4 * at, HANDLER);
  } else if (mode === 'compatibility') {
    m.long(0, code(0x409b));
    for (let at = 0; at < 32; at++) m.gate64(at, SELECTOR.code64, BigInt(HANDLER));
  } else {
    m.protected(0, code(mode === 'protected, 16 bits' ? 0x9b : 0x409b));
    for (let at = 0; at < 32; at++) m.gate(at, SELECTOR.code0, HANDLER);
  }
  place(HANDLER, 'f4');
  return { ...whole, faults };
}

describe.each(MODES)('code that runs on to the limit of CS, %s', (mode) => {
  const limit = mode === 'real' ? 0xffff : 0x5f0f;
  const run = (at: number, code: string, base = 0): { faults: string[]; m: WholeMachine['m']; retired: number } => {
    const { m, vcpu, place, faults } = limited(mode, at, limit, base);
    place(base + at, code);
    expect(vcpu.run(50)).toBe('halt');
    return { m, faults, retired: vcpu.instructions };
  };
  it('faults behind the last byte, when what ends there has been done', () => {
    const { m, faults, retired } = run(limit - 2, 'b0 12 40 40'); // mov al, 12h · inc ax · inc ax
    expect([faults, m.gpr(GPR.RAX), retired]).toEqual([[`13(0) at ${(limit + 1).toString(16)}`], 0x13n, 3]);
    if (mode === 'real') expect(m.read16(m.rsp)).toBe(0);
  });
  it('faults at an instruction that goes beyond, before it does anything', () => {
    const { m, faults, retired } = run(limit - 2, '40 04 05 b4 12'); // inc ax · add al, 5 · mov ah, 12h
    expect([faults, m.gpr(GPR.RAX), retired]).toEqual([[`13(0) at ${(limit + 1).toString(16)}`], 6n, 3]);
    const cut = run(limit - 1, '40 04 05'); // inc ax · add al, 5
    expect([cut.faults, cut.m.gpr(GPR.RAX), cut.retired]).toEqual([[`13(0) at ${limit.toString(16)}`], 1n, 2]);
  });
  it('is the same across pages and at any base', () => {
    for (const base of [0x1_0000, 0x1_00f0, 0x1_00f8, 0x1_0ff4]) expect(run(limit - 3, '40 40 68 34 12 00 00', base).faults).toEqual([`13(0) at ${(limit - 1).toString(16)}`]);
  });
  it('is undefined where what is left says so, and beyond the limit where more would have to be read', () => {
    expect(run(limit - 1, '0f 0b').faults).toEqual([`6(0) at ${(limit - 1).toString(16)}`]);
    expect(run(limit, '0f 0b').faults).toEqual([`13(0) at ${limit.toString(16)}`]);
  });
  it('faults behind a branch that is not taken', () => {
    expect(run(limit - 2, '40 74 80 f4').faults).toEqual([`13(0) at ${(limit + 1).toString(16)}`]); // inc ax · jz
  });
});

describe('the limit of CS', () => {
  it('counts for the segment that code runs in, whatever it was decoded for', () => {
    const { m, vcpu, place, faults } = limited('real', 0x5000, 0xffff);
    // inc ax (six times) · mov cx, 1234h, across the limit of segment 0 · jmp 0:5000
    place(0xfff8, '40 40 40 40 40 40 b9 34 12 ea 00 50 00 00');
    // inc bp · cmp bp, 3 · jae over · jmp fff:8 · over: jmp 0:fff8
    place(0x5000, '45 83 fd 03 73 05 ea 08 00 ff 0f ea f8 ff 00 00');
    // #GP: add sp, 6 · inc dx · cmp dx, 3 · je to hlt · jmp fff:8 · hlt
    place(0x7000, '83 c4 06 42 83 fa 03 74 05 ea 08 00 ff 0f f4');
    m.write32(4 * VECTOR.GP, 0x7000);
    expect(vcpu.run(400)).toBe('halt');
    expect([faults, m.gpr(GPR.RCX), m.gpr(GPR.RBP), m.gpr(GPR.RAX)]).toEqual([['13(0) at fffe', '13(0) at fffe', '13(0) at fffe'], 0x1234n, 5n, 42n]);
  });
  it('comes before the page that is not there', () => {
    const paging: Partial<BootState> = { cr0: CR0.PE | CR0.PG, cr3: 0x1_0000, cr4: 0 };
    for (const [limit, code, fault] of [[0x8fff, '40 40', '13(0) at 9000'], [0x9000, '40 40', '14(0) at 9000'], [0x8fff, '40 04 05', '13(0) at 8fff'], [0x9000, '40 04 05', '14(0) at 8fff']] as const) {
      const { m, vcpu, place, faults } = limited('protected, 32 bits', 0x8ffe, limit, 0, paging);
      m.write32(0x1_0000, 0x1_1003);
      for (let page = 0; page < 1024; page++) m.write32(0x1_1000 + 4 * page, page * 0x1000 | (page === 9 ? 2 : 3));
      place(0x8ffe, code);
      vcpu.mmu.flushAll();
      expect(vcpu.run(50)).toBe('halt');
      expect(faults, `${limit.toString(16)}: ${code}`).toEqual([fault]);
    }
  });
  it('does not keep code from changing what comes next in its block', () => {
    const { m, vcpu, place } = limited('real', 0x5000, 0xffff);
    place(0x5000, 'c6 06 07 50 48 90 90 40 f4'); // mov byte [5007h], 48h · nop · nop · inc ax, which is dec ax by then · hlt
    expect(vcpu.run(50)).toBe('halt');
    expect(m.gpr(GPR.RAX)).toBe(0xffffn);
  });
  it('does not exist in 64-bit code', () => {
    const { m, vcpu, place } = wholeMachine();
    m.long(0, { segments: { cs: { selector: SELECTOR.code64, base: 0, limit: 0xff, attributes: 0x209b }, ss: { selector: 0, base: 0, limit: 0, attributes: 0x1_0000 } }, efer: EFER.LME, cr4: CR4.PAE });
    place(0x5000, 'ff c0 f4');
    expect([vcpu.run(50), m.gpr(GPR.RAX)]).toEqual(['halt', 1n]);
  });
});
