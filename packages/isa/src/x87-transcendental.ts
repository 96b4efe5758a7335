/**
 * Transcendental instructions: functions that do the common cases, return 1 then, and otherwise 0 with nothing changed; the callouts of `@vmm/fpu` do the rest. Common are
 * normal operands within the approximations' ranges, normal results, rounding to nearest with the precision exception masked, and an approximation that is
 * not too close to where rounding or C1 would change to tell what the callout would give.
 */
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';
import { angle, logarithm2, logarithm2Plus1, powerLessOne, quotient, sineCosine, times } from '@vmm/fpu';
import type { Approximation } from '@vmm/fpu';
import { VCPU_LAYOUT } from '@vmm/state';
import { Frame } from './x87-fast-frame.ts';
import type { Normal } from './x87-fast-frame.ts';
import { STATUS } from './x87-helpers.ts';
import type { X87Functions } from './x87-helpers.ts';

const BIAS = 16383, PRECISION = 0x20;
/**
 * Half of the interval around an approximation in which rounding is not decided, in units of 2^-64 of the last place. It must cover the approximation's error and that of
 * `@vmm/fpu`'s double-double functions, so that both round alike: together below 2^-74.8 of the value (measured, worst of 6000 arguments each; F2XM1 is the largest), where this is at
 * least 2^-73. One result in 128 is left to the callouts.
 */
const DOUBT = 2 ** 55;

interface Rounded { readonly word: Expr; readonly significand: Expr; readonly up: Expr }

const ONE: Rounded = { word: w.i32(BIAS), significand: w.i64(0, 0x8000_0000), up: w.i32(0) };

/** Rounds to nearest and 64 bits whatever precision control says, or leaves. */
function round(frame: Frame, value: Approximation): Rounded {
  const { fn } = frame, up = fn.let(w.shrU(value.lo, w.i64(63))), significand = fn.local('i64');
  frame.leaveIf(w.ltU(w.and(w.add(value.lo, w.i64(DOUBT)), w.i64(-1, 0x7fff_ffff)), w.i64(2 * DOUBT)));
  fn.set(significand, w.add(value.hi, up));
  const carries = fn.let(w.eqz(fn.get(significand))), exponent = fn.let(w.add(w.add(value.exponent, w.i32(BIAS)), carries));
  fn.set(significand, w.or(fn.get(significand), w.shl(w.extendU(carries), w.i64(63))));
  frame.leaveIf(w.geU(w.sub(exponent, w.i32(1)), w.i32(0x7ffe)));
  return { word: fn.let(w.or(w.shl(value.sign, w.i32(15)), exponent)), significand: fn.get(significand), up: fn.let(w.wrap(up)) };
}
function store(frame: Frame, address: Expr, value: Rounded): void {
  frame.fn.store(64, address, 0, value.significand);
  frame.fn.store(16, address, 8, value.word);
}
function setStatus(frame: Frame, up: Expr, cleared: number = STATUS.C1): void {
  const { x, fn } = frame;
  x.store(fn, 'fpuStatus', w.or(w.and(x.load('fpuStatus'), w.i32(~cleared)), w.or(w.shl(up, w.i32(9)), w.i32(PRECISION))));
}
const unbiased = (frame: Frame, x: Normal): Normal => ({ ...x, exponent: frame.fn.let(w.sub(x.exponent, w.i32(BIAS))) });

function define(x: X87Functions, name: string, write: (frame: Frame) => void): void {
  x.define(`x87_${name}`, [], ['i32'], (fn) => {
    fn.block((hard) => {
      const frame = new Frame(x, fn, hard);
      frame.requireOrdinaryControl();
      write(frame);
      fn.return(w.i32(1));
    });
    fn.return(w.i32(0));
  });
}

export function defineX87Transcendental(x: X87Functions): void {
  const tables = x.base - VCPU_LAYOUT.state + VCPU_LAYOUT.fpuTables, trigonometric = STATUS.C1 | STATUS.C2;
  for (const name of ['fsin', 'fcos'] as const) {
    define(x, name, (frame) => {
      const a = frame.register(0), { sine, cosine } = sineCosine(frame.fn, tables, unbiased(frame, a), (condition) => { frame.leaveIf(condition); });
      const value = round(frame, name === 'fsin' ? sine : cosine);
      store(frame, a.address, value);
      setStatus(frame, value.up, trigonometric);
    });
  }
  for (const name of ['fsincos', 'fptan'] as const) {
    define(x, name, (frame) => {
      const { fn } = frame, a = frame.register(0), top = frame.physical(7);
      frame.leaveIf(w.eqz(frame.isEmpty(top)));
      const { sine, cosine } = sineCosine(fn, tables, unbiased(frame, a), (condition) => { frame.leaveIf(condition); });
      const below = round(frame, name === 'fptan' ? quotient(fn, sine, cosine) : sine), above = name === 'fptan' ? ONE : round(frame, cosine);
      store(frame, a.address, below);
      store(frame, frame.address(top), above);
      x.store(fn, 'fpuTop', top);
      x.store(fn, 'fpuTags', w.xor(frame.tags, w.shl(w.i32(1), top)));
      setStatus(frame, fn.let(w.or(below.up, above.up)), trigonometric);
    });
  }
  define(x, 'f2xm1', (frame) => {
    const a = frame.register(0), value = round(frame, powerLessOne(frame.fn, tables, unbiased(frame, a), (condition) => { frame.leaveIf(condition); }));
    store(frame, a.address, value);
    setStatus(frame, value.up);
  });
  const ofTwo = { fyl2x: logarithm, fyl2xp1: logarithmPlus1, fpatan: arctangent } as const;
  for (const [name, compute] of Object.entries(ofTwo)) {
    define(x, name, (frame) => {
      const a = frame.register(0), b = frame.register(1), value = round(frame, compute(frame, tables, unbiased(frame, b), unbiased(frame, a)));
      store(frame, b.address, value);
      frame.pop();
      setStatus(frame, value.up);
    });
  }
}

function logarithm(frame: Frame, tables: number, y: Normal, x: Normal): Approximation {
  frame.leaveIf(x.sign);
  return times(frame.fn, logarithm2(frame.fn, tables, x, (condition) => { frame.leaveIf(condition); }), y);
}
function logarithmPlus1(frame: Frame, _tables: number, y: Normal, x: Normal): Approximation {
  return times(frame.fn, logarithm2Plus1(frame.fn, x, (condition) => { frame.leaveIf(condition); }), y);
}
function arctangent(frame: Frame, tables: number, y: Normal, x: Normal): Approximation {
  return angle(frame.fn, tables, y, x, (condition) => { frame.leaveIf(condition); });
}
