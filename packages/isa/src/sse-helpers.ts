/** Module functions behind the vector builders: exact arithmetic under any MXCSR, lane by lane, and approximations. */
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder, FunctionRef, ModuleBuilder, ValueType } from '@vmm/wasm';
import { defineSoftFloat, FLAG, MODE, ORDER } from '@vmm/softfloat';
import { STATE } from '@vmm/state';
import { predicateOutcomes } from './sse-compare.ts';
import { ARITHMETIC, DOUBLE, exactLanes, isExact, isSuspect, isSuspectPacked, SINGLE } from './sse-float.ts';
import { defineCryptoHelpers } from './sse-crypto.ts';
import { MXCSR_CONTROL, MXCSR_DEFAULT, PRECISION_CLEAR, raisedFlagsOffset } from './sse-mxcsr.ts';
import { defineStringCompare } from './sse-strings.ts';
import * as v from './sse-wasm.ts';

type Functions = Record<string, FunctionRef>;

/** Predicates that signal on quiet NaNs, as bits by number. SDM vol 2, CMPPD table 3-1 */
const SIGNALLING_PREDICATES = 0x9999_6666 | 0;
const UNDERFLOW_MASK = 0x800, ALL_MASKED = 0x1f80;

function need(functions: Functions, name: string): FunctionRef {
  const ref = functions[name];
  if (ref === undefined) throw new Error(`no helper "${name}"`);
  return ref;
}

/** Soft-float operations, then `ps_…`, `pd_…` (v128 operands, mode from MXCSR), `sse_mode`, `sse_finish`, `ps_rcp`, `ps_rsqrt`. */
export function defineVectorHelpers(module: ModuleBuilder, stateBase: number): Functions {
  const functions: Functions = { ...defineSoftFloat(module, { flagsAddress: stateBase + raisedFlagsOffset }) };
  functions['sse_mode'] = defineMode(module, stateBase);
  const finish = functions['sse_finish'] = defineFinish(module, stateBase);
  functions['sse_collect'] = module.define([], [], (fn) => {
    const masks = w.and(w.load('i32', 32, w.i32(0), stateBase + STATE.mxcsr), w.i32(ALL_MASKED));
    fn.if(w.eq(masks, w.i32(ALL_MASKED)), () => { fn.drop(finish.call()); });
  });
  for (const width of ['f32', 'f64'] as const) {
    for (const less of [true, false]) functions[`${width}_${less ? 'min' : 'max'}`] = defineExtreme(module, functions, width, less);
    const packed = width === 'f32' ? 'ps' : 'pd';
    for (const name of ['add', 'sub', 'mul', 'div'] as const) functions[`${width}_${name}`] = defineExactFirst(module, width, name, need(functions, `${width}_${name}`), stateBase);
    for (const name of ['add', 'sub', 'mul', 'div', 'min', 'max']) {
      functions[`${packed}_${name}`] = definePacked(module, functions, width, (_lane, a, b, mode) => need(functions, `${width}_${name}`).call(a, b, mode), plainly(name, packed, stateBase));
    }
    functions[`${packed}_sqrt`] = definePacked(module, functions, width, (_lane, _a, b, mode) => need(functions, `${width}_sqrt`).call(b, mode));
    functions[`${packed}_addsub`] = definePacked(module, functions, width, (lane, a, b, mode) => need(functions, `${width}_${lane % 2 === 0 ? 'sub' : 'add'}`).call(a, b, mode));
    functions[`${packed}_cmp`] = defineCompareMask(module, functions, width);
  }
  defineConversions(module, functions);
  for (const width of ['f32', 'f64'] as const) functions[`${width === 'f32' ? 'ps' : 'pd'}_round`] = defineRound(module, functions, width, stateBase);
  for (const width of ['f32', 'f64'] as const) functions[`${width === 'f32' ? 'ps' : 'pd'}_fma`] = defineFused(module, functions, width);
  defineHalfConversions(module, functions, stateBase);
  Object.assign(functions, defineCryptoHelpers(module), { string_compare: defineStringCompare(module, stateBase) });
  functions['ps_rcp'] = defineApproximation(module, (x) => w.div(w.f32(1), x));
  functions['ps_rsqrt'] = defineApproximation(module, (x) => w.div(w.f32(1), w.sqrt(x)));
  return functions;
}

/** MXCSR as a soft-float mode. */
function defineMode(module: ModuleBuilder, stateBase: number): FunctionRef {
  return module.define([], ['i32'], (fn) => {
    const mxcsr = fn.let(w.load('i32', 32, w.i32(0), stateBase + STATE.mxcsr));
    const rounding = w.and(w.shrU(mxcsr, w.i32(13)), w.i32(MODE.roundingMask)), daz = w.and(w.shrU(mxcsr, w.i32(4)), w.i32(MODE.denormalsAreZero));
    // flush to zero works only while underflow is masked
    const flush = w.and(w.and(w.shrU(mxcsr, w.i32(12)), w.shrU(mxcsr, w.i32(8))), w.i32(MODE.flushToZero));
    const unmasked = w.and(w.shrU(w.xor(mxcsr, w.i32(-1)), w.i32(6)), w.i32(MODE.underflowUnmasked | MODE.overflowUnmasked));
    fn.return(w.or(w.or(rounding, daz), w.or(flush, unmasked)));
  });
}

/** Moves the raised flags to MXCSR; the result is non-zero if one of them is unmasked. */
function defineFinish(module: ModuleBuilder, stateBase: number): FunctionRef {
  return module.define([], ['i32'], (fn) => {
    const at = stateBase + raisedFlagsOffset, flags = fn.local('i32'), f = fn.get(flags);
    fn.set(flags, w.load('i32', 32, w.i32(0), at));
    fn.if(w.eqz(f), () => { fn.return(w.i32(0)); });
    fn.store(32, w.i32(0), at, w.i32(0));
    const mxcsr = fn.let(w.load('i32', 32, w.i32(0), stateBase + STATE.mxcsr)), unmasked = w.xor(w.shrU(mxcsr, w.i32(7)), w.i32(-1));
    fn.if(w.and(w.ne(w.and(f, w.i32(FLAG.tiny)), w.i32(0)), w.eqz(w.and(mxcsr, w.i32(UNDERFLOW_MASK)))), () => { fn.set(flags, w.or(f, w.i32(FLAG.underflow))); });
    // unmasked exceptions found before computing leave no others behind
    const before = w.i32(FLAG.invalid | FLAG.denormal | FLAG.zeroDivide);
    fn.if(w.and(w.and(f, before), unmasked), () => { fn.set(flags, w.and(f, before)); });
    fn.set(flags, w.and(f, w.i32(0x3f)));
    fn.store(32, w.i32(0), stateBase + STATE.mxcsr, w.or(mxcsr, f));
    fn.return(w.and(f, unmasked));
  });
}

/**
 * Natively, if that can be seen to be exact and ordinary: no flag to raise. This is what programs take whose arithmetic has never been inexact, since
 * native code is used without a look only once the precision flag is set. Error-free transformations: Dekker 1971, Knuth 4.2.2.
 */
function defineExactFirst(module: ModuleBuilder, width: 'f32' | 'f64', name: 'add' | 'sub' | 'mul' | 'div', soft: FunctionRef, stateBase: number): FunctionRef {
  const type: ValueType = width === 'f32' ? 'i32' : 'i64', single = width === 'f32', constant = single ? w.f32 : w.f64;
  const [fromBits, bits] = single ? [v.f32FromBits, v.bitsOfF32] : [v.f64FromBits, v.bitsOfF64];
  return module.define([type, type, 'i32'], [type], (fn) => {
    fn.if(w.eqz(fn.param(2)), () => {
      fn.scope(() => { plainScalar(fn, name, width, stateBase); });
      const a = fn.let(fromBits(fn.param(0))), b = fn.let(name === 'sub' ? w.fneg(fromBits(fn.param(1))) : fromBits(fn.param(1)));
      const r = fn.let(name === 'mul' ? w.mul(a, b) : name === 'div' ? w.div(a, b) : w.add(a, b));
      // operands and result well inside the range: products of their parts neither over- nor underflow
      const inside = (x: Expr): Expr => w.and(w.fge(w.fabs(x), constant(single ? 2 ** -60 : 2 ** -450)), w.fle(w.fabs(x), constant(single ? 2 ** 60 : 2 ** 450)));
      fn.if(w.and(w.and(inside(a), inside(b)), inside(r)), () => {
        const zero = constant(0), exact = name === 'mul' ? isProduct(fn, single, a, b, r) : name === 'div' ? isProduct(fn, single, r, b, a) : w.eq(sumError(fn, a, b, r), zero);
        fn.if(exact, () => { fn.return(bits(r)); });
      });
    });
    fn.return(soft.call(fn.param(0), fn.param(1), fn.param(2)));
  });
}
function sumError(fn: FunctionBuilder, a: Expr, b: Expr, r: Expr): Expr {
  const part = fn.let(w.sub(r, a));
  return w.add(w.sub(a, w.sub(r, part)), w.sub(b, part));
}
/** Whether x * y is exactly p. */
function isProduct(fn: FunctionBuilder, single: boolean, x: Expr, y: Expr, p: Expr): Expr {
  if (single) return w.eq(w.mul(v.promote(x), v.promote(y)), v.promote(p));
  const split = (z: Expr): [Expr, Expr] => {
    const scaled = fn.let(w.mul(z, w.f64(134217729))), high = fn.let(w.sub(scaled, w.sub(scaled, z)));
    return [high, fn.let(w.sub(z, high))];
  };
  const [xh, xl] = split(x), [yh, yl] = split(y), rounded = fn.let(w.mul(x, y));
  const error = w.add(w.add(w.add(w.sub(w.mul(xh, yh), rounded), w.mul(xh, yl)), w.mul(xl, yh)), w.mul(xl, yl));
  return w.and(w.eq(rounded, p), w.eq(error, w.f64(0)));
}

/** MIN and MAX: the second operand unless the first is strictly less (greater). */
function defineExtreme(module: ModuleBuilder, functions: Functions, width: 'f32' | 'f64', less: boolean): FunctionRef {
  const type: ValueType = width === 'f32' ? 'i32' : 'i64';
  return module.define([type, type, 'i32'], [type], (fn) => {
    const order = need(functions, `${width}_compare`).call(fn.param(0), fn.param(1), w.i32(0), fn.param(2));
    const chosen = fn.let(w.select(w.eq(order, w.i32(less ? ORDER.less : ORDER.greater)), fn.param(0), fn.param(1)));
    const one = (value: number): Expr => (type === 'i64' ? w.i64(value) : w.i32(value));
    const exponent = type === 'i64' ? w.i64(0, 0x7ff0_0000) : w.i32(0x7f80_0000), sign = type === 'i64' ? w.i64(0, 0x8000_0000) : w.i32(0x8000_0000);
    const denormal = w.and(w.eq(w.and(chosen, exponent), one(0)), w.ne(w.and(fn.param(2), w.i32(MODE.denormalsAreZero)), w.i32(0)));
    fn.return(w.select(denormal, w.and(chosen, sign), chosen));
  });
}

/** Natively after all: translated code also calls for zeros that are none of an underflow's. */
function plainly(name: string, format: 'ps' | 'pd', stateBase: number): (fn: FunctionBuilder) => void {
  return (fn) => {
    const operation = ARITHMETIC[name]?.[format], a = fn.param(0), b = fn.param(1);
    if (operation === undefined) return;
    const r = fn.let(operation(a, b)), exact = exactLanes(name, format, r, a, b), eq = format === 'ps' ? v.eqF32 : v.eqF64;
    if (exact === undefined) return;
    returnIfPlain(fn, stateBase, r, isSuspectPacked(name, format, r, a, b), v.allTrue32(v.or(exact, eq(r, v.zero()))));
  };
}
/** The same of one lane, operands and result as bits. */
function plainScalar(fn: FunctionBuilder, name: string, type: 'f32' | 'f64', stateBase: number): void {
  const p = type === 'f32' ? SINGLE : DOUBLE, a = fn.let(p.fromBits(fn.param(0))), b = fn.let(p.fromBits(fn.param(1))), operation = ARITHMETIC[name]?.scalar;
  if (operation === undefined) return;
  const r = fn.let(operation(a, b)), exact = isExact(name, type, r, a, b), isZero = w.eq(r, type === 'f32' ? w.f32(0) : w.f64(0));
  returnIfPlain(fn, stateBase, p.bits(r), isSuspect(name, type, r, a, b), exact === undefined ? isZero : w.or(exact, isZero));
}
/** An ordinary zero is exact. */
function returnIfPlain(fn: FunctionBuilder, stateBase: number, r: Expr, suspect: Expr, exact: Expr): void {
  const mxcsr = fn.let(w.load('i32', 32, w.i32(0), stateBase + STATE.mxcsr)), isUsual = w.eq(w.and(mxcsr, w.i32(MXCSR_CONTROL)), w.i32(MXCSR_DEFAULT));
  fn.if(w.and(isUsual, w.eqz(suspect)), () => {
    fn.if(w.or(w.and(mxcsr, w.i32(PRECISION_CLEAR)), exact), () => { fn.return(r); });
  });
}

type LaneOperation = (lane: number, a: Expr, b: Expr, mode: Expr) => Expr;

/** (a, b) → v128, by a soft operation on each lane. */
function definePacked(module: ModuleBuilder, functions: Functions, width: 'f32' | 'f64', operation: LaneOperation, before: (fn: FunctionBuilder) => void = () => undefined): FunctionRef {
  return module.define(['v128', 'v128'], ['v128'], (fn) => {
    before(fn);
    const mode = fn.let(need(functions, 'sse_mode').call());
    fn.return(eachLane(fn, width, (lane) => operation(lane, laneOf(width, fn.param(0), lane), laneOf(width, fn.param(1), lane), mode)));
  });
}
const laneOf = (width: 'f32' | 'f64', a: Expr, lane: number): Expr => (width === 'f32' ? v.lane32(a, lane) : v.lane64(a, lane));
function eachLane(fn: FunctionBuilder, width: 'f32' | 'f64', value: (lane: number) => Expr): Expr {
  const result = fn.local('v128');
  fn.set(result, v.zero());
  for (let lane = 0; lane < (width === 'f32' ? 4 : 2); lane++) fn.set(result, (width === 'f32' ? v.withLane32 : v.withLane64)(fn.get(result), lane, value(lane)));
  return fn.get(result);
}

/** (a, b, predicate 0..31) → masks, with the comparison's exceptions. */
function defineCompareMask(module: ModuleBuilder, functions: Functions, width: 'f32' | 'f64'): FunctionRef {
  return module.define(['v128', 'v128', 'i32'], ['v128'], (fn) => {
    const imm = fn.param(2), mode = fn.let(need(functions, 'sse_mode').call()), outcome = fn.let(predicateOutcomes(imm));
    const quiet = fn.let(w.xor(w.and(w.shrU(w.i32(SIGNALLING_PREDICATES), imm), w.i32(1)), w.i32(1)));
    fn.return(eachLane(fn, width, (lane) => {
      const order = need(functions, `${width}_compare`).call(laneOf(width, fn.param(0), lane), laneOf(width, fn.param(1), lane), quiet, mode);
      const mask = w.sub(w.i32(0), w.and(w.shrU(outcome, order), w.i32(1)));
      return width === 'f32' ? mask : w.extendS(mask);
    }));
  });
}

function defineConversions(module: ModuleBuilder, functions: Functions): void {
  const define = (name: string, parameters: readonly ValueType[], write: (fn: FunctionBuilder, mode: Expr) => Expr): void => {
    functions[name] = module.define(parameters, ['v128'], (fn) => { fn.return(write(fn, fn.let(need(functions, 'sse_mode').call()))); });
  };
  define('ps_to_pd', ['v128'], (fn, mode) => eachLane(fn, 'f64', (lane) => need(functions, 'f32_to_f64').call(v.lane32(fn.param(0), lane), mode)));
  define('pd_to_ps', ['v128'], (fn, mode) => {
    const two = eachLane(fn, 'f64', (lane) => w.extendU(need(functions, 'f64_to_f32').call(v.lane64(fn.param(0), lane), mode)));
    return v.shuffleLanes(4, two, v.zero(), [0, 2, 4, 4]);
  });
  define('dq_to_ps', ['v128'], (fn, mode) => eachLane(fn, 'f32', (lane) => need(functions, 'i64_to_f32').call(w.extendS(v.lane32(fn.param(0), lane)), mode)));
  functions['ps_to_dq'] = module.define(['v128', 'i32'], ['v128'], (fn) => {
    fn.return(eachLane(fn, 'f32', (lane) => need(functions, 'f32_to_i32').call(v.lane32(fn.param(0), lane), fn.param(1))));
  });
  functions['pd_to_dq'] = module.define(['v128', 'i32'], ['v128'], (fn) => {
    const two = eachLane(fn, 'f64', (lane) => w.extendU(need(functions, 'f64_to_i32').call(v.lane64(fn.param(0), lane), fn.param(1))));
    fn.return(v.shuffleLanes(4, two, v.zero(), [0, 2, 4, 4]));
  });
}

/** ps_fma, pd_fma: (a, b, c, negate the product, subtract c in even (1), odd (2) lanes). */
function defineFused(module: ModuleBuilder, functions: Functions, width: 'f32' | 'f64'): FunctionRef {
  return module.define(['v128', 'v128', 'v128', 'i32', 'i32'], ['v128'], (fn) => {
    const mode = fn.let(need(functions, 'sse_mode').call()), subtracts = fn.param(4);
    fn.return(eachLane(fn, width, (lane) => {
      const [a, b, c] = [0, 1, 2].map((i) => laneOf(width, fn.param(i), lane)) as [Expr, Expr, Expr];
      return need(functions, `${width}_fma`).call(a, b, c, fn.param(3), w.and(w.shrU(subtracts, w.i32(lane & 1)), w.i32(1)), mode);
    }));
  });
}

/** ph_to_ps: four halves; exact, without the denormal exception. ps_to_ph (a, imm): to four halves in the low quadword; FTZ does not count. */
function defineHalfConversions(module: ModuleBuilder, functions: Functions, stateBase: number): void {
  const at = stateBase + raisedFlagsOffset;
  functions['ph_to_ps'] = module.define(['v128'], ['v128'], (fn) => {
    const result = eachLane(fn, 'f32', (lane) => need(functions, 'f16_to_f32').call(v.laneU16(fn.param(0), lane), w.i32(0)));
    fn.store(32, w.i32(0), at, w.and(w.load('i32', 32, w.i32(0), at), w.i32(~FLAG.denormal)));
    fn.return(result);
  });
  functions['ps_to_ph'] = module.define(['v128', 'i32'], ['v128'], (fn) => {
    const imm = fn.param(1), current = fn.let(need(functions, 'sse_mode').call());
    const rounding = w.select(w.and(imm, w.i32(4)), w.and(current, w.i32(MODE.roundingMask)), w.and(imm, w.i32(MODE.roundingMask)));
    const kept = MODE.denormalsAreZero | MODE.overflowUnmasked | MODE.underflowUnmasked, mode = fn.let(w.or(w.and(current, w.i32(kept)), rounding));
    const four = eachLane(fn, 'f32', (lane) => need(functions, 'f32_to_f16').call(v.lane32(fn.param(0), lane), mode));
    fn.return(v.shuffleLanes(2, four, v.zero(), [0, 2, 4, 6, 8, 8, 8, 8]));
  });
}

/** (a, imm of ROUNDPS) → v128. Denormals are not noted; bit 3 keeps precision quiet. */
function defineRound(module: ModuleBuilder, functions: Functions, width: 'f32' | 'f64', stateBase: number): FunctionRef {
  return module.define(['v128', 'i32'], ['v128'], (fn) => {
    const imm = fn.param(1), current = fn.let(need(functions, 'sse_mode').call()), at = stateBase + raisedFlagsOffset;
    const rounding = w.select(w.and(imm, w.i32(4)), w.and(current, w.i32(MODE.roundingMask)), w.and(imm, w.i32(MODE.roundingMask)));
    const mode = fn.let(w.or(w.and(current, w.i32(MODE.denormalsAreZero)), rounding));
    const result = eachLane(fn, width, (lane) => need(functions, `${width}_round`).call(laneOf(width, fn.param(0), lane), mode));
    const quiet = w.or(w.i32(FLAG.denormal), w.select(w.and(imm, w.i32(8)), w.i32(FLAG.inexact), w.i32(0)));
    fn.store(32, w.i32(0), at, w.and(w.load('i32', 32, w.i32(0), at), w.xor(quiet, w.i32(-1))));
    fn.return(result);
  });
}

/** RCPPS, RSQRTPS: denormal operands and results count as zero, NaNs are quieted, MXCSR is neither read nor written. */
function defineApproximation(module: ModuleBuilder, compute: (x: Expr) => Expr): FunctionRef {
  const one = module.define(['i32'], ['i32'], (fn) => {
    const bits = fn.param(0), magnitude = fn.let(w.and(bits, w.i32(0x7fff_ffff)));
    fn.if(w.gtU(magnitude, w.i32(0x7f80_0000)), () => { fn.return(w.or(bits, w.i32(0x0040_0000))); });
    const x = fn.let(v.f32FromBits(w.select(w.ltU(magnitude, w.i32(0x0080_0000)), w.and(bits, w.i32(0x8000_0000)), bits)));
    const result = fn.let(v.bitsOfF32(compute(x))), size = fn.let(w.and(result, w.i32(0x7fff_ffff)));
    fn.if(w.gtU(size, w.i32(0x7f80_0000)), () => { fn.return(w.i32(0xffc0_0000)); });
    fn.return(w.select(w.ltU(size, w.i32(0x0080_0000)), w.and(result, w.i32(0x8000_0000)), result));
  });
  return module.define(['v128'], ['v128'], (fn) => { fn.return(eachLane(fn, 'f32', (lane) => one.call(v.lane32(fn.param(0), lane)))); });
}
