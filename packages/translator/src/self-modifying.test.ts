import { describe, expect, it } from 'vitest';
import { CODE, runFlat } from './flat-machine.testing.ts';

/** EAX counts what the code did; each program changes code that has run, and been translated, before. */
const PROGRAMS: readonly { name: string; source: string; eax: bigint }[] = [
  {
    name: 'an immediate in the next instruction',
    source: `mov ecx, 200
             xor eax, eax
      again: mov [patch+1], ecx
      patch: mov edx, 0x11111111
             add eax, edx
             dec ecx
             jnz again
             hlt`,
    eax: 20100n,
  },
  {
    name: 'an instruction behind in the same block',
    source: `mov ecx, 100
             xor eax, eax
      again:
      patch: add eax, 1
             xor byte ptr [patch+2], 3
             dec ecx
             jnz again
             hlt`,
    eax: 150n,
  },
  {
    name: 'an opcode, so that a loop ends itself',
    source: `mov ecx, 1000
             xor eax, eax
      again: inc eax
             cmp eax, 500
             jnz skip
             mov byte ptr [patch], 0xf4
      skip:
      patch: nop
             dec ecx
             jnz again
             hlt`,
    eax: 500n,
  },
  {
    name: 'data in the same page as hot code, without harm',
    source: `mov ecx, 2000
             xor eax, eax
      again: inc dword ptr [counter]
             add eax, [counter]
             dec ecx
             jnz again
             hlt
             align 64
    counter: dd 0`,
    eax: 2001000n,
  },
];

describe.each(['interpreter', 'translator'] as const)('self-modifying code in the %s', (engine) => {
  it.each(PROGRAMS)('sees a change of $name', ({ source, eax }) => {
    const run = runFlat(32, source, engine);
    expect({ result: run.result, eax: run.registers.general['rax'] }).toEqual({ result: 'halt', eax });
  });

  it('runs a function as it was last written, wherever it lies', () => {
    // imm32 form: 05 id; the store hits the immediate
    const source = `mov ecx, 300
                    xor eax, eax
             again: call far_away
                    mov [far_away+1], ecx
                    dec ecx
                    jnz again
                    hlt
                    align 4096
          far_away: add eax, 0x1000000
                    ret`;
    // first call adds 0x1000000, the others 300, 299 … 2
    const run = runFlat(32, source, engine);
    expect(run.registers.general['rax']).toBe(BigInt(0x100_0000 + (300 * 301) / 2 - 1));
    expect(run.registers.rip).toBeGreaterThan(BigInt(CODE));
  });
});
