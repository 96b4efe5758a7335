/**
 * Operands of VEX instructions: one or two 128-bit halves. Every VEX instruction that writes a vector register clears what lies above what it
 * writes; memory need not be aligned unless the instruction says so. SDM vol 1 §14
 */
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';
import type { InstructionEntry } from './entry.ts';
import type { Machine } from './machine.ts';
import { checkAvx, readUpper, requireAligned, writeUpper } from './sse-access.ts';
import * as v from './sse-wasm.ts';

/** Low and, for 256-bit forms, high half. Bound. */
export type Halves = readonly [Expr] | readonly [Expr, Expr];

export const vex = (run: (m: Machine) => void): InstructionEntry => ({ run: (m) => { checkAvx(m); run(m); } });

/** VEX.L: some vector operand is 32 bytes wide. */
export const isWide = (m: Machine): boolean => m.form.operands.some(({ kind, size }) => size === 32 && (kind === 'xmm' || kind === 'mem'));

export function readHalves(m: Machine, operand: number, wide = isWide(m), alignment = 1): Halves {
  if (!m.isMemory(operand)) return wide ? [m.read(operand), readUpper(m, operand)] : [m.read(operand)];
  const bytes = wide ? 32 : 16, linear = m.address(operand, bytes);
  if (alignment > 1) requireAligned(m, linear, bytes);
  const host = m.hostRead(linear, bytes), low = m.let(w.load('v128', 128, host));
  return wide ? [low, m.let(w.load('v128', 128, host, 16))] : [low];
}

/** Writes a register (clearing what is above) or memory. */
export function writeHalves(m: Machine, operand: number, halves: Halves, alignment = 1): void {
  const low = m.let(halves[0]), high = halves[1] === undefined ? undefined : m.let(halves[1]);
  if (!m.isMemory(operand)) {
    m.write(operand, low);
    writeUpper(m, operand, high ?? v.zero());
    return;
  }
  const bytes = high === undefined ? 16 : 32, linear = m.address(operand, bytes, true);
  if (alignment > 1) requireAligned(m, linear, bytes);
  const host = m.hostWrite(linear, bytes);
  m.fn.store(128, host, 0, low);
  if (high !== undefined) m.fn.store(128, host, 16, high);
  m.commit(host);
}

/** `op` of the half given; the exceptions of a low half with a high one wait for that. */
function ofHalf(m: Machine, isLowOfTwo: boolean, op: () => Expr): Expr {
  m.defersExceptions = isLowOfTwo;
  const result = m.let(op());
  m.defersExceptions = false;
  return result;
}
/** Both halves by an operation that may raise SIMD exceptions. */
export function floatHalves(m: Machine, low: () => Expr, high: (() => Expr) | undefined): Halves {
  const first = ofHalf(m, high !== undefined, low);
  return high === undefined ? [first] : [first, ofHalf(m, false, high)];
}

export function mapHalves(a: Halves, op: (a: Expr, half: 0 | 1) => Expr): Halves {
  return a[1] === undefined ? [op(a[0], 0)] : [op(a[0], 0), op(a[1], 1)];
}
export function zipHalves(a: Halves, b: Halves, op: (a: Expr, b: Expr, half: 0 | 1) => Expr): Halves {
  return a[1] === undefined || b[1] === undefined ? [op(a[0], b[0], 0)] : [op(a[0], b[0], 0), op(a[1], b[1], 1)];
}

/** vop dst, a, b by halves. */
export const vexBinary = (op: (m: Machine, a: Expr, b: Expr, half: 0 | 1) => Expr): InstructionEntry => vex((m) => {
  const b = readHalves(m, 2), a = readHalves(m, 1);
  writeHalves(m, 0, zipHalves(a, b, (x, y, half) => ofHalf(m, half === 0 && a[1] !== undefined, () => op(m, x, y, half))));
});
/** vop dst, a by halves. */
export const vexUnary = (op: (m: Machine, a: Expr, half: 0 | 1) => Expr): InstructionEntry => vex((m) => {
  const a = readHalves(m, 1);
  writeHalves(m, 0, mapHalves(a, (x, half) => ofHalf(m, half === 0 && a[1] !== undefined, () => op(m, x, half))));
});
