import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compareWithIced, compareWithObjdump, everyInstruction, everyString, Report } from './compare.ts';
import { classify, ICED_DIFFERENCES, OBJDUMP_DIFFERENCES } from './differences.ts';
import { readElf } from './elf.ts';
import { fillRandomStrings, randomSource } from './random.ts';
import { INVALID_VIEW } from './view.ts';

const LIBC = ['/lib/x86_64-linux-gnu/libc.so.6', '/usr/lib64/libc.so.6'].find((path) => existsSync(path));
const OBJDUMP = existsSync('/usr/bin/objdump');
const STRINGS = 70_000;

function reportOf(mode: 16 | 32 | 64): Report {
  const bytes = new Uint8Array(STRINGS * 16);
  fillRandomStrings(bytes, STRINGS, randomSource(mode));
  return compareWithIced(bytes, mode, everyString(STRINGS));
}

describe('the decoder and iced-x86', () => {
  it.each([16, 32, 64] as const)('agree on random byte strings of %i-bit code, known classes of difference aside', (mode) => {
    const report = reportOf(mode);
    expect(report.examples).toEqual([]);
    expect(report.valid).toBeGreaterThan(STRINGS / 2);
  }, 60_000);

  it.skipIf(LIBC === undefined)('agree on every instruction of the C library', () => {
    const report = new Report();
    for (const { bytes } of readElf(LIBC ?? '').sections) report.merge(compareWithIced(bytes, 64, everyInstruction(bytes, 64)));
    expect(report.examples).toEqual([]);
    expect(report.compared).toBeGreaterThan(100_000);
  }, 60_000);

  it('are reported where no class explains a difference', () => {
    const own = { valid: true, length: 2, mnemonic: 'add', operands: ['eax', 'ecx'], prefixes: '' };
    const difference = { mode: 64 as const, bytes: Uint8Array.of(1, 0xc8), own, other: { ...own, mnemonic: 'sub' }, features: [] };
    expect(classify(difference, ICED_DIFFERENCES)).toBeUndefined();
    expect(classify({ ...difference, other: INVALID_VIEW }, ICED_DIFFERENCES)).toBeUndefined();
  });
});

describe('the decoder and objdump', () => {
  it.skipIf(LIBC === undefined || !OBJDUMP).each(['intel', 'att'] as const)('print the same text for every instruction of the C library, in %s syntax', async (syntax) => {
    const report = await compareWithObjdump(['-d', LIBC ?? ''], 64, syntax);
    expect(report.examples).toEqual([]);
    expect(report.compared).toBeGreaterThan(100_000);
  }, 60_000);

  it('differ only by listed classes', () => {
    const difference = { mode: 64 as const, bytes: Uint8Array.of(0x48, 0x50), ownLength: 2 };
    expect(classify({ ...difference, own: 'push rax', other: 'rex.w push rax' }, OBJDUMP_DIFFERENCES)?.id).toBe('prefixes-spelled-out');
    expect(classify({ ...difference, own: 'push rax', other: 'lock push rax' }, OBJDUMP_DIFFERENCES)).toBeUndefined();
    expect(classify({ ...difference, own: 'movs byte ptr es:[rdi],byte ptr ds:[rsi]', other: 'rep movs byte ptr es:[rdi],byte ptr ds:[rsi]' }, OBJDUMP_DIFFERENCES)).toBeUndefined();
    expect(classify({ ...difference, own: 'push rax', other: 'push rcx' }, OBJDUMP_DIFFERENCES)).toBeUndefined();
  });
});
