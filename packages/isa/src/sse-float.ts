/**
 * SSE and SSE2 floating-point arithmetic. Usual case: WebAssembly's own operation (round to nearest, exceptions masked, precision flag already set, or a result
 * that is seen to be exact), ordinary operands and an ordinary result. A NaN (x86 has its own rules for those), infinity or tiny result, a denormal operand,
 * and any other MXCSR, take the exact soft-float helper of the same name, so that sticky flags are exact.
 */
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';
import type { InstructionEntry } from './entry.ts';
import type { Machine } from './machine.ts';
import { checkSse, readF32, readF64, readVector } from './sse-access.ts';
import { afterSoftFloat, isUnusual, PRECISION_CLEAR, softMode, unusualBits } from './sse-mxcsr.ts';
import * as v from './sse-wasm.ts';

type Operation = (a: Expr, b: Expr) => Expr;
export type Format = 'ss' | 'sd' | 'ps' | 'pd';

/** What differs between single and double. */
export const SINGLE = {
  type: 'f32', soft: 'f32', read: readF32, bits: v.bitsOfF32, fromBits: v.f32FromBits, withLane: v.withLaneF32, lane: v.laneF32, vectorNe: v.neF32,
} as const;
export const DOUBLE = {
  type: 'f64', soft: 'f64', read: readF64, bits: v.bitsOfF64, fromBits: v.f64FromBits, withLane: v.withLaneF64, lane: v.laneF64, vectorNe: v.neF64,
} as const;
export const precisionOf = (format: Format): typeof SINGLE | typeof DOUBLE => (format.endsWith('s') ? SINGLE : DOUBLE);
export const isScalar = (format: Format): boolean => format.startsWith('s');

interface Arithmetic { readonly scalar: Operation; readonly ps: Operation; readonly pd: Operation }

/** x86 minimum and maximum return the second operand when either is NaN or both are zero; their NaNs need no repair. */
const MIN: Operation = (a, b) => w.select(w.flt(a, b), a, b), MAX: Operation = (a, b) => w.select(w.fgt(a, b), a, b);

export const ARITHMETIC: Readonly<Record<string, Arithmetic>> = {
  add: { scalar: w.add, ps: v.addF32, pd: v.addF64 },
  sub: { scalar: w.sub, ps: v.subF32, pd: v.subF64 },
  mul: { scalar: w.mul, ps: v.mulF32, pd: v.mulF64 },
  div: { scalar: w.div, ps: v.divF32, pd: v.divF64 },
  min: { scalar: MIN, ps: (a, b) => v.pminF32(b, a), pd: (a, b) => v.pminF64(b, a) },
  max: { scalar: MAX, ps: (a, b) => v.pmaxF32(b, a), pd: (a, b) => v.pmaxF64(b, a) },
  sqrt: { scalar: (_a, b) => w.sqrt(b), ps: (_a, b) => v.sqrtF32(b), pd: (_a, b) => v.sqrtF64(b) },
};

/** Smallest normal numbers. */
const SMALLEST = { f32: w.f32(2 ** -126), f64: w.f64(2 ** -1022) } as const, INFINITY = { f32: w.f32(Infinity), f64: w.f64(Infinity) } as const, ZERO = { f32: w.f32(0), f64: w.f64(0) } as const;
const isExtreme = (name: string): boolean => name === 'min' || name === 'max';

/** Without its sign (shifted out) and less 1, a denormal number is below this, and zero is not. */
const DENORMALS = { f32: 2 ** 24 - 1, f64: 2 ** 53 - 1 } as const;
/** Whether a scalar is denormal (i32): it sets the denormal flag, however ordinary the result. */
export function isDenormal(type: 'f32' | 'f64', x: Expr): Expr {
  if (type === 'f32') return w.ltU(w.sub(w.shl(v.bitsOfF32(x), w.i32(1)), w.i32(1)), w.i32(DENORMALS.f32));
  return w.ltU(w.sub(w.shl(v.bitsOfF64(x), w.i64(1)), w.i64(1)), w.i64(DENORMALS.f64));
}
/** The same for each lane: masks. There is no unsigned comparison of lanes, so both sides are moved by half the range. */
export function isDenormalLane(type: 'f32' | 'f64', x: Expr): Expr {
  if (type === 'f32') return v.gtS32(v.dwords(0x80ff_ffff), v.add32(v.shl32(x, w.i32(1)), v.dwords(0x7fff_ffff)));
  return v.gtS64(v.qwords([0xffff_ffff, 0x801f_ffff]), v.add64(v.shl64(x, w.i32(1)), v.qwords([0xffff_ffff, 0x7fff_ffff])));
}

/** Whether the native result may hide an exception: of a denormal operand, or because it is neither a normal number nor a zero that must be one (i32). */
export function isSuspect(name: string, type: 'f32' | 'f64', r: Expr, a: Expr, b: Expr): Expr {
  const denormal = a === b ? isDenormal(type, a) : w.or(isDenormal(type, a), isDenormal(type, b));
  return w.or(denormal, hasSuspectResult(name, type, r, a, b));
}
function hasSuspectResult(name: string, type: 'f32' | 'f64', r: Expr, a: Expr, b: Expr): Expr {
  if (isExtreme(name)) return w.or(w.ne(a, a), w.ne(b, b));
  const isZero = (x: Expr): Expr => w.eq(x, ZERO[type]), magnitude = w.fabs(r), normal = w.and(w.fge(magnitude, SMALLEST[type]), w.flt(magnitude, INFINITY[type]));
  const cause = name === 'mul' ? w.or(isZero(a), isZero(b)) : name === 'div' ? isZero(a) : undefined;
  return w.eqz(w.or(normal, cause === undefined ? isZero(r) : w.and(isZero(r), cause)));
}
/** The same for all lanes. */
export function isSuspectPacked(name: string, format: 'ps' | 'pd', r: Expr, a: Expr, b: Expr): Expr {
  const single = format === 'ps', ne = precisionOf(format).vectorNe, [eq, lt, le] = single ? [v.eqF32, v.ltF32, v.leF32] as const : [v.eqF64, v.ltF64, v.leF64] as const;
  const type = single ? 'f32' : 'f64', denormal = a === b ? isDenormalLane(type, a) : v.or(isDenormalLane(type, a), isDenormalLane(type, b));
  if (isExtreme(name)) return v.anyTrue(v.or(denormal, v.or(ne(a, a), ne(b, b))));
  const splat = (value: Expr): Expr => (single ? v.splatF32(value) : v.splatF64(value)), magnitude = single ? v.absF32(r) : v.absF64(r);
  const isZero = (x: Expr): Expr => eq(x, v.zero()), normal = v.and(le(splat(SMALLEST[type]), magnitude), lt(magnitude, splat(INFINITY[type])));
  const cause = name === 'mul' ? v.or(isZero(a), isZero(b)) : name === 'div' ? isZero(a) : undefined;
  return w.eqz((single ? v.allTrue32 : v.allTrue64)(v.andNot(v.or(normal, cause === undefined ? isZero(r) : v.and(isZero(r), cause)), denormal)));
}

/**
 * A quick form of the same (i32, not 0 if so), in integer lanes: it also takes the smallest normal number for suspect, and zeros where they may be the trace of an
 * underflow. Only the sign, top bit of the high word, is looked at in the end.
 */
export function mayBeSuspectPacked(name: string, format: 'ps' | 'pd', r: Expr, a: Expr, b: Expr, m: Pick<Machine, 'let' | 'constantVector'>): Expr {
  const single = format === 'ps', high = (word: number): Expr => (single ? m.constantVector(word) : m.constantVector(0, word));
  const magnitude = (x: Expr): Expr => v.and(x, single ? m.constantVector(0x7fff_ffff) : m.constantVector(0xffff_ffff, 0x7fff_ffff));
  const smallest = high(single ? 0x0080_0000 : 0x0010_0000), largest = high(single ? 0x7f7f_ffff : 0x7fef_ffff), size = m.let(magnitude(r));
  const mask = single ? v.bitmask32 : v.bitmask64, isLarge = v.sub32(largest, size);
  if (name === 'mul' || name === 'div' || name === 'sqrt') {
    const least = v.minU32(a === b ? magnitude(a) : v.minU32(magnitude(a), magnitude(b)), size);
    return mask(v.or(v.sub32(least, smallest), isLarge));
  }
  // zeros are none: less 1 they are the largest of all
  const less = (x: Expr): Expr => (single ? v.add32 : v.add64)(x, v.dwords(0xffff_ffff));
  const least = m.let(v.minU32(v.minU32(less(magnitude(a)), less(magnitude(b))), less(size)));
  return w.xor(mask(v.andNot(v.eq32(v.maxU32(least, smallest), least), isLarge)), w.i32(single ? 15 : 3));
}

function mayBeSuspectScalar(m: Machine, name: string, type: 'f32' | 'f64', r: Expr, a: Expr, b: Expr, lanes: { readonly a?: Expr; readonly b?: Expr }): Expr {
  const inLane = (x: Expr, there?: Expr): Expr => there ?? (type === 'f32' ? v.splatF32(x) : v.splatF64(x));
  const vb = inLane(b, lanes.b), va = a === b ? vb : inLane(a, lanes.a);
  return w.and(mayBeSuspectPacked(name, type === 'f32' ? 'ps' : 'pd', inLane(r), va, vb, m), w.i32(1));
}

/** Lanes (masks) where an ordinary result is exact for certain; undefined: nothing quick says so. Of a sum, one of the differences is always exact (Dekker 1971). */
export function exactLanes(name: string, format: 'ps' | 'pd', r: Expr, a: Expr, b: Expr): Expr | undefined {
  const single = format === 'ps', [add, subtract, eq] = single ? [v.addF32, v.subF32, v.eqF32] as const : [v.addF64, v.subF64, v.eqF64] as const;
  switch (name) {
    case 'add': return v.and(eq(subtract(r, a), b), eq(subtract(r, b), a));
    case 'sub': return v.and(eq(add(r, b), a), eq(subtract(a, r), b));
    // significands of half the bits
    case 'mul': return v.eq32(v.and(v.or(a, b), single ? v.dwords(0xfff) : v.dwords(0x07ff_ffff, 0)), v.zero());
    default: return undefined;
  }
}
/** The same of scalars (i32). */
export function isExact(name: string, type: 'f32' | 'f64', r: Expr, a: Expr, b: Expr): Expr | undefined {
  switch (name) {
    case 'add': return w.and(w.eq(w.sub(r, a), b), w.eq(w.sub(r, b), a));
    case 'sub': return w.and(w.eq(w.add(r, b), a), w.eq(w.sub(a, r), b));
    case 'mul': return type === 'f32' ? w.eqz(w.and(w.or(v.bitsOfF32(a), v.bitsOfF32(b)), w.i32(0xfff))) : w.eqz(w.and(w.or(v.bitsOfF64(a), v.bitsOfF64(b)), w.i64(0x07ff_ffff)));
    default: return undefined;
  }
}

/** What is done where a native result will not do: it is suspect, or MXCSR is unusual in more than a clear precision flag and the result not exact. */
function orSoftly(m: Machine, name: string, suspect: Expr, exact: Expr | undefined, softly: () => void): void {
  if (isExtreme(name) || exact === undefined) {
    m.when(w.or(isUnusual(m, !isExtreme(name)), suspect), softly);
    return;
  }
  const bits = m.let(unusualBits(m)), isSuspect = m.let(suspect);
  m.when(w.or(bits, isSuspect), () => {
    m.rarely(w.or(w.or(isSuspect, w.ne(bits, w.i32(PRECISION_CLEAR))), w.eqz(exact)), softly);
  });
}

/**
 * Scalar result of `name` on bound floats: native first, soft where MXCSR or the result asks for it. `lanes`: vectors with the operands in lane 0, where there are
 * such: they are looked at without a way out of the vector registers.
 */
export function scalarArithmetic(m: Machine, name: string, format: Format, a: Expr, b: Expr, lanes: { readonly a?: Expr; readonly b?: Expr } = {}): Expr {
  const p = precisionOf(format), result = m.local(p.type), r = m.fn.get(result);
  m.fn.set(result, arithmetic(name).scalar(a, b));
  const suspect = isExtreme(name) ? isSuspect(name, p.type, r, a, b) : mayBeSuspectScalar(m, name, p.type, r, a, b, lanes);
  orSoftly(m, name, suspect, isExact(name, p.type, r, a, b), () => {
    const operands = name === 'sqrt' ? [p.bits(b)] : [p.bits(a), p.bits(b)];
    m.fn.set(result, p.fromBits(m.helper(`${p.soft}_${name}`, ...operands, softMode(m))));
    afterSoftFloat(m);
  });
  return r;
}

export function packedArithmetic(m: Machine, name: string, format: 'ps' | 'pd', a: Expr, b: Expr): Expr {
  return repaired(m, name, format, arithmetic(name)[format](a, b), a, b);
}

/** `native`, unless MXCSR or its value asks for the helper. */
function repaired(m: Machine, name: string, format: 'ps' | 'pd', native: Expr, a: Expr, b: Expr): Expr {
  const result = m.local('v128'), r = m.fn.get(result);
  m.fn.set(result, native);
  const suspect = isExtreme(name) ? isSuspectPacked(name, format, r, a, b) : mayBeSuspectPacked(name, format, r, a, b, m), exact = exactLanes(name, format, r, a, b);
  orSoftly(m, name, suspect, exact === undefined ? undefined : v.allTrue32(exact), () => {
    m.fn.set(result, m.helper(`${format}_${name}`, a, b));
    afterSoftFloat(m);
  });
  return r;
}

function arithmetic(name: string): Arithmetic {
  const row = ARITHMETIC[name];
  if (row === undefined) throw new Error(`no floating-point operation "${name}"`);
  return row;
}

function arithmeticEntry(name: string, format: Format): InstructionEntry {
  if (!isScalar(format)) {
    return { run: (m) => {
      checkSse(m);
      const b = readVector(m, 1), a = name === 'sqrt' ? b : m.read(0);
      m.write(0, packedArithmetic(m, name, format === 'ps' ? 'ps' : 'pd', a, b));
    } };
  }
  const p = precisionOf(format);
  return { run: (m) => {
    checkSse(m);
    const b = p.read(m, 1), whole = m.read(0), a = name === 'sqrt' ? b : m.let(p.lane(whole, 0));
    const lanes = m.isMemory(1) ? { a: whole } : { a: whole, b: m.read(1) };
    m.write(0, p.withLane(whole, 0, scalarArithmetic(m, name, format, a, b, lanes)));
  } };
}

/** HADD, HSUB, ADDSUB: rearranged operands of an ordinary operation. */
function horizontal(name: string, format: 'ps' | 'pd'): InstructionEntry {
  return { run: (m) => {
    checkSse(m);
    const b = readVector(m, 1), a = m.read(0);
    m.write(0, horizontalArithmetic(m, name, format, a, b));
  } };
}
export function horizontalArithmetic(m: Machine, name: string, format: 'ps' | 'pd', a: Expr, b: Expr): Expr {
  const width = format === 'ps' ? 4 : 8, even = format === 'ps' ? [0, 2, 4, 6] : [0, 2], odd = even.map((lane) => lane + 1);
  return packedArithmetic(m, name, format, m.let(v.shuffleLanes(width, a, b, even)), m.let(v.shuffleLanes(width, a, b, odd)));
}

/** ADDSUB: even lanes subtract, odd lanes add. */
export function addSubtract(m: Machine, format: 'ps' | 'pd', a: Expr, b: Expr): Expr {
  const native = format === 'ps' ? v.shuffleLanes(4, v.subF32(a, b), v.addF32(a, b), [0, 5, 2, 7]) : v.shuffleLanes(8, v.subF64(a, b), v.addF64(a, b), [0, 3]);
  return repaired(m, 'addsub', format, native, a, b);
}
const addSubtractEntry = (format: 'ps' | 'pd'): InstructionEntry => ({ run: (m) => {
  checkSse(m);
  const b = readVector(m, 1), a = m.read(0);
  m.write(0, addSubtract(m, format, a, b));
} });

/** RCP and RSQRT: approximations to at least 1.5 * 2^-12 relative error; ours are exact up to one rounding. They never raise exceptions. */
function approximate(name: 'rcp' | 'rsqrt', scalar: boolean): InstructionEntry {
  return { run: (m) => {
    checkSse(m);
    if (!scalar) { m.write(0, m.helper(`ps_${name}`, readVector(m, 1))); return; }
    const source = m.isMemory(1) ? m.let(v.splat32(m.read(1, 4))) : m.read(1);
    m.write(0, v.withLane32(m.read(0), 0, v.lane32(m.helper(`ps_${name}`, source), 0)));
  } };
}

const FORMATS: readonly Format[] = ['ss', 'sd', 'ps', 'pd'];

export const FLOAT_ARITHMETIC: Readonly<Record<string, InstructionEntry>> = {
  ...Object.fromEntries(Object.keys(ARITHMETIC).flatMap((name) => FORMATS.map((format) => [name + format, arithmeticEntry(name, format)]))),
  haddps: horizontal('add', 'ps'), haddpd: horizontal('add', 'pd'), hsubps: horizontal('sub', 'ps'), hsubpd: horizontal('sub', 'pd'),
  addsubps: addSubtractEntry('ps'), addsubpd: addSubtractEntry('pd'),
  rcpps: approximate('rcp', false), rcpss: approximate('rcp', true), rsqrtps: approximate('rsqrt', false), rsqrtss: approximate('rsqrt', true),
};
