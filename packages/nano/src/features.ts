/** Names of CPUID feature bits in the order of the FEATURE_n variables, from the manual's own names. */
import { CPUID_1_ECX, CPUID_1_EDX, CPUID_7_EBX, CPUID_7_ECX, CPUID_80000001_ECX, CPUID_80000001_EDX } from '@vmm/spec';

const FEATURE_WORDS = [CPUID_1_EDX, CPUID_1_ECX, CPUID_7_EBX, CPUID_7_ECX, CPUID_80000001_EDX, CPUID_80000001_ECX] as const;

/** Rows for the monitor: word, bit, name, 0; ended by FFH. A name that an earlier word has is not repeated. */
export function featureTable(): string {
  const seen = new Set<string>();
  const rows: string[] = [];
  FEATURE_WORDS.forEach((word, index) => {
    for (const [name, mask] of Object.entries(word)) {
      if (seen.has(name) || (mask & (mask - 1)) !== 0) continue;
      seen.add(name);
      rows.push(`  db ${index}, ${31 - Math.clz32(mask)}, "${name.toLowerCase()}", 0`);
    }
  });
  return [...rows, '  db 0xff'].join('\n');
}
