import { assemble } from '@vmm/assembler';
import { expect, it } from 'vitest';
import { PAGE_DIRECTORY, runFlat } from './flat-machine.testing.ts';

const FUNCTION = 0x60_0000, OTHER = 0x80_0000, LARGE_PAGE = 0x20_0000, TURNS = 400, CALLS = 8;
/** P, RW, PS, G. */
const GLOBAL = 0x183n, PGE = 0x80;
/** So many instructions that it is called, not translated once more. */
const body = (step: number): string => `${Array.from({ length: 30 }, (_, i) => `lea ebp, [ebp + ${String(i + step)}]`).join('\n')}\nadd edi, ${String(step)}\nret`;

/** The same loop before and after the function's page is mapped elsewhere, by CR4.PGE, and back, by INVLPG. */
const SOURCE = `
    mov rax, cr4
    or eax, ${String(PGE)}
    mov cr4, rax
    mov ebx, ${String(FUNCTION)}
phase:
    mov esi, ${String(TURNS)}
again:
    ${'call rbx\n'.repeat(CALLS)}
    mov rax, cr3
    mov cr3, rax
    dec esi
    jnz again
    inc edx
    cmp edx, 2
    jz second
    ja third
    mov dword [${String(PAGE_DIRECTORY + 8 * FUNCTION / LARGE_PAGE)}], ${String(BigInt(OTHER) | GLOBAL)}
    mov rax, cr4
    and eax, ${String(~PGE)}
    mov cr4, rax
    or eax, ${String(PGE)}
    mov cr4, rax
    jmp phase
second:
    mov dword [${String(PAGE_DIRECTORY + 8 * FUNCTION / LARGE_PAGE)}], ${String(BigInt(FUNCTION) | GLOBAL)}
    invlpg [rbx]
    jmp phase
third: hlt`;

it('finds code on global pages across address spaces, until the mapping changes', () => {
  const run = (engine: 'interpreter' | 'translator'): ReturnType<typeof runFlat> => runFlat(64, SOURCE, engine, {
    inlineMs: Infinity,
    prepare({ guest }) {
      for (let i = 0; i < 8; i++) guest.write64(PAGE_DIRECTORY + 8 * i, BigInt(i * LARGE_PAGE) | GLOBAL);
      guest.writeBytes(FUNCTION, assemble(body(1), { org: FUNCTION, bits: 64 }).bytes);
      guest.writeBytes(OTHER, assemble(body(1000), { org: FUNCTION, bits: 64 }).bytes);
    },
  });
  const expected = run('interpreter'), actual = run('translator');
  expect(expected.result).toBe('halt');
  expect({ ...actual, counters: {} }).toEqual({ ...expected, counters: {} });
  // one behind each MOV to CR3, and what a look-up finds nothing for in a new slice or before it is warm
  expect(actual.counters['regionEntries']).toBeLessThan(3 * TURNS * 2);
});
