import { expect } from 'vitest';
import { decode, formatInstruction, Instruction } from './index.ts';

export function bytesOf(hexText: string): Uint8Array {
  return Uint8Array.from(hexText.trim().split(/\s+/), (byte) => parseInt(byte, 16));
}

/** Decodes and insists that every byte was used. */
export function decoded(hexText: string, mode: 16 | 32 | 64 = 64): Instruction {
  const bytes = bytesOf(hexText);
  const inst = new Instruction();
  expect(decode(bytes, 0, bytes.length, mode, inst), hexText).toBe(bytes.length);
  return inst;
}

export function expectDecoded(hexText: string, text: string, mode: 16 | 32 | 64 = 64, address = 0): void {
  expect(formatInstruction(decoded(hexText, mode), { address })).toBe(text);
}

export function expectInvalid(hexText: string, mode: 16 | 32 | 64 = 64): void {
  const bytes = bytesOf(`${hexText} 90 90 90 90 90 90 90 90 90 90 90 90`);
  expect(decode(bytes, 0, bytes.length, mode, new Instruction()), hexText).toBe(-1);
}
