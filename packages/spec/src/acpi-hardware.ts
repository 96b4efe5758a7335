/** Where our boards put the ACPI fixed hardware: the power management block of the 82371AB, at the base QEMU's PCs use. */
export const ACPI_PM = {
  BASE: 0x600,
  /** Offsets from the base (82371AB datasheet §7.2). */
  PM1_STATUS: 0x0,
  PM1_ENABLE: 0x2,
  PM1_CONTROL: 0x4,
  TIMER: 0x8,
  GPE0_STATUS: 0xc,
  GPE0_ENABLE: 0xe,
  LENGTH: 0x40,
  /** System control interrupt: ISA interrupt 9, level triggered. */
  SCI: 9,
  /** ACPI 6.5 §4.8.3.3. */
  TIMER_HZ: 3_579_545,
  /** SLP_TYP of S5 in our \_S5 package. */
  S5_SLEEP_TYPE: 5,
} as const;

/** 82371AB datasheet §4.1.3: APM control and status; the FADT names the port and the two commands. */
export const SMI_COMMAND = {
  PORT: 0xb2,
  STATUS_PORT: 0xb3,
  ACPI_ENABLE: 0xf1,
  ACPI_DISABLE: 0xf0,
} as const;

/** 82371SB datasheet §2.5.5: reset control register (port 0xCF9); 0x06 is a hard reset, as the FADT says. */
export const RESET_CONTROL = {
  SYSTEM_RESET: 1 << 1,
  RESET_CPU: 1 << 2,
  FULL_RESET: 1 << 3,
  HARD_RESET_VALUE: 0x06,
} as const;
