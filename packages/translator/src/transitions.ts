import { HANDLER_STATUS } from '@vmm/cpu';
import * as w from '@vmm/wasm';
import type { Expr, FunctionRef } from '@vmm/wasm';
import { deltaOf, givenBackBy, isSite, statusOf } from './exit-site.ts';
import { lookUpJump } from './jump-look-up.ts';
import { FUNCTION } from './module-functions.ts';
import type { ModuleFunctions } from './module-functions.ts';
import type { RegionCode } from './region-code.ts';

/** Calls of regions by regions that may be open: the host's stack is finite. */
const MAX_CALL_DEPTH = 64;
/** In place of a status: the caller is to make room for the region in this slot. */
const TAIL_CALL = 0x1_0000;
export const isTailCall = (status: Expr): Expr => w.and(status, w.i32(TAIL_CALL));
export const tailCallSlot = (status: Expr): Expr => w.and(status, w.i32(TAIL_CALL - 1));

const isOver = (code: RegionCode, budget: Expr): Expr => w.or(w.leS(budget, w.i32(0)), code.load32('pending'));

/**
 * (status or site, link, rip, budget) -> status. How a region ends that has stored everything else: with a status, or in the next region, by the word that leads there or
 * a look-up. A return address that a caller waits for is returned to. With a site rip is the region's entry.
 */
export function goOn(region: RegionCode, functions: ModuleFunctions): FunctionRef {
  const { is64, word } = region;
  return functions.get(FUNCTION.goOn, ['i32', 'i32', word, 'i32'], (fn) => {
    const code = region.within(fn), status = fn.param(0), link = fn.param(1), rip = fn.param(2), budget = fn.param(3);
    fn.if(isSite(status), () => {
      const delta = deltaOf(status);
      fn.set(2, w.add(rip, is64 ? w.extendS(delta) : delta));
      fn.set(3, w.add(budget, givenBackBy(status)));
      fn.set(0, statusOf(status));
    }, undefined, false);
    code.store64('rip', code.wide(rip));
    code.store32('budget', budget);
    fn.if(status, () => { fn.return(status); }, undefined, false);
    fn.if(isOver(code, budget), () => { fn.return(w.i32(HANDLER_STATUS.dispatch)); }, undefined, false);
    const slot = fn.choose('i32', link, () => w.load('i32', 32, link), () => {
      fn.if(w.eq(code.wide(rip), code.load64('returnTo')), () => {
        // its caller looks at itself first if it must
        fn.return(w.select(w.ltS(code.load32('callsInDoubt'), code.load32('callDepth')), w.i32(HANDLER_STATUS.returned), w.i32(HANDLER_STATUS.dispatch)));
      });
      return lookUpJump(code, rip);
    });
    fn.unless(slot, () => { fn.return(w.i32(HANDLER_STATUS.dispatch)); });
    fn.returnCallIndirect(code.regionType, [w.i32(0)], slot);
  });
}

/**
 * (link, target, return address, entry of the caller, budget, number of the caller) -> 0, or a status for the caller to leave with. Calls the region at
 * the target. If there is none, or control leaves translated code before it comes back, the interpreter's loop takes it to the return address; only when the slice ends
 * first this region and whoever called it are left too.
 */
export function callRegion(region: RegionCode, functions: ModuleFunctions, isLinked: boolean): FunctionRef {
  const { word } = region;
  return functions.get(isLinked ? FUNCTION.callLinked : FUNCTION.call, ['i32', word, word, word, 'i32', 'i32'], (fn) => {
    const code = region.within(fn), tag = fn.let(code.load64('tlbTag')), target = fn.param(1), after = code.wide(fn.param(2)), entry = code.wide(fn.param(3)), budget = fn.param(4);
    code.store64('rip', code.wide(target));
    code.store32('budget', budget);
    const slot = isLinked ? fn.let(w.load('i32', 32, fn.param(0))) : lookUpJump(code, target);
    // known to samples also when the slice ends here
    const outer = fn.let(code.load64('returnTo'));
    code.store64('returnTo', after);
    fn.if(isOver(code, budget), () => { fn.return(w.i32(HANDLER_STATUS.dispatch)); }, undefined, false);
    const depth = fn.let(code.load32('callDepth')), inner = w.add(depth, w.i32(1));
    fn.if(w.geS(depth, w.i32(MAX_CALL_DEPTH)), () => {
      code.store64('returnTo', outer);
      fn.return(w.or(slot, w.i32(TAIL_CALL)));
    }, undefined, false);
    code.store32('callDepth', inner);
    const status = fn.let(w.callIndirectExpr(code.regionType, 'i32', [w.i32(0)], slot));
    fn.if(w.ne(status, w.i32(HANDLER_STATUS.returned)), () => {
      const finished = fn.let(code.core.finishCall.call(status, after, inner, fn.param(5), entry, w.i32(code.modeKey), tag));
      fn.if(w.ne(finished, w.i32(HANDLER_STATUS.returned)), () => { fn.return(finished); }, undefined, false);
    }, undefined, false);
    code.store32('callDepth', depth);
    code.store64('returnTo', outer);
    fn.return(w.i32(0));
  });
}
