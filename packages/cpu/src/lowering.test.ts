import { decode, Instruction } from '@vmm/decoder';
import { describe, expect, it } from 'vitest';
import { isPlain } from './lowering.ts';
import { codeSizeOf, MODE } from './mode.ts';

const FLAT32 = MODE.CODE32 | MODE.STACK32 | MODE.PROTECTED | MODE.FLAT, LONG = MODE.CODE64 | MODE.PROTECTED, FLAT16 = MODE.CODE16 | MODE.PROTECTED | MODE.FLAT;
const plain = (bytes: readonly number[], modeKey: number): boolean => {
  const inst = new Instruction();
  expect(decode(Uint8Array.from(bytes), 0, bytes.length, codeSizeOf(modeKey), inst)).toBe(bytes.length);
  return isPlain(inst, modeKey);
};

describe('handlers for operands without segment and index', () => {
  it.each([
    ['mov eax, [ebx+4]', [0x8b, 0x43, 4]], ['mov eax, [esp+4], SS', [0x8b, 0x44, 0x24, 4]], ['mov eax, [disp32]', [0x8b, 0x05, 0, 0, 1, 0]], ['es: mov eax, [ebx]', [0x26, 0x8b, 0x03]], ['push eax', [0x50]], ['add eax, ebx', [0x01, 0xd8]],
  ])('serve %s in flat 32-bit code, and nowhere else', (_, bytes) => {
    expect(plain(bytes, FLAT32)).toBe(true);
    expect(plain(bytes, FLAT32 & ~MODE.FLAT)).toBe(false);
  });
  it.each([
    ['an index', [0x8b, 0x04, 0x8b]], ['FS', [0x64, 0x8b, 0x03]], ['GS', [0x65, 0x8b, 0x03]], ['CS, which cannot be written', [0x2e, 0x8b, 0x03]], ['addresses of 16 bits', [0x67, 0x8b, 0x07]],
  ])('do not serve %s', (_, bytes) => { expect(plain(bytes, FLAT32)).toBe(false); });
  it('serve RIP-relative operands, but not those with addresses of 32 bits or an index', () => {
    expect(plain([0x8b, 0x05, 0, 0, 1, 0], LONG)).toBe(true);
    expect(plain([0x67, 0x8b, 0x03], LONG)).toBe(false);
    expect(plain([0x8b, 0x04, 0x8b], LONG)).toBe(false);
  });
  it('do not serve 16-bit code, whatever its segments', () => { expect(plain([0x8b, 0x07], FLAT16)).toBe(false); });
});
