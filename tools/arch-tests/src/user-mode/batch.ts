/** One batch of cases as bytes, before or after they ran. */
import { CASE, CODE_BYTES, entryOffset, FS_BASE, GS_BASE, HEADER, HLT, LDT, PRISTINE_BYTES, SLOT_BYTES, slotOffset, slotsOf, WINDOW_BYTES, WINDOW_OFFSET } from './batch-layout.ts';
import type { CodeMode } from './batch-layout.ts';

const CASES_AT = HEADER.sizeBytes + CODE_BYTES + PRISTINE_BYTES;

export class Batch {
  readonly mode: CodeMode;
  readonly capacity: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  count = 0;

  constructor(mode: CodeMode, capacity = slotsOf(mode)) {
    this.mode = mode;
    this.capacity = capacity;
    this.bytes = new Uint8Array(CASES_AT + capacity * CASE.sizeBytes);
    this.view = new DataView(this.bytes.buffer);
    this.view.setBigUint64(HEADER.fsBase, BigInt(FS_BASE), true);
    this.view.setBigUint64(HEADER.gsBase, BigInt(GS_BASE), true);
    if (mode !== 64) {
      LDT.forEach(({ base, limit, flags }, i) => {
        [base, limit, flags].forEach((word, k) => { this.view.setUint32(HEADER.ldt + 12 * i + 4 * k, word, true); });
      });
    }
    this.bytes.fill(HLT, HEADER.sizeBytes, HEADER.sizeBytes + CODE_BYTES);
    // some pattern with all byte values, different in each page
    const pristine = this.pristine;
    for (let i = 0; i < pristine.length; i++) pristine[i] = i * 167 + (i >> 8) * 13 & 0xff;
  }

  get code(): Uint8Array { return this.bytes.subarray(HEADER.sizeBytes, HEADER.sizeBytes + CODE_BYTES); }
  get pristine(): Uint8Array { return this.bytes.subarray(HEADER.sizeBytes + CODE_BYTES, CASES_AT); }
  /** Byte offset of case `index`. */
  at(index: number): number { return CASES_AT + index * CASE.sizeBytes; }
  slot(index: number): Uint8Array { return this.code.subarray(slotOffset(index), slotOffset(index) + SLOT_BYTES); }
  /** The slot from where the code begins. */
  entry(index: number): Uint8Array { return this.slot(index).subarray(entryOffset(index)); }

  /** Start over: no cases, all code HLT. */
  clear(): void {
    this.code.fill(HLT);
    this.bytes.fill(0, CASES_AT);
    this.count = 0;
  }
  /** Adds a case with this code; the caller fills registers and window. */
  add(code: Uint8Array): number {
    const index = this.count++;
    this.entry(index).set(code);
    this.window(index).set(this.pristine.subarray(WINDOW_OFFSET, WINDOW_OFFSET + WINDOW_BYTES));
    return index;
  }
  /** Takes the last case back. */
  drop(): void {
    this.slot(--this.count).fill(HLT);
    this.bytes.fill(0, this.at(this.count), this.at(this.count + 1));
  }
  window(index: number): Uint8Array { return this.bytes.subarray(this.at(index) + CASE.window, this.at(index) + CASE.window + WINDOW_BYTES); }
  gpr(index: number, register: number): bigint { return this.view.getBigUint64(this.at(index) + CASE.gpr + 8 * register, true); }
  setGpr(index: number, register: number, value: bigint): void { this.view.setBigUint64(this.at(index) + CASE.gpr + 8 * register, value, true); }
  u32(index: number, field: Exclude<keyof typeof CASE, 'sizeBytes'>): number { return this.view.getUint32(this.at(index) + CASE[field], true); }
  setU32(index: number, field: Exclude<keyof typeof CASE, 'sizeBytes'>, value: number): void { this.view.setUint32(this.at(index) + CASE[field], value, true); }
  u64(index: number, field: 'rip' | 'flags' | 'address'): bigint { return this.view.getBigUint64(this.at(index) + CASE[field], true); }
  setU64(index: number, field: 'rip' | 'flags' | 'address', value: bigint): void { this.view.setBigUint64(this.at(index) + CASE[field], value, true); }
  segment(index: number, number: number): number { return this.view.getUint16(this.at(index) + CASE.segments + 2 * number, true); }
  setSegment(index: number, number: number, value: number): void { this.view.setUint16(this.at(index) + CASE.segments + 2 * number, value, true); }

  /** Whether the code region may be written. */
  get writableCode(): boolean { return this.view.getUint32(HEADER.writableCode, true) !== 0; }
  set writableCode(value: boolean) { this.view.setUint32(HEADER.writableCode, value ? 1 : 0, true); }

  copy(): Batch {
    const other = new Batch(this.mode, this.capacity);
    other.bytes.set(this.bytes);
    other.count = this.count;
    return other;
  }
  /** The file for the runner. */
  image(): Uint8Array {
    this.view.setUint32(HEADER.cases, this.count, true);
    return this.bytes.subarray(0, this.at(this.count));
  }
}

/** What runner.c computes over the writable pages when something outside the window changed. */
export function hashOf(words: Uint32Array): number {
  let hash = 1;
  for (const word of words) hash = Math.imul(hash ^ word, 16777619);
  return hash >>> 0;
}
