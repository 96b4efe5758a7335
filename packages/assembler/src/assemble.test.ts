import { describe, expect, it } from 'vitest';
import { assemble, AssemblyError, type AssembleOptions } from './index.ts';

function hex(source: string, options: AssembleOptions = {}): string {
  return [...assemble(source, options).bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

describe('an instruction takes its shortest encoding', () => {
  it.each<[string, 16 | 32 | 64, string]>([
    ['add eax, ecx', 64, '01 c8'],
    ['add eax, 1', 64, '83 c0 01'],
    ['add eax, 0x1234', 64, '05 34 12 00 00'],
    ['add eax, 0xffffffff', 64, '83 c0 ff'],
    ['add rax, -1', 64, '48 83 c0 ff'],
    ['mov rax, 5', 64, '48 c7 c0 05 00 00 00'],
    ['mov rax, 0x80000000', 64, '48 b8 00 00 00 80 00 00 00 00'],
    ['mov rax, 0xffffffff80000000', 64, '48 c7 c0 00 00 00 80'],
    ['push 0x1234', 32, '68 34 12 00 00'],
    ['push 5', 64, '6a 05'],
    ['push r12', 64, '41 54'],
    ['mov ds, ax', 32, '8e d8'],
    ['mov ax, ds', 32, '66 8c d8'],
    ['mov eax, [0x1000]', 32, 'a1 00 10 00 00'],
    ['mov eax, [0x1000]', 64, '8b 04 25 00 10 00 00'],
    ['mov ebx, [esp]', 32, '8b 1c 24'],
    ['mov ebx, [ebp]', 32, '8b 5d 00'],
    ['mov rbx, [r13]', 64, '49 8b 5d 00'],
    ['mov ax, [bp+si+4]', 16, '8b 42 04'],
    ['mov eax, [ebx+ecx*4]', 16, '67 66 8b 04 8b'],
    ['lea rax, [rax*9+1]', 64, '48 8d 44 c0 01'],
    ['mov rax, gs:[rcx]', 64, '65 48 8b 01'],
    ['mov rax, [gs:rcx]', 64, '65 48 8b 01'],
    ['test [rax], cl', 64, '84 08'],
    ['xchg eax, ecx', 64, '91'],
    ['imul eax, 5', 64, '6b c0 05'],
    ['shl eax, 1', 64, 'd1 e0'],
    ['rep movsb', 16, 'f3 a4'],
    ['movsd', 16, '66 a5'],
    ['stosq', 64, '48 ab'],
    ['pushfd', 16, '66 9c'],
    ['iretd', 16, '66 cf'],
    ['iretq', 64, '48 cf'],
    ['retf', 32, 'cb'],
    ['o32 retf', 16, '66 cb'],
    ['jmp 8:0x1000', 16, 'ea 00 10 08 00'],
    ['jmp dword 8:0x1000', 16, '66 ea 00 10 00 00 08 00'],
    ['jmp far [0x1000]', 32, 'ff 2d 00 10 00 00'],
    ['call [rax]', 64, 'ff 10'],
    ['in al, dx', 32, 'ec'],
    ['out 0xf4, al', 32, 'e6 f4'],
    ['lgdt [rdi]', 64, '0f 01 17'],
    ['mov cr8, rax', 64, '44 0f 22 c0'],
    ['finit', 32, '9b db e3'],
    ['faddp', 32, 'de c1'],
    ['vaddpd ymm8, ymm1, [r9]', 64, 'c4 41 75 58 01'],
    ['vfmadd231ps xmm1, xmm2, xmm3', 64, 'c4 e2 69 b8 cb'],
    ['lock add dword [rax], 1', 64, 'f0 83 00 01'],
    ['setae byte [rax]', 64, '0f 93 00'],
    ['mov sil, 1', 64, '40 b6 01'],
    ['cmpltps xmm0, xmm1', 64, '0f c2 c1 01'],
    ['vcmpneqsd xmm0, xmm1, [rax]', 64, 'c5 f3 c2 00 04'],
    ['monitor', 32, '0f 01 c8'],
  ])('%s (%i-bit) is %s', (source, bits, bytes) => { expect(hex(source, { bits })).toBe(bytes); });
});

describe('a program', () => {
  it('grows branches only where it must', () => {
    const short = assemble('jmp over\ntimes 126 nop\nover:');
    const near = assemble('jmp over\ntimes 128 nop\nover:');
    expect(short.bytes.length).toBe(2 + 126);
    expect(near.bytes.length).toBe(5 + 128);
    expect(near.symbols.get('over')).toBe(133n);
  });

  it('keeps local labels apart', () => {
    expect(hex('a: .x: jmp .x\nb: .x: jmp .x')).toBe('eb fe eb fe');
    expect(assemble('a: .x: nop').symbols.get('a.x')).toBe(0n);
  });

  it('computes expressions with labels, $ and $$', () => {
    expect(hex("org 0x7c00\nbits 16\nstart: nop\ndw start, $-$$, (end-start)*2 | 1\nend:\ntimes 10-($-$$) db 0xcc")).toBe('90 00 7c 01 00 0f 00 cc cc cc');
  });

  it('places data: numbers, strings, escapes, alignment, gaps', () => {
    expect(hex("db 'ab', 1, `\\n`, -1\ndw 'abc'\nalign 4, 0\ndd 0x12345678\nresb 2\norg 20\ndb 7")).toBe('61 62 01 0a ff 61 62 63 00 00 00 00 78 56 34 12 00 00 00 00 07');
  });

  it('takes names from outside and gives its own back', () => {
    const result = assemble('PORT equ BASE + 8\nmov dx, PORT', { bits: 16, symbols: { BASE: 0x3f0 } });
    expect(result.symbols.get('PORT')).toBe(0x3f8n);
    expect([...result.bytes]).toEqual([0xba, 0xf8, 0x03]);
  });

  it('addresses data relative to RIP when asked', () => {
    expect(hex('mov eax, [rel x]\nx: dd 1')).toBe('8b 05 00 00 00 00 01 00 00 00');
    expect(hex('default rel\nmov eax, [x]\nmov byte [x], 1\nx:')).toBe('8b 05 07 00 00 00 c6 05 00 00 00 00 01');
  });

  it('changes code size on the way', () => {
    expect(hex('bits 16\nmov ax, bx\n.code32\nmov ax, bx\nuse64\nmov rax, rbx')).toBe('89 d8 66 89 d8 48 89 d8');
  });

  it('lists each line with its address and bytes', () => {
    const { listing } = assemble('nop\nx: ret', { org: 0x100 });
    expect(listing.map((l) => [l.line, l.address, [...l.bytes], l.text])).toEqual([[1, 0x100n, [0x90], 'nop'], [2, 0x101n, [0xc3], 'x: ret']]);
  });
});

describe('a mistake', () => {
  it.each([
    ['nop\nmov eax, bx', 'line 2: operand sizes differ: 4 and 2 bytes'],
    ['mov [rax], 5', 'operation size not specified: 1, 2, 4, 8 bytes are possible'],
    ['bt [rax], 5', 'operation size not specified'],
    ['foo eax', 'unknown instruction "foo"'],
    ['lock mov eax, [rbx]', 'LOCK is not allowed here'],
    ['jmp short x\ntimes 200 nop\nx:', 'out of range'],
    ['mov eax, [rbx', 'expected "+", found the end of the line'],
    ['db 300', '300 does not fit 1 byte'],
    ['mov ah, r8b', 'cannot be used together with a REX prefix'],
    ['x: nop\nx: nop', 'line 2: "x" is defined twice'],
    ['jmp nowhere', '"nowhere" is not defined'],
    ['pusha', 'not valid in 64-bit code'],
    ['mov rax, [rsp*2]', 'the stack pointer cannot be an index register'],
    ['mov rax, [rbx*7+rcx]', 'scale 7 is not encodable'],
    ['mov eax, [rax+ebx]', 'base and index register differ in size'],
    ['eax: nop', 'eax is a register'],
    ["db 'open", "string without its closing '"],
    ['dd 1/0', 'division by zero'],
    ['times 4-8 nop', 'the count is negative'],
  ])('%j is reported: %s', (source, message) => {
    expect(() => assemble(source)).toThrow(AssemblyError);
    expect(() => assemble(source)).toThrow(message);
  });

  it('comes with every other mistake of the source', () => {
    try {
      assemble('foo\nnop\nbar');
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(AssemblyError);
      expect((error as AssemblyError).diagnostics.map((d) => d.line)).toEqual([1, 3]);
    }
  });
});
