/** x87 arithmetic, comparison, loads and stores: thin builders over the functions of x87-helpers.ts. SDM vol 1 chapter 8, vol 2 */
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';
import { ORDER } from '@vmm/softfloat';
import type { InstructionEntry } from './entry.ts';
import { CS } from './machine.ts';
import type { Machine } from './machine.ts';
import { checkX87 } from './sse-access.ts';
import { suppressedOffset, temporaryOffset } from './x87-helpers.ts';

type Build = (m: Machine) => void;

/** A non-control x87 instruction: waits for pending exceptions, and is remembered as the last one, with its memory operand if it has one. SDM vol 1 §8.1.8 */
export function x87(run: Build): InstructionEntry {
  return { run: (m) => {
    checkX87(m);
    run(m);
    // pushed results of stores may have faulted before this point: then the old pointers stand
    m.setState64('fpuIp', m.currentIp());
    m.setState32('fpuCs', w.load('i32', 32, w.i32(0), m.stateAddress('selector', CS, 4)));
    const operand = memoryOperand(m);
    if (operand < 0) return;
    m.setState64('fpuDp', m.offset(operand));
    m.setState32('fpuDs', m.selector(operand));
  } };
}

/** Index of the memory operand, -1 if there is none. */
export const memoryOperand = (m: Machine): number => m.form.operands.findIndex((fact) => fact.kind === 'mem');
const drop = (m: Machine, value: Expr): void => { m.fn.drop(value); };
const yes = w.i32(1), no = w.i32(0);
function pop(m: Machine): void {
  const top = m.state32('fpuTop');
  m.setState32('fpuTags', w.or(m.state32('fpuTags'), w.shl(yes, top)));
  m.setState32('fpuTop', w.and(w.add(top, yes), w.i32(7)));
}

/** Memory operand of an arithmetic or compare instruction: name suffix of the helper and its value. */
function memorySource(m: Machine, integer: boolean): { suffix: string; value: Expr } {
  const operand = memoryOperand(m), size = m.sizeOf(operand), value = m.read(operand);
  if (integer) return { suffix: 'int', value: m.let(m.signed(size, value)) };
  return { suffix: size === 8 ? 'f64' : 'f32', value };
}

function arithmetic(name: string, integer: boolean): InstructionEntry {
  return x87((m) => {
    if (memoryOperand(m) >= 0) {
      const { suffix, value } = memorySource(m, integer);
      drop(m, m.helper(`x87_${name}_${suffix}`, value));
    } else drop(m, m.helper(`x87_${name}`, m.number(0), m.number(1), no));
  });
}
const arithmeticPop = (name: string): InstructionEntry => x87((m) => { drop(m, m.helper(`x87_${name}`, m.number(0), m.number(1), yes)); });

/** FCOM, FUCOM, FICOM, FTST: order to C3, C2, C0, then `pops` pops unless an exception forbids it. */
function compare(quiet: boolean, pops: number, integer = false): InstructionEntry {
  return x87((m) => {
    const order = m.local('i32');
    if (memoryOperand(m) >= 0) {
      const { suffix, value } = memorySource(m, integer);
      m.fn.set(order, m.helper(`x87_compare_${suffix}`, value));
    } else m.fn.set(order, m.helper('x87_compare', pops === 2 ? yes : m.number(1), quiet ? yes : no));
    m.when(w.geS(m.fn.get(order), no), () => {
      m.helperVoid('x87_set_order', m.fn.get(order));
      for (let i = 0; i < pops; i++) pop(m);
    });
  });
}
/** FTST: with zero. */
const test = x87((m) => {
  const order = m.let(m.helper('x87_compare_int', no));
  m.when(w.geS(order, no), () => { m.helperVoid('x87_set_order', order); });
});
/** FCOMI and FUCOMI: to ZF, PF, CF. */
function compareFlags(quiet: boolean, pops: boolean): InstructionEntry {
  return x87((m) => {
    const order = m.let(m.helper('x87_compare', m.number(1), quiet ? yes : no));
    m.when(w.geS(order, no), () => {
      const unordered = m.let(w.eq(order, w.i32(ORDER.unordered)));
      m.setCompareFlags(m.let(w.or(w.eqz(order), unordered)), unordered, m.let(w.or(w.eq(order, w.i32(ORDER.less)), unordered)));
      if (pops) pop(m);
    });
  });
}

const load = x87((m) => {
  const operand = memoryOperand(m);
  if (operand < 0) { drop(m, m.helper('x87_fld_st', m.number(1))); return; }
  const size = m.sizeOf(operand);
  if (size === 10) drop(m, m.helper('x87_fld_x80', m.hostRead(m.address(operand, 10), 10)));
  else drop(m, m.helper(size === 8 ? 'x87_fld_f64' : 'x87_fld_f32', m.read(operand)));
});
const loadInteger = x87((m) => {
  const operand = memoryOperand(m), size = m.sizeOf(operand);
  drop(m, m.helper('x87_fld_i64', m.let(m.signed64(size, m.read(operand)))));
});
const loadBcd = x87((m) => { drop(m, m.helper('x87_fld_bcd', m.hostRead(m.address(memoryOperand(m), 10), 10))); });

/** `significand`, `top` for nearest (and what else rounds alike); `other` is the last bit's change for the modes in `changes` (bit per rounding control). */
function constant(significand: bigint, top: number, changes: number, step: 1 | -1): InstructionEntry {
  return x87((m) => {
    const control = w.and(w.shrU(m.state32('fpuControl'), w.i32(10)), w.i32(3));
    const adjust = changes === 0 ? w.i64(0) : w.extendS(w.mul(w.and(w.shrU(w.i32(changes), control), yes), w.i32(step)));
    drop(m, m.helper('x87_fld_constant', w.add(w.i64big(BigInt.asIntN(64, significand)), adjust), w.i32(top)));
  });
}
const DOWN_AND_TRUNCATE = 0b1010, UP = 0b0100;

const isStored = (m: Machine): Expr => w.eqz(w.load('i32', 32, w.i32(0), m.stateBase + suppressedOffset));

/** Stores: the destination is checked before the conversion leaves its mark in the status word. */
function store(pops: boolean): InstructionEntry {
  return x87((m) => {
    const operand = memoryOperand(m);
    if (operand < 0) { drop(m, m.helper('x87_store_st', m.number(0), pops ? yes : no)); return; }
    const size = m.sizeOf(operand);
    if (size === 10) { storeTen(m, 'x87_get_x80', operand); return; }
    m.prepareWrite(operand);
    const value = m.helper(size === 8 ? 'x87_get_f64' : 'x87_get_f32');
    m.when(isStored(m), () => {
      m.write(operand, value);
      if (pops) pop(m);
    });
  });
}
function storeTen(m: Machine, helper: string, operand: number): void {
  const host = m.hostWrite(m.address(operand, 10, true), 10);
  m.helperVoid(helper);
  m.when(isStored(m), () => {
    const temporary = w.i32(m.stateBase + temporaryOffset);
    m.fn.store(64, host, 0, w.load('i64', 64, temporary));
    m.fn.store(16, host, 8, w.load('i32', 16, temporary, 8));
    m.commit(host);
    pop(m);
  });
}
function storeInteger(pops: boolean, truncate: boolean): InstructionEntry {
  return x87((m) => {
    const operand = memoryOperand(m);
    m.prepareWrite(operand);
    const value = m.helper(`x87_get_i${m.sizeOf(operand) * 8}`, truncate ? yes : no);
    m.when(isStored(m), () => {
      m.write(operand, value);
      if (pops) pop(m);
    });
  });
}

const call = (name: string, ...args: readonly Expr[]): InstructionEntry => x87((m) => { drop(m, m.helper(name, ...args)); });

/** FCMOVcc by the integer condition code. */
function conditionalMove(code: number): InstructionEntry {
  return x87((m) => {
    const i = m.number(1);
    m.when(m.condition(code), () => { drop(m, m.helper('x87_move', i)); }, () => {
      // the check for empty registers is made either way
      const top = m.state32('fpuTop'), bit = (n: Expr): Expr => w.and(w.shrU(m.state32('fpuTags'), w.and(w.add(top, n), w.i32(7))), yes);
      m.when(w.or(bit(no), bit(i)), () => { drop(m, m.helper('x87_move', i)); }, () => { m.setState32('fpuStatus', w.and(m.state32('fpuStatus'), w.i32(~0x200))); });
    });
  });
}

/** FINCSTP, FDECSTP. */
function turn(by: number): InstructionEntry {
  return x87((m) => {
    m.setState32('fpuTop', w.and(w.add(m.state32('fpuTop'), w.i32(by)), w.i32(7)));
    m.setState32('fpuStatus', w.and(m.state32('fpuStatus'), w.i32(~0x200)));
  });
}
function free(pops: boolean): InstructionEntry {
  return x87((m) => {
    const physical = w.and(w.add(m.state32('fpuTop'), m.number(0)), w.i32(7));
    m.setState32('fpuTags', w.or(m.state32('fpuTags'), w.shl(yes, physical)));
    if (pops) pop(m);
  });
}

const ARITHMETIC = ['add', 'mul', 'sub', 'subr', 'div', 'divr'];
const CONDITIONS: readonly (readonly [string, number])[] = [['b', 2], ['e', 4], ['be', 6], ['u', 10], ['nb', 3], ['ne', 5], ['nbe', 7], ['nu', 11]];

export const X87_ARITHMETIC: Readonly<Record<string, InstructionEntry>> = {
  ...Object.fromEntries(ARITHMETIC.flatMap((name) => [[`f${name}`, arithmetic(name, false)], [`fi${name}`, arithmetic(name, true)], [`f${name}p`, arithmeticPop(name)]])),
  fcom: compare(false, 0), fcomp: compare(false, 1), fcompp: compare(false, 2), fucom: compare(true, 0), fucomp: compare(true, 1), fucompp: compare(true, 2),
  ficom: compare(false, 0, true), ficomp: compare(false, 1, true), ftst: test,
  fcomi: compareFlags(false, false), fcomip: compareFlags(false, true), fucomi: compareFlags(true, false), fucomip: compareFlags(true, true),
  fxam: x87((m) => { m.helperVoid('x87_examine'); }),
  fld: load, fild: loadInteger, fbld: loadBcd,
  fld1: constant(0x8000_0000_0000_0000n, 0x3fff, 0, 1), fldz: constant(0n, 0, 0, 1),
  fldl2t: constant(0xd49a_784b_cd1b_8afen, 0x4000, UP, 1), fldl2e: constant(0xb8aa_3b29_5c17_f0bcn, 0x3fff, DOWN_AND_TRUNCATE, -1),
  fldpi: constant(0xc90f_daa2_2168_c235n, 0x4000, DOWN_AND_TRUNCATE, -1), fldlg2: constant(0x9a20_9a84_fbcf_f799n, 0x3ffd, DOWN_AND_TRUNCATE, -1),
  fldln2: constant(0xb172_17f7_d1cf_79acn, 0x3ffe, DOWN_AND_TRUNCATE, -1),
  fst: store(false), fstp: store(true), fist: storeInteger(false, false), fistp: storeInteger(true, false), fisttp: storeInteger(true, true),
  fbstp: x87((m) => { storeTen(m, 'x87_get_bcd', memoryOperand(m)); }),
  fsqrt: call('x87_sqrt'), frndint: call('x87_round'), fscale: call('x87_scale'), fxtract: call('x87_extract'), fprem: call('x87_rem'), fprem1: call('x87_rem1'),
  fchs: call('x87_sign', w.i32(0xffff), w.i32(0x8000)), fabs: call('x87_sign', w.i32(0x7fff), no),
  fxch: x87((m) => { drop(m, m.helper('x87_exchange', m.number(1))); }),
  ...Object.fromEntries(CONDITIONS.map(([name, code]) => [`fcmov${name}`, conditionalMove(code)])),
  fincstp: turn(1), fdecstp: turn(7), ffree: free(false), ffreep: free(true),
};
