/** VEX forms of the packed integer, shuffle, blend and cryptographic rows: the same data as the legacy forms, by halves. */
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';
import { readHalves, vex, vexBinary, vexUnary, writeHalves, mapHalves, zipHalves } from './avx-access.ts';
import type { InstructionEntry } from './entry.ts';
import type { Machine } from './machine.ts';
import { immediate8, isImmediate, xmmAddress } from './sse-access.ts';
import { AES_ROUNDS, carrylessMultiply, keyAssist } from './sse-crypto.ts';
import { laneToBottom, writeGeneral } from './sse-integer.ts';
import { PACKED, PACKED_SHIFT, PACKED_SHUFFLE, PACKED_SHUFFLE2, PACKED_UNARY, shiftAll, shiftLeftBytes, shiftRightBytes } from './sse-packed.ts';
import { BLEND_IMMEDIATE, BLEND_VARIABLE, EXTENSIONS, insertInteger, insertSingle, minimumPosition, multipleSums, readExtensionSource, testFlags } from './sse-sse4.ts';
import { compareStrings } from './sse-strings.ts';
import * as v from './sse-wasm.ts';

type Table = Readonly<Record<string, InstructionEntry>>;
const fromRows = <T>(rows: Readonly<Record<string, T>>, build: (row: T) => InstructionEntry): Table =>
  Object.fromEntries(Object.entries(rows).map(([name, row]) => [`v${name}`, build(row)]));

/** Count of a shift: immediate, or the low quadword of an XMM register or 16 bytes of memory. */
function shiftCount(m: Machine): Expr {
  return isImmediate(m, 2) ? m.let(w.extendU(immediate8(m, 2))) : m.let(v.lane64(readHalves(m, 2, false)[0], 0));
}
const byteShift = (op: (a: Expr, count: Expr) => Expr): InstructionEntry => vexUnary((m, a) => op(a, immediate8(m, 2)));

/** 256-bit SHUFPD takes its upper half's selectors from bits 2 and 3, BLENDPS from bits 4..7, BLENDPD from 2..3, MPSADBW from 3..5; the rest repeat. */
const UPPER_SHIFT: Readonly<Record<string, number>> = { shufpd: 2, blendps: 4, blendpd: 2, mpsadbw: 3 };
function withImmediate(name: string, op: (m: Machine, a: Expr, b: Expr, imm: Expr) => Expr): InstructionEntry {
  const shift = UPPER_SHIFT[name] ?? 0;
  return vexBinary((m, a, b, half) => op(m, a, b, half === 0 || shift === 0 ? immediate8(m, 3) : m.let(w.shrU(immediate8(m, 3), w.i32(shift)))));
}

const VARIABLE_SHIFTS: Readonly<Record<string, (a: Expr, b: Expr) => Expr>> = {
  psllvd: (a, b) => eachLane32(a, b, (x, n) => w.select(w.gtU(n, w.i32(31)), w.i32(0), w.shl(x, n))),
  psrlvd: (a, b) => eachLane32(a, b, (x, n) => w.select(w.gtU(n, w.i32(31)), w.i32(0), w.shrU(x, n))),
  psravd: (a, b) => eachLane32(a, b, (x, n) => w.shrS(x, w.select(w.gtU(n, w.i32(31)), w.i32(31), n))),
  psllvq: (a, b) => eachLane64(a, b, (x, n) => w.select(w.gtU(n, w.i64(63)), w.i64(0), w.shl(x, n))),
  psrlvq: (a, b) => eachLane64(a, b, (x, n) => w.select(w.gtU(n, w.i64(63)), w.i64(0), w.shrU(x, n))),
};
function eachLane32(a: Expr, b: Expr, op: (x: Expr, n: Expr) => Expr): Expr {
  return [0, 1, 2, 3].reduce((result, i) => v.withLane32(result, i, op(v.lane32(a, i), v.lane32(b, i))), v.zero());
}
function eachLane64(a: Expr, b: Expr, op: (x: Expr, n: Expr) => Expr): Expr {
  return [0, 1].reduce((result, i) => v.withLane64(result, i, op(v.lane64(a, i), v.lane64(b, i))), v.zero());
}

/** Extensions: the upper half's source is the next `bytes` of the operand. */
function extension({ bytes, op }: { bytes: number; op: (a: Expr) => Expr }): InstructionEntry {
  return vex((m) => {
    if (m.sizeOf(0) !== 32) { writeHalves(m, 0, [op(readExtensionSource(m, 1, bytes))]); return; }
    const source = m.isMemory(1) ? wideExtensionSource(m, bytes) : m.read(1);
    writeHalves(m, 0, [m.let(op(source)), m.let(op(laneToBottom(1, source, w.i32(bytes))))]);
  });
}
function wideExtensionSource(m: Machine, bytes: number): Expr {
  const host = m.hostRead(m.address(1, 2 * bytes), 2 * bytes);
  return m.let(w.load('v128', (bytes * 16) as w.Width, host));
}

const generalMask = (bitmask: (a: Expr) => Expr, lanes: number): InstructionEntry => vex((m) => {
  const [low, high] = readHalves(m, 1);
  writeGeneral(m, 0, high === undefined ? bitmask(low) : w.or(bitmask(low), w.shl(bitmask(high), w.i32(lanes))));
});

function strings(explicit: boolean, toIndex: boolean): InstructionEntry {
  return { uses: explicit ? ['size'] : [], run: (m) => {
    vex(() => undefined).run(m);
    compareStrings(m, explicit, toIndex, (mask) => {
      m.fn.store(128, w.i32(0), xmmAddress(m, 0), mask);
      m.fn.store(128, w.i32(0), xmmAddress(m, 0) + 16, v.zero());
    });
  } };
}

/** Flags of VTESTPS, VTESTPD (only the `signs`) and VPTEST over all halves. */
const test = (signs?: Expr): InstructionEntry => vex((m) => {
  const b = readHalves(m, 1), a = readHalves(m, 0), cut = (x: Expr): Expr => (signs === undefined ? x : v.and(x, signs));
  const any = (op: (x: Expr, y: Expr) => Expr): Expr => zipHalves(a, b, (x, y) => v.anyTrue(cut(op(x, y)))).reduce<Expr>((x, y) => w.or(x, y), w.i32(0));
  testFlags(m, any(v.and), any((x, y) => v.andNot(y, x)));
});

export const AVX_PACKED: Table = {
  ...fromRows(PACKED, (op) => vexBinary((m, a, b) => op(a, b, m))),
  ...fromRows(PACKED_UNARY, (op) => vexUnary((_m, a) => op(a))),
  ...fromRows(PACKED_SHIFT, (row) => vex((m) => {
    const count = shiftCount(m);
    writeHalves(m, 0, mapHalves(readHalves(m, 1, m.sizeOf(0) === 32), (a) => m.let(shiftAll(row, a, count, m))));
  })),
  vpslldq: byteShift(shiftLeftBytes), vpsrldq: byteShift(shiftRightBytes),
  ...fromRows(VARIABLE_SHIFTS, (op) => vexBinary((_m, a, b) => op(a, b))),
  ...fromRows(PACKED_SHUFFLE, (op) => vexUnary((m, a) => op(a, immediate8(m, 2)))),
  ...Object.fromEntries(Object.entries(PACKED_SHUFFLE2).map(([name, op]) => [`v${name}`, withImmediate(name, (m, a, b, imm) => op(a, b, imm, m))])),
  ...Object.fromEntries(Object.entries(BLEND_IMMEDIATE).map(([name, op]) => [`v${name}`, withImmediate(name, (_m, a, b, imm) => op(a, b, imm))])),
  vpblendd: withImmediate('blendps', (_m, a, b, imm) => BLEND_IMMEDIATE['blendps']?.(a, b, imm) ?? a),
  ...fromRows(BLEND_VARIABLE, (op) => vex((m) => {
    const b = readHalves(m, 2), a = readHalves(m, 1), mask = readHalves(m, 3);
    writeHalves(m, 0, zipHalves(a, b, (x, y, half) => m.let(op(x, y, mask[half] ?? mask[0]))));
  })),
  vmpsadbw: withImmediate('mpsadbw', multipleSums),
  vphminposuw: vexUnary((m, a) => minimumPosition(m, a)),
  ...fromRows(EXTENSIONS, extension),
  vptest: test(), vtestps: test(v.dwords(0x8000_0000)), vtestpd: test(v.qwords([0, 0x8000_0000])),
  vpmovmskb: generalMask(v.bitmask8, 16), vmovmskps: generalMask(v.bitmask32, 4), vmovmskpd: generalMask(v.bitmask64, 2),
  ...Object.fromEntries(([['b', 1], ['d', 4], ['q', 8]] as const).map(([suffix, width]) => [`vpinsr${suffix}`, vex((m) => { writeHalves(m, 0, [insertInteger(m, width, m.read(1), 2)]); })])),
  vinsertps: vex((m) => { writeHalves(m, 0, [insertSingle(m, m.read(1), 2)]); }),
  vpcmpestri: strings(true, true), vpcmpestrm: strings(true, false), vpcmpistri: strings(false, true), vpcmpistrm: strings(false, false),
  ...Object.fromEntries(Object.entries(AES_ROUNDS).map(([name, helper]) => [`v${name}`, vexBinary((m, a, b) => m.helper(helper, a, b))])),
  vaesimc: vexUnary((m, a) => m.helper('aes_imc', a)), vaeskeygenassist: vexUnary((m, a) => keyAssist(m, a, immediate8(m, 2))),
  vpclmulqdq: vexBinary((m, a, b) => carrylessMultiply(m, a, b, immediate8(m, 3))),
};
