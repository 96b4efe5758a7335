/** SDM vol 3A §11.4.1, Table 11-1: local APIC register offsets from its base. */
export const LAPIC = {
  ID: 0x020,
  VERSION: 0x030,
  TPR: 0x080,
  APR: 0x090,
  PPR: 0x0a0,
  EOI: 0x0b0,
  RRD: 0x0c0,
  LDR: 0x0d0,
  DFR: 0x0e0,
  SVR: 0x0f0,
  /** ISR, TMR and IRR are eight registers each, 16 bytes apart. */
  ISR0: 0x100,
  TMR0: 0x180,
  IRR0: 0x200,
  ESR: 0x280,
  LVT_CMCI: 0x2f0,
  ICR_LOW: 0x300,
  ICR_HIGH: 0x310,
  LVT_TIMER: 0x320,
  LVT_THERMAL: 0x330,
  LVT_PERFORMANCE: 0x340,
  LVT_LINT0: 0x350,
  LVT_LINT1: 0x360,
  LVT_ERROR: 0x370,
  TIMER_INITIAL_COUNT: 0x380,
  TIMER_CURRENT_COUNT: 0x390,
  TIMER_DIVIDE: 0x3e0,
  /** x2APIC only. */
  SELF_IPI: 0x3f0,
} as const;

/** SDM vol 3A §11.5.1, Figure 11-8: local vector table entries. */
export const LVT = {
  VECTOR_MASK: 0xff,
  DELIVERY_MODE_SHIFT: 8,
  DELIVERY_MODE_MASK: 7 << 8,
  DELIVERY_STATUS: 1 << 12,
  ACTIVE_LOW: 1 << 13,
  REMOTE_IRR: 1 << 14,
  LEVEL_TRIGGERED: 1 << 15,
  MASKED: 1 << 16,
  TIMER_MODE_MASK: 3 << 17,
  TIMER_ONE_SHOT: 0 << 17,
  TIMER_PERIODIC: 1 << 17,
  TIMER_TSC_DEADLINE: 2 << 17,
} as const;

/** SDM vol 3A §11.6.1 (ICR), §11.5.1 (LVT) and the IO-APIC's redirection entries share these. */
export const DELIVERY_MODE = {
  FIXED: 0,
  LOWEST_PRIORITY: 1,
  SMI: 2,
  NMI: 4,
  INIT: 5,
  STARTUP: 6,
  EXTINT: 7,
} as const;

/** SDM vol 3A §11.6.1, Figure 11-12: interrupt command register, low word. */
export const ICR = {
  VECTOR_MASK: 0xff,
  DELIVERY_MODE_SHIFT: 8,
  LOGICAL_DESTINATION: 1 << 11,
  DELIVERY_STATUS: 1 << 12,
  ASSERT: 1 << 14,
  LEVEL_TRIGGERED: 1 << 15,
  SHORTHAND_SHIFT: 18,
  SHORTHAND_MASK: 3 << 18,
  SHORTHAND_NONE: 0,
  SHORTHAND_SELF: 1,
  SHORTHAND_ALL: 2,
  SHORTHAND_OTHERS: 3,
} as const;

/** SDM vol 3A §11.9, Figure 11-23: spurious-interrupt vector register. */
export const SVR = {
  VECTOR_MASK: 0xff,
  SOFTWARE_ENABLE: 1 << 8,
  FOCUS_DISABLE: 1 << 9,
  SUPPRESS_EOI_BROADCAST: 1 << 12,
} as const;

/** SDM vol 3A §11.5.3, Figure 11-9: error status register. */
export const APIC_ESR = {
  SEND_ACCEPT: 1 << 2,
  RECEIVE_ACCEPT: 1 << 3,
  REDIRECTABLE_IPI: 1 << 4,
  SEND_ILLEGAL_VECTOR: 1 << 5,
  RECEIVE_ILLEGAL_VECTOR: 1 << 6,
  ILLEGAL_REGISTER: 1 << 7,
} as const;

/** 82093AA datasheet §3.1: memory-mapped registers, offsets from the IO-APIC's base. EOI: IO-APIC version 0x20 and later. */
export const IOAPIC = {
  DEFAULT_ADDRESS: 0xfec0_0000,
  SELECT: 0x00,
  WINDOW: 0x10,
  EOI: 0x40,
} as const;

/** 82093AA datasheet §3.2: registers behind SELECT/WINDOW; pin n is REDIRECTION0 + 2n (low) and + 2n + 1 (high). */
export const IOAPIC_INDEX = {
  ID: 0x00,
  VERSION: 0x01,
  ARBITRATION: 0x02,
  REDIRECTION0: 0x10,
} as const;

/** 82093AA datasheet §3.2.4: redirection entry, low word; the high word holds the destination in bits 31:24. */
export const REDIRECTION = {
  VECTOR_MASK: 0xff,
  DELIVERY_MODE_SHIFT: 8,
  DELIVERY_MODE_MASK: 7 << 8,
  LOGICAL_DESTINATION: 1 << 11,
  DELIVERY_STATUS: 1 << 12,
  ACTIVE_LOW: 1 << 13,
  REMOTE_IRR: 1 << 14,
  LEVEL_TRIGGERED: 1 << 15,
  MASKED: 1 << 16,
} as const;

/** SDM vol 3A §11.11: message-signalled interrupts. */
export const MSI = {
  ADDRESS_BASE: 0xfee0_0000,
  ADDRESS_BASE_MASK: 0xfff0_0000,
  DESTINATION_SHIFT: 12,
  DESTINATION_MASK: 0xff << 12,
  REDIRECTION_HINT: 1 << 3,
  LOGICAL_DESTINATION: 1 << 2,
  DATA_VECTOR_MASK: 0xff,
  DATA_DELIVERY_MODE_SHIFT: 8,
  DATA_ASSERT: 1 << 14,
  DATA_LEVEL_TRIGGERED: 1 << 15,
} as const;
