import type { MachineMemory } from '@vmm/memory';
import { PAGE as ATTRIBUTE, PAGE_BYTES, WRITE_BARRIER } from '@vmm/memory';
import { askerOf, PageWalker, RIGHT, RIGHT_FOR, WALK } from '@vmm/paging';
import type { AccessKind, GeneratedAccess, Mmu, MmuCounters, PagingModel, Stage2 } from '@vmm/paging';
import { CR0, CR4, RFLAGS, VECTOR } from '@vmm/spec';
import { forgetJumps, MMU_INDEX, STATE, TLB_USER_FLIP, VCPU_LAYOUT } from '@vmm/state';
import type { StateView } from '@vmm/state';
import type { FunctionRef, ModuleBuilder } from '@vmm/wasm';
import { AddressSpaces } from './address-spaces.ts';
import { BounceBuffer } from './bounce-buffer.ts';
import { LargePages } from './large-pages.ts';
import { MachineStage2 } from './machine-stage2.ts';
import { defineRefill, RefillParameters } from './refill.ts';
import { FULL, Tlb } from './tlb.ts';

export interface EptMmuOptions {
  readonly memory: MachineMemory;
  readonly state: StateView;
  /** Start of this vCPU's private area: `memory.vcpuBase(i)`. */
  readonly privateBase: number;
  /** A store is about to hit a page marked by `protectCode`; the range lies within one page. */
  readonly onCodeWrite?: (host: number, sizeBytes: number) => void;
  /** Likewise for `PAGE.TRACED`. */
  readonly onTracedWrite?: (host: number, sizeBytes: number) => void;
  /** Whether the access being made goes through SS, so that a non-canonical address is #SS rather than #GP. Default: never. */
  readonly lastSegmentWasStack?: () => boolean;
  readonly model?: PagingModel;
  /** Second-level translation of table accesses. Default: the machine's own memory map. */
  readonly stage2?: Stage2;
}

const OFFSET_MASK = 0xfff;
const SLOT_MASK = VCPU_LAYOUT.tlbEntries - 1;
/** User pages as users see them live in other slots than as the supervisor sees them: both use some of them by turns. */
const USER_FLIP = TLB_USER_FLIP / VCPU_LAYOUT.tlbEntryBytes;
const NOTHING = (): void => undefined;

/**
 * Guest page tables times the guest-physical map, cached in the TLB that generated code probes. One instance per vCPU, used only by its thread.
 * @hot: `access` runs on every TLB miss; words only, nothing allocated.
 */
export class EptMmu implements Mmu {
  faulted = false;
  readonly #counters: MmuCounters = {
    slowAccesses: 0, walks: 0, walkReferences: 0, fills: 0, revivals: 0, pageFaults: 0, canonicalFaults: 0,
    mmio: 0, pageCrossings: 0, codeWrites: 0, tags: 0, wipes: 0, invalidations: 0, largeInvalidations: 0,
  };

  readonly #memory: MachineMemory;
  readonly #state: StateView;
  readonly #i32: Int32Array;
  readonly #walker: PageWalker;
  readonly #tlb: Tlb;
  readonly #full: Int32Array;
  readonly #bounce: BounceBuffer;
  readonly #spaces: AddressSpaces;
  readonly #large: LargePages;
  readonly #refill: RefillParameters;
  readonly #privateBase: number;
  /** Tables are where the machine's own map says. */
  readonly #isPlain: boolean;
  readonly #lastSegmentWasStack: () => boolean;
  readonly #tagWord: number;
  readonly #linearMaskHiWord: number;
  /** Tag of implicit supervisor accesses: `state.systemTag`. */
  readonly #systemWord: number;
  #pcids = false;
  #long = false;
  /** An address is canonical when `hi >> shift` is 0 or -1. */
  #canonicalShift = 15;

  constructor({ memory, state, privateBase, onCodeWrite = NOTHING, onTracedWrite = NOTHING, lastSegmentWasStack = () => false, model = {}, stage2 }: EptMmuOptions) {
    this.#memory = memory;
    this.#state = state;
    this.#i32 = memory.i32;
    this.#walker = new PageWalker(memory, stage2 ?? new MachineStage2(memory), model);
    this.#tlb = new Tlb(memory, privateBase);
    this.#full = this.#tlb.full;
    this.#large = new LargePages(memory.u8.subarray(privateBase + VCPU_LAYOUT.largePages, privateBase + VCPU_LAYOUT.largePages + VCPU_LAYOUT.largePagesBytes));
    this.#refill = new RefillParameters(memory, privateBase);
    this.#privateBase = privateBase;
    this.#isPlain = stage2 === undefined;
    this.#bounce = new BounceBuffer(memory, privateBase + VCPU_LAYOUT.bounce, {
      onCodeWrite: (host, sizeBytes) => { this.#counters.codeWrites++; onCodeWrite(host, sizeBytes); },
      onTracedWrite,
    });
    this.#spaces = new AddressSpaces(() => { this.#wipe(); });
    this.#lastSegmentWasStack = lastSegmentWasStack;
    this.#tagWord = (state.base + STATE.tlbTag) / 4;
    this.#systemWord = (state.base + STATE.systemTag) / 4;
    this.#linearMaskHiWord = (state.base + STATE.linearMask) / 4 + 1;
    memory.onMapChange(() => { this.flushAll(); });
    this.controlChanged();
  }

  get counters(): MmuCounters {
    const { invalidations, fills, revivals, references, faults } = this.#refill.counters();
    const counters = this.#counters;
    return { ...counters, invalidations: counters.invalidations + invalidations, walks: counters.walks + fills + faults, pageFaults: counters.pageFaults + faults, fills: counters.fills + fills, revivals: counters.revivals + revivals, walkReferences: counters.walkReferences + references };
  }

  defineAccess(module: ModuleBuilder, slow: FunctionRef): GeneratedAccess {
    return defineRefill(module, this.#memory, this.#privateBase, slow);
  }

  access(lo: number, hi: number, size: number, kind: AccessKind): number {
    this.#counters.slowAccesses++;
    return this.#access(lo, hi, size, kind, this.#i32[this.#tagWord]!);
  }

  commit(): number {
    this.#bounce.commit();
    return 0;
  }

  contextChanged(): void {
    const state = this.#state;
    const smap = this.#walker.controls.smap;
    const supervisor = smap && (state.get('eflags') & RFLAGS.AC) === 0 ? MMU_INDEX.supervisor : MMU_INDEX.supervisorAc;
    const user = (state.get('eflags') & RFLAGS.AC) !== 0 && (state.lo('cr0') & CR0.AM) !== 0 ? MMU_INDEX.userAligned : MMU_INDEX.user;
    this.#i32[this.#tagWord] = this.#spaces.current | (state.get('cpl') === 3 ? user : supervisor);
    this.#i32[this.#tagWord + 1] = 0;
    state.set('tlbFlip', state.get('cpl') === 3 ? TLB_USER_FLIP : 0);
    this.#i32[this.#systemWord] = this.#spaces.current | (smap ? MMU_INDEX.supervisor : MMU_INDEX.supervisorAc);
  }

  cr3Written(keep = false): void {
    const cr3 = this.#state.lo('cr3');
    this.#walker.setRoot(cr3, this.#state.hi('cr3'));
    this.#refill.setRoot(this.#walker.rootLo, this.#walker.rootHi);
    if (this.#pcids) this.#spaces.enterPcid(cr3 & 0xfff, keep);
    else this.#spaces.enterFresh();
    this.#counters.tags++;
    this.contextChanged();
  }

  controlChanged(): void {
    const state = this.#state;
    const cr4 = state.lo('cr4');
    this.#walker.configure(state.lo('cr0'), cr4, state.lo('efer'));
    const { format } = this.#walker.controls;
    this.#long = format.long;
    this.#pcids = format.long && (cr4 & CR4.PCIDE) !== 0;
    this.#canonicalShift = format.name === '5-level' ? 24 : 15;
    this.#walker.setRoot(state.lo('cr3'), state.hi('cr3'));
    this.#takeProtectionKeys();
    this.flushAll();
  }

  pdptesValid(cr3Lo: number): boolean {
    return this.#walker.pdptesValid(cr3Lo);
  }

  invalidatePage(lo: number, hi: number): void {
    this.#counters.invalidations++;
    this.#forgetCode();
    if (this.#large.hasGibibyte(lo, hi)) {
      this.#counters.largeInvalidations++;
      this.flushAll();
      return;
    }
    if (!this.#large.takeRegion(lo, hi)) {
      this.#forget(lo >>> 12 & SLOT_MASK);
      return;
    }
    this.#counters.largeInvalidations++;
    const first = lo >>> 22 << 10 & SLOT_MASK;
    for (let slot = first; slot < first + 1024; slot++) this.#forget(slot);
  }

  /** The page is forgotten for users and for the supervisor. */
  #forget(slot: number): void {
    this.#tlb.clear(slot << 3);
    this.#tlb.clear((slot ^ USER_FLIP) << 3);
  }

  invalidatePcid(pcid: number): void {
    this.#spaces.forgetPcid(pcid);
    if (!this.#pcids || pcid !== (this.#state.lo('cr3') & 0xfff)) return;
    this.#spaces.enterPcid(pcid, false);
    this.contextChanged();
  }

  flushAll(): void {
    this.#tlb.endGeneration();
    // those to global pages outlive the tag
    forgetJumps(this.#state, this.#privateBase);
    this.#refill.configure(this.#walker, this.#isPlain);
    this.#refill.setRoot(this.#walker.rootLo, this.#walker.rootHi);
    this.#refill.setGeneration(this.#tlb.generation);
    this.#large.clear();
    this.#spaces.forgetPcids();
    if (this.#pcids) this.#spaces.enterPcid(this.#state.lo('cr3') & 0xfff, false);
    else this.#spaces.enterFresh();
    this.#counters.tags++;
    this.contextChanged();
  }

  protectionKeysChanged(): void {
    if (this.#takeProtectionKeys()) this.flushAll();
  }

  /** Whether rights in force have changed. */
  #takeProtectionKeys(): boolean {
    const walker = this.#walker, { protectionKeys, supervisorKeys } = walker.controls, pkru = this.#state.get('pkru'), pkrs = this.#state.get('pkrs');
    const changes = protectionKeys && walker.pkru !== pkru || supervisorKeys && walker.pkrs !== pkrs;
    walker.pkru = pkru;
    walker.pkrs = pkrs;
    return changes;
  }

  protectCode(hostAddress: number): void {
    if (hostAddress < this.#memory.ramBase) return;
    this.#memory.setAttribute(hostAddress, ATTRIBUTE.CODE);
    this.#tlb.purgeWrites(hostAddress - hostAddress % PAGE_BYTES);
  }

  unprotectCode(hostAddress: number): void {
    if (hostAddress < this.#memory.ramBase) return;
    this.#memory.clearAttribute(hostAddress, ATTRIBUTE.CODE);
  }

  probe(lo: number, hi: number, kind: AccessKind): number {
    if (this.#long && !this.#isCanonical(hi)) return -1;
    const walker = this.#walker;
    const references = walker.references;
    const result = walker.walk(lo, hi, kind, askerOf(this.#i32[this.#tagWord]!), false);
    walker.references = references;
    return result === WALK.ok ? gpaOf(walker.physLo, walker.physHi) + (lo & OFFSET_MASK) : -1;
  }

  read8(lo: number, hi: number): number { return this.#read(lo, hi, 1, this.#i32[this.#tagWord]!); }
  read16(lo: number, hi: number): number { return this.#read(lo, hi, 2, this.#i32[this.#tagWord]!); }
  read32(lo: number, hi: number): number { return this.#read(lo, hi, 4, this.#i32[this.#tagWord]!); }
  write8(lo: number, hi: number, value: number): boolean { return this.#write(lo, hi, 1, value, this.#i32[this.#tagWord]!); }
  write16(lo: number, hi: number, value: number): boolean { return this.#write(lo, hi, 2, value, this.#i32[this.#tagWord]!); }
  write32(lo: number, hi: number, value: number): boolean { return this.#write(lo, hi, 4, value, this.#i32[this.#tagWord]!); }
  readSystem8(lo: number, hi: number): number { return this.#read(lo, hi, 1, this.#i32[this.#systemWord]!); }
  readSystem16(lo: number, hi: number): number { return this.#read(lo, hi, 2, this.#i32[this.#systemWord]!); }
  readSystem32(lo: number, hi: number): number { return this.#read(lo, hi, 4, this.#i32[this.#systemWord]!); }
  writeSystem8(lo: number, hi: number, value: number): boolean { return this.#write(lo, hi, 1, value, this.#i32[this.#systemWord]!); }
  writeSystem16(lo: number, hi: number, value: number): boolean { return this.#write(lo, hi, 2, value, this.#i32[this.#systemWord]!); }
  writeSystem32(lo: number, hi: number, value: number): boolean { return this.#write(lo, hi, 4, value, this.#i32[this.#systemWord]!); }

  #read(lo: number, hi: number, size: 1 | 2 | 4, tag: number): number {
    const host = this.#access(lo, hi, size, 0, tag);
    this.faulted = host === 0;
    if (host === 0) return 0;
    if (size === 1) return this.#memory.u8[host]!;
    return size === 2 ? this.#memory.data.getUint16(host, true) : this.#memory.data.getUint32(host, true);
  }

  #write(lo: number, hi: number, size: 1 | 2 | 4, value: number, tag: number): boolean {
    const host = this.#access(lo, hi, size, 1, tag);
    this.faulted = host === 0;
    if (host === 0) return false;
    if (size === 1) this.#memory.u8[host] = value;
    else if (size === 2) this.#memory.data.setUint16(host, value, true);
    else this.#memory.data.setUint32(host, value, true);
    if (host === this.#bounce.address) this.#bounce.commit();
    return true;
  }

  /** `tag`: address space and asker, as in `tlbTag`. */
  #access(lo: number, hi: number, size: number, kind: number, tag: number): number {
    const offset = lo & OFFSET_MASK;
    if ((tag & 3) === MMU_INDEX.userAligned && kind !== 2 && (lo & alignmentMask(size)) !== 0) return this.#refuseAlignment(lo, hi);
    if (offset + size > PAGE_BYTES) return this.#accessAcross(lo, hi | 0, size, kind, tag);
    const at = this.#page(lo, hi | 0, kind, tag);
    if (at < 0) return 0;
    const page = this.#full[at + FULL.host]! >>> 0;
    if (page === 0) return this.#accessDevice(at, offset, size, kind);
    const host = page + offset;
    if ((kind & 1) === 0) return host;
    if ((this.#memory.attributesAt(host) & WRITE_BARRIER) === 0) {
      if (!this.#tlb.isWritePublished(at)) this.#tlb.publish(at);
      return host;
    }
    return this.#bounce.prepareStore(host, size) ? host : this.#accessDropped(host, size);
  }

  /** The slot's full entry for this page and kind, or -1 with the fault recorded. */
  #page(lo: number, hi: number, kind: number, tag: number): number {
    const at = slotOf(lo, tag) << 3;
    const full = this.#full;
    if (full[at + FULL.pageTag] === ((lo & ~OFFSET_MASK) | tag) && full[at + FULL.hi] === hi
      && (full[at + FULL.info]! & RIGHT_FOR[kind]!) !== 0) return at;
    return this.#fill(at, lo, hi, kind, tag);
  }

  #fill(at: number, lo: number, hi: number, kind: number, tag: number): number {
    const pageTag = (lo & ~OFFSET_MASK) | tag;
    if (this.#tlb.revive(at, pageTag, hi) && (this.#full[at + FULL.info]! & RIGHT_FOR[kind]!) !== 0) {
      this.#counters.revivals++;
      return at;
    }
    if (!this.#walk(lo, hi, kind, tag, true)) return -1;
    const walker = this.#walker;
    this.#counters.fills++;
    if (walker.pageShift !== 12) this.#large.note(lo, hi, walker.pageShift);
    const rights = walker.dirty ? walker.rights : walker.rights & ~RIGHT.write;
    this.#tlb.fill(at, pageTag, hi, rights, walker.global, walker.physLo & this.#memory.a20Mask, walker.physHi, this.#memory.translate(walker.physLo, walker.physHi));
    return at;
  }

  /** Walks, and records the fault when there is one. */
  #walk(lo: number, hi: number, kind: number, tag: number, update: boolean): boolean {
    if (this.#long && !this.#isCanonical(hi)) return this.#refuseAddress(lo, hi);
    const walker = this.#walker;
    this.#counters.walks++;
    const result = walker.walk(lo, hi, kind, askerOf(tag), update);
    this.#counters.walkReferences = walker.references;
    if (result === WALK.ok) return true;
    this.#counters.pageFaults++;
    this.#state.set('faultVector', VECTOR.PF);
    this.#state.set('faultError', walker.errorCode);
    this.#state.setWords('faultAddress', lo, hi);
    return false;
  }

  #isCanonical(hi: number): boolean {
    const top = hi >> this.#canonicalShift;
    return top === 0 || top === -1;
  }

  #refuseAddress(lo: number, hi: number): boolean {
    this.#counters.canonicalFaults++;
    this.#state.setWords('faultAddress', lo, hi);
    this.#state.set('faultVector', this.#lastSegmentWasStack() ? VECTOR.SS : VECTOR.GP);
    this.#state.set('faultError', 0);
    return false;
  }

  /** #AC, unless the address is none: that comes first. A page fault would come later. */
  #refuseAlignment(lo: number, hi: number): 0 {
    if (this.#long && !this.#isCanonical(hi)) {
      this.#refuseAddress(lo, hi);
      return 0;
    }
    this.#state.setWords('faultAddress', lo, hi);
    this.#state.set('faultVector', VECTOR.AC);
    this.#state.set('faultError', 0);
    return 0;
  }

  #accessDevice(at: number, offset: number, size: number, kind: number): number {
    this.#counters.mmio++;
    const bounce = this.#bounce;
    if (kind === 2) return bounce.floatHigh();
    bounce.begin();
    bounce.add(0, gpaOf(this.#full[at + FULL.physLo]!, this.#full[at + FULL.physHi]!) + offset, size);
    if (kind !== 1) bounce.gather();
    return bounce.address;
  }

  /** A store to ROM: generated code gets a place to store to, and the commit drops it. */
  #accessDropped(host: number, size: number): number {
    const bounce = this.#bounce;
    bounce.begin();
    bounce.add(host, 0, size);
    bounce.gather();
    return bounce.address;
  }

  /** For a write both pages are checked before either is marked or written. */
  #accessAcross(lo: number, hi: number, size: number, kind: number, tag: number): number {
    this.#counters.pageCrossings++;
    const offset = lo & OFFSET_MASK;
    const nextLo = (lo & ~OFFSET_MASK) + PAGE_BYTES | 0;
    const nextHi = this.#i32[this.#linearMaskHiWord] === 0 ? 0 : hi + (nextLo === 0 ? 1 : 0) | 0;
    if ((kind & 1) !== 0 && !this.#walk(lo, hi, kind, tag, false)) return 0;
    const first = (kind & 1) !== 0 ? 0 : this.#page(lo, hi, kind, tag);
    if (first < 0) return 0;
    const second = this.#page(nextLo, nextHi, kind, tag);
    if (second < 0) return 0;
    return this.#join((kind & 1) !== 0 ? this.#page(lo, hi, kind, tag) : first, offset, second, size, kind);
  }

  #join(first: number, offset: number, second: number, size: number, kind: number): number {
    if (first < 0) return 0;
    const full = this.#full;
    const hostA = full[first + FULL.host]! >>> 0;
    const hostB = full[second + FULL.host]! >>> 0;
    if (hostB === hostA + PAGE_BYTES && hostA !== 0 && this.#mayTouchBoth(hostA, hostB, kind)) return hostA + offset;
    if (hostA === 0 || hostB === 0) this.#counters.mmio++;
    const bounce = this.#bounce;
    const length = PAGE_BYTES - offset;
    bounce.begin();
    bounce.add(hostA === 0 ? 0 : hostA + offset, gpaOf(full[first + FULL.physLo]!, full[first + FULL.physHi]!) + offset, length);
    bounce.add(hostB, gpaOf(full[second + FULL.physLo]!, full[second + FULL.physHi]!), size - length);
    if (kind !== 1) bounce.gather();
    return bounce.address;
  }

  /** Neighbours in machine memory need no bounce buffer, unless a store must be noticed. */
  #mayTouchBoth(hostA: number, hostB: number, kind: number): boolean {
    return (kind & 1) === 0 || ((this.#memory.attributesAt(hostA) | this.#memory.attributesAt(hostB)) & WRITE_BARRIER) === 0;
  }

  /** Translated code reaches by address and tag where it has been before, and trusts a mapping it has seen; other changes come with a new tag. */
  #forgetCode(): void {
    const version = this.#state.get('mapVersion') + 1 | 0;
    this.#state.set('mapVersion', version);
    // versions begin again: what remembers one must not
    if (version === 0) this.#i32.fill(-1, this.#privateBase + VCPU_LAYOUT.stamps >> 2, this.#privateBase + VCPU_LAYOUT.stamps + VCPU_LAYOUT.stampsBytes >> 2);
    forgetJumps(this.#state, this.#privateBase);
    const marks = this.#privateBase + VCPU_LAYOUT.jumps + VCPU_LAYOUT.jumpEntries * 16 >> 2;
    this.#i32.fill(0, marks, marks + VCPU_LAYOUT.jumpPages / 4);
  }

  #wipe(): void {
    this.#counters.wipes++;
    this.#tlb.wipe();
    this.#forgetCode();
    this.#large.clear();
  }
}

function gpaOf(lo: number, hi: number): number {
  return (lo >>> 0) + (hi >>> 0) * 0x1_0000_0000;
}

function slotOf(lo: number, tag: number): number {
  const index = tag & 3;
  return (lo >>> 12 & SLOT_MASK) ^ (index === MMU_INDEX.user || index === MMU_INDEX.userAligned ? USER_FLIP : 0);
}

/** SDM vol 3A, Table 6-7: what must be aligned how. Pieces of larger structures are checked as they are accessed. */
function alignmentMask(size: number): number {
  if (size === 10) return 7;
  return (size & size - 1) === 0 && size <= 16 ? size - 1 : 0;
}
