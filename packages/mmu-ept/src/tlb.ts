import { WRITE_BARRIER } from '@vmm/memory';
import type { MachineMemory } from '@vmm/memory';
import { RIGHT } from '@vmm/paging';
import { TLB_ENTRY, VCPU_LAYOUT } from '@vmm/state';

const ENTRIES = VCPU_LAYOUT.tlbEntries;
const ENTRY_WORDS = VCPU_LAYOUT.tlbEntryBytes / 4;
const READ = TLB_ENTRY.readTag / 4;
const WRITE = TLB_ENTRY.writeTag / 4;
const EXECUTE = TLB_ENTRY.execTag / 4;
const ADDEND = TLB_ENTRY.addend / 4;
const SEVERAL = 0xffff;

/** Words of a full entry (`Tlb.full`), 8 a slot. `info`: RIGHT bits, global bit, generation. `host` 0: not memory. */
export const FULL = { pageTag: 0, hi: 1, info: 2, physLo: 3, physHi: 4, host: 5 } as const;
export const GLOBAL_BIT = 8;
const GENERATION_SHIFT = 4;

/**
 * The direct-mapped table that generated code probes, and beside it the full entries it is derived from: those also cover MMIO and protected pages,
 * which must stay out of the probed table. One slot, one page: clearing a slot forgets the page in every context. @hot
 */
export class Tlb {
  readonly full = new Int32Array(ENTRIES * 8);
  readonly #memory: MachineMemory;
  readonly #i32: Int32Array;
  readonly #base: number;
  /** By RAM/ROM page: 1 + the slot that has a write tag for it, 0 none since the last purge, SEVERAL more than one. */
  readonly #writers: Uint16Array;
  /** Global entries of an older generation are dead. */
  #generation = 0;

  constructor(memory: MachineMemory, privateBase: number) {
    this.#memory = memory;
    this.#i32 = memory.i32;
    this.#base = (privateBase + VCPU_LAYOUT.tlb) / 4;
    this.#writers = new Uint16Array(memory.attributes.length);
    this.wipe();
  }

  /** Records a translation and publishes it to generated code. `at` is the slot's first word in `full`. */
  fill(at: number, pageTag: number, hi: number, rights: number, global: boolean, physLo: number, physHi: number, host: number): void {
    const { full } = this;
    full[at + FULL.pageTag] = pageTag;
    full[at + FULL.hi] = hi;
    full[at + FULL.info] = rights | (global ? GLOBAL_BIT : 0) | this.#generation << GENERATION_SHIFT;
    full[at + FULL.physLo] = physLo;
    full[at + FULL.physHi] = physHi;
    full[at + FULL.host] = host;
    this.publish(at);
  }

  /** Takes a live global entry of the same page and asker over into another address space. */
  revive(at: number, pageTag: number, hi: number): boolean {
    const { full } = this;
    if (((full[at + FULL.pageTag]! ^ pageTag) & ~0xffc) !== 0 || full[at + FULL.hi] !== hi) return false;
    const info = full[at + FULL.info]!;
    if ((info & GLOBAL_BIT) === 0 || info >> GENERATION_SHIFT !== this.#generation) return false;
    full[at + FULL.pageTag] = pageTag;
    this.publish(at);
    return true;
  }

  /** Writes the probed entry of a slot: nothing for MMIO, no write tag while the page has a write barrier. */
  publish(at: number): void {
    const { full } = this;
    const host = full[at + FULL.host]!;
    if (host === 0) return this.#conceal(at);
    const pageTag = full[at + FULL.pageTag]!;
    const hi = full[at + FULL.hi]!;
    const attributes = this.#memory.attributesAt(host >>> 0);
    const rights = full[at + FULL.info]! & ((attributes & WRITE_BARRIER) === 0 ? 7 : 7 & ~RIGHT.write);
    const i32 = this.#i32;
    const word = this.#base + at;
    const read = (rights & RIGHT.read) !== 0;
    const write = (rights & RIGHT.write) !== 0;
    const execute = (rights & RIGHT.execute) !== 0;
    i32[word + READ] = read ? pageTag : -1;
    i32[word + READ + 1] = read ? hi : -1;
    i32[word + WRITE] = write ? pageTag : -1;
    i32[word + WRITE + 1] = write ? hi : -1;
    i32[word + EXECUTE] = execute ? pageTag : -1;
    i32[word + EXECUTE + 1] = execute ? hi : -1;
    i32[word + ADDEND] = host - (pageTag & ~0xfff);
    if (write) this.#noteWriter(host >>> 0, at);
  }

  /** Whether generated code can already store through this slot. */
  isWritePublished(at: number): boolean {
    return this.#i32[this.#base + at + WRITE] === this.full[at + FULL.pageTag];
  }

  /** Forgets whatever page lives in the slot, for every context. */
  clear(at: number): void {
    this.full[at + FULL.pageTag] = -1;
    this.#conceal(at);
  }

  /** Takes the write tags of one host page back. */
  purgeWrites(hostPage: number): void {
    const page = (hostPage - this.#memory.ramBase) >>> 12;
    const writer = this.#writers[page]!;
    this.#writers[page] = 0;
    if (writer === SEVERAL) for (let at = 0; at < ENTRIES * 8; at += 8) this.#purgeSlot(at, hostPage | 0);
    else if (writer !== 0) this.#purgeSlot(writer - 1 << 3, hostPage | 0);
  }

  /** Global entries filled so far may no longer be taken over. */
  endGeneration(): void {
    this.#generation = this.#generation + 1 & 0x7ff_ffff;
    if (this.#generation === 0) this.wipe();
  }

  wipe(): void {
    this.full.fill(-1);
    this.#i32.fill(-1, this.#base, this.#base + ENTRIES * ENTRY_WORDS);
    this.#writers.fill(0);
  }

  #purgeSlot(at: number, hostPage: number): void {
    if (this.full[at + FULL.host] !== hostPage) return;
    this.#i32[this.#base + at + WRITE] = -1;
    this.#i32[this.#base + at + WRITE + 1] = -1;
  }

  #conceal(at: number): void {
    this.#i32.fill(-1, this.#base + at, this.#base + at + ADDEND);
  }

  #noteWriter(host: number, at: number): void {
    const page = (host - this.#memory.ramBase) >>> 12;
    const slot = (at >> 3) + 1;
    const writer = this.#writers[page]!;
    if (writer !== slot) this.#writers[page] = writer === 0 ? slot : SEVERAL;
  }
}
