import type { AccessHandler } from '@vmm/bus';
import { MmioBus, PortBus } from '@vmm/device-kit';
import type { AccessSize, Clock, Device, IrqLine } from '@vmm/device-kit';
import { DebugConsole } from '@vmm/devices-debug';
import { Uart16550 } from '@vmm/devices-serial';

/** Devices that may run beside the vCPU or in a worker of their own. */
export type PlaceableDevice = 'serial' | 'debugConsole';

/** Where a device's bytes go. */
export interface ByteOutput {
  transmit(byte: number): void;
}

/** COM1 is ISA interrupt 4. */
export const COM1_IRQ = 4;

export interface SerialDevicesOptions {
  readonly clock: Clock;
  /** Which devices run here. */
  readonly placed: (device: PlaceableDevice) => boolean;
  readonly serial: ByteOutput;
  readonly debugConsole: ByteOutput;
  readonly setIrq: (irq: number, level: boolean) => void;
  /** Publishes what `serial` and `debugConsole` hold back. */
  readonly flush: () => void;
}

/** One maker a placeable device: the same object on the board and in the console worker. */
export const PLACEABLE_DEVICES = {
  serial: (parts: { clock: Clock; irq: IrqLine; output: ByteOutput }) =>
    new Uart16550({ clock: parts.clock, irq: parts.irq, onTransmit: (byte) => { parts.output.transmit(byte); } }),
  debugConsole: (parts: { output: ByteOutput }) =>
    new DebugConsole({ onByte: (byte) => { parts.output.transmit(byte); } }),
} as const;

/** The device side of placement `worker`: answers the access ring for the devices that were placed here. */
export class SerialDevices implements AccessHandler {
  readonly #ports = new PortBus();
  readonly #mmio = new MmioBus();
  readonly #devices: Device[] = [];
  readonly #uart: Uart16550 | undefined;
  readonly flush: () => void;

  constructor(options: SerialDevicesOptions) {
    this.flush = options.flush;
    if (options.placed('serial')) {
      const irq = { set: (level: boolean) => { options.setIrq(COM1_IRQ, level); } };
      this.#uart = PLACEABLE_DEVICES.serial({ clock: options.clock, irq, output: options.serial });
      this.#attach(this.#uart);
    }
    if (options.placed('debugConsole')) this.#attach(PLACEABLE_DEVICES.debugConsole({ output: options.debugConsole }));
  }

  /** Whether the guest would take a byte from the serial line now. */
  get isListening(): boolean {
    return this.#uart?.isListening ?? false;
  }

  /** Bytes from the other end of the serial line; answers how many were taken. */
  receive(bytes: Uint8Array): number {
    return this.#uart?.receive(bytes) ?? 0;
  }

  readPort(port: number, size: number): number { return this.#ports.read(port, size as AccessSize); }
  writePort(port: number, size: number, value: number): void { this.#ports.write(port, size as AccessSize, value); }
  readMmio(gpa: number, size: number): number { return this.#mmio.read(gpa, size as AccessSize); }
  writeMmio(gpa: number, size: number, value: number): void { this.#mmio.write(gpa, size as AccessSize, value); }

  reset(): void {
    for (const device of this.#devices) device.reset();
  }

  #attach(device: Device): void {
    this.#devices.push(device);
    this.#ports.attach(device);
    this.#mmio.attach(device);
  }
}
