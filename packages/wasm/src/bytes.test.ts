import { describe, expect, it } from 'vitest';
import { ByteWriter } from './bytes.ts';

function written(write: (out: ByteWriter) => void): number[] {
  const out = new ByteWriter(1); // so small that every test makes it grow
  write(out);
  return [...out.finish()];
}

describe('LEB128', () => {
  it.each([
    [0, [0x00]],
    [0x7f, [0x7f]],
    [0x80, [0x80, 0x01]],
    [624485, [0xe5, 0x8e, 0x26]],
    [0xffff_ffff, [0xff, 0xff, 0xff, 0xff, 0x0f]],
  ])('of unsigned %i', (value, bytes) => { expect(written((out) => { out.u32(value); })).toEqual(bytes); });

  it.each([
    [0, [0x00]],
    [63, [0x3f]],
    [64, [0xc0, 0x00]],
    [-1, [0x7f]],
    [-64, [0x40]],
    [-65, [0xbf, 0x7f]],
    [-123456, [0xc0, 0xbb, 0x78]],
    [-0x8000_0000, [0x80, 0x80, 0x80, 0x80, 0x78]],
  ])('of signed %i', (value, bytes) => {
    expect(written((out) => { out.s32(value); })).toEqual(bytes);
    expect(written((out) => { out.s64(value, value >> 31); })).toEqual(bytes);
  });

  it('of the extremes of 64 bits', () => {
    expect(written((out) => { out.s64(0, -0x8000_0000); })).toEqual([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f]);
    expect(written((out) => { out.s64(-1, 0x7fff_ffff); })).toEqual([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00]);
  });
});

describe('a byte writer', () => {
  it('puts the length in front of names and of sized content, counted in bytes', () => {
    expect(written((out) => { out.name('é'); })).toEqual([2, 0xc3, 0xa9]);
    const content = new ByteWriter();
    content.raw([1, 2, 3]);
    expect(written((out) => { out.sized(content); })).toEqual([3, 1, 2, 3]);
  });

  it('returns a copy that later writes do not change', () => {
    const out = new ByteWriter();
    out.u8(1);
    const first = out.finish();
    out.u8(2);
    expect([...first]).toEqual([1]);
  });
});
