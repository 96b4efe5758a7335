/**
 * How vector instructions reach their operands: availability checks, alignment, MMX registers inside the x87 registers.
 * A vector operand is an XMM register or memory; which of the two is a fact of the form.
 */
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';
import { STATE } from '@vmm/state';
import type { Machine } from './machine.ts';
import * as v from './sse-wasm.ts';

/** SDM vol 3A §6.3.1: exception vectors used here. */
export const UD = 6, NM = 7, GP = 13, XM = 19;
/** SDM vol 3A §2.5. */
const CR0_MP = 2, CR0_EM = 4, CR0_TS = 8, CR4_OSFXSR = 0x200, CR4_OSXMMEXCPT = 0x400, CR4_OSXSAVE = 0x4_0000;
/** x87 status word: exception summary. SDM vol 1 §8.1.3 */
const ES = 0x80;

/** SSE instructions: #UD with CR0.EM or without CR4.OSFXSR, #NM with CR0.TS. SDM vol 3A §2.5, table 13-1 */
export function checkSse(m: Machine): void { m.once('sse', () => { checkSseNow(m); }); }
function checkSseNow(m: Machine): void {
  const cr0 = low(m, 'cr0'), disabled = w.xor(w.and(low(m, 'cr4'), w.i32(CR4_OSFXSR)), w.i32(CR4_OSFXSR));
  m.when(w.or(w.and(cr0, w.i32(CR0_EM | CR0_TS)), disabled), () => {
    m.faultIf(w.or(w.and(low(m, 'cr0'), w.i32(CR0_EM)), disabled), UD);
    m.fault(NM);
  });
}

/** VEX instructions: CR4.OSXSAVE and XCR0 SSE+AVX, then #NM with CR0.TS. SDM vol 2 table 2-18 (EM has no effect). */
export function checkAvx(m: Machine): void { m.once('avx', () => { checkAvxNow(m); }); }
function checkAvxNow(m: Machine): void {
  const off = w.or(w.xor(w.and(low(m, 'cr4'), w.i32(CR4_OSXSAVE)), w.i32(CR4_OSXSAVE)), w.xor(w.and(low(m, 'xcr0'), w.i32(6)), w.i32(6)));
  m.when(w.or(w.and(low(m, 'cr0'), w.i32(CR0_TS)), off), () => {
    m.faultIf(off, UD);
    m.fault(NM);
  });
}

/** MMX instructions: #UD with CR0.EM, #NM with CR0.TS, a pending x87 exception first. */
export function checkMmx(m: Machine): void {
  m.once('mmx', () => {
    m.when(w.and(low(m, 'cr0'), w.i32(CR0_EM | CR0_TS)), () => {
      m.faultIf(w.and(low(m, 'cr0'), w.i32(CR0_EM)), UD);
      m.fault(NM);
    });
  });
  checkPending(m);
}

/** x87 instructions: #NM with CR0.EM or CR0.TS; `waiting` ones report a pending exception. */
export function checkX87(m: Machine, waiting = true): void {
  m.once('x87', () => { m.faultIf(w.and(low(m, 'cr0'), w.i32(CR0_EM | CR0_TS)), NM); });
  if (waiting) checkPending(m);
}

/** WAIT: #NM needs both MP and TS. */
export function checkWait(m: Machine): void {
  m.faultIf(w.eq(w.and(low(m, 'cr0'), w.i32(CR0_MP | CR0_TS)), w.i32(CR0_MP | CR0_TS)), NM);
  checkPending(m);
}

/** #MF, or with CR0.NE clear what the pin FERR# leads to: hardly ever, so all of it is the callout's. SDM vol 1 §8.7 */
function checkPending(m: Machine): void {
  m.when(w.and(low(m, 'fpuStatus'), w.i32(ES)), () => { m.callout('fpu_exception'); });
}

function low(m: Machine, field: 'cr0' | 'cr4' | 'xcr0' | 'fpuStatus'): Expr { return w.load('i32', 32, w.i32(0), m.stateAddress(field)); }

/** #XM, or #UD while the system has not said that it handles it. */
export function simdFault(m: Machine): void {
  m.faultIf(w.eqz(w.and(low(m, 'cr4'), w.i32(CR4_OSXMMEXCPT))), UD);
  m.fault(XM);
}

export const isXmm = (m: Machine, operand: number): boolean => m.form.operands[operand]?.kind === 'xmm';
export const isMmx = (m: Machine, operand: number): boolean => m.form.operands[operand]?.kind === 'mmx';
export const isImmediate = (m: Machine, operand: number): boolean => m.form.operands[operand]?.kind === 'imm';

/** An 8-bit immediate as i32 0..255; constant where the machine knows it. */
export function immediate8(m: Machine, operand: number): Expr {
  const value = w.wrap(m.immediate64(operand));
  return w.isConst(value) ? w.i32(value.lo & 0xff) : m.let(w.and(value, w.i32(0xff)));
}

/** 16 bytes of a vector operand. `aligned`: a memory operand off 16 bytes is #GP(0), as in every legacy SSE instruction not named "unaligned". */
export function readVector(m: Machine, operand: number, aligned = true): Expr {
  if (!m.isMemory(operand)) return m.read(operand);
  const linear = m.address(operand, 16);
  if (aligned && !m.form.vex) requireAligned(m, linear, 16);
  return m.let(w.load('v128', 128, m.hostRead(linear, 16)));
}

export function writeVector(m: Machine, operand: number, value: Expr, aligned: boolean): void {
  if (!m.isMemory(operand)) { m.write(operand, value); return; }
  const linear = m.address(operand, 16, true);
  if (aligned) requireAligned(m, linear, 16);
  storeVector(m, linear, value);
}

export function storeVector(m: Machine, linear: Expr, value: Expr): void {
  const host = m.hostWrite(linear, 16);
  m.fn.store(128, host, 0, value);
  m.commit(host);
}

export function requireAligned(m: Machine, linear: Expr, bytes: number): void {
  m.faultIf(w.and(w.wrap(linear), w.i32(bytes - 1)), GP);
}

/** Low 32 or 64 bits of a vector operand. */
export function readLow32(m: Machine, operand: number): Expr { return m.isMemory(operand) ? m.read(operand, 4) : m.let(v.lane32(m.read(operand), 0)); }
export function readLow64(m: Machine, operand: number): Expr { return m.isMemory(operand) ? m.read(operand, 8) : m.let(v.lane64(m.read(operand), 0)); }
export function readF32(m: Machine, operand: number): Expr {
  return m.let(m.isMemory(operand) ? v.f32FromBits(m.read(operand, 4)) : v.laneF32(m.read(operand), 0));
}
export function readF64(m: Machine, operand: number): Expr {
  return m.let(m.isMemory(operand) ? v.f64FromBits(m.read(operand, 8)) : v.laneF64(m.read(operand), 0));
}
/** The low `bytes` bytes (4 or 8) of a vector operand, zero-extended to a vector. */
export function readLowVector(m: Machine, operand: number, bytes: 4 | 8): Expr {
  if (!m.isMemory(operand)) return m.read(operand);
  const host = m.hostRead(m.address(operand, bytes), bytes);
  return m.let(w.load('v128', bytes === 4 ? 32 : 64, host));
}

/** Every MMX instruction but EMMS: TOP becomes 0 and all tags valid. Call it when nothing can fault any more. SDM vol 1 §9.5.1 */
export function enterMmx(m: Machine): void {
  m.setState32('fpuTop', w.i32(0));
  m.setState32('fpuTags', w.i32(0));
}

/** Writes an MMX register: its x87 register gets a sign and exponent of all ones. SDM vol 1 §9.6.2 */
export function writeMmx(m: Machine, operand: number, value: Expr): void {
  const bound = m.let(value);
  enterMmx(m);
  m.write(operand, bound);
  m.fn.store(16, m.mmxAddress(operand), 8, w.i32(0xffff));
}

/** An MMX operand, or `bytes` of memory, as i64. */
export function readMmx(m: Machine, operand: number, bytes: 4 | 8 = 8): Expr {
  if (!m.isMemory(operand)) return m.read(operand);
  return bytes === 4 ? m.let(w.extendU(m.read(operand, 4))) : m.read(operand, 8);
}

/** Upper half of a YMM register. */
export function readUpper(m: Machine, operand: number): Expr { return m.let(w.load('v128', 128, m.vectorAddress(operand), 16)); }
export function writeUpper(m: Machine, operand: number, value: Expr): void { m.fn.store(128, m.vectorAddress(operand), 16, value); }

export const XMM_BYTES = 32;
/** Address of XMMn by a static number (implicit XMM0). */
export const xmmAddress = (m: Machine, n: number): number => m.stateBase + STATE.vector + n * XMM_BYTES;
