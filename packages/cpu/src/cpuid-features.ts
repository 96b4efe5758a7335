/** Which CPUID features something here implements. */
import { rows } from '@vmm/decoder';
import type { FeatureName } from './cpuid-bits.ts';
import { entryFor } from './lowering.ts';

export { FEATURES } from './cpuid-bits.ts';
export type { FeatureBit, FeatureName } from './cpuid-bits.ts';

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

/** Whether a CPU with these features has an instruction, by the decoder's names. Hypercalls need no VMX or SVM: whoever is told of a hypervisor may call it. */
export function hasInstruction(features: ReadonlySet<FeatureName>, { mnemonic, feature }: { readonly mnemonic: string; readonly feature: string }): boolean {
  return UNCONDITIONAL.has(feature) || features.has(LINUX_NAMES.get(feature) ?? feature as FeatureName)
    || (mnemonic === 'vmcall' || mnemonic === 'vmmcall') && features.has('hypervisor');
}
