/** Where nano's parts are; names become symbols of the assembly sources. All below 2 MiB, so any machine will do. */
export const LAYOUT = {
  BOOT: 0x10_0000,
  MONITOR32: 0x10_4000,
  MONITOR64: 0x10_a000,
  LOAD_END: 0x11_0000,
  /** Variables: see VARIABLES. */
  VARS: 0x11_0000,
  IDT: 0x11_1000,
  PAGE_DIRECTORY32: 0x11_2000,
  PML4: 0x11_3000,
  PDPT: 0x11_4000,
  PAGE_DIRECTORIES64: 0x11_5000,
  STACK_TOP: 0x12_0000,
  BENCH_A: 0x12_0000,
  BENCH_B: 0x13_0000,
  BSS_END: 0x14_0000,
  /** Where the 16-bit part runs; it is copied there. */
  REAL_STUB: 0x8000,
  /** Never mapped: what `fault pf` reads. */
  UNMAPPED: 0xdead_beef,
} as const;

export const SELECTOR = { CODE32: 0x08, DATA32: 0x10, CODE16: 0x18, DATA16: 0x20, CODE64: 0x28 } as const;

/** Variables, in 8-byte cells from VARS on. */
const VARIABLE_NAMES = [
  'MULTIBOOT_INFO', 'MAX_LEAF', 'MAX_EXTENDED_LEAF', 'RUN_POINTER', 'PM1A_CONTROL', 'PM_TIMER', 'S5_TYPE', 'RSDP', 'COLUMN', 'TSC_START', 'LAPIC_BASE',
  'FEATURE_0', 'FEATURE_1', 'FEATURE_2', 'FEATURE_3', 'FEATURE_4', 'FEATURE_5', 'TEXT_BUFFER',
] as const;

const LINE_OFFSET = 0x400, LAST_LINE_OFFSET = 0x500;
export const LINE_MAX = 120;

/** All names, for the assembler. */
export function layoutSymbols(): Record<string, number> {
  const variables = VARIABLE_NAMES.map((name, index): [string, number] => [name, LAYOUT.VARS + index * 8]);
  return {
    ...LAYOUT, ...SELECTOR, ...Object.fromEntries(variables),
    LINE: LAYOUT.VARS + LINE_OFFSET, LAST_LINE: LAYOUT.VARS + LAST_LINE_OFFSET, LINE_MAX,
    COM1: 0x3f8,
  };
}
