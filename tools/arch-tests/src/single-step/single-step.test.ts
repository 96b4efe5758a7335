import { describe, expect, it } from 'vitest';
import { judge } from './compare.ts';
import { readMoo, REGISTERS } from './moo.ts';
import type { RegisterName, SingleStepCase } from './moo.ts';
import { RealModeCpu } from './real-mode.ts';

const ALL: Readonly<Record<RegisterName, number>> = {
  ax: 0x1234, bx: 0x2000, cx: 3, dx: 0, cs: 0x1000, ss: 0x3000, ds: 0x2000, es: 0x2000, sp: 0x100, bp: 0, si: 0x10, di: 0x20, ip: 0x40, flags: 2,
};
/** A case of one instruction and the HLT behind it. */
function singleStep(code: readonly number[], after: SingleStepCase['after'], before: Partial<Record<RegisterName, number>> = {}, memory: readonly (readonly [number, number])[] = []): SingleStepCase {
  const registers = { ...ALL, ...before }, at = registers.cs * 16 + registers.ip;
  return { name: '', code: Uint8Array.of(...code, 0xf4), hash: '', exception: undefined, after, before: { registers, memory: [...code.map((byte, i) => [at + i, byte] as const), [at + code.length, 0xf4], ...memory] } };
}

describe('a case', () => {
  const cpu = new RealModeCpu();
  it('agrees where registers, flags and memory do', () => {
    // add [bx], al
    const test = singleStep([0x00, 0x07], { registers: { ip: 0x43, flags: 0x86 }, memory: [[0x2_2000, 0x90]] }, { ax: 0x80 }, [[0x2_2000, 0x10]]);
    expect(judge(cpu, test).differences).toEqual([]);
  });
  it('says what differs', () => {
    const test = singleStep([0x00, 0x07], { registers: { ip: 0x44, flags: 3 }, memory: [[0x2_2000, 0x91]] }, { ax: 0x80 }, [[0x2_2000, 0x10]]);
    expect(judge(cpu, test).differences).toEqual(['ip: 286 43, ours 42', 'flags: 286 1, ours 84', 'memory 22000: 286 91, ours 90']);
  });
  it('runs a repeated instruction to its end', () => {
    const test = singleStep([0xf3, 0xaa], { registers: { ip: 0x43, cx: 0, di: 0x23 }, memory: [[0x2_0020, 0x34], [0x2_0021, 0x34], [0x2_0022, 0x34]] });
    expect(judge(cpu, test).differences).toEqual([]);
  });
  it('is left out where later processors are meant to differ', () => {
    expect(judge(cpu, singleStep([0xf0, 0x90], { registers: {}, memory: [] })).excluded).toContain('LOCK');
  });
});

describe('the file format', () => {
  it('is chunks within chunks', () => {
    const text = (tag: string): number[] => [...tag].map((c) => c.charCodeAt(0)), u32 = (value: number): number[] => [value & 255, value >> 8 & 255, value >> 16 & 255, value >>> 24];
    const chunk = (tag: string, bytes: readonly number[]): number[] => [...text(tag), ...u32(bytes.length), ...bytes];
    const mask = 1 << REGISTERS.indexOf('ax') | 1 << REGISTERS.indexOf('ip');
    const state = [...chunk('REGS', [mask & 255, mask >> 8, 0x34, 0x12, 0x78, 0x56]), ...chunk('RAM ', [...u32(1), ...u32(0x1_2345), 0xab])];
    const file = [...chunk('MOO ', Array.from({ length: 12 }, () => 0)), ...chunk('TEST', [...u32(0), ...chunk('NAME', [...u32(3), ...text('nop')]), ...chunk('BYTS', [...u32(2), 0x90, 0xf4]), ...chunk('INIT', state), ...chunk('EXCP', [6, ...u32(0x500)])])];
    const [test] = [...readMoo(Uint8Array.from(file))];
    expect(test).toEqual({ name: 'nop', code: Uint8Array.of(0x90, 0xf4), before: { registers: { ax: 0x1234, ip: 0x5678 }, memory: [[0x1_2345, 0xab]] }, after: { registers: {}, memory: [] }, exception: { vector: 6, flagsAt: 0x500 }, hash: '' });
  });
});
