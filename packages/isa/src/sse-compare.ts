/** Floating-point comparisons: CMPcc to masks, (U)COMIS to flags. */
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';
import { ORDER } from '@vmm/softfloat';
import type { InstructionEntry } from './entry.ts';
import type { Machine } from './machine.ts';
import { checkSse, immediate8, readVector } from './sse-access.ts';
import { isDenormal, isDenormalLane, isScalar, precisionOf } from './sse-float.ts';
import type { Format } from './sse-float.ts';
import { afterSoftFloat, isUnusual, softMode } from './sse-mxcsr.ts';
import * as v from './sse-wasm.ts';

/** Predicates 0..15 as nibbles: bit 0 true if equal, 1 if less, 2 if greater, 3 if unordered; 16..31 differ only in signalling. SDM vol 2, CMPPD */
const PREDICATES = w.i64big(0xf456_0ba9_7cde_8321n);

/** All ones where a `imm`-compares to b. */
export function compareMask(m: Machine, format: Format, a: Expr, b: Expr, imm: Expr): Expr {
  const single = format.endsWith('s'), result = m.local('v128');
  const eq = single ? v.eqF32(a, b) : v.eqF64(a, b), lt = single ? v.ltF32(a, b) : v.ltF64(a, b), gt = single ? v.gtF32(a, b) : v.gtF64(a, b);
  const ne = single ? v.neF32 : v.neF64;
  const outcome = m.let(predicateOutcomes(imm));
  const chosen = (bit: number): Expr => v.splat32(w.sub(w.i32(0), w.and(w.shrU(outcome, w.i32(bit)), w.i32(1))));
  const ordered = v.or(v.or(v.and(eq, chosen(0)), v.and(lt, chosen(1))), v.and(gt, chosen(2)));
  const unordered = m.let(v.or(ne(a, a), ne(b, b)));
  m.fn.set(result, v.or(ordered, v.and(unordered, chosen(3))));
  const type = single ? 'f32' : 'f64', denormal = v.or(isDenormalLane(type, a), isDenormalLane(type, b));
  m.when(w.or(isUnusual(m, false), v.anyTrue(v.or(unordered, denormal))), () => {
    m.fn.set(result, m.helper(single ? 'ps_cmp' : 'pd_cmp', a, b, imm));
    afterSoftFloat(m);
  });
  return m.fn.get(result);
}
/** The predicate's nibble. */
export function predicateOutcomes(imm: Expr): Expr { return w.wrap(w.shrU(PREDICATES, w.extendU(w.shl(w.and(imm, w.i32(15)), w.i32(2))))); }

function compare(format: Format): InstructionEntry {
  return { run: (m) => {
    checkSse(m);
    if (!isScalar(format)) {
      const b = readVector(m, 1);
      m.write(0, compareMask(m, format, m.read(0), b, w.and(immediate8(m, 2), w.i32(7))));
      return;
    }
    const p = precisionOf(format), whole = m.read(0);
    const b = m.let(p.withLane(v.zero(), 0, p.read(m, 1))), a = m.let(p.withLane(v.zero(), 0, p.lane(whole, 0)));
    const mask = compareMask(m, format, a, b, w.and(immediate8(m, 2), w.i32(7)));
    m.write(0, format === 'ss' ? v.withLane32(whole, 0, v.lane32(mask, 0)) : v.withLane64(whole, 0, v.lane64(mask, 0)));
  } };
}

/** COMISS & friends. `quiet`: only signalling NaNs are invalid. */
export function compareToFlags(m: Machine, format: 'ss' | 'sd', quiet: boolean): void {
  const p = precisionOf(format), b = p.read(m, 1), a = p.read(m, 0);
  const zero = m.local('i32'), parity = m.local('i32'), carry = m.local('i32'), unordered = m.fn.get(parity);
  m.fn.set(parity, w.or(w.ne(a, a), w.ne(b, b)));
  m.fn.set(zero, w.or(w.eq(a, b), unordered));
  m.fn.set(carry, w.or(w.flt(a, b), unordered));
  const denormal = w.or(isDenormal(p.type, a), isDenormal(p.type, b));
  m.when(w.or(isUnusual(m, false), w.or(unordered, denormal)), () => {
    const order = m.let(m.helper(`${p.soft}_compare`, p.bits(a), p.bits(b), w.i32(quiet ? 1 : 0), softMode(m)));
    afterSoftFloat(m);
    m.fn.set(parity, w.eq(order, w.i32(ORDER.unordered)));
    m.fn.set(zero, w.or(w.eq(order, w.i32(ORDER.equal)), unordered));
    m.fn.set(carry, w.or(w.eq(order, w.i32(ORDER.less)), unordered));
  });
  m.setCompareFlags(m.fn.get(zero), unordered, m.fn.get(carry));
}
const toFlags = (format: 'ss' | 'sd', quiet: boolean): InstructionEntry => ({ run: (m) => { checkSse(m); compareToFlags(m, format, quiet); } });

export const FLOAT_COMPARE: Readonly<Record<string, InstructionEntry>> = {
  cmpps: compare('ps'), cmppd: compare('pd'), cmpss: compare('ss'), cmpsd: compare('sd'),
  comiss: toFlags('ss', false), comisd: toFlags('sd', false), ucomiss: toFlags('ss', true), ucomisd: toFlags('sd', true),
};
