import type { AccessSize, Device } from '@vmm/device-kit';
import { IOAPIC, IOAPIC_INDEX, REDIRECTION } from '@vmm/spec';
import { deviceMessage, widenDestination } from './apic-message.ts';
import type { ApicMessage } from './apic-message.ts';

export interface IoApicOptions {
  /** Where interrupts go: the APIC bus. */
  readonly deliver: (message: ApicMessage) => void;
  /** Default 0xFEC00000. */
  readonly base?: number;
  /** Default 0; firmware tables must say the same. */
  readonly id?: number;
}

interface IoApicState {
  readonly select: number;
  readonly id: number;
  readonly low: Uint32Array;
  readonly high: Uint32Array;
  readonly levels: number;
}

export const IO_APIC_PINS = 24;
/** Version 0x20 has the EOI register. */
const VERSION = 0x20;
const READ_ONLY = REDIRECTION.DELIVERY_STATUS | REDIRECTION.REMOTE_IRR;
const LOW_WRITABLE = 0x1_afff;

/** 82093AA with 24 pins. Levels are logical (asserted or not): the polarity bit is kept but changes nothing. */
export class IoApic implements Device {
  readonly name = 'ioapic';
  readonly mmio;
  readonly #deliver: (message: ApicMessage) => void;
  readonly #powerOnId: number;
  readonly #low = new Uint32Array(IO_APIC_PINS);
  readonly #high = new Uint32Array(IO_APIC_PINS);
  #id: number;
  #select = 0;
  /** Bit per pin: its level now. */
  #levels = 0;

  constructor(options: IoApicOptions) {
    this.mmio = [{ base: options.base ?? IOAPIC.DEFAULT_ADDRESS, length: 0x1000 }];
    this.#deliver = options.deliver;
    this.#powerOnId = options.id ?? 0;
    this.#id = this.#powerOnId;
    this.#low.fill(REDIRECTION.MASKED);
  }

  /** An edge at a masked pin is lost (82093AA §3.2.4); a level is served when the pin is unmasked. */
  setPin(pin: number, level: boolean): void {
    const bit = 1 << pin;
    const rises = level && (this.#levels & bit) === 0;
    this.#levels = level ? this.#levels | bit : this.#levels & ~bit;
    if (!rises) return;
    if (this.#isLevelTriggered(pin)) this.#serveLevel(pin);
    else if (!this.#isMasked(pin)) this.#send(pin);
  }

  /** EOI broadcast of a local APIC, or the EOI register. A line that is still high asks again. */
  endOfInterrupt(vector: number): void {
    for (let pin = 0; pin < IO_APIC_PINS; pin++) {
      const entry = this.#low[pin] ?? 0;
      if ((entry & REDIRECTION.VECTOR_MASK) !== vector || (entry & REDIRECTION.REMOTE_IRR) === 0) continue;
      this.#low[pin] = entry & ~REDIRECTION.REMOTE_IRR;
      this.#serveLevel(pin);
    }
  }

  mmioRead(gpa: number, size: AccessSize): number {
    const offset = gpa & 0xff;
    const word = this.#readWord(offset & ~3);
    return size === 4 ? word : (word >>> (8 * (offset & 3))) & (size === 1 ? 0xff : 0xffff);
  }

  mmioWrite(gpa: number, _size: AccessSize, value: number): void {
    switch (gpa & 0xff) {
      case IOAPIC.SELECT: this.#select = value & 0xff; break;
      case IOAPIC.WINDOW: this.#writeRegister(value >>> 0); break;
      case IOAPIC.EOI: this.endOfInterrupt(value & 0xff); break;
    }
  }

  reset(): void {
    this.#select = 0;
    this.#id = this.#powerOnId;
    this.#low.fill(REDIRECTION.MASKED);
    this.#high.fill(0);
  }

  save(): IoApicState {
    return { select: this.#select, id: this.#id, low: this.#low.slice(), high: this.#high.slice(), levels: this.#levels };
  }

  restore(snapshot: unknown): void {
    const state = snapshot as IoApicState;
    this.#select = state.select;
    this.#id = state.id;
    this.#low.set(state.low);
    this.#high.set(state.high);
    this.#levels = state.levels;
  }

  #readWord(offset: number): number {
    if (offset === IOAPIC.SELECT) return this.#select;
    return offset === IOAPIC.WINDOW ? this.#readRegister() : 0;
  }

  #readRegister(): number {
    switch (this.#select) {
      case IOAPIC_INDEX.ID:
      case IOAPIC_INDEX.ARBITRATION: return (this.#id << 24) >>> 0;
      case IOAPIC_INDEX.VERSION: return VERSION | ((IO_APIC_PINS - 1) << 16);
      default: {
        const index = this.#select - IOAPIC_INDEX.REDIRECTION0;
        return ((index & 1) === 0 ? this.#low : this.#high)[index >> 1] ?? 0;
      }
    }
  }

  #writeRegister(value: number): void {
    if (this.#select === IOAPIC_INDEX.ID) {
      this.#id = (value >>> 24) & 0xf;
      return;
    }
    const index = this.#select - IOAPIC_INDEX.REDIRECTION0;
    if (index < 0 || index >= 2 * IO_APIC_PINS) return;
    if ((index & 1) === 0) this.#writeLow(index >> 1, value);
    else this.#high[index >> 1] = value & 0xff00_0000;
  }

  /** Turning an entry to edge clears Remote IRR: kernels end an interrupt this way on parts without the EOI register. */
  #writeLow(pin: number, value: number): void {
    let entry = (value & LOW_WRITABLE) | ((this.#low[pin] ?? 0) & READ_ONLY);
    if ((entry & REDIRECTION.LEVEL_TRIGGERED) === 0) entry &= ~REDIRECTION.REMOTE_IRR;
    this.#low[pin] = entry;
    if ((entry & REDIRECTION.LEVEL_TRIGGERED) !== 0) this.#serveLevel(pin);
  }

  #isMasked(pin: number): boolean {
    return ((this.#low[pin] ?? 0) & REDIRECTION.MASKED) !== 0;
  }

  #isLevelTriggered(pin: number): boolean {
    return ((this.#low[pin] ?? 0) & REDIRECTION.LEVEL_TRIGGERED) !== 0;
  }

  #serveLevel(pin: number): void {
    const entry = this.#low[pin] ?? 0;
    const isAsking = (this.#levels & (1 << pin)) !== 0 && (entry & (REDIRECTION.MASKED | REDIRECTION.REMOTE_IRR)) === 0;
    if (!isAsking) return;
    this.#low[pin] = entry | REDIRECTION.REMOTE_IRR;
    this.#send(pin);
  }

  #send(pin: number): void {
    const entry = this.#low[pin] ?? 0;
    this.#deliver(deviceMessage({
      destination: widenDestination((this.#high[pin] ?? 0) >>> 24),
      isLogical: (entry & REDIRECTION.LOGICAL_DESTINATION) !== 0,
      deliveryMode: (entry & REDIRECTION.DELIVERY_MODE_MASK) >> REDIRECTION.DELIVERY_MODE_SHIFT,
      vector: entry & REDIRECTION.VECTOR_MASK,
      isLevelTriggered: (entry & REDIRECTION.LEVEL_TRIGGERED) !== 0,
    }));
  }
}
