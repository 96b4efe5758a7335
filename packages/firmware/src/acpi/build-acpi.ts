import { ADDRESS } from '../address-map.ts';
import type { GuestMemory } from '../guest-memory.ts';
import { makeDsdtBody } from './dsdt.ts';
import { PC_DSDT_BODY } from './pc-dsdt.ts';
import { type FixedHardware, makeFacs, makeFadt, makeMadt, makeRsdp, makeRsdt, makeTable, makeXsdt } from './tables.ts';
import { invariant } from '@vmm/spec';

export interface AcpiOptions {
  /** Default 1. */
  readonly cpus?: number;
  /** Default: the first id after the processors'. */
  readonly ioApicId?: number;
  /** Default: `PC_FIXED_HARDWARE`. */
  readonly fixedHardware?: Partial<FixedHardware>;
  /** Global interrupts of PCI's pins A to D at slot 0. Default 16 to 19. */
  readonly pciInterrupts?: readonly number[];
}

/** Where board `pc` has its power management. */
export const PC_FIXED_HARDWARE: FixedHardware = {
  sciIrq: 9, pm1Event: 0x600, pm1Control: 0x604, pmTimer: 0x608, reset: { port: 0xcf9, value: 6 },
};

const ALIGNMENT = 64;
const DSDT_REVISION = 2;

export interface PlacedAcpi {
  /** Address of the RSDP. */
  readonly rsdp: number;
  readonly tables: ReadonlyMap<string, { readonly address: number; readonly bytes: Uint8Array }>;
}

/** Writes all tables to the reserved 64 KiB at `ADDRESS.ACPI`, RSDP first. */
export function buildAcpi(memory: GuestMemory, options: AcpiOptions = {}): PlacedAcpi {
  const tables = new Map<string, { address: number; bytes: Uint8Array }>();
  let free: number = ADDRESS.ACPI + ALIGNMENT;
  const place = (signature: string, bytes: Uint8Array): number => {
    const address = free;
    free = Math.ceil((address + bytes.length) / ALIGNMENT) * ALIGNMENT;
    invariant(free <= ADDRESS.BIOS, `ACPI tables end at 0x${free.toString(16)}, below the BIOS`);
    memory.write(address, bytes);
    tables.set(signature, { address, bytes });
    return address;
  };
  const cpus = options.cpus ?? 1;
  const hardware = { ...PC_FIXED_HARDWARE, ...options.fixedHardware };
  const facs = place('FACS', makeFacs());
  const dsdt = place('DSDT', makeTable('DSDT', DSDT_REVISION, (table) => { table.bytes(options.pciInterrupts === undefined ? PC_DSDT_BODY : makeDsdtBody(options.pciInterrupts)); }));
  const fadt = place('FACP', makeFadt(hardware, facs, dsdt));
  const madt = place('APIC', makeMadt({ cpus, ioApicId: options.ioApicId ?? cpus, sciIrq: hardware.sciIrq }));
  const rsdt = place('RSDT', makeRsdt([fadt, madt]));
  const xsdt = place('XSDT', makeXsdt([fadt, madt]));
  const rsdp = makeRsdp(rsdt, xsdt);
  memory.write(ADDRESS.ACPI, rsdp);
  tables.set('RSDP', { address: ADDRESS.ACPI, bytes: rsdp });
  return { rsdp: ADDRESS.ACPI, tables };
}
