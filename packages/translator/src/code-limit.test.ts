import { expect, it } from 'vitest';
import { runFlat } from './flat-machine.testing.ts';

/** Hot in a flat segment first, then run once more in one that ends within the second instruction of `body`. */
const source = `
        jmp start
gdt:    dq 0
        dq 0x00cf9b000000ffff
        dq 0x00cf93000000ffff
        dq 0x00409b10000000LIMIT
table:  dw 31
        dd gdt
body:   inc eax
        add ebx, 0x10001
        ret
start:  lgdt [table]
        mov ecx, 300
        xor eax, eax
        xor ebx, ebx
again:  call body
        dec ecx
        jnz again
        jmp 24:OFFSET`;

it('translated code does not run where CS has a limit that it would run past', () => {
  // from the segment's base, which is where the code begins: behind a short jump and the tables
  const body = 2 + 32 + 6, text = source.replace('LIMIT', (body + 3).toString(16)).replace('OFFSET', String(body));
  const [expected, actual] = (['interpreter', 'translator'] as const).map((engine) => runFlat(32, text, engine));
  expect(actual!.counters['regions']).toBeGreaterThan(0);
  for (const { result, registers } of [expected!, actual!]) {
    expect([result, registers.rip, registers.general['rax'], registers.general['rbx']]).toEqual(['shutdown', BigInt(body + 1), 301n, 300n * 0x10001n]);
  }
  expect(actual!.instructions).toBe(expected!.instructions);
});
