/**
 * Where loaders put things below 1 MiB. The kernel reads all of it early and reuses what the memory map calls RAM;
 * the tables at the top stay, reserved.
 */
export const ADDRESS = {
  /** Real-mode interrupt vectors and the BIOS data area. */
  BIOS_DATA_AREA: 0x400,
  BOOT_GDT: 0x800,
  /** Linux's boot_params, the multiboot information or PVH's start_info. */
  BOOT_INFORMATION: 0x7000,
  BOOT_SECTOR: 0x7c00,
  /** PML4, PDPT and four page directories: identity map of 4 GiB. */
  PAGE_TABLES: 0x9000,
  /** Linux's 16-bit set-up code, heap and stack: one segment. */
  REAL_MODE_SETUP: 0x1_0000,
  COMMAND_LINE: 0x2_0000,
  EBDA: 0x9_fc00,
  VIDEO: 0xa_0000,
  /** ACPI tables; RSDP first, where every scan finds it. */
  ACPI: 0xe_0000,
  /** SMBIOS, MP table, BIOS entry points. */
  BIOS: 0xf_0000,
  HIGH_MEMORY: 0x10_0000,
  /** RAM ends here at the latest; PCI windows and APICs above. */
  PCI_HOLE: 0xc000_0000,
  IO_APIC: 0xfec0_0000,
  LOCAL_APIC: 0xfee0_0000,
  FOUR_GIB: 0x1_0000_0000,
} as const;
