/** SDM vol 1 §7.3.8 and chapter 6: jumps, calls, returns, loops, software interrupts. */
import * as w from '@vmm/wasm';
import { EXCEPTION } from './exceptions.ts';
import { CONDITIONS } from './integer-move.ts';
import type { InstructionEntry, InstructionTable } from './entry.ts';
import { RBP, RCX, RSP, SS } from './machine.ts';
import type { Machine } from './machine.ts';
import { popValue, push, setStackPointer, stackMask, stackPointer } from './stack.ts';

const jcc: Record<string, InstructionEntry> = {};
CONDITIONS.forEach((name, code) => {
  jcc[`j${name}`] = { uses: ['size'], ends: true, run: (m) => { jumpIf(m, m.condition(code)); } };
});

const wide = (m: Machine, value: w.Expr): w.Expr => m.let(m.size === 8 ? value : w.extendU(value));

/** Bit 0 of a segment's checks word: its limit counts. Bit 12 of CR4: LA57. */
const CHECK_LIMIT = 1, LA57 = 1 << 12, CODE_SEGMENT = 1;
const isSignExtended = (value: w.Expr, bits: number): w.Expr => w.eq(w.shrS(w.shl(value, w.i64(64 - bits)), w.i64(64 - bits)), value);

/** A near transfer's target must be canonical, or within the limit of CS; #GP(0) is raised by the transfer, before anything changes. */
function checkTarget(m: Machine, target: w.Expr): void {
  if (m.size === 8) {
    m.seldom(w.eqz(isSignExtended(target, 48)), () => {
      const wideAddresses = w.ne(w.and(m.state64('cr4'), w.i64(LA57)), w.i64(0));
      m.unless(w.and(wideAddresses, isSignExtended(target, 57)), () => { m.fault(EXCEPTION.GP); });
    });
    return;
  }
  if (!m.checksCodeLimit) return;
  const slot = m.stateAddress('segment', 2 * CODE_SEGMENT + 1);
  m.when(w.and(w.load('i32', 32, w.i32(0), slot + 4), w.i32(CHECK_LIMIT)), () => {
    m.when(w.gtU(w.wrap(target), w.load('i32', 32, w.i32(0), slot)), () => { m.fault(EXCEPTION.GP); });
  });
}

/** Before anything changes: a relative branch that will be taken (by `condition`) must stay within the limit of CS. */
function checkRelative(m: Machine, condition?: w.Expr): void {
  if (m.size === 8 || !m.checksCodeLimit) return;
  const slot = m.stateAddress('segment', 2 * CODE_SEGMENT + 1), limited = w.and(w.load('i32', 32, w.i32(0), slot + 4), w.i32(CHECK_LIMIT));
  m.when(condition === undefined ? limited : w.and(limited, condition), () => { checkTarget(m, m.relativeTarget()); });
}
function jumpIf(m: Machine, condition: w.Expr): void {
  checkRelative(m, condition);
  m.jumpRelativeIf(condition);
}

function jumpNear(m: Machine): void {
  if (m.form.operands[0]?.kind === 'imm') {
    checkRelative(m);
    m.jumpRelative();
    return;
  }
  const target = wide(m, m.read(0));
  checkTarget(m, target);
  m.jump(target, m.size);
}

function callNear(m: Machine): void {
  const isRelative = m.form.operands[0]?.kind === 'imm';
  const target = isRelative ? m.relativeTarget() : wide(m, m.read(0));
  if (!isRelative || m.size < 8) checkTarget(m, target);
  push(m, m.size, m.let(m.resize(8, m.size, m.nextIp())));
  m.jump(target, m.size);
}

function retNear(m: Machine): void {
  const target = wide(m, popValue(m, m.size));
  checkTarget(m, target);
  const extra = m.hasOperand(0) ? w.and(m.immediate64(0), w.i64(0xffff)) : w.i64(0);
  setStackPointer(m, w.add(w.add(stackPointer(m), w.i64(m.size)), extra));
  m.jump(target, m.size);
}

/** Far pointer operand: immediate (offset, selector) or memory m16:16/32/64. */
function farTarget(m: Machine): { selector: w.Expr; offset: w.Expr } {
  if (!m.isMemory(0)) return { selector: w.extendU(m.secondImmediate()), offset: m.let(m.size === 8 ? m.immediate64(0) : w.and(m.immediate64(0), w.i64(m.size === 2 ? 0xffff : -1, 0))) };
  const address = m.let(m.address(0, m.size + 2));
  const offset = m.loadLinear(address, m.size);
  return { offset: wide(m, offset), selector: w.extendU(m.loadLinear(m.let(w.add(address, w.i64(m.size))), 2)) };
}

/** LOOP family and JrCXZ: the counter's width is the address size. */
function loop(condition: (m: Machine) => w.Expr | undefined): InstructionEntry {
  return {
    uses: ['address', 'size'], ends: true,
    run(m) {
      const size = m.form.addressSize;
      const count = m.let(m.truncate(size, w.sub(m.register(RCX, size), m.constant(size, 1))));
      const extra = condition(m), more = w.ne(count, m.constant(size, 0)), taken = m.let(extra === undefined ? more : w.and(more, extra));
      checkRelative(m, taken);
      m.setRegister(RCX, size, count);
      m.jumpRelativeIf(taken);
    },
  };
}
const jumpIfCountZero = (size: number): InstructionEntry => ({ uses: ['size'], ends: true, run: (m) => { jumpIf(m, m.let(w.eqz(m.register(RCX, size)))); } });

function enter(m: Machine): void {
  const level = m.let(w.and(m.secondImmediate(), w.i32(31)));
  const frame = m.register(RBP, m.size);
  const start = stackPointer(m);
  const mask = stackMask(m);
  const below = (bytes: w.Expr): w.Expr => m.let(w.and(w.sub(start, bytes), mask));
  const frameAt = below(w.i64(m.size));
  const allocated = w.and(m.immediate64(0), w.i64(0xffff));
  const display = w.mul(w.extendU(level), w.i64(m.size));
  const last = below(w.add(w.add(w.i64(m.size), allocated), display));
  // the frame pointer takes bits above the stack's width along
  const framePointer = m.let(m.resize(8, m.size, m.let(w.or(w.and(m.register(RSP, 8), w.xor(mask, w.i64(-1, -1))), frameAt))));
  m.storeLinear(m.linear(SS, frameAt, m.size, true), m.size, frame);
  m.when(level, () => {
    const i = m.local('i32');
    m.fn.set(i, w.i32(1));
    m.fn.loop((again) => {
      m.when(w.ltU(m.fn.get(i), level), () => {
        const step = m.let(w.mul(w.extendU(m.fn.get(i)), w.i64(m.size)));
        const from = m.let(w.and(w.sub(m.register(RBP, 8), step), mask));
        const to = m.let(w.and(w.sub(frameAt, step), mask));
        m.storeLinear(m.linear(SS, to, m.size, true), m.size, m.loadLinear(m.linear(SS, from, m.size), m.size));
        m.fn.set(i, w.add(m.fn.get(i), w.i32(1)));
        m.fn.br(again);
      });
    });
    m.storeLinear(m.linear(SS, m.let(w.and(w.sub(frameAt, m.let(display)), mask)), m.size, true), m.size, framePointer);
  });
  // the end of the new frame must be writable; the words stored so far are beyond the top of the stack if it is not
  m.hostWrite(m.linear(SS, last, m.size, true), m.size);
  m.setRegister(RBP, m.size, framePointer);
  setStackPointer(m, last);
}

const transfer = (run: (m: Machine) => void): InstructionEntry => ({ uses: ['size', 'stack'], ends: true, run });

export const CONTROL: InstructionTable = {
  ...jcc,
  jmp: { uses: ['size'], ends: true, run: jumpNear },
  call: transfer(callNear),
  ret: transfer(retNear),
  jmpf: transfer((m) => { const { selector, offset } = farTarget(m); m.callout('far_jump', [selector, offset], m.size); }),
  callf: transfer((m) => { const { selector, offset } = farTarget(m); m.callout('far_call', [selector, offset], m.size); }),
  retf: transfer((m) => { m.callout('far_return', [m.hasOperand(0) ? w.and(m.immediate64(0), w.i64(0xffff)) : w.i64(0)], m.size); }),
  iret: transfer((m) => { m.transferOr(() => m.helper('interruptReturn', w.i32(m.size)), 'iret', [], m.size); }),
  int: {
    ends: true,
    run(m) {
      const vector = m.let(w.and(m.immediate64(0), w.i64(0xff)));
      m.transferOr(() => m.helper('softwareInterrupt', w.wrap(vector), m.nextIp()), 'int_n', [vector]);
    },
  },
  int3: { ends: true, run: (m) => { m.transferOr(() => m.helper('softwareInterrupt', w.i32(EXCEPTION.BP), m.nextIp()), 'int3'); } },
  int1: { ends: true, run: (m) => { m.callout('int1'); } },
  into: { ends: true, run: (m) => { m.when(m.flag('o'), () => { m.callout('into'); }); m.dispatchNext(); } },
  loop: loop(() => undefined),
  loope: loop((m) => m.flag('z')),
  loopne: loop((m) => m.let(w.eqz(m.flag('z')))),
  jcxz: jumpIfCountZero(2),
  jecxz: jumpIfCountZero(4),
  jrcxz: jumpIfCountZero(8),
  enter: { uses: ['stack', 'size'], run: enter },
  bound: {
    run(m) {
      const size = m.sizeOf(0);
      const address = m.let(m.address(1, size * 2));
      const index = m.let(m.signed(size, m.read(0)));
      const low = m.let(m.signed(size, m.loadLinear(address, size))), high = m.let(m.signed(size, m.loadLinear(m.let(w.add(address, w.i64(size))), size)));
      m.faultIf(w.or(w.ltS(index, low), w.gtS(index, high)), 5);
    },
  },
};
