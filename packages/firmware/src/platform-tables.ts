import { type AcpiOptions, buildAcpi } from './acpi/build-acpi.ts';
import type { GuestMemory } from './guest-memory.ts';
import { buildMpTable } from './mp-table.ts';
import { buildSmbios } from './smbios.ts';

/** ACPI, MP and SMBIOS tables that describe one board alike. Answers where the RSDP is. */
export function installPlatformTables(memory: GuestMemory, options: AcpiOptions = {}): { readonly acpiRsdp: number } {
  const { cpus, ioApicId, fixedHardware } = options;
  buildMpTable(memory, {
    ...(cpus === undefined ? {} : { cpus }),
    ...(ioApicId === undefined ? {} : { ioApicId }),
    ...(fixedHardware?.sciIrq === undefined ? {} : { sciIrq: fixedHardware.sciIrq }),
  });
  buildSmbios(memory);
  return { acpiRsdp: buildAcpi(memory, options).rsdp };
}
