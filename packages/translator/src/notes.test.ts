import { describe, expect, it } from 'vitest';
import { runFlat } from './flat-machine.testing.ts';

/** Code comes, is called until it is hot, and is overwritten, each time in another page. */
const generations = (bits: 32 | 64, count: number): string => `
        mov ebp, ${count}
        mov ebx, 0x240000
next:   mov esi, routine
        mov edi, ebx
        mov ecx, routine_end - routine
        rep movsb
        mov edx, 40
again:  call ${bits === 64 ? 'rbx' : 'ebx'}
        dec edx
        jnz again
        mov edi, ebx
        mov ecx, 32
        xor eax, eax
        rep stosb
        add ebx, 0x1000
        dec ebp
        jnz next
        hlt
        align 4096
routine: mov ecx, 50
inner:  inc eax
        dec ecx
        jnz inner
        ret
routine_end:`;

function notesAfter(bits: 32 | 64, count: number): { readonly deaths: number; readonly kept: number; readonly flushed: number } {
  let kept = -1, flushed = -1;
  const { result, counters } = runFlat(bits, generations(bits, count), 'translator', {
    onEnd: (vcpu, translator) => {
      kept = translator?.notes ?? -1;
      vcpu.blocks.flush();
      flushed = translator?.notes ?? -1;
    },
  });
  expect(result).toBe('halt');
  return { deaths: counters['regionDeaths'] ?? 0, kept, flushed };
}

describe.each([32, 64] as const)('what is remembered of %i-bit regions', (bits) => {
  it('does not grow with regions that are gone', () => {
    const few = notesAfter(bits, 5), many = notesAfter(bits, 60);
    expect(many.deaths).toBeGreaterThan(few.deaths + 20);
    expect(few.kept).toBeGreaterThan(0);
    expect(many.kept).toBeLessThanOrEqual(few.kept + 5);
    expect([few.flushed, many.flushed]).toEqual([0, 0]);
  });
});
