import * as w from '@vmm/wasm';
import type { Expr, ValueType } from '@vmm/wasm';
import type { AccessKind, LookUps } from './look-ups.ts';
import type { OpenWindows } from './open-windows.ts';
import type { Step } from './flow-graph.ts';
import { SITE_KIND } from './slow-sites.ts';
import type { SiteKind } from './slow-sites.ts';
import type { RegionCode } from './region-code.ts';

/** Loads and stores at linear addresses (i64): through an open window, else by a look-up in place or by call. What faults leaves. */
export class MemoryAccess {
  readonly #code: RegionCode;
  readonly #lookUps: LookUps;
  readonly #windows: OpenWindows;
  readonly #leaveFault: () => void;
  /** Whether look-ups are written out where they are made: in loops. */
  inlinesLookUps = false;

  constructor(code: RegionCode, lookUps: LookUps, windows: OpenWindows, leaveFault: () => void) {
    this.#code = code;
    this.#lookUps = lookUps;
    this.#windows = windows;
    this.#leaveFault = leaveFault;
  }

  /** Of the instruction at hand. */
  #site: SiteKind = SITE_KIND.usual;

  begin(step: Step): void { this.#site = step.site; }

  /** What an open window has; nothing if that is never where the access goes. */
  #near(linear: Expr, bytes: number, kind: AccessKind): ReturnType<OpenWindows['find']> { return this.#site === SITE_KIND.direct ? undefined : this.#windows.find(linear, bytes, kind); }
  get #inlines(): boolean { return this.inlinesLookUps && this.#site !== SITE_KIND.direct; }

  /** As look-ups want it: i32 outside long mode. */
  #narrow(linear: Expr): Expr { return this.#code.is64 ? linear : w.narrowed(linear); }

  load(linear: Expr, bytes: number, type: ValueType): Expr {
    const { fn } = this.#code, near = this.#near(linear, bytes, 0), width = (bytes * 8) as w.Width;
    if (near === undefined) return fn.let(w.load(type, width, this.host(linear, bytes, 0)));
    const value = fn.local(type);
    fn.if(fn.get(near.host), () => { fn.set(value, w.load(type, width, fn.get(near.host), near.at)); }, () => {
      fn.set(value, w.load(type, width, this.#hostByCall(this.#narrow(linear), bytes, 0)));
    }, true);
    return fn.get(value);
  }
  store(linear64: Expr, bytes: number, value: Expr): void {
    const { fn } = this.#code, linear = this.#narrow(linear64), storer = this.#lookUps.storer(bytes, value.type, this.#site);
    const byCall = (what: Expr): void => { fn.unless(storer.call(linear, what), this.#leaveFault, false); };
    const near = this.#near(linear64, bytes, 1);
    if (near === undefined && !this.#inlines) { byCall(value); return; }
    const stored = fn.let(value), width = (bytes * 8) as w.Width;
    if (near === undefined) {
      const { entry, hits } = this.#lookUps.inPlace(linear, bytes, 1);
      fn.if(hits, () => { fn.store(width, this.#lookUps.hostAt(linear, entry), 0, stored); }, () => { byCall(stored); }, true);
    } else fn.if(fn.get(near.host), () => { fn.store(width, fn.get(near.host), near.at, stored); }, () => { byCall(stored); }, true);
  }

  /** Host address (i32) of bytes that may be used as asked. */
  host(linear64: Expr, bytes: number, kind: AccessKind): Expr {
    const { fn } = this.#code, linear = this.#narrow(linear64), near = this.#near(linear64, bytes, kind);
    if (near === undefined && !this.#inlines) return this.#hostByCall(linear, bytes, kind);
    const host = fn.local('i32'), byCall = (): void => { this.#hostByCall(linear, bytes, kind, host); };
    if (near === undefined) {
      const { entry, hits } = this.#lookUps.inPlace(linear, bytes, kind);
      fn.if(hits, () => { fn.set(host, this.#lookUps.hostAt(linear, entry)); }, byCall, true);
    } else fn.if(fn.get(near.host), () => { fn.set(host, w.add(fn.get(near.host), w.i32(near.at))); }, byCall, true);
    return fn.get(host);
  }
  #hostByCall(linear: Expr, bytes: number, kind: AccessKind, host = this.#code.fn.local('i32')): Expr {
    const { fn } = this.#code;
    fn.set(host, this.#lookUps.finder(bytes, kind, this.#site).call(linear));
    fn.unless(fn.get(host), this.#leaveFault, false);
    return fn.get(host);
  }
  /** After stores through a host address for writing. */
  commit(host: Expr): void {
    const { fn, core } = this.#code;
    fn.if(this.#lookUps.needsCommit(host), () => { fn.if(core.commit.call(), this.#leaveFault, undefined, false); }, undefined, false);
  }

  /** Whether bytes are plain memory that can be used as asked, without a fault or anything else (i32). */
  isPlain(linear: Expr, bytes: number, kind: AccessKind): Expr { return this.#code.fn.let(this.#lookUps.inPlace(this.#narrow(linear), bytes, kind).hits); }
}
