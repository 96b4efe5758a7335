import { PCI_CAPABILITY } from '@vmm/spec';
import type { Capability, PciFunction } from './pci-function.ts';

/** Writes an interrupt message: `interrupts.msi`, or through the IOMMU's remapping. */
export type MsiSink = (address: number, data: number) => void;

const CONTROL = 2;
const ADDRESS = 4;
const DATA = 12;
const ENABLE = 1 << 0;
const HAS_64_BIT_ADDRESS = 1 << 7;
const ENABLED_VECTORS_SHIFT = 4;

/** MSI capability with a 64-bit address and up to 32 vectors (a power of two). PCI Local Bus 3.0 §6.8.1. */
export function msiCapability(vectors = 1): Capability {
  const requested = Math.log2(vectors) << 1;
  return {
    id: PCI_CAPABILITY.MSI,
    body: [HAS_64_BIT_ADDRESS | requested, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    writable: [ENABLE | (7 << ENABLED_VECTORS_SHIFT), 0, 0xfc, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  };
}

/** The sending half of a function's MSI capability. */
export class Msi {
  readonly #fn: PciFunction;
  readonly #offset: number;
  readonly #send: MsiSink;

  constructor(fn: PciFunction, capabilityIndex: number, send: MsiSink) {
    this.#fn = fn;
    this.#offset = fn.capabilityOffset(capabilityIndex);
    this.#send = send;
  }

  get isEnabled(): boolean {
    return (this.#fn.get16(this.#offset + CONTROL) & ENABLE) !== 0;
  }

  /** Sends a vector; beyond what the guest has enabled, the last one. Answers false when MSI is off. */
  notify(vector: number): boolean {
    if (!this.isEnabled) return false;
    const enabled = 1 << ((this.#fn.get16(this.#offset + CONTROL) >> ENABLED_VECTORS_SHIFT) & 7);
    const data = this.#fn.get16(this.#offset + DATA);
    const address = this.#fn.get32(this.#offset + ADDRESS);
    this.#send(address, (data & ~(enabled - 1)) | (vector % enabled));
    return true;
  }
}
