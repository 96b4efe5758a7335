/** SDM vol 4 §2.1 (architectural MSRs); names are the manual's without the IA32_ prefix. AMD-only ones: APM vol 2, appendix A. */
export const MSR = {
  P5_MC_ADDR: 0x0,
  P5_MC_TYPE: 0x1,
  TIME_STAMP_COUNTER: 0x10,
  PLATFORM_ID: 0x17,
  APIC_BASE: 0x1b,
  FEATURE_CONTROL: 0x3a,
  TSC_ADJUST: 0x3b,
  SPEC_CTRL: 0x48,
  PRED_CMD: 0x49,
  BIOS_UPDT_TRIG: 0x79,
  BIOS_SIGN_ID: 0x8b,
  PMC0: 0xc1,
  MPERF: 0xe7,
  APERF: 0xe8,
  MTRRCAP: 0xfe,
  ARCH_CAPABILITIES: 0x10a,
  FLUSH_CMD: 0x10b,
  SYSENTER_CS: 0x174,
  SYSENTER_ESP: 0x175,
  SYSENTER_EIP: 0x176,
  MCG_CAP: 0x179,
  MCG_STATUS: 0x17a,
  MCG_CTL: 0x17b,
  PERFEVTSEL0: 0x186,
  PERF_STATUS: 0x198,
  PERF_CTL: 0x199,
  CLOCK_MODULATION: 0x19a,
  THERM_INTERRUPT: 0x19b,
  THERM_STATUS: 0x19c,
  MISC_ENABLE: 0x1a0,
  ENERGY_PERF_BIAS: 0x1b0,
  DEBUGCTL: 0x1d9,
  LASTBRANCHFROMIP: 0x1db,
  LASTBRANCHTOIP: 0x1dc,
  LASTINTFROMIP: 0x1dd,
  LASTINTTOIP: 0x1de,
  /** PHYSBASEn is 0x200 + 2n, PHYSMASKn the one after it. */
  MTRR_PHYSBASE0: 0x200,
  MTRR_PHYSMASK0: 0x201,
  MTRR_FIX64K_00000: 0x250,
  MTRR_FIX16K_80000: 0x258,
  MTRR_FIX16K_A0000: 0x259,
  /** Eight registers of 32 KiB each, 0xC0000 to 0xFFFFF. */
  MTRR_FIX4K_C0000: 0x268,
  MTRR_FIX4K_F8000: 0x26f,
  PAT: 0x277,
  MTRR_DEF_TYPE: 0x2ff,
  FIXED_CTR0: 0x309,
  PERF_GLOBAL_STATUS: 0x38e,
  PERF_GLOBAL_CTRL: 0x38f,
  /** MCi_CTL, _STATUS, _ADDR, _MISC repeat every four. */
  MC0_CTL: 0x400,
  MC0_STATUS: 0x401,
  MC0_ADDR: 0x402,
  MC0_MISC: 0x403,
  VMX_BASIC: 0x480,
  VMX_PINBASED_CTLS: 0x481,
  VMX_PROCBASED_CTLS: 0x482,
  VMX_EXIT_CTLS: 0x483,
  VMX_ENTRY_CTLS: 0x484,
  VMX_MISC: 0x485,
  VMX_CR0_FIXED0: 0x486,
  VMX_CR0_FIXED1: 0x487,
  VMX_CR4_FIXED0: 0x488,
  VMX_CR4_FIXED1: 0x489,
  VMX_VMCS_ENUM: 0x48a,
  VMX_PROCBASED_CTLS2: 0x48b,
  VMX_EPT_VPID_CAP: 0x48c,
  VMX_TRUE_PINBASED_CTLS: 0x48d,
  VMX_TRUE_PROCBASED_CTLS: 0x48e,
  VMX_TRUE_EXIT_CTLS: 0x48f,
  VMX_TRUE_ENTRY_CTLS: 0x490,
  VMX_VMFUNC: 0x491,
  DS_AREA: 0x600,
  TSC_DEADLINE: 0x6e0,
  /** x2APIC: register at xAPIC offset n is MSR 0x800 + (n >> 4). */
  X2APIC_BASE: 0x800,
  XSS: 0xda0,
  EFER: 0xc000_0080,
  STAR: 0xc000_0081,
  LSTAR: 0xc000_0082,
  CSTAR: 0xc000_0083,
  FMASK: 0xc000_0084,
  FS_BASE: 0xc000_0100,
  GS_BASE: 0xc000_0101,
  KERNEL_GS_BASE: 0xc000_0102,
  TSC_AUX: 0xc000_0103,
  AMD_SYSCFG: 0xc001_0010,
  AMD_HWCR: 0xc001_0015,
  AMD_VM_CR: 0xc001_0114,
  AMD_VM_HSAVE_PA: 0xc001_0117,
} as const;

/** SDM vol 3A §2.2.1, Table 2-1; SVME and later: APM vol 2 §3.1.7. */
export const EFER = {
  SCE: 1 << 0,
  LME: 1 << 8,
  LMA: 1 << 10,
  NXE: 1 << 11,
  SVME: 1 << 12,
  LMSLE: 1 << 13,
  FFXSR: 1 << 14,
} as const;

/** SDM vol 3A §11.4.4 (local APIC status and location), low word. */
export const APIC_BASE = {
  BSP: 1 << 8,
  X2APIC_ENABLE: 1 << 10,
  GLOBAL_ENABLE: 1 << 11,
  ADDRESS_MASK: 0xffff_f000,
  DEFAULT_ADDRESS: 0xfee0_0000,
} as const;

/** SDM vol 4, Table 2-2: MISC_ENABLE, low word. */
export const MISC_ENABLE = {
  FAST_STRINGS: 1 << 0,
  AUTOMATIC_THERMAL_CONTROL: 1 << 3,
  PERFORMANCE_MONITORING: 1 << 7,
  BTS_UNAVAILABLE: 1 << 11,
  PEBS_UNAVAILABLE: 1 << 12,
  ENHANCED_SPEEDSTEP: 1 << 16,
  MONITOR_FSM: 1 << 18,
  LIMIT_CPUID_MAXVAL: 1 << 22,
  XTPR_MESSAGE_DISABLE: 1 << 23,
} as const;

/** SDM vol 4, Table 2-2: FEATURE_CONTROL. */
export const FEATURE_CONTROL = {
  LOCK: 1 << 0,
  VMX_INSIDE_SMX: 1 << 1,
  VMX_OUTSIDE_SMX: 1 << 2,
} as const;

/** SDM vol 3B §18.4.1: DEBUGCTL. */
export const DEBUGCTL = {
  LBR: 1 << 0,
  BTF: 1 << 1,
} as const;

/** SDM vol 3B §18.9.2, §18.11: LBR_SELECT, the branches that are left out; EN_CALLSTACK makes records a stack of near calls. */
export const LBR_SELECT = {
  CPL_EQ_0: 1 << 0,
  CPL_NEQ_0: 1 << 1,
  JCC: 1 << 2,
  NEAR_REL_CALL: 1 << 3,
  NEAR_IND_CALL: 1 << 4,
  NEAR_RET: 1 << 5,
  NEAR_IND_JMP: 1 << 6,
  NEAR_REL_JMP: 1 << 7,
  FAR_BRANCH: 1 << 8,
  EN_CALLSTACK: 1 << 9,
} as const;

/** SDM vol 3A §12.11 (MTRRs) and §12.12 (PAT): memory type encodings. UC_MINUS exists in PAT only. */
export const MEMORY_TYPE = {
  UC: 0,
  WC: 1,
  WT: 4,
  WP: 5,
  WB: 6,
  UC_MINUS: 7,
} as const;

/** SDM vol 3A §12.11: MTRRCAP, MTRR_DEF_TYPE and PHYSMASK fields, low words. */
export const MTRR = {
  CAP_COUNT_MASK: 0xff,
  CAP_FIXED: 1 << 8,
  CAP_WC: 1 << 10,
  DEF_TYPE_MASK: 0xff,
  DEF_FIXED_ENABLE: 1 << 10,
  DEF_ENABLE: 1 << 11,
  MASK_VALID: 1 << 11,
} as const;

/** SDM vol 3A §12.12.4: PAT after reset, as low and high word (WB, WT, UC-, UC, twice). */
export const PAT_RESET = { low: 0x0007_0406, high: 0x0007_0406 } as const;
