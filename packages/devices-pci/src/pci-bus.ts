import type { AccessSize } from '@vmm/device-kit';
import { VmmError } from '@vmm/spec';
import type { PciFunction } from './pci-function.ts';

const DEVICES = 32;
const FUNCTIONS = 8;
const ALL_ONES = { 1: 0xff, 2: 0xffff, 4: 0xffff_ffff } as const;

/** One PCI bus: functions by device and function number. An empty slot reads as all ones and swallows writes. */
export class PciBus {
  readonly number: number;
  readonly #functions = new Array<PciFunction | undefined>(DEVICES * FUNCTIONS).fill(undefined);

  constructor(number = 0) {
    this.number = number;
  }

  /** Puts a function in a slot; throws `VmmError` when there is one. */
  add(device: number, fn: PciFunction, functionNumber = 0): void {
    const holder = this.at(device, functionNumber);
    if (holder !== undefined || device >= DEVICES || functionNumber >= FUNCTIONS) {
      throw new VmmError('CONFIG_INVALID', `Cannot put ${fn.name} at PCI ${device}.${functionNumber}: ${holder?.name ?? 'no such slot'}`, {
        hint: 'Choose another slot, or leave it to the board.',
      });
    }
    this.#functions[device * FUNCTIONS + functionNumber] = fn;
    const first = this.at(device, 0);
    if (first !== undefined && this.#isMultifunction(device)) first.setMultifunction();
  }

  at(device: number, functionNumber: number): PciFunction | undefined {
    return this.#functions[device * FUNCTIONS + functionNumber];
  }

  /** The lowest device number with nothing in it. */
  freeDevice(): number {
    for (let device = 1; device < DEVICES; device++) if (this.at(device, 0) === undefined) return device;
    throw new VmmError('CONFIG_INVALID', 'Cannot add a PCI device: all 32 slots are taken', { hint: 'Remove a device.' });
  }

  functions(): { device: number; functionNumber: number; fn: PciFunction }[] {
    return this.#functions.flatMap((fn, index) => fn === undefined ? [] : [{
      device: Math.floor(index / FUNCTIONS), functionNumber: index % FUNCTIONS, fn,
    }]);
  }

  configRead(devfn: number, offset: number, size: AccessSize): number {
    return this.#functions[devfn]?.configRead(offset, size) ?? ALL_ONES[size];
  }

  configWrite(devfn: number, offset: number, size: AccessSize, value: number): void {
    this.#functions[devfn]?.configWrite(offset, size, value);
  }

  #isMultifunction(device: number): boolean {
    for (let fn = 1; fn < FUNCTIONS; fn++) if (this.at(device, fn) !== undefined) return true;
    return false;
  }
}
