import { INSTRUCTIONS } from '@vmm/isa';
import type { Form, OperandFact, OperandKind } from '@vmm/isa';

/**
 * Forms that the main interpreter module holds from the start, in one line per group: mnemonics, then operand shapes. `r` register, `m` memory,
 * `i` immediate with the size in bytes. Chosen by counting forms over boots of the reference guests.
 */
const ALU = 'add or and sub xor cmp adc sbb';
const GROUPS: readonly (readonly [string, string])[] = [
  [ALU, 'r1,r1 r4,r4 r8,r8 r1,m1 r4,m4 r8,m8 m1,r1 m4,r4 m8,r8 r1,i r4,i r8,i m1,i m4,i m8,i m2,i r2,i r2,r2 r2,m2'],
  ['test', 'r1,r1 r4,r4 r8,r8 m1,r1 m4,r4 m8,r8 r1,i r4,i r8,i m1,i m4,i m8,i'],
  ['mov', 'r1,r1 r4,r4 r8,r8 r1,m1 r2,m2 r4,m4 r8,m8 m1,r1 m2,r2 m4,r4 m8,r8 r1,i r4,i r8,i m1,i m2,i m4,i m8,i'],
  ['movzx movsx', 'r4,r1 r4,m1 r4,r2 r4,m2 r8,r1 r8,m1 r8,r2 r8,m2'],
  ['movsxd', 'r8,r4 r8,m4'],
  ['lea', 'r4,m0 r8,m0'],
  ['inc dec neg not', 'r4 r8 m4 m8 r1 m1'],
  ['shl shr sar rol ror', 'r4,i r8,i r4,r1 r8,r1 r1,i'],
  ['imul', 'r4,r4 r8,r8 r4,m4 r8,m8 r4,r4,i r8,r8,i'],
  ['mul div idiv', 'r4 r8'],
  ['cmovb cmovnb cmovz cmovnz cmovbe cmovnbe cmovs cmovns cmovl cmovnl cmovle cmovnle', 'r4,r4 r8,r8'],
  ['setb setnb setz setnz setbe setnbe sets setl setnl setle setnle', 'r1'],
  ['xchg', 'r4,r4 r8,r8 m4,r4 m8,r8'],
  ['cdqe cdq cqo cwde nop', ''],
];
/** Floating point and vectors: `x` XMM, `s` x87 register. Called, not in the loop; here so that they share the main module's instance. */
const CALLED: readonly (readonly [string, string])[] = [
  ['movaps movups movdqa movdqu movapd movupd', 'x16,x16 x16,m16 m16,x16'],
  ['movss', 'x16,m4 m4,x4 x4,x4'], ['movsd', 'x16,m8 m8,x8 x8,x8'], ['movd', 'x16,r4 r4,x16 x16,m4'], ['movq', 'x16,r8 r8,x16 x16,m8 m8,x8 x16,x8'], ['movhps movhpd', 'x16,m8 m8,x16'], ['movlps movlpd', 'x8,m8 m8,x8'],
  ['addsd subsd mulsd divsd sqrtsd minsd maxsd ucomisd comisd', 'x8,x8 x8,m8'], ['addss subss mulss divss sqrtss minss maxss ucomiss comiss', 'x4,x4 x4,m4'],
  ['addpd subpd mulpd divpd addps subps mulps divps andpd andps andnpd andnps orpd orps xorpd xorps unpcklpd unpcklps', 'x16,x16 x16,m16'],
  ['cvtsi2sd', 'x8,r4 x8,r8 x8,m4'], ['cvtsi2ss', 'x4,r4 x4,r8'], ['cvttsd2si', 'r4,x8 r8,x8 r4,m8'], ['cvttss2si', 'r4,x4 r8,x4'], ['cvtsd2ss', 'x4,x8'], ['cvtss2sd', 'x8,x4 x8,m4'],
  ['pxor por pand pandn paddb paddw paddd paddq psubb psubw psubd psubq pcmpeqb pcmpeqw pcmpeqd pcmpgtb pminub punpcklbw punpcklwd punpckldq punpcklqdq punpckhqdq', 'x16,x16 x16,m16'],
  ['pshufd shufps', 'x16,x16,i'], ['psllq psrlq pslld psrld psrldq pslldq', 'x16,i'], ['pmovmskb', 'r4,x16'],
  ['fld', 's10,m4 s10,m8 s10,m10 s10,s10'], ['fstp', 'm4,s10 m8,s10 m10,s10 s10,s10'], ['fst', 'm8,s10'], ['fild', 's10,m2 s10,m4 s10,m8'], ['fistp', 'm2,s10 m4,s10 m8,s10'],
  ['fadd fsub fsubr fmul fdiv fdivr', 's10,s10 s10,m4 s10,m8'], ['faddp fsubp fsubrp fmulp fdivp fdivrp fxch fucomi fucomip fcomi fcomip', 's10,s10'],
  ['fsqrt fchs fabs fld1 fldz frndint', 's10'], ['fnstcw fldcw', 'm2'], ['fnstsw', 'r2'],
];
/** Control and stack forms exist per operand size, stack size. */
const JUMPS = 'jo jno jb jnb jz jnz jbe jnbe js jns jp jnp jl jnl jle jnle jmp'.split(' ');

const KIND: Readonly<Record<string, OperandKind>> = { r: 'reg', m: 'mem', i: 'imm', x: 'xmm', s: 'st' };
const operand = (text: string): OperandFact => ({ kind: KIND[text[0] ?? ''] ?? 'reg', size: Number(text.slice(1)) });

function form(mnemonic: string, operands: readonly OperandFact[], facts: Partial<Form> = {}): Form {
  return { mnemonic, operands, opSize: 0, addressSize: 0, stackSize: 0, mode: 0, rep: 0, vex: false, ...facts };
}

export function commonForms(): Form[] {
  const forms: Form[] = [];
  for (const [mnemonics, shapes] of [...GROUPS, ...CALLED]) {
    for (const mnemonic of mnemonics.split(' ')) {
      for (const shape of shapes.split(' ')) forms.push(form(mnemonic, shape === '' ? [] : shape.split(',').map(operand)));
    }
  }
  for (const size of [4, 8]) {
    for (const jump of JUMPS) forms.push(form(jump, [operand('i0')], { opSize: size }));
    const stack = { opSize: size, stackSize: size };
    forms.push(form('jmp', [operand(`r${size}`)], { opSize: size }), form('jmp', [operand(`m${size}`)], { opSize: size }));
    forms.push(form('call', [operand('i0')], stack), form('call', [operand(`r${size}`)], stack), form('call', [operand(`m${size}`)], stack), form('ret', [], stack));
    for (const shape of [`r${size}`, `m${size}`, 'i0']) forms.push(form('push', [operand(shape)], stack));
    forms.push(form('pop', [operand(`r${size}`)], stack), form('leave', [], stack));
  }
  return forms.filter((f) => INSTRUCTIONS[f.mnemonic] !== undefined);
}

const WARM = new Set(['adc', 'sbb', 'xchg', 'rol', 'ror', 'jo', 'jno', 'jp', 'jnp', 'mul', 'div', 'idiv', 'not', 'neg', 'leave']);
/** Most accesses have a base and a displacement and no segment that does anything: common forms have handlers for that alone. */
export function hasPlain(f: Form): boolean { return isHot(f) && (f.stackSize !== 0 || f.operands.some(({ kind, size }) => kind === 'mem' && size !== 2)); }

/** In the loop function itself, not called. Two-byte operands and rarer mnemonics are called. */
const CALLED_MNEMONICS: ReadonlySet<string> = new Set(CALLED.flatMap(([mnemonics]) => mnemonics.split(' ')));
export function isHot(f: Form): boolean {
  if (WARM.has(f.mnemonic) || CALLED_MNEMONICS.has(f.mnemonic)) return false;
  return !f.operands.some((o) => o.size === 2 && f.mnemonic !== 'mov' && f.mnemonic !== 'movzx');
}
