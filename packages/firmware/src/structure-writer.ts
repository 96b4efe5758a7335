import { invariant } from '@vmm/spec';

/** Builds a little-endian structure field by field; positions can be checked against the manual's offsets as one goes. */
export class StructureWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  u8(...values: readonly number[]): this {
    for (const value of values) this.#integer(value, 1);
    return this;
  }

  u16(...values: readonly number[]): this {
    for (const value of values) this.#integer(value, 2);
    return this;
  }

  u32(...values: readonly number[]): this {
    for (const value of values) this.#integer(value, 4);
    return this;
  }

  /** Exact up to 2^53. */
  u64(...values: readonly number[]): this {
    for (const value of values) this.#integer(value, 8);
    return this;
  }

  bytes(bytes: Uint8Array | readonly number[]): this {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** ASCII, cut or padded to `length` when given. */
  text(text: string, length = text.length, padding = ' '): this {
    for (const character of text.padEnd(length, padding).slice(0, length)) this.u8(character.charCodeAt(0));
    return this;
  }

  zeros(count: number): this {
    return this.bytes(new Uint8Array(count));
  }

  /** Zeros up to an offset. */
  padTo(offset: number): this {
    invariant(this.#length <= offset, `structure holds ${this.#length} bytes before offset ${offset}`);
    return this.zeros(offset - this.#length);
  }

  /** Claims that the next field has this offset. */
  at(offset: number): this {
    invariant(this.#length === offset, `field offset is ${this.#length}, the manual says ${offset}`);
    return this;
  }

  patch8(offset: number, value: number): this {
    invariant(offset < this.#length, `patch at ${offset} lies within ${this.#length} bytes`);
    this.#bytes[offset] = value;
    return this;
  }

  patch16(offset: number, value: number): this {
    return this.patch8(offset, value).patch8(offset + 1, value >>> 8);
  }

  patch32(offset: number, value: number): this {
    return this.patch16(offset, value).patch16(offset + 2, value >>> 16);
  }

  /** Makes the bytes from `start` to `end` add up to 0 modulo 256 by the byte at `offset`. */
  checksum(offset: number, start = 0, end = this.#length): this {
    this.patch8(offset, 0);
    return this.patch8(offset, -sumOfBytes(this.#bytes.subarray(start, end)));
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  #integer(value: number, size: number): void {
    this.#reserve(size);
    let rest = value;
    for (let index = 0; index < size; index++) {
      this.#bytes[this.#length++] = rest & 0xff;
      rest = Math.floor(rest / 0x100);
    }
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

/** Modulo 256; 0 for a structure whose checksum is right. */
export function sumOfBytes(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) sum += byte;
  return sum & 0xff;
}
