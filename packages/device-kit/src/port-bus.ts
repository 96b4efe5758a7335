import { invariant, VmmError } from '@vmm/spec';
import type { AccessSize, Device, PortRange } from './device.ts';
import { formatPort } from './format.ts';

const PORT_COUNT = 0x1_0000;
const ALL_ONES = { 1: 0xff, 2: 0xffff, 4: 0xffff_ffff } as const;

interface Claim {
  readonly device: Device;
  readonly end: number;
  readonly access: AccessSize;
  /** The device's methods, bound: a property load on the many kinds of device would cost more than the call. */
  readonly read: ((port: number, size: AccessSize) => number) | undefined;
  readonly write: ((port: number, size: AccessSize, value: number) => void) | undefined;
}

const NOBODY = 0;

/**
 * The 64 Ki I/O ports of a machine: one table look-up per access. @hot
 * Unclaimed ports read as all ones; an access that is wider than the device takes, or that crosses the end of its
 * range, is split into bytes.
 */
export class PortBus {
  readonly #owner = new Uint16Array(PORT_COUNT);
  readonly #claims: (Claim | undefined)[] = [undefined];

  /** Claims every port of the device; throws `VmmError` when one is taken. */
  attach(device: Device): void {
    for (const range of device.ports ?? []) this.claim(device, range);
  }

  /** Releases every port that the device holds. */
  detach(device: Device): void {
    for (let index = 1; index < this.#claims.length; index++) {
      const claim = this.#claims[index];
      if (claim?.device !== device) continue;
      for (let port = 0; port < PORT_COUNT; port++) if (this.#owner[port] === index) this.#owner[port] = NOBODY;
      this.#claims[index] = undefined;
    }
  }

  /** Claims one range, for example when the guest has moved a base address register. */
  claim(device: Device, range: PortRange): void {
    const end = range.base + range.length;
    invariant(range.length > 0 && range.base >= 0 && end <= PORT_COUNT, `${device.name} claims ports that exist`);
    for (let port = range.base; port < end; port++) {
      const holder = this.#claims[this.#owner[port]!];
      if (holder === undefined) continue;
      throw new VmmError('CONFIG_INVALID', `Cannot give port ${formatPort(port)} to ${device.name}: ${holder.device.name} has it`, {
        hint: 'Remove one of the two devices from the board, or give it other ports.',
      });
    }
    this.#owner.fill(this.#claims.length, range.base, end);
    this.#claims.push({
      device, end, access: range.access ?? 1, read: device.pioRead?.bind(device), write: device.pioWrite?.bind(device),
    });
  }

  deviceAt(port: number): Device | undefined {
    return this.#claims[this.#owner[port & 0xffff]!]?.device;
  }

  read(port: number, size: AccessSize): number {
    const claim = this.#claims[this.#owner[port]!];
    if (claim === undefined) {
      return size === 1 ? 0xff : this.#readBytes(port, size);
    }
    if (size > claim.access || port + size > claim.end) return this.#readBytes(port, size);
    return claim.read === undefined ? ALL_ONES[size] : claim.read(port, size);
  }

  write(port: number, size: AccessSize, value: number): void {
    const claim = this.#claims[this.#owner[port]!];
    if (claim === undefined && size === 1) return;
    if (claim === undefined || size > claim.access || port + size > claim.end) this.#writeBytes(port, size, value);
    else claim.write?.(port, size, value);
  }

  #readBytes(port: number, size: AccessSize): number {
    if (size === 1) return ALL_ONES[1];
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.read((port + i) & 0xffff, 1) << (8 * i);
    return value >>> 0;
  }

  #writeBytes(port: number, size: AccessSize, value: number): void {
    if (size === 1) return;
    for (let i = 0; i < size; i++) this.write((port + i) & 0xffff, 1, (value >>> (8 * i)) & 0xff);
  }
}
