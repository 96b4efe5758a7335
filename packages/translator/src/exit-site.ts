import { HANDLER_STATUS } from '@vmm/cpu';
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';

/**
 * How and where code leaves by the common exit of rare cases, in one constant: distance of rip from the entry, instructions to give back to the budget
 * (both biased), what the three flag words mean (no operation, but a size: the flags are still in memory; KEEP_KIND and an operation: a
 * step or a product), and why.
 */
export const SITE = { BIAS: 0x4000, LEFT_SHIFT: 15, LEFT_BIAS: 512, SIZE_SHIFT: 25, OPERATION_SHIFT: 27, KEEP_KIND: 1 << 29, FAULT: 1 << 30, INTERPRET: 1 << 31 } as const;

/** Whether a constant can name a place at this distance from the entry. */
export const hasSite = (delta: number): boolean => delta >= -SITE.BIAS && delta < SITE.BIAS;
/** `meaning`: of the flag words; `why`: FAULT, INTERPRET or 0. */
export const siteOf = (delta: number, givenBack: number, meaning: number, why: number): Expr => w.i32(delta + SITE.BIAS | givenBack + SITE.LEFT_BIAS << SITE.LEFT_SHIFT | meaning | why);

/** A site is never as small as a status. */
export const isSite = (siteOrStatus: Expr): Expr => w.gtU(siteOrStatus, w.i32(0xff));
export const deltaOf = (site: Expr): Expr => w.sub(w.and(site, w.i32(2 * SITE.BIAS - 1)), w.i32(SITE.BIAS));
export const givenBackBy = (site: Expr): Expr => w.sub(w.and(w.shrU(site, w.i32(SITE.LEFT_SHIFT)), w.i32(2 * SITE.LEFT_BIAS - 1)), w.i32(SITE.LEFT_BIAS));
/** What the region returns; 0: it goes on with the next one. */
export const statusOf = (site: Expr): Expr =>
  w.select(w.and(site, w.i32(SITE.FAULT)), w.i32(HANDLER_STATUS.faultAtRip), w.select(w.and(site, w.i32(SITE.INTERPRET)), w.i32(HANDLER_STATUS.interpret), w.i32(0)));
export const statusFor = (why: number): number => ((why & SITE.FAULT) !== 0 ? HANDLER_STATUS.faultAtRip : why !== 0 ? HANDLER_STATUS.interpret : 0);
