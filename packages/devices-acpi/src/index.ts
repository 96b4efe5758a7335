export { AcpiPm } from './acpi-pm.device.ts';
export type { AcpiPmOptions } from './acpi-pm.device.ts';
export { ACPI_PM_REGISTERS } from './acpi-pm.registers.ts';
export { ResetControl } from './reset-control.ts';
export type { ResetControlOptions } from './reset-control.ts';
