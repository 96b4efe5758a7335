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
/** Control and stack forms exist per operand size, stack size. */
const JUMPS = 'jo jno jb jnb jz jnz jbe jnbe js jns jp jnp jl jnl jle jnle jmp'.split(' ');

const KIND: Readonly<Record<string, OperandKind>> = { r: 'reg', m: 'mem', i: 'imm' };
const operand = (text: string): OperandFact => ({ kind: KIND[text[0] ?? ''] ?? 'reg', size: Number(text.slice(1)) });

function form(mnemonic: string, operands: readonly OperandFact[], facts: Partial<Form> = {}): Form {
  return { mnemonic, operands, opSize: 0, addressSize: 0, stackSize: 0, mode: 0, rep: 0, vex: false, ...facts };
}

export function commonForms(): Form[] {
  const forms: Form[] = [];
  for (const [mnemonics, shapes] of GROUPS) {
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
/** In the loop function itself, not called. Two-byte operands and rarer mnemonics are called. */
export function isHot(f: Form): boolean {
  if (WARM.has(f.mnemonic)) return false;
  return !f.operands.some((o) => o.size === 2 && f.mnemonic !== 'mov' && f.mnemonic !== 'movzx');
}
