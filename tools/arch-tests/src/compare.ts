/** Differences between two outcomes of one case, in words. */
import { CASE, GPR_NAMES, NO_VECTOR, TestCase } from './case-layout.ts';

export interface Tolerance {
  /** EFLAGS bits that count. Default: CF PF AF ZF SF DF OF. */
  readonly flags?: number;
  /** MXCSR bits that count. Default: all 16. */
  readonly mxcsr?: number;
  /** x87 status bits that count. Default: all. */
  readonly fpuStatus?: number;
  /** Replaces the masks above where the instruction left an unmasked x87 exception pending. */
  readonly stopped?: { readonly flags?: number; readonly fpuStatus?: number };
  /** The whole outcome is undefined for some inputs: registers and memory are not compared. */
  readonly loose?: boolean;
  /** Decides about an XMM register that differs: true if the difference is allowed. */
  readonly xmmAllowed?: (n: number, native: Uint8Array, ours: Uint8Array) => boolean;
  /** Likewise for ST(i). */
  readonly stAllowed?: (i: number, native: Uint8Array, ours: Uint8Array) => boolean;
}

const ARITHMETIC_FLAGS = 0xcd5;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).reverse().toString('hex');
const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
const vectorName = (vector: number): string => (vector === NO_VECTOR ? 'none' : `#${vector}`);

const EXCEPTION_SUMMARY = 0x80;

export function differences(native: TestCase, ours: TestCase, usual: Tolerance = {}): string[] {
  const tolerance = (native.fpuStatus & EXCEPTION_SUMMARY) !== 0 ? { ...usual, ...usual.stopped } : usual;
  const found: string[] = [], note = (what: string, a: string, b: string): void => { found.push(`${what}: native ${a}, ours ${b}`); };
  if (native.vector !== ours.vector) note('exception', vectorName(native.vector), vectorName(ours.vector));
  const faulted = native.vector !== NO_VECTOR && ours.vector !== NO_VECTOR;
  if (!faulted && native.view.getBigInt64(CASE.rip, true) !== ours.view.getBigInt64(CASE.rip, true)) note('rip', String(native.view.getBigInt64(CASE.rip, true)), String(ours.view.getBigInt64(CASE.rip, true)));
  if (tolerance.loose === true) return found;
  for (let i = 0; i < 16; i++) if (native.gpr(i) !== ours.gpr(i)) note(GPR_NAMES[i] ?? '', native.gpr(i).toString(16), ours.gpr(i).toString(16));
  const flags = (test: TestCase): number => Number(test.flags) & (tolerance.flags ?? ARITHMETIC_FLAGS);
  if (flags(native) !== flags(ours)) note('flags', flags(native).toString(16), flags(ours).toString(16));
  for (let i = 0; i < 16; i++) {
    if (!equal(native.xmm(i), ours.xmm(i)) && tolerance.xmmAllowed?.(i, native.xmm(i), ours.xmm(i)) !== true) note(`xmm${i}`, hex(native.xmm(i)), hex(ours.xmm(i)));
    if (!equal(native.ymmHigh(i), ours.ymmHigh(i))) note(`ymm${i} high`, hex(native.ymmHigh(i)), hex(ours.ymmHigh(i)));
  }
  for (let i = 0; i < 8; i++) {
    const a = native.st(i).subarray(0, 10), b = ours.st(i).subarray(0, 10);
    if (!equal(a, b) && tolerance.stAllowed?.(i, a, b) !== true) note(`st${i}`, hex(a), hex(b));
  }
  const word = (what: string, a: number, b: number): void => { if (a !== b) note(what, a.toString(16), b.toString(16)); };
  const control = tolerance.mxcsr ?? 0xffff;
  word('mxcsr', native.mxcsr & control, ours.mxcsr & control);
  word('x87 control', native.fpuControl, ours.fpuControl);
  word('x87 status', native.fpuStatus & (tolerance.fpuStatus ?? 0xffff), ours.fpuStatus & (tolerance.fpuStatus ?? 0xffff));
  word('x87 tags', native.fpuTags, ours.fpuTags);
  if (!equal(native.memory, ours.memory)) {
    const at = native.memory.findIndex((byte, i) => byte !== ours.memory[i]), from = at & ~15;
    note(`memory+${from}`, hex(native.memory.subarray(from, from + 16)), hex(ours.memory.subarray(from, from + 16)));
  }
  return found;
}
