import { describe, expect, it } from 'vitest';
import { DATA, PAGE_DIRECTORY, runFlat } from './flat-machine.testing.ts';
import type { FlatOptions, FlatRun } from './flat-machine.testing.ts';

function both(bits: 32 | 64, source: string, options: FlatOptions = {}): { expected: FlatRun; actual: FlatRun } {
  const expected = runFlat(bits, source, 'interpreter', options), actual = runFlat(bits, source, 'translator', options);
  expect(actual.counters['regions'], 'something was translated').toBeGreaterThan(0);
  const shown = ({ result, registers, data, instructions }: FlatRun): unknown => ({ result, registers, data, instructions });
  expect(shown(actual)).toEqual(shown(expected));
  return { expected, actual };
}

describe.each([32, 64] as const)('accesses near one register, %i bits', (bits) => {
  const sp = bits === 64 ? 'rsp' : 'esp', bp = bits === 64 ? 'rbp' : 'ebp', ax = bits === 64 ? 'rax' : 'eax', bx = bits === 64 ? 'rbx' : 'ebx', word = bits / 8;

  it('are right wherever the page ends among them', { timeout: 120_000 }, () => {
    for (let offset = 0; offset < 10 * word; offset += word - 1) {
      both(bits, `
        mov ecx, 40
      again:
        mov ${sp}, ${String(DATA + 0x400 + offset)}
        sub ${sp}, 0x400 - 6 * ${String(word)}
        mov ${ax}, [${sp}]
        push ${ax}
        push ${sp}
        add [${sp} + ${String(word)}], ecx
        push rcx
        pop ${bx}
        xchg ${bx}, [${sp} + ${String(3 * word)}]
        add ${bx}, [${sp} - ${String(2 * word)}]
        mov [${sp} - ${String(word)}], ${bx}
        lea ${sp}, [${sp} + ${String(3 * word)}]
        mov [${sp} - ${String(5 * word)}], cx
        mov ${ax}, [${sp} + 1]
        mov [${sp} - ${String(4 * word)}], ${ax}
        dec ecx
        jnz again
        hlt`.replaceAll('rcx', bits === 64 ? 'rcx' : 'ecx'));
    }
  });

  it('follow the register through everything that changes it', () => {
    both(bits, `
      mov ecx, 60
    again:
      mov ${sp}, ${String(DATA + 0x800)}
      mov ${bp}, ${sp}
      push ${bp}
      mov ${ax}, [${bp} - ${String(word)}]
      push ${ax}
      mov bp, 0x880
      add [${bp}], ecx
      add [${bp} + 8], ecx
      sub bp, 0x10
      mov ${bx}, [${bp} + 0x18]
      mov [${bp} + 0x20], ${bx}
      pop ${bp}
      pop ${sp}
      push ${bx}
      push ${sp}
      pop [${sp} + ${String(word)}]
      leave
      mov ${bp}, ${String(DATA + 0x900)}
      test cl, 1
      jz even
      add ${bp}, 8
      add [${bp} + 4], ecx
    even:
      add [${bp} + 4], ecx
      mov [${bp} + 12], ${ax}
      dec ecx
      jnz again
      hlt`);
  });
});

it('a fault in the middle of a window leaves the state of the instruction that faults', { timeout: 60_000 }, () => {
  for (const offset of [0, 8, 16, 24]) {
    const { expected } = both(64, `
      mov rsp, ${String(0x80_0000 + 40 * 16 + offset)}
    again:
      push rax
      push rcx
      add [rsp + 8], rsp
      push rdx
      pop rbx
      inc rax
      jmp again`, { prepare: (memory) => { memory.guest.write64(PAGE_DIRECTORY + 8 * 3, 0n); } });
    expect(expected.result).toBe('shutdown');
  }
});

it('what a segment does not allow faults, also near memory that may be used', () => {
  const { expected } = both(32, `
      mov ebp, ${String(DATA)}
      mov ecx, 60
    again:
      mov [ebp], ecx
      mov eax, cs:[ebp + 4]
      add [ebp + 8], eax
      dec ecx
      jnz again
      mov [ebp], ecx
      xor byte ptr cs:[ebp + 4], 1
      hlt`);
  expect(expected.result).toBe('shutdown');
});

it('memory that code is in is not stored to behind the back of its translation', () => {
  // the window's page becomes the page of code that is called
  both(32, `
      mov ebp, ${String(DATA + 0x100)}
      mov ecx, 50
    again:
      mov byte ptr [ebp], 0x40
      mov byte ptr [ebp + 1], 0xc3
      mov [ebp + 4], ecx
      call ebp
      mov byte ptr [ebp], 0x48
      call ebp
      call ebp
      dec ecx
      jnz again
      hlt`);
});
