/** Integer instructions to compare with the host; undefined flags are masked as the manual says. */
import { DATA_ADDRESS } from './case-layout.ts';
import type { TestCase } from './case-layout.ts';
import type { Tolerance } from './compare.ts';
import type { Group } from './group.ts';
import type { Random } from './random.ts';

const words = (text: string): string[] => text.trim().split(/\s+/);
const FLAG = { c: 1, p: 4, a: 0x10, z: 0x40, s: 0x80, d: 0x400, o: 0x800 } as const;
const ALL = 0xcd5;
const without = (letters: string): number => [...letters].reduce((mask, letter) => mask & ~FLAG[letter as keyof typeof FLAG], ALL);

/** Registers of each width: destination, source, third. */
const SIZES = [
  { bits: 8, a: 'bl', b: 'cl', m: 'byte ptr', imm: '0x85' }, { bits: 16, a: 'bx', b: 'cx', m: 'word ptr', imm: '0x8f05' },
  { bits: 32, a: 'ebx', b: 'ecx', m: 'dword ptr', imm: '0x8f05a3c1' }, { bits: 64, a: 'rbx', b: 'rcx', m: 'qword ptr', imm: '-0x705a3c1' },
] as const;

const BINARY = words('add or adc sbb and sub xor cmp');
const SHIFTS = words('rol ror rcl rcr shl shr sar');
const CONDITIONS = words('o no b nb z nz be nbe s ns p np l nl le nle');

const ARITHMETIC = SIZES.flatMap(({ a, b, m, imm, bits }) => [
  ...BINARY.flatMap((name) => [`${name} ${a}, ${b}`, `${name} ${a}, ${m} [rsi+3]`, `${name} ${m} [rsi+3], ${a}`, `${name} ${a}, ${imm}`, `${name} ${a}, 0x7f`, `${name} ${m} [rsi+8*rax+1], -3`]),
  ...words('inc dec neg not').flatMap((name) => [`${name} ${a}`, `${name} ${m} [rsi]`, `lock ${name} ${m} [rsi]`]),
  ...BINARY.filter((name) => name !== 'cmp').map((name) => `lock ${name} ${m} [rsi+8], ${a}`),
  `test ${a}, ${b}`, `test ${m} [rsi], ${b}`, `test ${a}, ${imm}`, `xchg ${a}, ${b}`, `xchg ${m} [rsi], ${b}`, `xadd ${a}, ${b}`, `lock xadd ${m} [rsi], ${b}`, `xadd ${a}, ${a}`,
  `cmpxchg ${a}, ${b}`, `lock cmpxchg ${m} [rsi], ${b}`, `mov ${a}, ${b}`, `mov ${m} [rsi+rax*4], ${b}`, `mov ${a}, ${m} [rsi-1+rax]`,
  ...(bits === 8 ? ['add ah, ch', 'mov bh, al', 'xor dh, byte ptr [rsi]', 'sub cl, ch'] : []),
]);
const MULTIPLY = SIZES.flatMap(({ a, b, m, bits }) => [
  `mul ${b}`, `imul ${b}`, `mul ${m} [rsi]`, `imul ${m} [rsi]`, ...(bits === 8 ? [] : [`imul ${a}, ${b}`, `imul ${a}, ${m} [rsi]`, `imul ${a}, ${b}, 0x65`, `imul ${a}, ${b}, -0x1234`]),
]);
const DIVIDE = SIZES.flatMap(({ b, m }) => [`div ${b}`, `idiv ${b}`, `div ${m} [rsi]`, `idiv ${m} [rsi]`]);
const SHIFT = SIZES.flatMap(({ a, m, bits }) => [
  ...SHIFTS.flatMap((name) => [`${name} ${a}, 1`, `${name} ${a}, cl`, `${name} ${m} [rsi], cl`, ...[0, 3, 7, 8, 15, 16, 17, 31, 32, 33, 63].map((n) => `${name} ${a}, ${n}`)]),
  ...(bits === 8 ? [] : words('shld shrd').flatMap((name) => [`${name} ${a}, ${a.replace('b', 'd')}, cl`, ...[0, 1, 7, 15, 31, 33].map((n) => `${name} ${a}, ${a.replace('b', 'd')}, ${n}`), `${name} ${m} [rsi], ${a}, 5`])),
]);
const BITS = SIZES.filter(({ bits }) => bits > 8).flatMap(({ a, b, m }) => [
  ...words('bt bts btr btc').flatMap((name) => [`${name} ${a}, ${b}`, `${name} ${a}, 13`, `${name} ${a}, 77`, `${name} ${m} [rsi], 77`]),
  ...words('bts btr btc').map((name) => `lock ${name} ${m} [rsi], 5`),
  `bsf ${a}, ${b}`, `bsr ${a}, ${b}`, `bsf ${a}, ${m} [rsi]`, `tzcnt ${a}, ${b}`, `lzcnt ${a}, ${b}`, `popcnt ${a}, ${b}`,
]);
const WIDTHS = [
  'movzx ebx, cl', 'movzx bx, cl', 'movzx rbx, cx', 'movsx ebx, cl', 'movsx bx, ch', 'movsx rbx, cl', 'movsx rbx, cx', 'movsxd rbx, ecx', 'movzx ebx, byte ptr [rsi]', 'movsx rbx, word ptr [rsi+3]',
  'cbw', 'cwde', 'cdqe', 'cwd', 'cdq', 'cqo', 'bswap ebx', 'bswap r9', 'lea rbx, [rsi+rcx*4+0x77]', 'lea ebx, [rcx+rdx]', 'lea bx, [rcx*8]', 'lea rbx, [ecx+edx*2]', 'xlatb', 'sahf', 'lahf', 'clc', 'stc', 'cmc', 'cld', 'std',
  'movbe ebx, [rsi]', 'movbe [rsi], rbx', 'movbe bx, [rsi]', 'mov rbx, 0x123456789abcdef0', 'mov ebx, 0x80000000', 'mov r8b, 7', 'mov eax, eax', 'xchg eax, ebx', 'xchg ax, bx', 'xchg rax, r9', 'nop', 'crc32 ebx, cl', 'crc32 ebx, cx', 'crc32 ebx, ecx', 'crc32 rbx, rcx',
  'andn ebx, ecx, edx', 'andn rbx, rcx, rdx', 'blsr ebx, ecx', 'blsmsk rbx, rcx', 'blsi rbx, rcx', 'bzhi rbx, rcx, rdx', 'bzhi ebx, ecx, edx', 'bextr rbx, rcx, rdx', 'bextr ebx, ecx, edx', 'pext rbx, rcx, rdx', 'pdep rbx, rcx, rdx', 'pext ebx, ecx, edx',
  'pdep ebx, ecx, edx', 'mulx rbx, rcx, r8', 'mulx ebx, ecx, r8d', 'shlx rbx, rcx, rdx', 'sarx ebx, ecx, edx', 'shrx rbx, rcx, rdx', 'rorx rbx, rcx, 13', 'rorx ebx, ecx, 33', 'adcx rbx, rcx', 'adox rbx, rcx', 'adcx ebx, ecx', 'adox ebx, ecx',
  ...CONDITIONS.flatMap((c) => [`set${c} bl`, `cmov${c} rbx, rcx`, `cmov${c} ebx, ecx`, `cmov${c} bx, word ptr [rsi]`]), 'cmpxchg8b [rsi]', 'lock cmpxchg8b [rsi]', 'cmpxchg16b [rsi]', 'cmpxchg16b [rsi+8]',
];
const STRINGS = ['movsb', 'movsw', 'movsd', 'movsq', 'stosb', 'stosw', 'stosd', 'stosq', 'lodsb', 'lodsw', 'lodsd', 'lodsq', 'scasb', 'scasw', 'scasd', 'scasq', 'cmpsb', 'cmpsw', 'cmpsd', 'cmpsq']
  .flatMap((name) => [name, ...(/^(scas|cmps)/.test(name) ? [`repe ${name}`, `repne ${name}`] : [`rep ${name}`])]).concat(['addr32 rep movsb', 'addr32 stosd']);
const STACK = ['push rbx', 'push bx', 'pop rbx', 'pop bx', 'push 0x12', 'push -5', 'push qword ptr [rsi]', 'pop qword ptr [rsi]', 'pop qword ptr [rsp+8]', 'push rsp', 'pop rsp', 'leave', 'enter 16, 0', 'enter 32, 1', 'enter 8, 3'];

function prepare(test: TestCase, random: Random): void {
  for (const n of [0, 1, 2, 3, 5, 8, 9]) test.setGpr(n, interesting(random));
  // RAX serves as an index
  random.fill(test.memory);
  for (let i = 0; i < 4; i++) test.view.setBigUint64(test.memory.byteOffset - test.bytes.byteOffset + random.below(30) * 8, interesting(random), true);
  test.flags = BigInt(random.next() & 0x8d5 | 0x202);
}
function interesting(random: Random): bigint {
  switch (random.below(4)) {
    case 0: return random.next64();
    case 1: return BigInt.asUintN(64, BigInt(random.pick([0, 1, -1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff])));
    case 2: return random.pick([1n << 63n, (1n << 63n) - 1n, 0xffff_ffff_8000_0000n, 0x8000_0080_8000_8080n]);
    default: return BigInt(random.below(70));
  }
}
/** Small registers where an index or a count of bytes must stay inside the data. */
function prepareIndexed(test: TestCase, random: Random, _index: number, instruction: string): void {
  prepare(test, random);
  if (instruction.includes('rax')) test.setGpr(0, BigInt(random.below(8)));
  if (instruction === 'xlatb') { test.setGpr(3, BigInt(DATA_ADDRESS)); }
}
function prepareDivision(test: TestCase, random: Random, index: number): void {
  prepare(test, random);
  if (index % 2 === 0) test.setGpr(2, random.pick([0n, 0xffff_ffff_ffff_ffffn, 1n]));
}
function prepareStrings(test: TestCase, random: Random): void {
  prepare(test, random);
  test.setGpr(1, BigInt(random.pick([0, 1, 2, 5, 7])));
  test.setGpr(6, BigInt(DATA_ADDRESS + 64 + random.below(4)));
  test.setGpr(7, BigInt(DATA_ADDRESS + 128 + random.below(4)));
  if (random.below(2) === 0) test.memory.copyWithin(128, 64, 96);
  if (random.below(3) === 0) test.flags |= 0x400n;
}
function prepareStack(test: TestCase, random: Random): void {
  prepare(test, random);
  test.setGpr(5, BigInt(DATA_ADDRESS + 160));
}

function shiftTolerance(text: string): Tolerance {
  const count = /, (\d+)$/.exec(text)?.[1], one = count === '1';
  const undefinedFlags = /^(rol|ror|rcl|rcr)/.test(text) ? (one ? '' : 'o') : one ? 'a' : 'oa';
  // shifting out more than the width leaves CF undefined; a double shift by more, everything
  if (/^sh[lr]d (bx|word)/.test(text)) return count !== undefined && Number(count) <= 16 ? { flags: without('oa') } : { flags: 0, loose: true };
  return { flags: without(undefinedFlags + (/^sh[lr] (b[lx]|byte|word)/.test(text) ? 'c' : '')) };
}
function bitTolerance(text: string): Tolerance {
  if (/^(lock )?bt/.test(text)) return { flags: without('osap') };
  if (/^bs/.test(text)) return { flags: without('osapc') };
  return /^(tz|lz)cnt/.test(text) ? { flags: without('osap') } : {};
}
function widthTolerance(text: string): Tolerance {
  if (text.startsWith('andn')) return { flags: without('ap') };
  if (/^(bls|bzhi)/.test(text)) return { flags: without('ap') };
  return text.startsWith('bextr') ? { flags: without('sap') } : {};
}

export const INTEGER_GROUPS: readonly Group[] = [
  { name: 'integer', instructions: ARITHMETIC, prepare: prepareIndexed, tolerance: (text) => (/ ?(or|and|xor|test) /.test(text) ? { flags: without('a') } : {}) },
  { name: 'multiply', instructions: MULTIPLY, prepare, tolerance: { flags: without('szap') } },
  { name: 'divide', instructions: DIVIDE, prepare: prepareDivision, tolerance: { flags: FLAG.d } },
  { name: 'shift', instructions: SHIFT, prepare, tolerance: shiftTolerance },
  { name: 'bit', instructions: BITS, prepare, tolerance: bitTolerance },
  { name: 'width', instructions: WIDTHS, prepare: prepareIndexed, tolerance: widthTolerance },
  { name: 'string', instructions: STRINGS, prepare: prepareStrings },
  { name: 'stack', instructions: STACK, prepare: prepareStack },
];
