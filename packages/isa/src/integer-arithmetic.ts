/** SDM vol 1 §7.3.2 and §7.3.5, APM vol 3: addition, subtraction, logic, multiplication, division, decimal adjust. */
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';
import { EXCEPTION } from './exceptions.ts';
import type { InstructionTable } from './entry.ts';
import { RAX, RDX } from './machine.ts';
import type { Machine } from './machine.ts';
import { multiplyHigh } from './wide-arithmetic.ts';

/** The carry flag as an operand of the given size. */
const carryIn = (m: Machine, size: number): Expr => (size === 8 ? w.extendU(m.flag('c')) : m.flag('c'));

function add(m: Machine, withCarry: boolean): void {
  const size = m.sizeOf(0);
  const a = m.readModify(0), b = m.read(1, size);
  const sum = m.let(m.truncate(size, withCarry ? w.add(w.add(a, b), carryIn(m, size)) : w.add(a, b)));
  m.write(0, sum);
  m.flagsAdd(size, a, b, sum);
}

function subtract(m: Machine, withBorrow: boolean): void {
  const size = m.sizeOf(0);
  const a = m.readModify(0), b = m.read(1, size);
  const difference = m.let(m.truncate(size, withBorrow ? w.sub(w.sub(a, b), carryIn(m, size)) : w.sub(a, b)));
  m.write(0, difference);
  m.flagsSub(size, a, b, difference);
}

function logic(operation: (a: Expr, b: Expr) => Expr) {
  return (m: Machine): void => {
    const size = m.sizeOf(0);
    const a = m.readModify(0), b = m.read(1, size);
    const result = m.let(operation(a, b));
    m.write(0, result);
    m.flagsLogic(size, result);
  };
}

/** INC and DEC keep CF: OF comes from the operation, CF is put back. */
function step(m: Machine, up: boolean): void {
  const size = m.sizeOf(0), one = m.constant(size, 1);
  const a = m.readModify(0);
  const carry = m.flag('c');
  const result = m.let(m.truncate(size, up ? w.add(a, one) : w.sub(a, one)));
  m.write(0, result);
  m.flagsStep(size, up, carry, result);
}

function multiplyOverflowFlags(m: Machine, size: number, low: Expr, overflow: Expr): void {
  m.setFlags(m.signed64(size, low), w.shl(overflow, w.i32(31)));
}

/** MUL and one-operand IMUL: the double-width product goes to AX or rDX:rAX; CF=OF= upper half significant. */
function multiplyWide(m: Machine, signed: boolean): void {
  const size = m.sizeOf(0);
  const a = m.register(RAX, size), b = m.read(0);
  if (size === 8) {
    const low = m.let(w.mul(a, b));
    const high = m.let(multiplyHigh((value) => m.let(value), a, b, signed));
    m.setRegister(RAX, 8, low);
    m.setRegister(RDX, 8, high);
    multiplyOverflowFlags(m, 8, low, w.ne(high, signed ? w.shrS(low, w.i64(63)) : w.i64(0)));
    return;
  }
  const widen = (value: Expr): Expr => (signed ? m.signed64(size, value) : w.extendU(value));
  const product = m.let(w.mul(widen(a), widen(b)));
  const low = m.let(m.truncate(size, w.wrap(product)));
  if (size === 1) m.setRegister(RAX, 2, w.and(w.wrap(product), w.i32(0xffff)));
  else {
    m.setRegister(RAX, size, low);
    m.setRegister(RDX, size, m.truncate(size, w.wrap(w.shrU(product, w.i64(size * 8)))));
  }
  multiplyOverflowFlags(m, size, low, w.ne(product, widen(low)));
}

function imul(m: Machine): void {
  if (!m.hasOperand(1)) { multiplyWide(m, true); return; }
  const size = m.sizeOf(0);
  const [x, y] = m.hasOperand(2) ? [m.read(1), m.read(2, size)] : [m.read(0), m.read(1, size)];
  const low = m.let(m.truncate(size, w.mul(x, y)));
  m.write(0, low);
  m.flagsMultiply(size, x, y, low);
}

/** DIV and IDIV: #DE on a zero divisor or a quotient that does not fit. Flags are undefined: left alone. */
function divide(m: Machine, signed: boolean): void {
  const size = m.sizeOf(0);
  const divisor = m.read(0);
  m.faultIf(w.eqz(divisor), EXCEPTION.DE);
  if (size === 8) {
    const high = m.register(RDX, 8), low = m.register(RAX, 8);
    const state = m.helper(signed ? 'divSigned128' : 'divUnsigned128', high, low, divisor);
    m.faultIf(w.eqz(state), EXCEPTION.DE);
    m.setRegister(RAX, 8, m.fn.let(w.load('i64', 64, w.i32(0), m.stateAddress('scratch'))));
    m.setRegister(RDX, 8, m.fn.let(w.load('i64', 64, w.i32(0), m.stateAddress('scratch') + 8)));
    return;
  }
  const low = size === 1 ? m.register(RAX, 2) : m.register(RAX, size);
  let dividend: Expr;
  if (size === 1) dividend = signed ? m.signed64(2, low) : w.extendU(low);
  else {
    const high = m.register(RDX, size);
    const joined = w.or(w.shl(w.extendU(high), w.i64(size * 8)), w.extendU(low));
    dividend = size === 2 && signed ? w.extend32(joined) : joined;
  }
  const n = m.let(dividend), d = m.let(signed ? m.signed64(size, divisor) : w.extendU(divisor));
  // -2^63 / -1 traps in WebAssembly and can only come from EDX:EAX = 2^63, which overflows 32 bits anyway
  if (signed && size === 4) m.faultIf(w.and(w.eq(d, w.i64(-1)), w.eq(n, w.i64(0, -0x8000_0000))), EXCEPTION.DE);
  const quotient = m.let(signed ? w.divS(n, d) : w.divU(n, d));
  const narrow = m.let(m.truncate(size, w.wrap(quotient)));
  m.faultIf(w.ne(quotient, signed ? m.signed64(size, narrow) : w.extendU(narrow)), EXCEPTION.DE);
  const remainder = m.let(m.truncate(size, w.wrap(signed ? w.remS(n, d) : w.remU(n, d))));
  if (size === 1) m.setRegister(RAX, 2, w.or(narrow, w.shl(remainder, w.i32(8))));
  else {
    m.setRegister(RAX, size, narrow);
    m.setRegister(RDX, size, remainder);
  }
}

/** Set SF, ZF, PF from AL with given CF and AF. */
function decimalFlags(m: Machine, al: Expr, carry: Expr, adjust: Expr): void {
  m.setFlags(m.signed64(1, al), w.or(m.auxFromCarryOverflow(carry, w.i32(0)), w.shl(adjust, w.i32(3))));
}

function decimalAdjust(m: Machine, sign: 1 | -1): void {
  const al = m.register(RAX, 1), carry = m.flag('c'), adjustIn = m.flag('a');
  const lowAdjust = m.let(w.or(w.gtU(w.and(al, w.i32(15)), w.i32(9)), adjustIn));
  const highAdjust = m.let(w.or(w.gtU(al, w.i32(0x99)), carry));
  const delta = w.add(w.mul(lowAdjust, w.i32(6 * sign)), w.mul(highAdjust, w.i32(0x60 * sign)));
  const result = m.let(w.and(w.add(al, delta), w.i32(0xff)));
  // DAS: a borrow out of the low correction sets CF too
  const borrow = sign < 0 ? w.and(lowAdjust, w.ltU(al, w.i32(6))) : w.i32(0);
  m.setRegister(RAX, 1, result);
  decimalFlags(m, result, w.or(highAdjust, borrow), lowAdjust);
}

function asciiAdjust(m: Machine, sign: 1 | -1): void {
  const ax = m.register(RAX, 2);
  const adjust = m.let(w.or(w.gtU(w.and(ax, w.i32(15)), w.i32(9)), m.flag('a')));
  const moved = m.let(w.select(adjust, w.add(ax, w.i32(0x106 * sign)), ax));
  const result = m.let(w.and(moved, w.i32(0xff0f)));
  m.setRegister(RAX, 2, result);
  decimalFlags(m, w.and(result, w.i32(0xff)), adjust, adjust);
}

export const ARITHMETIC: InstructionTable = {
  add: { run: (m) => { add(m, false); } },
  adc: { run: (m) => { add(m, true); } },
  sub: { run: (m) => { subtract(m, false); } },
  sbb: { run: (m) => { subtract(m, true); } },
  cmp: {
    run(m) {
      const size = m.sizeOf(0);
      const a = m.read(0), b = m.read(1, size);
      m.flagsSub(size, a, b, m.let(m.truncate(size, w.sub(a, b))));
    },
  },
  and: { run: logic(w.and) },
  or: { run: logic(w.or) },
  xor: { run: logic(w.xor) },
  test: {
    run(m) {
      const size = m.sizeOf(0);
      m.flagsLogic(size, m.let(w.and(m.read(0), m.read(1, size))));
    },
  },
  not: {
    run(m) {
      const size = m.sizeOf(0);
      m.write(0, m.let(m.truncate(size, w.xor(m.readModify(0), m.constant(size, -1)))));
    },
  },
  neg: {
    run(m) {
      const size = m.sizeOf(0), zero = m.constant(size, 0);
      const a = m.readModify(0);
      const result = m.let(m.truncate(size, w.sub(zero, a)));
      m.write(0, result);
      m.flagsSub(size, zero, a, result);
    },
  },
  inc: { run: (m) => { step(m, true); } },
  dec: { run: (m) => { step(m, false); } },
  mul: { run: (m) => { multiplyWide(m, false); } },
  imul: { run: imul },
  div: { run: (m) => { divide(m, false); } },
  idiv: { run: (m) => { divide(m, true); } },
  xadd: {
    run(m) {
      const size = m.sizeOf(0);
      const a = m.readModify(0), b = m.read(1);
      const sum = m.let(m.truncate(size, w.add(a, b)));
      m.write(1, a);
      m.write(0, sum);
      m.flagsAdd(size, a, b, sum);
    },
  },
  daa: { run: (m) => { decimalAdjust(m, 1); } },
  das: { run: (m) => { decimalAdjust(m, -1); } },
  aaa: { run: (m) => { asciiAdjust(m, 1); } },
  aas: { run: (m) => { asciiAdjust(m, -1); } },
  aam: {
    run(m) {
      const base = m.let(w.and(m.read(0, 4), w.i32(0xff)));
      m.faultIf(w.eqz(base), EXCEPTION.DE);
      const al = m.register(RAX, 1);
      const low = m.let(w.remU(al, base));
      m.setRegister(RAX, 2, w.or(w.shl(w.divU(al, base), w.i32(8)), low));
      decimalFlags(m, low, w.i32(0), w.i32(0));
    },
  },
  aad: {
    run(m) {
      const base = m.let(w.and(m.read(0, 4), w.i32(0xff)));
      const al = m.let(w.and(w.add(m.register(RAX, 1), w.mul(m.registerAh(), base)), w.i32(0xff)));
      m.setRegister(RAX, 2, al);
      decimalFlags(m, al, w.i32(0), w.i32(0));
    },
  },
  salc: { run: (m) => { m.setRegister(RAX, 1, w.and(w.sub(w.i32(0), m.flag('c')), w.i32(0xff))); } },
};
