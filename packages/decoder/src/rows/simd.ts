/**
 * SDM vol 2, appendix A tables A-3 to A-5: MMX, SSE to SSE4.2, AES, PCLMUL, SHA, AVX, AVX2, FMA, F16C. Grammar: see parse-rows.ts.
 * `v`, `v3` say that the VEX form exists too (v3: with a non-destructive source), `vi`, `vi3` that its 256-bit form needs AVX2.
 */

/** [opcode, name, feature of the MMX form, destination only written (w) or read too (rw)] */
const MMX_AND_SSE2: readonly string[] = [
  '60 punpcklbw', '61 punpcklwd', '62 punpckldq', '63 packsswb', '64 pcmpgtb', '65 pcmpgtw', '66 pcmpgtd', '67 packuswb',
  '68 punpckhbw', '69 punpckhwd', '6a punpckhdq', '6b packssdw', '74 pcmpeqb', '75 pcmpeqw', '76 pcmpeqd',
  'd1 psrlw', 'd2 psrld', 'd3 psrlq', 'd4 paddq sse2', 'd5 pmullw', 'd8 psubusb', 'd9 psubusw', 'da pminub sse', 'db pand',
  'dc paddusb', 'dd paddusw', 'de pmaxub sse', 'df pandn', 'e0 pavgb sse', 'e1 psraw', 'e2 psrad', 'e3 pavgw sse', 'e4 pmulhuw sse',
  'e5 pmulhw', 'e8 psubsb', 'e9 psubsw', 'ea pminsw sse', 'eb por', 'ec paddsb', 'ed paddsw', 'ee pmaxsw sse', 'ef pxor',
  'f1 psllw', 'f2 pslld', 'f3 psllq', 'f4 pmuludq sse2', 'f5 pmaddwd', 'f6 psadbw sse', 'f8 psubb', 'f9 psubw', 'fa psubd', 'fb psubq sse2',
  'fc paddb', 'fd paddw', 'fe paddd',
];
const SHIFT_BY_XMM = /^ps(rl|ra|ll)/;

function mmxAndSse2(entry: string): string {
  const [op = '', name = '', feature = 'mmx'] = entry.split(' ');
  // The low halves of the MMX forms: punpckl* read only 32 bits of memory.
  const source = name.startsWith('punpckl') ? 'Qd' : 'Qq';
  const count = SHIFT_BY_XMM.test(name) ? 'Wdq' : 'Wx';
  return `
np 0f ${op} : ${name} +Pq ${source} : : ${feature}
66 0f ${op} : ${name} +Vx ${count} : : sse2 vi3`;
}

const SSSE3: readonly string[] = [
  '00 pshufb', '01 phaddw', '02 phaddd', '03 phaddsw', '04 pmaddubsw', '05 phsubw', '06 phsubd', '07 phsubsw', '08 psignb', '09 psignw',
  '0a psignd', '0b pmulhrsw',
];
const SSE41_BINARY: readonly string[] = [
  '28 pmuldq', '29 pcmpeqq', '2b packusdw', '38 pminsb', '39 pminsd', '3a pminuw', '3b pminud', '3c pmaxsb', '3d pmaxsd', '3e pmaxuw',
  '3f pmaxud', '40 pmulld',
];
const EXTEND: readonly string[] = ['0 bw q dq', '1 bd d q', '2 bq w d', '3 wd q dq', '4 wq d q', '5 dq q dq'];
/** [opcode, name]: ps, pd, ss and sd forms. */
const FLOAT_BINARY: readonly string[] = ['58 add', '59 mul', '5c sub', '5d min', '5e div', '5f max'];
const FMA_OPERATIONS: readonly string[] = [
  '6 fmaddsub p', '7 fmsubadd p', '8 fmadd p', '9 fmadd s', 'a fmsub p', 'b fmsub s', 'c fnmadd p', 'd fnmadd s', 'e fnmsub p', 'f fnmsub s',
];

function extendRows(sign: 's' | 'z'): string {
  const high = sign === 's' ? '2' : '3';
  return EXTEND.map((entry) => {
    const [low, suffix, narrow, wide] = entry.split(' ');
    return `
66 0f38 ${high}${low} : pmov${sign}x${suffix} =Vdq W${narrow} : : sse4_1
vex 66 0f38 ${high}${low} l0 : vpmov${sign}x${suffix} =Vdq W${narrow} : : avx
vex 66 0f38 ${high}${low} l1 : vpmov${sign}x${suffix} =Vqq W${wide} : : avx2`;
  }).join('');
}

function floatBinaryRows(entry: string): string {
  const [op, name] = entry.split(' ');
  return `
np 0f ${op} : ${name}ps +Vps Wps : : sse v3
66 0f ${op} : ${name}pd +Vpd Wpd : : sse2 v3
f3 0f ${op} : ${name}ss +Vss Wss : : sse v3 vlig
f2 0f ${op} : ${name}sd +Vsd Wsd : : sse2 v3 vlig`;
}

function fmaRows(entry: string): string {
  const [low, name, shape] = entry.split(' ');
  return [['9', '132'], ['a', '213'], ['b', '231']].map(([high, order]) => (shape === 'p' ? `
vex 66 0f38 ${high}${low} w0 : v${name}${order}ps +Vps Hps Wps : : fma
vex 66 0f38 ${high}${low} w1 : v${name}${order}pd +Vpd Hpd Wpd : : fma` : `
vex 66 0f38 ${high}${low} w0 : v${name}${order}ss +Vss Hss Wss : : fma
vex 66 0f38 ${high}${low} w1 : v${name}${order}sd +Vsd Hsd Wsd : : fma`)).join('');
}

export const SIMD_ROWS = `
np 0f 77 : emms : : mmx
np 0f 6e w0 : movd =Pq Ed : : mmx
np 0f 6e w1 : movq =Pq Eq : : mmx
np 0f 7e w0 : movd =Ed Pq : : mmx
np 0f 7e w1 : movq =Eq Pq : : mmx
np 0f 6f : movq =Pq Qq : : mmx
np 0f 7f : movq =Qq Pq : : mmx
np 0f 70 : pshufw =Pq Qq Ib : : sse
np 0f c4 : pinsrw +Pq Rd/Mw Ib : : sse
np 0f c5 reg : pextrw =Gy Nq Ib : : sse
np 0f d7 reg : pmovmskb =Gy Nq : : sse
np 0f e7 mem : movntq =Mq Pq : : sse
np 0f f7 reg : maskmovq Pq Nq =.BD : : sse
np 0f 71 reg /2 : psrlw +Nq Ib : : mmx
np 0f 71 reg /4 : psraw +Nq Ib : : mmx
np 0f 71 reg /6 : psllw +Nq Ib : : mmx
np 0f 72 reg /2 : psrld +Nq Ib : : mmx
np 0f 72 reg /4 : psrad +Nq Ib : : mmx
np 0f 72 reg /6 : pslld +Nq Ib : : mmx
np 0f 73 reg /2 : psrlq +Nq Ib : : mmx
np 0f 73 reg /6 : psllq +Nq Ib : : mmx
66 0f 71 reg /2 : psrlw +Ux Ib : : sse2 viB
66 0f 71 reg /4 : psraw +Ux Ib : : sse2 viB
66 0f 71 reg /6 : psllw +Ux Ib : : sse2 viB
66 0f 72 reg /2 : psrld +Ux Ib : : sse2 viB
66 0f 72 reg /4 : psrad +Ux Ib : : sse2 viB
66 0f 72 reg /6 : pslld +Ux Ib : : sse2 viB
66 0f 73 reg /2 : psrlq +Ux Ib : : sse2 viB
66 0f 73 reg /3 : psrldq +Ux Ib : : sse2 viB
66 0f 73 reg /6 : psllq +Ux Ib : : sse2 viB
66 0f 73 reg /7 : pslldq +Ux Ib : : sse2 viB
${MMX_AND_SSE2.map(mmxAndSse2).join('')}
66 0f 6c : punpcklqdq +Vx Wx : : sse2 vi3
66 0f 6d : punpckhqdq +Vx Wx : : sse2 vi3
np 0f 10 : movups =Vps Wps : : sse v
66 0f 10 : movupd =Vpd Wpd : : sse2 v
f3 0f 10 mem : movss =Vdq Md : : sse v vlig
f3 0f 10 reg : movss +Vss Uss : : sse v3 vlig
f2 0f 10 mem : movsd =Vdq Mq : : sse2 v vlig
f2 0f 10 reg : movsd +Vsd Usd : : sse2 v3 vlig
np 0f 11 : movups =Wps Vps : : sse v
66 0f 11 : movupd =Wpd Vpd : : sse2 v
f3 0f 11 mem : movss =Md Vss : : sse v vlig
f3 0f 11 reg : movss +Uss Vss : : sse v3 vlig
f2 0f 11 mem : movsd =Mq Vsd : : sse2 v vlig
f2 0f 11 reg : movsd +Usd Vsd : : sse2 v3 vlig
np 0f 12 mem : movlps +Vq Mq : : sse v3 vl0
np 0f 12 reg : movhlps +Vq Udq : : sse v3 vl0
66 0f 12 mem : movlpd +Vq Mq : : sse2 v3 vl0
f3 0f 12 : movsldup =Vx Wx : : sse3 v
f2 0f 12 : movddup =Vdq Wq : : sse3
vex f2 0f 12 l0 : vmovddup =Vdq Wq : : avx
vex f2 0f 12 l1 : vmovddup =Vqq Wqq : : avx
np 0f 13 mem : movlps =Mq Vq : : sse v vl0
66 0f 13 mem : movlpd =Mq Vq : : sse2 v vl0
np 0f 14 : unpcklps +Vps Wps : : sse v3
66 0f 14 : unpcklpd +Vpd Wpd : : sse2 v3
np 0f 15 : unpckhps +Vps Wps : : sse v3
66 0f 15 : unpckhpd +Vpd Wpd : : sse2 v3
np 0f 16 mem : movhps +Vdq Mq : : sse v3 vl0
np 0f 16 reg : movlhps +Vdq Uq : : sse v3 vl0
66 0f 16 mem : movhpd +Vdq Mq : : sse2 v3 vl0
f3 0f 16 : movshdup =Vx Wx : : sse3 v
np 0f 17 mem : movhps =Mq Vdq : : sse v vl0
66 0f 17 mem : movhpd =Mq Vdq : : sse2 v vl0
np 0f 28 : movaps =Vps Wps : : sse v
66 0f 28 : movapd =Vpd Wpd : : sse2 v
np 0f 29 : movaps =Wps Vps : : sse v
66 0f 29 : movapd =Wpd Vpd : : sse2 v
np 0f 2a : cvtpi2ps +Vq Qq : : sse
66 0f 2a : cvtpi2pd =Vdq Qq : : sse2
f3 0f 2a : cvtsi2ss +Vss Ey : : sse v3 vlig
f2 0f 2a : cvtsi2sd +Vsd Ey : : sse2 v3 vlig
np 0f 2b mem : movntps =Mx Vps : : sse v
66 0f 2b mem : movntpd =Mx Vpd : : sse2 v
np 0f 2c : cvttps2pi =Pq Wq : : sse
66 0f 2c : cvttpd2pi =Pq Wdq : : sse2
f3 0f 2c : cvttss2si =Gy Wss : : sse v vlig
f2 0f 2c : cvttsd2si =Gy Wsd : : sse2 v vlig
np 0f 2d : cvtps2pi =Pq Wq : : sse
66 0f 2d : cvtpd2pi =Pq Wdq : : sse2
f3 0f 2d : cvtss2si =Gy Wss : : sse v vlig
f2 0f 2d : cvtsd2si =Gy Wsd : : sse2 v vlig
np 0f 2e : ucomiss Vss Wss : zpc 0osa : sse v vlig
66 0f 2e : ucomisd Vsd Wsd : zpc 0osa : sse2 v vlig
np 0f 2f : comiss Vss Wss : zpc 0osa : sse v vlig
66 0f 2f : comisd Vsd Wsd : zpc 0osa : sse2 v vlig
np 0f 50 reg : movmskps =Gy Ups : : sse v
66 0f 50 reg : movmskpd =Gy Upd : : sse2 v
np 0f 51 : sqrtps =Vps Wps : : sse v
66 0f 51 : sqrtpd =Vpd Wpd : : sse2 v
f3 0f 51 : sqrtss +Vss Wss : : sse v3 vlig
f2 0f 51 : sqrtsd +Vsd Wsd : : sse2 v3 vlig
np 0f 52 : rsqrtps =Vps Wps : : sse v
f3 0f 52 : rsqrtss +Vss Wss : : sse v3 vlig
np 0f 53 : rcpps =Vps Wps : : sse v
f3 0f 53 : rcpss +Vss Wss : : sse v3 vlig
np 0f 54 : andps +Vps Wps : : sse v3
66 0f 54 : andpd +Vpd Wpd : : sse2 v3
np 0f 55 : andnps +Vps Wps : : sse v3
66 0f 55 : andnpd +Vpd Wpd : : sse2 v3
np 0f 56 : orps +Vps Wps : : sse v3
66 0f 56 : orpd +Vpd Wpd : : sse2 v3
np 0f 57 : xorps +Vps Wps : : sse v3
66 0f 57 : xorpd +Vpd Wpd : : sse2 v3
${FLOAT_BINARY.map(floatBinaryRows).join('')}
np 0f 5a : cvtps2pd =Vdq Wq : : sse2
vex np 0f 5a l0 : vcvtps2pd =Vdq Wq : : avx
vex np 0f 5a l1 : vcvtps2pd =Vqq Wdq : : avx
66 0f 5a : cvtpd2ps =Vdq Wdq : : sse2
vex 66 0f 5a : vcvtpd2ps =Vdq Wx : : avx
f3 0f 5a : cvtss2sd +Vsd Wss : : sse2 v3 vlig
f2 0f 5a : cvtsd2ss +Vss Wsd : : sse2 v3 vlig
np 0f 5b : cvtdq2ps =Vps Wx : : sse2 v
66 0f 5b : cvtps2dq =Vx Wps : : sse2 v
f3 0f 5b : cvttps2dq =Vx Wps : : sse2 v
66 0f 6e w0 : movd =Vdq Ed : : sse2 v vl0
66 0f 6e w1 : movq =Vdq Eq : : sse2 v vl0
66 0f 6f : movdqa =Vx Wx : : sse2 v
f3 0f 6f : movdqu =Vx Wx : : sse2 v
66 0f 70 : pshufd =Vx Wx Ib : : sse2 vi
f3 0f 70 : pshufhw =Vx Wx Ib : : sse2 vi
f2 0f 70 : pshuflw =Vx Wx Ib : : sse2 vi
vex np 0f 77 l0 : vzeroupper : : avx
vex np 0f 77 l1 : vzeroall : : avx
66 0f 7c : haddpd +Vpd Wpd : : sse3 v3
f2 0f 7c : haddps +Vps Wps : : sse3 v3
66 0f 7d : hsubpd +Vpd Wpd : : sse3 v3
f2 0f 7d : hsubps +Vps Wps : : sse3 v3
66 0f 7e w0 : movd =Ed Vdq : : sse2 v vl0
66 0f 7e w1 : movq =Eq Vdq : : sse2 v vl0
f3 0f 7e : movq =Vdq Wq : : sse2 v vl0
66 0f 7f : movdqa =Wx Vx : : sse2 v
f3 0f 7f : movdqu =Wx Vx : : sse2 v
np 0f c2 : cmpps +Vps Wps Ib : : sse v3
66 0f c2 : cmppd +Vpd Wpd Ib : : sse2 v3
f3 0f c2 : cmpss +Vss Wss Ib : : sse v3 vlig
f2 0f c2 : cmpsd +Vsd Wsd Ib : : sse2 v3 vlig
66 0f c4 : pinsrw +Vdq Rd/Mw Ib : : sse2 v3 vl0
66 0f c5 reg : pextrw =Gy Udq Ib : : sse2 v vl0
np 0f c6 : shufps +Vps Wps Ib : : sse v3
66 0f c6 : shufpd +Vpd Wpd Ib : : sse2 v3
66 0f d0 : addsubpd +Vpd Wpd : : sse3 v3
f2 0f d0 : addsubps +Vps Wps : : sse3 v3
66 0f d6 : movq =Wq Vq : : sse2 v vl0
f3 0f d6 reg : movq2dq =Vdq Nq : : sse2
f2 0f d6 reg : movdq2q =Pq Uq : : sse2
66 0f d7 reg : pmovmskb =Gy Ux : : sse2 vi
66 0f e6 : cvttpd2dq =Vdq Wdq : : sse2
f2 0f e6 : cvtpd2dq =Vdq Wdq : : sse2
f3 0f e6 : cvtdq2pd =Vdq Wq : : sse2
vex 66 0f e6 : vcvttpd2dq =Vdq Wx : : avx
vex f2 0f e6 : vcvtpd2dq =Vdq Wx : : avx
vex f3 0f e6 l0 : vcvtdq2pd =Vdq Wq : : avx
vex f3 0f e6 l1 : vcvtdq2pd =Vqq Wdq : : avx
66 0f e7 mem : movntdq =Mx Vx : : sse2 v
f2 0f f0 mem : lddqu =Vx Mx : : sse3 v
66 0f f7 reg : maskmovdqu Vdq Udq =.BD : : sse2 v vl0
${SSSE3.map((entry) => `
np 0f38 ${entry} +Pq Qq : : ssse3
66 0f38 ${entry} +Vx Wx : : ssse3 vi3`.replace(/( \w+) \+/g, ' :$1 +')).join('')}
np 0f38 1c : pabsb =Pq Qq : : ssse3
66 0f38 1c : pabsb =Vx Wx : : ssse3 vi
np 0f38 1d : pabsw =Pq Qq : : ssse3
66 0f38 1d : pabsw =Vx Wx : : ssse3 vi
np 0f38 1e : pabsd =Pq Qq : : ssse3
66 0f38 1e : pabsd =Vx Wx : : ssse3 vi
np 0f3a 0f : palignr +Pq Qq Ib : : ssse3
66 0f3a 0f : palignr +Vx Wx Ib : : ssse3 vi3
66 0f38 10 : pblendvb +Vdq Wdq XMM0 : : sse4_1
66 0f38 14 : blendvps +Vdq Wdq XMM0 : : sse4_1
66 0f38 15 : blendvpd +Vdq Wdq XMM0 : : sse4_1
66 0f38 17 : ptest Vx Wx : zc 0osap : sse4_1 v
${extendRows('s')}
${extendRows('z')}
${SSE41_BINARY.map((entry) => `
66 0f38 ${entry.replace(' ', ' : ')} +Vx Wx : : sse4_1 vi3`).join('')}
66 0f38 2a mem : movntdqa =Vx Mx : : sse4_1 vi
66 0f38 37 : pcmpgtq +Vx Wx : : sse4_2 vi3
66 0f38 41 : phminposuw =Vdq Wdq : : sse4_1 v vl0
66 0f3a 08 : roundps =Vx Wx Ib : : sse4_1 v
66 0f3a 09 : roundpd =Vx Wx Ib : : sse4_1 v
66 0f3a 0a : roundss +Vss Wss Ib : : sse4_1 v3 vlig
66 0f3a 0b : roundsd +Vsd Wsd Ib : : sse4_1 v3 vlig
66 0f3a 0c : blendps +Vx Wx Ib : : sse4_1 v3
66 0f3a 0d : blendpd +Vx Wx Ib : : sse4_1 v3
66 0f3a 0e : pblendw +Vx Wx Ib : : sse4_1 vi3
66 0f3a 14 : pextrb =Ry/Mb Vdq Ib : : sse4_1 v vl0
66 0f3a 15 : pextrw =Ry/Mw Vdq Ib : : sse4_1 v vl0
66 0f3a 16 w0 : pextrd =Ed Vdq Ib : : sse4_1 v vl0
66 0f3a 16 w1 : pextrq =Eq Vdq Ib : : sse4_1 v vl0
66 0f3a 17 : extractps =Ry/Md Vdq Ib : : sse4_1 v vl0
66 0f3a 20 : pinsrb +Vdq Ry/Mb Ib : : sse4_1 v3 vl0
66 0f3a 21 : insertps +Vdq Ud/Md Ib : : sse4_1 v3 vl0
66 0f3a 22 w0 : pinsrd +Vdq Ed Ib : : sse4_1 v3 vl0
66 0f3a 22 w1 : pinsrq +Vdq Eq Ib : : sse4_1 v3 vl0
66 0f3a 40 : dpps +Vx Wx Ib : : sse4_1 v3
66 0f3a 41 : dppd +Vdq Wdq Ib : : sse4_1 v3 vl0
66 0f3a 42 : mpsadbw +Vx Wx Ib : : sse4_1 vi3
66 0f3a 60 : pcmpestrm Vdq Wdq Ib : oszc 0ap : sse4_2 v vl0
66 0f3a 61 : pcmpestri Vdq Wdq Ib : oszc 0ap : sse4_2 v vl0
66 0f3a 62 : pcmpistrm Vdq Wdq Ib : oszc 0ap : sse4_2 v vl0
66 0f3a 63 : pcmpistri Vdq Wdq Ib : oszc 0ap : sse4_2 v vl0
66 0f38 db : aesimc =Vdq Wdq : : aes v vl0
66 0f38 dc : aesenc +Vdq Wdq : : aes v3 vl0
66 0f38 dd : aesenclast +Vdq Wdq : : aes v3 vl0
66 0f38 de : aesdec +Vdq Wdq : : aes v3 vl0
66 0f38 df : aesdeclast +Vdq Wdq : : aes v3 vl0
66 0f3a df : aeskeygenassist =Vdq Wdq Ib : : aes v vl0
66 0f3a 44 : pclmulqdq +Vdq Wdq Ib : : pclmulqdq v3 vl0
np 0f38 c8 : sha1nexte +Vdq Wdq : : sha
np 0f38 c9 : sha1msg1 +Vdq Wdq : : sha
np 0f38 ca : sha1msg2 +Vdq Wdq : : sha
np 0f38 cb : sha256rnds2 +Vdq Wdq XMM0 : : sha
np 0f38 cc : sha256msg1 +Vdq Wdq : : sha
np 0f38 cd : sha256msg2 +Vdq Wdq : : sha
np 0f3a cc : sha1rnds4 +Vdq Wdq Ib : : sha
vex 66 0f38 0c w0 : vpermilps =Vx Hx Wx : : avx
vex 66 0f38 0d w0 : vpermilpd =Vx Hx Wx : : avx
vex 66 0f38 0e w0 : vtestps Vx Wx : zc 0osap : avx
vex 66 0f38 0f w0 : vtestpd Vx Wx : zc 0osap : avx
vex 66 0f38 13 w0 l0 : vcvtph2ps =Vdq Wq : : f16c
vex 66 0f38 13 w0 l1 : vcvtph2ps =Vqq Wdq : : f16c
vex 66 0f3a 1d w0 l0 : vcvtps2ph =Wq Vdq Ib : : f16c
vex 66 0f3a 1d w0 l1 : vcvtps2ph =Wdq Vqq Ib : : f16c
vex 66 0f38 16 w0 l1 : vpermps =Vqq Hqq Wqq : : avx2
vex 66 0f38 36 w0 l1 : vpermd =Vqq Hqq Wqq : : avx2
vex 66 0f3a 00 w1 l1 : vpermq =Vqq Wqq Ib : : avx2
vex 66 0f3a 01 w1 l1 : vpermpd =Vqq Wqq Ib : : avx2
vex 66 0f38 18 mem w0 : vbroadcastss =Vx Md : : avx
vex 66 0f38 18 reg w0 : vbroadcastss =Vx Ud : : avx2
vex 66 0f38 19 mem w0 l1 : vbroadcastsd =Vqq Mq : : avx
vex 66 0f38 19 reg w0 l1 : vbroadcastsd =Vqq Uq : : avx2
vex 66 0f38 1a mem w0 l1 : vbroadcastf128 =Vqq Mdq : : avx
vex 66 0f38 5a mem w0 l1 : vbroadcasti128 =Vqq Mdq : : avx2
vex 66 0f38 58 w0 : vpbroadcastd =Vx Wd : : avx2
vex 66 0f38 59 w0 : vpbroadcastq =Vx Wq : : avx2
vex 66 0f38 78 w0 : vpbroadcastb =Vx Wb : : avx2
vex 66 0f38 79 w0 : vpbroadcastw =Vx Ww : : avx2
vex 66 0f38 2c mem w0 : vmaskmovps =Vx Hx Mx : : avx
vex 66 0f38 2d mem w0 : vmaskmovpd =Vx Hx Mx : : avx
vex 66 0f38 2e mem w0 : vmaskmovps +Mx Hx Vx : : avx
vex 66 0f38 2f mem w0 : vmaskmovpd +Mx Hx Vx : : avx
vex 66 0f38 8c mem w0 : vpmaskmovd =Vx Hx Mx : : avx2
vex 66 0f38 8c mem w1 : vpmaskmovq =Vx Hx Mx : : avx2
vex 66 0f38 8e mem w0 : vpmaskmovd +Mx Hx Vx : : avx2
vex 66 0f38 8e mem w1 : vpmaskmovq +Mx Hx Vx : : avx2
vex 66 0f38 45 w0 : vpsrlvd =Vx Hx Wx : : avx2
vex 66 0f38 45 w1 : vpsrlvq =Vx Hx Wx : : avx2
vex 66 0f38 46 w0 : vpsravd =Vx Hx Wx : : avx2
vex 66 0f38 47 w0 : vpsllvd =Vx Hx Wx : : avx2
vex 66 0f38 47 w1 : vpsllvq =Vx Hx Wx : : avx2
vex 66 0f38 90 mem w0 : vpgatherdd +Vx Md +Hx : : avx2 vsib
vex 66 0f38 90 mem w1 : vpgatherdq +Vx Mq +Hx : : avx2 vsibx
vex 66 0f38 91 mem w0 : vpgatherqd +Vdq Md +Hdq : : avx2 vsib
vex 66 0f38 91 mem w1 : vpgatherqq +Vx Mq +Hx : : avx2 vsib
vex 66 0f38 92 mem w0 : vgatherdps +Vx Md +Hx : : avx2 vsib
vex 66 0f38 92 mem w1 : vgatherdpd +Vx Mq +Hx : : avx2 vsibx
vex 66 0f38 93 mem w0 : vgatherqps +Vdq Md +Hdq : : avx2 vsib
vex 66 0f38 93 mem w1 : vgatherqpd +Vx Mq +Hx : : avx2 vsib
vex 66 0f3a 02 w0 : vpblendd =Vx Hx Wx Ib : : avx2
vex 66 0f3a 04 w0 : vpermilps =Vx Wx Ib : : avx
vex 66 0f3a 05 w0 : vpermilpd =Vx Wx Ib : : avx
vex 66 0f3a 06 w0 l1 : vperm2f128 =Vqq Hqq Wqq Ib : : avx
vex 66 0f3a 46 w0 l1 : vperm2i128 =Vqq Hqq Wqq Ib : : avx2
vex 66 0f3a 18 w0 l1 : vinsertf128 =Vqq Hqq Wdq Ib : : avx
vex 66 0f3a 38 w0 l1 : vinserti128 =Vqq Hqq Wdq Ib : : avx2
vex 66 0f3a 19 w0 l1 : vextractf128 =Wdq Vqq Ib : : avx
vex 66 0f3a 39 w0 l1 : vextracti128 =Wdq Vqq Ib : : avx2
vex 66 0f3a 4a w0 : vblendvps =Vx Hx Wx Lx : : avx
vex 66 0f3a 4b w0 : vblendvpd =Vx Hx Wx Lx : : avx
vex 66 0f3a 4c w0 : vpblendvb =Vx Hx Wx Lx : : avx vi256
${FMA_OPERATIONS.map(fmaRows).join('')}
`;
