/** x87 instructions to compare with the host. Transcendental ones are in their own group: processors differ in the last place. */
import type { TestCase } from './case-layout.ts';
import { CASE } from './case-layout.ts';
import type { Tolerance } from './compare.ts';
import type { Group } from './group.ts';
import { F32_EDGES, F64_EDGES } from './random.ts';
import type { Random } from './random.ts';

const words = (text: string): string[] => text.trim().split(/\s+/);

/** Sign and exponent, significand. */
const X80_EDGES: readonly (readonly [number, bigint])[] = [
  [0, 0n], [0x8000, 0n], [0, 1n], [0, 0x7fff_ffff_ffff_ffffn], [0, 0x8000_0000_0000_0000n], [1, 0x8000_0000_0000_0000n], [0x7ffe, 0xffff_ffff_ffff_ffffn], [0xfffe, 0xffff_ffff_ffff_ffffn],
  [0x7fff, 0x8000_0000_0000_0000n], [0xffff, 0x8000_0000_0000_0000n], [0x7fff, 0xc000_0000_0000_0000n], [0xffff, 0xc000_0000_0000_0000n], [0x7fff, 0x8000_0000_0000_0001n],
  [0xffff, 0xa000_0000_0000_0000n], [0x3fff, 0x8000_0000_0000_0000n], [0xbfff, 0x8000_0000_0000_0000n], [0x4000, 0xc000_0000_0000_0000n], [0x403e, 0xffff_ffff_ffff_fffen],
  [0x403d, 0xffff_ffff_ffff_ffffn], [0x401e, 0x8000_0000_0000_0000n], [0xc01e, 0x8000_0000_8000_0000n], [0x400e, 0x8000_0000_0000_0000n], [0x3ffe, 0x8000_0000_0000_0000n],
  [0x4000, 0xa000_0000_0000_0000n], [0x407e, 0xffff_ff80_0000_0000n], [0x3f80, 0x8000_0000_0000_0000n], [0x3f81, 0x8000_0000_0000_0000n], [0x43fe, 0xffff_ffff_ffff_fc00n],
  [0x3c00, 0xffff_ffff_ffff_ffffn], [0x3bcd, 0x8000_0000_0000_0000n], [0x3fff, 0x8000_0000_0000_0001n], [0x403a, 0xde0b_6b3a_763f_fff0n], [0x7fff, 0x4000_0000_0000_0000n], [0x3fff, 0x4000_0000_0000_0000n],
];

export function fillExtended(random: Random, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), style = random.below(5);
  const [top, significand] = style === 0 ? [random.next() & 0xffff, random.next64()]
    : style <= 2 ? [0x3ffd + random.below(6) | (random.next() & 0x8000), random.next64() | 1n << 63n] : random.pick(X80_EDGES);
  view.setBigUint64(0, style === 2 ? significand & ~0xffn : significand, true);
  view.setUint16(8, top, true);
}

/** A stack that is mostly full enough, all rounding and precision controls, sometimes unmasked or pending exceptions. */
function prepare(test: TestCase, random: Random, index: number, instruction: string): void {
  for (let i = 0; i < 8; i++) fillExtended(random, test.st(i));
  for (let at = 0; at < CASE.memoryBytes; at += 16) fillOperand(random, test.memory.subarray(at, at + 16));
  test.fpuStatus = random.below(8) << 11 | random.next() & 0x4700;
  const top = test.fpuStatus >> 11, full = random.below(6) === 0 ? random.below(256) : /^(fld|fild|fbld|fxtract|fptan|fsincos)/.test(instruction) ? 0xff & ~(1 << (top + 7 & 7)) : 0xff;
  test.fpuTags = full;
  const style = index % 4;
  test.fpuControl = style < 2 ? 0x37f : 0x7f | random.below(4) << 10 | random.pick([0, 0x200, 0x300]);
  if (index % 8 === 5) test.fpuControl &= ~(random.next() & 0x3f);
  // processors differ in whether FLD pushes after an unmasked denormal exception
  if (instruction.startsWith('fld ')) test.fpuControl |= 2;
  if (index % 16 === 15) test.fpuStatus |= random.next() & 0x3f;
  // the summary bits as hardware would have them
  if ((test.fpuStatus & ~test.fpuControl & 0x3f) !== 0) test.fpuStatus |= 0x8080;
  test.flags = BigInt(random.next() & 0x8d5 | 0x202);
}
/** Memory that is at once an interesting f32, f64, integer or x80. */
function fillOperand(random: Random, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  random.fill(bytes);
  switch (random.below(6)) {
    case 0: view.setUint32(0, random.pick(F32_EDGES), true); return;
    case 1: view.setBigUint64(0, random.pick(F64_EDGES), true); return;
    case 2: fillExtended(random, bytes); return;
    case 3: view.setBigUint64(0, random.next64() & 0x800f_ffff_ffff_ffffn | BigInt(0x3fe + random.below(6)) << 52n, true); return;
    case 4: view.setUint32(0, (random.next() & 0x807f_ffff | 0x3f00_0000 + (random.below(4) << 23)) >>> 0, true); return;
    default: view.setBigInt64(0, BigInt(random.pick([0, 1, -1, 2, 1000, -32768, 2147483647])), true);
  }
}
/** Packed decimals have digits below 10: others are undefined. */
function prepareBcd(test: TestCase, random: Random, index: number, instruction: string): void {
  prepare(test, random, index, instruction);
  for (let i = 0; i < 9; i++) test.memory[i] = random.below(10) << 4 | random.below(10);
  test.memory[9] = random.pick([0, 0x80]);
}

const ARITHMETIC = words('fadd fmul fsub fsubr fdiv fdivr');
const BASIC: string[] = [
  ...ARITHMETIC.flatMap((name) => [`${name} st, st(1)`, `${name} st(3), st`, `${name}p st(2), st`, `${name} dword ptr [rsi]`, `${name} qword ptr [rsi]`,
    `${name.replace('f', 'fi')} word ptr [rsi]`, `${name.replace('f', 'fi')} dword ptr [rsi]`, `${name} st, st(0)`]),
  'fsqrt', 'frndint', 'fchs', 'fabs', 'fxch st(1)', 'fxch st(5)', 'fscale', 'fxtract', 'fxam', 'ftst', 'fnop', 'fincstp', 'fdecstp', 'ffree st(3)', 'ffreep st(1)',
  ...words('fld1 fldl2t fldl2e fldpi fldlg2 fldln2 fldz'), 'fld st(0)', 'fld st(3)', 'fst st(2)', 'fstp st(0)', 'fstp st(4)',
  'fld dword ptr [rsi]', 'fld qword ptr [rsi]', 'fld tbyte ptr [rsi]', 'fst dword ptr [rsi]', 'fst qword ptr [rsi]', 'fstp dword ptr [rsi]', 'fstp qword ptr [rsi]', 'fstp tbyte ptr [rsi]', 'fstp qword ptr [rsi-8]',
  'fild word ptr [rsi]', 'fild dword ptr [rsi]', 'fild qword ptr [rsi]', 'fist word ptr [rsi]', 'fist dword ptr [rsi]', 'fistp word ptr [rsi]', 'fistp dword ptr [rsi]', 'fistp qword ptr [rsi]',
  'fisttp word ptr [rsi]', 'fisttp dword ptr [rsi]', 'fisttp qword ptr [rsi]', 'fbstp tbyte ptr [rsi]',
  ...words('b e be u nb ne nbe nu').map((c) => `fcmov${c} st, st(2)`),
  ...words('fcomi fcomip fucomi fucomip').map((name) => `${name} st, st(1)`), ...words('fcom fcomp fucom fucomp').map((name) => `${name} st(2)`), 'fcompp', 'fucompp',
  'fcom dword ptr [rsi]', 'fcomp qword ptr [rsi]', 'ficom word ptr [rsi]', 'ficomp dword ptr [rsi]',
];
const STATE = ['fninit', 'fnclex', 'fnstsw ax', 'fnstsw word ptr [rsi]', 'fnstcw word ptr [rsi]', 'fldcw word ptr [rsi]', 'fwait', 'frstor [rsi]', 'fldenv [rsi]', 'fxrstor [rsi]', 'emms'];

const C1 = 0x200, CODES = 0x4700;
/** What the manual leaves undefined, and condition codes and flags of comparisons stopped by an unmasked exception (AMD sets them, Intel does not). */
function tolerance(instruction: string): Tolerance {
  if (/^(fcmov|ffree)/.test(instruction)) return { fpuStatus: 0xffff & ~CODES };
  if (/^fu?comi/.test(instruction)) return { fpuStatus: 0xffff & ~C1, stopped: { flags: 0 } };
  if (/^(ftst|fi?u?com)/.test(instruction)) return { stopped: { fpuStatus: 0xffff & ~CODES } };
  return {};
}

/** Arguments that the functions are made for: mostly of modest size, some edges. */
function prepareTranscendental(test: TestCase, random: Random, index: number, instruction: string): void {
  prepare(test, random, index, /fptan|fsincos/.test(instruction) ? 'fptan' : instruction);
  const style = random.below(8);
  if (style < 6) for (const i of [0, 1]) setExtended(random, test.st(i), style === 0 ? 40 : style === 1 ? 12 : 3);
  // beyond ±1 the result of F2XM1 is undefined, and so is that of FYL2XP1 beyond about ±0.29
  const exponent = new DataView(test.st(0).buffer, test.st(0).byteOffset).getUint16(8, true) & 0x7fff;
  if (instruction === 'f2xm1' && (style < 6 || exponent >= 0x3fff && exponent < 0x7fff)) setExtended(random, test.st(0), 12, -1);
  if (style < 6 && instruction === 'fyl2x') test.st(0)[9] = (test.st(0)[9] ?? 0) & 0x7f;
  if (instruction === 'fyl2xp1' && (style < 6 || exponent >= 0x3ffd && exponent < 0x7fff)) setExtended(random, test.st(0), 12, -3);
  // an argument of FYL2X close to 1
  if (style === 5 && instruction === 'fyl2x') new DataView(test.st(0).buffer, test.st(0).byteOffset).setBigUint64(0, 1n << 63n | BigInt(random.next()) << 8n, true);
}
/** Exponents from -range to `highest`. */
function setExtended(random: Random, bytes: Uint8Array, range: number, highest = range): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setBigUint64(0, random.next64() | 1n << 63n, true);
  view.setUint16(8, 0x3fff + highest - random.below(range + highest + 1) | (random.next() & 0x8000), true);
}
/** Within one unit in the last place. */
function withinOne(_i: number, a: Uint8Array, b: Uint8Array): boolean {
  const value = (bytes: Uint8Array): bigint => BigInt(new DataView(bytes.buffer, bytes.byteOffset).getUint16(8, true)) << 63n | BigInt.asUintN(63, new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const distance = value(a) - value(b);
  return distance >= -1n && distance <= 1n;
}

export const X87_GROUPS: readonly Group[] = [
  { name: 'x87', instructions: BASIC, prepare, tolerance },
  { name: 'x87-remainder', instructions: ['fprem', 'fprem1'], prepare },
  {
    name: 'x87-transcendental', instructions: words('fsin fcos fsincos fptan fpatan f2xm1 fyl2x fyl2xp1'), prepare: prepareTranscendental,
    tolerance: { fpuStatus: 0xffff & ~(C1 | 0x30), stAllowed: withinOne },
  },
  { name: 'x87-bcd', instructions: ['fbld tbyte ptr [rsi]'], prepare: prepareBcd },
  { name: 'x87-state', instructions: STATE, prepare },
];
