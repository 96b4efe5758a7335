import type { AccessSize, Device } from '@vmm/device-kit';
import { PORT, RESET_CONTROL } from '@vmm/spec';

export interface ResetControlOptions {
  /** Bit 2 has risen: a hard reset when bit 1 was set, else INIT of the processor. */
  readonly onReset: (kind: 'hard' | 'soft') => void;
}

const WRITABLE = RESET_CONTROL.SYSTEM_RESET | RESET_CONTROL.RESET_CPU | RESET_CONTROL.FULL_RESET;

/**
 * Reset control register of the PIIX, the FADT's RESET_REG. Its port lies within the dword of PCI's CONFIG_ADDRESS, so
 * on boards with PCI it is handed to `PciHost`, not attached to the bus.
 */
export class ResetControl implements Device {
  readonly name = 'reset-control';
  readonly ports = [{ base: PORT.RESET_CONTROL, length: 1 }];
  readonly #onReset: (kind: 'hard' | 'soft') => void;
  #value = 0;

  constructor(options: ResetControlOptions) {
    this.#onReset = options.onReset;
  }

  pioRead(_port: number, _size: AccessSize): number {
    return this.#value;
  }

  pioWrite(_port: number, _size: AccessSize, value: number): void {
    const rises = (value & ~this.#value & RESET_CONTROL.RESET_CPU) !== 0;
    this.#value = value & WRITABLE;
    if (rises) this.#onReset((value & RESET_CONTROL.SYSTEM_RESET) !== 0 ? 'hard' : 'soft');
  }

  reset(): void {
    this.#value = 0;
  }

  save(): number {
    return this.#value;
  }

  restore(snapshot: unknown): void {
    this.#value = snapshot as number;
  }
}
