import type { GuestMemory } from './guest-memory.ts';

/** Guest memory that remembers, and answers integers. */
export class PlainMemory implements GuestMemory {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;

  constructor(mebibytes: number) {
    this.bytes = new Uint8Array(mebibytes * 0x10_0000);
    this.#view = new DataView(this.bytes.buffer);
  }

  get sizeBytes(): number { return this.bytes.length; }
  write(gpa: number, bytes: Uint8Array): void { this.bytes.set(bytes, gpa); }
  read(gpa: number, length: number): Uint8Array<ArrayBuffer> { return this.bytes.slice(gpa, gpa + length); }
  u8(gpa: number): number { return this.#view.getUint8(gpa); }
  u16(gpa: number): number { return this.#view.getUint16(gpa, true); }
  u32(gpa: number): number { return this.#view.getUint32(gpa, true); }
  u64(gpa: number): number { return Number(this.#view.getBigUint64(gpa, true)); }
  text(gpa: number): string { return new TextDecoder().decode(this.bytes.slice(gpa, this.bytes.indexOf(0, gpa))); }
}
