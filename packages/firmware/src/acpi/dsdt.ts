import { ADDRESS } from '../address-map.ts';
import { type Aml, device, eisaId, integer, name, packageOf, scope } from './aml.ts';
import { busNumbers, io, ioWindow, irq, memoryWindow, resourceTemplate } from './resources.ts';

/** A device at fixed ISA addresses. */
interface IsaDevice {
  readonly name: string;
  readonly hardwareId: string;
  readonly uid?: number;
  readonly ports: readonly (readonly [base: number, length: number])[];
  readonly irq?: number;
}

/** ACPI 6.4 §5.6.7 and the PNP ids of "Plug and Play BIOS CLASSES". */
const ISA_DEVICES: readonly IsaDevice[] = [
  { name: 'COM1', hardwareId: 'PNP0501', uid: 1, ports: [[0x3f8, 8]], irq: 4 },
  { name: 'RTC', hardwareId: 'PNP0B00', ports: [[0x70, 2]], irq: 8 },
  { name: 'PIT', hardwareId: 'PNP0100', ports: [[0x40, 4]], irq: 0 },
  { name: 'KBD', hardwareId: 'PNP0303', ports: [[0x60, 1], [0x64, 1]], irq: 1 },
  { name: 'MOU', hardwareId: 'PNP0F13', ports: [], irq: 12 },
];

/** SLP_TYP for S5, "soft off", as the PM1 control register wants it. */
export const SLEEP_TYPE_S5 = 5;
const PCI_SLOTS = 32;

/** The definition block's terms: power-off state, PCI root with windows and interrupt routing, ISA devices. */
export function makeDsdtBody(pciInterrupts: readonly number[]): Aml {
  return [
    ...name('\\_S5', packageOf([integer(SLEEP_TYPE_S5), integer(SLEEP_TYPE_S5), integer(0), integer(0)])),
    ...scope('\\_SB', [pciRoot(pciInterrupts)]),
  ];
}

function pciRoot(pciInterrupts: readonly number[]): Aml {
  return device('PCI0', [
    name('_HID', eisaId('PNP0A03')),
    name('_ADR', integer(0)),
    name('_UID', integer(0)),
    name('_BBN', integer(0)),
    name('_CRS', resourceTemplate([
      busNumbers(0, 0xff),
      io(0xcf8, 8),
      ioWindow(0, 0xcf7),
      ioWindow(0xd00, 0xffff),
      memoryWindow(ADDRESS.VIDEO, ADDRESS.VIDEO + 0x1_ffff),
      memoryWindow(ADDRESS.PCI_HOLE, ADDRESS.IO_APIC - 1),
    ])),
    name('_PRT', routingTable(pciInterrupts)),
    ...ISA_DEVICES.map(isaDevice),
  ]);
}

function isaDevice(description: IsaDevice): Aml {
  return device(description.name, [
    name('_HID', eisaId(description.hardwareId)),
    ...(description.uid === undefined ? [] : [name('_UID', integer(description.uid))]),
    name('_STA', integer(0xf)),
    name('_CRS', resourceTemplate([
      ...description.ports.map(([base, length]) => io(base, length)),
      ...(description.irq === undefined ? [] : [irq(description.irq)]),
    ])),
  ]);
}

/** §6.2.13: for each slot and pin the global interrupt; pins rotate with the slot, as on PC boards. */
function routingTable(pciInterrupts: readonly number[]): Aml {
  const entries: Aml[] = [];
  for (let slot = 0; slot < PCI_SLOTS - 1; slot++) {
    for (let pin = 0; pin < 4; pin++) {
      const gsi = pciInterrupts[(slot + pin) % pciInterrupts.length] ?? 0;
      entries.push(packageOf([integer(slot * 0x1_0000 + 0xffff), integer(pin), integer(0), integer(gsi)]));
    }
  }
  return packageOf(entries);
}
