import { assemble } from '@vmm/assembler';
import type { MachineMemory } from '@vmm/memory';
import { describe, expect, it } from 'vitest';
import { CODE, PAGE_DIRECTORY, runFlat, TABLES } from './flat-machine.testing.ts';
import type { FlatOptions } from './flat-machine.testing.ts';

interface Program {
  readonly name: string;
  /** `@ax` is eax or rax. EAX counts what the code did; each program changes code that has run, and been translated, before. */
  readonly source: string;
  readonly eax: number;
}

/** How a store can reach code that is near: in any mode. */
const NEAR: readonly Program[] = [
  {
    name: 'an immediate in the next instruction', eax: 20100,
    source: `mov ecx, 200
             xor eax, eax
      again: mov [patch+1], ecx
      patch: mov edx, 0x11111111
             add eax, edx
             dec ecx
             jnz again
             hlt`,
  },
  {
    name: 'an instruction behind in the same block', eax: 150,
    source: `mov ecx, 100
             xor eax, eax
      again:
      patch: add eax, 1
             xor byte ptr [patch+2], 3
             dec ecx
             jnz again
             hlt`,
  },
  {
    name: 'an opcode, so that a loop ends itself', eax: 500,
    source: `mov ecx, 1000
             xor eax, eax
      again: inc eax
             cmp eax, 500
             jnz skip
             mov byte ptr [patch], 0xf4
      skip:
      patch: nop
             dec ecx
             jnz again
             hlt`,
  },
  {
    name: 'the displacement of a branch', eax: 300 + 3 * 150,
    source: `mov ecx, 300
             xor eax, eax
      again: xor byte ptr [patch+1], 3
      patch: jmp short behind
             add eax, 3
     behind: add eax, 1
             dec ecx
             jnz again
             hlt`,
  },
  {
    name: 'data in the same page as hot code, without harm', eax: 2001000,
    source: `mov ecx, 2000
             xor eax, eax
      again: inc dword ptr [counter]
             add eax, [counter]
             dec ecx
             jnz again
             hlt
             align 64
    counter: dd 0`,
  },
  {
    name: 'code right behind a REP STOSB or REP MOVSB, by that instruction', eax: 30 * 4,
    source: `mov ebp, 60
             xor ebx, ebx
      again: mov edi, patch
             mov ecx, 12
             test ebp, 1
             jz fill
             mov esi, original
             rep movsb
             jmp patch
       fill: mov al, 0x90
             rep stosb
      patch: times 12 nop
             dec ebp
             jnz again
             mov eax, ebx
             hlt
   original: times 4 add ebx, 1`,
  },
  {
    name: 'code that the stack lies in, by PUSH', eax: 20,
    source: `mov ebp, 40
             xor eax, eax
      again: mov @dx, [nops]
             test ebp, 1
             jz go
             mov @dx, [one]
         go: mov @sp, patch + 8
             push @dx
      patch: times 8 nop
             dec ebp
             jnz again
             hlt
             align 8
       nops: dq 0x9090909090909090
        one: dq 0x909090909001c083`,
  },
  {
    name: 'code by LOCK CMPXCHG and XCHG', eax: 100 * 5 + 50,
    source: `mov ebp, 100
             xor ebx, ebx
      again: mov eax, 0x05c38390
             mov ecx, 0x06c38390
             lock cmpxchg [patch], ecx
             jz done
             xchg eax, eax
             mov eax, 0x05c38390
             xchg [patch], eax
      done:
      patch: dd 0x05c38390
             dec ebp
             jnz again
             mov eax, ebx
             hlt`,
  },
  {
    name: 'sixteen bytes by one vector store', eax: 7 * 30 + 30 * 29 / 2,
    source: `mov ebp, 30
             xor eax, eax
             xor edx, edx
      again: movdqu xmm0, [image]
             movdqu [patch], xmm0
             jmp patch
             align 16
      patch: times 16 nop
             dec ebp
             jnz again
             hlt
             align 16
      image: add eax, 7
             add eax, edx
             inc edx
             times 16 - ($ - image) nop`,
  },
  {
    name: 'a function in another page, called directly', eax: 0x100_0000 + 300 * 301 / 2 - 1,
    source: `mov ecx, 300
             xor eax, eax
      again: call far_away
             mov [far_away+1], ecx
             dec ecx
             jnz again
             hlt
             align 4096
   far_away: add eax, 0x1000000
             ret`,
  },
  {
    name: 'a function in another page, called through a pointer', eax: 0x100_0000 + 300 * 301 / 2 - 1,
    source: `mov ecx, 300
             xor eax, eax
      again: mov edx, far_away
             call @dx
             mov [far_away+1], ecx
             dec ecx
             jnz again
             hlt
             align 4096
   far_away: add eax, 0x1000000
             ret`,
  },
  {
    name: 'the second page of an instruction that crosses pages', eax: 5 + 100 * 101 / 2 - 1,
    source: `mov ecx, 100
             xor eax, eax
      again: call crossing
             mov [crossing+2], cl
             dec ecx
             jnz again
             hlt
             align 4096
             times 4095 nop
   crossing: add eax, 5
             ret`,
  },
  {
    name: 'two functions by one store that crosses pages', eax: 50 * (0x12 + 0x34),
    source: `mov ecx, 50
             xor eax, eax
      again: call first
             call second
             mov word [first_end - 1], 0x9090
             mov word [first_end - 1], 0x90c3
             dec ecx
             jnz again
             hlt
             align 4096
             times 4096 - 4 nop
      first: add eax, 0x12
             ret
  first_end:
     second: nop
             add eax, 0x34
             ret`,
  },
];

const ENGINES = ['interpreter', 'translator'] as const;

function run(bits: 32 | 64, engine: (typeof ENGINES)[number], source: string, options: FlatOptions = {}): { readonly result: string; readonly eax: number } {
  const { result, registers } = runFlat(bits, source.replaceAll('@', bits === 64 ? 'r' : 'e'), engine, options);
  return { result, eax: Number(registers.general['rax']) };
}

describe.each(ENGINES.flatMap((engine) => ([32, 64] as const).map((bits) => [engine, bits] as const)))('self-modifying code in the %s, %i bits', (engine, bits) => {
  it.each(NEAR)('changes $name', ({ source, eax }) => {
    expect(run(bits, engine, source)).toEqual({ result: 'halt', eax });
  });

  it('by DMA while it runs: a device stores during an OUT', () => {
    const source = `mov ecx, 200
             xor eax, eax
      again: call victim
             mov al, al
             mov edx, eax
             mov al, cl
             out 0x42, al
             mov eax, edx
             dec ecx
             jnz again
             hlt
             times 0x200 - ($ - $$) nop
     victim: add eax, 1
             ret`;
    const onOut = (memory: MachineMemory, _port: number, value: number): void => { memory.guest.write8(CODE + 0x200 + 2, value & 0x7f); };
    const added = Array.from({ length: 200 }, (_, i) => (i === 0 ? 1 : 200 - i + 1 & 0x7f)).reduce((sum, value) => sum + value, 0);
    expect(run(bits, engine, source, { onOut })).toEqual({ result: 'halt', eax: added });
  });

  it('by DMA between slices, so that a hot loop ends', () => {
    const source = `xor eax, eax
      again: inc eax
             jmp again
             hlt`;
    const { result, eax } = run(bits, engine, source, { onSlice: (memory, slice) => { if (slice === 20) memory.guest.writeBytes(CODE + 4, Uint8Array.of(0xf4, 0xf4)); } });
    expect(result).toBe('halt');
    expect(eax).toBeGreaterThan(40_000);
  });
});

describe.each([32, 64] as const)('a store from a function far from the entry of its region, %i bits', (bits) => {
  const source = `mov ecx, 300
             xor eax, eax
      again: call far_away
      patch: mov edx, 0x11111111
             add eax, edx
             dec ecx
             jnz again
             hlt
             times 0xc000 - ($ - $$) nop
   far_away: mov [patch+1], ecx
             inc ebx
             ret`;

  it('changes code, and nothing is counted twice', () => {
    const [expected, actual] = ENGINES.map((engine) => runFlat(bits, source, engine));
    expect(Number(expected?.registers.general['rax'])).toBe(300 * 301 / 2);
    expect([actual?.registers, actual?.instructions]).toEqual([expected?.registers, expected?.instructions]);
  });

  it('faults there, not later', () => {
    const faulting = source.replace('mov [patch+1], ecx', 'cmp ecx, 3\nadc ebp, 0\ndiv ebp').replace('xor eax, eax', 'xor eax, eax\nmov ebp, 0xffffffff');
    const [expected, actual] = ENGINES.map((engine) => runFlat(bits, faulting, engine));
    expect(expected?.result).toBe('shutdown');
    expect([actual?.registers, actual?.instructions]).toEqual([expected?.registers, expected?.instructions]);
  });
});

/** Long mode: linear 4 MiB and up is mapped by tables of 4-KiB pages. */
const WINDOW = 0x40_0000, WINDOW_TABLE = 0x6000;
function mapWindow(memory: MachineMemory, frames: readonly number[], directory = PAGE_DIRECTORY, table = WINDOW_TABLE): void {
  memory.guest.write64(directory + 8 * (WINDOW / 0x20_0000), BigInt(table) | 3n);
  frames.forEach((frame, i) => { memory.guest.write64(table + 8 * i, BigInt(frame) | 3n); });
}
function place(memory: MachineMemory, at: number, source: string): void { memory.guest.writeBytes(at, assemble(source, { org: at, bits: 64 }).bytes); }

describe.each(ENGINES)('self-modifying code through page tables, in the %s', (engine) => {
  it('is changed through an alias of its page', () => {
    const source = `mov ecx, 300
             xor eax, eax
      again: call victim
             mov [${WINDOW} + (victim - $$) + 1], ecx
             dec ecx
             jnz again
             hlt
     victim: add eax, 0x1000000
             ret`;
    expect(run(64, engine, source, { prepare: (memory) => { mapWindow(memory, [CODE]); } })).toEqual({ result: 'halt', eax: 0x100_0000 + 300 * 301 / 2 - 1 });
  });

  it('runs in the alias and is changed in the original', () => {
    const source = `mov ecx, 300
             xor eax, eax
             mov rbx, ${WINDOW}
      again: call rbx
             mov [${CODE + 0x1000} + 1], ecx
             dec ecx
             jnz again
             hlt`;
    const prepare = (memory: MachineMemory): void => {
      mapWindow(memory, [CODE + 0x1000]);
      place(memory, CODE + 0x1000, 'add eax, 0x1000000\nret');
    };
    expect(run(64, engine, source, { prepare })).toEqual({ result: 'halt', eax: 0x100_0000 + 300 * 301 / 2 - 1 });
  });

  it('sees another page when the mapping changes, and new contents of the old one when it comes back', () => {
    const [one, two] = [CODE + 0x1000, CODE + 0x2000];
    const source = `mov ecx, 100
             xor eax, eax
             mov rbx, ${WINDOW}
      again: mov qword [${WINDOW_TABLE}], ${one | 3}
             invlpg [rbx]
             times 3 call rbx
             mov qword [${WINDOW_TABLE}], ${two | 3}
             invlpg [rbx]
             times 3 call rbx
             mov [${one} + 1], ecx
             dec ecx
             jnz again
             hlt`;
    const prepare = (memory: MachineMemory): void => {
      mapWindow(memory, [one]);
      place(memory, one, 'add eax, 0x1000000\nret');
      place(memory, two, 'add eax, 7\nnop\nnop\nret');
    };
    expect(run(64, engine, source, { prepare })).toEqual({ result: 'halt', eax: 3 * 0x100_0000 + 3 * (100 * 101 / 2 - 1) + 100 * 3 * 7 });
  });

  it('sees another second page under code that goes on into it', () => {
    const first = CODE + 0x1000, seconds = [CODE + 0x2000, CODE + 0x3000];
    const source = `mov ecx, 100
             xor eax, eax
             mov rbx, ${WINDOW + 0xff8}
      again: mov qword [${WINDOW_TABLE + 8}], ${(seconds[0] ?? 0) | 3}
             invlpg [rbx + 8]
             times 3 call rbx
             mov qword [${WINDOW_TABLE + 8}], ${(seconds[1] ?? 0) | 3}
             invlpg [rbx + 8]
             times 3 call rbx
             dec ecx
             jnz again
             hlt`;
    const prepare = (memory: MachineMemory): void => {
      mapWindow(memory, [first, seconds[0] ?? 0]);
      place(memory, first + 0xff8, 'add eax, 1\nadd eax, 2\nnop\ndb 0x05'); // the add's immediate is in the next page
      place(memory, seconds[0] ?? 0, 'dd 100\nret');
      place(memory, seconds[1] ?? 0, 'dd 1000\nret');
    };
    expect(run(64, engine, source, { prepare })).toEqual({ result: 'halt', eax: 100 * 3 * (3 + 100) + 100 * 3 * (3 + 1000) });
  });

  it('keeps two address spaces apart that have different code at one address', () => {
    const [one, two] = [CODE + 0x1000, CODE + 0x2000];
    const other = { pml4: 0x10_000, pdpt: 0x11_000, directory: 0x12_000, table: 0x13_000 };
    const source = `mov ecx, 200
             xor eax, eax
             mov rbx, ${WINDOW}
             mov esi, ${TABLES}
             mov edi, ${other.pml4}
      again: mov cr3, rdi
             times 2 call rbx
             mov cr3, rsi
             times 2 call rbx
             mov [${two} + 1], ecx
             dec ecx
             jnz again
             hlt`;
    const prepare = (memory: MachineMemory): void => {
      const { guest } = memory;
      mapWindow(memory, [one]);
      guest.write64(other.pml4, BigInt(other.pdpt) | 3n);
      guest.write64(other.pdpt, BigInt(other.directory) | 3n);
      for (let i = 0; i < 8; i++) guest.write64(other.directory + 8 * i, BigInt(i * 0x20_0000) | 0x83n);
      mapWindow(memory, [two], other.directory, other.table);
      place(memory, one, 'add eax, 3\nnop\nnop\nret');
      place(memory, two, 'add eax, 0x1000000\nret');
    };
    expect(run(64, engine, source, { prepare })).toEqual({ result: 'halt', eax: 2 * 0x100_0000 + 2 * (200 * 201 / 2 - 1) + 200 * 2 * 3 });
  });

  it('runs what a page holds after it was freed and loaded again, many times over', () => {
    // a loader copies one of two programs into the page, as fork and exec do, then runs it
    const [page, images] = [CODE + 0x3000, CODE + 0x1000];
    const source = `mov ebp, 60
             xor eax, eax
      again: mov esi, ${images}
             mov edi, ${page}
             mov ecx, 1024
             rep movsd
             mov ebx, ${page}
             times 4 call rbx
             mov edi, ${page}
             mov ecx, 1024
             rep movsd
             times 4 call rbx
             dec ebp
             jnz again
             hlt`;
    const prepare = (memory: MachineMemory): void => {
      place(memory, images, 'mov edx, 10\nturn: inc eax\ndec edx\njnz turn\nret');
      place(memory, images + 0x1000, 'mov edx, 20\nturn: add eax, 2\ndec edx\njnz turn\nret');
    };
    expect(run(64, engine, source, { prepare })).toEqual({ result: 'halt', eax: 60 * 4 * (10 + 40) });
  });
});
