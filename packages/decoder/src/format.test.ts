import { describe, expect, it } from 'vitest';
import { decoded } from './decode.testing.ts';
import { branchTarget, formatInstruction } from './index.ts';

describe('AT&T syntax', () => {
  it.each<[string, 16 | 32 | 64, string]>([
    ['01 c8', 64, 'add %ecx, %eax'],
    ['48 83 c0 ff', 64, 'add $0xffffffffffffffff, %rax'],
    ['83 00 01', 64, 'addl $0x1, (%rax)'],
    ['0f b6 45 fc', 64, 'movzbl -0x4(%rbp), %eax'],
    ['48 63 c8', 64, 'movslq %eax, %rcx'],
    ['48 98', 64, 'cltq'],
    ['4a 8b 84 a3 00 01 00 00', 64, 'mov 0x100(%rbx,%r12,4), %rax'],
    ['64 48 8b 04 25 28 00 00 00', 64, 'mov %fs:0x28, %rax'],
    ['ff 24 c5 00 10 40 00', 64, 'jmp *0x401000(,%rax,8)'],
    ['ff 30', 64, 'push (%rax)'],
    ['d1 e8', 64, 'shr %eax'],
    ['d3 20', 64, 'shll %cl, (%rax)'],
    ['ec', 32, 'in (%dx), %al'],
    ['ea 00 00 01 00 08 00', 32, 'ljmp $0x8, $0x10000'],
    ['c8 10 00 01', 64, 'enter $0x10, $0x1'],
    ['f3 a4', 64, 'rep movsb %ds:(%rsi), %es:(%rdi)'],
    ['dc e9', 64, 'fsubr %st, %st(1)'],
    ['df 3b', 64, 'fistpll (%rbx)'],
    ['c4 e2 69 92 04 88', 64, 'vgatherdps %xmm2, (%rax,%xmm1,4), %xmm0'],
  ])('%s in %i-bit code is %s', (bytes, mode, text) => { expect(formatInstruction(decoded(bytes, mode), { syntax: 'att' })).toBe(text); });
});

describe('prefixes in the text', () => {
  it.each<[string, string]>([
    ['f0 48 0f c7 0b', 'lock cmpxchg16b xmmword ptr [rbx]'],
    ['f2 f0 01 0b', 'xacquire lock add dword ptr [rbx], ecx'],
    ['3e ff e0', 'notrack jmp rax'],
    ['f2 c3', 'bnd ret'],
    ['f3 c3', 'repz ret'],
    ['2e 90', 'cs nop'],
    ['66 90', 'xchg ax, ax'],
    ['66 6a 05', 'pushw 0x5'],
    ['48 cb', 'retfq'],
  ])('%s is %s', (bytes, text) => { expect(formatInstruction(decoded(bytes))).toBe(text); });
});

describe('branchTarget', () => {
  it('wraps as the processor does', () => {
    expect(branchTarget(decoded('eb fe', 16), 0x1_2345n)).toBe(0x2345n);
    expect(branchTarget(decoded('e8 00 00 00 00', 64), 0xffff_ffff_8100_0000n)).toBe(0xffff_ffff_8100_0005n);
    expect(branchTarget(decoded('c3'), 0n)).toBeUndefined();
  });
});
