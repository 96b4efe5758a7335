import { invariant, VmmError } from '@vmm/spec';
import type { AccessSize, Device, MmioRange } from './device.ts';
import { formatGpa } from './format.ts';

const ALL_ONES = { 1: 0xff, 2: 0xffff, 4: 0xffff_ffff } as const;

interface Window {
  readonly device: Device;
  /** The device's methods, bound: see `PortBus`. */
  readonly read: ((gpa: number, size: AccessSize) => number) | undefined;
  readonly write: ((gpa: number, size: AccessSize, value: number) => void) | undefined;
  readonly base: number;
  readonly end: number;
}

/** Guest-physical windows of devices: binary search with the last hit remembered. Unclaimed reads are all ones. @hot */
export class MmioBus {
  /** Sorted by base; windows never overlap. */
  readonly #windows: Window[] = [];
  #last: Window | undefined;

  /** Claims every window of the device; throws `VmmError` when one overlaps another. */
  attach(device: Device): void {
    for (const range of device.mmio ?? []) this.claim(device, range);
  }

  detach(device: Device): void {
    for (let i = this.#windows.length - 1; i >= 0; i--) {
      if (this.#windows[i]?.device === device) this.#windows.splice(i, 1);
    }
    this.#last = undefined;
  }

  /** Claims one window, for example when the guest has moved a base address register. */
  claim(device: Device, range: MmioRange): void {
    invariant(range.length > 0 && range.base >= 0, `${device.name} claims addresses that exist`);
    const window: Window = {
      device, base: range.base, end: range.base + range.length,
      read: device.mmioRead?.bind(device), write: device.mmioWrite?.bind(device),
    };
    const at = this.#indexAfter(range.base);
    for (const neighbour of [this.#windows[at - 1], this.#windows[at]]) {
      if (neighbour === undefined || neighbour.end <= window.base || neighbour.base >= window.end) continue;
      throw new VmmError('CONFIG_INVALID', `Cannot give ${formatGpa(range.base)} to ${device.name}: ${neighbour.device.name} has it`, {
        hint: 'Remove one of the two devices from the board, or move its window.',
      });
    }
    this.#windows.splice(at, 0, window);
  }

  /** Gives one window up. */
  release(device: Device, base: number): void {
    const at = this.#windows.findIndex((window) => window.device === device && window.base === base);
    if (at >= 0) this.#windows.splice(at, 1);
    this.#last = undefined;
  }

  windows(): readonly (MmioRange & { readonly device: Device })[] {
    return this.#windows.map(({ device, base, end }) => ({ device, base, length: end - base }));
  }

  read(gpa: number, size: AccessSize): number {
    const read = this.#find(gpa)?.read;
    return read === undefined ? ALL_ONES[size] : read(gpa, size);
  }

  write(gpa: number, size: AccessSize, value: number): void {
    this.#find(gpa)?.write?.(gpa, size, value);
  }

  #find(gpa: number): Window | undefined {
    const last = this.#last;
    if (last !== undefined && gpa >= last.base && gpa < last.end) return last;
    const window = this.#windows[this.#indexAfter(gpa) - 1];
    if (window === undefined || gpa >= window.end) return undefined;
    return (this.#last = window);
  }

  /** Index of the first window whose base is above `gpa`. */
  #indexAfter(gpa: number): number {
    let low = 0;
    let high = this.#windows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#windows[middle]!.base <= gpa) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
