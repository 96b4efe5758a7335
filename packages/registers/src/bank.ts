// A register map at work. @hot
import { invariant } from '@vmm/spec';
import { fieldMask } from './field.ts';
import type { Access, FieldOf, Register, RegisterMap } from './field.ts';

export interface Hooks {
  /** After a guest write, with the value now in the register and the one before. Write-only fields show what was written. */
  readonly write?: (value: number, previous: number) => void;
  /** Before a guest read: brings fields that are computed up to date (`bank.poke`). */
  readonly read?: () => void;
}

interface Slot {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  readonly readable: number;
  readonly writable: number;
  readonly clearable: number;
  readonly settable: number;
  readonly readClears: number;
  readonly writeOnly: number;
  readonly reset: number;
  readonly hooks: Hooks;
}

/**
 * Values behind a register map. Guests reach them by offset with any size: bytes of a wider register, or several
 * registers at once; hooks run once for each register touched.
 */
export class RegisterBank<Registers extends RegisterMap> {
  readonly #map: Registers;
  readonly #slots: readonly Slot[];
  readonly #values: Uint32Array;
  readonly #indexOf = new Map<string, number>();
  /** Slot of each byte offset, or -1. */
  readonly #at: Int16Array;

  constructor(map: Registers, hooks: { readonly [Name in keyof Registers]?: Hooks } = {}) {
    this.#map = map;
    this.#slots = Object.entries(map).map(([name, register]) => compile(name, register, hooks[name] ?? {}));
    this.#values = new Uint32Array(this.#slots.length);
    this.#at = new Int16Array(Math.max(0, ...this.#slots.map((slot) => slot.offset + slot.size))).fill(-1);
    for (const [index, slot] of this.#slots.entries()) {
      this.#indexOf.set(slot.name, index);
      for (let offset = slot.offset; offset < slot.offset + slot.size; offset++) {
        invariant(this.#at[offset] === -1, `registers of a map do not overlap: ${slot.name}`);
        this.#at[offset] = index;
      }
    }
    this.reset();
  }

  guestRead(offset: number, size: number): number {
    let result = 0;
    for (let done = 0; done < size;) {
      const index = this.#at[offset + done] ?? -1;
      if (index < 0) {
        done++;
        continue;
      }
      const slot = this.#slots[index]!;
      slot.hooks.read?.();
      const skip = offset + done - slot.offset;
      const bytes = Math.min(slot.size - skip, size - done);
      const mask = byteMask(bytes);
      result |= (((this.#values[index]! & slot.readable) >>> (8 * skip)) & mask) << (8 * done);
      this.#values[index]! &= ~(slot.readClears & (mask << (8 * skip)));
      done += bytes;
    }
    return result >>> 0;
  }

  guestWrite(offset: number, size: number, value: number): void {
    for (let done = 0; done < size;) {
      const index = this.#at[offset + done] ?? -1;
      if (index < 0) {
        done++;
        continue;
      }
      const slot = this.#slots[index]!;
      const skip = offset + done - slot.offset;
      const bytes = Math.min(slot.size - skip, size - done);
      this.#writeSlot(index, slot, ((value >>> (8 * done)) & byteMask(bytes)) << (8 * skip), byteMask(bytes) << (8 * skip));
      done += bytes;
    }
  }

  /** The whole register, write-only fields included. */
  get(name: keyof Registers & string): number {
    return this.#values[this.#index(name)]!;
  }

  /** Sets the whole register from the device's side: no hooks, every bit. */
  poke(name: keyof Registers & string, value: number): void {
    this.#values[this.#index(name)] = value;
  }

  field<Name extends keyof Registers & string>(name: Name, field: FieldOf<Registers, Name>): number {
    const { lsb, mask } = this.#field(name, field);
    return (this.get(name) & mask) >>> lsb;
  }

  setField<Name extends keyof Registers & string>(name: Name, field: FieldOf<Registers, Name>, value: number): void {
    const { lsb, mask } = this.#field(name, field);
    this.poke(name, (this.get(name) & ~mask) | ((value << lsb) & mask));
  }

  reset(): void {
    for (const [index, slot] of this.#slots.entries()) this.#values[index] = slot.reset;
  }

  save(): Record<string, number> {
    return Object.fromEntries(this.#slots.map((slot, index) => [slot.name, this.#values[index]!]));
  }

  /** Registers that the snapshot does not know take their reset value. */
  restore(snapshot: Readonly<Record<string, number>>): void {
    for (const [index, slot] of this.#slots.entries()) this.#values[index] = snapshot[slot.name] ?? slot.reset;
  }

  #writeSlot(index: number, slot: Slot, data: number, lanes: number): void {
    const previous = this.#values[index]!;
    const writable = slot.writable & lanes;
    let next = (previous & ~writable) | (data & writable);
    next &= ~(data & slot.clearable);
    next |= data & slot.settable;
    this.#values[index] = next;
    slot.hooks.write?.(next >>> 0, previous);
    this.#values[index] &= ~slot.writeOnly;
  }

  #index(name: string): number {
    const index = this.#indexOf.get(name);
    invariant(index !== undefined, `register ${name} is in the map`);
    return index;
  }

  #field(name: keyof Registers & string, field: string): { lsb: number; mask: number } {
    const description = this.#map[name]?.fields[field];
    invariant(description !== undefined, `field ${name}.${field} is in the map`);
    return { lsb: description.lsb, mask: fieldMask(description) };
  }
}

function byteMask(bytes: number): number {
  return bytes === 4 ? -1 : (1 << (8 * bytes)) - 1;
}

function compile(name: string, register: Register, hooks: Hooks): Slot {
  const bits = (...kinds: Access[]): number => Object.values(register.fields)
    .filter((field) => kinds.includes(field.access))
    .reduce((mask, field) => mask | fieldMask(field), 0);
  const reset = Object.values(register.fields).reduce((value, field) => value | (field.reset << field.lsb), 0);
  return {
    name, offset: register.offset, size: register.size, hooks, reset,
    readable: bits('rw', 'ro', 'w1c', 'w1s', 'rc'),
    writable: bits('rw', 'wo'),
    clearable: bits('w1c'),
    settable: bits('w1s'),
    readClears: bits('rc'),
    writeOnly: bits('wo'),
  };
}
