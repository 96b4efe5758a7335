/** SDM vol 2, appendix A.5: x87 escape opcodes D8-DF. Grammar: see parse-rows.ts. */
const BINARY = ['fadd', 'fmul', 'fcom', 'fcomp', 'fsub', 'fsubr', 'fdiv', 'fdivr'];

function binaryRows(name: string, n: number): string {
  const compare = name.startsWith('fcom');
  const to = compare ? '' : '+';
  const integer = name.replace('f', 'fi');
  const rows = `
d8 mem /${n} : ${name} ${to}.ST0 Md
d8 reg /${n} : ${name} ${to}${compare ? '.' : ''}ST0 STi
dc mem /${n} : ${name} ${to}.ST0 Mq
da mem /${n} : ${integer} ${to}.ST0 Md
de mem /${n} : ${integer} ${to}.ST0 Mw`;
  if (compare) return rows;
  // DC/DE register forms swap the sense of sub/subr and div/divr (SDM vol 2B, FSUB and FDIV).
  const swapped = n >= 4 ? BINARY[n ^ 1] : name;
  return `${rows}
dc reg /${n} : ${swapped} +STi ST0
de reg /${n} : ${swapped}p +STi ST0`;
}

const CONDITIONAL = ['b', 'e', 'be', 'u'];
const READS = ['<c', '<z', '<cz', '<p'];

export const X87_ROWS = `
@ fpu
${BINARY.map(binaryRows).join('')}
dc reg /2 : fcom .ST0 STi : : alias
dc reg /3 : fcomp .ST0 STi : : alias
de reg /2 : fcomp .ST0 STi : : alias
de =d9 : fcompp
d9 mem /0 : fld =.ST0 Md
d9 mem /2 : fst =Md .ST0
d9 mem /3 : fstp =Md .ST0
d9 mem /4 : fldenv Menv
d9 mem /5 : fldcw Mw
d9 mem /6 : fnstenv =Menv
d9 mem /7 : fnstcw =Mw
d9 reg /0 : fld =.ST0 STi
d9 reg /1 : fxch +.ST0 +STi
d9 =d0 : fnop
d9 reg /3 : fstp =STi .ST0 : : alias
d9 =e0 : fchs +.ST0
d9 =e1 : fabs +.ST0
d9 =e4 : ftst .ST0
d9 =e5 : fxam .ST0
d9 =e8 : fld1 =.ST0
d9 =e9 : fldl2t =.ST0
d9 =ea : fldl2e =.ST0
d9 =eb : fldpi =.ST0
d9 =ec : fldlg2 =.ST0
d9 =ed : fldln2 =.ST0
d9 =ee : fldz =.ST0
d9 =f0 : f2xm1 +.ST0
d9 =f1 : fyl2x
d9 =f2 : fptan
d9 =f3 : fpatan
d9 =f4 : fxtract
d9 =f5 : fprem1
d9 =f6 : fdecstp
d9 =f7 : fincstp
d9 =f8 : fprem
d9 =f9 : fyl2xp1
d9 =fa : fsqrt +.ST0
d9 =fb : fsincos
d9 =fc : frndint +.ST0
d9 =fd : fscale
d9 =fe : fsin +.ST0
d9 =ff : fcos +.ST0
${CONDITIONAL.map((c, n) => `
da reg /${n} : fcmov${c} +ST0 STi : ${READS[n] ?? ''}
db reg /${n} : fcmovn${c} +ST0 STi : ${READS[n] ?? ''}`).join('')}
da =e9 : fucompp
db mem /0 : fild =.ST0 Md
db mem /1 : fisttp =Md .ST0 : : sse3
db mem /2 : fist =Md .ST0
db mem /3 : fistp =Md .ST0
db mem /5 : fld =.ST0 Mt
db mem /7 : fstp =Mt .ST0
db =e0 : fneni
db =e1 : fndisi
db =e2 : fnclex
db =e3 : fninit
db =e4 : fnsetpm
db reg /5 : fucomi ST0 STi : zpc 0osa
db reg /6 : fcomi ST0 STi : zpc 0osa
dd mem /0 : fld =.ST0 Mq
dd mem /1 : fisttp =Mq .ST0 : : sse3
dd mem /2 : fst =Mq .ST0
dd mem /3 : fstp =Mq .ST0
dd mem /4 : frstor Mfpu
dd mem /6 : fnsave =Mfpu
dd mem /7 : fnstsw =Mw
dd reg /0 : ffree STi
dd reg /1 : fxch +.ST0 +STi : : alias
dd reg /2 : fst =STi .ST0
dd reg /3 : fstp =STi .ST0
dd reg /4 : fucom .ST0 STi
dd reg /5 : fucomp .ST0 STi
df mem /0 : fild =.ST0 Mw
df mem /1 : fisttp =Mw .ST0 : : sse3
df mem /2 : fist =Mw .ST0
df mem /3 : fistp =Mw .ST0
df mem /4 : fbld =.ST0 Mt
df mem /5 : fild =.ST0 Mq
df mem /6 : fbstp =Mt .ST0
df mem /7 : fistp =Mq .ST0
df reg /0 : ffreep STi
df reg /1 : fxch +.ST0 +STi : : alias
df reg /2 : fstp =STi .ST0 : : alias
df reg /3 : fstp =STi .ST0 : : alias
df =e0 : fnstsw =AX
df reg /5 : fucomip ST0 STi : zpc 0osa
df reg /6 : fcomip ST0 STi : zpc 0osa
`;
