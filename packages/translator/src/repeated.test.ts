import { describe, expect, it } from 'vitest';
import { runFlat } from './flat-machine.testing.ts';

/** A repeated instruction at the entry of its region: short runs make it hot, then comes one that hardly ends. */
const source = `
        mov edx, 50
        mov esi, 0x200000
again:  rep lodsb
        mov ecx, 20
        mov esi, 0x200000
        dec edx
        jnz again
        mov ecx, 0x7fffffff
        jmp again`;

describe.each([32, 64] as const)('a repeated string instruction in %i-bit code', (bits) => {
  it.each(['interpreter', 'translator'] as const)('lets every slice end on the %s', (engine) => {
    let slices = 0;
    const began = performance.now(), { result, registers, counters } = runFlat(bits, source, engine, { onSlice: (_memory, slice) => { slices = slice; if (slice > 100 && performance.now() - began > 20_000) throw new Error('slow'); } });
    expect([result, slices > 1000, (registers.general['rcx'] ?? 0n) > 0n]).toEqual(['slice', true, true]);
    if (engine === 'translator') expect(counters['regions']).toBeGreaterThan(0);
  });
});
