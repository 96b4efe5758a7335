import { STATE } from './layout.ts';
import type { StateField } from './layout.ts';

/**
 * Typed access to one vCPU's state block from TypeScript. 64-bit fields are reached as two 32-bit words (`lo`, `hi`), as a double when the
 * value is known to be below 2^53 (`number`), or as a BigInt off the hot paths (`big`). Views stay valid: machine memory never grows.
 * @hot
 */
export class StateView {
  readonly base: number;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly u64: BigUint64Array;
  readonly u8: Uint8Array;
  readonly data: DataView;

  constructor(buffer: ArrayBufferLike, base: number) {
    this.base = base;
    this.u32 = new Uint32Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u64 = new BigUint64Array(buffer);
    this.u8 = new Uint8Array(buffer);
    this.data = new DataView(buffer);
  }

  /** Low word (or the whole of an i32 field), signed. */
  lo(field: StateField, index = 0): number { return this.i32[(this.base + STATE[field] >> 2) + (index << 1)]!; }
  /** High word of a 64-bit field, signed. */
  hi(field: StateField, index = 0): number { return this.i32[(this.base + STATE[field] >> 2) + (index << 1) + 1]!; }
  setWords(field: StateField, lo: number, hi: number, index = 0): void {
    const at = (this.base + STATE[field] >> 2) + (index << 1);
    this.i32[at] = lo;
    this.i32[at + 1] = hi;
  }

  big(field: StateField, index = 0): bigint { return this.u64[(this.base + STATE[field] >> 3) + index]!; }
  setBig(field: StateField, value: bigint, index = 0): void { this.u64[(this.base + STATE[field] >> 3) + index] = value; }

  /** A 64-bit field as an unsigned double; exact below 2^53 (physical addresses, CR values, instruction counts). */
  number(field: StateField, index = 0): number {
    const at = (this.base + STATE[field] >> 2) + (index << 1);
    return this.u32[at]! + this.u32[at + 1]! * 0x1_0000_0000;
  }
  setNumber(field: StateField, value: number, index = 0): void {
    this.setWords(field, value >>> 0, Math.floor(value / 0x1_0000_0000), index);
  }

  /** A 32-bit field, signed. */
  get(field: StateField, index = 0): number { return this.i32[(this.base + STATE[field] >> 2) + index]!; }
  /** A 32-bit field, unsigned. */
  getUnsigned(field: StateField, index = 0): number { return this.u32[(this.base + STATE[field] >> 2) + index]!; }
  set(field: StateField, value: number, index = 0): void { this.i32[(this.base + STATE[field] >> 2) + index] = value; }

  // By byte offset (`STATE.cr0`, `STATE.gpr + 8 * n`), for hot paths: small enough that V8 always inlines them, where a lookup by name is 20 ns.

  /** One 32-bit word, signed. The high word of a 64-bit field is at + 4. */
  word(at: number): number { return this.i32[this.base + at >> 2]!; }
  setWord(at: number, value: number): void { this.i32[this.base + at >> 2] = value; }
  /** Both words of a 64-bit field. */
  setPair(at: number, lo: number, hi: number): void {
    this.setWord(at, lo);
    this.setWord(at + 4, hi);
  }
}
