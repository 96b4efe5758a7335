import type { AccessSize, Device } from '@vmm/device-kit';
import { PCI_ADDRESS, PORT } from '@vmm/spec';
import type { PciBus } from './pci-bus.ts';

export interface PciHostOptions {
  readonly bus: PciBus;
  /** Port 0xCF9, which lies within the address port and is told from it by its width. */
  readonly resetControl?: Device;
}

interface PciHostState {
  readonly address: number;
  readonly functions: readonly (readonly [devfn: number, config: Uint8Array])[];
}

const ALL_ONES = { 1: 0xff, 2: 0xffff, 4: 0xffff_ffff } as const;
const ADDRESS_WRITABLE = 0x80ff_fffc;

/** Configuration mechanism 1: ports 0xCF8 (address, dwords only) and 0xCFC (data, any width). */
export class PciHost implements Device {
  readonly name = 'pci-host';
  readonly ports = [{ base: PORT.PCI_CONFIG_ADDRESS, length: 8, access: 4 }] as const;
  readonly #bus: PciBus;
  readonly #resetControl: Device | undefined;
  #address = 0;

  constructor(options: PciHostOptions) {
    this.#bus = options.bus;
    this.#resetControl = options.resetControl;
  }

  pioRead(port: number, size: AccessSize): number {
    if (port >= PORT.PCI_CONFIG_DATA) {
      return this.#isSelected() ? this.#bus.configRead(this.#devfn(), this.#register(port), size) : ALL_ONES[size];
    }
    if (port === PORT.PCI_CONFIG_ADDRESS && size === 4) return this.#address;
    if (port === PORT.RESET_CONTROL && size === 1) return this.#resetControl?.pioRead?.(port, size) ?? ALL_ONES[1];
    return ALL_ONES[size];
  }

  pioWrite(port: number, size: AccessSize, value: number): void {
    if (port >= PORT.PCI_CONFIG_DATA) {
      if (this.#isSelected()) this.#bus.configWrite(this.#devfn(), this.#register(port), size, value);
    } else if (port === PORT.PCI_CONFIG_ADDRESS && size === 4) {
      this.#address = (value & ADDRESS_WRITABLE) >>> 0;
    } else if (port === PORT.RESET_CONTROL && size === 1) {
      this.#resetControl?.pioWrite?.(port, size, value);
    }
  }

  /** Resets the functions too: the bus's RST#. */
  reset(): void {
    this.#address = 0;
    this.#resetControl?.reset();
    for (const { fn } of this.#bus.functions()) fn.reset();
  }

  save(): PciHostState {
    return {
      address: this.#address,
      functions: this.#bus.functions().map(({ device, functionNumber, fn }) => [device * 8 + functionNumber, fn.save()]),
    };
  }

  restore(snapshot: unknown): void {
    const state = snapshot as PciHostState;
    this.#address = state.address;
    for (const [devfn, config] of state.functions) this.#bus.at(devfn >> 3, devfn & 7)?.restore(config);
  }

  /** Buses behind bridges are not there yet: only our own answers. */
  #isSelected(): boolean {
    const busNumber = (this.#address >>> PCI_ADDRESS.BUS_SHIFT) & 0xff;
    return this.#address >= PCI_ADDRESS.ENABLE && busNumber === this.#bus.number;
  }

  #devfn(): number {
    return (this.#address >>> PCI_ADDRESS.FUNCTION_SHIFT) & 0xff;
  }

  #register(port: number): number {
    return (this.#address & PCI_ADDRESS.REGISTER_MASK) | (port & 3);
  }
}
