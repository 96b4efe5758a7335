import { DATA, runFlat, runSegmented, runLow, SEGMENTED } from './flat-machine.testing.ts';
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
/** Where a program's data are, in the segments that it reads them from and strings are stored to; whether code is in one of its own. */
const FLAT = { data: DATA, extra: DATA, isCodeApart: false }, APART = { data: SEGMENTED.data, extra: SEGMENTED.extra, isCodeApart: true };
const WORD = { 1: 'byte', 2: 'word', 4: 'dword', 8: 'qword' } as const;
const ALU = ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp'];
const SHIFTS = ['shl', 'shr', 'sar', 'rol', 'ror', 'rcl', 'rcr'];
const CONDITIONS = ['o', 'no', 'b', 'nb', 'z', 'nz', 'be', 'nbe', 's', 'ns', 'p', 'np', 'l', 'nl', 'le', 'nle'];

const VECTOR_TO_VECTOR = ['paddd', 'psubw', 'pxor', 'pand', 'pmullw', 'pcmpgtd', 'punpcklbw', 'packssdw', 'pmaddwd', 'psadbw', 'addps', 'mulps', 'subpd', 'addsd', 'mulsd', 'sqrtss', 'minpd', 'cmpltps', 'unpcklps', 'andnps'];
const SHAPE = { turns: 60, lines: 24 } as const;

/** A loop of random instructions with forward branches, calls, indirect jumps and memory operands in one data page. */
export function randomProgram(bits: 16 | 32 | 64, seed: number, { turns, lines: body }: { readonly turns: number; readonly lines: number } = SHAPE, { data, extra, isCodeApart } = FLAT): string {
  const random = generator(seed);
  const pick = <T>(list: readonly T[]): T => list[random(list.length)]!;
  const sizes = bits === 64 ? [1, 2, 4, 8] as const : [1, 2, 4] as const;
  const prefix = { 16: '', 32: 'e', 64: 'r' }[bits], counter = bits === 16 ? 'cx' : 'ecx', short = bits === 16 ? '' : 'e';
  const wide = (name: string): string => prefix + name, frame = wide('bp'), names = NAMES[bits === 64 ? 64 : 32];
  let label = 0;
  const memory = (size: 1 | 2 | 4 | 8): string => `${WORD[size]} ptr [${frame} + ${random(4000 - 16)}]`;
  const immediate = (size: number): string => String(pick([0, 1, 2, 127, random(256), size > 1 ? random(0x7fff) : 3, size > 2 ? random(0x7fff_ffff) : 5]));
  const vector = (): string => `xmmword ptr [${frame} + ${random(4000)}]`;
  const one = (): string => {
    const size = pick(sizes), register = (): string => pick<string>(names[size]);
    switch (random(22)) {
      case 14: return size > 1 ? `${pick(['shld', 'shrd'])} ${register()}, ${register()}, ${random(16)}` : `sar ${register()}, ${random(8)}`;
      case 15: return `${pick(['xadd', 'cmpxchg'])} ${random(2) === 0 ? register() : memory(size)}, ${register()}`;
      case 16: return size > 2 ? `bswap ${register()}` : `adc ${register()}, ${random(100)}`;
      case 17: return size > 1 ? `lea ${register()}, [${frame} + ${bits === 16 ? 'si' : `${wide('cx')}*4`} + ${random(200)}]` : `set${pick(CONDITIONS)} ${memory(1)}`;
      case 18: return size > 2 ? `movsx ${register()}, ${random(2) === 0 ? memory(1) : memory(2)}` : `not ${register()}`;
      case 19: return `movdqu xmm${random(4)}, ${vector()}\n${pick(VECTOR_TO_VECTOR)} xmm${random(4)}, xmm${random(4)}\nmovdqu ${vector()}, xmm${random(4)}`;
      case 20: return pick([`mov ${short}di, ${extra + random(3000)}\nmov ${short}si, ${data + random(3000)}\npush ${wide('cx')}\nmov ${counter}, ${random(40)}\nrep ${pick(['movsb', 'movsd', 'stosb', 'stosd', 'lodsb'])}\npop ${wide('cx')}`, `mov ${short}si, ${data + random(3000)}\nmov ${short}di, ${extra + random(3000)}\ncmpsb`]);
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
      case 12: return `push ${wide('ax')}\npop ${wide('dx')}`;
      default: return `${pick(['cmc', 'stc', 'clc', 'cld', 'lahf', 'sahf', bits === 64 ? 'cdqe' : 'cwde', 'cdq', 'nop'])}`;
    }
  };
  const lines = ['fninit', `mov ${frame}, ${data}`, `mov ${counter}, ${turns}`, 'again:'];
  for (let i = 0; i < body; i++) {
    lines.push(one());
    const kind = random(6);
    if (kind === 0) {
      const name = `l${label++}`;
      lines.push(`j${pick(CONDITIONS)} ${name}`, one(), one(), `${name}:`);
    } else if (kind === 1 && i % 5 === 0) lines.push(`call leaf${random(3)}`);
    else if (kind === 2 && i % 5 === 0) {
      const name = `l${label++}`;
      const index = bits === 16 ? [`mov bx, ${counter}`, 'and bx, 1', 'shl bx, 2', `mov bx, [cs:bx + ${name}t]`] : [`mov ebx, ${counter}`, 'and ebx, 1', `mov ebx, [${isCodeApart ? 'cs:' : ''}${wide('bx')}*4 + ${name}t]`];
      lines.push(...index, `jmp ${wide('bx')}`, `${name}t: dd ${name}a, ${name}b`, `${name}a:`, one(), `${name}b:`);
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
/** The same where segments are not flat. */
export function compareSegmented(bits: 16 | 32, seed: number, shape?: { readonly turns: number; readonly lines: number }, options?: FlatOptions): Comparison {
  const source = randomProgram(bits, seed, shape, APART);
  return { source, expected: runSegmented(bits, source, 'interpreter'), actual: runSegmented(bits, source, 'translator', options) };
}

export function compareLow(mode: 'real' | 'virtual-8086', seed: number, shape?: { readonly turns: number; readonly lines: number }): Comparison {
  const source = randomProgram(16, seed, shape, APART);
  return { source, expected: runLow(mode, source, 'interpreter'), actual: runLow(mode, source, 'translator') };
}

/** What both engines left behind, as one text to compare. */
export function outcomeOf({ result, registers, data, instructions }: FlatRun): string {
  const general = Object.entries(registers.general).map(([name, value]) => `${name}=${value.toString(16)}`).join(' ');
  let hash = 0;
  for (const byte of data) hash = Math.imul(hash ^ byte, 0x0100_0193) + 1 | 0;
  return `${result} ${general} rip=${registers.rip.toString(16)} rflags=${registers.rflags.toString(16)} memory=${(hash >>> 0).toString(16)} instructions=${instructions}`;
}
