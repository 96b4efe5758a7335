import { describe, expect, it } from 'vitest';
import { DATA, runFlat } from './flat-machine.testing.ts';

/** So many instructions that a function with them is called, not translated once more. */
const BODY = Array.from({ length: 30 }, (_, i) => (i % 3 === 0 ? `lea ebp, [ebp + ${String(i + 1)}]` : i % 3 === 1 ? 'rol ebp, 3' : 'xor ebp, esi')).join('\n');

/** `@p`: the letter before a register's name that makes it as wide as an address. Each warms its functions up before it calls them in a loop. */
const warm = (...functions: readonly string[]): string => functions.map((name) => `
        mov ecx, 40
  warm_${name}:
        call ${name}
        dec ecx
        jnz warm_${name}`).join('');

const PROGRAMS: readonly { readonly name: string; readonly source: string }[] = [
  {
    name: 'hands registers and flags to the function and back',
    source: `mov esi, 77
        ${warm('big')}
        mov ecx, 5000
  again:
        add esi, ecx
        call big
        adc edi, 0
        sbb eax, ebp
        dec ecx
        jnz again
        hlt
  big:  ${BODY}
        add esi, ebp
        ret`,
  },
  {
    name: 'goes where the function returns to, if that is not behind the call',
    source: `mov esi, 5
        ${warm('big')}
        mov ecx, 5000
  again:
        call skips
        add edi, 1000
        add edi, 1
        dec ecx
        jnz again
        hlt
  big:  ${BODY}
        ret
  skips: ${BODY}
        test ecx, 3
        jnz stay
        add @psp, 0
        mov @pax, [@psp]
        add @pax, 6
        mov [@psp], @pax
  stay: ret`,
  },
  {
    name: 'is not confused by recursion deeper than the host may follow',
    source: `mov esi, 1
        mov ecx, 30
        mov ebx, 5
  warming:
        call down
        dec ecx
        jnz warming
        mov ecx, 20
  again:
        mov ebx, 700
        call down
        dec ecx
        jnz again
        hlt
  down: ${BODY}
        add edi, ebp
        dec ebx
        js  bottom
        call other
        add edi, 1
  bottom: ret
  other: ${BODY}
        xor edi, ebp
        dec ebx
        js  bottom
        call down
        sub edi, 3
        ret`,
  },
  {
    name: 'lets a function drop the frames of its callers',
    source: `mov esi, 9
        mov ecx, 3000
        mov @pbx, @psp
  again:
        call outer
  landing:
        mov @psp, @pbx
        dec ecx
        jnz again
        hlt
  outer: ${BODY}
        call inner
        add edi, 7
        ret
  inner: ${BODY}
        inc edi
        test edi, 3
        jz  away
        ret
  away: mov @psp, @pbx
        jmp landing`,
  },
  {
    name: 'comes back to code that the function has changed',
    source: `mov esi, 3
        ${warm('writer')}
        mov ecx, 600
  again:
        call writer
  patch: mov edx, 0x11111111
        add edi, edx
        dec ecx
        jnz again
        hlt
  writer: ${BODY}
        mov edx, ecx
        and edx, -16
        cmp edx, [patch + 1]
        je  same
        mov [patch + 1], edx
  same: ret`,
  },
  {
    name: 'calls through registers and memory, whatever comes',
    source: `mov dword ptr [${String(DATA)}], one
        mov dword ptr [${String(DATA + 8)}], two
        mov dword ptr [${String(DATA + 4)}], 0
        mov dword ptr [${String(DATA + 12)}], 0
        mov esi, 11
        ${warm('one', 'two')}
        mov ecx, 5000
  again:
        mov eax, ebp
        shr eax, 7
        and eax, 1
        call [@pax * 8 + ${String(DATA)}]
        dec ecx
        jnz again
        hlt
  one:  ${BODY}
        inc edi
        ret
  two:  ${BODY}
        add edi, 100
        ret`,
  },
];

describe.each([32, 64] as const)('a call out of a region, %i bits,', (bits) => {
  it.each(PROGRAMS)('$name', ({ source }) => {
    const text = source.replaceAll('@p', bits === 64 ? 'r' : 'e');
    const expected = runFlat(bits, text, 'interpreter'), actual = runFlat(bits, text, 'translator', { hotThreshold: 8 });
    expect(expected.result).toBe('halt');
    expect(actual.registers).toEqual(expected.registers);
    expect(actual.data).toEqual(expected.data);
    expect(actual.instructions).toBe(expected.instructions);
    expect(actual.counters['regions']).toBeGreaterThan(0);
  });
  it.each(PROGRAMS)('$name, also when it is brought in', ({ source }) => {
    const text = source.replaceAll('@p', bits === 64 ? 'r' : 'e');
    const expected = runFlat(bits, text, 'interpreter'), actual = runFlat(bits, text, 'translator', { hotThreshold: 8, inlineMs: 0 });
    expect(actual.registers).toEqual(expected.registers);
    expect(actual.instructions).toBe(expected.instructions);
  });
  it('is brought in when samples find it open', () => {
    const text = (PROGRAMS[0]?.source ?? '').replaceAll('@p', bits === 64 ? 'r' : 'e').replace('ecx, 5000', 'ecx, 50000');
    expect(runFlat(bits, text, 'translator', { hotThreshold: 8, inlineMs: 0 }).counters['inlinedCalls']).toBeGreaterThan(0);
  });
  it('costs no return to the dispatcher', () => {
    const text = (PROGRAMS[0]?.source ?? '').replaceAll('@p', bits === 64 ? 'r' : 'e');
    expect(runFlat(bits, text, 'translator', { hotThreshold: 8 }).counters['regionEntries']).toBeLessThan(500);
  });
});
