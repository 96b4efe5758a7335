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

export function createPci(options: { readonly isaIrq: (irq: number) => IrqLine; readonly resetControl: ResetControl }): BoardPci {
  const bus = new PciBus();
  const isaBridge = new Piix3IsaBridge({ isaIrq: options.isaIrq });
  bus.add(0, i440fxHostBridge());
  bus.add(ISA_BRIDGE_DEVICE, isaBridge.fn);
  bus.add(ISA_BRIDGE_DEVICE, piix4PowerManagement(), POWER_MANAGEMENT_FUNCTION);
  return { bus, isaBridge, host: new PciHost({ bus, resetControl: options.resetControl }) };
}
