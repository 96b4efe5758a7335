/** Static ACPI tables: RSDP, RSDT, XSDT, FADT, FACS, MADT. ACPI 6.4 §5.2 */
import { sumOfBytes, StructureWriter } from '../structure-writer.ts';
import { ADDRESS } from '../address-map.ts';

const OEM_ID = 'VMM', OEM_TABLE_ID = 'VMMPC', CREATOR_ID = 'VMM ';
const OEM_REVISION = 1, CREATOR_REVISION = 1;
const HEADER_BYTES = 36, LENGTH_OFFSET = 4, CHECKSUM_OFFSET = 9;

/** §5.2.6: a table with the common header; the length and the checksum are filled in. */
export function makeTable(signature: string, revision: number, body: (table: StructureWriter) => void): Uint8Array {
  const table = new StructureWriter()
    .text(signature, 4).u32(0).u8(revision, 0)
    .text(OEM_ID, 6).text(OEM_TABLE_ID, 8).u32(OEM_REVISION).text(CREATOR_ID, 4).u32(CREATOR_REVISION)
    .at(HEADER_BYTES);
  body(table);
  return table.patch32(LENGTH_OFFSET, table.length).checksum(CHECKSUM_OFFSET).finish();
}

/** §5.2.5.3: both halves have their checksum. */
export function makeRsdp(rsdt: number, xsdt: number): Uint8Array {
  const firstBytes = 20, bytes = 36;
  return new StructureWriter()
    .text('RSD PTR ', 8).u8(0).text(OEM_ID, 6).u8(/* revision */ 2).u32(rsdt)
    .at(firstBytes).u32(bytes).u64(xsdt).u8(0, 0, 0, 0)
    .checksum(8, 0, firstBytes)
    .checksum(32)
    .finish();
}

export function makeRsdt(tables: readonly number[]): Uint8Array {
  return makeTable('RSDT', 1, (table) => { table.u32(...tables); });
}

export function makeXsdt(tables: readonly number[]): Uint8Array {
  return makeTable('XSDT', 1, (table) => { table.u64(...tables); });
}

/** §5.2.10: no waking vector, no lock owner. */
export function makeFacs(): Uint8Array {
  return new StructureWriter().text('FACS', 4).u32(64).padTo(32).u8(/* version */ 2).padTo(64).finish();
}

export interface FixedHardware {
  readonly sciIrq: number;
  /** I/O ports of the power-management registers. */
  readonly pm1Event: number;
  readonly pm1Control: number;
  readonly pmTimer: number;
  /** Port and value that reset the machine. */
  readonly reset: { readonly port: number; readonly value: number };
  /** How to switch to ACPI mode; absent: the hardware is always in it. */
  readonly smi?: { readonly port: number; readonly enable: number; readonly disable: number };
}

/** §5.2.9, Table 5-9: fixed feature flags. The power button is fixed hardware (bit 4 clear), a sleep button there is none. */
const FADT_FLAG = { WBINVD: 1 << 0, PROC_C1: 1 << 2, SLP_BUTTON: 1 << 5, TMR_VAL_EXT: 1 << 8, RESET_REG_SUP: 1 << 10 } as const;
/** §5.2.9.3: IA-PC boot architecture flags. */
const IAPC_FLAG = { LEGACY_DEVICES: 1 << 0, KEYBOARD_8042: 1 << 1, VGA_NOT_PRESENT: 1 << 2, MSI_NOT_SUPPORTED: 1 << 3 } as const;
const PROFILE_DESKTOP = 1;
/** C2 and C3 do not exist. */
const NO_C2_LATENCY = 101, NO_C3_LATENCY = 1001;
const RTC_CENTURY_INDEX = 0x32;
const FADT_BYTES = 244;

/** §5.2.9, in the ACPI 2.0 length: the last that every kernel takes. */
export function makeFadt(hardware: FixedHardware, facs: number, dsdt: number): Uint8Array {
  const { pm1Event, pm1Control, pmTimer, reset, smi } = hardware;
  const flags = FADT_FLAG.WBINVD | FADT_FLAG.PROC_C1 | FADT_FLAG.SLP_BUTTON | FADT_FLAG.TMR_VAL_EXT | FADT_FLAG.RESET_REG_SUP;
  const bootFlags = IAPC_FLAG.LEGACY_DEVICES | IAPC_FLAG.KEYBOARD_8042 | IAPC_FLAG.VGA_NOT_PRESENT;
  return makeTable('FACP', 3, (table) => {
    table.u32(facs, dsdt).u8(0, PROFILE_DESKTOP).u16(hardware.sciIrq)
      .at(48).u32(smi?.port ?? 0).u8(smi?.enable ?? 0, smi?.disable ?? 0, 0, 0)
      .at(56).u32(pm1Event, 0, pm1Control, 0, /* PM2 */ 0, pmTimer, /* GPE */ 0, 0)
      .at(88).u8(4, 0x02, 0, 4, 0, 0, 0, 0)
      .at(96).u16(NO_C2_LATENCY, NO_C3_LATENCY, 0, 0).u8(0, 0, 0, 0, RTC_CENTURY_INDEX)
      .at(109).u16(bootFlags).u8(0).u32(flags)
      .at(116);
    ioAddress(table, reset.port, 1);
    table.u8(reset.value).u16(0).u8(/* minor revision */ 0)
      .at(132).u64(facs, dsdt);
    ioAddress(table, pm1Event, 4);
    ioAddress(table, 0, 0);
    ioAddress(table, pm1Control, 2);
    ioAddress(table, 0, 0);
    ioAddress(table, 0, 0);
    ioAddress(table, pmTimer, 4);
    ioAddress(table, 0, 0);
    ioAddress(table, 0, 0);
    table.at(FADT_BYTES);
  });
}

/** §5.2.3.2: generic address structure in I/O space; no address is all zero. */
function ioAddress(table: StructureWriter, port: number, bytes: number): void {
  if (port === 0) table.zeros(12);
  else table.u8(/* I/O */ 1, bytes * 8, 0, bytes === 4 ? 3 : bytes).u64(port);
}

/** §5.2.12: interrupt controller structures. */
const MADT = { LOCAL_APIC: 0, IO_APIC: 1, SOURCE_OVERRIDE: 2, LOCAL_NMI: 4 } as const;
const PCAT_COMPATIBLE = 1;
const ENABLED = 1;
const ALL_PROCESSORS = 0xff;
const BUS_ISA = 0;
/** §5.2.12.5, Table 5-26: as the bus says; or level, active high. */
const CONFORMS = 0, LEVEL_HIGH = 0x0d;

export interface InterruptTopology {
  readonly cpus: number;
  /** APIC id of the one I/O APIC, global interrupts from 0 on. */
  readonly ioApicId: number;
  readonly sciIrq: number;
}

export function makeMadt(topology: InterruptTopology): Uint8Array {
  return makeTable('APIC', 3, (table) => {
    table.u32(ADDRESS.LOCAL_APIC, PCAT_COMPATIBLE);
    for (let cpu = 0; cpu < topology.cpus; cpu++) table.u8(MADT.LOCAL_APIC, 8, cpu, cpu).u32(ENABLED);
    table.u8(MADT.IO_APIC, 12, topology.ioApicId, 0).u32(ADDRESS.IO_APIC, 0);
    table.u8(MADT.SOURCE_OVERRIDE, 10, BUS_ISA, 0).u32(2).u16(CONFORMS);
    table.u8(MADT.SOURCE_OVERRIDE, 10, BUS_ISA, topology.sciIrq).u32(topology.sciIrq).u16(LEVEL_HIGH);
    table.u8(MADT.LOCAL_NMI, 6, ALL_PROCESSORS).u16(CONFORMS).u8(/* LINT */ 1);
  });
}

/** Whether a table's bytes add up. */
export function isChecksumRight(table: Uint8Array): boolean {
  return sumOfBytes(table) === 0;
}
