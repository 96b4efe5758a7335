import { describe, expect, it } from 'vitest';
import { formatGpa, formatGva, gpa, gva, gvaFromWords, gvaHigh, gvaLow } from './addresses.ts';

describe('a linear address', () => {
  it.each([
    { words: [0, 0x1000], text: '0x00001000' },
    { words: [0, 0xffff_f000], text: '0xfffff000' },
    { words: [0x7fff, 0xffff_ffff], text: '0x00007fffffffffff' },
    { words: [0xffff_8000, 0], text: '0xffff800000000000' },
    { words: [0xffff_ffff, 0x8100_0123], text: '0xffffffff81000123' },
  ])('$text survives the way through words and back', ({ words: [high = 0, low = 0], text }) => {
    const address = gvaFromWords(high, low);
    expect([gvaHigh(address), gvaLow(address)]).toEqual([high, low]);
    expect(formatGva(address)).toBe(text);
  });

  it('of the kernel half is an exact negative number', () => {
    expect(gvaFromWords(0xffff_ffff, 0xffff_ffff)).toBe(-1);
    expect(gva(-1)).toBe(-1);
  });
});

describe('a physical address', () => {
  it('prints at least eight digits', () => {
    expect(formatGpa(gpa(0x10_0000))).toBe('0x00100000');
    expect(formatGpa(gpa(0x1_2345_6000))).toBe('0x123456000');
  });
});
