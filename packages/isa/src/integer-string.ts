/**
 * SDM vol 1 §7.3.9: string instructions. With a REP prefix one execution does a bounded part and then runs again through dispatch, so that
 * interrupts are taken between parts and a fault leaves registers at the element that faulted (SDM vol 2, REP).
 */
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';
import type { InstructionTable } from './entry.ts';
import { ES, RAX, RCX, RDI, RDX, RSI } from './machine.ts';
import type { Machine } from './machine.ts';

const addressMask = (m: Machine): Expr => (m.form.addressSize === 2 ? w.i64(0xffff, 0) : m.form.addressSize === 4 ? w.i64(-1, 0) : w.i64(-1, -1));
const pointer = (m: Machine, register: number): Expr => m.let(w.and(m.register(register, 8), addressMask(m)));
const setPointer = (m: Machine, register: number, value: Expr): void => { m.setRegister(register, m.form.addressSize, m.let(m.resize(8, m.form.addressSize, value))); };
/** +size or -size by the direction flag, as i64. */
const stride = (m: Machine, size: number): Expr => m.select(w.and(m.state32('eflags'), w.i32(1 << 10)), w.i64(-size), w.i64(size));
/** Bit 3 of the mode key: one instruction at a time, which means one element at a time. */
const SINGLE_STEP = 8;
/** Whether runs of elements may go at once as far as the mode is concerned: upwards and not step by step. */
const forward = (m: Machine): Expr => w.eqz(w.or(w.and(m.state32('eflags'), w.i32(1 << 10)), w.and(m.state32('modeKey'), w.i32(SINGLE_STEP))));
const isRepeated = (m: Machine): boolean => m.form.rep !== 0;

function advance(m: Machine, registers: readonly number[], by: Expr): void {
  for (const register of registers) setPointer(m, register, w.add(m.register(register, 8), by));
}
function countDown(m: Machine, by: Expr): void { setPointer(m, RCX, w.sub(m.register(RCX, 8), by)); }

/** Run `element` once, or under REP: nothing for count 0, else one part and again while the count is not 0. */
function repeated(m: Machine, part: () => void, more?: () => Expr): void {
  if (!isRepeated(m)) { part(); return; }
  m.when(w.ne(pointer(m, RCX), w.i64(0)), () => {
    part();
    const left = w.ne(pointer(m, RCX), w.i64(0));
    m.when(more === undefined ? left : w.and(left, more()), () => { m.repeat(); });
  });
}

/** Elements that fit before the end of the page that `linear` lies in, as i64 (0 if the first one crosses). */
const elementsInPage = (linear: Expr, size: number): Expr => w.shrU(w.sub(w.i64(4096), w.and(linear, w.i64(4095))), w.i64(Math.log2(size)));
const minimum = (m: Machine, a: Expr, b: Expr): Expr => m.select(w.ltU(a, b), a, b);
/** Elements that the segment's limit allows; one has been checked already. */
function elementsInSegment(m: Machine, segment: number | 'source', register: number, size: number): Expr {
  const elements = m.let(w.shrU(m.bulkLimit(segment, pointer(m, register)), w.i64(Math.log2(size))));
  return m.select(w.eqz(elements), w.i64(1), elements);
}

function movs(m: Machine): void {
  const size = m.sizeOf(0);
  repeated(m, () => {
    const source = m.let(m.linearSource(pointer(m, RSI), size)), from = m.hostRead(source, size);
    const value = m.let(w.load(m.typeOf(size), (size * 8) as w.Width, from));
    const destination = m.let(m.linear(ES, pointer(m, RDI), size, true)), to = m.hostWrite(destination, size);
    const single = (): void => {
      m.fn.store((size * 8) as w.Width, to, 0, value);
      m.commit(to);
      advance(m, [RSI, RDI], stride(m, size));
      if (isRepeated(m)) countDown(m, w.i64(1));
    };
    if (!isRepeated(m)) { single(); return; }
    // whole runs of plain memory go as one bulk copy, unless the copy feeds on its own output
    const fast = m.let(w.and(w.and(m.bulkReadable(source, size), m.bulkWritable(destination, size)), forward(m)));
    m.when(fast, () => {
      const inSegments = minimum(m, elementsInSegment(m, 'source', RSI, size), elementsInSegment(m, ES, RDI, size));
      const inPages = minimum(m, elementsInPage(source, size), elementsInPage(destination, size));
      const elements = minimum(m, minimum(m, inPages, inSegments), pointer(m, RCX));
      const bytes = m.let(w.shl(elements, w.i64(Math.log2(size))));
      const distance = m.let(w.sub(to, from));
      m.when(w.geU(distance, w.wrap(bytes)), () => {
        m.fn.memoryCopy(to, from, w.wrap(bytes));
        advance(m, [RSI, RDI], bytes);
        countDown(m, elements);
      }, single);
    }, single);
  });
}

function stos(m: Machine): void {
  const size = m.sizeOf(0);
  repeated(m, () => {
    const value = m.register(RAX, size);
    const destination = m.let(m.linear(ES, pointer(m, RDI), size, true));
    const to = m.hostWrite(destination, size);
    const single = (): void => {
      m.fn.store((size * 8) as w.Width, to, 0, value);
      m.commit(to);
      advance(m, [RDI], stride(m, size));
      if (isRepeated(m)) countDown(m, w.i64(1));
    };
    if (!isRepeated(m)) { single(); return; }
    m.when(w.and(m.bulkWritable(destination, size), forward(m)), () => {
      const elements = minimum(m, minimum(m, elementsInPage(destination, size), elementsInSegment(m, ES, RDI, size)), pointer(m, RCX));
      const bytes = m.let(w.shl(elements, w.i64(Math.log2(size))));
      const low = size === 8 ? w.wrap(value) : value;
      const uniform = size === 1 ? w.i32(1) : w.eq(value, size === 8 ? w.mul(w.and(value, w.i64(0xff)), w.i64(0x0101_0101, 0x0101_0101)) : w.mul(w.and(value, w.i32(0xff)), w.i32(size === 2 ? 0x0101 : 0x0101_0101)));
      m.when(uniform, () => { m.fn.memoryFill(to, w.and(low, w.i32(0xff)), w.wrap(bytes)); }, () => {
        const at = m.local('i32'), end = m.let(w.add(to, w.wrap(bytes)));
        m.fn.set(at, to);
        m.fn.loop((again) => {
          m.fn.store((size * 8) as w.Width, m.fn.get(at), 0, value);
          m.fn.set(at, w.add(m.fn.get(at), w.i32(size)));
          m.fn.brIf(again, w.ltU(m.fn.get(at), end));
        });
      });
      advance(m, [RDI], bytes);
      countDown(m, elements);
    }, single);
  });
}

function lods(m: Machine): void {
  const size = m.sizeOf(0);
  repeated(m, () => {
    const value = m.loadLinear(m.linearSource(pointer(m, RSI), size), size);
    m.setRegister(RAX, size, value);
    advance(m, [RSI], stride(m, size));
    if (isRepeated(m)) countDown(m, w.i64(1));
  });
}

const wantsEqual = (m: Machine): boolean => m.form.rep === 0xf3;

/** CMPS and SCAS: under REPE/REPNE one element an execution. */
function compareStrings(m: Machine, registers: readonly number[], left: () => Expr, right: () => Expr): void {
  const size = m.sizeOf(0);
  const once = (): void => {
    const a = left(), b = right();
    advance(m, registers, stride(m, size));
    if (isRepeated(m)) countDown(m, w.i64(1));
    m.flagsSub(size, a, b, m.let(m.truncate(size, w.sub(a, b))));
  };
  repeated(m, once, () => (wantsEqual(m) ? m.flag('z') : w.eqz(m.flag('z'))));
}

/** What an access to a port has caused (an SMI, an interrupt) comes before the next instruction. */
function afterPort(m: Machine): void { m.when(m.state32('pending'), () => { m.dispatchNext(); }); }

const ioPort = (m: Machine): Expr => w.extendU(m.register(RDX, 2));

export const STRING: InstructionTable = {
  movs: { uses: ['address', 'rep'], run: movs },
  stos: { uses: ['address', 'rep'], run: stos },
  lods: { uses: ['address', 'rep'], run: lods },
  cmps: {
    uses: ['address', 'rep'],
    run(m) {
      const size = m.sizeOf(0);
      compareStrings(m, [RSI, RDI], () => m.loadLinear(m.linearSource(pointer(m, RSI), size), size), () => m.loadLinear(m.linear(ES, pointer(m, RDI), size), size));
    },
  },
  scas: {
    uses: ['address', 'rep'],
    run(m) {
      const size = m.sizeOf(0);
      compareStrings(m, [RDI], () => m.register(RAX, size), () => m.loadLinear(m.linear(ES, pointer(m, RDI), size), size));
    },
  },
  ins: {
    uses: ['address', 'rep'],
    run(m) {
      const size = m.sizeOf(0);
      // permission first (also for count 0), then the page, then the port: a page fault must not lose what the port gave
      m.callout('io_check', [ioPort(m)], size);
      repeated(m, () => {
        const to = m.hostWrite(m.linear(ES, pointer(m, RDI), size, true), size);
        m.callout('in', [ioPort(m)], size);
        m.fn.store((size * 8) as w.Width, to, 0, m.calloutResult(size));
        m.commit(to);
        advance(m, [RDI], stride(m, size));
        if (isRepeated(m)) countDown(m, w.i64(1));
      });
      afterPort(m);
    },
  },
  outs: {
    uses: ['address', 'rep'],
    run(m) {
      const size = m.sizeOf(1);
      m.callout('io_check', [ioPort(m)], size);
      repeated(m, () => {
        const value = m.loadLinear(m.linearSource(pointer(m, RSI), size), size);
        m.callout('out', [ioPort(m), w.extendU(value)], size);
        advance(m, [RSI], stride(m, size));
        if (isRepeated(m)) countDown(m, w.i64(1));
      });
      afterPort(m);
    },
  },
};

