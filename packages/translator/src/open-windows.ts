import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';
import type { Step } from './flow-graph.ts';
import type { KeptRegisters } from './kept-registers.ts';
import type { AccessKind, LookUps } from './look-ups.ts';
import type { RegionCode } from './region-code.ts';
import { adjustmentOf } from './windows.ts';
import type { Opening, Window } from './windows.ts';

/** An open window: its host address (0: accesses look up by themselves), and how far its register is from where its offsets count from. */
interface Near { readonly window: Window; readonly host: Expr; readonly adjustment: number }
export type Nearby = ReadonlyMap<number, Near>;
/** What is known of an address that lies in a window. */
interface Located { readonly host: Expr; readonly at: number; readonly bytes: number; readonly isWritable: boolean }

export const NONE_NEARBY: Nearby = new Map();

/** The windows that are open at the point of the code at hand, and the addresses of the instruction at hand that lie in them. */
export class OpenWindows {
  readonly #code: RegionCode;
  readonly #registers: KeptRegisters;
  readonly #lookUps: LookUps;
  /** By register; never changed in place. */
  nearby: Nearby = NONE_NEARBY;
  /** What is to be opened where. */
  openings: ReadonlyMap<Step, readonly Opening[]> = new Map();
  /** Whether look-ups are written out where they are made: in loops. */
  inlinesLookUps = false;
  readonly #located = new Map<Expr, Located>();
  #adjustment: ReturnType<typeof adjustmentOf>;

  constructor(code: RegionCode, registers: KeptRegisters, lookUps: LookUps) {
    this.#code = code;
    this.#registers = registers;
    this.#lookUps = lookUps;
  }

  /** What the open windows need. */
  get hosts(): Expr[] { return [...this.nearby.values()].map(({ host }) => host); }

  begin(step: Step): void {
    if (this.#located.size > 0) this.#located.clear();
    const openings = this.openings.get(step);
    if (openings !== undefined) for (const opening of openings) this.#open(opening);
    this.#adjustment = this.nearby.size > 0 ? adjustmentOf(step) : undefined;
  }
  #open({ window, adjustment }: Opening): void {
    const { fn } = this.#code;
    const at = fn.let(this.#distant(window.base, window.low - adjustment));
    const bytes = window.high - window.low, kind = window.writes ? 1 : 0;
    const host = fn.let(this.inlinesLookUps ? this.#lookUps.knownInPlace(at, bytes, kind) : this.#lookUps.known(bytes, kind).call(at));
    this.nearby = new Map(this.nearby).set(window.base, { window, host, adjustment });
  }
  #distant(register: number, distance: number): Expr { return w.add(this.#registers.word(register), this.#code.constant(distance)); }

  /** A register is written: its window moves with it if the instruction moves it by a constant, else it is closed. */
  moved(register: number): void {
    const near = this.nearby.get(register);
    if (near === undefined) return;
    const nearby = new Map(this.nearby), adjustment = this.#adjustment;
    if (adjustment?.register === register) {
      nearby.set(register, { ...near, adjustment: near.adjustment + adjustment.distance });
      this.#adjustment = undefined;
    } else nearby.delete(register);
    this.nearby = nearby;
  }

  /** Linear address (i64) at a distance from a register, if a window has it. */
  locate(register: number, distance: number, bytes: number): Expr | undefined {
    const near = this.nearby.get(register);
    if (near === undefined) return undefined;
    const { window, host, adjustment } = near, at = adjustment + distance - window.low;
    if (at < 0 || at + bytes > window.high - window.low) return undefined;
    // not evaluated now: only what looks up by itself needs it
    const linear = this.#code.wide(this.#distant(register, distance));
    this.#located.set(linear, { host, at, bytes, isWritable: window.writes });
    return linear;
  }
  /** Where an address that `locate` gave is in its window, if that allows the access. */
  find(linear: Expr, bytes: number, kind: AccessKind): Located | undefined {
    const found = this.#located.get(linear);
    return found !== undefined && bytes <= found.bytes && (kind === 0 || found.isWritable) ? found : undefined;
  }
}
