/** Builders for packed integer instructions: one per shape of operands, over the rows of sse-packed.ts; each serves MMX and XMM registers. */
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';
import type { InstructionEntry } from './entry.ts';
import type { Machine } from './machine.ts';
import { checkMmx, checkSse, immediate8, isImmediate, isMmx, readLow64, readMmx, readVector, writeMmx } from './sse-access.ts';
import {
  PACKED, PACKED_MMX, PACKED_SHIFT, PACKED_SHUFFLE, PACKED_SHUFFLE2, PACKED_UNARY, shiftAll, shiftLeftBytes, shiftRightBytes, wordIndices,
} from './sse-packed.ts';
import type { PackedBinary } from './sse-packed.ts';
import * as v from './sse-wasm.ts';

type Table = Record<string, InstructionEntry>;

function mapEntries<T>(rows: Readonly<Record<string, T>>, build: (row: T, name: string) => (m: Machine) => void): Table {
  return Object.fromEntries(Object.entries(rows).map(([name, row]) => [name, { run: build(row, name) }]));
}

const splatted = (m: Machine, value: Expr): Expr => m.let(v.splat64(value));

/** op dst, src: dst = op(dst, src). */
function binary(op: PackedBinary, name: string): (m: Machine) => void {
  const mmx = PACKED_MMX[name] ?? op;
  const sourceBytes = name.startsWith('punpckl') ? 4 : 8;
  return (m) => {
    if (isMmx(m, 0)) {
      checkMmx(m);
      const b = splatted(m, readMmx(m, 1, sourceBytes)), a = splatted(m, readMmx(m, 0));
      writeMmx(m, 0, v.lane64(mmx(a, b, m), 0));
      return;
    }
    checkSse(m);
    const b = readVector(m, 1), a = readVector(m, 0);
    m.write(0, op(a, b, m));
  };
}

/** op dst, src: dst = op(src). */
function unary(op: (a: Expr) => Expr): (m: Machine) => void {
  return (m) => {
    if (isMmx(m, 0)) {
      checkMmx(m);
      writeMmx(m, 0, v.lane64(op(v.splat64(readMmx(m, 1))), 0));
      return;
    }
    checkSse(m);
    m.write(0, op(readVector(m, 1)));
  };
}

/** Shift count: an immediate, or the low 64 bits of a register or 16 bytes of memory (8 for MMX). */
function readCount(m: Machine): Expr {
  if (isImmediate(m, 1)) return m.let(w.extendU(immediate8(m, 1)));
  if (isMmx(m, 0)) return readMmx(m, 1);
  return m.isMemory(1) ? m.let(v.lane64(readVector(m, 1), 0)) : readLow64(m, 1);
}

const SHIFTS = mapEntries(PACKED_SHIFT, (row) => (m) => {
  const mmx = isMmx(m, 0);
  (mmx ? checkMmx : checkSse)(m);
  const count = readCount(m);
  if (mmx) writeMmx(m, 0, v.lane64(shiftAll(row, splatted(m, readMmx(m, 0)), count, m), 0));
  else m.write(0, shiftAll(row, readVector(m, 0), count, m));
});

function byteShift(op: (a: Expr, count: Expr) => Expr): InstructionEntry {
  return { run: (m) => { checkSse(m); m.write(0, op(m.read(0), immediate8(m, 1))); } };
}

/** op dst, src, imm8: dst = op(src). */
const SHUFFLES = mapEntries(PACKED_SHUFFLE, (op) => (m) => {
  checkSse(m);
  m.write(0, op(readVector(m, 1), immediate8(m, 2)));
});

/** op dst, src, imm8: dst = op(dst, src). */
const SHUFFLES2 = mapEntries(PACKED_SHUFFLE2, (op, name) => (m) => {
  if (name === 'palignr' && isMmx(m, 0)) { alignRightMmx(m); return; }
  checkSse(m);
  const b = readVector(m, 1), a = m.read(0);
  m.write(0, op(a, b, immediate8(m, 2), m));
});

function alignRightMmx(m: Machine): void {
  checkMmx(m);
  const b = readMmx(m, 1), joined = v.withLane64(v.splat64(b), 1, readMmx(m, 0));
  writeMmx(m, 0, v.lane64(shiftRightBytes(joined, immediate8(m, 2)), 0));
}

/** PSHUFW: MMX only. */
function shuffleWords(m: Machine): void {
  checkMmx(m);
  const source = readMmx(m, 1);
  writeMmx(m, 0, v.lane64(v.swizzle(v.splat64(source), wordIndices(immediate8(m, 2), 0)), 0));
}

/** Puts an i32 into lane `index` (i32, already cut to the lane count) of `width` bytes; MMX values come splatted. */
export function insertLane(width: 1 | 2 | 4, a: Expr, index: Expr, value: Expr): Expr {
  const [splat, eq, numbers] = LANE_OPS[width];
  return v.bitselect(splat(value), a, eq(splat(index), numbers));
}
const LANE_OPS = {
  1: [v.splat8, v.eq8, v.IOTA],
  2: [v.splat16, v.eq16, v.words(0, 1, 2, 3, 4, 5, 6, 7)],
  4: [v.splat32, v.eq32, v.dwords(0, 1, 2, 3)],
} as const;

/** Lane `index` of `width` bytes, brought down to lane 0. */
export function laneToBottom(width: number, a: Expr, index: Expr): Expr { return shiftRightBytes(a, w.mul(index, w.i32(width))); }

function insertWord(m: Machine): void {
  const mmx = isMmx(m, 0);
  (mmx ? checkMmx : checkSse)(m);
  const value = m.isMemory(1) ? m.read(1, 2) : m.read(1), index = immediate8(m, 2);
  const narrow = value.type === 'i64' ? w.wrap(value) : value;
  if (mmx) writeMmx(m, 0, v.lane64(insertLane(2, v.splat64(readMmx(m, 0)), w.and(index, w.i32(3)), narrow), 0));
  else m.write(0, insertLane(2, m.read(0), w.and(index, w.i32(7)), narrow));
}

/** PEXTRW r, mm/xmm, imm8, and the SSE4.1 form with a memory destination. */
function extractWord(m: Machine): void {
  const mmx = isMmx(m, 1);
  (mmx ? checkMmx : checkSse)(m);
  const index = immediate8(m, 2);
  const lane = mmx
    ? v.laneU16(laneToBottom(2, v.splat64(readMmx(m, 1)), w.and(index, w.i32(3))), 0)
    : v.laneU16(laneToBottom(2, m.read(1), w.and(index, w.i32(7))), 0);
  writeGeneral(m, 0, lane);
  if (mmx) enterMmxAfter(m);
}

/** Writes an i32 to a general register (zero-extended) or cut to memory. */
export function writeGeneral(m: Machine, operand: number, value: Expr): void {
  const size = m.sizeOf(operand);
  if (size === 8) m.write(operand, w.extendU(value));
  else m.write(operand, value);
}

function enterMmxAfter(m: Machine): void {
  m.setState32('fpuTop', w.i32(0));
  m.setState32('fpuTags', w.i32(0));
}

function byteMask(m: Machine): void {
  if (isMmx(m, 1)) {
    checkMmx(m);
    writeGeneral(m, 0, w.and(v.bitmask8(v.splat64(readMmx(m, 1))), w.i32(0xff)));
    enterMmxAfter(m);
    return;
  }
  checkSse(m);
  writeGeneral(m, 0, v.bitmask8(m.read(1)));
}

function signMask(bitmask: (a: Expr) => Expr): InstructionEntry {
  return { run: (m) => { checkSse(m); writeGeneral(m, 0, bitmask(m.read(1))); } };
}

export const PACKED_INTEGER: Table = {
  ...mapEntries(PACKED, binary),
  ...mapEntries(PACKED_UNARY, unary),
  ...SHIFTS,
  ...SHUFFLES,
  ...SHUFFLES2,
  psrldq: byteShift(shiftRightBytes), pslldq: byteShift(shiftLeftBytes),
  pshufw: { run: shuffleWords },
  pinsrw: { run: insertWord }, pextrw: { run: extractWord },
  pmovmskb: { run: byteMask }, movmskps: signMask(v.bitmask32), movmskpd: signMask(v.bitmask64),
};
