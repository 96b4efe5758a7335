import type { TranslationContext } from '@vmm/cpu';
import { INSTRUCTIONS } from '@vmm/isa';
import { RegionTranslator } from '@vmm/translator';
import { describe, expect, it } from 'vitest';
import { LOAD, multibootKernel } from '../multiboot.testing.ts';
import { Lockstep } from './lockstep.ts';
import type { Divergence, LockstepOptions } from './lockstep.ts';

/** Loops, calls, repeated instructions that cross pages, port reads, faults that return behind themselves, self-modification. */
const MIXED = `
    lgdt [gdtr]
    jmp 8:flat
flat:
    lidt [idtr]
    mov ebp, 3000
again:
    mov esi, 0x200000
    mov edi, 0x20a123
    mov ecx, 3000
    rep movsb
    mov ecx, 500
    mov eax, ebp
    rep stosd
    mov edi, 0x20a123
    mov ecx, 700
    repe scasb
    call leaf
    in al, 0x40
    rdtsc
    xor ebx, eax
    div dword [zero]
back:
    mov [patch + 1], ebx
patch: mov edx, 0x12345678
    add [0x200010], edx
    dec ebp
    jnz again
    jmp end
leaf:
    mov ecx, 200
again2: imul eax, eax, 1664525
    add eax, 1013904223
    xor ebx, eax
    inc dword [0x200400]
    loop again2
    ret
divide_error:
    mov dword [esp], back
    iretd
align 8
zero: dd 0
gdtr: dw 15
    dd gdt
gdt: dq 0, 0x00cf9b000000ffff
idtr: dw 7
    dd idt
idt: dw (divide_error & 0xffff), 8, 0x8e00, ${LOAD >>> 16}
end:`;

interface Outcome { readonly end: string | Divergence; readonly lockstep: Lockstep }

function run(code: string, options: Partial<LockstepOptions> = {}): Outcome {
  const lockstep = new Lockstep({ boot: { kernel: multibootKernel(code) }, memory: '4M', everyInstructions: 700, memoryEvery: 100_000, ...options });
  for (;;) {
    const end = lockstep.step();
    if (end !== 'running') return { end, lockstep };
  }
}

/** A translator that takes one instruction for another. */
function confused(mnemonic: string, taken: string): NonNullable<LockstepOptions['createTranslator']> {
  return (context: TranslationContext, tuning) => {
    const { blocks } = context;
    const lower: typeof blocks.lower = (inst, modeKey) => {
      const known = blocks.lower(inst, modeKey), other = INSTRUCTIONS[taken];
      return known.form.mnemonic === mnemonic && other !== undefined ? { entry: other, form: { ...known.form, mnemonic: taken } } : known;
    };
    const wrong = new Proxy(blocks, {
      get: (target, name) => {
        const value: unknown = name === 'lower' ? lower : Reflect.get(target, name, target);
        return typeof value === 'function' && name !== 'lower' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
      },
    });
    return new RegionTranslator({ ...context, blocks: wrong }, { hotThreshold: 10, batchSize: 1, batchDelayMs: 0, ...tuning });
  };
}

describe('lock-step', () => {
  it('finds nothing where interpreter and translator agree', { timeout: 60_000 }, () => {
    const { end, lockstep } = run(MIXED, { createTranslator: (context, tuning) => new RegionTranslator(context, { hotThreshold: 10, batchSize: 1, batchDelayMs: 0, ...tuning }) });
    expect(end).toBe('exit');
    expect(lockstep.counters.instructions).toBeGreaterThan(2_000_000);
    expect(lockstep.counters.comparisons).toBeGreaterThan(3000);
    expect(lockstep.counters.inputs).toBeGreaterThan(6000);
    expect(lockstep.counters.memoryComparisons).toBeGreaterThan(20);
  });

  it('names the first instruction that one engine gets wrong', { timeout: 60_000 }, () => {
    const { end } = run(MIXED, { createTranslator: confused('xor', 'or') });
    expect(end).toMatchObject({ culprit: { instruction: expect.stringMatching(/: xor ebx, eax$/) } });
    const { differences = [] } = (end as Divergence).culprit ?? {};
    expect(differences.map(({ register }) => register)).toContain('rbx');
  });

  it('finds an instruction that leaves wrong memory and right registers', { timeout: 60_000 }, () => {
    const { end } = run(`
      mov ecx, 5000
 again: inc dword [0x200400]
      dec ecx
      jnz again`, { createTranslator: confused('inc', 'neg'), memoryEvery: 1000 });
    expect(end).toMatchObject({ culprit: { instruction: expect.stringMatching(/: inc dword ptr ds:0x200400$/), memory: [expect.stringMatching(/^\[200400\]/)] } });
  });
});
