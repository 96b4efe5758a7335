import { DATA, runFlat } from './flat-machine.testing.ts';
import type { FlatOptions, FlatRun } from './flat-machine.testing.ts';

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

const VECTOR_TO_VECTOR = ['paddd', 'psubw', 'pxor', 'pand', 'pmullw', 'pcmpgtd', 'punpcklbw', 'packssdw', 'pmaddwd', 'psadbw', 'addps', 'mulps', 'subpd', 'addsd', 'mulsd', 'sqrtss', 'minpd', 'cmpltps', 'unpcklps', 'andnps'];
const SHAPE = { turns: 60, lines: 24 } as const;

/** A loop of random instructions with forward branches, calls, indirect jumps and memory operands in one data page. */
export function randomProgram(bits: 32 | 64, seed: number, { turns, lines: body }: { readonly turns: number; readonly lines: number } = SHAPE): string {
  const random = generator(seed);
  const pick = <T>(list: readonly T[]): T => list[random(list.length)]!;
  const sizes = bits === 64 ? [1, 2, 4, 8] as const : [1, 2, 4] as const;
  const frame = bits === 64 ? 'rbp' : 'ebp', counter = 'ecx';
  let label = 0;
  const memory = (size: 1 | 2 | 4 | 8): string => `${WORD[size]} ptr [${frame} + ${random(4000 - 16)}]`;
  const immediate = (size: number): string => String(pick([0, 1, 2, 127, random(256), size > 1 ? random(0x7fff) : 3, size > 2 ? random(0x7fff_ffff) : 5]));
  const vector = (): string => `xmmword ptr [${frame} + ${random(4000)}]`;
  const wide = (name: string): string => (bits === 64 ? 'r' : 'e') + name;
  const one = (): string => {
    const size = pick(sizes), register = (): string => pick<string>(NAMES[bits][size]);
    switch (random(22)) {
      case 14: return size > 1 ? `${pick(['shld', 'shrd'])} ${register()}, ${register()}, ${random(16)}` : `sar ${register()}, ${random(8)}`;
      case 15: return `${pick(['xadd', 'cmpxchg'])} ${random(2) === 0 ? register() : memory(size)}, ${register()}`;
      case 16: return size > 2 ? `bswap ${register()}` : `adc ${register()}, ${random(100)}`;
      case 17: return size > 1 ? `lea ${register()}, [${frame} + ${wide('cx')}*4 + ${random(200)}]` : `set${pick(CONDITIONS)} ${memory(1)}`;
      case 18: return size > 2 ? `movsx ${register()}, ${random(2) === 0 ? memory(1) : memory(2)}` : `not ${register()}`;
      case 19: return `movdqu xmm${random(4)}, ${vector()}\n${pick(VECTOR_TO_VECTOR)} xmm${random(4)}, xmm${random(4)}\nmovdqu ${vector()}, xmm${random(4)}`;
      case 20: return pick([`mov edi, ${DATA + random(3000)}\nmov esi, ${DATA + random(3000)}\npush ${wide('cx')}\nmov ecx, ${random(40)}\nrep ${pick(['movsb', 'movsd', 'stosb', 'stosd', 'lodsb'])}\npop ${wide('cx')}`, `mov esi, ${DATA + random(3000)}\nmov edi, ${DATA + random(3000)}\ncmpsb`]);
      case 21: return size === 4 ? `mov eax, ${register()}\nxor edx, edx\nmov ebx, ${1 + random(1000)}\ndiv ebx` : `fild ${memory(4)}\nfld qword ptr [${frame} + ${random(4000)}]\n${pick(['faddp', 'fmulp', 'fsubp'])} st1, st0\nfstp dword ptr [${frame} + ${random(4000)}]`;
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
  const lines = ['fninit', `mov ${frame}, ${DATA}`, `mov ${counter}, ${turns}`, 'again:'];
  for (let i = 0; i < body; i++) {
    lines.push(one());
    const kind = random(6);
    if (kind === 0) {
      const name = `l${label++}`;
      lines.push(`j${pick(CONDITIONS)} ${name}`, one(), one(), `${name}:`);
    } else if (kind === 1 && i % 5 === 0) lines.push(`call leaf${random(3)}`);
    else if (kind === 2 && i % 5 === 0) {
      const name = `l${label++}`;
      lines.push(`mov ebx, ${counter}`, 'and ebx, 1', `mov ebx, [${wide('bx')}*4 + ${name}t]`, `jmp ${wide('bx')}`, `${name}t: dd ${name}a, ${name}b`, `${name}a:`, one(), `${name}b:`);
    }
  }
  lines.push(`dec ${counter}`, 'jnz near again', 'hlt');
  for (let leaf = 0; leaf < 3; leaf++) lines.push(leaf === 1 ? 'align 4096' : '', `leaf${leaf}:`, one(), one(), 'ret');
  return lines.join('\n');
}


export interface Comparison {
  readonly source: string;
  readonly expected: FlatRun;
  readonly actual: FlatRun;
}

/** One program on both engines. */
export function compareEngines(bits: 32 | 64, seed: number, shape?: { readonly turns: number; readonly lines: number }, options?: FlatOptions): Comparison {
  const source = randomProgram(bits, seed, shape);
  return { source, expected: runFlat(bits, source, 'interpreter'), actual: runFlat(bits, source, 'translator', options) };
}

/** What both engines left behind, as one text to compare. */
export function outcomeOf({ result, registers, data, instructions }: FlatRun): string {
  const general = Object.entries(registers.general).map(([name, value]) => `${name}=${value.toString(16)}`).join(' ');
  let hash = 0;
  for (const byte of data) hash = Math.imul(hash ^ byte, 0x0100_0193) + 1 | 0;
  return `${result} ${general} rip=${registers.rip.toString(16)} rflags=${registers.rflags.toString(16)} memory=${(hash >>> 0).toString(16)} instructions=${instructions}`;
}
