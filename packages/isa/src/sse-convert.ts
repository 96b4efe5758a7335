/** Conversions among integers, single and double. Out of range and NaN give the "integer indefinite" 80000000H. SDM vol 1 §4.8.3.5, vol 2 */
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';
import { MODE } from '@vmm/softfloat';
import type { InstructionEntry } from './entry.ts';
import type { Machine } from './machine.ts';
import { checkMmx, checkSse, enterMmx, isMmx, readLowVector, readMmx, readVector, writeMmx } from './sse-access.ts';
import { DOUBLE, isDenormal, isDenormalLane, precisionOf, SINGLE } from './sse-float.ts';
import { afterSoftFloat, isUnusual, softMode } from './sse-mxcsr.ts';
import * as v from './sse-wasm.ts';

type Build = (m: Machine) => void;
const entry = (run: Build): InstructionEntry => ({ run });

/** `native` unless `exceptional` of it (or MXCSR) asks for the helper. */
function orSoft(m: Machine, native: Expr, exceptional: ((result: Expr) => Expr) | undefined, soft: () => Expr, mayRound = true): Expr {
  const result = m.local(native.type);
  m.fn.set(result, native);
  const unusual = isUnusual(m, mayRound);
  m.when(exceptional === undefined ? unusual : w.or(unusual, exceptional(m.fn.get(result))), () => {
    m.fn.set(result, soft());
    afterSoftFloat(m);
  });
  return m.fn.get(result);
}

// --- scalar ---

const integerMode = (m: Machine, truncate: boolean): Expr => (truncate ? w.or(softMode(m), w.i32(MODE.truncate)) : softMode(m));

/** Bound float to a signed integer of `size` bytes. */
export function floatToInteger(m: Machine, format: 'ss' | 'sd', value: Expr, size: number, truncate: boolean): Expr {
  const single = format === 'ss', wide = size === 8;
  const rounded = truncate ? value : m.let(w.nearest(value));
  const limit = single ? w.f32(wide ? 2 ** 63 : 2 ** 31) : w.f64(wide ? 2 ** 63 : 2 ** 31);
  const convert = single ? (wide ? v.truncI64F32 : v.truncI32F32) : wide ? v.truncI64F64 : v.truncI32F64;
  // trunc_sat gives the indefinite value for what is too low; NaN and what is too high are chosen here
  const native = w.select(w.flt(rounded, limit), convert(rounded), wide ? w.i64(0, 0x8000_0000) : w.i32(0x8000_0000));
  return orSoft(m, native, (r) => w.eq(r, wide ? w.i64(0, 0x8000_0000) : w.i32(0x8000_0000)), () => m.helper(`${single ? 'f32' : 'f64'}_to_i${size * 8}`, precisionOf(format).bits(value), integerMode(m, truncate)));
}

function toInteger(format: 'ss' | 'sd', truncate: boolean): InstructionEntry {
  return entry((m) => {
    checkSse(m);
    m.write(0, floatToInteger(m, format, precisionOf(format).read(m, 1), m.sizeOf(0), truncate));
  });
}

export function integerToFloat(m: Machine, format: 'ss' | 'sd', value: Expr): Expr {
  const wide = value.type === 'i64', long = wide ? value : w.extendS(value);
  if (format === 'sd') {
    if (!wide) return v.f64FromI32(value);
    return orSoft(m, v.f64FromI64(value), undefined, () => v.f64FromBits(m.helper('i64_to_f64', long, softMode(m))));
  }
  return orSoft(m, wide ? v.f32FromI64(value) : v.f32FromI32(value), undefined, () => v.f32FromBits(m.helper('i64_to_f32', long, softMode(m))));
}

function fromInteger(format: 'ss' | 'sd'): InstructionEntry {
  return entry((m) => {
    checkSse(m);
    const value = m.read(1);
    m.write(0, precisionOf(format).withLane(m.read(0), 0, integerToFloat(m, format, value)));
  });
}

export function widen(m: Machine, value: Expr): Expr {
  return orSoft(m, v.promote(value), () => w.or(w.ne(value, value), isDenormal('f32', value)), () => v.f64FromBits(m.helper('f32_to_f64', v.bitsOfF32(value), softMode(m))), false);
}
/** Neither a normal single nor the zero that a zero becomes. */
function isNotNormal(r: Expr, source: Expr): Expr {
  const magnitude = w.fabs(r), normal = w.and(w.fge(magnitude, w.f32(2 ** -126)), w.flt(magnitude, w.f32(Infinity)));
  return w.eqz(w.or(normal, w.eq(source, w.f64(0))));
}
export function narrow(m: Machine, value: Expr): Expr {
  return orSoft(m, v.demote(value), (r) => isNotNormal(r, value), () => v.f32FromBits(m.helper('f64_to_f32', v.bitsOfF64(value), softMode(m))));
}

// --- packed (on bound vectors) ---

export function packedWiden(m: Machine, value: Expr): Expr {
  const low = m.let(v.shuffleLanes(8, value, v.zero(), [0, 2]));
  return orSoft(m, v.promoteLowF32(value), () => v.anyTrue(v.or(v.neF32(low, low), isDenormalLane('f32', low))), () => m.helper('ps_to_pd', value), false);
}
export function packedNarrow(m: Machine, value: Expr): Expr {
  const isNotNormalLane = (r: Expr): Expr => {
    const magnitude = v.absF32(r), normal = v.and(v.leF32(v.splatF32(w.f32(2 ** -126)), magnitude), v.ltF32(magnitude, v.splatF32(w.f32(Infinity))));
    // a zero double's mask, brought to its single's lane; lanes 2 and 3 are always zero
    const zero = v.shuffleLanes(4, v.eqF64(value, v.zero()), v.bytes(0xff), [0, 2, 4, 4]);
    return w.eqz(v.allTrue32(v.or(normal, zero)));
  };
  return orSoft(m, v.demoteF64(value), isNotNormalLane, () => m.helper('pd_to_ps', value));
}
export function packedToInt32(m: Machine, format: 'ps' | 'pd', value: Expr, truncate: boolean): Expr {
  const single = format === 'ps', rounded = truncate ? value : m.let(single ? v.nearestF32(value) : v.nearestF64(value));
  const inRange = single ? v.ltF32(rounded, v.splatF32(w.f32(2 ** 31))) : v.ltF64(rounded, v.splatF64(w.f64(2 ** 31)));
  // the two 64-bit masks of the double form become 32-bit ones; lanes 2 and 3 hold no result and stay 0
  const mask = single ? inRange : v.shuffleLanes(4, inRange, v.bytes(0xff), [0, 2, 4, 4]);
  const native = v.bitselect(single ? v.truncSatF32(rounded) : v.truncSatF64(rounded), v.dwords(0x8000_0000), mask);
  return orSoft(m, native, (r) => v.anyTrue(v.eq32(r, v.dwords(0x8000_0000))), () => m.helper(`${format}_to_dq`, value, integerMode(m, truncate)));
}
export function packedFromInt32(m: Machine, value: Expr): Expr {
  return orSoft(m, v.convertI32F32(value), undefined, () => m.helper('dq_to_ps', value));
}

/** dst = convert(whole source vector). */
const whole = (convert: (m: Machine, value: Expr) => Expr): InstructionEntry => entry((m) => {
  checkSse(m);
  m.write(0, convert(m, readVector(m, 1)));
});
/** dst = convert(low 64 bits). */
const fromLow = (convert: (m: Machine, value: Expr) => Expr): InstructionEntry => entry((m) => {
  checkSse(m);
  m.write(0, convert(m, readLowVector(m, 1, 8)));
});

// --- with MMX registers ---

function toMmx(format: 'ps' | 'pd', truncate: boolean): InstructionEntry {
  return entry((m) => {
    checkMmx(m);
    const source = format === 'ps' ? lowOnly(m, readLowVector(m, 1, 8)) : readVector(m, 1);
    // processors leave x87 mode before they find a SIMD exception
    enterMmx(m);
    writeMmx(m, 0, v.lane64(packedToInt32(m, format, source, truncate), 0));
  });
}
/** Upper lanes must not raise anything. */
const lowOnly = (m: Machine, value: Expr): Expr => m.let(v.shuffleLanes(8, value, v.zero(), [0, 2]));

/** A memory operand does not touch the x87 state. */
function fromMmx(convert: (m: Machine, source: Expr) => Expr, merge: (m: Machine, result: Expr) => Expr): InstructionEntry {
  return entry((m) => {
    (isMmx(m, 1) ? checkMmx : checkSse)(m);
    const source = m.let(v.withLane64(v.zero(), 0, readMmx(m, 1)));
    if (isMmx(m, 1)) enterMmx(m);
    m.write(0, merge(m, convert(m, source)));
  });
}

export const FLOAT_CONVERT: Readonly<Record<string, InstructionEntry>> = {
  cvtsi2ss: fromInteger('ss'), cvtsi2sd: fromInteger('sd'),
  cvtss2si: toInteger('ss', false), cvttss2si: toInteger('ss', true), cvtsd2si: toInteger('sd', false), cvttsd2si: toInteger('sd', true),
  cvtss2sd: entry((m) => { checkSse(m); m.write(0, v.withLaneF64(m.read(0), 0, widen(m, SINGLE.read(m, 1)))); }),
  cvtsd2ss: entry((m) => { checkSse(m); m.write(0, v.withLaneF32(m.read(0), 0, narrow(m, DOUBLE.read(m, 1)))); }),
  cvtps2pd: fromLow(packedWiden), cvtpd2ps: whole(packedNarrow),
  cvtdq2ps: whole(packedFromInt32), cvtdq2pd: fromLow((_m, value) => v.convertLowI32F64(value)),
  cvtps2dq: whole((m, value) => packedToInt32(m, 'ps', value, false)), cvttps2dq: whole((m, value) => packedToInt32(m, 'ps', value, true)),
  cvtpd2dq: whole((m, value) => packedToInt32(m, 'pd', value, false)), cvttpd2dq: whole((m, value) => packedToInt32(m, 'pd', value, true)),
  cvtps2pi: toMmx('ps', false), cvttps2pi: toMmx('ps', true), cvtpd2pi: toMmx('pd', false), cvttpd2pi: toMmx('pd', true),
  cvtpi2ps: fromMmx(packedFromInt32, (m, result) => v.shuffleLanes(8, result, m.read(0), [0, 3])), cvtpi2pd: fromMmx((_m, source) => v.convertLowI32F64(source), (_m, result) => result),
};
