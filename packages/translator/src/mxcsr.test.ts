import { describe, expect, it } from 'vitest';
import { DATA, runFlat } from './flat-machine.testing.ts';

const NEAREST = 0x1f80, UP = 0x5f80, PE = 0x20;
const word = (offset: number): string => `[0x${(DATA + offset).toString(16)}]`;

/** One piece of code in which MXCSR changes between roundings, by an operation that sets the precision flag and by LDMXCSR: what is known of it must not be kept. */
const body = `
        ldmxcsr ${word(0)}
        movsd xmm0, ${word(16)}
        movsd xmm1, ${word(24)}
        addsd xmm0, xmm0
        stmxcsr ${word(8)}
        divsd xmm0, xmm1
        stmxcsr ${word(12)}
        movsd ${word(32)}, xmm0
        divsd xmm0, xmm1
        movsd ${word(40)}, xmm0
        movsd xmm2, ${word(16)}
        ldmxcsr ${word(4)}
        divsd xmm2, xmm1
        movsd ${word(48)}, xmm2
        cvtsd2si eax, xmm2
        ldmxcsr ${word(0)}
        movsd xmm2, ${word(16)}
        divsd xmm2, xmm1
        stmxcsr ${word(60)}
        cvtsd2si edx, xmm2`;
const source = `
        mov dword ${word(0)}, ${NEAREST}
        mov dword ${word(4)}, ${UP}
        mov ecx, 300
        mov dword ${word(16)}, 0
        mov dword ${word(20)}, 0x3ff00000
        mov dword ${word(24)}, 0
        mov dword ${word(28)}, 0x40080000
hot:    ${body}
        dec ecx
        jnz hot
        hlt`;

describe.each([32, 64] as const)('MXCSR in %i-bit code', (bits) => {
  it('is what it is at each operation, on both engines', () => {
    const interpreted = runFlat(bits, source, 'interpreter', {}), translated = runFlat(bits, source, 'translator', { hotThreshold: 20 });
    expect(translated.counters['regions']).toBeGreaterThan(0);
    expect([translated.registers, translated.data]).toEqual([interpreted.registers, interpreted.data]);
    const at = new DataView(translated.data.buffer, translated.data.byteOffset);
    // 2 is exact, a third is not; 1/3 is rounded down to nearest and up otherwise
    expect([at.getUint32(8, true) & PE, at.getUint32(12, true) & PE, at.getUint32(60, true) & PE]).toEqual([0, PE, PE]);
    expect([at.getFloat64(32, true), at.getFloat64(48, true) - 1 / 3, translated.registers.general['rax'], translated.registers.general['rdx']]).toEqual([2 / 3, 2 ** -54, 1n, 0n]);
  });
});
