/** SDM vol 1 §7.3.6: shifts, rotates, double shifts. A masked count of 0 leaves all flags as they were. */
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';
import type { InstructionTable } from './entry.ts';
import type { Machine } from './machine.ts';
import { rotateLeft, rotateRight } from './rotate.ts';

/** The shift count masked to 5 or 6 bits, as i32. */
function count(m: Machine, operand: number, size: number): Expr {
  return m.let(w.and(m.read(operand, operandSize(m, operand)), w.i32(size === 8 ? 63 : 31)));
}
const operandSize = (m: Machine, operand: number): number => (m.form.operands[operand]?.kind === 'imm' ? 4 : m.sizeOf(operand));

const wide = (size: number, value: Expr): Expr => (size === 8 ? value : w.extendU(value));
const narrow = (m: Machine, size: number, value: Expr): Expr => m.let(size === 8 ? value : m.truncate(size, w.wrap(value)));
const bit = (value: Expr, index: Expr | number): Expr => w.and(w.wrap(w.shrU(value, typeof index === 'number' ? w.i64(index) : index)), w.i32(1));
const signBit = (size: number, value: Expr): Expr => (size === 8 ? w.wrap(w.shrU(value, w.i64(63))) : w.shrU(value, w.i32(size * 8 - 1)));

interface Shifted { readonly result: Expr; readonly carry: Expr; readonly overflow: Expr }
/** What a shift leaves, and its `flagAux` right away (nothing but CF and CF^OF). */
interface ShiftedWithFlags { readonly result: Expr; readonly aux: Expr }

function shiftWith(compute: (m: Machine, size: number, a: Expr, c: Expr) => ShiftedWithFlags) {
  return (m: Machine): void => {
    const size = m.sizeOf(0);
    const a = m.readModify(0), c = count(m, 1, size);
    const { result, aux } = compute(m, size, a, c);
    m.write(0, result);
    m.when(c, () => { m.setFlags(m.signed64(size, result), aux); });
  };
}
const byWord = (size: number, c: Expr): Expr => (size === 8 ? w.extendU(c) : c);
/** Counts of less than a quadword go up to 31, so that shifts of 32 bits are enough. */
const cut = (m: Machine, size: number, value: Expr): Expr => m.let(size === 8 ? value : m.truncate(size, value));
/** The topmost bits of a value of a size as those of an i32. */
const topOf = (size: number, value: Expr): Expr => (size === 8 ? w.wrap(w.shrU(value, w.i64(32))) : w.shl(value, w.i32(32 - size * 8)));
/** Everything but the last bit of the count. */
const oneLess = (size: number, c: Expr): Expr => byWord(size, w.sub(c, w.i32(1)));

/** OF = CF ^ sign of the result: one place short of the result, CF and CF^OF are its topmost bits. */
function shl(m: Machine, size: number, a: Expr, c: Expr): ShiftedWithFlags {
  return { result: cut(m, size, w.shl(a, byWord(size, c))), aux: w.and(topOf(size, w.shl(a, oneLess(size, c))), w.i32(0xc000_0000 | 0)) };
}
/** OF = sign of the operand. */
function shr(m: Machine, size: number, a: Expr, c: Expr): ShiftedWithFlags {
  const short = w.shrU(a, oneLess(size, c)), carry = m.let(w.shl(size === 8 ? w.wrap(short) : short, w.i32(31)));
  return { result: cut(m, size, w.shrU(a, byWord(size, c))), aux: w.or(carry, w.and(w.shrU(w.xor(carry, topOf(size, a)), w.i32(1)), w.i32(0x4000_0000))) };
}
/** OF = 0. */
function sar(m: Machine, size: number, a: Expr, c: Expr): ShiftedWithFlags {
  const signed = m.let(size === 8 ? a : m.signed(size, a)), short = w.shrS(signed, oneLess(size, c));
  return { result: cut(m, size, w.shrS(signed, byWord(size, c))), aux: w.shrS(w.shl(size === 8 ? w.wrap(short) : short, w.i32(31)), w.i32(1)) };
}

/** Rotates change CF and OF only. */
function rotateWith(compute: (m: Machine, size: number, a: Expr, c: Expr) => Shifted) {
  return (m: Machine): void => {
    const size = m.sizeOf(0);
    const a = m.readModify(0), c = count(m, 1, size);
    const { result, carry, overflow } = compute(m, size, a, c);
    m.write(0, result);
    m.when(c, () => { m.setCarryOverflow(carry, overflow); });
  };
}
function rotated(m: Machine, size: number, a: Expr, c: Expr, left: boolean): Expr {
  if (size >= 4) {
    const by = size === 8 ? w.extendU(c) : c;
    return m.let(left ? rotateLeft(a, by) : rotateRight(a, by));
  }
  const bits = size * 8;
  const by = m.let(w.and(c, w.i32(bits - 1)));
  const back = w.and(w.sub(w.i32(bits), by), w.i32(31));
  return m.let(m.truncate(size, left ? w.or(w.shl(a, by), w.shrU(a, back)) : w.or(w.shrU(a, by), w.shl(a, back))));
}
function rol(m: Machine, size: number, a: Expr, c: Expr): Shifted {
  const result = rotated(m, size, a, c, true);
  const carry = m.let(w.and(size === 8 ? w.wrap(result) : result, w.i32(1)));
  return { result, carry, overflow: w.xor(carry, signBit(size, result)) };
}
function ror(m: Machine, size: number, a: Expr, c: Expr): Shifted {
  const result = rotated(m, size, a, c, false);
  const carry = m.let(signBit(size, result));
  const next = size === 8 ? bit(result, 62) : w.and(w.shrU(result, w.i32(size * 8 - 2)), w.i32(1));
  return { result, carry, overflow: w.xor(carry, next) };
}

/** Through-carry rotates: the operand and CF form a ring of bits+1. */
function rotateCarry(left: boolean) {
  return (m: Machine, size: number, a: Expr, c: Expr): Shifted => {
    const bits = size * 8, carryIn = m.flag('c');
    if (size === 8) {
      const c64 = m.let(w.extendU(c)), back = m.let(w.sub(w.i64(64), c64)), in64 = w.extendU(carryIn);
      // bits that travel through the carry come from the far end, one place short; split in two shifts since one may be by 64
      const moved = left
        ? w.or(w.or(w.shl(a, c64), w.shl(in64, w.sub(c64, w.i64(1)))), w.shrU(w.shrU(a, w.i64(1)), back))
        : w.or(w.or(w.shrU(a, c64), w.shl(in64, back)), w.shl(w.shl(a, w.i64(1)), back));
      const result = m.let(w.select(c, moved, a));
      const carry = m.let(left ? bit(a, back) : bit(a, w.sub(c64, w.i64(1))));
      const overflow = left ? w.xor(carry, signBit(8, result)) : w.xor(signBit(8, result), bit(result, 62));
      return { result, carry, overflow };
    }
    const turns = m.let(w.extendU(size === 4 ? c : w.remU(c, w.i32(bits + 1))));
    const ring = m.let(w.or(w.extendU(a), w.shl(w.extendU(carryIn), w.i64(bits))));
    const back = w.sub(w.i64(bits + 1), turns);
    const spun = m.let(left ? w.or(w.shl(ring, turns), w.shrU(ring, back)) : w.or(w.shrU(ring, turns), w.shl(ring, back)));
    const result = narrow(m, size, spun);
    const carry = m.let(bit(spun, bits));
    const next = w.and(w.shrU(result, w.i32(bits - 2)), w.i32(1));
    const overflow = left ? w.xor(carry, signBit(size, result)) : w.xor(signBit(size, result), next);
    return { result, carry, overflow };
  };
}

/** SHLD/SHRD. 16-bit counts above 16 are undefined; the ring of both operands is shifted as hardware of the P6 family does. */
function doubleShift(left: boolean) {
  return (m: Machine): void => {
    const size = m.sizeOf(0), bits = size * 8;
    const a = m.readModify(0), b = m.read(1), c = count(m, 2, size);
    const c64 = m.let(w.extendU(c));
    let result: Expr, carry: Expr;
    if (size === 2) {
      const joined = m.let(w.or(w.or(w.shl(w.extendU(a), w.i64(32)), w.shl(w.extendU(b), w.i64(16))), w.extendU(a)));
      const spun = m.let(left ? w.shl(joined, c64) : w.shrU(joined, c64));
      result = narrow(m, 2, left ? w.shrU(spun, w.i64(32)) : spun);
      carry = left ? bit(spun, 48) : bit(joined, w.sub(c64, w.i64(1)));
    } else {
      const wa = m.let(wide(size, a)), wb = m.let(wide(size, b));
      const back = m.let(w.sub(w.i64(bits), c64));
      const moved = left ? w.or(w.shl(wa, c64), w.shrU(wb, back)) : w.or(w.shrU(wa, c64), w.shl(wb, back));
      result = narrow(m, size, size === 8 ? w.select(c, moved, wa) : moved);
      carry = left ? bit(wa, back) : bit(wa, w.sub(c64, w.i64(1)));
    }
    const carryBit = m.let(carry);
    m.write(0, result);
    m.when(c, () => {
      m.setFlags(m.signed64(size, result), m.auxFromCarryOverflow(carryBit, w.xor(signBit(size, result), signBit(size, a))));
    });
  };
}

export const SHIFT: InstructionTable = {
  shl: { run: shiftWith(shl) },
  shr: { run: shiftWith(shr) },
  sar: { run: shiftWith(sar) },
  rol: { run: rotateWith(rol) },
  ror: { run: rotateWith(ror) },
  rcl: { run: rotateWith(rotateCarry(true)) },
  rcr: { run: rotateWith(rotateCarry(false)) },
  shld: { run: doubleShift(true) },
  shrd: { run: doubleShift(false) },
};
