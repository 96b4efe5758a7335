import { expect, it } from 'vitest';
import { describeDivergence } from './lockstep-command.ts';

const divergence = { reason: 'the engines differ at the same instruction', instructions: 1234, differences: [{ register: 'rax', values: ['1', '2'] as const }], memory: [], recent: ['1000: xor eax, ebx'] };

it('a divergence is told with the first wrong instruction, what it did and what was before it', () => {
  const culprit = { instruction: '1000: xor eax, ebx', stretch: ['fff: nop', '1000: xor eax, ebx'], before: ['rip 1000'], differences: [{ register: 'rflags', values: ['2', '46'] as const }], memory: ['[2000] 1 / 2'] };
  expect(describeDivergence({ ...divergence, culprit })).toBe(`diverged after 1234 instructions: the engines differ at the same instruction
  rax      translator 1, interpreter 2
first diverging instruction: 1000: xor eax, ebx
  rflags   translator 2, interpreter 46
  memory [2000] 1 / 2
registers before it:
  rip 1000
instructions up to it:
  fff: nop
  1000: xor eax, ebx
`);
});

it('a divergence that does not come again is told with the interpreter\'s last instructions', () => {
  expect(describeDivergence({ ...divergence, culprit: undefined })).toMatch(/last instructions of the interpreter:\n {2}1000: xor eax, ebx\nnot seen again/);
});
