import { HANDLER_STATUS } from '@vmm/cpu';
import * as w from '@vmm/wasm';
import type { Expr, Label, Local, ValueType } from '@vmm/wasm';
import { hasSite, SITE, siteOf, statusFor } from './exit-site.ts';
import type { FlagState } from './flag-state.ts';
import type { KeptRegisters } from './kept-registers.ts';
import type { LookUps } from './look-ups.ts';
import type { ModuleFunctions } from './module-functions.ts';
import type { Place } from './place.ts';
import type { RegionCode } from './region-code.ts';
import { callRegion, goOn, isTailCall, tailCallSlot } from './transitions.ts';

export interface FrameParts { readonly code: RegionCode; readonly place: Place; readonly flags: FlagState; readonly registers: KeptRegisters; readonly lookUps: LookUps; readonly functions: ModuleFunctions }

/** What is around a region's code: the prologue, the ways out, which meet in one epilogue that stores what has changed, and calls of other regions. */
export class RegionFrame {
  readonly #code: RegionCode;
  readonly #place: Place;
  readonly #flags: FlagState;
  readonly #registers: KeptRegisters;
  readonly #lookUps: LookUps;
  readonly #functions: ModuleFunctions;
  /** Address of the word that leads to the successor, 0 for none. */
  readonly #link: Local;
  /**
   * Where code that knows where it goes leaves, with the distance from the entry, what comes back to the budget, and the link on the stack: with the flags
   * in the state block, in locals, or as words on the stack too.
   */
  #leave!: Label;
  #leaveLocals!: Label;
  #leaveWords!: Label;
  /** Where sites go: with flag words on the stack, or without. */
  #exit!: Label;
  #exitWords!: Label;

  constructor({ code, place, flags, registers, lookUps, functions }: FrameParts) {
    this.#code = code;
    this.#place = place;
    this.#flags = flags;
    this.#registers = registers;
    this.#lookUps = lookUps;
    this.#functions = functions;
    this.#link = code.fn.local('i32');
  }

  // --- around the code ---

  /** Emits body and epilogue, then puts the prologue (which must know what the body used) in front. */
  around(checkEntry: (leave: () => void) => void, body: () => void): void {
    const { fn, word } = this.#code;
    const out: ValueType[] = [word, 'i32', 'i32'], words: ValueType[] = [word, word, word];
    this.#blockOf(out, (leave) => {
      this.#leave = leave;
      this.#blockOf(out, (leaveLocals) => {
        this.#leaveLocals = leaveLocals;
        this.#blockOf([...out, ...words, 'i32'], (leaveWords) => {
          this.#leaveWords = leaveWords;
          this.#blockOf(['i32'], (exit) => {
            this.#exit = exit;
            this.#blockOf(['i32', ...words], (exitWords) => {
              this.#exitWords = exitWords;
              body();
              fn.unreachable();
            });
            this.#flags.takeWords();
          });
          this.#takeSite();
        });
        this.#flags.takeKind();
        this.#flags.takeWords();
      });
      this.#flags.store();
    });
    this.#epilogue();
    fn.prepend(() => {
      checkEntry(() => { fn.return(w.i32(HANDLER_STATUS.interpret)); });
      this.#place.load();
      this.#lookUps.load();
      this.#registers.load();
    });
  }
  #blockOf(results: readonly ValueType[], body: (label: Label) => void): void { this.#code.fn.blockOf(this.#code.module.typeIndex({ params: [], results }), body); }
  #takeSite(): void {
    const { fn } = this.#code, { status } = this.#place;
    fn.take(status);
    fn.brIfWith(this.#leave, [this.#code.constant(0), w.i32(0), w.i32(0)], this.#flags.takeMeaning(fn.get(status)));
    fn.br(this.#leaveLocals);
  }
  #epilogue(): void {
    const { fn } = this.#code, { status, budget, rip } = this.#place;
    fn.take(this.#link);
    this.#place.takeGivenBack();
    this.#place.takeDistance();
    this.#registers.store();
    fn.returnCall(goOn(this.#code, this.#functions).index, [fn.get(status), fn.get(this.#link), fn.get(rip), fn.get(budget)]);
  }

  // --- ways out; static knowledge stays as it is ---

  /** Leave for the dispatcher at a distance from the entry. */
  leaveTo(delta: number, link = 0): void { this.#goOut(this.#code.constant(delta), -this.#place.owed, link); }
  /** Leave for the dispatcher at the target that the place was told. */
  leaveToTarget(): void { this.#goOut(this.#place.targetDistance, -this.#place.owed, 0); }
  #goOut(distance: Expr, givenBack: number, link: number): void {
    const { fn } = this.#code, out = [distance, w.i32(givenBack), w.i32(link)], words = this.#flags.wordsForExit();
    if (words !== undefined) fn.brWith(this.#leaveWords, [...out, ...words]);
    else fn.brWith(this.#flags.pending.type === 'memory' ? this.#leave : this.#leaveLocals, out);
  }

  /** Cold: the current instruction faults (or must be retried); nothing of it has happened. */
  readonly leaveFault = (): void => { this.#leaveHere(SITE.FAULT); };
  /** The dispatcher is to go on with the instruction at hand. */
  leaveBefore(): void { this.#leaveHere(0); }
  /** The interpreter is to do the instruction at hand. */
  leaveToInterpreter(): void { this.#leaveHere(this.#place.delta === 0 ? SITE.INTERPRET : 0); }
  #leaveHere(why: number): void {
    const { delta, left, owed } = this.#place, givenBack = left - owed;
    if (!hasSite(delta)) {
      // a place that a site's constant cannot name: in a function far from the entry
      this.#code.fn.set(this.#place.status, w.i32(statusFor(why)));
      this.#goOut(this.#code.constant(delta), givenBack, 0);
      return;
    }
    const { meaning, words } = this.#flags.wordsForSite(), site = siteOf(delta, givenBack, meaning, why);
    if (words === undefined) this.#code.fn.brWith(this.#exit, [site]);
    else this.#code.fn.brWith(this.#exitWords, [site, ...words]);
  }

  /** Leaves by a transfer that a function of the main module does (`isDone`) in the state block, where everything is stored for it; what it has not done is the interpreter's. */
  transfer(isDone: () => Expr): void {
    const { fn, core } = this.#code, place = this.#place, { delta, left, paid } = place;
    this.#flags.ready();
    this.#flags.flush();
    this.#flags.store();
    this.#code.store64('rip', place.at(delta));
    this.#code.store32('budget', paid);
    fn.later(() => { this.#registers.store(); });
    fn.if(isDone(), () => { fn.returnCall(core.goOn.index, []); }, undefined, true);
    this.#code.store32('budget', w.add(paid, w.i32(left)));
    fn.return(w.i32(delta === 0 ? HANDLER_STATUS.interpret : HANDLER_STATUS.dispatch));
  }

  /** At a loop's head, at a distance or at the target that the place was told: return now and then, so that events are seen and the function can be replaced by optimized code. */
  pollEvents(delta: number | undefined): void {
    const { fn } = this.#code;
    fn.block((goesOn) => {
      fn.block((leaves) => {
        fn.brIf(leaves, w.leS(fn.get(this.#place.budget), w.i32(0)), false);
        fn.brIf(goesOn, w.eqz(this.#code.load32('pending')), true);
      });
      if (delta === undefined) this.leaveToTarget();
      else this.leaveTo(delta);
    });
  }

  // --- calls ---

  /** Calls the region at a target, then goes on at `after` with everything loaded anew; see `callRegion`. `link`: the word that leads to the target, 0 for none. */
  call(target: Expr, after: number, link: number): void {
    const { fn, number } = this.#code, place = this.#place;
    place.setTarget(target);
    if (this.#flags.pending.type !== 'memory') {
      this.#flags.flush();
      this.#flags.store();
    }
    fn.later(() => { this.#registers.store(); });
    const status = fn.let(callRegion(this.#code, this.#functions, link !== 0).call(w.i32(link), fn.get(place.rip), place.wordAt(after), place.wordAt(0), place.paid, w.i32(number)));
    place.owed = 0;
    fn.if(status, () => {
      fn.if(isTailCall(status), () => { fn.returnCallIndirect(this.#code.regionType, [w.i32(0)], tailCallSlot(status)); });
      fn.return(status);
    }, undefined, false);
    place.loadBudget();
    this.#lookUps.load();
    fn.later(() => { this.#registers.load(); });
  }
}
