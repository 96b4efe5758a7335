import { assemble } from '@vmm/assembler';
import { decode, Instruction, rows } from '@vmm/decoder';
import { describe, expect, it } from 'vitest';
import { classOf } from './instruction-class.ts';
import { POLICIES, SENSITIVE } from './sensitive.ts';
import { observe } from './sensitive.testing.ts';

describe('the table of sensitive instructions', () => {
  it.each(SENSITIVE.map((row) => [row.name, row] as const))('says what happens to %s', { timeout: 60_000 }, (_, row) => {
    for (const policy of POLICIES) {
      for (const bits of row.bits) {
        const seen = { policy, bits, ring0: observe(row, bits, 0, policy), ring3: observe(row, bits, 3, policy) };
        expect(seen).toEqual({ policy, bits, ...row.rules[policy] });
      }
    }
  });

  it('has every instruction that is privileged or may be intercepted by a hypervisor', () => {
    const known = new Set(SENSITIVE.flatMap(({ mnemonics }) => mnemonics));
    const sensitive = rows.filter((row) => row.cpl0 || row.intercepts.vmx !== '' || row.intercepts.svm !== '').map((row) => row.mnemonic);
    expect([...new Set(sensitive)].filter((mnemonic) => !known.has(mnemonic))).toEqual([]);
  });

  it('names instructions that the decoder knows', () => {
    const known = new Set(rows.map((row) => row.mnemonic));
    expect(SENSITIVE.flatMap(({ mnemonics }) => mnemonics).filter((mnemonic) => !known.has(mnemonic))).toEqual([]);
  });
});

describe('classes', () => {
  it.each([
    ['add eax, ecx', 'P'], ['lea eax, [ecx+4]', 'P'], ['shl ecx, 3', 'P'], ['add eax, [ecx]', 'M'], ['push eax', 'M'], ['rep movsb', 'M'], ['mov eax, [0x1000]', 'M'],
    ['jnz $', 'C'], ['call eax', 'C'], ['ret', 'C'], ['loop $', 'C'], ['mov eax, cr0', 'S'], ['mov ax, ds', 'S'], ['mov ds, eax', 'S'], ['push fs', 'S'], ['cpuid', 'S'], ['pushf', 'S'], ['iretd', 'S'],
  ])('%s is %s', (source, expected) => {
    const { bytes } = assemble(source, { bits: 32, org: 0x1000 }), inst = new Instruction();
    decode(bytes, 0, bytes.length, 32, inst);
    expect(classOf(inst)).toBe(expected);
  });
});
