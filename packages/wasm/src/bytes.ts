/** Growable byte buffer with WebAssembly's LEB128 encodings. @hot */
export class ByteWriter {
  bytes: Uint8Array;
  length = 0;
  constructor(capacity = 256) { this.bytes = new Uint8Array(capacity); }

  #grow(needed: number): void {
    const larger = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }

  u8(value: number): void {
    if (this.length === this.bytes.length) this.#grow(this.length + 1);
    this.bytes[this.length++] = value;
  }

  /** Unsigned LEB128 of a number below 2^32. */
  u32(value: number): void {
    let rest = value >>> 0;
    while (rest > 0x7f) { this.u8(rest & 0x7f | 0x80); rest >>>= 7; }
    this.u8(rest);
  }

  /** Signed LEB128 of an int32. */
  s32(value: number): void {
    let rest = value | 0;
    for (;;) {
      const byte = rest & 0x7f;
      rest >>= 7;
      if ((rest === 0 && (byte & 0x40) === 0) || (rest === -1 && (byte & 0x40) !== 0)) { this.u8(byte); return; }
      this.u8(byte | 0x80);
    }
  }

  /** Signed LEB128 of a 64-bit value given as two int32 words. */
  s64(lo: number, hi: number): void {
    let low = lo | 0, high = hi | 0;
    for (;;) {
      const byte = low & 0x7f;
      low = low >>> 7 | high << 25;
      high >>= 7;
      const sign = (byte & 0x40) !== 0;
      if ((low === 0 && high === 0 && !sign) || (low === -1 && high === -1 && sign)) { this.u8(byte); return; }
      this.u8(byte | 0x80);
    }
  }

  raw(data: ArrayLike<number>, length = data.length): void {
    if (this.length + length > this.bytes.length) this.#grow(this.length + length);
    this.bytes.set(data instanceof Uint8Array ? data.subarray(0, length) : Array.from(data), this.length);
    this.length += length;
  }

  name(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.u32(bytes.length);
    this.raw(bytes);
  }

  /** A section or body: its length in front of it. */
  sized(content: ByteWriter): void {
    this.u32(content.length);
    this.raw(content.bytes, content.length);
  }

  finish(): Uint8Array<ArrayBuffer> { return this.bytes.slice(0, this.length); }
}
