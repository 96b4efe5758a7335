/** VEX floating point: arithmetic, comparison, conversion, rounding, FMA, half precision. SDM vol 2 */
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';
import { floatHalves, isWide, mapHalves, readHalves, vex, vexBinary, vexUnary, writeHalves } from './avx-access.ts';
import type { Halves } from './avx-access.ts';
import type { InstructionEntry } from './entry.ts';
import type { Machine } from './machine.ts';
import { GP, immediate8, readLowVector } from './sse-access.ts';
import { compareMask, compareToFlags } from './sse-compare.ts';
import { floatToInteger, integerToFloat, narrow, packedFromInt32, packedNarrow, packedToInt32, packedWiden, widen } from './sse-convert.ts';
import { addSubtract, DOUBLE, horizontalArithmetic, isScalar, packedArithmetic, precisionOf, scalarArithmetic, SINGLE } from './sse-float.ts';
import type { Format } from './sse-float.ts';
import { afterSoftFloat, setMxcsr } from './sse-mxcsr.ts';
import { dotProduct, packedRound } from './sse-sse4.ts';
import * as v from './sse-wasm.ts';

type Table = Record<string, InstructionEntry>;
const FORMATS: readonly Format[] = ['ss', 'sd', 'ps', 'pd'];
const packedOf = (format: Format): 'ps' | 'pd' => (format.endsWith('s') ? 'ps' : 'pd');

/** A scalar result in the low lane of src1, the rest cleared. */
function writeScalar(m: Machine, format: Format, result: Expr): void { writeHalves(m, 0, [precisionOf(format).withLane(m.read(1), 0, result)]); }

function arithmetic(name: string, format: Format): InstructionEntry {
  const p = precisionOf(format);
  if (isScalar(format)) {
    return vex((m) => {
      const b = p.read(m, 2), a = name === 'sqrt' ? b : m.let(p.lane(m.read(1), 0));
      writeScalar(m, format, scalarArithmetic(m, name, format, a, b));
    });
  }
  if (name === 'sqrt') return vexUnary((m, a) => packedArithmetic(m, 'sqrt', packedOf(format), a, a));
  return vexBinary((m, a, b) => packedArithmetic(m, name, packedOf(format), a, b));
}

function compare(format: Format): InstructionEntry {
  const imm = (m: Machine): Expr => m.let(w.and(immediate8(m, 3), w.i32(31)));
  if (!isScalar(format)) return vexBinary((m, a, b) => compareMask(m, format, a, b, imm(m)));
  const p = precisionOf(format);
  return vex((m) => {
    const b = m.let(p.withLane(v.zero(), 0, p.read(m, 2))), whole = m.read(1), a = m.let(p.withLane(v.zero(), 0, p.lane(whole, 0))), mask = compareMask(m, format, a, b, imm(m));
    writeHalves(m, 0, [format === 'ss' ? v.withLane32(whole, 0, v.lane32(mask, 0)) : v.withLane64(whole, 0, v.lane64(mask, 0))]);
  });
}

function round(format: Format): InstructionEntry {
  if (!isScalar(format)) return vexUnary((m, a) => packedRound(m, packedOf(format), a, immediate8(m, 2)));
  const p = precisionOf(format);
  return vex((m) => {
    const source = m.let(p.withLane(v.zero(), 0, p.read(m, 2)));
    writeScalar(m, format, p.lane(packedRound(m, packedOf(format), source, immediate8(m, 3)), 0));
  });
}

function approximateScalar(helper: string): InstructionEntry {
  return vex((m) => {
    const source = m.isMemory(2) ? m.let(v.splat32(m.read(2, 4))) : m.read(2);
    writeHalves(m, 0, [v.withLane32(m.read(1), 0, v.lane32(m.helper(helper, source), 0))]);
  });
}

// --- conversions ---

/** Two doubles from the low half of each 128 bits of result: 64 or 128 bits of source. */
function widening(convert: (m: Machine, low: Expr) => Expr): InstructionEntry {
  return vex((m) => {
    if (m.sizeOf(0) !== 32) { writeHalves(m, 0, [convert(m, readLowVector(m, 1, 8))]); return; }
    const [source] = readHalves(m, 1, false);
    writeHalves(m, 0, floatHalves(m, () => convert(m, source), () => convert(m, m.let(v.shuffleLanes(8, source, source, [1, 1])))));
  });
}
/** Two or four doubles to 32-bit lanes. */
function narrowing(convert: (m: Machine, value: Expr) => Expr): InstructionEntry {
  return vex((m) => {
    const [low, high] = readHalves(m, 1), results = floatHalves(m, () => convert(m, low), high === undefined ? undefined : () => convert(m, high));
    writeHalves(m, 0, [results[1] === undefined ? results[0] : v.shuffleLanes(8, results[0], results[1], [0, 2])]);
  });
}
const toInteger = (format: 'ss' | 'sd', truncate: boolean): InstructionEntry => vex((m) => { m.write(0, floatToInteger(m, format, precisionOf(format).read(m, 1), m.sizeOf(0), truncate)); });
const fromInteger = (format: 'ss' | 'sd'): InstructionEntry => vex((m) => { writeScalar(m, format, integerToFloat(m, format, m.read(2))); });

const CONVERT: Table = {
  vcvtsi2ss: fromInteger('ss'), vcvtsi2sd: fromInteger('sd'),
  vcvtss2si: toInteger('ss', false), vcvttss2si: toInteger('ss', true), vcvtsd2si: toInteger('sd', false), vcvttsd2si: toInteger('sd', true),
  vcvtss2sd: vex((m) => { writeScalar(m, 'sd', widen(m, SINGLE.read(m, 2))); }), vcvtsd2ss: vex((m) => { writeScalar(m, 'ss', narrow(m, DOUBLE.read(m, 2))); }),
  vcvtps2pd: widening(packedWiden), vcvtdq2pd: widening((_m, a) => v.convertLowI32F64(a)), vcvtpd2ps: narrowing(packedNarrow),
  vcvtpd2dq: narrowing((m, a) => packedToInt32(m, 'pd', a, false)), vcvttpd2dq: narrowing((m, a) => packedToInt32(m, 'pd', a, true)),
  vcvtdq2ps: vexUnary(packedFromInt32), vcvtps2dq: vexUnary((m, a) => packedToInt32(m, 'ps', a, false)), vcvttps2dq: vexUnary((m, a) => packedToInt32(m, 'ps', a, true)),
};

// --- half precision ---

const fromHalf = vex((m) => {
  const wide = m.sizeOf(0) === 32, source = wide ? readHalves(m, 1, false)[0] : readLowVector(m, 1, 8);
  const low = m.helper('ph_to_ps', source), high = wide ? m.helper('ph_to_ps', m.let(v.shuffleLanes(8, source, source, [1, 1]))) : undefined;
  afterSoftFloat(m);
  writeHalves(m, 0, high === undefined ? [low] : [low, high]);
});
const toHalf = vex((m) => {
  const source = readHalves(m, 1), imm = immediate8(m, 2), results = mapHalves(source, (a) => m.helper('ps_to_ph', a, imm));
  // an unmasked exception leaves memory and register as they were; so does a fault, which must come before the flags
  if (m.isMemory(0)) m.prepareWrite(0);
  afterSoftFloat(m);
  const joined = m.let(results[1] === undefined ? results[0] : v.shuffleLanes(8, results[0], results[1], [0, 2]));
  if (!m.isMemory(0)) writeHalves(m, 0, [joined]);
  else m.write(0, results[1] === undefined ? v.lane64(joined, 0) : joined);
});

// --- fused multiply-add ---

/** Which operand plays which part: [multiplicand, multiplier, addend]. */
const ORDERS: Readonly<Record<string, readonly [number, number, number]>> = { '132': [0, 2, 1], '213': [1, 0, 2], '231': [1, 2, 0] };
/** Negate the product; subtract the addend in even, odd lanes. */
const VARIANTS: Readonly<Record<string, readonly [0 | 1, 0 | 1, 0 | 1]>> = {
  fmadd: [0, 0, 0], fmsub: [0, 1, 1], fnmadd: [1, 0, 0], fnmsub: [1, 1, 1], fmaddsub: [0, 1, 0], fmsubadd: [0, 0, 1],
};
function fused(variant: readonly [0 | 1, 0 | 1, 0 | 1], order: readonly [number, number, number], format: Format): InstructionEntry {
  const [negate, even, odd] = variant, p = precisionOf(format);
  return vex((m) => {
    if (isScalar(format)) {
      const source = p.read(m, 2), operand = (i: number): Expr => p.bits(i === 2 ? source : p.lane(m.read(i), 0));
      const result = m.helper(`${p.soft}_fma`, m.let(operand(order[0])), m.let(operand(order[1])), m.let(operand(order[2])), w.i32(negate), w.i32(even), m.helper('sse_mode'));
      afterSoftFloat(m);
      writeHalves(m, 0, [format === 'ss' ? v.withLane32(m.read(0), 0, result) : v.withLane64(m.read(0), 0, result)]);
      return;
    }
    const wide = isWide(m), last = readHalves(m, 2, wide), operands = [readHalves(m, 0, wide), readHalves(m, 1, wide), last] as const;
    const [x, y, z] = order.map((i) => operands[i] as Halves) as [Halves, Halves, Halves];
    const results = mapHalves(x, (a, half) => m.helper(`${packedOf(format)}_fma`, a, y[half] ?? y[0], z[half] ?? z[0], w.i32(negate), w.i32(even | odd << 1)));
    afterSoftFloat(m);
    writeHalves(m, 0, results);
  });
}
const FMA: Table = Object.fromEntries(Object.entries(VARIANTS).flatMap(([name, variant]) => Object.entries(ORDERS).flatMap(([order, places]) =>
  FORMATS.filter((format) => !isScalar(format) || variant[1] === variant[2]).map((format) => [`v${name}${order}${format}`, fused(variant, places, format)]))));

/** Step by step, both halves of each. */
const vexDotProduct = (format: 'ps' | 'pd'): InstructionEntry => vex((m) => {
  const b = readHalves(m, 2), a = readHalves(m, 1);
  const [low, high] = dotProduct(m, format, a, b, immediate8(m, 3), (of) => floatHalves(m, () => of(0), a[1] === undefined ? undefined : () => of(1)));
  writeHalves(m, 0, high === undefined ? [low ?? v.zero()] : [low ?? v.zero(), high]);
});

const NAMES = ['add', 'sub', 'mul', 'div', 'min', 'max', 'sqrt'];

export const AVX_FLOAT: Readonly<Table> = {
  ...Object.fromEntries(NAMES.flatMap((name) => FORMATS.map((format) => [`v${name}${format}`, arithmetic(name, format)]))),
  ...Object.fromEntries(FORMATS.flatMap((format) => [[`vcmp${format}`, compare(format)], [`vround${format}`, round(format)]])),
  ...Object.fromEntries((['ss', 'sd'] as const).flatMap((format) => [[`vcomi${format}`, vex((m) => { compareToFlags(m, format, false); })], [`vucomi${format}`, vex((m) => { compareToFlags(m, format, true); })]])),
  ...Object.fromEntries((['ps', 'pd'] as const).flatMap((format) => [
    [`vhadd${format}`, vexBinary((m, a, b) => horizontalArithmetic(m, 'add', format, a, b))], [`vhsub${format}`, vexBinary((m, a, b) => horizontalArithmetic(m, 'sub', format, a, b))],
    [`vaddsub${format}`, vexBinary((m, a, b) => addSubtract(m, format, a, b))], [`vdp${format}`, vexDotProduct(format)],
  ])),
  vrcpps: vexUnary((m, a) => m.helper('ps_rcp', a)), vrsqrtps: vexUnary((m, a) => m.helper('ps_rsqrt', a)), vrcpss: approximateScalar('ps_rcp'), vrsqrtss: approximateScalar('ps_rsqrt'),
  ...CONVERT, ...FMA, vcvtph2ps: fromHalf, vcvtps2ph: toHalf,
  vldmxcsr: vex((m) => {
    const value = m.read(0, 4);
    m.faultIf(w.and(value, w.i32(~0xffff)), GP);
    setMxcsr(m, value);
  }),
  vstmxcsr: vex((m) => { m.write(0, m.state32('mxcsr')); }),
};
