/** CPUID feature bits by Linux's names. SDM vol 2A, CPUID, Table 3-8 ff.; APM vol 3, appendix E for leaf 0x80000001 */

type Register = 'eax' | 'ebx' | 'ecx' | 'edx';

export interface FeatureBit {
  readonly leaf: number;
  readonly subleaf: number;
  readonly register: Register;
  readonly bit: number;
}

const word = <Name extends string>(leaf: number, subleaf: number, register: Register, bits: Readonly<Record<Name, number>>): Record<Name, FeatureBit> =>
  Object.fromEntries(Object.entries<number>(bits).map(([name, bit]) => [name, { leaf, subleaf, register, bit }])) as Record<Name, FeatureBit>;

export const FEATURES = {
  ...word(1, 0, 'edx', {
    fpu: 0, vme: 1, de: 2, pse: 3, tsc: 4, msr: 5, pae: 6, mce: 7, cx8: 8, apic: 9, sep: 11, mtrr: 12, pge: 13, mca: 14, cmov: 15, pat: 16,
    pse36: 17, clflush: 19, mmx: 23, fxsr: 24, sse: 25, sse2: 26, ss: 27, ht: 28,
  }),
  ...word(1, 0, 'ecx', {
    sse3: 0, pclmulqdq: 1, monitor: 3, vmx: 5, ssse3: 9, fma: 12, cx16: 13, pcid: 17, sse4_1: 19, sse4_2: 20, x2apic: 21, movbe: 22, popcnt: 23,
    tsc_deadline: 24, aes: 25, xsave: 26, avx: 28, f16c: 29, rdrand: 30, hypervisor: 31,
  }),
  ...word(6, 0, 'eax', { arat: 2 }),
  ...word(7, 0, 'ebx', {
    fsgsbase: 0, tsc_adjust: 1, bmi1: 3, avx2: 5, smep: 7, bmi2: 8, erms: 9, invpcid: 10, rdseed: 18, adx: 19, smap: 20, clflushopt: 23, clwb: 24, sha_ni: 29,
  }),
  ...word(7, 0, 'ecx', { umip: 2, pku: 3, waitpkg: 5, la57: 16, rdpid: 22, movdiri: 27, movdir64b: 28, pks: 31 }),
  ...word(7, 0, 'edx', { fsrm: 4, serialize: 14, spec_ctrl: 26, arch_capabilities: 29 }),
  ...word(0xd, 1, 'eax', { xsaveopt: 0, xsavec: 1, xgetbv1: 2, xsaves: 3 }),
  ...word(0x8000_0001, 0, 'edx', { syscall: 11, nx: 20, pdpe1gb: 26, rdtscp: 27, lm: 29 }),
  ...word(0x8000_0001, 0, 'ecx', { lahf_lm: 0, abm: 5, '3dnowprefetch': 8 }),
  ...word(0x8000_0007, 0, 'edx', { nonstop_tsc: 8 }),
} as const;

export type FeatureName = keyof typeof FEATURES;
