/* @hot: indices are bounded by construction. */
/** Bytes of the longest 32-bit number. */
const MAX_LEB = 5;
/** So few bytes are copied faster one by one. */
const SHORT = 48;

/** Growable byte buffer with WebAssembly's LEB128 encodings. */
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
    if (this.length + MAX_LEB > this.bytes.length) this.#grow(this.length + MAX_LEB);
    const { bytes } = this;
    while (rest > 0x7f) { bytes[this.length++] = rest & 0x7f | 0x80; rest >>>= 7; }
    bytes[this.length++] = rest;
  }

  /** An opcode and its index. */
  indexed(op: number, index: number): void {
    this.u8(op);
    this.u32(index);
  }

  /** Signed LEB128 of an int32. */
  s32(value: number): void {
    let rest = value | 0;
    if (this.length + MAX_LEB > this.bytes.length) this.#grow(this.length + MAX_LEB);
    const { bytes } = this;
    while (rest < -0x40 || rest > 0x3f) { bytes[this.length++] = rest & 0x7f | 0x80; rest >>= 7; }
    bytes[this.length++] = rest & 0x7f;
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

  raw(data: ArrayLike<number>, length = data.length): void { this.part(data instanceof Uint8Array ? data : Uint8Array.from(data), 0, length); }
  /** Bytes `from` to `to` of others. */
  part(data: Uint8Array, from: number, to: number): void {
    const length = to - from;
    if (this.length + length > this.bytes.length) this.#grow(this.length + length);
    if (length < SHORT) {
      const { bytes } = this;
      for (let i = from, at = this.length; i < to; i++) bytes[at++] = data[i]!;
    } else this.bytes.set(from === 0 && to === data.length ? data : data.subarray(from, to), this.length);
    this.length += length;
  }

  name(text: string): void {
    const start = this.length;
    this.u32(text.length);
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) {
        // rare: what has been written is of no use
        const bytes = new TextEncoder().encode(text);
        this.length = start;
        this.u32(bytes.length);
        this.raw(bytes);
        return;
      }
      this.u8(code);
    }
  }

  /** A section or body: its length in front of it. */
  sized(content: ByteWriter): void {
    this.u32(content.length);
    this.part(content.bytes, 0, content.length);
  }

  finish(): Uint8Array<ArrayBuffer> { return this.bytes.slice(0, this.length); }
}
