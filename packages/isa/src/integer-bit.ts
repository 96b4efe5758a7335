/** SDM vol 1 §7.3.7 and BMI1/BMI2/ADX (vol 2): bit tests, scans, counts, extracts. */
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';
import type { InstructionEntry, InstructionTable } from './entry.ts';
import { RAX, RBX, RCX, RDX } from './machine.ts';
import type { Machine } from './machine.ts';
import { rotateRight } from './rotate.ts';
import { multiplyHigh } from './wide-arithmetic.ts';

type Change = 'none' | 'set' | 'reset' | 'complement';

function changed(m: Machine, size: number, value: Expr, mask: Expr, change: Change): Expr {
  if (change === 'set') return w.or(value, mask);
  if (change === 'reset') return w.and(value, w.xor(mask, m.constant(size, -1)));
  return w.xor(value, mask);
}

/** CF = the selected bit; ZF is unchanged, the others undefined: left alone. */
function bitTest(change: Change) {
  return (m: Machine): void => {
    const size = m.sizeOf(0), bits = size * 8;
    const immediate = m.form.operands[1]?.kind === 'imm';
    const offset = m.read(1, size);
    const index = m.let(w.and(size === 8 ? w.wrap(offset) : offset, w.i32(bits - 1)));
    const shift = size === 8 ? w.extendU(index) : index;
    const mask = m.let(w.shl(m.constant(size, 1), shift));
    const tested = (value: Expr): Expr => m.let(w.and(size === 8 ? w.wrap(w.shrU(value, shift)) : w.shrU(value, shift), w.i32(1)));
    if (!m.isMemory(0) || immediate) {
      const value = change === 'none' ? m.read(0) : m.readModify(0);
      const carry = tested(value);
      if (change !== 'none') m.write(0, m.let(m.truncate(size, changed(m, size, value, mask, change))));
      m.setCarry(carry);
      return;
    }
    // a register bit offset reaches beyond the operand, in both directions, within the address size
    const words = w.shrS(m.signed64(size, offset), w.i64(Math.log2(bits)));
    const effective = m.let(w.add(m.offset(0), w.mul(words, w.i64(size))));
    const linear = m.linearSource(m.let(m.resize(m.form.addressSize, 8, m.resize(8, m.form.addressSize, effective))), size, change !== 'none');
    if (change === 'none') { m.setCarry(tested(m.loadLinear(linear, size))); return; }
    const host = m.hostWrite(linear, size, true);
    const value = m.let(w.load(m.typeOf(size), (size * 8) as w.Width, host));
    const carry = tested(value);
    m.fn.store((size * 8) as w.Width, host, 0, changed(m, size, value, mask, change));
    m.commit(host);
    m.setCarry(carry);
  };
}

/** BSF and BSR: ZF from the source; a zero source leaves the destination alone. */
function scan(forward: boolean) {
  return (m: Machine): void => {
    const size = m.sizeOf(0);
    const source = m.read(1);
    const index = m.let(forward ? w.ctz(source) : w.xor(w.clz(source), m.constant(size, size === 8 ? 63 : 31)));
    const zero = m.let(w.eqz(source));
    m.when(zero, () => undefined, () => { m.write(0, index); });
    m.setFlags(m.signed64(size, source), w.i32(0));
  };
}

function setCountFlags(m: Machine, carry: Expr, zero: Expr): void {
  const no = w.i32(0);
  m.setAllFlags({ c: carry, z: zero, o: no, s: no, p: no, a: no });
}

function countZeros(trailing: boolean) {
  return (m: Machine): void => {
    const size = m.sizeOf(0);
    const source = m.read(1);
    const counted = size === 2
      ? trailing ? w.ctz(w.or(source, w.i32(0x1_0000))) : w.sub(w.clz(source), w.i32(16))
      : trailing ? w.ctz(source) : w.clz(source);
    const result = m.let(counted);
    const carry = m.let(w.eqz(source)), zero = m.let(w.eqz(result));
    m.write(0, result);
    setCountFlags(m, carry, zero);
  };
}

/** SF, ZF from the result; CF given; OF, AF, PF cleared (BMI). */
function bmiFlags(m: Machine, size: number, result: Expr, carry: Expr): void { m.setFlags(m.signed64(size, result), m.auxFromCarryOverflow(carry, carry)); m.setCarryOverflow(carry, w.i32(0)); }

function bmi(compute: (m: Machine, size: number, source: Expr) => { result: Expr; carry: Expr }, sourceOperand: number): InstructionEntry {
  return {
    run(m) {
      const size = m.sizeOf(0);
      const { result, carry } = compute(m, size, m.read(sourceOperand));
      const r = m.let(result), c = m.let(carry);
      m.write(0, r);
      bmiFlags(m, size, r, c);
    },
  };
}

/** SHLX, SHRX, SARX, RORX: no flags. */
function shiftWithoutFlags(operation: (a: Expr, b: Expr) => Expr): InstructionEntry {
  return { run: (m) => { m.write(0, m.let(operation(m.read(1), m.read(2, m.sizeOf(0))))); } };
}

function multiplyAdd(m: Machine, flag: 'c' | 'o'): void {
  const size = m.sizeOf(0);
  const a = m.read(0), b = m.read(1);
  const carry = m.flag(flag);
  const sum = m.let(w.add(a, b));
  const total = m.let(w.add(sum, size === 8 ? w.extendU(carry) : carry));
  const out = m.let(w.or(w.ltU(sum, a), w.ltU(total, sum)));
  const carryNow = flag === 'c' ? out : m.flag('c'), overflowNow = flag === 'o' ? out : m.flag('o');
  m.write(0, total);
  m.setCarryOverflow(carryNow, overflowNow);
}

export const BIT: InstructionTable = {
  bt: { uses: ['address'], run: bitTest('none') },
  bts: { uses: ['address'], run: bitTest('set') },
  btr: { uses: ['address'], run: bitTest('reset') },
  btc: { uses: ['address'], run: bitTest('complement') },
  bsf: { run: scan(true) },
  bsr: { run: scan(false) },
  tzcnt: { run: countZeros(true) },
  lzcnt: { run: countZeros(false) },
  popcnt: {
    run(m) {
      const source = m.read(1);
      m.write(0, m.let(w.popcnt(source)));
      setCountFlags(m, w.i32(0), m.let(w.eqz(source)));
    },
  },
  crc32: {
    run(m) {
      const size = m.sizeOf(1);
      const source = m.read(1);
      const from = m.let(m.sizeOf(0) === 8 ? w.wrap(m.read(0)) : m.read(0));
      const crc = m.let(m.helper('crc32c', from, m.let(size === 8 ? source : w.extendU(source)), w.i32(size * 8)));
      m.write(0, m.sizeOf(0) === 8 ? w.extendU(crc) : crc);
    },
  },
  cmpxchg: {
    run(m) {
      const size = m.sizeOf(0);
      const destination = m.readModify(0), source = m.read(1), accumulator = m.register(RAX, size);
      const difference = m.let(m.truncate(size, w.sub(accumulator, destination)));
      m.when(w.eqz(difference), () => { m.write(0, source); }, () => {
        if (m.isMemory(0)) m.write(0, destination);
        m.setRegister(RAX, size, destination);
      });
      m.flagsSub(size, accumulator, destination, difference);
    },
  },
  cmpxchg8b: {
    run(m) {
      const host = m.hostWrite(m.address(0, 8, true), 8, true);
      const old = m.let(w.load('i64', 64, host));
      const joined = (high: number, low: number): Expr => w.or(w.shl(w.extendU(m.register(high, 4)), w.i64(32)), w.extendU(m.register(low, 4)));
      const equal = m.let(w.eq(old, joined(RDX, RAX)));
      m.fn.store(64, host, 0, m.select(equal, m.let(joined(RCX, RBX)), old));
      m.commit(host);
      m.unless(equal, () => {
        m.setRegister(RAX, 4, w.wrap(old));
        m.setRegister(RDX, 4, w.wrap(w.shrU(old, w.i64(32))));
      });
      setZero(m, equal);
    },
  },
  cmpxchg16b: {
    run(m) {
      const address = m.let(m.address(0, 16, true));
      m.faultIf(w.ne(w.and(w.wrap(address), w.i32(15)), w.i32(0)), 13);
      const host = m.hostWrite(address, 16, true);
      const low = m.let(w.load('i64', 64, host)), high = m.let(w.load('i64', 64, host, 8));
      const equal = m.let(w.and(w.eq(low, m.register(RAX, 8)), w.eq(high, m.register(RDX, 8))));
      m.fn.store(64, host, 0, m.select(equal, m.register(RBX, 8), low));
      m.fn.store(64, host, 8, m.select(equal, m.register(RCX, 8), high));
      m.commit(host);
      m.unless(equal, () => {
        m.setRegister(RAX, 8, low);
        m.setRegister(RDX, 8, high);
      });
      setZero(m, equal);
    },
  },
  andn: { run: (m) => { const size = m.sizeOf(0); const r = m.let(w.and(w.xor(m.read(1), m.constant(size, -1)), m.read(2))); m.write(0, r); m.flagsLogic(size, r); } },
  blsr: bmi((m, size, s) => ({ result: w.and(s, w.sub(s, m.constant(size, 1))), carry: w.eqz(s) }), 1),
  blsmsk: bmi((m, size, s) => ({ result: w.xor(s, w.sub(s, m.constant(size, 1))), carry: w.eqz(s) }), 1),
  blsi: bmi((m, size, s) => ({ result: w.and(s, w.sub(m.constant(size, 0), s)), carry: w.eqz(w.eqz(s)) }), 1),
  bextr: {
    run(m) {
      const size = m.sizeOf(0), bits = size * 8;
      const source = m.read(1), control = m.read(2);
      const c = m.let(size === 8 ? w.wrap(control) : control);
      const start = m.let(w.and(c, w.i32(0xff))), length = m.let(w.and(w.shrU(c, w.i32(8)), w.i32(0xff)));
      const by = (n: Expr): Expr => (size === 8 ? w.extendU(n) : n);
      const shifted = m.let(w.select(w.ltU(start, w.i32(bits)), w.shrU(source, by(start)), m.constant(size, 0)));
      const mask = w.sub(w.shl(m.constant(size, 1), by(length)), m.constant(size, 1));
      const result = m.let(w.select(w.ltU(length, w.i32(bits)), w.and(shifted, mask), shifted));
      m.write(0, result);
      m.flagsLogic(size, result);
    },
  },
  bzhi: {
    run(m) {
      const size = m.sizeOf(0), bits = size * 8;
      const source = m.read(1), control = m.read(2);
      const n = m.let(w.and(size === 8 ? w.wrap(control) : control, w.i32(0xff)));
      const by = size === 8 ? w.extendU(n) : n;
      const within = m.let(w.ltU(n, w.i32(bits)));
      const result = m.let(w.select(within, w.and(source, w.sub(w.shl(m.constant(size, 1), by), m.constant(size, 1))), source));
      m.write(0, result);
      bmiFlags(m, size, result, m.let(w.eqz(within)));
    },
  },
  pext: { run: (m) => { deposit(m, 'pext'); } },
  pdep: { run: (m) => { deposit(m, 'pdep'); } },
  mulx: {
    run(m) {
      const size = m.sizeOf(0);
      const a = m.register(RDX, size), b = m.read(2);
      const product = size === 8 ? undefined : m.let(w.mul(w.extendU(a), w.extendU(b)));
      const low = m.let(product === undefined ? w.mul(a, b) : w.wrap(product));
      const high = m.let(product === undefined ? multiplyHigh((value) => m.let(value), a, b, false) : w.wrap(w.shrU(product, w.i64(32))));
      m.write(1, low);
      m.write(0, high);
    },
  },
  rorx: shiftWithoutFlags(rotateRight),
  shlx: shiftWithoutFlags(w.shl),
  shrx: shiftWithoutFlags(w.shrU),
  sarx: shiftWithoutFlags(w.shrS),
  adcx: { run: (m) => { multiplyAdd(m, 'c'); } },
  adox: { run: (m) => { multiplyAdd(m, 'o'); } },
};

function deposit(m: Machine, name: 'pext' | 'pdep'): void {
  const size = m.sizeOf(0);
  const wide = (v: Expr): Expr => (size === 8 ? v : w.extendU(v));
  const result = m.helper(name, wide(m.read(1)), wide(m.read(2)));
  m.write(0, m.let(size === 8 ? result : w.wrap(result)));
}

function setZero(m: Machine, zero: Expr): void {
  m.setAllFlags({ c: m.flag('c'), o: m.flag('o'), s: m.flag('s'), p: m.flag('p'), a: m.flag('a'), z: zero });
}
