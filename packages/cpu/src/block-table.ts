/* @hot: words of machine memory by computed index. */
import { VCPU_LAYOUT } from '@vmm/state';
import { BLOCK_HASH, blockRowOf } from './interpreter-module.ts';
import { BLOCK_HEADER } from './record.ts';

const SLOT_WORDS = BLOCK_HASH.slotBytes / 4, ROW_WORDS = BLOCK_HASH.ways * SLOT_WORDS;

/** The hash table of blocks in machine memory. The vCPU's thread alone writes it; others see what may be out of date a moment later, or half written. */
export class BlockTable {
  readonly #i32: Int32Array;
  readonly #base: number;

  constructor(i32: Int32Array, privateBase: number) {
    this.#i32 = i32;
    this.#base = privateBase + VCPU_LAYOUT.blockHash;
  }

  /** How often the interpreter has executed the block at a host address in a mode, as far as the table knows; 0 if there is none. */
  executions(host: number, modeKey: number): number {
    const at = this.#find(this.#rowOf(host, modeKey), host, modeKey), record = at < 0 ? 0 : this.#i32[at + 2]!;
    return record === 0 ? 0 : executionsOf(this.#i32, record);
  }

  /** Makes the table lead to a record or to a region, in front of its row. */
  point(host: number, modeKey: number, record: number, region = 0): void {
    const front = this.#rowOf(host, modeKey), at = this.#find(front, host, modeKey);
    this.#i32.copyWithin(front + SLOT_WORDS, front, at < 0 ? front + ROW_WORDS - SLOT_WORDS : at);
    this.#i32[front] = host;
    this.#i32[front + 1] = modeKey;
    this.#i32[front + 2] = record;
    this.#i32[front + 3] = region;
  }
  unpoint(host: number, modeKey: number): void {
    const at = this.#find(this.#rowOf(host, modeKey), host, modeKey);
    if (at >= 0) this.#i32[at] = 0;
  }
  clear(): void { this.#i32.fill(0, this.#base >> 2, (this.#base >> 2) + VCPU_LAYOUT.blockHashEntries * SLOT_WORDS); }

  #rowOf(host: number, modeKey: number): number { return this.#base + blockRowOf(host, modeKey) >> 2; }
  /** Word of the slot in a row, or -1. */
  #find(front: number, host: number, modeKey: number): number {
    for (let at = front; at < front + ROW_WORDS; at += SLOT_WORDS) if (this.#i32[at] === (host | 0) && this.#i32[at + 1] === modeKey) return at;
    return -1;
  }
}

/** Executions of a block by its first record. */
export function executionsOf(i32: Int32Array, record: number): number {
  const header = record - BLOCK_HEADER.sizeBytes >> 2;
  return i32[header + (BLOCK_HEADER.total >> 2)]! - i32[header + (BLOCK_HEADER.heat >> 2)]!;
}
