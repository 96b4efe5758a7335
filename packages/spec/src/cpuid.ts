/** SDM vol 2A, CPUID: leaf numbers. */
export const CPUID_LEAF = {
  VENDOR: 0x0,
  FEATURES: 0x1,
  CACHE_DESCRIPTORS: 0x2,
  SERIAL_NUMBER: 0x3,
  CACHE_PARAMETERS: 0x4,
  MONITOR: 0x5,
  POWER: 0x6,
  STRUCTURED_FEATURES: 0x7,
  PERFORMANCE: 0xa,
  TOPOLOGY: 0xb,
  XSAVE: 0xd,
  TSC: 0x15,
  FREQUENCY: 0x16,
  /** Reserved for hypervisors by both vendors. */
  HYPERVISOR: 0x4000_0000,
  EXTENDED_MAX: 0x8000_0000,
  EXTENDED_FEATURES: 0x8000_0001,
  BRAND_0: 0x8000_0002,
  BRAND_1: 0x8000_0003,
  BRAND_2: 0x8000_0004,
  L1_CACHE: 0x8000_0005,
  L2_CACHE: 0x8000_0006,
  ADVANCED_POWER: 0x8000_0007,
  ADDRESS_SIZES: 0x8000_0008,
  SVM: 0x8000_000a,
} as const;

/** SDM vol 2A, CPUID, Table 3-11: leaf 1 EDX. */
export const CPUID_1_EDX = {
  FPU: 1 << 0,
  VME: 1 << 1,
  DE: 1 << 2,
  PSE: 1 << 3,
  TSC: 1 << 4,
  MSR: 1 << 5,
  PAE: 1 << 6,
  MCE: 1 << 7,
  CX8: 1 << 8,
  APIC: 1 << 9,
  SEP: 1 << 11,
  MTRR: 1 << 12,
  PGE: 1 << 13,
  MCA: 1 << 14,
  CMOV: 1 << 15,
  PAT: 1 << 16,
  PSE36: 1 << 17,
  PSN: 1 << 18,
  CLFSH: 1 << 19,
  DS: 1 << 21,
  ACPI: 1 << 22,
  MMX: 1 << 23,
  FXSR: 1 << 24,
  SSE: 1 << 25,
  SSE2: 1 << 26,
  SS: 1 << 27,
  HTT: 1 << 28,
  TM: 1 << 29,
  PBE: (1 << 31) >>> 0,
} as const;

/** SDM vol 2A, CPUID, Table 3-10: leaf 1 ECX. Bit 31 is the hypervisor's (both vendors leave it clear). */
export const CPUID_1_ECX = {
  SSE3: 1 << 0,
  PCLMULQDQ: 1 << 1,
  DTES64: 1 << 2,
  MONITOR: 1 << 3,
  DS_CPL: 1 << 4,
  VMX: 1 << 5,
  SMX: 1 << 6,
  EIST: 1 << 7,
  TM2: 1 << 8,
  SSSE3: 1 << 9,
  FMA: 1 << 12,
  CMPXCHG16B: 1 << 13,
  XTPR: 1 << 14,
  PDCM: 1 << 15,
  PCID: 1 << 17,
  DCA: 1 << 18,
  SSE4_1: 1 << 19,
  SSE4_2: 1 << 20,
  X2APIC: 1 << 21,
  MOVBE: 1 << 22,
  POPCNT: 1 << 23,
  TSC_DEADLINE: 1 << 24,
  AESNI: 1 << 25,
  XSAVE: 1 << 26,
  OSXSAVE: 1 << 27,
  AVX: 1 << 28,
  F16C: 1 << 29,
  RDRAND: 1 << 30,
  HYPERVISOR: (1 << 31) >>> 0,
} as const;

/** SDM vol 2A, CPUID: leaf 7 subleaf 0 EBX. */
export const CPUID_7_EBX = {
  FSGSBASE: 1 << 0,
  TSC_ADJUST: 1 << 1,
  SGX: 1 << 2,
  BMI1: 1 << 3,
  HLE: 1 << 4,
  AVX2: 1 << 5,
  FDP_EXCPTN_ONLY: 1 << 6,
  SMEP: 1 << 7,
  BMI2: 1 << 8,
  ERMS: 1 << 9,
  INVPCID: 1 << 10,
  RTM: 1 << 11,
  /** FPU CS and DS are deprecated: saved as zero. */
  FCS_FDS_DEPRECATED: 1 << 13,
  MPX: 1 << 14,
  AVX512F: 1 << 16,
  AVX512DQ: 1 << 17,
  RDSEED: 1 << 18,
  ADX: 1 << 19,
  SMAP: 1 << 20,
  CLFLUSHOPT: 1 << 23,
  CLWB: 1 << 24,
  SHA: 1 << 29,
} as const;

/** SDM vol 2A, CPUID: leaf 7 subleaf 0 ECX. */
export const CPUID_7_ECX = {
  UMIP: 1 << 2,
  PKU: 1 << 3,
  OSPKE: 1 << 4,
  WAITPKG: 1 << 5,
  CET_SS: 1 << 7,
  GFNI: 1 << 8,
  VAES: 1 << 9,
  VPCLMULQDQ: 1 << 10,
  LA57: 1 << 16,
  RDPID: 1 << 22,
  PKS: (1 << 31) >>> 0,
} as const;

/** SDM vol 2A, CPUID: leaf 7 subleaf 0 EDX. */
export const CPUID_7_EDX = {
  FSRM: 1 << 4,
  MD_CLEAR: 1 << 10,
  SERIALIZE: 1 << 14,
  CET_IBT: 1 << 20,
  IBRS_IBPB: 1 << 26,
  STIBP: 1 << 27,
  L1D_FLUSH: 1 << 28,
  ARCH_CAPABILITIES: 1 << 29,
  SSBD: (1 << 31) >>> 0,
} as const;

/** SDM vol 2A, CPUID: leaf 0DH subleaf 1 EAX. */
export const CPUID_D1_EAX = {
  XSAVEOPT: 1 << 0,
  XSAVEC: 1 << 1,
  XGETBV_ECX1: 1 << 2,
  XSAVES: 1 << 3,
} as const;

/** SDM vol 2A, CPUID: leaf 80000001H EDX. AMD repeats the leaf 1 bits here; only the additional ones are listed. */
export const CPUID_80000001_EDX = {
  SYSCALL: 1 << 11,
  NX: 1 << 20,
  MMXEXT: 1 << 22,
  FFXSR: 1 << 25,
  PAGE1GB: 1 << 26,
  RDTSCP: 1 << 27,
  LM: 1 << 29,
} as const;

/** SDM vol 2A, CPUID, and APM vol 3, appendix E.4.2: leaf 80000001H ECX. */
export const CPUID_80000001_ECX = {
  LAHF64: 1 << 0,
  CMP_LEGACY: 1 << 1,
  SVM: 1 << 2,
  CR8_LEGACY: 1 << 4,
  LZCNT: 1 << 5,
  SSE4A: 1 << 6,
  MISALIGNSSE: 1 << 7,
  PREFETCHW: 1 << 8,
} as const;

/** SDM vol 2A, CPUID: leaf 80000007H EDX. */
export const CPUID_80000007_EDX = {
  INVARIANT_TSC: 1 << 8,
} as const;

/** SDM vol 2A, CPUID: leaf 6 EAX. */
export const CPUID_6_EAX = {
  /** The local APIC timer runs at a constant rate in every power state. */
  ARAT: 1 << 2,
} as const;
