/** Data movement between vector registers, MMX, general registers and memory. SDM vol 2. */
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';
import type { InstructionEntry } from './entry.ts';
import type { Machine } from './machine.ts';
import { RDI } from './machine.ts';
import {
  checkMmx, checkSse, enterMmx, isMmx, isXmm, readLowVector, readMmx, readVector, requireAligned, storeVector, writeMmx, writeVector,
} from './sse-access.ts';
import * as v from './sse-wasm.ts';

type Build = (m: Machine) => void;
const entry = (run: Build): InstructionEntry => ({ run });

/** Whole-vector moves. */
function move(aligned: boolean): InstructionEntry {
  return entry((m) => {
    checkSse(m);
    writeVector(m, 0, readVector(m, 1, aligned), aligned);
  });
}

/** MOVSS, MOVSD: from memory the rest is cleared, between registers it is kept. */
function moveScalar(bytes: 4 | 8): InstructionEntry {
  return entry((m) => {
    checkSse(m);
    if (m.isMemory(0)) m.write(0, bytes === 4 ? v.lane32(m.read(1), 0) : v.lane64(m.read(1), 0));
    else if (m.isMemory(1)) m.write(0, readLowVector(m, 1, bytes));
    else m.write(0, mergeLow(bytes, m.read(0), m.read(1)));
  });
}
/** `low`'s low 4 or 8 bytes under the rest of `rest`. */
export function mergeLow(bytes: 4 | 8, rest: Expr, low: Expr): Expr {
  return bytes === 4 ? v.shuffleLanes(4, low, rest, [0, 5, 6, 7]) : v.shuffleLanes(8, low, rest, [0, 3]);
}

/** MOVD and MOVQ in all their forms, told apart by operand kinds. */
function moveQuad(bytes: 4 | 8): InstructionEntry {
  const read = (m: Machine): Expr => (isXmm(m, 1) ? (bytes === 4 ? v.lane32(m.read(1), 0) : v.lane64(m.read(1), 0)) : generalSource(m, bytes));
  return entry((m) => {
    if (isMmx(m, 0) || isMmx(m, 1)) { moveQuadMmx(m, bytes); return; }
    checkSse(m);
    const value = m.let(read(m));
    if (isXmm(m, 0)) m.write(0, bytes === 4 ? v.withLane32(v.zero(), 0, value) : v.withLane64(v.zero(), 0, value));
    else m.write(0, value);
  });
}
function moveQuadMmx(m: Machine, bytes: 4 | 8): void {
  checkMmx(m);
  if (isMmx(m, 0)) {
    const value = isMmx(m, 1) ? m.read(1) : generalSource(m, bytes);
    writeMmx(m, 0, bytes === 4 ? w.extendU(value) : value);
    return;
  }
  const value = m.read(1);
  m.write(0, bytes === 4 ? w.wrap(value) : value);
  enterMmx(m);
}
function generalSource(m: Machine, bytes: 4 | 8): Expr { return m.read(1, bytes); }

/** MOVLPS, MOVLPD, MOVHPS, MOVHPD: one half to or from memory. */
function moveHalf(half: 0 | 1): InstructionEntry {
  return entry((m) => {
    checkSse(m);
    if (m.isMemory(0)) { m.write(0, v.lane64(m.read(1), half)); return; }
    const value = m.read(1, 8);
    m.write(0, v.withLane64(m.read(0), half, value));
  });
}

/** Register to register rearrangements: dst = lanes of (dst, src). */
function rearrange(width: number, lanes: readonly number[]): InstructionEntry {
  return entry((m) => { checkSse(m); m.write(0, v.shuffleLanes(width, m.read(0), readVector(m, 1), lanes)); });
}

function nonTemporalQuad(m: Machine): void {
  checkMmx(m);
  m.write(0, readMmx(m, 1));
  enterMmx(m);
}

/** MASKMOVQ, MASKMOVDQU: bytes whose mask byte is negative go to DS:rDI. The bytes between keep their value: read, merge, write. */
function maskedStore(m: Machine): void {
  const mmx = isMmx(m, 0), bytes = mmx ? 8 : 16;
  (mmx ? checkMmx : checkSse)(m);
  const data = mmx ? m.let(v.splat64(m.read(0))) : m.read(0);
  const mask = m.let(v.shrS8(mmx ? v.splat64(m.read(1)) : m.read(1), w.i32(7)));
  const address = m.form.addressSize, linear = m.linearSource(m.let(m.resize(address, 8, m.register(RDI, address))), bytes, true);
  const host = m.hostWrite(linear, bytes, true);
  if (mmx) m.fn.store(64, host, 0, v.lane64(v.bitselect(data, w.load('v128', 64, host), mask), 0));
  else m.fn.store(128, host, 0, v.bitselect(data, w.load('v128', 128, host), mask));
  m.commit(host);
  if (mmx) enterMmx(m);
}

function nonTemporal(m: Machine): void {
  checkSse(m);
  const linear = m.address(0, 16, true);
  requireAligned(m, linear, 16);
  storeVector(m, linear, m.read(1));
}

export const MOVES: Readonly<Record<string, InstructionEntry>> = {
  movups: move(false), movupd: move(false), movdqu: move(false), lddqu: move(false),
  movaps: move(true), movapd: move(true), movdqa: move(true), movntdqa: move(true),
  movntps: entry(nonTemporal), movntpd: entry(nonTemporal), movntdq: entry(nonTemporal),
  movss: moveScalar(4), movsd: moveScalar(8),
  movd: moveQuad(4), movq: moveQuad(8),
  movlps: moveHalf(0), movlpd: moveHalf(0), movhps: moveHalf(1), movhpd: moveHalf(1),
  movhlps: rearrange(8, [3, 1]), movlhps: rearrange(8, [0, 2]),
  movsldup: rearrange(4, [4, 4, 6, 6]), movshdup: rearrange(4, [5, 5, 7, 7]),
  movddup: entry((m) => { checkSse(m); m.write(0, v.shuffleLanes(8, v.zero(), readLowVector(m, 1, 8), [2, 2])); }),
  movq2dq: entry((m) => {
    checkMmx(m);
    const value = m.read(1);
    enterMmx(m);
    m.write(0, v.withLane64(v.zero(), 0, value));
  }),
  movdq2q: entry((m) => { checkMmx(m); writeMmx(m, 0, v.lane64(m.read(1), 0)); }),
  movntq: entry(nonTemporalQuad),
  maskmovq: { run: maskedStore, uses: ['address'] }, maskmovdqu: { run: maskedStore, uses: ['address'] },
  // MOVNTI is an ordinary store from a general register; it needs no SSE state.
  movnti: entry((m) => { m.write(0, m.read(1)); }),
};
