/** Rare instructions and steps that TypeScript performs on the state block (`@vmm/cpu`, `@vmm/fpu`); ids are positions in this list. */
export const CALLOUT_NAMES = [
  'undefined_opcode', 'general_protection', 'segment_fault',
  'cpuid', 'rdtsc', 'rdtscp', 'rdmsr', 'wrmsr', 'rdpmc', 'mov_from_cr', 'mov_to_cr', 'mov_from_dr', 'mov_to_dr', 'clts', 'lmsw', 'smsw', 'xgetbv', 'xsetbv',
  'lgdt', 'lidt', 'sgdt', 'sidt', 'lldt', 'ltr', 'sldt', 'str', 'invlpg', 'invpcid', 'wbinvd', 'invd',
  'load_segment', 'far_jump', 'far_call', 'far_return', 'iret', 'int_n', 'int3', 'int1', 'into',
  'syscall', 'sysret', 'sysenter', 'sysexit', 'swapgs', 'rdfsbase', 'rdgsbase', 'wrfsbase', 'wrgsbase',
  'lar', 'lsl', 'verr', 'verw', 'in', 'out', 'io_check', 'hlt', 'cli', 'sti', 'pushf', 'popf', 'stac', 'clac',
  'monitor', 'mwait', 'rdrand', 'rdseed', 'rdpid', 'rsm', 'serialize', 'vmcall', 'rdpkru', 'wrpkru', 'pkru_changed', 'umonitor', 'umwait',
  // x87 and vector state (floating-point package)
  'fxsave', 'fxrstor', 'xsave', 'xrstor', 'fnsave', 'frstor', 'fnstenv', 'fldenv', 'fninit', 'fpu_exception',
  'f2xm1', 'fyl2x', 'fyl2xp1', 'fptan', 'fpatan', 'fsin', 'fcos', 'fsincos', 'fprem', 'fprem1', 'fscale', 'fxtract', 'fbld', 'fbstp',
] as const;

export type CalloutName = (typeof CALLOUT_NAMES)[number];

export const CALLOUT_ID: Readonly<Record<CalloutName, number>> = Object.fromEntries(CALLOUT_NAMES.map((name, id) => [name, id])) as Record<CalloutName, number>;
