import { describe, expect, it } from 'vitest';
import { formKey, type Form } from './form.ts';
import { INSTRUCTIONS } from './instructions.ts';
import { INTEGER } from './integer.ts';
import { MMX } from './mmx.ts';
import { SSE } from './sse.ts';
import { X87 } from './x87.ts';

describe('the instruction table', () => {
  it('gives every mnemonic one meaning: no family hides an entry of another', () => {
    const all = [INTEGER, MMX, SSE, X87].flatMap((family) => Object.keys(family));
    expect(all.filter((mnemonic, index) => all.indexOf(mnemonic) !== index)).toEqual([]);
  });

  it.each(['add', 'mov', 'push', 'fadd', 'paddd', 'addps'])('goes on after %s', (mnemonic) => {
    expect(INSTRUCTIONS[mnemonic]).toBeDefined();
    expect(INSTRUCTIONS[mnemonic]?.ends ?? false).toBe(false);
  });

  it.each(['jmp', 'call', 'ret', 'iret', 'hlt', 'jz', 'loop', 'int', 'syscall'])('ends a block after %s', (mnemonic) => {
    expect(INSTRUCTIONS[mnemonic]?.ends).toBe(true);
  });
});

describe('a form', () => {
  const add: Form = {
    mnemonic: 'add', operands: [{ kind: 'mem', size: 4 }, { kind: 'reg', size: 4 }],
    opSize: 4, addressSize: 0, stackSize: 0, mode: 0, rep: 0, vex: false,
  };

  it('has the same key for the same facts', () => {
    expect(formKey(add)).toBe(formKey({ ...add, operands: add.operands.map((operand) => ({ ...operand })) }));
  });

  it.each<Partial<Form>>([
    { mnemonic: 'adc' }, { operands: [{ kind: 'reg', size: 4 }, { kind: 'reg', size: 4 }] }, { opSize: 8 }, { addressSize: 2 }, { stackSize: 8 },
    { mode: 64 }, { rep: 0xf3 }, { rep: 0xf2 }, { vex: true },
  ])('has another key when %o', (difference) => {
    expect(formKey({ ...add, ...difference })).not.toBe(formKey(add));
  });
});
