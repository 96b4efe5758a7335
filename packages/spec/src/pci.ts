/** PCI Local Bus 3.0 §6.1, Figure 6-1 and PCI-to-PCI Bridge 1.2 §3.2: configuration header offsets. */
export const PCI_CONFIG = {
  VENDOR_ID: 0x00,
  DEVICE_ID: 0x02,
  COMMAND: 0x04,
  STATUS: 0x06,
  REVISION_ID: 0x08,
  PROG_IF: 0x09,
  SUBCLASS: 0x0a,
  CLASS: 0x0b,
  CACHE_LINE_SIZE: 0x0c,
  LATENCY_TIMER: 0x0d,
  HEADER_TYPE: 0x0e,
  BIST: 0x0f,
  BAR0: 0x10,
  BAR1: 0x14,
  BAR2: 0x18,
  BAR3: 0x1c,
  BAR4: 0x20,
  BAR5: 0x24,
  CARDBUS_CIS: 0x28,
  SUBSYSTEM_VENDOR_ID: 0x2c,
  SUBSYSTEM_ID: 0x2e,
  EXPANSION_ROM: 0x30,
  CAPABILITIES: 0x34,
  INTERRUPT_LINE: 0x3c,
  INTERRUPT_PIN: 0x3d,
  MIN_GRANT: 0x3e,
  MAX_LATENCY: 0x3f,
  BRIDGE_PRIMARY_BUS: 0x18,
  BRIDGE_SECONDARY_BUS: 0x19,
  BRIDGE_SUBORDINATE_BUS: 0x1a,
} as const;

/** PCI Local Bus 3.0 §6.2.2, Table 6-1. */
export const PCI_COMMAND = {
  IO: 1 << 0,
  MEMORY: 1 << 1,
  BUS_MASTER: 1 << 2,
  SPECIAL_CYCLES: 1 << 3,
  MWI: 1 << 4,
  VGA_SNOOP: 1 << 5,
  PARITY: 1 << 6,
  SERR: 1 << 8,
  FAST_BACK_TO_BACK: 1 << 9,
  INTX_DISABLE: 1 << 10,
} as const;

/** PCI Local Bus 3.0 §6.2.3, Table 6-2. */
export const PCI_STATUS = {
  INTERRUPT: 1 << 3,
  CAPABILITIES: 1 << 4,
  SIGNALLED_TARGET_ABORT: 1 << 11,
  RECEIVED_TARGET_ABORT: 1 << 12,
  RECEIVED_MASTER_ABORT: 1 << 13,
  SIGNALLED_SYSTEM_ERROR: 1 << 14,
  DETECTED_PARITY_ERROR: 1 << 15,
} as const;

/** PCI Local Bus 3.0 §6.2.5.1: base address registers. */
export const PCI_BAR = {
  IO: 1 << 0,
  MEMORY_64: 2 << 1,
  PREFETCHABLE: 1 << 3,
  IO_MASK: 0xffff_fffc,
  MEMORY_MASK: 0xffff_fff0,
  ROM_ENABLE: 1 << 0,
} as const;

/** PCI Local Bus 3.0 §3.2.2.3.2: configuration mechanism 1, the word at port 0xCF8. */
export const PCI_ADDRESS = {
  ENABLE: (1 << 31) >>> 0,
  BUS_SHIFT: 16,
  DEVICE_SHIFT: 11,
  FUNCTION_SHIFT: 8,
  REGISTER_MASK: 0xfc,
} as const;

/** PCI Local Bus 3.0 §6.2.1: header types. */
export const PCI_HEADER_TYPE = {
  GENERAL: 0x00,
  BRIDGE: 0x01,
  MULTIFUNCTION: 0x80,
} as const;

/** PCI Code and ID Assignment 1.11 §2: capability identifiers. */
export const PCI_CAPABILITY = {
  POWER_MANAGEMENT: 0x01,
  MSI: 0x05,
  PCI_X: 0x07,
  VENDOR_SPECIFIC: 0x09,
  PCI_EXPRESS: 0x10,
  MSI_X: 0x11,
  ADVANCED_FEATURES: 0x13,
} as const;

/** PCI Code and ID Assignment 1.11 §1: class code as (class << 8) | subclass. */
export const PCI_CLASS = {
  STORAGE_SCSI: 0x0100,
  STORAGE_IDE: 0x0101,
  STORAGE_SATA: 0x0106,
  STORAGE_NVME: 0x0108,
  NETWORK_ETHERNET: 0x0200,
  DISPLAY_VGA: 0x0300,
  BRIDGE_HOST: 0x0600,
  BRIDGE_ISA: 0x0601,
  BRIDGE_PCI: 0x0604,
  BRIDGE_OTHER: 0x0680,
  COMMUNICATION_SERIAL: 0x0700,
  SYSTEM_OTHER: 0x0880,
  SERIAL_USB: 0x0c03,
} as const;
