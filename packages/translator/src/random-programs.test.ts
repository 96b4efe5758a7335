import { describe, expect, it } from 'vitest';
import { DATA, runFlat } from './flat-machine.testing.ts';

/** Deterministic pseudo-random numbers (mulberry32). */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = state + 0x6d2b_79f5 | 0;
    let t = Math.imul(state ^ state >>> 15, 1 | state);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) % below;
  };
}

const NAMES = {
  64: { 8: ['rax', 'rbx', 'rdx', 'rsi', 'rdi', 'r8', 'r9', 'r13'], 4: ['eax', 'ebx', 'edx', 'esi', 'edi', 'r8d', 'r9d', 'r13d'], 2: ['ax', 'bx', 'dx', 'si', 'di', 'r8w', 'r9w', 'r13w'], 1: ['al', 'bl', 'dl', 'sil', 'dil', 'r8b', 'r9b', 'r13b'] },
  32: { 8: [], 4: ['eax', 'ebx', 'edx', 'esi', 'edi'], 2: ['ax', 'bx', 'dx', 'si', 'di'], 1: ['al', 'bl', 'dl', 'ah', 'bh', 'dh'] },
} as const;
const WORD = { 1: 'byte', 2: 'word', 4: 'dword', 8: 'qword' } as const;
const ALU = ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp'];
const SHIFTS = ['shl', 'shr', 'sar', 'rol', 'ror', 'rcl', 'rcr'];
const CONDITIONS = ['o', 'no', 'b', 'nb', 'z', 'nz', 'be', 'nbe', 's', 'ns', 'p', 'np', 'l', 'nl', 'le', 'nle'];

/** A loop of random integer instructions with forward branches, calls and memory operands in one data page. */
function program(bits: 32 | 64, seed: number): string {
  const random = generator(seed);
  const pick = <T>(list: readonly T[]): T => list[random(list.length)]!;
  const sizes = bits === 64 ? [1, 2, 4, 8] as const : [1, 2, 4] as const;
  const frame = bits === 64 ? 'rbp' : 'ebp', counter = 'ecx';
  let label = 0;
  const memory = (size: 1 | 2 | 4 | 8): string => `${WORD[size]} ptr [${frame} + ${random(4000 - 16)}]`;
  const immediate = (size: number): string => String(pick([0, 1, 2, 127, random(256), size > 1 ? random(0x7fff) : 3, size > 2 ? random(0x7fff_ffff) : 5]));
  const one = (): string => {
    const size = pick(sizes), register = (): string => pick<string>(NAMES[bits][size]);
    switch (random(14)) {
      case 0: return `${pick(ALU)} ${register()}, ${register()}`;
      case 1: return `${pick(ALU)} ${register()}, ${memory(size)}`;
      case 2: return `${pick(ALU)} ${memory(size)}, ${register()}`;
      case 3: return `${pick(ALU)} ${register()}, ${size === 1 ? random(127) : immediate(size === 8 ? 4 : size)}`;
      case 4: return `${pick(SHIFTS)} ${register()}, ${random(size * 8)}`;
      case 5: return `${pick(['inc', 'dec', 'neg', 'not'])} ${random(2) === 0 ? register() : memory(size)}`;
      case 6: return `test ${register()}, ${register()}`;
      case 7: return `mov ${memory(size)}, ${register()}`;
      case 8: return size > 1 ? `cmov${pick(CONDITIONS)} ${register()}, ${register()}` : `set${pick(CONDITIONS)} ${register()}`;
      case 9: return size > 1 ? `imul ${register()}, ${register()}` : `xchg ${register()}, ${register()}`;
      case 10: return size > 1 ? `bt${pick(['', 's', 'r', 'c'])} ${register()}, ${random(size * 8)}` : `mov ${register()}, ${register()}`;
      case 11: return size > 2 ? `movzx ${register()}, ${random(2) === 0 ? memory(1) : memory(2)}` : `mov ${register()}, ${memory(size)}`;
      case 12: return `push ${bits === 64 ? 'rax' : 'eax'}\npop ${bits === 64 ? 'rdx' : 'edx'}`;
      default: return `${pick(['cmc', 'stc', 'clc', 'cld', 'lahf', 'sahf', bits === 64 ? 'cdqe' : 'cwde', 'cdq', 'nop'])}`;
    }
  };
  const lines = [`mov ${frame}, ${DATA}`, `mov ${counter}, 60`, 'again:'];
  for (let i = 0; i < 24; i++) {
    lines.push(one());
    const kind = random(6);
    if (kind === 0) {
      const name = `l${label++}`;
      lines.push(`j${pick(CONDITIONS)} ${name}`, one(), one(), `${name}:`);
    } else if (kind === 1 && i % 5 === 0) lines.push('call leaf');
  }
  lines.push(`dec ${counter}`, 'jnz again', 'hlt', 'leaf:', one(), one(), 'ret');
  return lines.join('\n');
}

const PROGRAMS = 25;

describe.each([32, 64] as const)('random %i-bit programs', (bits) => {
  it('end in the same registers, flags, memory and instruction count when translated as when interpreted', { timeout: 180_000 }, () => {
    for (let seed = 1; seed <= PROGRAMS; seed++) {
      const source = program(bits, seed * 7919);
      const expected = runFlat(bits, source, 'interpreter'), actual = runFlat(bits, source, 'translator');
      expect(expected.result).toBe('halt');
      expect(actual.counters['regions'], 'something was translated').toBeGreaterThan(0);
      expect({ seed, ...actual.registers }, source).toEqual({ seed, ...expected.registers });
      expect(actual.data.every((byte, i) => byte === expected.data[i]), `memory of seed ${seed}`).toBe(true);
      expect(actual.instructions).toBe(expected.instructions);
    }
  });
});
