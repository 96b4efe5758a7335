import { describe, expect, it } from 'vitest';
import { EFLAGS, VECTOR } from './architecture.ts';
import { SELECTOR } from './cpu.testing.ts';
import { wholeMachine } from './whole.testing.ts';

const HANDLER = 0x6000;

describe('an instruction for ring 0', () => {
  it('is refused in ring 3 and works in the handler of that very fault', () => {
    const { vcpu, m, place } = wholeMachine();
    m.protected(3);
    m.gate(VECTOR.GP, SELECTOR.code0, HANDLER);
    place(0x5000, '0f 20 c0'); // mov eax, cr0
    place(HANDLER, '0f 20 c3 f4'); // mov ebx, cr0 · hlt
    expect(vcpu.run(100)).toBe('halt');
    expect([m.cpl, m.rip, m.gpr(0), m.gpr(3) & 1n]).toEqual([0, HANDLER + 4, 0n, 1n]);
  });

  it('and for protected mode is undefined in virtual-8086 mode', () => {
    const { vcpu, m, place } = wholeMachine();
    m.protected(0);
    m.gate(VECTOR.UD, SELECTOR.code0, HANDLER);
    // sldt ax · push gs fs ds es ss esp eflags(VM) cs eip · iretd
    place(0x5000, '66 0f 00 c0 6a 00 6a 00 6a 00 6a 00 6a 00 68 00 70 00 00 68 02 00 02 00 6a 00 68 00 58 00 00 cf');
    place(0x5800, '0f 00 c0 f4'); // sldt ax · hlt
    place(HANDLER, 'f4');
    expect(vcpu.run(100)).toBe('halt');
    expect([m.rip, m.cpl, m.flags & EFLAGS.VM]).toEqual([HANDLER + 1, 0, 0]);
  });
});

describe('bytes that are no instruction', () => {
  it('are looked at again once they have changed', () => {
    const { vcpu, m, place } = wholeMachine();
    m.protected(0);
    m.gate(VECTOR.UD, SELECTOR.code0, HANDLER);
    place(0x5000, 'f0 90 eb fe'); // lock nop · jmp $
    // mov byte [0x5000], 0x90 · iretd
    place(HANDLER, 'c6 05 00 50 00 00 90 cf');
    expect(vcpu.run(20)).toBe('slice');
    m.write16(0x5002, 0xf490); // nop · hlt
    vcpu.blocks.flush();
    expect(vcpu.run(100)).toBe('halt');
    expect(m.rip).toBe(0x5004);
  });
});
