import { reg16, rw, w1c, wo } from '@vmm/registers';
import { ACPI_PM } from '@vmm/spec';

/** ACPI 6.5 §4.8.3 (PM1 event and control blocks) and §4.8.4.1 (GPE0), at the offsets of the 82371AB. */
export const ACPI_PM_REGISTERS = {
  status: reg16(ACPI_PM.PM1_STATUS, {
    timer: w1c(0), busMaster: w1c(4), global: w1c(5), powerButton: w1c(8), sleepButton: w1c(9), rtc: w1c(10), wake: w1c(15),
  }),
  enable: reg16(ACPI_PM.PM1_ENABLE, { timer: rw(0), global: rw(5), powerButton: rw(8), sleepButton: rw(9), rtc: rw(10) }),
  control: reg16(ACPI_PM.PM1_CONTROL, {
    sciEnable: rw(0), busMasterReload: rw(1), globalRelease: wo(2), sleepType: rw(10, 3), sleepEnable: wo(13),
  }),
  gpeStatus: reg16(ACPI_PM.GPE0_STATUS, { events: w1c(0, 16) }),
  gpeEnable: reg16(ACPI_PM.GPE0_ENABLE, { events: rw(0, 16) }),
};
