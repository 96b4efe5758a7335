import { HANDLER_STATUS } from '@vmm/cpu';
import * as w from '@vmm/wasm';
import type { Expr, Label, Local } from '@vmm/wasm';
import { deltaOf, givenBackBy, hasSite, SITE, siteOf, statusFor, statusOf } from './exit-site.ts';
import type { FlagState } from './flag-state.ts';
import { lookUpJump } from './jump-look-up.ts';
import type { KeptRegisters } from './kept-registers.ts';
import type { LookUps } from './look-ups.ts';
import type { Place } from './place.ts';
import type { RegionCode } from './region-code.ts';

/** Calls of regions by regions that may be open: the host's stack is finite. */
const MAX_CALL_DEPTH = 64;

export interface FrameParts { readonly code: RegionCode; readonly place: Place; readonly flags: FlagState; readonly registers: KeptRegisters; readonly lookUps: LookUps }

/** What is around a region's code: the prologue, the ways out, which meet in one epilogue that stores what has changed, and calls of other regions. */
export class RegionFrame {
  readonly #code: RegionCode;
  readonly #place: Place;
  readonly #flags: FlagState;
  readonly #registers: KeptRegisters;
  readonly #lookUps: LookUps;
  readonly #site: Local;
  /** Address of the word that leads to the successor, 0 for none. */
  readonly #link: Local;
  /** Where code that knows where it goes leaves: with the flags in locals, or still in memory. */
  #leave!: Label;
  #leaveFlags!: Label;
  /** Where sites go (site, flag words on the stack). */
  #exit!: Label;

  constructor({ code, place, flags, registers, lookUps }: FrameParts) {
    this.#code = code;
    this.#place = place;
    this.#flags = flags;
    this.#registers = registers;
    this.#lookUps = lookUps;
    this.#site = code.fn.local('i32');
    this.#link = code.fn.local('i32');
  }

  // --- around the code ---

  /** Emits body and epilogue, then puts the prologue (which must know what the body used) in front. */
  around(checkEntry: (leave: () => void) => void, body: () => void): void {
    const { fn, module, word } = this.#code;
    const siteType = module.typeIndex({ params: [], results: ['i32', word, word, word] });
    fn.block((leave) => {
      this.#leave = leave;
      fn.block((leaveFlags) => {
        this.#leaveFlags = leaveFlags;
        fn.blockOf(siteType, (exit) => {
          this.#exit = exit;
          body();
        });
        this.#takeSite();
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
  #takeSite(): void {
    const { fn } = this.#code, site = fn.get(this.#site);
    this.#flags.takeWords();
    fn.take(this.#site);
    this.#place.goToComputed(deltaOf(site));
    this.#place.giveBack(givenBackBy(site));
    fn.set(this.#place.status, statusOf(site));
    this.#flags.takeMeaning(site, this.#leave);
  }
  #epilogue(): void {
    const { fn } = this.#code, { status, budget, rip } = this.#place;
    this.#registers.store();
    this.#place.store();
    fn.if(fn.get(status), () => { fn.return(fn.get(status)); }, undefined, false);
    const goesOn = w.and(w.gtS(fn.get(budget), w.i32(0)), w.eqz(this.#code.load32('pending')));
    fn.if(goesOn, () => {
      const slot = fn.local('i32');
      fn.if(fn.get(this.#link), () => { fn.set(slot, w.load('i32', 32, fn.get(this.#link))); }, () => {
        fn.if(w.eq(this.#code.wide(fn.get(rip)), this.#code.load64('returnTo')), () => {
          // its caller looks at itself first if it must
          fn.return(w.select(w.ltS(this.#code.load32('callsInDoubt'), this.#code.load32('callDepth')), w.i32(HANDLER_STATUS.returned), w.i32(HANDLER_STATUS.dispatch)));
        });
        lookUpJump(this.#code, rip, slot);
      });
      fn.if(fn.get(slot), () => { fn.returnCallIndirect(this.#code.regionType, [w.i32(0)], fn.get(slot)); });
    }, undefined, true);
    fn.return(w.i32(HANDLER_STATUS.dispatch));
  }

  // --- ways out; static knowledge stays as it is ---

  /** Leave for the dispatcher at a distance from the entry. */
  leaveTo(delta: number, link = 0): void {
    this.#settle();
    this.#place.goTo(delta);
    if (link !== 0) this.#code.fn.set(this.#link, w.i32(link));
    this.#goOut();
  }
  /** Leave for the dispatcher at the target that the place was told. */
  leaveToTarget(): void {
    this.#settle();
    this.#goOut();
  }
  #settle(): void {
    this.#flags.flushForExit();
    this.#place.payForExit();
  }
  #goOut(): void { this.#code.fn.br(this.#flags.pending.type === 'memory' ? this.#leave : this.#leaveFlags); }

  /** Cold: the current instruction faults (or must be retried); nothing of it has happened. */
  readonly leaveFault = (): void => { this.#leaveHere(SITE.FAULT); };
  /** The dispatcher is to go on with the instruction at hand. */
  leaveBefore(): void { this.#leaveHere(0); }
  /** The interpreter is to do the instruction at hand. */
  leaveToInterpreter(): void { this.#leaveHere(this.#place.delta === 0 ? SITE.INTERPRET : 0); }
  #leaveHere(why: number): void {
    const { delta, left, owed } = this.#place, givenBack = left - owed;
    if (!hasSite(delta)) { this.#leaveFar(delta, givenBack, why); return; }
    const { meaning, words } = this.#flags.wordsForSite();
    this.#code.fn.brWith(this.#exit, [siteOf(delta, givenBack, meaning, why), ...words]);
  }
  /** The same for a place that a site's constant cannot name: a fault in a function far from its entry. */
  #leaveFar(delta: number, givenBack: number, why: number): void {
    this.#flags.flushForExit();
    if (givenBack !== 0) this.#place.giveBack(w.i32(givenBack));
    this.#place.goTo(delta);
    this.#code.fn.set(this.#place.status, w.i32(statusFor(why)));
    this.#goOut();
  }

  /** Leaves by a transfer that a function of the main module does (`isDone`) in the state block, where everything is stored for it; what it has not done is the interpreter's. */
  transfer(isDone: () => Expr): void {
    const { fn, core } = this.#code, { delta, left, budget } = this.#place;
    this.#flags.ready();
    this.#flags.flushForExit();
    this.#flags.store();
    this.#place.payForExit();
    this.#place.goTo(delta);
    this.#place.store();
    fn.later(() => { this.#registers.store(); });
    fn.if(isDone(), () => { fn.returnCall(core.goOn.index, []); }, undefined, true);
    this.#code.store32('budget', w.add(fn.get(budget), w.i32(left)));
    fn.return(w.i32(delta === 0 ? HANDLER_STATUS.interpret : HANDLER_STATUS.dispatch));
  }

  /** At a loop's head, at a distance or at the target that the place was told: return now and then, so that events are seen and the function can be replaced by optimized code. */
  pollEvents(delta: number | undefined): void {
    const { fn } = this.#code;
    const leaveIf = (condition: Expr): void => {
      fn.if(condition, () => {
        if (delta === undefined) this.leaveToTarget();
        else this.leaveTo(delta);
      }, undefined, false);
    };
    leaveIf(w.leS(fn.get(this.#place.budget), w.i32(0)));
    leaveIf(this.#code.load32('pending'));
  }

  // --- calls ---

  /**
   * Calls the region at a target, then goes on at `after` with everything loaded anew. If there is no region, or control leaves translated code before it comes
   * back there, the interpreter's loop takes it there; only when the slice ends first this region and whoever called it are left too. `link`: the word that leads to the target, 0 for none.
   */
  call(target: Expr, after: number, link: number): void {
    const { fn } = this.#code;
    fn.scope(() => {
      this.#place.setTarget(target);
      this.#flags.flushForExit();
      if (this.#flags.pending.type !== 'memory') this.#flags.store();
      this.#place.pay();
      fn.later(() => { this.#registers.store(); });
      this.#place.store();
      const slot = fn.local('i32');
      if (link === 0) lookUpJump(this.#code, this.#place.rip, slot);
      else fn.set(slot, w.load('i32', 32, w.i32(0), link));
      // known to samples also when the slice ends here
      const outer = fn.let(this.#code.load64('returnTo'));
      this.#code.store64('returnTo', this.#place.at(after));
      const stops = w.or(w.leS(fn.get(this.#place.budget), w.i32(0)), this.#code.load32('pending'));
      fn.if(stops, () => { fn.return(w.i32(HANDLER_STATUS.dispatch)); }, undefined, false);
      this.#enter(slot, outer, after);
      this.#code.store64('returnTo', outer);
    });
    this.#place.loadBudget();
    fn.later(() => { this.#registers.load(); });
  }
  #enter(slot: Local, outer: Expr, after: number): void {
    const { fn, regionType, core, number, modeKey } = this.#code, depth = fn.let(this.#code.load32('callDepth'));
    fn.if(w.geS(depth, w.i32(MAX_CALL_DEPTH)), () => {
      this.#code.store64('returnTo', outer);
      fn.returnCallIndirect(regionType, [w.i32(0)], fn.get(slot));
    }, undefined, false);
    this.#code.store32('callDepth', w.add(depth, w.i32(1)));
    const status = fn.let(w.callIndirectExpr(regionType, 'i32', [w.i32(0)], fn.get(slot)));
    fn.if(w.ne(status, w.i32(HANDLER_STATUS.returned)), () => {
      const finished = fn.let(core.finishCall.call(status, this.#place.at(after), w.add(depth, w.i32(1)), w.i32(number), this.#place.at(0), w.i32(modeKey), this.#lookUps.tag()));
      fn.if(w.ne(finished, w.i32(HANDLER_STATUS.returned)), () => { fn.return(finished); }, undefined, false);
      this.#lookUps.load();
    }, undefined, false);
    this.#code.store32('callDepth', depth);
  }
}
