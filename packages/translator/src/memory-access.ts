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
  get #inlines(): boolean { return this.#windows.inlinesLookUps && this.#site !== SITE_KIND.direct; }

  /** As look-ups want it: i32 outside long mode. */
  #narrow(linear: Expr): Expr { return this.#code.is64 ? linear : w.wrap(linear); }

  load(linear: Expr, bytes: number, type: ValueType): Expr {
    const { fn } = this.#code, near = this.#near(linear, bytes, 0), width = (bytes * 8) as w.Width;
    const byCall = (): Expr => {
      fn.push([this.#lookUps.loader(bytes, type, this.#site).call(this.#narrow(linear))]);
      fn.if(w.top('i32'), this.#leaveFault, undefined, false);
      return w.top(type);
    };
    if (near !== undefined) return fn.choose(type, near.host, () => w.load(type, width, near.host, near.at), byCall, true);
    return this.#inlines ? fn.let(w.load(type, width, this.host(linear, bytes, 0))) : fn.let(byCall());
  }
  store(linear64: Expr, bytes: number, value: Expr): void {
    const { fn } = this.#code, linear = this.#narrow(linear64), storer = this.#lookUps.storer(bytes, value.type, this.#site);
    const byCall = (what: Expr): void => { fn.if(storer.call(linear, what), this.#leaveFault, undefined, false); };
    const near = this.#near(linear64, bytes, 1);
    if (near === undefined && !this.#inlines) { byCall(value); return; }
    const stored = fn.let(value), width = (bytes * 8) as w.Width;
    if (near === undefined) {
      const { entry, hits } = this.#lookUps.inPlace(linear, bytes, 1);
      fn.if(hits, () => { fn.store(width, this.#lookUps.hostAt(linear, entry), 0, stored); }, () => { byCall(stored); }, true);
    } else fn.if(near.host, () => { fn.store(width, near.host, near.at, stored); }, () => { byCall(stored); }, true);
  }

  /** Host address (i32) of bytes that may be used as asked. */
  host(linear64: Expr, bytes: number, kind: AccessKind): Expr {
    const { fn } = this.#code, linear = this.#narrow(linear64), near = this.#near(linear64, bytes, kind);
    if (near === undefined && !this.#inlines) return this.#hostByCall(linear, bytes, kind);
    const byCall = (): Expr => this.#hostByCall(linear, bytes, kind);
    if (near !== undefined) return fn.choose('i32', near.host, () => w.add(near.host, w.i32(near.at)), byCall, true);
    const { entry, hits } = this.#lookUps.inPlace(linear, bytes, kind);
    return fn.choose('i32', hits, () => this.#lookUps.hostAt(linear, entry), byCall, true);
  }
  #hostByCall(linear: Expr, bytes: number, kind: AccessKind): Expr {
    const { fn } = this.#code, host = fn.let(this.#lookUps.finder(bytes, kind, this.#site).call(linear));
    fn.unless(host, this.#leaveFault, false);
    return host;
  }
  /** After stores through a host address for writing. */
  commit(host: Expr): void {
    const { fn, core } = this.#code;
    fn.if(this.#lookUps.needsCommit(host), () => { fn.if(core.commit.call(), this.#leaveFault, undefined, false); }, undefined, false);
  }

  /** Whether bytes are plain memory that can be used as asked, without a fault or anything else (i32). */
  isPlain(linear: Expr, bytes: number, kind: AccessKind): Expr { return this.#code.fn.let(this.#lookUps.inPlace(this.#narrow(linear), bytes, kind).hits); }
}
