import { VmmError } from '@vmm/spec';
import { PAGE_BYTES } from './geometry.ts';
import type { MachineMemory } from './machine-memory.ts';

/**
 * Guest memory by guest-physical address, for loaders, DMA and debuggers. Only RAM and ROM: reaching outside throws `VmmError`. Stores reach ROM
 * too (that is how firmware gets there) and tell the block cache about pages that hold decoded code.
 */
export class GuestMemory {
  readonly #memory: MachineMemory;

  constructor(memory: MachineMemory) {
    this.#memory = memory;
  }

  /** Whether the whole range is RAM or ROM, contiguous in machine memory. */
  contains(gpa: number, length: number): boolean {
    return this.#find(gpa, length) !== 0;
  }

  /** The bytes themselves, not a copy; storing through it bypasses every notification. */
  view(gpa: number, length: number): Uint8Array<SharedArrayBuffer> {
    const host = this.#host(gpa, length, 'view');
    return this.#memory.u8.subarray(host, host + length);
  }

  /** A copy, safe to hand to TextDecoder and the like, which refuse shared memory. */
  readBytes(gpa: number, length: number): Uint8Array<ArrayBuffer> {
    const host = this.#host(gpa, length, 'read');
    return new Uint8Array(this.#memory.u8.subarray(host, host + length));
  }

  writeBytes(gpa: number, bytes: Uint8Array): void {
    this.#memory.u8.set(bytes, this.#store(gpa, bytes.length));
  }

  fill(gpa: number, length: number, value = 0): void {
    const host = this.#store(gpa, length);
    this.#memory.u8.fill(value, host, host + length);
  }

  read8(gpa: number): number { return this.#memory.data.getUint8(this.#host(gpa, 1, 'read')); }
  read16(gpa: number): number { return this.#memory.data.getUint16(this.#host(gpa, 2, 'read'), true); }
  read32(gpa: number): number { return this.#memory.data.getUint32(this.#host(gpa, 4, 'read'), true); }
  read64(gpa: number): bigint { return this.#memory.data.getBigUint64(this.#host(gpa, 8, 'read'), true); }
  write8(gpa: number, value: number): void { this.#memory.u8[this.#store(gpa, 1)] = value; }
  write16(gpa: number, value: number): void { this.#memory.data.setUint16(this.#store(gpa, 2), value, true); }
  write32(gpa: number, value: number): void { this.#memory.data.setUint32(this.#store(gpa, 4), value, true); }
  write64(gpa: number, value: bigint): void { this.#memory.data.setBigUint64(this.#store(gpa, 8), value, true); }

  #store(gpa: number, length: number): number {
    const host = this.#host(gpa, length, 'write');
    this.#memory.noteStore(host, length);
    return host;
  }

  #host(gpa: number, length: number, verb: string): number {
    const host = this.#find(gpa, length);
    if (host !== 0) return host;
    throw new VmmError('MEMORY_INVALID', `Cannot ${verb} ${length} bytes of guest memory at 0x${gpa.toString(16)}`, {
      hint: `The guest has RAM from 0 to 0x${this.#memory.ramBytes.toString(16)}, less its holes.`,
    });
  }

  #find(gpa: number, length: number): number {
    if (!Number.isInteger(gpa) || !(length >= 0) || gpa < 0 || gpa + length > 0x1_0000_0000) return 0;
    const first = this.#memory.translate(gpa | 0, 0);
    if (first === 0) return 0;
    for (let at = gpa - gpa % PAGE_BYTES + PAGE_BYTES; at < gpa + length; at += PAGE_BYTES) {
      if (this.#memory.translate(at | 0, 0) !== first + (at - gpa)) return 0;
    }
    return first;
  }
}
