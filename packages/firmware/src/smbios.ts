/** A minimal SMBIOS: what the machine is called. DMTF DSP0134 2.8 */
import { ADDRESS } from './address-map.ts';
import type { GuestMemory } from './guest-memory.ts';
import { StructureWriter } from './structure-writer.ts';

const ENTRY_ADDRESS = ADDRESS.BIOS;
const TABLE_ADDRESS = ADDRESS.BIOS + 0x800;
const STRUCTURE = { BIOS: 0, SYSTEM: 1, CHASSIS: 3, END: 127 } as const;

interface SmbiosTable {
  readonly bytes: Uint8Array;
  readonly count: number;
  readonly largest: number;
}

/** Writes the entry point structure and the table. */
export function buildSmbios(memory: GuestMemory): void {
  const table = makeSmbiosTable();
  memory.write(TABLE_ADDRESS, table.bytes);
  memory.write(ENTRY_ADDRESS, makeEntryPoint(table));
}

/** §5.2.1 */
function makeEntryPoint(table: SmbiosTable): Uint8Array {
  return new StructureWriter()
    .text('_SM_', 4).u8(0, 0x1f, 2, 8).u16(table.largest).u8(0).zeros(5)
    .at(0x10).text('_DMI_', 5).u8(0).u16(table.bytes.length).u32(TABLE_ADDRESS).u16(table.count).u8(0x28)
    .at(0x1f)
    .checksum(0x15, 0x10)
    .checksum(4)
    .finish();
}

function makeSmbiosTable(): SmbiosTable {
  const table = new StructureWriter();
  let count = 0, largest = 0;
  const structure = (type: number, body: StructureWriter, strings: readonly string[]): void => {
    const start = table.length;
    table.u8(type, body.length + 4).u16(count++).bytes(body.finish());
    for (const text of strings) table.text(text).u8(0);
    table.zeros(strings.length === 0 ? 2 : 1);
    largest = Math.max(largest, table.length - start);
  };
  // §7.1: vendor, version, segment, date, ROM size, characteristics (not supported), extension: virtual machine
  structure(STRUCTURE.BIOS, new StructureWriter().u8(1, 2).u16(0xf000).u8(3, 0).u64(8).u8(0, 0x10, 0, 1, 0xff, 0xff), ['VMM', '0.1', '01/01/2026']);
  // §7.2: manufacturer, product, version, serial number, UUID, wake-up type (power switch)
  structure(STRUCTURE.SYSTEM, new StructureWriter().u8(1, 2, 3, 0).zeros(16).u8(6, 0, 0), ['VMM', 'Virtual PC', '0.1']);
  // §7.4: manufacturer, type (other), states unknown
  structure(STRUCTURE.CHASSIS, new StructureWriter().u8(1, 1, 0, 0, 0, 2, 2, 2, 2).zeros(8), ['VMM']);
  structure(STRUCTURE.END, new StructureWriter(), []);
  return { bytes: table.finish(), count, largest };
}
