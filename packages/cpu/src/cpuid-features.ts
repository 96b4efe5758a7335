/** CPUID feature bits by Linux's names. SDM vol 2A, CPUID, Table 3-8 ff.; APM vol 3, appendix E for leaf 0x80000001 */
import { rows } from '@vmm/decoder';
import { entryFor } from './lowering.ts';

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

/** Implemented by MMU, chips and the system half. Whoever implements another adds it here, and the models that have it come alive. */
const SYSTEM_FEATURES: readonly FeatureName[] = [
  'vme', 'de', 'pse', 'pae', 'mce', 'apic', 'mtrr', 'pge', 'mca', 'pat', 'pse36', 'ss', 'ht', 'pcid', 'x2apic', 'tsc_deadline', 'hypervisor', 'arat', 'tsc_adjust',
  'smep', 'umip', 'la57', 'spec_ctrl', 'arch_capabilities', 'nx', 'pdpe1gb', 'lm', 'lahf_lm', 'nonstop_tsc', 'pks', 'xgetbv1', 'erms', 'fsrm',
];
/** Instructions that have a bit of their own. */
const INSTRUCTION_FEATURES: readonly FeatureName[] = [
  'fpu', 'tsc', 'msr', 'cx8', 'sep', 'cmov', 'clflush', 'mmx', 'fxsr', 'sse', 'sse2', 'sse3', 'pclmulqdq', 'ssse3', 'fma', 'cx16', 'sse4_1', 'sse4_2', 'movbe', 'popcnt',
  'aes', 'xsave', 'avx', 'f16c', 'rdrand', 'fsgsbase', 'bmi1', 'avx2', 'bmi2', 'invpcid', 'rdseed', 'adx', 'smap', 'clflushopt', 'clwb', 'sha_ni', 'pku', 'waitpkg', 'rdpid',
  'serialize', 'xsaveopt', 'xsavec', 'xsaves', 'monitor', 'movdiri', 'movdir64b', 'syscall', 'rdtscp', 'abm', '3dnowprefetch',
];
/** Where the decoder's rows name a feature otherwise than Linux does. */
const DECODER_NAMES: Readonly<Partial<Record<FeatureName, string>>> = { abm: 'lzcnt', clflush: 'clfsh', sha_ni: 'sha' };

let implemented: ReadonlySet<FeatureName> | undefined;

/**
 * What exists today: the system features above, and every instruction set of which no instruction is missing. A model that promises more is
 * masked with this, so that no guest is told of an instruction that would raise #UD.
 */
export function implementedFeatures(): ReadonlySet<FeatureName> {
  if (implemented) return implemented;
  const incomplete = new Set(rows.filter((row) => entryFor(row) === undefined).map((row) => row.feature));
  implemented = new Set([...SYSTEM_FEATURES, ...INSTRUCTION_FEATURES.filter((name) => !incomplete.has(DECODER_NAMES[name] ?? name))]);
  return implemented;
}

/** What no CPU refuses: instructions without a bit, and those that older CPUs execute as no-operation or as the instruction without prefix. */
const UNCONDITIONAL: ReadonlySet<string> = new Set(['base', '3dnowprefetch', 'prefetchwt1', 'cet_ibt', 'cet_ss', 'wbnoinvd']);
const LINUX_NAMES: ReadonlyMap<string, FeatureName> = new Map(Object.entries(DECODER_NAMES).map(([name, decoder]) => [decoder, name as FeatureName]));

/** Whether an instruction of this feature, by the decoder's name, exists on a CPU with these features. */
export function hasDecoderFeature(features: ReadonlySet<FeatureName>, name: string): boolean {
  return UNCONDITIONAL.has(name) || features.has(LINUX_NAMES.get(name) ?? name as FeatureName);
}
