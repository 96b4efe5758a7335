import { assemble } from '@vmm/assembler';
import type { MachineMemory } from '@vmm/memory';
import { describe, expect, it } from 'vitest';
import { CODE, DATA, PAGE_DIRECTORY, runFlat, TABLES } from './flat-machine.testing.ts';

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
    name: 'goes on behind a function that the interpreter must run in part, and behind one that is seldom called',
    source: `mov esi, 13
        ${warm('odd')}
        mov ecx, 5000
  again:
        call outer
        add edi, eax
        test ecx, 1023
        jnz more
        call seldom
        xor edi, eax
  more: dec ecx
        jnz again
        hlt
  outer: ${BODY}
        call odd
        add eax, ebp
        ret
  odd:  ${BODY}
        mov @psi, cr0
        mov @pdx, cr4
        add esi, edx
        out 0x80, al
        ret
  seldom: ${BODY}
        call outer
        sub eax, edi
        ret`,
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

describe.each([32, 64] as const)('recursion of functions as large as a region may be, %i bits,', (bits) => {
  it.each([
    ['with stores', (i: number) => `add dword ptr [@psi + ${String(4 * (i % 200))}], edx\nrol edx, ${String(i % 31 + 1)}\nadc edx, eax`],
    ['with vectors', (i: number) => `paddd xmm${String(i % 7)}, xmm${String(i % 5 + 1)}\npsrlq xmm${String(i % 5)}, 1\npxor xmm0, xmm${String(i % 6)}`],
  ])('fits the stack of the host, %s', (_name, lines) => {
    const body = Array.from({ length: 380 }, (_, i) => lines(i)).join('\n');
    const text = `mov esi, ${String(DATA)}
        mov eax, 0x606
        mov @pdx, cr4
        or  @pdx, @pax
        mov cr4, @pdx
        mov ebx, 12
  again: mov ecx, 300
        call down
        dec ebx
        jnz again
        hlt
  down: ${body}
        dec ecx
        js  bottom
        call other
        add edi, 1
  bottom: ret
  other: ${body}
        dec ecx
        js  bottom
        call down
        sub edi, 3
        ret`.replaceAll('@p', bits === 64 ? 'r' : 'e');
    const expected = runFlat(bits, text, 'interpreter'), actual = runFlat(bits, text, 'translator', { hotThreshold: 8 });
    expect(expected.result).toBe('halt');
    expect(actual.registers).toEqual(expected.registers);
    expect(actual.data).toEqual(expected.data);
  });
});

describe('a call in 64-bit code whose function puts another page where the caller was', () => {
  const CALLER = 0x80_0000, FUNCTION = CODE + 64, ENTRY = PAGE_DIRECTORY + 8 * 4, COPIES = [0x60_0000, 0xa0_0000] as const, OTHER_TABLES = 0x4000;
  const pageEntry = (host: number): bigint => BigInt(host) | 0x83n;
  /** Both copies of the caller have the same layout, and what the caller does next differs. */
  const prepare = ({ guest }: MachineMemory): void => {
    COPIES.forEach((host, i) => {
      const { bytes } = assemble(`again: call ${String(FUNCTION)}
        imul edi, edi, ${String(3 + 2 * i)}
        add edi, ${String(1000 + i)}
        dec ecx
        jnz again
        hlt`, { org: CALLER, bits: 64 });
      guest.writeBytes(host, bytes);
    });
    guest.write64(ENTRY, pageEntry(COPIES[0]));
    // a second address space that differs in that page
    for (let at = 0; at < 0x3000; at += 8) guest.write64(OTHER_TABLES + at, guest.read64(TABLES + at));
    guest.write64(OTHER_TABLES, BigInt(OTHER_TABLES + 0x1000) | 3n);
    guest.write64(OTHER_TABLES + 0x1000, BigInt(OTHER_TABLES + 0x2000) | 3n);
    guest.write64(OTHER_TABLES + ENTRY - TABLES, pageEntry(COPIES[1]));
  };
  it.each([
    ['by INVLPG', `xor dword ptr [${String(ENTRY)}], ${String(COPIES[0] ^ COPIES[1])}
        invlpg [${String(CALLER)}]`],
    ['by a reload of CR3', `xor dword ptr [${String(ENTRY)}], ${String(COPIES[0] ^ COPIES[1])}
        mov rdx, cr3
        mov cr3, rdx`],
    ['by another address space', `mov rdx, cr3
        xor rdx, ${String(TABLES ^ OTHER_TABLES)}
        mov cr3, rdx`],
  ])('%s', (_name, change) => {
    const source = `jmp begin
        align 64
        ${BODY}
        test ecx, 7
        jnz stays
        ${change}
  stays: ret
  begin:
        mov esi, 7
        ${`mov ecx, 39
  warming: call ${String(FUNCTION)}
        dec ecx
        jnz warming`}
        mov ecx, 4000
        mov eax, ${String(CALLER)}
        jmp rax`;
    const expected = runFlat(64, source, 'interpreter', { prepare }), actual = runFlat(64, source, 'translator', { prepare, hotThreshold: 8 });
    expect(expected.result).toBe('halt');
    expect(actual.registers).toEqual(expected.registers);
    expect(actual.instructions).toBe(expected.instructions);
    expect(actual.counters['regions']).toBeGreaterThan(1);
  });
});

describe.each([32, 64] as const)('a %i-bit function that cannot be part of its caller', (bits) => {
  it('is not asked for again and again', () => {
    const source = `
        mov ebx, 300
again:  call long
        dec ebx
        jnz again
        hlt
long:   sgdt [0x210000]
        mov ecx, 3000
turn:   rol eax, 3
        add eax, ecx
        dec ecx
        jnz turn
        ret`;
    const { result, counters } = runFlat(bits, source, 'translator');
    expect(result).toBe('halt');
    expect(counters['inlinedCalls']).toBeLessThan(4);
    expect(counters['regions']).toBeLessThan(12);
  });
});
