import { DELIVERY_MODE, LAPIC, LVT, SVR } from '@vmm/spec';

/** Index of a register: its xAPIC offset and its MSR number both hold it, `offset >> 4` and `msr - 0x800`. */
export const registerIndex = (offset: number): number => offset >> 4;

export const R = {
  ID: registerIndex(LAPIC.ID),
  VERSION: registerIndex(LAPIC.VERSION),
  TPR: registerIndex(LAPIC.TPR),
  APR: registerIndex(LAPIC.APR),
  PPR: registerIndex(LAPIC.PPR),
  EOI: registerIndex(LAPIC.EOI),
  RRD: registerIndex(LAPIC.RRD),
  LDR: registerIndex(LAPIC.LDR),
  DFR: registerIndex(LAPIC.DFR),
  SVR: registerIndex(LAPIC.SVR),
  ISR0: registerIndex(LAPIC.ISR0),
  TMR0: registerIndex(LAPIC.TMR0),
  IRR0: registerIndex(LAPIC.IRR0),
  ESR: registerIndex(LAPIC.ESR),
  ICR_LOW: registerIndex(LAPIC.ICR_LOW),
  ICR_HIGH: registerIndex(LAPIC.ICR_HIGH),
  LVT_TIMER: registerIndex(LAPIC.LVT_TIMER),
  LVT_THERMAL: registerIndex(LAPIC.LVT_THERMAL),
  LVT_PERFORMANCE: registerIndex(LAPIC.LVT_PERFORMANCE),
  LVT_LINT0: registerIndex(LAPIC.LVT_LINT0),
  LVT_LINT1: registerIndex(LAPIC.LVT_LINT1),
  LVT_ERROR: registerIndex(LAPIC.LVT_ERROR),
  TIMER_INITIAL_COUNT: registerIndex(LAPIC.TIMER_INITIAL_COUNT),
  TIMER_CURRENT_COUNT: registerIndex(LAPIC.TIMER_CURRENT_COUNT),
  TIMER_DIVIDE: registerIndex(LAPIC.TIMER_DIVIDE),
  SELF_IPI: registerIndex(LAPIC.SELF_IPI),
} as const;

export const REGISTER_COUNT = 0x40;

const DELIVERED_ENTRY = LVT.VECTOR_MASK | LVT.DELIVERY_MODE_MASK | LVT.MASKED;
const PIN_ENTRY = DELIVERED_ENTRY | LVT.ACTIVE_LOW | LVT.LEVEL_TRIGGERED;

/** SDM vol 3A §11.5.1, Figure 11-8: what software can write in each entry of the local vector table. */
export const LVT_WRITABLE: Readonly<Record<number, number>> = {
  [R.LVT_TIMER]: LVT.VECTOR_MASK | LVT.MASKED | LVT.TIMER_MODE_MASK,
  [R.LVT_THERMAL]: DELIVERED_ENTRY,
  [R.LVT_PERFORMANCE]: DELIVERED_ENTRY,
  [R.LVT_LINT0]: PIN_ENTRY,
  [R.LVT_LINT1]: PIN_ENTRY,
  [R.LVT_ERROR]: LVT.VECTOR_MASK | LVT.MASKED,
};

export const LVT_ENTRIES = [
  R.LVT_TIMER, R.LVT_THERMAL, R.LVT_PERFORMANCE, R.LVT_LINT0, R.LVT_LINT1, R.LVT_ERROR,
] as const;

export const SVR_WRITABLE = SVR.VECTOR_MASK | SVR.SOFTWARE_ENABLE | SVR.FOCUS_DISABLE | SVR.SUPPRESS_EOI_BROADCAST;

/** SDM vol 3A §11.4.8: version 0x14, the number of LVT entries less one, EOI broadcast can be suppressed. */
export const VERSION = 0x14 | ((LVT_ENTRIES.length - 1) << 16) | (1 << 24);

/** SDM vol 3A §11.12.1.2, Table 11-6: how a WRMSR in x2APIC mode may use a register; absent: #GP. */
export const X2APIC_ACCESS: Readonly<Record<number, 'r' | 'w' | 'rw'>> = {
  [R.ID]: 'r', [R.VERSION]: 'r', [R.TPR]: 'rw', [R.PPR]: 'r', [R.EOI]: 'w', [R.LDR]: 'r', [R.SVR]: 'rw', [R.ESR]: 'rw',
  [R.ICR_LOW]: 'rw', [R.TIMER_INITIAL_COUNT]: 'rw', [R.TIMER_CURRENT_COUNT]: 'r', [R.TIMER_DIVIDE]: 'rw', [R.SELF_IPI]: 'w',
  ...Object.fromEntries(LVT_ENTRIES.map((entry) => [entry, 'rw' as const])),
  ...Object.fromEntries(Array.from({ length: 24 }, (_, i) => [R.ISR0 + i, 'r' as const])),
};

/** SDM vol 3A §11.12.9: ICR bits that a WRMSR may set: no delivery status in x2APIC mode. */
export const ICR_X2APIC_WRITABLE = 0x000c_cfff;

/** SDM vol 3A §11.5.4, Figure 11-10: bits 3, 1 and 0 choose the divisor. */
export function timerDivisor(divideConfiguration: number): number {
  const code = (divideConfiguration & 3) | ((divideConfiguration & 8) >> 1);
  return 1 << ((code + 1) & 7);
}

/** Reset and INIT: SDM vol 3A §11.4.7.1. */
export function resetRegisters(): Uint32Array {
  const registers = new Uint32Array(REGISTER_COUNT);
  registers[R.DFR] = 0xffff_ffff;
  registers[R.SVR] = 0xff;
  return registers;
}

/** The virtual wire: what a BIOS leaves in LINT0 and LINT1 of the boot processor (MP specification 1.4 §3.6.2.2). */
export const VIRTUAL_WIRE = {
  LINT0: DELIVERY_MODE.EXTINT << LVT.DELIVERY_MODE_SHIFT,
  LINT1: DELIVERY_MODE.NMI << LVT.DELIVERY_MODE_SHIFT,
} as const;
