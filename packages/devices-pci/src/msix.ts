// MSI-X table, pending bits and sending. @hot
import type { AccessSize } from '@vmm/device-kit';
import { PCI_CAPABILITY } from '@vmm/spec';
import type { Capability, PciFunction } from './pci-function.ts';
import type { MsiSink } from './msi.ts';

export interface MsixOptions {
  readonly fn: PciFunction;
  readonly capabilityIndex: number;
  readonly vectors: number;
  readonly send: MsiSink;
}

const CONTROL = 2;
const ENABLE = 1 << 15;
const FUNCTION_MASK = 1 << 14;
const ENTRY_BYTES = 16;
const VECTOR_CONTROL = 12;
const VECTOR_MASKED = 1;

/** MSI-X capability whose table and pending bits are in memory BAR `bar`. PCI Local Bus 3.0 §6.8.2. */
export function msixCapability(vectors: number, bar: number, tableOffset: number, pendingOffset: number): Capability {
  const word = (value: number): number[] => [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
  return {
    id: PCI_CAPABILITY.MSI_X,
    body: [(vectors - 1) & 0xff, (vectors - 1) >> 8, ...word(tableOffset | bar), ...word(pendingOffset | bar)],
    writable: [0, (ENABLE | FUNCTION_MASK) >> 8, 0, 0, 0, 0, 0, 0, 0, 0],
  };
}

/** Table and pending bits of a function; its device sends the BAR's accesses here, with offsets from their start. */
export class Msix {
  readonly #options: MsixOptions;
  readonly #control: number;
  readonly #table: Uint32Array;
  readonly #pending: Uint32Array;

  constructor(options: MsixOptions) {
    this.#options = options;
    this.#control = options.fn.capabilityOffset(options.capabilityIndex) + CONTROL;
    this.#table = new Uint32Array((options.vectors * ENTRY_BYTES) / 4);
    this.#pending = new Uint32Array(Math.ceil(options.vectors / 32));
    this.reset();
  }

  get isEnabled(): boolean {
    return (this.#options.fn.get16(this.#control) & ENABLE) !== 0;
  }

  readTable(offset: number, size: AccessSize): number {
    const word = this.#table[offset >> 2] ?? 0;
    return size === 4 ? word : (word >>> (8 * (offset & 3))) & (size === 1 ? 0xff : 0xffff);
  }

  /** Dwords only, as the specification demands of drivers. */
  writeTable(offset: number, size: AccessSize, value: number): void {
    const index = offset >> 2;
    if (size !== 4 || index >= this.#table.length) return;
    this.#table[index] = (offset & 15) === VECTOR_CONTROL ? value & VECTOR_MASKED : value;
    this.flush();
  }

  readPending(offset: number): number {
    return this.#pending[offset >> 2] ?? 0;
  }

  /** Sends a vector, or keeps it pending while it is masked. Answers false when MSI-X is off. */
  notify(vector: number): boolean {
    if (!this.isEnabled || vector >= this.#options.vectors) return false;
    this.#pending[vector >> 5]! |= 1 << (vector & 31);
    this.flush();
    return true;
  }

  /** Sends what is pending and no longer masked; call it after the guest has written the capability. */
  flush(): void {
    if (!this.isEnabled || (this.#options.fn.get16(this.#control) & FUNCTION_MASK) !== 0) return;
    for (let vector = 0; vector < this.#options.vectors; vector++) {
      const bit = 1 << (vector & 31);
      const at = (vector * ENTRY_BYTES) / 4;
      if ((this.#pending[vector >> 5]! & bit) === 0 || (this.#table[at + 3]! & VECTOR_MASKED) !== 0) continue;
      this.#pending[vector >> 5]! &= ~bit;
      this.#options.send(this.#table[at]!, this.#table[at + 2]!);
    }
  }

  reset(): void {
    this.#table.fill(0);
    for (let at = 3; at < this.#table.length; at += 4) this.#table[at] = VECTOR_MASKED;
    this.#pending.fill(0);
  }

  save(): { table: Uint32Array; pending: Uint32Array } {
    return { table: this.#table.slice(), pending: this.#pending.slice() };
  }

  restore(state: { readonly table: Uint32Array; readonly pending: Uint32Array }): void {
    this.#table.set(state.table);
    this.#pending.set(state.pending);
  }
}
