import { describe, expect, it } from 'vitest';
import { bytesOf, decoded, expectDecoded, expectInvalid } from './decode.testing.ts';
import { decode, Instruction, OpKind, rows } from './index.ts';

describe('64-bit code', () => {
  it.each([
    ['01 c8', 'add eax, ecx'],
    ['48 01 d8', 'add rax, rbx'],
    ['66 05 34 12', 'add ax, 0x1234'],
    ['48 83 c0 ff', 'add rax, 0xffffffffffffffff'],
    ['0f b6 45 fc', 'movzx eax, byte ptr [rbp-0x4]'],
    ['00 e0', 'add al, ah'],
    ['40 00 e0', 'add al, spl'],
    ['48 8b 04 25 78 56 34 12', 'mov rax, qword ptr ds:0x12345678'],
    ['64 48 8b 04 25 28 00 00 00', 'mov rax, qword ptr fs:0x28'],
    ['48 8d 05 10 00 00 00', 'lea rax, [rip+0x10]'],
    ['48 b8 88 77 66 55 44 33 22 11', 'movabs rax, 0x1122334455667788'],
    ['a1 88 77 66 55 44 33 22 11', 'movabs eax, ds:0x1122334455667788'],
    ['4a 8b 84 a3 00 01 00 00', 'mov rax, qword ptr [rbx+r12*4+0x100]'],
    ['48 63 c8', 'movsxd rcx, eax'],
    ['f0 0f b1 0b', 'lock cmpxchg dword ptr [rbx], ecx'],
    ['f3 48 ab', 'rep stos qword ptr es:[rdi], rax'],
    ['f3 a6', 'repz cmps byte ptr ds:[rsi], byte ptr es:[rdi]'],
    ['ff 24 c5 00 10 40 00', 'jmp qword ptr [rax*8+0x401000]'],
    ['41 54', 'push r12'],
    ['66 50', 'push ax'],
    ['6a ff', 'push 0xffffffffffffffff'],
    ['c8 10 00 01', 'enter 0x10, 0x1'],
    ['0f 22 d8', 'mov cr3, rax'],
    ['44 0f 20 c0', 'mov rax, cr8'],
    ['8e d8', 'mov ds, eax'],
    ['90', 'nop'],
    ['f3 90', 'pause'],
    ['41 90', 'xchg r8d, eax'],
    ['f3 0f 1e fa', 'endbr64'],
    ['0f 1f 44 00 00', 'nop dword ptr [rax+rax*1+0x0]'],
    ['0f 0b', 'ud2'],
    ['f3 0f b8 c1', 'popcnt eax, ecx'],
    ['f3 0f bc c1', 'tzcnt eax, ecx'],
    ['0f bc c1', 'bsf eax, ecx'],
    ['0f c7 f0', 'rdrand eax'],
    ['48 0f c7 0e', 'cmpxchg16b xmmword ptr [rsi]'],
    ['66 f2 0f 38 f1 c1', 'crc32 eax, cx'],
    ['d8 c1', 'fadd st, st(1)'],
    ['dc e9', 'fsub st(1), st'],
    ['db 2b', 'fld tbyte ptr [rbx]'],
    ['df 3b', 'fistp qword ptr [rbx]'],
    ['0f 10 c1', 'movups xmm0, xmm1'],
    ['f2 0f 10 05 00 00 00 00', 'movsd xmm0, qword ptr [rip+0x0]'],
    ['66 48 0f 6e c8', 'movq xmm1, rax'],
    ['c5 fd 6f 07', 'vmovdqa ymm0, ymmword ptr [rdi]'],
    ['c4 e2 f1 b8 c2', 'vfmadd231pd xmm0, xmm1, xmm2'],
    ['c4 e2 69 92 04 88', 'vgatherdps xmm0, dword ptr [rax+xmm1*4], xmm2'],
    ['c4 e2 f8 f3 c9', 'blsr rax, rcx'],
    ['c4 e3 71 4a c2 30', 'vblendvps xmm0, xmm1, xmm2, xmm3'],
  ])('%s is %s', (bytes, text) => { expectDecoded(bytes, text); });

  it('prints branch targets as addresses', () => {
    expectDecoded('e8 fb ff ff ff', 'call 0x1000', 64, 0x1000);
    expectDecoded('75 02', 'jne 0x1004', 64, 0x1000);
  });
});

describe('16- and 32-bit code', () => {
  it.each<[string, 16 | 32, string]>([
    ['8b 46 fe', 16, 'mov ax, word ptr [bp-0x2]'],
    ['66 8b 07', 16, 'mov eax, dword ptr [bx]'],
    ['67 66 8b 04 88', 16, 'mov eax, dword ptr [eax+ecx*4]'],
    ['ea 00 7c 00 00', 16, 'jmp 0x0:0x7c00'],
    ['66 ea 00 00 01 00 08 00', 16, 'jmp 0x8:0x10000'],
    ['a1 34 12', 16, 'mov ax, ds:0x1234'],
    ['40', 32, 'inc eax'],
    ['c4 07', 32, 'les eax, fword ptr [edi]'],
    ['c5 f8 28 c1', 32, 'vmovaps xmm0, xmm1'],
    ['63 c8', 32, 'arpl ax, cx'],
    ['82 c0 01', 32, 'add al, 0x1'],
    ['e3 fe', 16, 'jcxz 0x0'],
    ['67 e3 fd', 16, 'jecxz 0x0'],
    ['60', 16, 'pusha'],
    ['66 cf', 16, 'iretd'],
  ])('%s in %i-bit code is %s', (bytes, mode, text) => { expectDecoded(bytes, text, mode); });
});

describe('an invalid instruction', () => {
  it.each([
    ['0f 04', 64], ['06', 64], ['62 f1 7c 48 28 c1', 64], ['c4 07', 16 as const, 'valid outside 64-bit mode'], ['f0 01 c8', 64], ['f0 8b 07', 64],
    ['66 c5 f8 28 c1', 64], ['c5 f0 28 c1', 64], ['8e c8', 64], ['0f 22 c8', 64], ['0f c7 c8', 64], ['8f c9', 64], ['ff f8', 64], ['f3 0f 28 c1', 64],
  ] as const)('%s', (bytes, mode, valid?: string) => {
    if (valid === undefined) expectInvalid(bytes, mode);
    else expectDecoded(bytes, 'les ax, dword ptr [bx]', mode);
  });

  it('reports how many bytes were looked at', () => {
    const inst = new Instruction();
    expect(decode(bytesOf('0f 04 90'), 0, 3, 64, inst)).toBe(-1);
    expect(inst.length).toBe(2);
  });
});

describe('the end of the bytes', () => {
  it('asks for more at every cut, and never reads beyond the limit', () => {
    const bytes = bytesOf('48 81 84 8b 00 01 00 00 78 56 34 12');
    const inst = new Instruction();
    for (let cut = 0; cut < bytes.length; cut++) expect(decode(bytes, 0, cut, 64, inst)).toBe(0);
    expect(decode(bytes, 0, bytes.length, 64, inst)).toBe(12);
  });

  it('changes no answer but "more", whatever the bytes', () => {
    const bytes = new Uint8Array(4096);
    for (let i = 0, x = 12345; i < bytes.length; i++, x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0) bytes[i] = i % 7 === 0 ? 0x66 : x >>> 16;
    const far = new Instruction();
    const near = new Instruction();
    const wrong: string[] = [];
    for (let at = 0; at < bytes.length - 64; at++) {
      const whole = decode(bytes, at, bytes.length, 64, far);
      const needed = whole > 0 ? whole : whole === -1 ? far.length : 15;
      for (let cut = 0; cut <= 17; cut++) {
        const answer = decode(bytes, at, at + cut, 64, near);
        if (answer !== (cut >= needed ? whole : 0) || (answer > 0 && near.rowIndex !== far.rowIndex)) wrong.push(`at ${at} cut ${cut}: ${answer}, whole ${whole}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('refuses an instruction of more than 15 bytes', () => {
    const nop = [0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0];
    const inst = new Instruction();
    const fits = Uint8Array.from([...new Array<number>(7).fill(0x66), ...nop]);
    const tooLong = Uint8Array.from([...new Array<number>(8).fill(0x66), ...nop]);
    expect(decode(fits, 0, 15, 64, inst)).toBe(15);
    expect(decode(tooLong, 0, 16, 64, inst)).toBe(-2);
  });
});

describe('the fields of an instruction', () => {
  it('gives the memory operand in parts', () => {
    const inst = decoded('64 4a 8b 84 a3 f0 ff ff ff');
    expect({ base: inst.base, index: inst.index, scale: inst.scale, disp: inst.disp, seg: inst.seg }).toEqual({ base: 3, index: 12, scale: 2, disp: -16, seg: 4 });
    expect({ offset: inst.dispOffset, bytes: inst.dispBytes }).toEqual({ offset: 5, bytes: 4 });
  });

  it('takes SS for addresses by BP and SP, and ignores DS, ES, SS, CS overrides in 64-bit mode', () => {
    expect(decoded('8b 45 00').seg).toBe(2);
    expect(decoded('3e 8b 45 00').seg).toBe(2);
    expect(decoded('3e 8b 45 00', 32).seg).toBe(3);
    expect(decoded('64 3e 8b 45 00').seg).toBe(4);
  });

  it('sign-extends immediates to 64 bits', () => {
    const inst = decoded('48 c7 c0 00 00 00 80');
    expect([inst.immLo, inst.immHi]).toEqual([-0x8000_0000, -1]);
    expect(inst.opKind[1]).toBe(OpKind.imm);
  });

  it('ignores REX that is not directly before the opcode', () => {
    expect(decoded('48 66 01 c8').opSize).toBe(2);
  });

  it('takes the operand size of stack and branch instructions from the mode', () => {
    expect(decoded('50').opSize).toBe(8);
    expect(decoded('66 e8 00 00 00 00').opSize).toBe(8);
    expect(decoded('66 e8 00 00', 32).opSize).toBe(2);
  });
});

describe('the table', () => {
  it('gives every row its index', () => {
    rows.forEach((row, i) => { expect(row.index).toBe(i); });
  });

  it('says what string instructions, conditions and privileged instructions do', () => {
    const find = (mnemonic: string) => rows.find((row) => row.mnemonic === mnemonic);
    expect(find('jnbe')).toMatchObject({ cond: 7, endsBlock: true, flags: { read: 0x41 } });
    expect(find('adc')).toMatchObject({ lockable: true, access: ['rw', 'r'], flags: { modified: 0x8d5, read: 1 } });
    expect(find('cpuid')).toMatchObject({ intercepts: { vmx: 'cpuid', svm: 'cpuid' } });
    expect(find('hlt')).toMatchObject({ cpl0: true, endsBlock: true });
    expect(find('vpaddb')).toMatchObject({ feature: 'avx', feature256: 'avx2', operands: ['Vx', 'Hx', 'Wx'], access: ['w', 'r', 'r'] });
    expect(find('xlat')?.modrm.present).toBe(false);
  });
});
