import type { AccessSize, Device, MmioRange, PortRange } from '@vmm/device-kit';

/** Reaches a device in another worker: the bus's `AccessClient`. Reads wait for the answer, writes are posted. */
export interface RemoteDevice {
  readPort(port: number, size: number): number;
  writePort(port: number, size: number, value: number): void;
  readMmio(gpa: number, size: number): number;
  writeMmio(gpa: number, size: number, value: number): void;
  reset(): void;
}

/** Stands on the board in place of a device that runs elsewhere: claims the same ports and addresses, forwards every access. */
export class DeviceProxy implements Device {
  readonly name: string;
  readonly ports: readonly PortRange[];
  readonly mmio: readonly MmioRange[];
  readonly #remote: RemoteDevice;

  constructor(device: Pick<Device, 'name' | 'ports' | 'mmio'>, remote: RemoteDevice) {
    this.name = `${device.name} (remote)`;
    this.ports = device.ports ?? [];
    this.mmio = device.mmio ?? [];
    this.#remote = remote;
  }

  pioRead(port: number, size: AccessSize): number { return this.#remote.readPort(port, size); }
  pioWrite(port: number, size: AccessSize, value: number): void { this.#remote.writePort(port, size, value); }
  mmioRead(gpa: number, size: AccessSize): number { return this.#remote.readMmio(gpa, size); }
  mmioWrite(gpa: number, size: AccessSize, value: number): void { this.#remote.writeMmio(gpa, size, value); }
  reset(): void { this.#remote.reset(); }
  /** The device's own worker saves it. */
  save(): unknown { return undefined; }
  restore(): void { /* likewise */ }
}
