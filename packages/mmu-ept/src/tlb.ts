import { PAGE, WRITE_BARRIER } from '@vmm/memory';
import type { MachineMemory } from '@vmm/memory';
import { RIGHT } from '@vmm/paging';
import { MMU_INDEX, TLB_ENTRY, VCPU_LAYOUT } from '@vmm/state';

const ENTRIES = VCPU_LAYOUT.tlbEntries;
const ENTRY_WORDS = VCPU_LAYOUT.tlbEntryBytes / 4;
const READ = TLB_ENTRY.readTag / 4;
const WRITE = TLB_ENTRY.writeTag / 4;
const EXECUTE = TLB_ENTRY.execTag / 4;
const ADDEND = TLB_ENTRY.addend / 4;
const GLOBAL = TLB_ENTRY.global / 4;

/** Words of a full entry (`Tlb.full`), 8 a slot. `info`: RIGHT bits, global bit, generation. `host` 0: not memory. */
export const FULL = { pageTag: 0, hi: 1, info: 2, physLo: 3, physHi: 4, host: 5 } as const;
export const GLOBAL_BIT = 8;
export const GENERATION_SHIFT = 4;

/**
 * The direct-mapped table that generated code probes, and beside it the full entries it is derived from: those also cover MMIO and protected pages,
 * which must stay out of the probed table. One slot, one page: clearing a slot forgets the page in every context. @hot
 */
export class Tlb {
  readonly full: Int32Array;
  readonly #memory: MachineMemory;
  readonly #i32: Int32Array;
  readonly #base: number;
  /** Global entries of an older generation are dead. */
  #generation = 0;

  constructor(memory: MachineMemory, privateBase: number) {
    this.#memory = memory;
    this.#i32 = memory.i32;
    this.#base = (privateBase + VCPU_LAYOUT.tlb) / 4;
    this.full = new Int32Array(memory.buffer, privateBase + VCPU_LAYOUT.tlbFull, ENTRIES * 8);
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
    // where alignment is checked generated code may only fetch by itself
    const open = (pageTag & 3) === MMU_INDEX.userAligned ? RIGHT.execute : (attributes & WRITE_BARRIER) === 0 ? 7 : 7 & ~RIGHT.write;
    const rights = full[at + FULL.info]! & open;
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
    i32[word + GLOBAL] = full[at + FULL.info]! & GLOBAL_BIT;
    if (write && (attributes & PAGE.STORABLE) === 0) this.#memory.setAttribute(host >>> 0, PAGE.STORABLE);
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
    if ((this.#memory.attributesAt(hostPage) & PAGE.STORABLE) === 0) return;
    const { full } = this;
    for (let at = FULL.host; at < ENTRIES * 8; at += 8) if (full[at] === (hostPage | 0)) this.#purgeSlot(at - FULL.host);
    this.#memory.clearAttribute(hostPage, PAGE.STORABLE);
  }

  /** Global entries filled so far may no longer be taken over. */
  get generation(): number { return this.#generation; }
  endGeneration(): void {
    this.#generation = this.#generation + 1 & 0x7ff_ffff;
    if (this.#generation === 0) this.wipe();
  }

  wipe(): void {
    this.full.fill(-1);
    this.#i32.fill(-1, this.#base, this.#base + ENTRIES * ENTRY_WORDS);
  }

  #purgeSlot(at: number): void {
    this.#i32[this.#base + at + WRITE] = -1;
    this.#i32[this.#base + at + WRITE + 1] = -1;
  }

  #conceal(at: number): void {
    this.#i32.fill(-1, this.#base + at, this.#base + at + ADDEND);
  }
}
