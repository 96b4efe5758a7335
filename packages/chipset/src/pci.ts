import type { IrqLine } from '@vmm/device-kit';
import { i440fxHostBridge, PciBus, PciHost, Piix3IsaBridge, piix4PowerManagement } from '@vmm/devices-pci';
import type { ResetControl } from '@vmm/devices-acpi';

/** PCI bus 0 of board `pc`: host bridge at 0.0, ISA bridge at 1.0, power management at 1.3, as QEMU's `pc`. */
export interface BoardPci {
  readonly bus: PciBus;
  readonly host: PciHost;
  readonly isaBridge: Piix3IsaBridge;
}

const ISA_BRIDGE_DEVICE = 1, POWER_MANAGEMENT_FUNCTION = 3;
/** First of the four IO-APIC pins of PCI interrupts; slot and pin (from 0) come at (slot + pin) mod 4, as `@vmm/firmware`'s _PRT says. */
const FIRST_PCI_GSI = 16;

export function createPci(options: { readonly gsi: (gsi: number) => IrqLine; readonly resetControl: ResetControl }): BoardPci {
  const bus = new PciBus();
  const { gsi } = options;
  const isaBridge = new Piix3IsaBridge({ isaIrq: gsi, ioApicLine: (pirq) => gsi(FIRST_PCI_GSI + ((pirq + 1) & 3)) });
  bus.add(0, i440fxHostBridge());
  bus.add(ISA_BRIDGE_DEVICE, isaBridge.fn);
  bus.add(ISA_BRIDGE_DEVICE, piix4PowerManagement(), POWER_MANAGEMENT_FUNCTION);
  return { bus, isaBridge, host: new PciHost({ bus, resetControl: options.resetControl }) };
}
