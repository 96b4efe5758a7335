/** The MP configuration table, for kernels without ACPI. Intel MultiProcessor Specification 1.4, chapter 4 */
import { ADDRESS } from './address-map.ts';
import type { GuestMemory } from './guest-memory.ts';
import { StructureWriter } from './structure-writer.ts';

export interface MpOptions {
  /** Default 1. */
  readonly cpus?: number;
  /** Default: the first id after the processors'. */
  readonly ioApicId?: number;
  /** Interrupt that the table calls level-triggered. Default 9. */
  readonly sciIrq?: number;
}

/** In the BIOS area, on a paragraph, where the scan finds it. */
const POINTER_ADDRESS = ADDRESS.BIOS + 0x100;
const TABLE_ADDRESS = POINTER_ADDRESS + 16;

const ENTRY = { PROCESSOR: 0, BUS: 1, IO_APIC: 2, IO_INTERRUPT: 3, LOCAL_INTERRUPT: 4 } as const;
const INTERRUPT = { INT: 0, NMI: 1, EXTERNAL: 3 } as const;
const CPU_FLAG = { ENABLED: 1, BOOTSTRAP: 2 } as const;
const APIC_VERSION = 0x14, IO_APIC_VERSION = 0x11;
const FEATURES = 0x201; // on-chip FPU and APIC
const BUS_ISA = 0;
const CONFORMS = 0, LEVEL_HIGH = 0x0d;
const ALL_APICS = 0xff;
const ISA_IRQS = 16;
const TIMER_PIN = 2;

/** Writes the table and its floating pointer. */
export function buildMpTable(memory: GuestMemory, options: MpOptions = {}): void {
  const table = makeMpTable(options);
  memory.write(TABLE_ADDRESS, table);
  memory.write(POINTER_ADDRESS, new StructureWriter().text('_MP_', 4).u32(TABLE_ADDRESS).u8(1, 4, 0).padTo(16).checksum(10).finish());
}

export function makeMpTable(options: MpOptions): Uint8Array {
  const cpus = options.cpus ?? 1;
  const ioApicId = options.ioApicId ?? cpus;
  const table = new StructureWriter()
    .text('PCMP', 4).u16(0).u8(4, 0).text('VMM', 8).text('PC', 12)
    .at(28).u32(0).u16(0, 0).u32(ADDRESS.LOCAL_APIC, 0)
    .at(44);
  let entries = 0;
  const entry = (write: StructureWriter): void => {
    table.bytes(write.finish());
    entries++;
  };
  for (let cpu = 0; cpu < cpus; cpu++) {
    const flags = CPU_FLAG.ENABLED | (cpu === 0 ? CPU_FLAG.BOOTSTRAP : 0);
    entry(new StructureWriter().u8(ENTRY.PROCESSOR, cpu, APIC_VERSION, flags).u32(/* signature */ 0x600, FEATURES).zeros(8));
  }
  entry(new StructureWriter().u8(ENTRY.BUS, BUS_ISA).text('ISA', 6));
  entry(new StructureWriter().u8(ENTRY.IO_APIC, ioApicId, IO_APIC_VERSION, 1).u32(ADDRESS.IO_APIC));
  for (let irq = 0; irq < ISA_IRQS; irq++) {
    if (irq === TIMER_PIN) continue; // the slave's cascade; its pin takes the timer
    const flags = irq === (options.sciIrq ?? 9) ? LEVEL_HIGH : CONFORMS;
    entry(new StructureWriter().u8(ENTRY.IO_INTERRUPT, INTERRUPT.INT).u16(flags).u8(BUS_ISA, irq, ioApicId, irq === 0 ? TIMER_PIN : irq));
  }
  entry(new StructureWriter().u8(ENTRY.LOCAL_INTERRUPT, INTERRUPT.EXTERNAL).u16(CONFORMS).u8(BUS_ISA, 0, ALL_APICS, 0));
  entry(new StructureWriter().u8(ENTRY.LOCAL_INTERRUPT, INTERRUPT.NMI).u16(CONFORMS).u8(BUS_ISA, 0, ALL_APICS, 1));
  return table.patch16(4, table.length).patch16(34, entries).checksum(7).finish();
}
