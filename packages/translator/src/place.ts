import * as w from '@vmm/wasm';
import type { Expr, Local } from '@vmm/wasm';
import { SITE } from './exit-site.ts';
import { SWITCH_DELTA } from './flow-graph.ts';
import type { RegionCode } from './region-code.ts';

/** Where code stands: the instruction at hand as a distance from the region's entry, and the budget of instructions. */
export class Place {
  readonly #code: RegionCode;
  /** Where the region was entered. */
  readonly #entry: Local;
  /** Where control goes on once code has left. */
  readonly rip: Local;
  /** What the region returns then, or the site that says so; 0: it goes on with the next one. */
  readonly status: Local;
  readonly budget: Local;
  /** Instructions of this path that the budget does not know of yet. */
  owed = 0;
  /** Distance of the instruction at hand from the entry, its length, and the instructions of its block from it on: what a fault gives back to the budget. */
  delta = 0;
  #length = 0;
  left = 0;

  constructor(code: RegionCode) {
    const { fn, word } = this.#code = code;
    this.#entry = fn.local(word);
    this.rip = fn.local(word);
    this.status = fn.local('i32');
    this.budget = fn.local('i32');
  }

  load(): void {
    this.#code.fn.set(this.#entry, this.#code.loadWord('rip'));
    this.loadBudget();
  }
  loadBudget(): void { this.#code.fn.set(this.budget, this.#code.load32('budget')); }
  begin(delta: number, length: number, left: number): void {
    this.delta = delta;
    this.#length = length;
    this.left = left;
  }

  // --- addresses ---

  /** In the word type of the mode, and as i64. */
  wordAt(delta: number): Expr { return w.add(this.#code.fn.get(this.#entry), this.#code.constant(delta)); }
  at(delta: number): Expr { return this.#code.wide(this.wordAt(delta)); }
  get after(): number { return this.delta + this.#length; }

  /** How far that is from the entry, in a word. */
  get targetDistance(): Expr { return w.sub(this.#code.fn.get(this.rip), this.#code.fn.get(this.#entry)); }
  /** Control goes on so far from the entry: the word on top of the stack. */
  takeDistance(): void { this.#code.fn.set(this.rip, w.add(w.top(this.#code.word), this.#code.fn.get(this.#entry))); }
  /** Control goes on at an address (i64). */
  setTarget(target: Expr): void { this.#code.fn.set(this.rip, this.#code.is64 ? target : w.wrap(target)); }
  /** Distance of that target from the entry (i32); far away in long mode: one that no block has. */
  targetDelta(): Expr {
    if (!this.#code.is64) return this.targetDistance;
    const wide = this.#code.fn.let(this.targetDistance);
    return w.select(w.eq(w.extendS(w.wrap(wide)), wide), w.wrap(wide), w.i32(SWITCH_DELTA));
  }

  // --- the budget ---

  /** Counted now, taken from the budget where paths join or leave. */
  spend(instructions: number): void {
    if (this.owed + instructions >= SITE.LEFT_BIAS) this.pay();
    this.owed += instructions;
  }
  pay(): void {
    if (this.owed !== 0) this.#code.fn.set(this.budget, this.paid);
    this.owed = 0;
  }
  /** The budget when what is owed is paid. */
  get paid(): Expr { return w.sub(this.#code.fn.get(this.budget), w.i32(this.owed)); }
  /** What comes back to the budget is on top of the stack. */
  takeGivenBack(): void { this.#code.fn.set(this.budget, w.add(w.top('i32'), this.#code.fn.get(this.budget))); }
  /** What is left after the instruction at hand; stored too: a clock that counts instructions looks at it there. */
  instructionsLeft(): Expr {
    const { fn } = this.#code, left = fn.let(w.sub(fn.get(this.budget), w.i32(this.owed - this.left + 1)));
    this.#code.store32('budget', left);
    return left;
  }
}
