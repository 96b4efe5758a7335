import { PAGE_FAULT, PTE, PTE_HIGH } from '@vmm/spec';
import { readControls } from './controls.ts';
import type { PagingControls, PagingModel } from './controls.ts';
import { compileLevels, LEVEL_STRIDE, LEVEL_WORD, reservedPdpte } from './levels.ts';
import { ASKER, RIGHT, RIGHT_FOR, RIGHTS_INDEX, rightsTable } from './rights.ts';
import { STAGE2_ACCESS } from './stage2.ts';
import type { Stage2 } from './stage2.ts';

/** How a walk ended: allowed, refused with a page fault, or the second level refused an access to the tables. */
export const WALK = { ok: 0, pageFault: 1, stage2Fault: 2 } as const;

const MAX_LEVELS = 5;
const OFFSET_MASK = 0xfff;
/** Bits 51:32 of an entry's address. */
const ADDRESS_HIGH_MASK = 0xf_ffff;

/**
 * Walks guest page tables. Results are fields of the walker, valid until the next walk. Accessed and dirty bits are set with compare-exchange on
 * shared memory, and only once the access is known to be allowed. @hot: words only, nothing allocated.
 */
export class PageWalker {
  controls: PagingControls;
  /** Guest-physical address of the page (of the 4-KiB piece of a large one). */
  physLo = 0;
  physHi = 0;
  /** RIGHT bits of this page for the asker. */
  rights = 0;
  /** The leaf's dirty bit is set: stores need no further walk. */
  dirty = false;
  /** Leaf marked global and CR4.PGE set. */
  global = false;
  /** log2 of the mapped page's size: 12, 21, 22 or 30. */
  pageShift = 12;
  protectionKey = 0;
  /** Page-fault error code of a refused walk. */
  errorCode = 0;
  /** Page-table entries read since the walker was made. */
  references = 0;
  /** Protection-key rights of user pages and of supervisor pages. */
  pkru = 0;
  pkrs = 0;

  /** The table root's physical address. */
  get rootLo(): number { return this.#rootLo; }
  get rootHi(): number { return this.#rootHi; }
  /** The format flattened (`LEVEL_WORD`) and the rights by asker and entry bits (`RIGHTS_INDEX`): what a generated walk needs. */
  get compiledLevels(): Int32Array { return this.#levels; }
  get compiledRights(): Uint8Array { return this.#rights; }

  readonly #stage2: Stage2;
  readonly #i32: Int32Array<ArrayBufferLike>;
  readonly #model: PagingModel;
  #levels: Int32Array;
  #levelCount = 0;
  #entryShift = 2;
  #rights: Uint8Array;
  #rootLo = 0;
  #rootHi = 0;
  #pdptes = new Int32Array(8);
  /** Per level of the current walk: where its entry is and the low word as read. */
  readonly #entryGpaLo = new Int32Array(MAX_LEVELS);
  readonly #entryGpaHi = new Int32Array(MAX_LEVELS);
  readonly #entryLo = new Int32Array(MAX_LEVELS);

  constructor(memory: { readonly i32: Int32Array<ArrayBufferLike> }, stage2: Stage2, model: PagingModel = {}) {
    this.#i32 = memory.i32;
    this.#stage2 = stage2;
    this.#model = model;
    this.controls = readControls(0, 0, 0);
    this.#levels = compileLevels(this.controls, model);
    this.#rights = rightsTable(this.controls);
  }

  /** Takes over CR0, CR4 and EFER. Set the root again afterwards. */
  configure(cr0: number, cr4: number, efer: number): void {
    this.controls = readControls(cr0, cr4, efer);
    this.#levels = compileLevels(this.controls, this.#model);
    this.#levelCount = this.controls.format.levels.length;
    this.#entryShift = this.controls.format.entryBytes === 8 ? 3 : 2;
    this.#rights = rightsTable(this.controls);
  }

  /** CR3. PAE paging loads the four PDPTE registers, which walks use until the next call (SDM vol 3A §4.4.1). */
  setRoot(cr3Lo: number, cr3Hi: number): void {
    const { format } = this.controls;
    this.#rootLo = cr3Lo & format.rootMask;
    this.#rootHi = format.long ? cr3Hi & ADDRESS_HIGH_MASK : 0;
    if (format.name === 'PAE') this.#pdptes = this.#readPdptes(this.#rootLo);
  }

  /** Whether the PDPTEs at this CR3 have no reserved bit set; if not, the MOV to CR is #GP(0). */
  pdptesValid(cr3Lo: number): boolean {
    const pdptes = this.#readPdptes(cr3Lo & 0xffff_ffe0);
    const reserved = reservedPdpte(this.#model);
    for (let i = 0; i < 8; i += 2) {
      if ((pdptes[i]! & PTE.P) !== 0 && ((pdptes[i]! & reserved.lo) | (pdptes[i + 1]! & reserved.hi)) !== 0) return false;
    }
    return true;
  }

  /**
   * Translates the page of a linear address for an asker (`ASKER`) and a kind (`AccessKind`); `update` sets accessed and dirty bits.
   * Returns a `WALK` value. The caller has checked that the address is canonical.
   */
  walk(lo: number, hi: number, kind: number, asker: number, update: boolean): number {
    const count = this.#levelCount;
    if (count === 0) return this.#unpaged(lo);
    const levels = this.#levels;
    const wide = this.#entryShift === 3;
    let tableLo = this.#rootLo;
    let tableHi = this.#rootHi;
    if (wide && !this.controls.format.long) {
      const pdpte = lo >>> 30 << 1;
      if ((this.#pdptes[pdpte]! & PTE.P) === 0) return this.#refuse(0, kind, asker);
      tableLo = this.#pdptes[pdpte]! & ~OFFSET_MASK;
      tableHi = this.#pdptes[pdpte + 1]! & ADDRESS_HIGH_MASK;
    }
    let all = -1;
    let any = 0;
    for (let level = 0; ; level++) {
      const at = level * LEVEL_STRIDE;
      const shift = levels[at]!;
      const index = (shift >= 32 ? hi >>> (shift - 32) : (lo >>> shift) | (hi << (32 - shift))) & levels[at + LEVEL_WORD.indexMask]!;
      const gpaLo = tableLo | index << this.#entryShift;
      const host = this.#stage2.translate(gpaLo, tableHi, STAGE2_ACCESS.readEntry);
      if (host < 0) return WALK.stage2Fault;
      this.references++;
      // Nobody there: the bus floats high, as everywhere.
      const entryLo = host === 0 ? -1 : this.#i32[host >>> 2]!;
      const entryHi = !wide ? 0 : host === 0 ? -1 : this.#i32[(host >>> 2) + 1]!;
      if ((entryLo & PTE.P) === 0) return this.#refuse(0, kind, asker);
      this.#entryGpaLo[level] = gpaLo;
      this.#entryGpaHi[level] = tableHi;
      this.#entryLo[level] = entryLo;
      all &= entryLo;
      any |= entryHi;
      const leaf = level === count - 1 || (entryLo & levels[at + LEVEL_WORD.leafBits]!) !== 0;
      const reserved = at + (leaf ? LEVEL_WORD.leafReserved : LEVEL_WORD.tableReserved);
      if (((entryLo & levels[reserved]!) | (entryHi & levels[reserved + 1]!)) !== 0) return this.#refuse(PAGE_FAULT.P | PAGE_FAULT.RSVD, kind, asker);
      if (leaf) {
        if (!this.#allows(kind, asker, all, any, entryHi)) return WALK.pageFault;
        this.#setPage(lo, shift, entryLo, entryHi);
        if (!update || ((all & PTE.A) !== 0 && ((kind & 1) === 0 || this.dirty))) return WALK.ok;
        return this.#update(level, lo, hi, kind, asker);
      }
      tableLo = entryLo & ~OFFSET_MASK;
      tableHi = entryHi & ADDRESS_HIGH_MASK;
    }
  }

  /** `all`: AND of the entries' low words; `any`: OR of their high words. */
  #allows(kind: number, asker: number, all: number, any: number, leafHi: number): boolean {
    this.rights = this.#rights[asker << RIGHTS_INDEX.askerShift | (all & (PTE.RW | PTE.US)) | any >>> 31]!;
    const isUser = (all & PTE.US) !== 0, hasKeys = isUser ? this.controls.protectionKeys : this.controls.supervisorKeys && asker !== ASKER.user;
    const refused = hasKeys ? this.#refusedByKey(leafHi, asker, isUser ? this.pkru : this.pkrs) : 0;
    this.rights &= ~refused;
    const need = RIGHT_FOR[kind]!;
    if ((this.rights & need) !== 0) return true;
    this.#refuse(PAGE_FAULT.P | ((refused & need) !== 0 ? PAGE_FAULT.PK : 0), kind, asker);
    return false;
  }

  /** RIGHT bits that the page's protection key takes away: SDM vol 3A §4.6.2. */
  #refusedByKey(leafHi: number, asker: number, rights: number): number {
    this.protectionKey = (leafHi & PTE_HIGH.PKEY_MASK) >>> PTE_HIGH.PKEY_SHIFT;
    const key = rights >>> (this.protectionKey << 1);
    if ((key & 1) !== 0) return RIGHT.read | RIGHT.write;
    return (key & 2) !== 0 && (asker === ASKER.user || this.controls.writeProtect) ? RIGHT.write : 0;
  }

  #setPage(lo: number, shift: number, entryLo: number, entryHi: number): void {
    const inPage = (1 << shift) - 1;
    this.physLo = (entryLo & ~inPage | lo & inPage) & ~OFFSET_MASK;
    // PSE-36: bits 20:13 of a 4-MiB entry are address bits 39:32.
    this.physHi = shift === 22 ? entryLo >>> 13 & 0xff : entryHi & ADDRESS_HIGH_MASK;
    this.pageShift = shift;
    this.global = (entryLo & PTE.G) !== 0 && this.controls.global;
    this.dirty = (entryLo & PTE.D) !== 0;
  }

  /** Sets accessed and dirty bits, top down. An entry that changed since it was read makes the walk start over. */
  #update(leaf: number, lo: number, hi: number, kind: number, asker: number): number {
    for (let level = 0; level <= leaf; level++) {
      const old = this.#entryLo[level]!;
      const wanted = old | PTE.A | (level === leaf && (kind & 1) !== 0 ? PTE.D : 0);
      if (wanted === old) continue;
      const host = this.#stage2.translate(this.#entryGpaLo[level]!, this.#entryGpaHi[level]!, STAGE2_ACCESS.writeEntry);
      if (host < 0) return WALK.stage2Fault;
      if (host === 0) continue;
      if (Atomics.compareExchange(this.#i32, host >>> 2, old, wanted) !== old) return this.walk(lo, hi, kind, asker, true);
    }
    if ((kind & 1) !== 0) this.dirty = true;
    return WALK.ok;
  }

  #unpaged(lo: number): number {
    this.physLo = lo & ~OFFSET_MASK;
    this.physHi = 0;
    this.rights = RIGHT.read | RIGHT.write | RIGHT.execute;
    this.dirty = true;
    this.global = false;
    this.pageShift = 12;
    return WALK.ok;
  }

  #refuse(bits: number, kind: number, asker: number): number {
    this.errorCode = bits
      | ((kind & 1) !== 0 ? PAGE_FAULT.WR : 0)
      | (asker === ASKER.user ? PAGE_FAULT.US : 0)
      | (kind === 2 && this.controls.reportsFetch ? PAGE_FAULT.ID : 0);
    return WALK.pageFault;
  }

  /** Off the hot path: an Int32Array a CR3 write. */
  #readPdptes(table: number): Int32Array<ArrayBuffer> {
    const pdptes = new Int32Array(8);
    for (let i = 0; i < 4; i++) {
      const host = this.#stage2.translate(table + i * 8, 0, STAGE2_ACCESS.readEntry);
      if (host <= 0) continue;
      pdptes[i * 2] = this.#i32[host >>> 2]!;
      pdptes[i * 2 + 1] = this.#i32[(host >>> 2) + 1]!;
    }
    return pdptes;
  }
}
