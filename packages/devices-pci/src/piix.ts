import type { IrqLine } from '@vmm/device-kit';
import { UNCONNECTED, wireOr } from '@vmm/device-kit';
import { ACPI_PM, PCI_CLASS, PCI_COMMAND } from '@vmm/spec';
import { PciFunction } from './pci-function.ts';

export interface Piix3Options {
  /** ISA interrupt `irq` as a wire: `interrupts.gsi`. */
  readonly isaIrq: (irq: number) => IrqLine;
  /** What PIRQRC[A:D] hold at reset, as firmware would have left them. Default 10, 10, 11, 11. */
  readonly routes?: readonly [number, number, number, number];
  /** Where PIRQA to PIRQD (0 to 3) arrive besides: pins of the IO-APIC that no ISA interrupt has. Default nowhere. */
  readonly ioApicLine?: (pirq: number) => IrqLine;
}

const PIRQ_ROUTE_CONTROL = 0x60;
const PIRQS = 4;
const ROUTE_DISABLED = 0x80;
/** 82371SB §2.2.7: the others are reserved for the motherboard's own devices. */
const ROUTABLE = [3, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15];

/** 82371SB function 0: the PCI-to-ISA bridge, which also routes the four PCI interrupt wires to ISA interrupts. */
export class Piix3IsaBridge {
  readonly fn: PciFunction;
  readonly #lines: ReadonlyMap<number, IrqLine>;
  readonly #ioApicLines: readonly IrqLine[];
  readonly #levels = [false, false, false, false];
  /** ISA interrupts that a PCI wire holds high. */
  readonly #driven = new Set<number>();
  readonly #wires = Array.from({ length: PIRQS }, (_, pirq) => wireOr({ set: (level) => this.#setPirq(pirq, level) }));

  constructor(options: Piix3Options) {
    this.#lines = new Map(ROUTABLE.map((irq) => [irq, options.isaIrq(irq)]));
    this.#ioApicLines = Array.from({ length: PIRQS }, (_, pirq) => options.ioApicLine?.(pirq) ?? UNCONNECTED);
    this.fn = new PciFunction({
      name: 'piix3', vendorId: 0x8086, deviceId: 0x7000, classCode: PCI_CLASS.BRIDGE_ISA,
      command: PCI_COMMAND.IO | PCI_COMMAND.MEMORY | PCI_COMMAND.BUS_MASTER | PCI_COMMAND.SPECIAL_CYCLES,
      registers: [
        { offset: PIRQ_ROUTE_CONTROL, bytes: options.routes ?? [10, 10, 11, 11], writable: [0x8f, 0x8f, 0x8f, 0x8f] },
        { offset: 0x4c, bytes: [0x4d, 0x00, 0x03, 0x00], writable: [0xff, 0xff, 0xff, 0xff] }, // ISA recovery, X-bus chip selects
        { offset: 0x69, bytes: [0x02], writable: [0xff] }, // top of memory
      ],
      onWrite: () => this.#route(),
    });
  }

  /** The wire of a function's interrupt pin (1 to 4); slots are swizzled as on QEMU's PCs, and as our _PRT says. */
  intx(device: number, pin: number): IrqLine {
    return this.#wires[pirqOf(device, pin)]?.() ?? UNCONNECTED;
  }

  /** The ISA interrupt of a pin now, or undefined: what firmware writes to INTERRUPT_LINE. */
  irqOf(device: number, pin: number): number | undefined {
    return this.#routeOf(pirqOf(device, pin));
  }

  #setPirq(pirq: number, level: boolean): void {
    this.#levels[pirq] = level;
    this.#ioApicLines[pirq]?.set(level);
    this.#route();
  }

  #routeOf(pirq: number): number | undefined {
    const control = this.fn.configRead(PIRQ_ROUTE_CONTROL + pirq, 1);
    return (control & ROUTE_DISABLED) !== 0 ? undefined : control & 15;
  }

  /** An ISA interrupt that no wire leads to now is left alone: it may belong to an ISA device. */
  #route(): void {
    const levels = new Map<number, boolean>();
    for (const irq of this.#driven) levels.set(irq, false);
    for (let pirq = 0; pirq < PIRQS; pirq++) {
      const irq = this.#routeOf(pirq);
      if (irq !== undefined && (this.#levels[pirq] ?? false)) levels.set(irq, true);
    }
    for (const [irq, level] of levels) {
      this.#lines.get(irq)?.set(level);
      if (level) this.#driven.add(irq);
      else this.#driven.delete(irq);
    }
  }
}

/** Which of PIRQA to PIRQD (0 to 3) a pin of a slot is wired to. */
export function pirqOf(device: number, pin: number): number {
  return (pin - 1 + device - 1) & 3;
}

export interface Piix4PowerManagementOptions {
  /** PM base at reset. Default 0x600, where `AcpiPm` is. */
  readonly pmBase?: number;
  /** The guest moves the power management block; undefined: its decoding is off. */
  readonly onPmBase?: (base: number | undefined) => void;
}

const PM_BASE = 0x40;
const PM_MISC = 0x80;

/** 82371AB function 3: what drivers look for when they want to know where the ACPI registers are. */
export function piix4PowerManagement(options: Piix4PowerManagementOptions = {}): PciFunction {
  const pmBase = (options.pmBase ?? ACPI_PM.BASE) | 1;
  const fn: PciFunction = new PciFunction({
    name: 'piix4-pm', vendorId: 0x8086, deviceId: 0x7113, classCode: PCI_CLASS.BRIDGE_OTHER, revision: 3, interruptPin: 1,
    command: PCI_COMMAND.IO,
    registers: [
      { offset: PM_BASE, bytes: [pmBase & 0xff, pmBase >> 8, 0, 0], writable: [0xc0, 0xff, 0, 0] },
      { offset: PM_MISC, bytes: [0x01], writable: [0x01] },
      { offset: 0x3c, bytes: [ACPI_PM.SCI], writable: [0xff] },
    ],
    onWrite() {
      const isDecoding = (fn.configRead(PM_MISC, 1) & 1) !== 0;
      options.onPmBase?.(isDecoding ? fn.get32(PM_BASE) & 0xffc0 : undefined);
    },
  });
  return fn;
}
