/** SSE, SSE2 and MMX instructions to compare with the host. */
import { CASE } from './case-layout.ts';
import type { TestCase } from './case-layout.ts';
import type { Group } from './group.ts';
import { fillDoubles, fillIntegers, fillSingles } from './random.ts';
import type { Random } from './random.ts';

export const words = (text: string): string[] => text.trim().split(/\s+/);
/** Every name with register and memory source, the memory one also misaligned by 4. */
const both = (names: readonly string[], destination: string, source: string, memory = 'xmmword ptr [rsi+16]'): string[] =>
  names.flatMap((name) => [`${name} ${destination}, ${source}`, `${name} ${destination}, ${memory}`]);

export const PACKED_COMMON = words(`paddb paddw paddd paddq psubb psubw psubd psubq paddsb paddsw paddusb paddusw psubsb psubsw psubusb psubusw pmullw pmulhw pmulhuw pmaddwd pmuludq
  psadbw pavgb pavgw pminub pmaxub pminsw pmaxsw pcmpeqb pcmpeqw pcmpeqd pcmpgtb pcmpgtw pcmpgtd pand por pxor pandn packsswb packuswb packssdw
  punpcklbw punpcklwd punpckldq punpckhbw punpckhwd punpckhdq psllw pslld psllq psrlw psrld psrlq psraw psrad`);
const SSE_ONLY = words('punpcklqdq punpckhqdq andps andpd andnps andnpd orps orpd xorps xorpd unpcklps unpckhps unpcklpd unpckhpd');
export const SHIFTS = words('psllw pslld psllq psrlw psrld psrlq psraw psrad');
const COUNTS = [0, 1, 7, 15, 16, 31, 32, 63, 64, 255];
const IMMEDIATES = [0, 1, 0x1b, 0x4e, 0xb1, 0xe4, 0xff, 0x93];

const INTEGER: string[] = [
  ...both([...PACKED_COMMON, ...SSE_ONLY], 'xmm1', 'xmm2'), 'paddb xmm9, xmm15', 'paddb xmm1, xmm1', 'paddb xmm1, xmmword ptr [rsi+20]', 'andps xmm1, xmmword ptr [rsi+1]',
  ...SHIFTS.flatMap((name) => COUNTS.map((count) => `${name} xmm3, ${count}`)), ...COUNTS.flatMap((count) => [`psrldq xmm3, ${count}`, `pslldq xmm3, ${count}`]),
  ...words('pshufd pshuflw pshufhw').flatMap((name) => IMMEDIATES.map((imm) => `${name} xmm1, xmm2, ${imm}`)), 'pshufd xmm1, xmmword ptr [rsi], 0x1b', 'pshufd xmm1, xmmword ptr [rsi+8], 0x1b',
  ...words('shufps shufpd').flatMap((name) => IMMEDIATES.map((imm) => `${name} xmm1, xmm2, ${imm}`)), 'shufps xmm1, xmmword ptr [rsi+32], 0x39', 'shufpd xmm1, xmmword ptr [rsi+32], 2',
  ...[0, 3, 7, 8, 255].flatMap((imm) => [`pinsrw xmm1, eax, ${imm}`, `pinsrw xmm1, word ptr [rsi+3], ${imm}`, `pextrw ecx, xmm1, ${imm}`]),
  'pmovmskb ecx, xmm1', 'movmskps ecx, xmm1', 'movmskpd r9d, xmm1', 'maskmovdqu xmm1, xmm2',
];
const MOVES: string[] = words('movups movupd movdqu movaps movapd movdqa').flatMap((name) => [
  `${name} xmm1, xmm2`, `${name} xmm1, [rsi+16]`, `${name} xmm1, [rsi+17]`, `${name} [rsi+32], xmm1`, `${name} [rsi+33], xmm1`, `${name} xmm1, [rsi-16]`,
]).concat([
  'movss xmm1, xmm2', 'movss xmm1, [rsi+3]', 'movss [rsi+3], xmm1', 'movsd xmm1, xmm2', 'movsd xmm1, [rsi+3]', 'movsd [rsi+3], xmm1',
  'movd xmm1, eax', 'movd xmm1, dword ptr [rsi]', 'movd eax, xmm1', 'movd dword ptr [rsi], xmm1', 'movq xmm1, rax', 'movq rax, xmm1', 'movq xmm1, xmm2', 'movq xmm1, [rsi]', 'movq [rsi], xmm1',
  'movlps xmm1, [rsi]', 'movlps [rsi], xmm1', 'movhps xmm1, [rsi]', 'movhps [rsi], xmm1', 'movlpd xmm1, [rsi]', 'movhpd [rsi], xmm1', 'movhlps xmm1, xmm2', 'movlhps xmm1, xmm2',
  'movntps [rsi], xmm1', 'movntpd [rsi], xmm1', 'movntdq [rsi], xmm1', 'movntdq [rsi+8], xmm1', 'movnti [rsi], eax', 'movnti [rsi], rax', 'lddqu xmm1, [rsi+5]', 'movsldup xmm1, xmm2', 'movshdup xmm1, [rsi]',
  'movddup xmm1, xmm2', 'movddup xmm1, [rsi+4]', 'ldmxcsr [rsi]', 'stmxcsr [rsi]', 'lfence', 'mfence', 'sfence',
]);

const MMX: string[] = [
  ...both(PACKED_COMMON, 'mm1', 'mm2', 'qword ptr [rsi+8]').map((text) => (/punpckl\w+ mm1, qword/.test(text) ? text.replace('qword', 'dword') : text)),
  ...SHIFTS.flatMap((name) => COUNTS.map((count) => `${name} mm3, ${count}`)),
  ...IMMEDIATES.map((imm) => `pshufw mm1, mm2, ${imm}`), 'pshufw mm1, [rsi], 0x1b', ...[0, 3, 4].flatMap((imm) => [`pinsrw mm1, eax, ${imm}`, `pinsrw mm1, word ptr [rsi], ${imm}`, `pextrw eax, mm1, ${imm}`]),
  'pmovmskb eax, mm1', 'movd mm1, eax', 'movd eax, mm1', 'movd mm1, dword ptr [rsi]', 'movd dword ptr [rsi], mm1', 'movq mm1, mm2', 'movq mm1, [rsi]', 'movq [rsi], mm1', 'movq mm1, rax', 'movq rax, mm1',
  'movntq [rsi], mm1', 'maskmovq mm1, mm2', 'movq2dq xmm1, mm2', 'movdq2q mm1, xmm2', 'emms',
  ...words('pshufb phaddw phaddd phaddsw phsubw phsubd phsubsw pmaddubsw pmulhrsw psignb psignw psignd pabsb pabsw pabsd').map((name) => `${name} mm1, mm2`),
  ...[0, 3, 8, 11, 16, 200].map((imm) => `palignr mm1, mm2, ${imm}`),
];

const ARITHMETIC = words('add sub mul div min max sqrt');
const FLOAT: string[] = [
  ...ARITHMETIC.flatMap((name) => [`${name}ps xmm1, xmm2`, `${name}ps xmm1, [rsi]`, `${name}ss xmm1, xmm2`, `${name}ss xmm1, dword ptr [rsi+4]`]),
  ...[0, 1, 2, 3, 4, 5, 6, 7].flatMap((imm) => [`cmpps xmm1, xmm2, ${imm}`, `cmpss xmm1, xmm2, ${imm}`]),
  'comiss xmm1, xmm2', 'ucomiss xmm1, xmm2', 'ucomiss xmm1, dword ptr [rsi]', 'haddps xmm1, xmm2', 'hsubps xmm1, xmm2', 'addsubps xmm1, xmm2',
  'cvtss2si eax, xmm1', 'cvttss2si eax, xmm1', 'cvtss2si rax, xmm1', 'cvttss2si rax, dword ptr [rsi]', 'cvtps2dq xmm1, xmm2', 'cvttps2dq xmm1, xmm2', 'cvtss2sd xmm1, xmm2', 'cvtps2pd xmm1, xmm2', 'cvtps2pd xmm1, [rsi+8]',
  'cvtps2pi mm1, xmm1', 'cvttps2pi mm1, qword ptr [rsi]',
];
const DOUBLE: string[] = [
  ...ARITHMETIC.flatMap((name) => [`${name}pd xmm1, xmm2`, `${name}pd xmm1, [rsi]`, `${name}sd xmm1, xmm2`, `${name}sd xmm1, qword ptr [rsi+8]`]),
  ...[0, 1, 2, 3, 4, 5, 6, 7].flatMap((imm) => [`cmppd xmm1, xmm2, ${imm}`, `cmpsd xmm1, xmm2, ${imm}`]),
  'comisd xmm1, xmm2', 'ucomisd xmm1, xmm2', 'comisd xmm1, qword ptr [rsi]', 'haddpd xmm1, xmm2', 'hsubpd xmm1, xmm2', 'addsubpd xmm1, xmm2',
  'cvtsd2si eax, xmm1', 'cvttsd2si eax, xmm1', 'cvtsd2si rax, xmm1', 'cvttsd2si rax, qword ptr [rsi]', 'cvtpd2dq xmm1, xmm2', 'cvttpd2dq xmm1, xmm2', 'cvtsd2ss xmm1, xmm2', 'cvtpd2ps xmm1, xmm2', 'cvtpd2ps xmm1, [rsi]',
  'cvtpd2pi mm1, xmm1', 'cvttpd2pi mm1, xmmword ptr [rsi]',
];
const FROM_INTEGER: string[] = [
  'cvtsi2ss xmm1, eax', 'cvtsi2ss xmm1, rax', 'cvtsi2sd xmm1, eax', 'cvtsi2sd xmm1, rax', 'cvtsi2sd xmm1, dword ptr [rsi]', 'cvtsi2ss xmm1, qword ptr [rsi]', 'cvtdq2ps xmm1, xmm2', 'cvtdq2pd xmm1, xmm2', 'cvtdq2pd xmm1, [rsi]',
  'cvtpi2ps xmm1, mm2', 'cvtpi2pd xmm1, mm2', 'cvtpi2ps xmm1, qword ptr [rsi]', 'cvtpi2pd xmm1, qword ptr [rsi]',
];

const SSSE3: string[] = [
  ...both(words('pshufb phaddw phaddd phaddsw phsubw phsubd phsubsw pmaddubsw pmulhrsw psignb psignw psignd'), 'xmm1', 'xmm2'), ...words('pabsb pabsw pabsd').map((name) => `${name} xmm1, xmm2`),
  ...[0, 3, 8, 15, 16, 17, 31, 32, 200].map((imm) => `palignr xmm1, xmm2, ${imm}`),
];
const SSE4: string[] = [
  ...both(words(`pmuldq pcmpeqq packusdw pminsb pminsd pminuw pminud pmaxsb pmaxsd pmaxuw pmaxud pmulld pcmpgtq pblendvb blendvps blendvpd ptest phminposuw`), 'xmm1', 'xmm2'),
  ...words('sx zx').flatMap((sign) => [['bw', 'qword'], ['bd', 'dword'], ['bq', 'word'], ['wd', 'qword'], ['wq', 'dword'], ['dq', 'qword']].flatMap(([kind, size]) => [`pmov${sign}${kind} xmm1, xmm2`, `pmov${sign}${kind} xmm1, ${size} ptr [rsi+3]`])),
  ...[0, 1, 2, 0x55, 0xaa, 0xf3, 0xff].flatMap((imm) => ['blendps', 'blendpd', 'pblendw', 'insertps', 'mpsadbw'].map((name) => `${name} xmm1, xmm2, ${imm}`)), 'insertps xmm1, dword ptr [rsi], 0x92', 'mpsadbw xmm1, [rsi], 5',
  ...[0, 1, 3, 7, 15, 255].flatMap((imm) => [`pextrb ecx, xmm1, ${imm}`, `pextrb byte ptr [rsi], xmm1, ${imm}`, `pextrd ecx, xmm1, ${imm}`, `pextrq rcx, xmm1, ${imm}`, `extractps ecx, xmm1, ${imm}`, `pextrw word ptr [rsi], xmm1, ${imm}`,
    `pinsrb xmm1, ecx, ${imm}`, `pinsrb xmm1, byte ptr [rsi], ${imm}`, `pinsrd xmm1, ecx, ${imm}`, `pinsrq xmm1, rcx, ${imm}`, `pinsrd xmm1, dword ptr [rsi], ${imm}`]),
  'movntdqa xmm1, [rsi]', 'movntdqa xmm1, [rsi+4]',
];
const ROUND = words('roundps roundss dpps').flatMap((name) => [0, 1, 2, 3, 4, 8, 9, 12, 0xff, 0x71].map((imm) => `${name} xmm1, xmm2, ${imm}`));
const ROUND_DOUBLE = words('roundpd roundsd dppd').flatMap((name) => [0, 1, 2, 3, 4, 8, 9, 12, 0xff, 0x31].map((imm) => `${name} xmm1, xmm2, ${imm}`));
const STRINGS = words('pcmpestri pcmpestrm pcmpistri pcmpistrm').flatMap((name) => Array.from({ length: 64 }, (_, i) => `${name} xmm1, xmm2, ${i * 2 + (i & 1)}`)).concat('pcmpistri xmm1, [rsi+1], 12', 'rex.w pcmpestri xmm1, xmm2, 8');
const AES = [...words('aesenc aesenclast aesdec aesdeclast aesimc').flatMap((name) => [`${name} xmm1, xmm2`, `${name} xmm1, [rsi]`]), ...[0, 1, 0x36, 0xff].map((imm) => `aeskeygenassist xmm1, xmm2, ${imm}`)];
const SHA = ['sha1nexte xmm1, xmm2', 'sha1msg1 xmm1, xmm2', 'sha1msg2 xmm1, xmm2', 'sha256rnds2 xmm1, xmm2', 'sha256msg1 xmm1, xmm2', 'sha256msg2 xmm1, [rsi]', ...[0, 1, 2, 3].map((imm) => `sha1rnds4 xmm1, xmm2, ${imm}`)];

/** Short alphabets and zeros, so that strings match and end. */
export function prepareStrings(test: TestCase, random: Random): void {
  prepareVectors(fillIntegers)(test, random);
  for (const bytes of [test.xmm(1), test.xmm(2), test.memory]) for (let i = 0; i < bytes.length; i++) bytes[i] = random.below(8) === 0 ? random.pick([0, 0x80, 0xff]) : 0x40 + random.below(3);
  if (random.below(2) === 0) { test.setGpr(0, BigInt.asUintN(64, BigInt(random.below(40) - 20))); test.setGpr(2, BigInt.asUintN(64, BigInt(random.below(40) - 20))); }
  if (random.below(3) === 0) test.xmm(1).copyWithin(0, random.below(4));
}

/** Random general registers (not the addresses in RSP, RSI, RDI), vectors and memory by `fill`. */
export function prepareVectors(fill: (random: Random, bytes: Uint8Array) => void) {
  return (test: TestCase, random: Random): void => {
    for (const n of [0, 1, 2, 3, 5, 8, 9]) test.setGpr(n, random.below(2) === 0 ? random.next64() : BigInt(random.pick([0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff])));
    for (let i = 0; i < 16; i++) fill(random, test.xmm(i));
    for (let i = 0; i < 16; i++) random.fill(test.ymmHigh(i));
    fill(random, test.memory);
    test.flags = BigInt(random.next() & 0x8d5 | 0x202);
  };
}
/** Some shift counts that matter in the low quadword of XMM2, MM2 and memory. */
function smallCounts(test: TestCase, random: Random): void {
  if (random.below(2) === 0) return;
  for (const bytes of [test.xmm(2), test.st(2), test.memory.subarray(16), test.memory.subarray(8)]) {
    new DataView(bytes.buffer, bytes.byteOffset).setBigUint64(0, BigInt(random.pick(COUNTS)), true);
  }
}
export function prepareMmx(test: TestCase, random: Random, fill: (random: Random, bytes: Uint8Array) => void): void {
  for (let i = 0; i < 8; i++) {
    fill(random, test.st(i).subarray(0, 8));
    test.st(i).set([0xff, 0xff], 8);
  }
  // an x87 state to leave: a TOP and some empty registers
  test.fpuStatus = random.below(8) << 11;
  test.fpuTags = random.below(256);
}

/** Control bits under test: all but the default set every third case. */
export function withMxcsr(prepare: (test: TestCase, random: Random) => void) {
  return (test: TestCase, random: Random, index: number): void => {
    prepare(test, random);
    prepareMmx(test, random, fillIntegers);
    const mode = index % 4;
    test.mxcsr = mode < 2 ? 0x1f80 : 0x1f80 | random.below(4) << 13 | (random.below(3) === 0 ? 0x8040 & random.next() : 0);
    // unmasked exceptions
    if (index % 8 === 7) test.mxcsr &= ~(random.next() & 0x1f80);
    // the precision flag decides whether native arithmetic is used
    if (mode === 1) test.mxcsr |= random.next() & 0x3f | (random.below(2) === 0 ? 0x20 : 0);
  };
}

export const SSE_GROUPS: readonly Group[] = [
  { name: 'sse-integer', instructions: INTEGER, prepare: (test, random) => { prepareVectors(fillIntegers)(test, random); smallCounts(test, random); } },
  {
    name: 'sse-move', instructions: MOVES,
    prepare: (test, random, index, instruction) => {
      prepareVectors(fillIntegers)(test, random);
      if (instruction.startsWith('ldmxcsr')) test.view.setUint32(CASE.memory, index % 4 === 0 ? random.next() : random.next() & 0xffff, true);
    },
  },
  { name: 'mmx', instructions: MMX, prepare: (test, random) => { prepareVectors(fillIntegers)(test, random); prepareMmx(test, random, fillIntegers); smallCounts(test, random); } },
  { name: 'sse-single', instructions: FLOAT, prepare: withMxcsr(prepareVectors(fillSingles)) },
  { name: 'sse-double', instructions: DOUBLE, prepare: withMxcsr(prepareVectors(fillDoubles)) },
  { name: 'ssse3', instructions: SSSE3, prepare: prepareVectors(fillIntegers), feature: 'ssse3' },
  { name: 'sse4', instructions: SSE4, prepare: prepareVectors(fillIntegers), feature: 'sse4_1' },
  { name: 'sse4-single', instructions: ROUND, prepare: withMxcsr(prepareVectors(fillSingles)), feature: 'sse4_1' },
  { name: 'sse4-double', instructions: ROUND_DOUBLE, prepare: withMxcsr(prepareVectors(fillDoubles)), feature: 'sse4_1' },
  { name: 'sse4-strings', instructions: STRINGS, prepare: prepareStrings, feature: 'sse4_2' },
  { name: 'aes', instructions: AES, prepare: prepareVectors((random, bytes) => { random.fill(bytes); }), feature: 'aes' },
  { name: 'pclmulqdq', instructions: [0, 1, 16, 17].map((imm) => `pclmulqdq xmm1, xmm2, ${imm}`), prepare: prepareVectors(fillIntegers), feature: 'pclmulqdq' },
  { name: 'sha', instructions: SHA, prepare: prepareVectors((random, bytes) => { random.fill(bytes); }), feature: 'sha_ni' },
  { name: 'sse-from-integer', instructions: FROM_INTEGER, prepare: withMxcsr(prepareVectors(fillIntegers)) },
];
