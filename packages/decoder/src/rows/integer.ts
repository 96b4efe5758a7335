/** SDM vol 2, appendix A tables: integer instructions. Grammar: see parse-rows.ts. */

const LOGIC = 'szp ?a 0oc';
const ARITHMETIC: readonly (readonly [string, string])[] = [
  ['add', 'oszapc'], ['or', LOGIC], ['adc', 'oszapc <c'], ['sbb', 'oszapc <c'],
  ['and', LOGIC], ['sub', 'oszapc'], ['xor', LOGIC], ['cmp', 'oszapc'],
];
const SHIFTS: readonly (readonly [number, string, string, string])[] = [
  [0, 'rol', 'oc', 'c ?o'], [1, 'ror', 'oc', 'c ?o'], [2, 'rcl', 'oc <c', 'c ?o <c'], [3, 'rcr', 'oc <c', 'c ?o <c'],
  [4, 'shl', 'oszpc ?a', 'szpc ?ao'], [5, 'shr', 'oszpc ?a', 'szpc ?ao'], [6, 'shl', 'oszpc ?a', 'szpc ?ao'], [7, 'sar', 'oszpc ?a', 'szpc ?ao'],
];

const hex = (n: number): string => n.toString(16).padStart(2, '0');

function arithmeticRows([name, flags]: readonly [string, string], n: number): string {
  const to = name === 'cmp' ? '' : '+';
  const lock = name === 'cmp' ? '' : 'lock';
  const op = n * 8;
  return `
${hex(op)} : ${name} ${to}Eb Gb : ${flags} : ${lock}
${hex(op + 1)} : ${name} ${to}Ev Gv : ${flags} : ${lock}
${hex(op + 2)} : ${name} ${to}Gb Eb : ${flags}
${hex(op + 3)} : ${name} ${to}Gv Ev : ${flags}
${hex(op + 4)} : ${name} ${to}AL Ib : ${flags}
${hex(op + 5)} : ${name} ${to}rAX Iz : ${flags}
80 /${n} : ${name} ${to}Eb Ib : ${flags} : ${lock}
81 /${n} : ${name} ${to}Ev Iz : ${flags} : ${lock}
82 /${n} : ${name} ${to}Eb Ib : ${flags} : no64 alias ${lock}
83 /${n} : ${name} ${to}Ev Ibs : ${flags} : ${lock}`;
}

function shiftRows([n, name, byOne, byMany]: readonly [number, string, string, string]): string {
  const alias = n === 6 ? 'alias' : '';
  return `
c0 /${n} : ${name} +Eb Ib : ${byMany} : ${alias}
c1 /${n} : ${name} +Ev Ib : ${byMany} : ${alias}
d0 /${n} : ${name} +Eb 1 : ${byOne} : ${alias}
d1 /${n} : ${name} +Ev 1 : ${byOne} : ${alias}
d2 /${n} : ${name} +Eb CL : ${byMany} : ${alias}
d3 /${n} : ${name} +Ev CL : ${byMany} : ${alias}`;
}

export const INTEGER_ROWS = `
${ARITHMETIC.map(arithmeticRows).join('')}
${SHIFTS.map(shiftRows).join('')}
06 : push ES : : no64
07 : pop =ES : : no64 end
0e : push CS : : no64
16 : push SS : : no64
17 : pop =SS : : no64 end
1e : push DS : : no64
1f : pop =DS : : no64 end
27 : daa : szapc ?o <ac : no64
2f : das : szapc ?o <ac : no64
37 : aaa : ac ?oszp <a : no64
3f : aas : ac ?oszp <a : no64
40+r : inc +Zv : oszap : no64
48+r : dec +Zv : oszap : no64
50+r : push Zv : : d64
58+r : pop =Zv : : d64
60 : pusha : : no64
61 : popa : : no64
62 mem : bound Gv Ma : : no64
63 : arpl +Ew Gw : z : no64
63 o16 : movsxd =Gv Ew : : only64
63 o32 o64 : movsxd =Gv Ed : : only64
68 : push Iz : : d64
69 : imul =Gv Ev Iz : oc ?szap
6a : push Ibs : : d64
6b : imul =Gv Ev Ibs : oc ?szap
6c : ins =Yb DX : <d : rep x:io
6d : ins =Yz DX : <d : rep x:io
6e : outs DX Xb : <d : rep x:io
6f : outs DX Xz : <d : rep x:io
70+cc : jcc Jb : : f64 end
84 : test Eb Gb : ${LOGIC}
85 : test Ev Gv : ${LOGIC}
86 : xchg +Eb +Gb : : lock
87 : xchg +Ev +Gv : : lock
88 : mov =Eb Gb
89 : mov =Ev Gv
8a : mov =Gb Eb
8b : mov =Gv Ev
8c : mov =Rv/Mw Sw
8d mem : lea =Gv ~M
8e : mov =Sw Rv/Mw : : nocs end
8f /0 : pop =Ev : : d64
90+r : xchg +Zv +rAX
90 rexb0 : nop
f3 90 rexb0 : pause : : x:pause
98 o16 : cbw +.AX
98 o32 : cwde +.eAX
98 o64 : cdqe +.rAX
99 o16 : cwd =.DX .AX
99 o32 : cdq =.eDX .eAX
99 o64 : cqo =.rDX .rAX
9a : callf Ap : : no64 end
9b : wait : : fpu
9c : pushf : <oszapcdtin : d64 svm:pushf
9d : popf : oszapcdtin : d64 end svm:popf
9e : sahf : szapc
9f : lahf : <szapc
a0 : mov =AL Ob
a1 : mov =rAX Ov
a2 : mov =Ob AL
a3 : mov =Ov rAX
a4 : movs =Yb Xb : <d : rep
a5 : movs =Yv Xv : <d : rep
a6 : cmps Xb Yb : oszapc <d : rep
a7 : cmps Xv Yv : oszapc <d : rep
a8 : test AL Ib : ${LOGIC}
a9 : test rAX Iz : ${LOGIC}
aa : stos =Yb AL : <d : rep
ab : stos =Yv rAX : <d : rep
ac : lods =AL Xb : <d : rep
ad : lods =rAX Xv : <d : rep
ae : scas AL Yb : oszapc <d : rep
af : scas rAX Yv : oszapc <d : rep
b0+r : mov =Zb Ib
b8+r : mov =Zv Iv
c2 : ret Iw : : f64 end
c3 : ret : : f64 end
c4 mem : les =Gz Mp : : no64 end
c5 mem : lds =Gz Mp : : no64 end
c6 /0 : mov =Eb Ib
c7 /0 : mov =Ev Iz
c6 =f8 : xabort Ib : : rtm end prio
c7 =f8 : xbegin Jz : : rtm end prio
c8 : enter Iw Ib2 : : d64
c9 : leave : : d64
ca : retf Iw : : end
cb : retf : : end
cc : int3 : 0 : end
cd : int Ib : : end svm:intn
ce : into : <o : no64 end
cf : iret : oszapcdtin : end svm:iret
d4 : aam Ib : szp ?oac : no64
d5 : aad Ib : szp ?oac : no64
d6 : salc =.AL : <c : no64
d7 : xlat =.AL MB
e0 : loopne Jb : <z : f64 end
e1 : loope Jb : <z : f64 end
e2 : loop Jb : : f64 end
e3 a16 : jcxz Jb : : f64 end
e3 a32 : jecxz Jb : : f64 end
e3 a64 : jrcxz Jb : : f64 end
e4 : in =AL Ib : : x:io
e5 : in =eAX Ib : : x:io
e6 : out Ib AL : : x:io
e7 : out Ib eAX : : x:io
e8 : call Jz : : f64 end
e9 : jmp Jz : : f64 end
ea : jmpf Ap : : no64 end
eb : jmp Jb : : f64 end
ec : in =AL DX : : x:io
ed : in =eAX DX : : x:io
ee : out DX AL : : x:io
ef : out DX eAX : : x:io
f1 : int1 : : end svm:icebp
f4 : hlt : : cpl0 end x:hlt
f5 : cmc : c <c
f6 /0 : test Eb Ib : ${LOGIC}
f6 /1 : test Eb Ib : ${LOGIC} : alias
f6 /2 : not +Eb : : lock
f6 /3 : neg +Eb : oszapc : lock
f6 /4 : mul Eb : oc ?szap
f6 /5 : imul Eb : oc ?szap
f6 /6 : div Eb : ?oszapc
f6 /7 : idiv Eb : ?oszapc
f7 /0 : test Ev Iz : ${LOGIC}
f7 /1 : test Ev Iz : ${LOGIC} : alias
f7 /2 : not +Ev : : lock
f7 /3 : neg +Ev : oszapc : lock
f7 /4 : mul Ev : oc ?szap
f7 /5 : imul Ev : oc ?szap
f7 /6 : div Ev : ?oszapc
f7 /7 : idiv Ev : ?oszapc
f8 : clc : 0c
f9 : stc : 1c
fa : cli : 0i : end
fb : sti : 1i : end
fc : cld : 0d
fd : std : 1d
fe /0 : inc +Eb : oszap : lock
fe /1 : dec +Eb : oszap : lock
ff /0 : inc +Ev : oszap : lock
ff /1 : dec +Ev : oszap : lock
ff /2 : call Ev : : f64 end
ff /3 mem : callf Mp : : end
ff /4 : jmp Ev : : f64 end
ff /5 mem : jmpf Mp : : end
ff /6 : push Ev : : d64
0f 02 : lar +Gv Rv/Mw : z : protected
0f 03 : lsl +Gv Rv/Mw : z : protected
0f 0b : ud2 : : end
0f 0d mem /0 : prefetch ~Mb : : 3dnowprefetch
0f 0d mem /1 : prefetchw ~Mb : : 3dnowprefetch
0f 0d mem /2 : prefetchwt1 ~Mb : : prefetchwt1
0f 0d mem /3 : prefetchw ~Mb : : 3dnowprefetch alias
0f 0d mem /4 : prefetch ~Mb : : 3dnowprefetch alias
0f 0d mem /5 : prefetch ~Mb : : 3dnowprefetch alias
0f 0d mem /6 : prefetch ~Mb : : 3dnowprefetch alias
0f 0d mem /7 : prefetch ~Mb : : 3dnowprefetch alias
0f 0d reg : nop ~Ev ~.Gv : : alias reservednop
0f 18 mem /0 : prefetchnta ~Mb : : sse
0f 18 mem /1 : prefetcht0 ~Mb : : sse
0f 18 mem /2 : prefetcht1 ~Mb : : sse
0f 18 mem /3 : prefetcht2 ~Mb : : sse
0f 18 reg : nop ~Ev ~.Gv : : alias reservednop
0f 18 mem : nop ~Ev ~.Gv : : alias reservednop
0f 19 : nop ~Ev ~.Gv : : alias reservednop
0f 1a : nop ~Ev ~.Gv : : alias reservednop
0f 1b : nop ~Ev ~.Gv : : alias reservednop
0f 1c : nop ~Ev ~.Gv : : alias reservednop
0f 1d : nop ~Ev ~.Gv : : alias reservednop
0f 1e : nop ~Ev ~.Gv : : alias reservednop
0f 1f : nop ~Ev ~.Gv : : alias reservednop
0f 1f /0 : nop ~Ev : : prio
f3 0f 1e =fa : endbr64 : : cet_ibt
f3 0f 1e =fb : endbr32 : : cet_ibt
f3 0f 1e reg /1 : rdssp =Ry : : cet_ss
0f 40+cc : cmov +Gv Ev : : cmov
0f 80+cc : jcc Jz : : f64 end
0f 90+cc : set =Eb
0f a0 : push FS : : d64
0f a1 : pop =FS : : d64 end
0f a3 : bt Ev Gv : c ?osap
0f a4 : shld +Ev Gv Ib : szpc ?ao
0f a5 : shld +Ev Gv CL : szpc ?ao
0f a8 : push GS : : d64
0f a9 : pop =GS : : d64 end
0f ab : bts +Ev Gv : c ?osap : lock
0f ac : shrd +Ev Gv Ib : szpc ?ao
0f ad : shrd +Ev Gv CL : szpc ?ao
0f af : imul +Gv Ev : oc ?szap
0f b0 : cmpxchg +Eb Gb : oszapc : lock
0f b1 : cmpxchg +Ev Gv : oszapc : lock
0f b2 mem : lss =Gv Mp : : end
0f b3 : btr +Ev Gv : c ?osap : lock
0f b4 mem : lfs =Gv Mp : : end
0f b5 mem : lgs =Gv Mp : : end
0f b6 : movzx =Gv Eb
0f b7 : movzx =Gv Ew
f3 0f b8 : popcnt =Gv Ev : z 0osapc : popcnt
0f b9 : ud1 ~Gv ~Ev : : end
0f ba /4 : bt Ev Ib : c ?osap
0f ba /5 : bts +Ev Ib : c ?osap : lock
0f ba /6 : btr +Ev Ib : c ?osap : lock
0f ba /7 : btc +Ev Ib : c ?osap : lock
0f bb : btc +Ev Gv : c ?osap : lock
0f bc : bsf +Gv Ev : z ?osapc
f3 0f bc : tzcnt =Gv Ev : zc ?osap : bmi1
0f bd : bsr +Gv Ev : z ?osapc
f3 0f bd : lzcnt =Gv Ev : zc ?osap : lzcnt
0f be : movsx =Gv Eb
0f bf : movsx =Gv Ew
0f c0 : xadd +Eb +Gb : oszapc : lock
0f c1 : xadd +Ev +Gv : oszapc : lock
np 0f c3 mem : movnti =My Gy : : sse2
0f c7 mem /1 w0 : cmpxchg8b +Mq : z : lock cx8
0f c7 mem /1 w1 : cmpxchg16b +Mdq : z : lock cx16
nr 0f c7 reg /6 : rdrand =Rv : c 0oszap : rdrand x:rdrand
nr 0f c7 reg /7 : rdseed =Rv : c 0oszap : rdseed x:rdseed
f3 0f c7 reg /7 : rdpid =Ry : : rdpid f64
0f c8+r : bswap +Zv
0f ff : ud0 ~Gv ~Ev : : end
nr 0f38 f0 mem : movbe =Gv Mv : : movbe
nr 0f38 f1 mem : movbe =Mv Gv : : movbe
f2 0f38 f0 : crc32 +Gy Eb : : sse4_2
f2 0f38 f1 : crc32 +Gy Ev : : sse4_2
66 0f38 f6 : adcx +Gy Ey : c <c : adx
f3 0f38 f6 : adox +Gy Ey : o <o : adx
np 0f38 f9 mem : movdiri =My Gy : : movdiri
66 0f38 f8 mem : movdir64b ~Ga ~M64 : : movdir64b
vex np 0f38 f2 l0 : andn =Gy By Ey : sz ?ap 0oc : bmi1
vex np 0f38 f3 /1 l0 : blsr =By Ey : szc ?ap 0o : bmi1
vex np 0f38 f3 /2 l0 : blsmsk =By Ey : sc ?ap 0oz : bmi1
vex np 0f38 f3 /3 l0 : blsi =By Ey : szc ?ap 0o : bmi1
vex np 0f38 f5 l0 : bzhi =Gy Ey By : szc ?ap 0o : bmi2
vex f3 0f38 f5 l0 : pext =Gy By Ey : : bmi2
vex f2 0f38 f5 l0 : pdep =Gy By Ey : : bmi2
vex f2 0f38 f6 l0 : mulx =Gy =By Ey : : bmi2
vex np 0f38 f7 l0 : bextr =Gy Ey By : z ?sap 0oc : bmi1
vex 66 0f38 f7 l0 : shlx =Gy Ey By : : bmi2
vex f3 0f38 f7 l0 : sarx =Gy Ey By : : bmi2
vex f2 0f38 f7 l0 : shrx =Gy Ey By : : bmi2
vex f2 0f3a f0 l0 : rorx =Gy Ey Ib : : bmi2
`;
