/** VEX-encoded instructions to compare with the host. */
import type { Group } from './group.ts';
import { PACKED_COMMON, prepareStrings, prepareVectors, SHIFTS, withMxcsr, words } from './groups-sse.ts';
import type { TestCase } from './case-layout.ts';
import { fillDoubles, fillIntegers, fillSingles } from './random.ts';
import type { Random } from './random.ts';

const IMMEDIATES = [0, 1, 0x1b, 0x4e, 0xe4, 0xff, 0x93, 0x38];
/** Three operands, 128 and 256 bits, register and memory source; memory off its natural boundary too. */
const three = (names: readonly string[], tail: readonly string[] = ['']): string[] => names.flatMap((name) => tail.flatMap((end) => [
  `v${name} xmm1, xmm2, xmm3${end}`, `v${name} ymm1, ymm2, ymm3${end}`, `v${name} xmm9, xmm2, xmmword ptr [rsi+4]${end}`, `v${name} ymm1, ymm1, ymmword ptr [rsi+4]${end}`,
]));
const two = (names: readonly string[], tail: readonly string[] = ['']): string[] => names.flatMap((name) => tail.flatMap((end) => [
  `v${name} xmm1, xmm2${end}`, `v${name} ymm1, ymm2${end}`, `v${name} ymm1, ymmword ptr [rsi+4]${end}`,
]));
const scalar = (names: readonly string[], size: string, tail: readonly string[] = ['']): string[] => names.flatMap((name) => tail.flatMap((end) => [
  `v${name} xmm1, xmm2, xmm3${end}`, `v${name} xmm1, xmm2, ${size} ptr [rsi+4]${end}`,
]));
const tails = (values: readonly number[]): string[] => values.map((imm) => `, ${imm}`);

const PLAIN = PACKED_COMMON.filter((name) => !SHIFTS.includes(name));
const INTEGER: string[] = [
  ...three([...PLAIN, ...words(`punpcklqdq punpckhqdq pshufb phaddw phaddd phaddsw phsubw phsubd phsubsw pmaddubsw pmulhrsw psignb psignw psignd pmuldq pcmpeqq packusdw pminsb pminsd pminuw pminud
    pmaxsb pmaxsd pmaxuw pmaxud pmulld pcmpgtq andps andpd andnps andnpd orps orpd xorps xorpd unpcklps unpckhps unpcklpd unpckhpd psllvd psrlvd psravd psllvq psrlvq`)]),
  ...two(words('pabsb pabsw pabsd')), ...two(words('pshufd pshuflw pshufhw permilps permilpd'), tails(IMMEDIATES)), ...three(words('permilps permilpd')),
  ...three(words('shufps shufpd palignr blendps blendpd pblendw pblendd mpsadbw'), tails(IMMEDIATES)),
  ...SHIFTS.flatMap((name) => [`v${name} xmm1, xmm2, xmm3`, `v${name} ymm1, ymm2, xmm3`, `v${name} ymm1, ymm2, xmmword ptr [rsi]`, `v${name} ymm1, ymm2, 3`, `v${name} xmm1, xmm2, 17`, `v${name} ymm1, ymm2, 200`]),
  ...words('pslldq psrldq').flatMap((name) => [`v${name} ymm1, ymm2, 3`, `v${name} xmm1, xmm2, 20`]),
  ...words('pblendvb blendvps blendvpd').flatMap((name) => [`v${name} xmm1, xmm2, xmm3, xmm4`, `v${name} ymm1, ymm2, [rsi], ymm4`]),
  ...words('sx zx').flatMap((sign) => [['bw', 'xmmword'], ['bd', 'qword'], ['bq', 'dword'], ['wd', 'xmmword'], ['wq', 'qword'], ['dq', 'xmmword']].flatMap(([kind, size]) => [
    `vpmov${sign}${kind} xmm1, xmm2`, `vpmov${sign}${kind} ymm1, xmm2`, `vpmov${sign}${kind} ymm1, ${size} ptr [rsi+3]`])),
  'vptest ymm1, ymm2', 'vptest xmm1, xmm2', 'vtestps ymm1, ymm2', 'vtestpd xmm1, xmm2', 'vtestpd ymm1, [rsi]', 'vpmovmskb ecx, ymm1', 'vpmovmskb ecx, xmm1', 'vmovmskps ecx, ymm1', 'vmovmskpd ecx, ymm1', 'vmovmskps r9d, xmm1',
  ...[0, 3, 7, 9].flatMap((imm) => [`vpinsrb xmm1, xmm2, ecx, ${imm}`, `vpinsrw xmm1, xmm2, ecx, ${imm}`, `vpinsrd xmm1, xmm2, dword ptr [rsi], ${imm}`, `vpinsrq xmm1, xmm2, rcx, ${imm}`, `vpextrb ecx, xmm1, ${imm}`,
    `vpextrw ecx, xmm1, ${imm}`, `vpextrd dword ptr [rsi], xmm1, ${imm}`, `vpextrq rcx, xmm1, ${imm}`, `vextractps ecx, xmm1, ${imm}`, `vinsertps xmm1, xmm2, xmm3, ${imm * 28}`]), 'vphminposuw xmm1, xmm2',
];
const MOVES: string[] = [
  ...words('movups movupd movdqu movaps movapd movdqa').flatMap((name) => [`v${name} xmm1, xmm2`, `v${name} ymm1, ymm2`, `v${name} ymm1, [rsi]`, `v${name} ymm1, [rsi+16]`, `v${name} [rsi+32], ymm1`, `v${name} [rsi+8], xmm1`, `v${name} xmm1, [rsi-1]`]),
  'vlddqu ymm1, [rsi+1]', 'vmovntps [rsi], ymm1', 'vmovntdq [rsi+16], ymm1', 'vmovntdqa ymm1, [rsi]', 'vmovss xmm1, xmm2, xmm3', 'vmovss xmm1, [rsi]', 'vmovss [rsi], xmm1', 'vmovsd xmm1, xmm2, xmm3', 'vmovsd xmm1, [rsi]', 'vmovsd [rsi], xmm1',
  'vmovd xmm1, ecx', 'vmovd ecx, xmm1', 'vmovq xmm1, rcx', 'vmovq rcx, xmm1', 'vmovq xmm1, xmm2', 'vmovq [rsi], xmm1', 'vmovlps xmm1, xmm2, [rsi]', 'vmovhps xmm1, xmm2, [rsi]', 'vmovlpd [rsi], xmm1', 'vmovhpd [rsi], xmm1',
  'vmovhlps xmm1, xmm2, xmm3', 'vmovlhps xmm1, xmm2, xmm3', ...two(words('movsldup movshdup movddup')), 'vmovddup xmm1, qword ptr [rsi]', 'vbroadcastss xmm1, dword ptr [rsi]', 'vbroadcastss ymm1, xmm2', 'vbroadcastsd ymm1, qword ptr [rsi]',
  'vbroadcastf128 ymm1, [rsi]', 'vbroadcasti128 ymm1, [rsi]', ...words('b w d q').flatMap((size) => [`vpbroadcast${size} xmm1, xmm2`, `vpbroadcast${size} ymm1, [rsi]`]),
  ...[0, 1].flatMap((imm) => [`vinsertf128 ymm1, ymm2, xmm3, ${imm}`, `vinserti128 ymm1, ymm2, [rsi], ${imm}`, `vextractf128 xmm1, ymm2, ${imm}`, `vextracti128 [rsi], ymm2, ${imm}`]),
  ...[0, 0x31, 0x20, 0x13, 0x08, 0x80, 0xff].flatMap((imm) => [`vperm2f128 ymm1, ymm2, ymm3, ${imm}`, `vperm2i128 ymm1, ymm2, [rsi], ${imm}`]), 'vpermd ymm1, ymm2, ymm3', 'vpermps ymm1, ymm2, [rsi]',
  ...IMMEDIATES.flatMap((imm) => [`vpermq ymm1, ymm2, ${imm}`, `vpermpd ymm1, [rsi], ${imm}`]), 'vzeroupper', 'vzeroall', 'vldmxcsr [rsi+252]', 'vstmxcsr [rsi]',
  ...words('vmaskmovps vmaskmovpd vpmaskmovd vpmaskmovq').flatMap((name) => [`${name} xmm1, xmm2, [rsi]`, `${name} ymm1, ymm2, [rsi+4]`, `${name} [rsi], xmm2, xmm1`, `${name} [rsi+8], ymm2, ymm1`]), 'vmaskmovdqu xmm1, xmm2',
];
const NAMES = words('add sub mul div min max');
const COMPARES = tails([...Array(32).keys()]);
const SINGLE: string[] = [
  ...three(NAMES.map((name) => `${name}ps`)), ...two(['sqrtps']), ...scalar([...NAMES, 'sqrt'].map((name) => `${name}ss`), 'dword'), ...three(words('haddps hsubps addsubps')), ...three(['cmpps'], COMPARES), ...scalar(['cmpss'], 'dword', COMPARES),
  'vcomiss xmm1, xmm2', 'vucomiss xmm1, dword ptr [rsi]', ...two(['roundps'], tails([0, 1, 2, 3, 4, 9])), ...scalar(['roundss'], 'dword', tails([0, 5, 10])), ...three(['dpps'], tails([0xff, 0x71])),
  'vcvtss2si ecx, xmm1', 'vcvttss2si rcx, xmm1', 'vcvtss2sd xmm1, xmm2, xmm3', 'vcvtps2pd xmm1, xmm2', 'vcvtps2pd ymm1, xmm2', 'vcvtps2pd ymm1, [rsi]', 'vcvtps2dq ymm1, ymm2', 'vcvttps2dq ymm1, [rsi]', 'vcvtps2dq xmm1, xmm2',
];
const DOUBLE: string[] = [
  ...three(NAMES.map((name) => `${name}pd`)), ...two(['sqrtpd']), ...scalar([...NAMES, 'sqrt'].map((name) => `${name}sd`), 'qword'), ...three(words('haddpd hsubpd addsubpd')), ...three(['cmppd'], COMPARES), ...scalar(['cmpsd'], 'qword', COMPARES),
  'vcomisd xmm1, xmm2', 'vucomisd xmm1, qword ptr [rsi]', ...two(['roundpd'], tails([0, 1, 2, 3, 4, 9])), ...scalar(['roundsd'], 'qword', tails([0, 5, 10])), 'vdppd xmm1, xmm2, xmm3, 0x31',
  'vcvtsd2si ecx, xmm1', 'vcvttsd2si rcx, xmm1', 'vcvtsd2ss xmm1, xmm2, xmm3', 'vcvtpd2ps xmm1, xmm2', 'vcvtpd2ps xmm1, ymm2', 'vcvtpd2ps xmm1, ymmword ptr [rsi]', 'vcvtpd2dq xmm1, ymm2', 'vcvttpd2dq xmm1, xmm2', 'vcvttpd2dq xmm1, ymm2',
];
const CONVERT = ['vcvtsi2ss xmm1, xmm2, ecx', 'vcvtsi2ss xmm1, xmm2, rcx', 'vcvtsi2sd xmm1, xmm2, ecx', 'vcvtsi2sd xmm1, xmm2, rcx', 'vcvtdq2ps ymm1, ymm2', 'vcvtdq2ps xmm1, xmm2', 'vcvtdq2pd xmm1, xmm2', 'vcvtdq2pd ymm1, xmm2', 'vcvtdq2pd ymm1, [rsi]'];
const FUSED = words('fmadd fmsub fnmadd fnmsub fmaddsub fmsubadd').flatMap((name) => ['132', '213', '231'].map((order) => name + order));
const fused = (packed: string, single: string, size: string): string[] => [...three(FUSED.map((name) => name + packed)), ...scalar(FUSED.filter((name) => !/subadd|addsub/.test(name)).map((name) => name + single), size)];
const HALF = ['vcvtph2ps xmm1, xmm2', 'vcvtph2ps ymm1, xmm2', 'vcvtph2ps ymm1, [rsi]', 'vcvtph2ps xmm1, qword ptr [rsi]'];
const TO_HALF = [0, 1, 2, 3, 4].flatMap((imm) => [`vcvtps2ph xmm1, xmm2, ${imm}`, `vcvtps2ph xmm1, ymm2, ${imm}`, `vcvtps2ph qword ptr [rsi], xmm2, ${imm}`, `vcvtps2ph [rsi], ymm2, ${imm}`]);
const CRYPTO = [...words('aesenc aesenclast aesdec aesdeclast').map((name) => `v${name} xmm1, xmm2, xmm3`), 'vaesimc xmm1, xmm2', 'vaeskeygenassist xmm1, xmm2, 0x36', 'vpclmulqdq xmm1, xmm2, xmm3, 17'];

const wide = (prepare: (random: Random, bytes: Uint8Array) => void) => (test: TestCase, random: Random): void => {
  prepareVectors(prepare)(test, random);
  for (let i = 0; i < 16; i++) prepare(random, test.ymmHigh(i));
};
/** Small counts for variable shifts and indices. */
function prepareInteger(test: TestCase, random: Random): void {
  wide(fillIntegers)(test, random);
  if (random.below(2) === 0) for (const bytes of [test.xmm(3), test.ymmHigh(3)]) for (let i = 0; i < 16; i++) bytes[i] = i % 4 === 0 ? random.below(70) : 0;
}
/** Halves around 1 and at the edges. */
function fillHalves(random: Random, bytes: Uint8Array): void {
  random.fill(bytes);
  if (random.below(2) === 0) for (let i = 1; i < bytes.length; i += 2) bytes[i] = random.pick([0, 0x80, 0x7c, 0xfc, 0x7d, 0x7e, 0x3c, 0x04, 0x03]);
}
/** Singles that halves can nearly hold. */
function fillNearHalves(random: Random, bytes: Uint8Array): void {
  fillSingles(random, bytes);
  if (random.below(2) === 0) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; at += 4) view.setUint32(at, (random.next() & 0x807f_ffff | 0x3300_0000 + (random.below(48) << 23)) >>> 0, true);
}

const GATHERS = [
  ...words('vpgatherdd vgatherdps').flatMap((name) => [`${name} xmm1, [rsi+xmm3*4], xmm2`, `${name} ymm1, [rsi+ymm3*2+8], ymm2`]), ...words('vpgatherdq vgatherdpd').flatMap((name) => [`${name} xmm1, [rsi+xmm3*8], xmm2`, `${name} ymm1, [rsi+xmm3], ymm2`]),
  ...words('vpgatherqd vgatherqps').flatMap((name) => [`${name} xmm1, [rsi+xmm3*4], xmm2`, `${name} xmm1, [rsi+ymm3*4], xmm2`]), ...words('vpgatherqq vgatherqpd').flatMap((name) => [`${name} xmm1, [rsi+xmm3*8], xmm2`, `${name} ymm9, [rsi+ymm3*8], ymm12`]),
];
/** Indices that stay within the data, and now and then one that does not. */
function prepareGather(test: TestCase, random: Random, _index: number, instruction: string): void {
  wide(fillIntegers)(test, random);
  const bytes = /gatherq/.test(instruction) ? 8 : 4, stray = random.below(6) === 0 ? random.below(32 / bytes) : -1;
  [test.xmm(3), test.ymmHigh(3)].forEach((half, h) => {
    half.fill(0);
    for (let i = 0; i < 16 / bytes; i++) half[i * bytes] = random.below(24);
    if (stray >> 2 === h) half.fill(0xff, (stray & 16 / bytes - 1) * bytes, (stray & 16 / bytes - 1) * bytes + bytes - 1);
  });
}

/** The area begins 512 bytes before the data, so that its header and AVX component are what is compared and loaded. */
function prepareSave(test: TestCase, random: Random, index: number, instruction: string): void {
  prepareVectors(fillIntegers)(test, random);
  for (let i = 0; i < 8; i++) random.fill(test.st(i).subarray(0, 8));
  test.fpuTags = 0xff;
  test.fpuStatus = 0x1800;
  test.setGpr(2, 0n);
  test.setGpr(0, BigInt(instruction.startsWith('xrstor') ? 4 : random.pick([4, 6, 7])));
  // header: components present, no compaction, reserved bytes
  test.memory.fill(0, 0, 64);
  test.memory[0] = random.pick([0, 4, 6, 7]);
  if (index % 8 === 7) test.memory[random.pick([1, 8, 16, 23])] = 8;
}

export const AVX_GROUPS: readonly Group[] = [
  { name: 'avx-integer', instructions: INTEGER, prepare: prepareInteger, feature: 'avx2' },
  { name: 'avx-move', instructions: MOVES, prepare: wide(fillIntegers), feature: 'avx2', tolerance: { mxcsr: 0xffff } },
  { name: 'avx-gather', instructions: GATHERS, prepare: prepareGather, feature: 'avx2' },
  { name: 'xsave', instructions: ['xsave64 [rsi-512]', 'xsavec64 [rsi-512]', 'xrstor64 [rsi-512]', 'xsave64 [rsi-480]'], prepare: prepareSave, feature: 'xsavec' },
  { name: 'avx-single', instructions: SINGLE, prepare: withMxcsr(wide(fillSingles)), feature: 'avx' },
  { name: 'avx-double', instructions: DOUBLE, prepare: withMxcsr(wide(fillDoubles)), feature: 'avx' },
  { name: 'avx-convert', instructions: CONVERT, prepare: withMxcsr(wide(fillIntegers)), feature: 'avx' },
  { name: 'avx-strings', instructions: [0, 0x1a, 0x4d, 0x70].flatMap((imm) => words('vpcmpestri vpcmpestrm vpcmpistri vpcmpistrm').map((name) => `${name} xmm1, xmm2, ${imm}`)), prepare: prepareStrings, feature: 'avx' },
  { name: 'avx-crypto', instructions: CRYPTO, prepare: wide((random, bytes) => { random.fill(bytes); }), feature: 'aes' },
  { name: 'fma-single', instructions: fused('ps', 'ss', 'dword'), prepare: withMxcsr(wide(fillSingles)), feature: 'fma' },
  { name: 'fma-double', instructions: fused('pd', 'sd', 'qword'), prepare: withMxcsr(wide(fillDoubles)), feature: 'fma' },
  { name: 'f16c-widen', instructions: HALF, prepare: withMxcsr(wide(fillHalves)), feature: 'f16c' },
  { name: 'f16c-narrow', instructions: TO_HALF, prepare: withMxcsr(wide(fillNearHalves)), feature: 'f16c' },
];
