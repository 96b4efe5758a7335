/**
 * The TLB refill as generated code: what `EptMmu.access` does in the common case (present, accessed and dirty already set, plain RAM; or a page fault of a
 * load or store), without leaving WebAssembly. Whatever is not that case goes to the TypeScript walker, which also is the specification: both must fill the
 * same entries and record the same faults.
 */
import { PAGE, WRITE_BARRIER } from '@vmm/memory';
import type { MachineMemory } from '@vmm/memory';
import { LEVEL_STRIDE, LEVEL_WORD, RIGHT, RIGHTS_INDEX } from '@vmm/paging';
import type { GeneratedAccess, PageWalker } from '@vmm/paging';
import { PAGE_FAULT, PTE, VECTOR } from '@vmm/spec';
import { MMU_INDEX, STATE, TLB_ENTRY, TLB_USER_FLIP, VCPU_LAYOUT } from '@vmm/state';
import type { FunctionBuilder, FunctionRef, ModuleBuilder } from '@vmm/wasm';
import * as w from '@vmm/wasm';
import { FULL, GENERATION_SHIFT, GLOBAL_BIT } from './tlb.ts';

/** Byte offsets in the parameter block (`VCPU_LAYOUT.refill`). */
const AT = { levelCount: 0, entryShift: 4, root: 8, generation: 12, globalMask: 16, canonicalShift: 20, invalidations: 24, fills: 32, revivals: 40, references: 48, faults: 56, levels: 64, rights: 256 } as const;
const DR7_DATA = 0xff;
const GIBIBYTE_SHIFT = 30, FETCH = 2;

export interface RefillCounters { readonly invalidations: number; readonly fills: number; readonly revivals: number; readonly references: number; readonly faults: number }

/** The parameter block as TypeScript sees it. */
export class RefillParameters {
  readonly #memory: MachineMemory;
  readonly #base: number;

  constructor(memory: MachineMemory, privateBase: number) {
    this.#memory = memory;
    this.#base = privateBase + VCPU_LAYOUT.refill;
  }

  /** The formats it can walk are those without registers of their own and keys; `isPlain` is false when tables are not where the machine's map says. */
  configure(walker: PageWalker, isPlain: boolean): void {
    const { data, u8, a20Mask } = this.#memory, base = this.#base;
    const { controls } = walker;
    const canWalk = isPlain && a20Mask === -1 && !controls.protectionKeys && !controls.supervisorKeys && controls.format.name !== 'PAE';
    data.setInt32(base + AT.levelCount, canWalk ? controls.format.levels.length : 0, true);
    data.setInt32(base + AT.entryShift, controls.format.entryBytes === 8 ? 3 : 2, true);
    data.setInt32(base + AT.globalMask, controls.global ? PTE.G : 0, true);
    data.setInt32(base + AT.canonicalShift, controls.format.name === '5-level' ? 24 : 15, true);
    walker.compiledLevels.forEach((word, i) => { data.setInt32(base + AT.levels + 4 * i, word, true); });
    u8.set(walker.compiledRights, base + AT.rights);
  }

  setRoot(lo: number, hi: number): void {
    this.#memory.data.setInt32(this.#base + AT.root, lo, true);
    // tables above 4 GiB are not RAM
    if (hi !== 0) this.#memory.data.setInt32(this.#base + AT.levelCount, 0, true);
  }

  setGeneration(generation: number): void { this.#memory.data.setInt32(this.#base + AT.generation, generation << GENERATION_SHIFT, true); }

  counters(): RefillCounters { return { invalidations: this.#count(AT.invalidations), fills: this.#count(AT.fills), revivals: this.#count(AT.revivals), references: this.#count(AT.references), faults: this.#count(AT.faults) }; }
  #count(offset: number): number { return Number(this.#memory.data.getBigUint64(this.#base + offset, true)); }
}

/** `slow`: the TypeScript `access`. */
export function defineRefill(module: ModuleBuilder, memory: MachineMemory, privateBase: number, slow: FunctionRef): GeneratedAccess {
  const state = privateBase + VCPU_LAYOUT.state, word = (offset: number): w.Expr => w.load('i32', 32, w.i32(0), state + offset);
  const tryAccess = module.define(['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], ['i32'], (fn) => {
    emitRefill(fn, memory, privateBase, { lo: fn.param(0), hi: fn.param(1), size: fn.param(2), kind: fn.param(3), tag: fn.param(4), flip: fn.param(5) });
    fn.return(w.i32(0));
  });
  const access = module.define(['i32', 'i32', 'i32', 'i32'], ['i32'], (fn) => {
    const asked = [fn.param(0), fn.param(1), fn.param(2), fn.param(3)] as const, [lo, hi, size, kind] = asked, tag = fn.let(word(STATE.tlbTag));
    emitRefill(fn, memory, privateBase, { lo, hi, size, kind, tag, flip: word(STATE.tlbFlip) }, (isPresent) => {
      const store = (width: 32 | 64, field: 'faultVector' | 'faultError' | 'faultAddress', value: w.Expr): void => { fn.store(width, w.i32(0), state + STATE[field], value); };
      const isUser = w.eq(w.and(tag, w.i32(3)), w.i32(MMU_INDEX.user)), writes = w.and(kind, w.i32(1));
      store(32, 'faultVector', w.i32(VECTOR.PF));
      store(32, 'faultError', w.or(w.i32(isPresent ? PAGE_FAULT.P : 0), w.or(w.mul(writes, w.i32(PAGE_FAULT.WR)), w.mul(isUser, w.i32(PAGE_FAULT.US)))));
      store(64, 'faultAddress', w.or(w.extendU(lo), w.shl(w.extendU(hi), w.i64(32))));
      fn.return(w.i32(0));
    });
    fn.return(slow.call(...asked));
  });
  return { access, tryAccess, invalidatePage: defineInvalidatePage(module, privateBase) };
}

/** The bucket of `LargePages` for a 4-MiB region or GiB. */
const bucket = (number: w.Expr): w.Expr => w.shrU(w.mul(number, w.i32(0x9e37_79b1 | 0)), w.i32(20));
const LARGE_PAGE_BUCKETS = 4096;

/** Where neither a large page nor translated code can be concerned. */
function defineInvalidatePage(module: ModuleBuilder, privateBase: number): FunctionRef {
  const large = privateBase + VCPU_LAYOUT.largePages, jumpPages = privateBase + VCPU_LAYOUT.jumps + VCPU_LAYOUT.jumpEntries * 16;
  const invalidations = privateBase + VCPU_LAYOUT.refill + AT.invalidations;
  return module.define(['i32', 'i32'], ['i32'], (fn) => {
    const lo = fn.param(0), hi = fn.param(1), page = fn.let(w.shrU(lo, w.i32(12)));
    const known = [
      w.load('i32', 8, bucket(w.or(w.shrU(lo, w.i32(22)), w.shl(hi, w.i32(10)))), large),
      w.load('i32', 8, bucket(w.or(w.shrU(lo, w.i32(GIBIBYTE_SHIFT)), w.shl(hi, w.i32(2)))), large + LARGE_PAGE_BUCKETS),
      w.load('i32', 8, w.and(page, w.i32(VCPU_LAYOUT.jumpPages - 1)), jumpPages),
    ];
    fn.if(known.reduce((all, one) => w.or(all, one)), () => { fn.return(w.i32(0)); });
    const slot = fn.let(w.shl(w.and(page, w.i32(VCPU_LAYOUT.tlbEntries - 1)), w.i32(5)));
    for (const flip of [0, TLB_USER_FLIP]) {
      fn.scope(() => {
        const at = fn.let(w.xor(slot, w.i32(flip)));
        fn.store(32, at, privateBase + VCPU_LAYOUT.tlbFull + 4 * FULL.pageTag, w.i32(-1));
        for (const tag of [TLB_ENTRY.readTag, TLB_ENTRY.writeTag, TLB_ENTRY.execTag]) fn.store(64, at, privateBase + VCPU_LAYOUT.tlb + tag, w.i64(-1));
      });
    }
    fn.store(64, w.i32(0), invalidations, w.add(w.load('i64', 64, w.i32(0), invalidations), w.i64(1)));
    fn.return(w.i32(1));
  });
}

interface Asked { readonly lo: w.Expr; readonly hi: w.Expr; readonly size: w.Expr; readonly kind: w.Expr; readonly tag: w.Expr; readonly flip: w.Expr }

/** Returns the host address, or goes on behind where it is not the common case. `onFault`: what a load or store does to which the tables say no; default: it is not common. */
function emitRefill(fn: FunctionBuilder, memory: MachineMemory, privateBase: number, { lo, hi, size, kind, tag, flip }: Asked, onFault?: (isPresent: boolean) => void): void {
  const block = privateBase + VCPU_LAYOUT.refill, state = privateBase + VCPU_LAYOUT.state;
  const { ramBase } = memory, { attributesBase } = memory.layout;
  const parameter = (offset: number): w.Expr => w.load('i32', 32, w.i32(0), block + offset);
  const stateWord = (offset: number): w.Expr => w.load('i32', 32, w.i32(0), state + offset);
  const count = (offset: number): void => { fn.store(64, w.i32(0), block + offset, w.add(w.load('i64', 64, w.i32(0), block + offset), w.i64(1))); };
  fn.block((giveUp) => {
    const unless = (condition: w.Expr): void => { fn.brIf(giveUp, w.eqz(condition)); };
    const faultUnless = (condition: w.Expr, isPresent: boolean): void => {
      if (onFault === undefined) { unless(condition); return; }
      fn.unless(condition, () => {
        // what its error code says of a fetch depends on more
        fn.brIf(giveUp, w.eq(kind, w.i32(FETCH)));
        count(AT.faults);
        onFault(isPresent);
      }, false);
    };
    const refuse = (condition: w.Expr): void => { fn.brIf(giveUp, condition); };
    const levels = fn.let(parameter(AT.levelCount));
    unless(levels);
    refuse(w.ne(stateWord(STATE.faultVector), w.i32(-1)));
    refuse(w.and(stateWord(STATE.dr + 8 * 7), w.i32(DR7_DATA)));
    refuse(w.gtU(w.add(w.and(lo, w.i32(0xfff)), size), w.i32(4096)));
    refuse(w.eq(w.and(tag, w.i32(3)), w.i32(MMU_INDEX.userAligned)));
    const slot = fn.let(w.xor(w.and(w.shrU(lo, w.i32(7)), w.i32((VCPU_LAYOUT.tlbEntries - 1) * VCPU_LAYOUT.tlbEntryBytes)), flip));
    const full = privateBase + VCPU_LAYOUT.tlbFull, word = (index: number): number => full + 4 * index;
    const wanted = fn.let(w.or(w.and(lo, w.i32(-4096)), tag));
    const need = fn.let(w.select(w.and(kind, w.i32(1)), w.i32(RIGHT.write), w.shl(w.i32(1), kind)));
    const attributesOf = (physical: w.Expr): w.Expr => w.load('i32', 8, w.shrU(physical, w.i32(12)), attributesBase);
    const refuseHole = (physical: w.Expr): void => {
      refuse(w.geU(physical, w.i32(memory.ramBytes | 0)));
      refuse(w.and(attributesOf(physical), w.i32(PAGE.HOLE)));
    };
    fn.block((publish) => {
      // the slot's full entry: the page itself, or a global page of another address space
      fn.block((walk) => {
        const info = fn.let(w.load('i32', 32, slot, word(FULL.info)));
        const difference = fn.let(w.xor(w.load('i32', 32, slot, word(FULL.pageTag)), wanted));
        fn.brIf(walk, w.or(w.ne(w.load('i32', 32, slot, word(FULL.hi)), hi), w.eqz(w.and(info, need))));
        fn.brIf(publish, w.eqz(difference));
        fn.brIf(walk, w.or(w.and(difference, w.i32(~0xffc)), w.eqz(w.and(info, w.i32(GLOBAL_BIT)))));
        fn.brIf(walk, w.xor(w.and(info, w.i32(-1 << GENERATION_SHIFT)), parameter(AT.generation)));
        fn.store(32, slot, word(FULL.pageTag), wanted);
        count(AT.revivals);
        fn.br(publish);
      });
      const linear = fn.let(w.or(w.extendU(lo), w.shl(w.extendU(hi), w.i64(32))));
      const top = fn.let(w.shrS(hi, parameter(AT.canonicalShift)));
      refuse(w.and(w.ne(top, w.i32(0)), w.ne(top, w.i32(-1))));
      const table = fn.local('i32'), level = fn.local('i32'), all = fn.local('i32'), any = fn.local('i32'), entryLo = fn.local('i32'), entryHi = fn.local('i32'), shift = fn.local('i32');
      const entryShift = fn.let(parameter(AT.entryShift));
      const last = fn.let(w.add(w.i32(block + AT.levels - LEVEL_STRIDE * 4), w.mul(levels, w.i32(LEVEL_STRIDE * 4))));
      fn.set(table, parameter(AT.root));
      fn.set(level, w.i32(block + AT.levels));
      fn.set(all, w.i32(-1));
      fn.set(any, w.i32(0));
      fn.block((leafFound) => {
        fn.loop((next) => {
          const levelWord = (index: number): w.Expr => w.load('i32', 32, fn.get(level), 4 * index);
          fn.set(shift, levelWord(LEVEL_WORD.shift));
          const index = w.and(w.wrap(w.shrU(linear, w.extendU(fn.get(shift)))), levelWord(LEVEL_WORD.indexMask));
          const physical = fn.let(w.or(fn.get(table), w.shl(index, entryShift)));
          refuseHole(physical);
          fn.set(entryLo, w.load('i32', 32, physical, ramBase));
          fn.set(entryHi, w.select(w.and(entryShift, w.i32(1)), w.load('i32', 32, physical, ramBase + 4), w.i32(0)));
          count(AT.references);
          faultUnless(w.and(fn.get(entryLo), w.i32(PTE.P)), false);
          fn.set(all, w.and(fn.get(all), fn.get(entryLo)));
          fn.set(any, w.or(fn.get(any), fn.get(entryHi)));
          const reserved = (word: number): void => { refuse(w.or(w.and(fn.get(entryLo), levelWord(word)), w.and(fn.get(entryHi), levelWord(word + 1)))); };
          fn.if(w.or(w.eq(fn.get(level), last), w.and(fn.get(entryLo), levelWord(LEVEL_WORD.leafBits))), () => {
            reserved(LEVEL_WORD.leafReserved);
            fn.br(leafFound);
          });
          reserved(LEVEL_WORD.tableReserved);
          refuse(w.and(fn.get(entryHi), w.i32(0xf_ffff)));
          fn.set(table, w.and(fn.get(entryLo), w.i32(-4096)));
          fn.set(level, w.add(fn.get(level), w.i32(LEVEL_STRIDE * 4)));
          fn.br(next);
        });
      });
      unless(w.and(fn.get(all), w.i32(PTE.A)));
      const row = w.or(w.or(w.shl(w.and(tag, w.i32(3)), w.i32(RIGHTS_INDEX.askerShift)), w.and(fn.get(all), w.i32(PTE.RW | PTE.US))), w.shrU(fn.get(any), w.i32(31)));
      const clean = fn.let(w.eqz(w.and(fn.get(entryLo), w.i32(PTE.D))));
      const allowed = fn.let(w.load('i32', 8, row, block + AT.rights));
      faultUnless(w.and(allowed, need), true);
      const rights = fn.let(w.and(allowed, w.select(clean, w.i32(~RIGHT.write), w.i32(-1))));
      unless(w.and(rights, need));
      const inPage = fn.let(w.sub(w.shl(w.i32(1), fn.get(shift)), w.i32(1)));
      const physical = fn.let(w.and(w.or(w.and(fn.get(entryLo), w.xor(inPage, w.i32(-1))), w.and(lo, inPage)), w.i32(-4096)));
      refuse(w.select(w.eq(fn.get(shift), w.i32(22)), w.and(w.shrU(fn.get(entryLo), w.i32(13)), w.i32(0xff)), w.and(fn.get(entryHi), w.i32(0xf_ffff))));
      refuseHole(physical);
      fn.if(w.ne(fn.get(shift), w.i32(12)), () => {
        refuse(w.eq(fn.get(shift), w.i32(GIBIBYTE_SHIFT)));
        const region = bucket(w.or(w.shrU(lo, w.i32(22)), w.shl(hi, w.i32(10))));
        fn.store(8, region, privateBase + VCPU_LAYOUT.largePages, w.i32(1));
      });
      const isGlobal = w.and(fn.get(entryLo), parameter(AT.globalMask));
      fn.store(32, slot, word(FULL.pageTag), wanted);
      fn.store(32, slot, word(FULL.hi), hi);
      fn.store(32, slot, word(FULL.info), w.or(w.or(rights, w.select(isGlobal, w.i32(GLOBAL_BIT), w.i32(0))), parameter(AT.generation)));
      fn.store(32, slot, word(FULL.physLo), physical);
      fn.store(32, slot, word(FULL.physHi), w.i32(0));
      fn.store(32, slot, word(FULL.host), w.add(physical, w.i32(ramBase | 0)));
      count(AT.fills);
    });
    const host = fn.let(w.load('i32', 32, slot, word(FULL.host)));
    const physical = fn.let(w.sub(host, w.i32(ramBase | 0)));
    unless(host);
    const attributes = fn.let(attributesOf(physical));
    const barred = fn.let(w.and(attributes, w.i32(WRITE_BARRIER)));
    const rights = fn.let(w.and(w.load('i32', 32, slot, word(FULL.info)), w.select(barred, w.i32(RIGHT.read | RIGHT.execute), w.i32(RIGHT.read | RIGHT.write | RIGHT.execute))));
    const entryTag = fn.let(w.or(w.extendU(wanted), w.shl(w.extendU(hi), w.i64(32))));
    for (const [right, offset] of [[RIGHT.read, TLB_ENTRY.readTag], [RIGHT.write, TLB_ENTRY.writeTag], [RIGHT.execute, TLB_ENTRY.execTag]] as const) {
      fn.store(64, slot, privateBase + VCPU_LAYOUT.tlb + offset, w.select(w.and(rights, w.i32(right)), entryTag, w.i64(-1)));
    }
    fn.store(32, slot, privateBase + VCPU_LAYOUT.tlb + TLB_ENTRY.addend, w.sub(host, w.and(lo, w.i32(-4096))));
    fn.store(32, slot, privateBase + VCPU_LAYOUT.tlb + TLB_ENTRY.global, w.and(w.load('i32', 32, slot, word(FULL.info)), w.i32(GLOBAL_BIT)));
    fn.if(w.and(w.ne(w.and(rights, w.i32(RIGHT.write)), w.i32(0)), w.eqz(w.and(attributes, w.i32(PAGE.STORABLE)))), () => {
      fn.drop(w.atomic('i32', ATOMIC_OR8, [w.shrU(physical, w.i32(12)), w.i32(PAGE.STORABLE)], attributesBase, 0));
    });
    refuse(w.and(w.ne(barred, w.i32(0)), w.ne(w.and(need, w.i32(RIGHT.write)), w.i32(0))));
    fn.return(w.add(host, w.and(lo, w.i32(0xfff))));
  });
}

/** i32.atomic.rmw8.or_u */
const ATOMIC_OR8 = 0xfe35;
