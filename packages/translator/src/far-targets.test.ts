import { describe, expect, it } from 'vitest';
import { CODE, runFlat } from './flat-machine.testing.ts';

/** Jumps and calls out of a region to code that is far from its entry, on both sides. */
const source = (distance: number): string => `
        jmp start
back:   add eax, 1
        ret
        align ${String(distance)}
start:  mov ecx, 300
        xor eax, eax
again:  call back
        call forth
        dec ecx
        jnz again
        hlt
        align ${String(distance)}
forth:  add eax, 2
        ret`;

describe.each([32, 64] as const)('calls in %i-bit code', (bits) => {
  it.each([0x1000, 0x8000, 0x1_0000, 0x4_0000])('reach code %i bytes away', (distance) => {
    const { registers, counters } = runFlat(bits, source(distance), 'translator');
    expect(registers.general['rax']).toBe(900n);
    expect(registers.rip).toBeGreaterThan(BigInt(CODE + distance));
    expect(counters['regions']).toBeGreaterThan(0);
  });
});
