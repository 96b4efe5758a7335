import type { AccessSize, Device, IrqLine } from '@vmm/device-kit';

const PORT = 0xf0;

/** FERR# to IRQ 13, as PCs have it since the 286: a write to port 0xF0 takes the request back. Ralf Brown's list, port 00F0 */
export class CoprocessorError implements Device {
  readonly name = 'coprocessor-error';
  readonly ports = [{ base: PORT, length: 2 }];
  readonly #irq: IrqLine;

  constructor(options: { readonly irq: IrqLine }) { this.#irq = options.irq; }

  /** The CPU's pin. */
  raise(): void { this.#irq.set(true); }

  pioRead(_port: number, _size: AccessSize): number { return 0xff; }
  pioWrite(_port: number, _size: AccessSize, _value: number): void { this.#irq.set(false); }
  reset(): void { this.#irq.set(false); }
  save(): null { return null; }
  restore(_snapshot: unknown): void {}
}
