import { describe, expect, it } from 'vitest';
import * as spec from './index.ts';

/** Groups whose every member is one bit of one register, so no two may share it. */
const singleBitGroups = {
  CR0: spec.CR0,
  CR4: spec.CR4,
  XCR0: spec.XCR0,
  EFER: spec.EFER,
  PAGE_FAULT: spec.PAGE_FAULT,
  CPUID_1_EDX: spec.CPUID_1_EDX,
  CPUID_1_ECX: spec.CPUID_1_ECX,
  CPUID_7_EBX: spec.CPUID_7_EBX,
  CPUID_7_ECX: spec.CPUID_7_ECX,
  CPUID_7_EDX: spec.CPUID_7_EDX,
  CPUID_80000001_EDX: spec.CPUID_80000001_EDX,
  CPUID_80000001_ECX: spec.CPUID_80000001_ECX,
  PCI_COMMAND: spec.PCI_COMMAND,
  PCI_STATUS: spec.PCI_STATUS,
};

describe('bit groups', () => {
  it.each(Object.entries(singleBitGroups))('%s gives every name a bit of its own', (_name, group) => {
    const bits: number[] = Object.values(group);
    for (const bit of bits) expect(Number.isInteger(Math.log2(bit)) && bit > 0).toBe(true);
    expect(new Set(bits).size).toBe(bits.length);
  });

  it('agree with the bit numbers in the figures where a slip would be costly', () => {
    expect(spec.CR0.PG).toBe(0x8000_0000);
    expect(spec.CR4.OSXSAVE).toBe(0x4_0000);
    expect(spec.EFER.LMA).toBe(0x400);
    expect(spec.STATUS_FLAGS).toBe(0x8d5);
    expect(spec.DESCRIPTOR.L | spec.DESCRIPTOR.DB | spec.DESCRIPTOR.G).toBe(0xe0_0000);
    expect(spec.PTE_HIGH.XD).toBe(0x8000_0000);
  });
});

describe('exceptions', () => {
  it('with an error code are DF, TS, NP, SS, GP, PF, AC, CP, VC and SX', () => {
    expect(vectorsOf(spec.VECTORS_WITH_ERROR_CODE)).toEqual([8, 10, 11, 12, 13, 14, 17, 21, 29, 30]);
  });

  it('that are contributory do not include page faults', () => {
    expect(vectorsOf(spec.CONTRIBUTORY_VECTORS)).toEqual([0, 10, 11, 12, 13, 21]);
  });
});

function vectorsOf(mask: number): number[] {
  return Array.from({ length: 32 }, (_, vector) => vector).filter((vector) => (mask & (1 << vector)) !== 0);
}
