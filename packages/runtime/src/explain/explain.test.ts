import { assemble } from '@vmm/assembler';
import { describe, expect, it } from 'vitest';
import { IS_PRIME } from './example.ts';
import { explain } from './explain.ts';
import { renderListing, renderRegion } from './render.ts';

describe('explain', () => {
  it.each([[32, 0x40_1000n], [64, 0x40_1000n], [64, 0xffff_ffff_8100_0ff0n], [32, 0xc100_0ff0n]] as const)('shows blocks and WebAssembly of %i-bit code at %i', (bits, address) => {
    const explanation = explain({ bytes: assemble(IS_PRIME, { org: 0x1000, bits }).bytes, address, bits });
    const { blocks, classes, region, module } = explanation;
    expect(blocks.map(({ address: at, instructions }) => [at - address, instructions.length])).toEqual(bits === 64 ? [[0n, 4], [11n, 5], [20n, 3], [26n, 2], [32n, 2]] : [[0n, 4], [11n, 5], [20n, 3], [25n, 2], [31n, 2]]);
    expect(blocks[1]?.successors.map((at) => at - (blocks[4]?.address ?? 0n))).toContain(0n);
    expect(classes).toEqual({ P: 11, M: 0, C: 5, S: 0 });
    expect(region?.lines.join('\n')).toMatch(/loop\n[^]*br_if|br \d/);
    expect(region?.lines.filter((line) => /div_s|rem_s/.test(line)).length).toBeGreaterThan(0);
    expect(WebAssembly.validate(Uint8Array.from(module ?? []))).toBe(true);
  });

  it('names the fields of the vCPU that generated code touches', () => {
    const text = renderRegion(explain({ bytes: assemble('again: add rax, [rbx]\ndec rcx\njnz again\nret', { org: 0x1000, bits: 64 }).bytes, address: 0x1000n, bits: 64 }));
    for (const name of ['rip', 'budget', 'rax', 'rcx']) expect(text).toContain(`;; ${name}\n`);
  });

  it('says what stays with the interpreter', () => {
    const explanation = explain({ bytes: assemble('xgetbv\nret', { org: 0x1000, bits: 32 }).bytes, address: 0x1000n, bits: 32 });
    expect(renderListing(explanation)).toBe(`2 instructions in 1 blocks: P 0, M 0, C 1, S 1

block 1000
  1000  0f 01 d0              S  xgetbv
  1003  c3                    C  ret
`);
    expect(renderRegion(explanation)).toBe('left to the interpreter\n');
  });
});
