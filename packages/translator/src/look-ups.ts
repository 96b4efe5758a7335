import { TLB_ENTRY, TLB_USER_FLIP, VCPU_LAYOUT } from '@vmm/state';
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder, FunctionRef, Local, ValueType } from '@vmm/wasm';
import type { RegionCode } from './region-code.ts';
import { SITE_KIND } from './slow-sites.ts';
import type { SiteKind } from './slow-sites.ts';

/** As `access` of the core wants it: read, write, read and write. */
export type AccessKind = 0 | 1 | 3;
/** Offset of the TLB entry for an address, and whether it allows the access. */
export interface LookUp { readonly entry: Expr; readonly hits: Expr }

const VALUE_NUMBER: Readonly<Record<ValueType, number>> = { i32: 1, i64: 2, f32: 3, f64: 4, v128: 5 };
const ENTRY_MASK = w.i32((VCPU_LAYOUT.tlbEntries - 1) * VCPU_LAYOUT.tlbEntryBytes);
const TLB_SHIFT = 7, PAGE = 4096;

/** From linear to host addresses: TLB probes written out in place, or functions of the module that end in the core's slow path. Linear addresses are words of the mode. */
export class LookUps {
  readonly #code: RegionCode;
  readonly #functions: Map<number, FunctionRef>;
  readonly #tag: Local;

  /** `functions`: those that the module has so far, by what they do. */
  constructor(code: RegionCode, functions: Map<number, FunctionRef>) {
    this.#code = code;
    this.#functions = functions;
    this.#tag = code.fn.local(code.word);
  }

  /** `tlbTag` as this code takes it to be (i64). */
  tag(): Expr { return this.#code.wide(this.#code.fn.get(this.#tag)); }
  load(): void { this.#code.fn.set(this.#tag, this.#code.loadWord('tlbTag')); }

  inPlace(linear: Expr, bytes: number, kind: AccessKind): LookUp { return this.#lookUp(this.#code.fn, linear, bytes, kind, this.#code.fn.get(this.#tag)); }
  #lookUp(fn: FunctionBuilder, linear: Expr, bytes: number, kind: AccessKind, tag: Expr): LookUp {
    const code = this.#code, slot = w.and(code.low(w.shrU(linear, code.constant(TLB_SHIFT))), ENTRY_MASK);
    const entry = fn.let(code.isUser ? w.xor(slot, w.i32(TLB_USER_FLIP)) : slot);
    const wanted = w.or(w.and(w.add(linear, code.constant(bytes - 1)), code.constant(-4096)), tag);
    const found = w.load('i64', code.is64 ? 64 : 32, entry, code.privateBase + VCPU_LAYOUT.tlb + (kind === 0 ? TLB_ENTRY.readTag : TLB_ENTRY.writeTag));
    // as 64 bits also where 32 are meant: V8 folds a 32-bit load into the comparison and makes it a second time, because it may trap
    return { entry, hits: w.eq(found, code.wide(wanted)) };
  }
  hostAt(linear: Expr, entry: Expr): Expr {
    return w.add(this.#code.low(linear), w.load('i32', 32, entry, this.#code.privateBase + VCPU_LAYOUT.tlb + TLB_ENTRY.addend));
  }

  /** (linear) -> host address or 0. */
  finder(bytes: number, kind: AccessKind, site: SiteKind = SITE_KIND.usual): FunctionRef { return this.#function(bytes, kind, site); }
  /** (linear, value) -> whether it was stored. */
  storer(bytes: number, value: ValueType, site: SiteKind = SITE_KIND.usual): FunctionRef { return this.#function(bytes, 1, site, value); }
  /** Functions of the module, so that a site is small; V8 inlines them where code is hot. */
  #function(bytes: number, kind: AccessKind, site: SiteKind, value?: ValueType): FunctionRef {
    const { module, word, isUser, is64 } = this.#code;
    const name = ((((bytes * 4 + kind) * 8 + (value === undefined ? 0 : VALUE_NUMBER[value])) * 3 + site) * 2 + (isUser ? 1 : 0)) * 2 + (is64 ? 1 : 0);
    let known = this.#functions.get(name);
    if (known === undefined) {
      known = module.declare(value === undefined ? [word] : [word, value], ['i32']);
      module.fill(known, (fn) => { this.#define(fn, bytes, kind, site, value); });
      this.#functions.set(name, known);
    }
    return known;
  }
  #define(fn: FunctionBuilder, bytes: number, kind: AccessKind, site: SiteKind, value: ValueType | undefined): void {
    const stores = value !== undefined;
    if (site !== SITE_KIND.direct) this.#tryAlone(fn, bytes, kind, stores);
    if (site === SITE_KIND.across && bytes > 1 && bytes <= 8 && kind === (stores ? 1 : 0) && value !== 'f32' && value !== 'f64') this.#tryAcross(fn, bytes, stores);
    this.#askCore(fn, site === SITE_KIND.direct ? this.#code.core.slowAccess : this.#code.core.access, bytes, kind, stores);
  }
  #tryAlone(fn: FunctionBuilder, bytes: number, kind: AccessKind, stores: boolean): void {
    const code = this.#code, linear = fn.param(0);
    const { entry, hits } = this.#lookUp(fn, linear, bytes, kind, code.loadWord('tlbTag'));
    fn.if(hits, () => {
      const host = this.hostAt(linear, entry);
      if (!stores) { fn.return(host); return; }
      fn.store((bytes * 8) as w.Width, host, 0, fn.param(1));
      fn.return(w.i32(1));
    }, undefined, true);
  }
  /** The access ends in another page, and the TLB has both. */
  #tryAcross(fn: FunctionBuilder, bytes: number, stores: boolean): void {
    const code = this.#code, first = fn.param(0), last = w.add(first, code.constant(bytes - 1));
    const offset = w.and(code.low(first), w.i32(PAGE - 1));
    fn.if(w.gtU(offset, w.i32(PAGE - bytes)), () => {
      const tag = code.loadWord('tlbTag'), [low, high] = [this.#lookUp(fn, first, 1, stores ? 1 : 0, tag), this.#lookUp(fn, fn.let(last), 1, stores ? 1 : 0, tag)];
      fn.if(w.and(low.hits, high.hits), () => {
        const from = fn.let(this.hostAt(first, low.entry)), to = fn.let(w.sub(this.hostAt(last, high.entry), w.i32(bytes - 1)));
        if (stores) this.#storeAcross(fn, bytes, from, to, offset);
        else this.#loadAcross(fn, bytes, from, to, offset);
      });
    }, undefined, false);
  }
  /** Both pages' words, each with bytes that belong to the other, make one, which is found in the bounce buffer. */
  #loadAcross(fn: FunctionBuilder, bytes: number, from: Expr, to: Expr, offset: Expr): void {
    const width = (bytes * 8) as 16 | 32 | 64, inFirst = w.extendU(w.shl(w.sub(w.i32(PAGE), offset), w.i32(3)));
    const upper = fn.let(w.shl(w.i64(-1), inFirst)), bounce = this.#code.privateBase + VCPU_LAYOUT.bounce;
    const word = w.or(w.and(w.load('i64', width, from), w.xor(upper, w.i64(-1))), w.and(w.load('i64', width, to), upper));
    fn.store(64, w.i32(0), bounce, word);
    fn.return(w.i32(bounce));
  }
  #storeAcross(fn: FunctionBuilder, bytes: number, from: Expr, to: Expr, offset: Expr): void {
    const value = fn.param(1), inFirst = fn.let(w.sub(w.i32(PAGE), offset));
    const bits = fn.let(value.type === 'i64' ? value : w.extendU(value));
    for (let i = 0; i < bytes; i++) fn.store(8, w.add(w.select(w.gtS(inFirst, w.i32(i)), from, to), w.i32(i)), 0, w.wrap(w.shrU(bits, w.i64(8 * i))));
    fn.return(w.i32(1));
  }
  #askCore(fn: FunctionBuilder, access: FunctionRef, bytes: number, kind: AccessKind, stores: boolean): void {
    const code = this.#code, { core } = code, linear = fn.param(0);
    const slow = access.call(code.low(linear), code.is64 ? w.wrap(w.shrU(linear, w.i64(32))) : w.i32(0), w.i32(bytes), w.i32(kind));
    if (!stores) { fn.return(slow); return; }
    const host = fn.let(slow);
    fn.if(w.eqz(host), () => { fn.return(w.i32(0)); });
    fn.store((bytes * 8) as w.Width, host, 0, fn.param(1));
    fn.if(this.needsCommit(host), () => { fn.return(w.eqz(core.commit.call())); });
    fn.return(w.i32(1));
  }

  /** Whether what was written to a host address has not reached its place: it lies in the bounce buffer. */
  needsCommit(host: Expr): Expr { return w.ltU(host, w.i32(this.#code.privateBase + VCPU_LAYOUT.tlb)); }
}
