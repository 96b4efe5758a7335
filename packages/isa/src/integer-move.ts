/** SDM vol 1 §7.3.1: data transfer, stack, extension, byte order. */
import * as w from '@vmm/wasm';
import type { InstructionEntry, InstructionTable } from './entry.ts';
import { DS, ES, FS, GS, RAX, RBP, RBX, RDX, RSP, SS } from './machine.ts';
import type { Machine } from './machine.ts';
import { rotateLeft, rotateRight } from './rotate.ts';
import { popValue, push, setStackPointer, stackMask, stackPointer } from './stack.ts';

function loadSegment(m: Machine, segment: w.Expr, selector: w.Expr, after: () => void = () => undefined): void {
  m.when(m.helper('loadSegment', segment, selector), after, () => { m.uncommon('load_segment', [w.extendU(segment), w.extendU(selector)], 2, after); });
}

function mov(m: Machine): void {
  const [to, from] = m.form.operands;
  if (to?.kind === 'seg') {
    loadSegment(m, m.number(0), m.resize(m.sizeOf(1), 2, m.read(1)));
  } else if (from?.kind === 'seg') {
    // a register takes the zero-extended selector at operand size, memory always 16 bits
    m.write(0, m.resize(2, m.sizeOf(0), m.read(1)));
  } else if (to?.kind === 'cr' || to?.kind === 'dr') {
    const value = m.read(1), size = m.sizeOf(1);
    if (to.kind === 'dr') m.callout('mov_to_dr', [w.extendU(m.number(0)), value], size);
    else m.unless(m.helper('setControlRegister', m.number(0), m.resize(size, 8, value)), () => { m.uncommon('mov_to_cr', [w.extendU(m.number(0)), value], size); });
  } else if (from?.kind === 'cr') {
    const size = m.sizeOf(0), at = m.helper('controlRegister', m.number(1));
    m.when(at, () => { m.write(0, m.let(w.load(m.typeOf(size), (size * 8) as w.Width, at))); }, () => {
      m.uncommon('mov_from_cr', [w.extendU(m.number(1))], size);
      m.write(0, m.calloutResult(size));
    });
  } else if (from?.kind === 'dr') {
    m.callout('mov_from_dr', [w.extendU(m.number(1))], m.sizeOf(0));
    m.write(0, m.calloutResult(m.sizeOf(0)));
  } else m.write(0, m.read(1, m.sizeOf(0)));
}

function extend(signed: boolean) {
  return (m: Machine): void => {
    const from = m.sizeOf(1), to = m.sizeOf(0);
    m.write(0, m.let(signed ? m.signExtend(from, to, m.read(1)) : m.resize(from, to, m.read(1))));
  };
}

/** Far pointer load: offset from the operand, selector behind it. */
function loadFarPointer(segment: number): InstructionEntry {
  return {
    ends: true,
    run(m) {
      const size = m.sizeOf(0);
      const address = m.let(m.address(1, size + 2));
      const offset = m.loadLinear(address, size);
      const selector = m.loadLinear(m.let(w.add(address, w.i64(size))), 2);
      // LSS brings the stack pointer along and so needs no shadow
      const after = (): void => { m.write(0, offset); };
      if (segment === SS) m.calloutThen('load_segment', [w.i64(SS | 8), w.extendU(selector)], 2, after);
      else loadSegment(m, w.i32(segment), selector, after);
    },
  };
}

function cmov(code: number): InstructionEntry {
  return {
    run(m) {
      // the source is read whatever the condition; a 32-bit destination is zero-extended whatever the condition
      const source = m.read(1);
      m.write(0, m.select(m.condition(code), source, m.read(0)));
    },
  };
}
export const CONDITIONS = ['o', 'no', 'b', 'nb', 'z', 'nz', 'be', 'nbe', 's', 'ns', 'p', 'np', 'l', 'nl', 'le', 'nle'] as const;

const conditional: Record<string, InstructionEntry> = {};
CONDITIONS.forEach((name, code) => {
  conditional[`cmov${name}`] = cmov(code);
  conditional[`set${name}`] = { run: (m) => { m.write(0, m.condition(code)); } };
});

/** Widen the accumulator within itself (CBW, CWDE, CDQE) or into rDX (CWD, CDQ, CQO). */
const widen = (from: number): InstructionEntry => ({ run: (m) => { m.setRegister(RAX, from * 2, m.let(m.signExtend(from, from * 2, m.register(RAX, from)))); } });
const spread = (size: number): InstructionEntry => ({
  run: (m) => {
    const sign = m.signed(size, m.register(RAX, size));
    m.setRegister(RDX, size, m.let(m.truncate(size, w.shrS(sign, m.constant(size, size === 8 ? 63 : 31)))));
  },
});

function swapBytes(m: Machine, size: number, value: w.Expr): w.Expr {
  if (size === 2) return m.let(w.or(w.and(w.shl(value, w.i32(8)), w.i32(0xff00)), w.shrU(value, w.i32(8))));
  const swap32 = (v: w.Expr): w.Expr => w.or(w.and(rotateLeft(v, w.i32(8)), w.i32(0x00ff_00ff)), w.and(rotateRight(v, w.i32(8)), w.i32(0xff00_ff00 | 0)));
  if (size === 4) return m.let(swap32(value));
  const low = m.let(w.wrap(value)), high = m.let(w.wrap(w.shrU(value, w.i64(32))));
  return m.let(w.or(w.shl(w.extendU(swap32(low)), w.i64(32)), w.extendU(swap32(high))));
}

export const MOVE: InstructionTable = {
  // a new SS sees to it itself that nothing goes on in the old mode
  mov: { run: mov, ends: false },
  movzx: { run: extend(false) },
  movsx: { run: extend(true) },
  movsxd: { run: extend(true) },
  movbe: {
    run(m) {
      const size = m.sizeOf(0);
      m.write(0, swapBytes(m, size, m.read(1)));
    },
  },
  // a 16-bit BSWAP is undefined; hardware clears the register's low word
  bswap: { run: (m) => { m.write(0, m.sizeOf(0) === 2 ? w.i32(0) : swapBytes(m, m.sizeOf(0), m.read(0))); } },
  lea: { run: (m) => { m.write(0, m.let(m.resize(8, m.sizeOf(0), m.offset(1)))); } },
  xchg: {
    run(m) {
      const a = m.readModify(0), b = m.readModify(1);
      m.write(0, b);
      m.write(1, a);
    },
  },
  ...conditional,
  cbw: widen(1), cwde: widen(2), cdqe: widen(4),
  cwd: spread(2), cdq: spread(4), cqo: spread(8),
  push: {
    uses: ['stack', 'size'],
    run(m) {
      const value = m.read(0, m.form.operands[0]?.kind === 'imm' ? m.size : undefined);
      // a segment register pushes its selector zero-extended to operand size
      push(m, m.size, m.form.operands[0]?.kind === 'seg' ? m.resize(2, m.size, value) : value);
    },
  },
  pop: {
    uses: ['stack', 'size'], ends: false,
    run(m) {
      const value = popValue(m, m.size);
      if (m.form.operands[0]?.kind === 'seg') {
        loadSegment(m, m.number(0), m.resize(m.size, 2, value), () => { setStackPointer(m, w.add(stackPointer(m), w.i64(m.size))); });
        return;
      }
      // the destination's address is computed with the incremented stack pointer (lowering adds the size to its displacement);
      // POP rSP keeps the popped value, so the increment comes first
      m.prepareWrite(0);
      setStackPointer(m, w.add(stackPointer(m), w.i64(m.size)));
      m.write(0, value);
    },
  },
  pusha: {
    uses: ['stack', 'size'],
    run(m) {
      const start = stackPointer(m);
      const values = Array.from({ length: 8 }, (_, i) => (i === RSP ? m.let(m.resize(8, m.size, m.register(RSP, 8))) : m.register(i, m.size)));
      // the pointer moves when all words are stored: until then they lie beyond the top of the stack
      const below = (words: number): w.Expr => m.let(w.and(w.sub(start, w.i64(words * m.size)), w.i64(m.form.stackSize === 2 ? 0xffff : -1, 0)));
      values.forEach((value, i) => { m.storeLinear(m.linear(SS, below(i + 1), m.size, true), m.size, value); });
      setStackPointer(m, below(8));
    },
  },
  popa: {
    uses: ['stack', 'size'],
    run(m) {
      const start = stackPointer(m), mask = w.i64(m.form.stackSize === 2 ? 0xffff : -1, 0);
      const values = Array.from({ length: 8 }, (_, i) => m.loadLinear(m.linear(SS, m.let(w.and(w.add(start, w.i64(i * m.size)), mask)), m.size), m.size));
      setStackPointer(m, w.add(start, w.i64(8 * m.size)));
      values.forEach((value, i) => { if (7 - i !== RSP) m.setRegister(7 - i, m.size, value); });
    },
  },
  leave: {
    uses: ['stack', 'size'],
    run(m) {
      const frame = m.let(w.and(m.register(RBP, 8), stackMask(m)));
      const value = m.loadLinear(m.stackLinear(0, m.size, false, RBP), m.size);
      setStackPointer(m, w.add(frame, w.i64(m.size)));
      m.setRegister(RBP, m.size, value);
    },
  },
  lds: loadFarPointer(DS), les: loadFarPointer(ES), lss: loadFarPointer(SS), lfs: loadFarPointer(FS), lgs: loadFarPointer(GS),
  xlat: {
    uses: ['address'],
    run(m) {
      const mask = m.form.addressSize === 2 ? w.i64(0xffff, 0) : m.form.addressSize === 4 ? w.i64(-1, 0) : w.i64(-1, -1);
      const offset = m.let(w.and(w.add(m.register(RBX, 8), w.extendU(m.register(RAX, 1))), mask));
      m.setRegister(RAX, 1, m.loadLinear(m.linearSource(offset, 1), 1));
    },
  },
  lahf: {
    run(m) {
      const bits = w.or(w.or(w.or(m.flag('c'), w.shl(m.flag('p'), w.i32(2))), w.or(w.shl(m.flag('a'), w.i32(4)), w.shl(m.flag('z'), w.i32(6)))), w.or(w.shl(m.flag('s'), w.i32(7)), w.i32(2)));
      m.setRegisterAh(bits);
    },
  },
  sahf: {
    run(m) {
      const ah = m.registerAh(), overflow = m.flag('o');
      const at = (bit: number): w.Expr => w.and(w.shrU(ah, w.i32(bit)), w.i32(1));
      m.setAllFlags({ c: at(0), p: at(2), a: at(4), z: at(6), s: at(7), o: overflow });
    },
  },
};
