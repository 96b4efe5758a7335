import { TLB_ENTRY, TLB_USER_FLIP, VCPU_LAYOUT } from '@vmm/state';
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder, FunctionRef, Local, ValueType } from '@vmm/wasm';
import { FUNCTION } from './module-functions.ts';
import type { ModuleFunctions } from './module-functions.ts';
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

/** What a look-up function does with a host address: one from the TLB, one that took the slow path; and without one. */
interface Endings { readonly found: (host: Expr) => void; readonly failed: () => void; readonly across?: () => void; readonly slowly?: (host: Expr) => void }

/** Of `LookUps.known`, where others have their value's number. */
const KNOWN_NUMBER = 7;
const numberOf = (bytes: number, kind: AccessKind, value: number, site: SiteKind): number => FUNCTION.lookUps + ((bytes * 4 + kind) * 8 + value) * 3 + site;

/** From linear to host addresses: TLB probes written out in place, or functions of the module that end in the core's slow path. Linear addresses are words of the mode. */
export class LookUps {
  readonly #code: RegionCode;
  readonly #functions: ModuleFunctions;
  readonly #tag: Local;

  constructor(code: RegionCode, functions: ModuleFunctions) {
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

  /** (linear) -> what is there, and whether that failed. */
  loader(bytes: number, value: ValueType, site: SiteKind = SITE_KIND.usual): FunctionRef {
    const { word } = this.#code, zero = value === 'v128' ? w.v128(new Uint8Array(16)) : value === 'i64' ? w.i64(0) : w.i32(0);
    return this.#functions.get(numberOf(bytes, 0, VALUE_NUMBER[value], site), [word], (fn) => {
      const at = (host: Expr): Expr => w.load(value, (bytes * 8) as w.Width, host);
      this.#define(fn, bytes, 0, site, { found: (host) => { fn.return(at(host), w.i32(0)); }, across: () => { this.#loadAcross(fn, bytes, value); }, failed: () => { fn.return(zero, w.i32(1)); } });
    }, [value, 'i32']);
  }
  /** (linear, value) -> whether storing it failed. */
  storer(bytes: number, value: ValueType, site: SiteKind = SITE_KIND.usual): FunctionRef {
    return this.#functions.get(numberOf(bytes, 1, VALUE_NUMBER[value], site), [this.#code.word, value], (fn) => {
      const store = (host: Expr): void => { fn.store((bytes * 8) as w.Width, host, 0, fn.param(1)); };
      this.#define(fn, bytes, 1, site, {
        found: (host) => { store(host); fn.return(w.i32(0)); },
        across: () => { this.#storeAcross(fn, bytes, value); },
        failed: () => { fn.return(w.i32(1)); },
        slowly: (host) => {
          store(host);
          fn.if(this.needsCommit(host), () => { fn.return(w.ne(this.#code.core.commit.call(), w.i32(0))); });
          fn.return(w.i32(0));
        },
      });
    });
  }
  /** (linear) -> host address or 0. Functions of the module, so that a site is small; V8 inlines them where code is hot. */
  finder(bytes: number, kind: AccessKind, site: SiteKind = SITE_KIND.usual): FunctionRef {
    return this.#functions.get(numberOf(bytes, kind, 0, site), [this.#code.word], (fn) => {
      this.#define(fn, bytes, kind, site, { found: (host) => { fn.return(host); }, failed: () => { fn.return(w.i32(0)); } });
    });
  }
  /** (linear) -> host address, or 0 if the bytes are not all in one page that may be used and is known. */
  known(bytes: number, kind: AccessKind): FunctionRef {
    return this.#functions.get(numberOf(bytes, kind, KNOWN_NUMBER, SITE_KIND.usual), [this.#code.word], (fn) => { fn.return(this.#knownHost(fn, fn.param(0), bytes, kind, this.#code.loadWord('tlbTag'))); });
  }
  /** The same in place. */
  knownInPlace(linear: Expr, bytes: number, kind: AccessKind): Expr { return this.#knownHost(this.#code.fn, linear, bytes, kind, this.#code.fn.get(this.#tag)); }
  #knownHost(fn: FunctionBuilder, linear: Expr, bytes: number, kind: AccessKind, tag: Expr): Expr {
    const { entry, hits } = this.#lookUp(fn, linear, bytes, kind, tag);
    return w.select(hits, this.hostAt(linear, entry), w.i32(0));
  }
  #define(fn: FunctionBuilder, bytes: number, kind: AccessKind, site: SiteKind, { found, across, failed, slowly = found }: Endings): void {
    const code = this.#code, { access, slowAccess } = code.core, linear = fn.param(0);
    if (site !== SITE_KIND.direct) {
      const { entry, hits } = this.#lookUp(fn, linear, bytes, kind, code.loadWord('tlbTag'));
      fn.if(hits, () => { found(this.hostAt(linear, entry)); }, undefined, true);
    }
    if (site === SITE_KIND.across && bytes > 1 && bytes <= 8) across?.();
    const ask = site === SITE_KIND.direct ? slowAccess : access;
    const host = fn.let(ask.call(code.low(linear), code.is64 ? w.wrap(w.shrU(linear, w.i64(32))) : w.i32(0), w.i32(bytes), w.i32(kind)));
    fn.unless(host, failed);
    slowly(host);
  }

  // --- across pages ---

  /** If the access ends in another page and the TLB has both: where its bytes in the first begin, where they would if all were in the second, how many are in the first. */
  #whereAcross(fn: FunctionBuilder, bytes: number, kind: AccessKind, then: (from: Expr, to: Expr, inFirst: Expr) => void): void {
    const code = this.#code, first = fn.param(0), offset = fn.let(w.and(code.low(first), w.i32(PAGE - 1)));
    fn.if(w.gtU(offset, w.i32(PAGE - bytes)), () => {
      const last = fn.let(w.add(first, code.constant(bytes - 1))), tag = code.loadWord('tlbTag');
      const low = this.#lookUp(fn, first, 1, kind, tag), high = this.#lookUp(fn, last, 1, kind, tag);
      fn.if(w.and(low.hits, high.hits), () => {
        then(fn.let(this.hostAt(first, low.entry)), fn.let(w.sub(this.hostAt(last, high.entry), w.i32(bytes - 1))), fn.let(w.sub(w.i32(PAGE), offset)));
      });
    }, undefined, false);
  }
  /** Both pages' words, each with bytes that belong to the other, make one. */
  #loadAcross(fn: FunctionBuilder, bytes: number, value: ValueType): void {
    if (value !== 'i32' && value !== 'i64') return;
    const width = (bytes * 8) as 16 | 32 | 64;
    this.#whereAcross(fn, bytes, 0, (from, to, inFirst) => {
      const upper = fn.let(w.shl(w.i64(-1), w.extendU(w.shl(inFirst, w.i32(3)))));
      const word = w.or(w.and(w.load('i64', width, from), w.xor(upper, w.i64(-1))), w.and(w.load('i64', width, to), upper));
      fn.return(value === 'i64' ? word : w.wrap(word), w.i32(0));
    });
  }
  #storeAcross(fn: FunctionBuilder, bytes: number, value: ValueType): void {
    if (value !== 'i32' && value !== 'i64') return;
    this.#whereAcross(fn, bytes, 1, (from, to, inFirst) => {
      const bits = fn.let(value === 'i64' ? fn.param(1) : w.extendU(fn.param(1)));
      for (let i = 0; i < bytes; i++) fn.store(8, w.add(w.select(w.gtS(inFirst, w.i32(i)), from, to), w.i32(i)), 0, w.wrap(w.shrU(bits, w.i64(8 * i))));
      fn.return(w.i32(0));
    });
  }

  /** Whether what was written to a host address has not reached its place: it lies in the bounce buffer. */
  needsCommit(host: Expr): Expr { return w.ltU(host, w.i32(this.#code.privateBase + VCPU_LAYOUT.tlb)); }
}
