// LVT of a local APIC: its own sources and its two pins. SDM vol 3A §11.5. @hot
import { DELIVERY_MODE, LVT } from '@vmm/spec';
import { LVT_ENTRIES, LVT_WRITABLE, R, VIRTUAL_WIRE } from './local-apic.registers.ts';

/** LINT0 or LINT1. */
export type Pin = 0 | 1;

export interface LocalVectorTableState {
  readonly entries: readonly number[];
  readonly pins: readonly [boolean, boolean];
}

const EXTINT = DELIVERY_MODE.EXTINT << LVT.DELIVERY_MODE_SHIFT;
const FIRST = R.LVT_TIMER;
const PIN_ENTRY = [R.LVT_LINT0, R.LVT_LINT1] as const;

/** Six entries. What an entry sends goes to `deliver`; an ExtINT sends nothing, it is asked for (`isExternalPending`). */
export class LocalVectorTable {
  readonly #deliver: (deliveryMode: number, vector: number, isLevelTriggered: boolean) => void;
  readonly #entries = new Uint32Array(LVT_ENTRIES.length).fill(LVT.MASKED);
  readonly #pins: [boolean, boolean] = [false, false];
  #isEnabled = false;

  constructor(deliver: (deliveryMode: number, vector: number, isLevelTriggered: boolean) => void) {
    this.#deliver = deliver;
  }

  has(index: number): boolean {
    return LVT_WRITABLE[index] !== undefined;
  }

  read(index: number): number {
    return this.#entries[index - FIRST]!;
  }

  write(index: number, value: number): void {
    const written = value & (LVT_WRITABLE[index] ?? 0);
    const kept = isLevelEntry(written) ? this.read(index) & LVT.REMOTE_IRR : 0;
    this.#set(index, written | kept | (this.#isEnabled ? 0 : LVT.MASKED));
    if (index === R.LVT_LINT0) this.#servePin(0, false);
    if (index === R.LVT_LINT1) this.#servePin(1, false);
  }

  get timerMode(): number {
    return this.read(R.LVT_TIMER) & LVT.TIMER_MODE_MASK;
  }

  /** While software has the APIC disabled every entry is masked and stays so. */
  setEnabled(isEnabled: boolean): void {
    this.#isEnabled = isEnabled;
    if (!isEnabled) for (const index of LVT_ENTRIES) this.mask(index);
  }

  mask(index: number): void {
    this.#set(index, this.read(index) | LVT.MASKED);
  }

  /** The source of an entry has something to say. */
  raise(index: number): void {
    const entry = this.read(index);
    const deliveryMode = index === R.LVT_TIMER || index === R.LVT_ERROR
      ? DELIVERY_MODE.FIXED
      : (entry & LVT.DELIVERY_MODE_MASK) >> LVT.DELIVERY_MODE_SHIFT;
    if ((entry & LVT.MASKED) === 0 && deliveryMode !== DELIVERY_MODE.EXTINT) {
      this.#deliver(deliveryMode, entry & LVT.VECTOR_MASK, false);
    }
  }

  pin(pin: Pin): boolean {
    return this.#pins[pin];
  }

  /** Follows the level of a pin. With the APIC disabled the pins are the processor's own and no entry is asked. */
  setPin(pin: Pin, level: boolean, isApicEnabled: boolean): void {
    const rises = level && !this.#pins[pin];
    this.#pins[pin] = level;
    if (isApicEnabled) this.#servePin(pin, rises);
    else if (pin === 1 && rises) this.#deliver(DELIVERY_MODE.NMI, 0, false);
  }

  isExternalPending(): boolean {
    return this.#isExternal(0) || this.#isExternal(1);
  }

  /** A level-triggered pin asks again if it is still high. */
  endOfInterrupt(vector: number): void {
    for (const pin of [0, 1] as const) {
      const index = PIN_ENTRY[pin];
      const entry = this.read(index);
      if ((entry & LVT.REMOTE_IRR) === 0 || (entry & LVT.VECTOR_MASK) !== vector) continue;
      this.#set(index, entry & ~LVT.REMOTE_IRR);
      this.#servePin(pin, false);
    }
  }

  reset(isVirtualWire: boolean): void {
    this.#isEnabled = false;
    this.#entries.fill(LVT.MASKED);
    if (!isVirtualWire) return;
    this.#set(R.LVT_LINT0, VIRTUAL_WIRE.LINT0);
    this.#set(R.LVT_LINT1, VIRTUAL_WIRE.LINT1);
  }

  save(): LocalVectorTableState {
    return { entries: [...this.#entries], pins: [...this.#pins] };
  }

  restore(state: LocalVectorTableState, isEnabled: boolean): void {
    this.#entries.set(state.entries);
    [this.#pins[0], this.#pins[1]] = state.pins;
    this.#isEnabled = isEnabled;
  }

  #set(index: number, entry: number): void {
    this.#entries[index - FIRST] = entry;
  }

  #isExternal(pin: Pin): boolean {
    return this.#pins[pin] && (this.read(PIN_ENTRY[pin]) & (LVT.MASKED | LVT.DELIVERY_MODE_MASK)) === EXTINT;
  }

  #servePin(pin: Pin, rises: boolean): void {
    const index = PIN_ENTRY[pin];
    const entry = this.read(index);
    if (!isLevelEntry(entry)) {
      if (rises) this.raise(index);
    } else if (this.#pins[pin] && (entry & (LVT.MASKED | LVT.REMOTE_IRR)) === 0) {
      this.#set(index, entry | LVT.REMOTE_IRR);
      this.#deliver(DELIVERY_MODE.FIXED, entry & LVT.VECTOR_MASK, true);
    }
  }
}

function isLevelEntry(entry: number): boolean {
  return (entry & LVT.LEVEL_TRIGGERED) !== 0 && (entry & LVT.DELIVERY_MODE_MASK) === 0;
}
