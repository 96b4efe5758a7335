/** MXCSR: when native arithmetic will do, and what soft-float helpers leave behind. SDM vol 1 §10.2.3, §11.5 */
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';
import { STATE } from '@vmm/state';
import type { Machine } from './machine.ts';
import { simdFault } from './sse-access.ts';

/** Control bits (DAZ, masks, rounding, FTZ) and their power-on value: all masked, to nearest. */
export const MXCSR_CONTROL = 0xffc0, MXCSR_DEFAULT = 0x1f80;

/** Where helpers collect the exception flags of one instruction: in the last vector of the scratch area, behind all operands. */
export const raisedFlagsOffset = STATE.scratch + 7 * 32;
/** And where a partial remainder leaves its quotient bits. */
export const quotientOffset = raisedFlagsOffset + 4;

/** The sticky precision flag: once it is set, an operation with an ordinary result has nothing to report. */
const MXCSR_PE = 0x20;

/**
 * MXCSR asks for something other than native arithmetic: control bits, or, for operations that may round, a precision flag that is still
 * clear and could become set.
 */
export function isUnusual(m: Machine, mayRound = true): Expr {
  return w.ne(mayRound ? unusualBits(m) : w.and(unusualBits(m), w.i32(~MXCSR_PE)), w.i32(0));
}
/** What MXCSR has that `isUnusual` means; PRECISION_CLEAR: nothing but a precision flag that is still clear. */
export function unusualBits(m: Machine): Expr {
  return m.kept('mxcsr', () => w.xor(w.and(w.load('i32', 32, w.i32(0), m.stateAddress('mxcsr')), w.i32(MXCSR_CONTROL | MXCSR_PE)), w.i32(MXCSR_DEFAULT | MXCSR_PE)));
}
export const PRECISION_CLEAR = MXCSR_PE;

export function setMxcsr(m: Machine, value: Expr): void {
  m.setState32('mxcsr', value);
  m.changed('mxcsr');
}

/** The soft-float `mode` argument for MXCSR as it stands. */
export function softMode(m: Machine): Expr { return m.helper('sse_mode'); }

/**
 * Moves raised flags into MXCSR; faults if one is unmasked. Destination registers have not been written at this point. After the first of two halves: only if all
 * exceptions are masked; else the second takes its helper too, and what both have raised is looked at together.
 */
export function afterSoftFloat(m: Machine): void {
  if (m.defersExceptions) { m.helperVoid('sse_collect'); return; }
  m.when(m.helper('sse_finish'), () => { simdFault(m); });
  m.changed('mxcsr');
}
