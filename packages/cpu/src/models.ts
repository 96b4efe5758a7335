/** CPU models as data: who the CPU says it is. What it then offers is the model's features as far as they are implemented. */
import { VmmError } from '@vmm/spec';
import { FEATURES } from './cpuid-bits.ts';
import type { FeatureName } from './cpuid-bits.ts';
import type { LastBranchLayout } from './last-branches.ts';

/** One level of cache for CPUID leaf 4. */
export interface CacheLevel {
  readonly level: 1 | 2 | 3;
  readonly type: 'data' | 'instruction' | 'unified';
  readonly sizeKiB: number;
  readonly ways: number;
}

export interface CpuModel {
  readonly name: string;
  /** 12 characters. */
  readonly vendor: string;
  /** Up to 47 characters. */
  readonly brand: string;
  readonly family: number;
  readonly model: number;
  readonly stepping: number;
  readonly physicalBits: number;
  readonly linearBits: number;
  readonly maxLeaf: number;
  readonly maxExtendedLeaf: number;
  readonly caches: readonly CacheLevel[];
  readonly lastBranches: LastBranchLayout;
  readonly features: readonly FeatureName[];
}

const BRAND = 'VMM virtual CPU';
const VENDOR = 'GenuineIntel';
const CACHES: readonly CacheLevel[] = [
  { level: 1, type: 'data', sizeKiB: 32, ways: 8 }, { level: 1, type: 'instruction', sizeKiB: 32, ways: 8 }, { level: 2, type: 'unified', sizeKiB: 4096, ways: 16 },
];

const PENTIUM3: readonly FeatureName[] = [
  'fpu', 'vme', 'de', 'pse', 'tsc', 'msr', 'pae', 'mce', 'cx8', 'apic', 'sep', 'mtrr', 'pge', 'mca', 'cmov', 'pat', 'pse36', 'mmx', 'fxsr', 'sse',
];
const CORE2: readonly FeatureName[] = [
  ...PENTIUM3, 'clflush', 'sse2', 'ss', 'sse3', 'monitor', 'ssse3', 'cx16', 'syscall', 'nx', 'lm', 'lahf_lm',
];
/** Nothing here speculates, and kernels believe it when ARCH_CAPABILITIES says so: they switch their mitigations off. */
const SAFE: readonly FeatureName[] = ['arch_capabilities', 'spec_ctrl'];
const V2: readonly FeatureName[] = [...CORE2, 'sse4_1', 'sse4_2', 'popcnt', 'rdtscp', 'pcid', 'x2apic', 'tsc_deadline', 'arat', 'nonstop_tsc', 'tsc_adjust', ...SAFE];
const V3: readonly FeatureName[] = [
  ...V2, 'avx', 'avx2', 'bmi1', 'bmi2', 'f16c', 'fma', 'abm', 'movbe', 'xsave', 'xsaveopt', 'aes', 'pclmulqdq', 'rdrand', 'fsgsbase', 'smep', 'erms', 'invpcid',
  'pdpe1gb',
];
const HOST_LIKE: readonly FeatureName[] = [
  ...V3, 'rdseed', 'adx', 'smap', 'clflushopt', 'clwb', 'sha_ni', 'umip', 'pku', 'la57', 'rdpid', 'xsavec', 'xgetbv1', 'xsaves', 'fsrm', 'serialize', 'waitpkg', 'pks', 'movdiri',
  'movdir64b', '3dnowprefetch',
];
/** The default models pose as Bonnell (family 6, model 1CH): in-order, so that kernels see no speculation flaws and switch no mitigation on. */
const DEFAULT32: readonly FeatureName[] = [
  'fpu', 'vme', 'de', 'pse', 'tsc', 'msr', 'pae', 'cx8', 'apic', 'sep', 'mtrr', 'pge', 'cmov', 'pat', 'clflush', 'mmx', 'fxsr', 'sse', 'sse2', 'nx',
  'arat', 'nonstop_tsc', 'tsc_adjust', 'tsc_deadline',
];
const DEFAULT64: readonly FeatureName[] = [...DEFAULT32, 'pse36', 'cx16', 'syscall', 'lm', 'lahf_lm', 'rdtscp', 'fsgsbase', '3dnowprefetch'];

/** SDM vol 4, the tables of each family: P6, Core 2, Atom, Nehalem, Haswell and later. */
const LAST_BRANCHES = {
  p6: { count: 1, from: 0x1db, to: 0x1dc }, core2: { count: 4, from: 0x40, to: 0x60, top: 0x1c9 }, atom: { count: 8, from: 0x40, to: 0x60, top: 0x1c9 },
  nehalem: { count: 16, from: 0x680, to: 0x6c0, top: 0x1c9, select: { msr: 0x1c8, bits: 0x1ff } }, haswell: { count: 16, from: 0x680, to: 0x6c0, top: 0x1c9, select: { msr: 0x1c8, bits: 0x3ff } },
} as const satisfies Readonly<Record<string, LastBranchLayout>>;

const base = { vendor: VENDOR, brand: BRAND, caches: CACHES, linearBits: 48, physicalBits: 40, maxExtendedLeaf: 0x8000_0008, lastBranches: LAST_BRANCHES.haswell } as const;

export const CPU_MODELS = {
  default32: { ...base, name: 'default32', family: 6, model: 0x1c, stepping: 10, physicalBits: 36, linearBits: 32, maxLeaf: 0x16, lastBranches: LAST_BRANCHES.atom, features: DEFAULT32 },
  default64: { ...base, name: 'default64', family: 6, model: 0x1c, stepping: 10, maxLeaf: 0x16, lastBranches: LAST_BRANCHES.atom, features: DEFAULT64 },
  pentium3: { ...base, name: 'pentium3', brand: 'VMM virtual Pentium III', family: 6, model: 8, stepping: 10, physicalBits: 36, linearBits: 32, maxLeaf: 2, lastBranches: LAST_BRANCHES.p6, features: PENTIUM3 },
  core2: { ...base, name: 'core2', brand: 'VMM virtual Core 2', family: 6, model: 15, stepping: 11, physicalBits: 36, maxLeaf: 0xa, lastBranches: LAST_BRANCHES.core2, features: CORE2 },
  'x86-64-v2': { ...base, name: 'x86-64-v2', brand: 'VMM virtual CPU, x86-64-v2', family: 6, model: 0x25, stepping: 5, maxLeaf: 0x16, lastBranches: LAST_BRANCHES.nehalem, features: V2 },
  'x86-64-v3': { ...base, name: 'x86-64-v3', brand: 'VMM virtual CPU, x86-64-v3', family: 6, model: 0x3d, stepping: 4, maxLeaf: 0x16, features: V3 },
  'host-like': { ...base, name: 'host-like', brand: 'VMM virtual CPU, all features', family: 6, model: 0x8f, stepping: 8, physicalBits: 46, linearBits: 57, maxLeaf: 0x16, features: HOST_LIKE },
} as const satisfies Readonly<Record<string, CpuModel>>;

export type CpuModelName = keyof typeof CPU_MODELS;

const isFeature = (name: string): name is FeatureName => Object.hasOwn(FEATURES, name);

/**
 * The CPU of one machine: a model's name, then features to add or to take away, as in `x86-64-v3,-avx2,+pku`. Features that nothing implements stay away
 * whatever is asked. Throws `VmmError` CPU_INVALID.
 */
export function cpuModel(text: string): CpuModel {
  const [name = '', ...changes] = text.split(','), model = Object.entries(CPU_MODELS).find(([known]) => known === name)?.[1];
  if (model === undefined) throw new VmmError('CPU_INVALID', `Cannot use cpu "${name}"`, { hint: `Choose one of: ${Object.keys(CPU_MODELS).join(', ')}.` });
  if (changes.length === 0) return model;
  const features = new Set<FeatureName>(model.features);
  for (const change of changes) {
    const feature = change.slice(1);
    if (!/^[+-]/.test(change) || !isFeature(feature)) {
      throw new VmmError('CPU_INVALID', `Cannot change cpu feature "${change}"`, { hint: `Write + or - and one of: ${Object.keys(FEATURES).join(', ')}.` });
    }
    if (change.startsWith('+')) features.add(feature);
    else features.delete(feature);
  }
  return { ...model, features: [...features] };
}
