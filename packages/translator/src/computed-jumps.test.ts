import { expect, it } from 'vitest';
import { DATA, runFlat } from './flat-machine.testing.ts';

it('computed jumps and calls stay in their region', () => {
  const source = `
      mov dword ptr [${String(DATA)}], first
      mov dword ptr [${String(DATA + 4)}], second
      mov dword ptr [${String(DATA + 8)}], third
      mov dword ptr [${String(DATA + 12)}], fourth
      mov ecx, 20000
      mov esi, 12345
    again:
      imul esi, esi, 1103515245
      add esi, 12345
      mov eax, esi
      shr eax, 16
      and eax, 1
      call [eax * 4 + ${String(DATA)}]
      mov eax, esi
      shr eax, 20
      and eax, 1
      jmp [eax * 4 + ${String(DATA + 8)}]
    first:
      add ebx, 3
      ret
    second:
      xor ebx, esi
      ret
    third:
      add edx, ebx
      jmp join
    fourth:
      sub edx, esi
    join:
      dec ecx
      jnz again
      hlt`;
  const expected = runFlat(32, source, 'interpreter'), actual = runFlat(32, source, 'translator', { hotThreshold: 50 });
  expect(actual.registers).toEqual(expected.registers);
  expect(actual.instructions).toBe(expected.instructions);
  expect(actual.counters['regionEntries']).toBeLessThan(2000);
});
