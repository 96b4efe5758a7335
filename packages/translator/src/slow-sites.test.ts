import type { MachineMemory } from '@vmm/memory';
import { describe, expect, it } from 'vitest';
import { DATA, PAGE_DIRECTORY, runFlat } from './flat-machine.testing.ts';
import type { FlatRun } from './flat-machine.testing.ts';
import { outcomeOf } from './random-programs.testing.ts';
import { SITE_KIND, SlowSites } from './slow-sites.ts';

/** Where the device is, and where 64-bit code finds it. */
const DEVICE = 0xf000_0000, WINDOW = 0xe0_0000, WINDOW_ENTRY = PAGE_DIRECTORY + 8 * 7;
const TURNS = 6000;

/** A device that counts what it is asked: it must be asked as often as the program says. */
function withDevice(bits: 32 | 64, accesses: { reads: number; writes: number }): (memory: MachineMemory) => void {
  return (memory) => {
    memory.mapMmio(DEVICE, 0x1000, {
      read: (gpa, size) => { accesses.reads++; return (gpa * 3 + size + accesses.reads & 0xff) * 0x101; },
      write: () => { accesses.writes++; },
    });
    if (bits === 64) memory.guest.write64(WINDOW_ENTRY, BigInt(DEVICE) | 0x83n);
  };
}

function both(bits: 32 | 64, source: string): { translated: FlatRun; counts: readonly { reads: number; writes: number }[] } {
  const counts = [{ reads: 0, writes: 0 }, { reads: 0, writes: 0 }] as const;
  const plain = runFlat(bits, source, 'interpreter', { prepare: withDevice(bits, counts[0]) });
  const translated = runFlat(bits, source, 'translator', { prepare: withDevice(bits, counts[1]), slowPeriod: 3 });
  expect(outcomeOf(translated)).toBe(outcomeOf(plain));
  return { translated, counts };
}

describe.each([32, 64] as const)('slow accesses of %i-bit code', (bits) => {
  const b = bits === 64 ? 'r' : 'e', device = bits === 64 ? WINDOW : DEVICE;
  /** Loads, stores and both at once near a pointer. */
  const body = (name: string): string => `
        mov ecx, ${TURNS}
${name}: mov eax, [${b}si + 4]
        add edi, eax
        mov [${b}si + 8], edi
        add dword [${b}si + 16], 3
        movzx edx, word [${b}si + 2]
        xor edi, edx
        dec ecx
        jnz ${name}`;

  it('find their instructions, which are translated for a device and back', () => {
    // the same code, for a device and then for memory
    const { translated, counts } = both(bits, `
        mov ebx, 2
        mov esi, ${device}
outer: ${body('again')}
        mov esi, ${DATA}
        dec ebx
        jnz outer
        hlt`);
    expect(counts[1]).toEqual(counts[0]);
    expect(translated.counters['adaptedSites']).toBeGreaterThan(2);
    expect(translated.counters['revertedSites']).toBeGreaterThan(2);
  });

  it('across pages are put together in place', () => {
    const sizes = bits === 64 ? ['eax', 'ax', 'rax'] : ['eax', 'ax'];
    const { translated } = both(bits, `
        mov ebp, 7
outer:  lea esi, [ebp + ${DATA + 4096 - 8}]
        mov ecx, ${TURNS}
again:
${sizes.map((register) => `mov ${register}, [${b}si]\nrol ${register}, 5\nadd ${register}, cl\nmov [${b}si], ${register}`.replaceAll(/add (\w+), cl/g, (_, wide: string) => `add ${wide}, ${String(77)}`)).join('\n')}
        movzx edx, word [${b}si + 1]
        add ebx, edx
        xor dword [${b}si + 2], 0x5a5a
        lea edi, [${b}si - 3]
        mov edx, ecx
        mov ecx, 3
        rep stosd
        mov ecx, edx
        add ebx, [${b}si + 1]
        dec ecx
        jnz again
        dec ebp
        jnz outer
        hlt`);
    expect(translated.counters['adaptedSites']).toBeGreaterThan(2);
    // without adapting all of them would be
    expect(translated.counters['pageCrossings']).toBeLessThan(TURNS * 7 * sizes.length);
  });

  it('beside code are found too', () => {
    const { translated } = both(bits, `
        mov ecx, ${TURNS}
again:  mov [data], ecx
        add eax, [data]
        dec ecx
        jnz again
        hlt
        align 64
data:   dd 0, 0, 0, 0`);
    expect(translated.counters['adaptedSites']).toBeGreaterThan(0);
  });
});

describe('slow accesses that debug exceptions count', () => {
  const GDT = 0x18_1000, IDT = 0x18_2000, HITS = 0x18_3000, WATCHED = DATA + 0x100, DR7 = 0xf_0401, TF = 0x100;
  /** #DB counts in HITS. */
  const program = (body: string): string => `
        lidt [idt_image]
        lgdt [gdt_image]
        mov eax, trap
        mov word [${IDT + 8}], ax
        shr eax, 16
        mov word [${IDT + 14}], ax
        mov dword [${IDT + 10}], 0x8e000008
        mov dword [${HITS}], 0
        ${body}
        mov eax, [${HITS}]
        hlt
trap:   inc dword [${HITS}]
        iretd
gdt_image: dw 0x17
        dd ${GDT}
idt_image: dw 0xff
        dd ${IDT}`;
  const descriptors = (memory: MachineMemory): void => { [0n, 0xcf_9b00_0000_ffffn, 0xcf_9300_0000_ffffn].forEach((entry, i) => { memory.guest.write64(GDT + 8 * i, entry); }); };

  it.each([
    ['every touch of watched bytes, and no other', `
        mov eax, ${WATCHED}
        mov dr0, eax
        mov eax, ${DR7}
        mov dr7, eax
        mov ecx, 3000
again:  mov edx, [${DEVICE + 4}]
        add [${DATA + 0x180}], edx
        test ecx, 7
        jnz not
        mov edx, [${WATCHED}]
not:    dec ecx
        jnz again
        mov dr7, ecx`, 3000, 3000 / 8],
    ['every step', `
        mov ecx, 300
        pushfd
        or dword [esp], ${TF}
        popfd
again:  mov edx, [${DEVICE + 4}]
        add [${DATA + 0x180}], edx
        dec ecx
        jnz again
        pushfd
        and dword [esp], ${~TF}
        popfd`, 300, 300 * 4 + 3],
  ])('are counted once: %s', (_what, body, reads, hits) => {
    for (const engine of ['interpreter', 'translator'] as const) {
      const accesses = { reads: 0, writes: 0 };
      const { result, registers } = runFlat(32, program(body), engine, { slowPeriod: 3, prepare: (memory) => { descriptors(memory); withDevice(32, accesses)(memory); } });
      expect([engine, result, registers.general['rax'], accesses.reads]).toEqual([engine, 'halt', BigInt(hits), reads]);
    }
  });
});

describe('slow sites', () => {
  it('are decided by samples in a row, and decided again', () => {
    const sites = new SlowSites(), note = (...causes: ('plain' | 'device' | 'crossing' | 'code')[]): unknown[] => causes.map((cause) => sites.note(1, cause));
    expect(note('plain', 'device', 'device', 'crossing', 'device', 'code', 'device')).toEqual([undefined, undefined, undefined, undefined, undefined, undefined, SITE_KIND.direct]);
    expect(note('plain', 'plain', 'device', 'plain', 'plain', 'plain')).toEqual([undefined, undefined, undefined, undefined, undefined, SITE_KIND.usual]);
  });
});
