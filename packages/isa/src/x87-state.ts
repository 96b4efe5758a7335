/**
 * x87 control, status, environment and whole-state instructions. In the state block TOP lives alone in `fpuTop`, so `fpuStatus` has bits 11..13 clear;
 * registers do not move when TOP does; `fpuTags` has one bit a physical register, 1 = empty. SDM vol 1 §8.1, vol 2 FXSAVE, FNSTENV
 */
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';
import type { InstructionEntry } from './entry.ts';
import type { Machine } from './machine.ts';
import { checkWait, checkX87, GP, NM } from './sse-access.ts';
import { setMxcsr } from './sse-mxcsr.ts';

const INITIAL_CONTROL = 0x37f;
/** Control word bits that exist; bit 6 always reads 1. */
const CONTROL_BITS = 0x1f3f, CONTROL_FIXED = 0x40;
const EXCEPTIONS = 0x3f, SUMMARY_AND_BUSY = 0x8080, TOP_FIELD = 0x3800;
const MXCSR_BITS = 0xffff;
const CR0_PE = 1, CR0_EM_TS = 0xc, EFLAGS_VM = 0x2_0000;
const FXSAVE = { mxcsr: 24, registers: 32, vectors: 160, sizeBytes: 512 } as const;

/** Status word as programs see it. */
export function statusWord(m: Machine): Expr { return m.let(w.or(m.state32('fpuStatus'), w.shl(m.state32('fpuTop'), w.i32(11)))); }

/** Loads a status word, with exception summary and busy as the masks in force say. */
function setStatusWord(m: Machine, value: Expr): void {
  m.setState32('fpuTop', w.and(w.shrU(value, w.i32(11)), w.i32(7)));
  m.setState32('fpuStatus', w.and(value, w.i32(0xffff & ~TOP_FIELD & ~SUMMARY_AND_BUSY)));
  updateSummary(m);
}
/** Unmasked pending exceptions set the summary (bit 7) and its copy "busy" (bit 15). */
export function updateSummary(m: Machine): void {
  const status = m.state32('fpuStatus');
  const pending = w.and(w.and(status, w.xor(m.state32('fpuControl'), w.i32(-1))), w.i32(EXCEPTIONS));
  m.setState32('fpuStatus', w.or(w.and(status, w.i32(~SUMMARY_AND_BUSY)), w.select(pending, w.i32(SUMMARY_AND_BUSY), w.i32(0))));
}
function setControlWord(m: Machine, value: Expr): void { m.setState32('fpuControl', w.or(w.and(value, w.i32(CONTROL_BITS)), w.i32(CONTROL_FIXED))); }

export function initialize(m: Machine): void {
  m.setState32('fpuControl', w.i32(INITIAL_CONTROL));
  for (const field of ['fpuStatus', 'fpuTop', 'fpuCs', 'fpuDs', 'fpuOpcode'] as const) m.setState32(field, w.i32(0));
  m.setState32('fpuTags', w.i32(0xff));
  m.setState64('fpuIp', w.i64(0));
  m.setState64('fpuDp', w.i64(0));
}

// --- environment: seven words of 2 or 4 bytes; the last four have one format in protected mode and one in real and virtual-8086 mode, SDM vol 1 §8.1.10 ---

/** Real and virtual-8086 mode (i32), where pointers are linear addresses. */
function pointsLinearly(m: Machine): Expr {
  return m.let(w.or(w.eqz(w.and(m.state32('cr0'), w.i32(CR0_PE))), w.ne(w.and(m.state32('eflags'), w.i32(EFLAGS_VM)), w.i32(0))));
}
/** Bits 16 and up of a pointer as they lie in its second word; the 16-bit format has room for four of them. */
function highPart(pointer: Expr, wide: boolean): Expr { return wide ? w.shrU(w.and(pointer, w.i32(0xffff_0000)), w.i32(4)) : w.and(w.shrU(pointer, w.i32(4)), w.i32(0xf000)); }
function fromParts(low: Expr, second: Expr, wide: boolean): Expr {
  return w.or(w.and(low, w.i32(0xffff)), w.shl(w.and(second, w.i32(wide ? 0x0fff_f000 : 0xf000)), w.i32(4)));
}

function storeEnvironment(m: Machine, host: Expr, wide: boolean): void {
  const high = wide ? w.i32(0xffff_0000) : w.i32(0), ip = m.let(w.wrap(m.state64('fpuIp'))), dp = m.let(w.wrap(m.state64('fpuDp')));
  const opcode = m.let(w.and(m.state32('fpuOpcode'), w.i32(0x7ff))), cs = m.let(w.and(m.state32('fpuCs'), w.i32(0xffff))), ds = m.let(w.and(m.state32('fpuDs'), w.i32(0xffff)));
  const store = (first: number, ...values: readonly Expr[]): void => { values.forEach((value, i) => { m.fn.store(wide ? 32 : 16, host, (first + i) * (wide ? 4 : 2), value); }); };
  store(0, w.or(m.state32('fpuControl'), high), w.or(statusWord(m), high), w.or(m.helper('x87_tags'), high));
  m.when(pointsLinearly(m), () => {
    const code = m.let(w.add(w.shl(cs, w.i32(4)), ip)), data = m.let(w.add(w.shl(ds, w.i32(4)), dp));
    store(3, w.or(w.and(code, w.i32(0xffff)), high), w.or(highPart(code, wide), opcode), w.or(w.and(data, w.i32(0xffff)), high), highPart(data, wide));
  }, () => { store(3, ip, wide ? w.or(cs, w.shl(opcode, w.i32(16))) : cs, dp, w.or(ds, high)); });
}

function loadEnvironment(m: Machine, host: Expr, wide: boolean): void {
  const field = (i: number): Expr => w.load('i32', wide ? 32 : 16, host, i * (wide ? 4 : 2));
  const low = (i: number): Expr => w.and(field(i), w.i32(0xffff));
  setControlWord(m, low(0));
  setStatusWord(m, m.let(low(1)));
  const tags = m.let(low(2));
  // empty is both bits of a pair
  let empty: Expr = w.i32(0);
  for (let i = 0; i < 8; i++) empty = w.or(empty, w.and(w.shrU(w.and(tags, w.shrU(tags, w.i32(1))), w.i32(i)), w.i32(1 << i)));
  m.setState32('fpuTags', empty);
  m.when(pointsLinearly(m), () => {
    m.setState64('fpuIp', w.extendU(fromParts(field(3), field(4), wide)));
    m.setState32('fpuOpcode', w.and(field(4), w.i32(0x7ff)));
    m.setState64('fpuDp', w.extendU(fromParts(field(5), field(6), wide)));
    for (const selector of ['fpuCs', 'fpuDs'] as const) m.setState32(selector, w.i32(0));
  }, () => {
    m.setState64('fpuIp', w.extendU(field(3)));
    m.setState32('fpuCs', low(4));
    m.setState32('fpuOpcode', wide ? w.and(w.shrU(field(4), w.i32(16)), w.i32(0x7ff)) : w.i32(0));
    m.setState64('fpuDp', w.extendU(field(5)));
    m.setState32('fpuDs', low(6));
  });
}

const environmentBytes = (wide: boolean): number => (wide ? 28 : 14);

function fnstenv(m: Machine): void {
  checkX87(m, false);
  const wide = m.size !== 2, host = m.hostWrite(m.address(0, environmentBytes(wide), true), environmentBytes(wide));
  storeEnvironment(m, host, wide);
  m.commit(host);
  m.setState32('fpuControl', w.or(m.state32('fpuControl'), w.i32(EXCEPTIONS)));
  updateSummary(m);
}
function fldenv(m: Machine): void {
  checkX87(m);
  const wide = m.size !== 2;
  loadEnvironment(m, m.hostRead(m.address(0, environmentBytes(wide)), environmentBytes(wide)), wide);
}

/** Host offset in the state block of ST(i). */
export function registerAddress(m: Machine, i: number | Expr): Expr {
  const top = m.state32('fpuTop'), index = typeof i === 'number' ? w.add(top, w.i32(i)) : w.add(top, i);
  return m.let(w.add(w.shl(w.and(index, w.i32(7)), w.i32(4)), w.i32(m.stateAddress('fpr'))));
}

/** Four stack registers at a time: 40 bytes. */
function copyRegisters(m: Machine, host: Expr, first: number, load: boolean): void {
  for (let i = 0; i < 4; i++) {
    const register = registerAddress(m, first + i);
    const [from, fromAt, to, toAt] = load ? [host, i * 10, register, 0] : [register, 0, host, i * 10];
    m.fn.store(64, to, toAt, w.load('i64', 64, from, fromAt));
    m.fn.store(16, to, toAt + 8, w.load('i32', 16, from, fromAt + 8));
  }
}

function fnsave(m: Machine): void {
  checkX87(m, false);
  const wide = m.size !== 2, bytes = environmentBytes(wide), linear = m.address(0, bytes + 80, true);
  const at = (offset: number): Expr => m.let(w.add(linear, w.i64(offset)));
  m.hostWrite(at(bytes + 79), 1);
  const pieces: [number, number, (host: Expr) => void][] = [
    [0, bytes, (host) => { storeEnvironment(m, host, wide); }], [bytes, 40, (host) => { copyRegisters(m, host, 0, false); }], [bytes + 40, 40, (host) => { copyRegisters(m, host, 4, false); }],
  ];
  for (const [offset, size, store] of pieces) {
    const host = m.hostWrite(at(offset), size);
    store(host);
    m.commit(host);
  }
  initialize(m);
}
function frstor(m: Machine): void {
  checkX87(m);
  const wide = m.size !== 2, bytes = environmentBytes(wide), linear = m.address(0, bytes + 80);
  const at = (offset: number): Expr => m.let(w.add(linear, w.i64(offset)));
  m.hostRead(at(bytes + 79), 1);
  loadEnvironment(m, m.hostRead(linear, bytes), wide);
  copyRegisters(m, m.hostRead(at(bytes), 40), 0, true);
  copyRegisters(m, m.hostRead(at(bytes + 40), 40), 4, true);
}

// --- FXSAVE, FXRSTOR: 512 bytes in 16-byte pieces, on a 16-byte boundary ---

function fxLinear(m: Machine, write: boolean): Expr {
  m.faultIf(w.and(w.load('i32', 32, w.i32(0), m.stateAddress('cr0')), w.i32(CR0_EM_TS)), NM);
  const linear = m.address(0, 16, write);
  m.faultIf(w.and(w.wrap(linear), w.i32(15)), GP);
  const last = m.let(w.add(linear, w.i64(FXSAVE.sizeBytes - 16)));
  if (write) m.hostWrite(last, 16);
  else m.hostRead(last, 16);
  return linear;
}

/** Emits a loop: `body` for i = 0 … count-1; `offset` is i * 16. */
export function repeat(m: Machine, count: number, body: (i: Expr, offset: Expr) => void): void {
  const i = m.local('i32');
  m.fn.set(i, w.i32(0));
  m.fn.loop((again) => m.fn.scope(() => {
    body(m.fn.get(i), m.let(w.shl(m.fn.get(i), w.i32(4))));
    m.fn.set(i, w.add(m.fn.get(i), w.i32(1)));
    m.fn.brIf(again, w.ltU(m.fn.get(i), w.i32(count)));
  }));
}
export const plus = (m: Machine, linear: Expr, offset: Expr): Expr => m.let(w.add(linear, w.extendU(offset)));

function fxsave(m: Machine): void {
  const linear = fxLinear(m, true), wide = m.size === 8;
  saveHeader(m, linear, wide);
  saveRegisters(m, linear);
  repeat(m, m.form.mode === 64 ? 16 : 8, (i, offset) => {
    const host = m.hostWrite(plus(m, linear, w.add(offset, w.i32(FXSAVE.vectors))), 16);
    m.fn.store(128, host, 0, w.load('v128', 128, w.shl(i, w.i32(5)), m.stateAddress('vector')));
    m.commit(host);
  });
}
export function saveHeader(m: Machine, linear: Expr, wide: boolean, withMxcsr = true): void {
  const host = m.hostWrite(linear, 32, !withMxcsr);
  m.fn.store(16, host, 0, m.state32('fpuControl'));
  m.fn.store(16, host, 2, statusWord(m));
  m.fn.store(16, host, 4, w.xor(m.state32('fpuTags'), w.i32(0xff)));
  m.fn.store(16, host, 6, w.and(m.state32('fpuOpcode'), w.i32(0x7ff)));
  savePointer(m, host, 8, 'fpuIp', 'fpuCs', wide);
  savePointer(m, host, 16, 'fpuDp', 'fpuDs', wide);
  if (withMxcsr) {
    m.fn.store(32, host, FXSAVE.mxcsr, m.state32('mxcsr'));
    m.fn.store(32, host, FXSAVE.mxcsr + 4, w.i32(MXCSR_BITS));
  }
  m.commit(host);
}
function savePointer(m: Machine, host: Expr, at: number, pointer: 'fpuIp' | 'fpuDp', selector: 'fpuCs' | 'fpuDs', wide: boolean): void {
  if (wide) { m.fn.store(64, host, at, m.state64(pointer)); return; }
  m.fn.store(32, host, at, w.wrap(m.state64(pointer)));
  m.fn.store(32, host, at + 4, w.and(m.state32(selector), w.i32(0xffff)));
}
export function saveRegisters(m: Machine, linear: Expr): void {
  repeat(m, 8, (i, offset) => {
    const register = registerAddress(m, i), host = m.hostWrite(plus(m, linear, w.add(offset, w.i32(FXSAVE.registers))), 16);
    m.fn.store(64, host, 0, w.load('i64', 64, register));
    m.fn.store(64, host, 8, w.load('i64', 16, register, 8));
    m.commit(host);
  });
}

function fxrstor(m: Machine): void {
  const linear = fxLinear(m, false), wide = m.size === 8, host = m.hostRead(linear, 32);
  m.faultIf(w.and(w.load('i32', 32, host, FXSAVE.mxcsr), w.i32(~MXCSR_BITS)), GP);
  setMxcsr(m, w.load('i32', 32, host, FXSAVE.mxcsr));
  restoreHeader(m, host, wide);
  restoreRegisters(m, linear);
  repeat(m, m.form.mode === 64 ? 16 : 8, (i, offset) => {
    const from = m.hostRead(plus(m, linear, w.add(offset, w.i32(FXSAVE.vectors))), 16);
    m.fn.store(128, w.shl(i, w.i32(5)), m.stateAddress('vector'), w.load('v128', 128, from));
  });
}
export function restoreHeader(m: Machine, host: Expr, wide: boolean): void {
  setControlWord(m, w.load('i32', 16, host, 0));
  m.setState32('fpuTags', w.xor(w.load('i32', 8, host, 4), w.i32(0xff)));
  m.setState32('fpuOpcode', w.and(w.load('i32', 16, host, 6), w.i32(0x7ff)));
  m.setState64('fpuIp', w.load('i64', wide ? 64 : 32, host, 8));
  m.setState64('fpuDp', w.load('i64', wide ? 64 : 32, host, 16));
  m.setState32('fpuCs', wide ? w.i32(0) : w.load('i32', 16, host, 12));
  m.setState32('fpuDs', wide ? w.i32(0) : w.load('i32', 16, host, 20));
  setStatusWord(m, m.let(w.load('i32', 16, host, 2)));
}
export function restoreRegisters(m: Machine, linear: Expr): void {
  repeat(m, 8, (i, offset) => {
    const from = m.hostRead(plus(m, linear, w.add(offset, w.i32(FXSAVE.registers))), 16), register = registerAddress(m, i);
    m.fn.store(64, register, 0, w.load('i64', 64, from));
    m.fn.store(16, register, 8, w.load('i32', 16, from, 8));
  });
}

const entry = (run: (m: Machine) => void): InstructionEntry => ({ run });
const sized = (run: (m: Machine) => void): InstructionEntry => ({ run, uses: ['size'] });
const sizedByMode = (run: (m: Machine) => void): InstructionEntry => ({ run, uses: ['size', 'mode'] });
/** 8087 and 287 instructions that later processors ignore, and FNOP. */
const ignored = (waiting: boolean): InstructionEntry => entry((m) => { checkX87(m, waiting); });

export const X87_STATE: Readonly<Record<string, InstructionEntry>> = {
  fninit: entry((m) => { checkX87(m, false); initialize(m); }),
  fnclex: entry((m) => { checkX87(m, false); m.setState32('fpuStatus', w.and(m.state32('fpuStatus'), w.i32(0x7f00))); }),
  fnstsw: entry((m) => { checkX87(m, false); m.write(0, statusWord(m)); }),
  fnstcw: entry((m) => { checkX87(m, false); m.write(0, m.state32('fpuControl')); }),
  fldcw: entry((m) => { checkX87(m); setControlWord(m, m.read(0)); updateSummary(m); }),
  wait: entry(checkWait), fwait: entry(checkWait),
  fnop: ignored(true), fneni: ignored(false), fndisi: ignored(false), fnsetpm: ignored(false), frstpm: ignored(false),
  fnstenv: sized(fnstenv), fldenv: sized(fldenv), fnsave: sized(fnsave), frstor: sized(frstor),
  fxsave: sizedByMode(fxsave), fxrstor: sizedByMode(fxrstor),
};
