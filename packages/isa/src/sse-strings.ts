/** PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM. SDM vol 1 §12.10, vol 2 §4.1 */
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder, FunctionRef, Local, ModuleBuilder } from '@vmm/wasm';
import { STATE } from '@vmm/state';
import type { InstructionEntry } from './entry.ts';
import { RAX, RCX, RDX } from './machine.ts';
import type { Machine } from './machine.ts';
import { checkSse, immediate8, readVector, xmmAddress } from './sse-access.ts';
import * as v from './sse-wasm.ts';

/** Where the two strings lie while they are compared. */
const firstOffset = STATE.scratch + 128, secondOffset = firstOffset + 16;

/** How elements are aggregated: imm bits 3..2. */
const AGGREGATE = { equalAny: 0, ranges: 1, equalEach: 2, equalOrdered: 3 } as const;

/** string_compare (a, b, length a, length b, imm): the result bits (IntRes2). Lengths are at most 16 or 8. */
export function defineStringCompare(module: ModuleBuilder, stateBase: number): FunctionRef {
  const element = module.define(['i32', 'i32', 'i32'], ['i32'], (fn) => {
    // (string offset, index, imm)
    const at = w.add(fn.param(0), fn.param(1)), wide = w.add(fn.param(0), w.shl(fn.param(1), w.i32(1))), signed = w.and(fn.param(2), w.i32(2));
    fn.if(w.and(fn.param(2), w.i32(1)), () => { fn.return(w.select(signed, w.load('i32', 16, wide, stateBase, true), w.load('i32', 16, wide, stateBase))); });
    fn.return(w.select(signed, w.load('i32', 8, at, stateBase, true), w.load('i32', 8, at, stateBase)));
  });
  return module.define(['v128', 'v128', 'i32', 'i32', 'i32'], ['i32'], (fn) => {
    const la = fn.param(2), lb = fn.param(3), imm = fn.param(4), n = fn.let(w.shrU(w.i32(16), w.and(imm, w.i32(1)))), kind = fn.let(w.and(w.shrU(imm, w.i32(2)), w.i32(3)));
    fn.store(128, w.i32(0), stateBase + firstOffset, fn.param(0));
    fn.store(128, w.i32(0), stateBase + secondOffset, fn.param(1));
    const first = (i: Expr): Expr => element.call(w.i32(firstOffset), i, imm), second = (j: Expr): Expr => element.call(w.i32(secondOffset), j, imm);
    const result = fn.local('i32'), i = fn.local('i32'), j = fn.local('i32'), match = fn.local('i32'), b = fn.local('i32');
    const get = (local: Local): Expr => fn.get(local);
    fn.set(result, w.i32(0));
    count(fn, j, n, w.i32(1), () => {
      fn.set(match, w.i32(0));
      fn.if(w.ltU(kind, w.i32(AGGREGATE.equalEach)), () => {
        fn.if(w.ltU(get(j), lb), () => {
          fn.set(b, second(get(j)));
          fn.if(w.eq(kind, w.i32(AGGREGATE.equalAny)), () => {
            count(fn, i, la, w.i32(1), () => { fn.set(match, w.or(get(match), w.eq(first(get(i)), get(b)))); });
          }, () => {
            count(fn, i, w.and(la, w.i32(-2)), w.i32(2), () => {
              fn.set(match, w.or(get(match), w.and(w.geS(get(b), first(get(i))), w.leS(get(b), first(w.add(get(i), w.i32(1)))))));
            });
          });
        });
      }, () => {
        fn.if(w.eq(kind, w.i32(AGGREGATE.equalEach)), () => {
          const hasA = w.ltU(get(j), la), hasB = w.ltU(get(j), lb);
          fn.set(match, w.select(w.and(hasA, hasB), w.eq(first(get(j)), second(get(j))), w.eqz(w.or(hasA, hasB))));
        }, () => {
          fn.set(match, w.i32(1));
          count(fn, i, w.sub(n, get(j)), w.i32(1), () => {
            const at = w.add(get(i), get(j)), equal = w.and(w.ltU(at, lb), w.eq(first(get(i)), second(w.and(at, w.i32(15)))));
            fn.set(match, w.and(get(match), w.or(w.geU(get(i), la), equal)));
          });
        });
      });
      fn.set(result, w.or(get(result), w.shl(get(match), get(j))));
    });
    // polarity: bit 4 negates, bit 5 only where the second string is valid
    const all = w.sub(w.shl(w.i32(1), n), w.i32(1)), valid = w.sub(w.shl(w.i32(1), lb), w.i32(1));
    fn.if(w.and(imm, w.i32(0x10)), () => { fn.set(result, w.xor(get(result), w.select(w.and(imm, w.i32(0x20)), valid, all))); });
    fn.return(get(result));
  });
}
/** for (i = 0; i < limit; i += step). */
function count(fn: FunctionBuilder, i: Local, limit: Expr, step: Expr, body: () => void): void {
  fn.set(i, w.i32(0));
  fn.block((done) => { fn.loop((again) => {
    fn.brIf(done, w.geU(fn.get(i), limit));
    fn.scope(body);
    fn.set(i, w.add(fn.get(i), step));
    fn.br(again);
  }); });
}

/** Number of elements before the first zero. */
function implicitLength(m: Machine, a: Expr, isWords: Expr): Expr {
  const bytes = w.ctz(w.or(v.bitmask8(v.eq8(a, v.zero())), w.i32(0x1_0000))), words = w.ctz(w.or(v.bitmask16(v.eq16(a, v.zero())), w.i32(0x100)));
  return m.let(w.select(isWords, words, bytes));
}
/** |EAX| or |EDX| (RAX, RDX with REX.W), at most the number of elements. */
function explicitLength(m: Machine, register: number, isWords: Expr): Expr {
  const value = m.size === 8 ? m.register(register, 8) : m.let(w.extendS(m.register(register, 4)));
  const magnitude = m.let(w.select(w.ltS(value, w.i64(0)), w.sub(w.i64(0), value), value)), limit = m.let(w.extendU(w.shrU(w.i32(16), isWords)));
  return m.let(w.wrap(w.select(w.gtU(magnitude, limit), limit, magnitude)));
}

export function compareStrings(m: Machine, explicit: boolean, toIndex: boolean, write: (mask: Expr) => void): void {
  const b = readVector(m, 1, false), a = m.read(0), imm = immediate8(m, 2), isWords = m.let(w.and(imm, w.i32(1))), n = m.let(w.shrU(w.i32(16), isWords));
  const la = explicit ? explicitLength(m, RAX, isWords) : implicitLength(m, a, isWords), lb = explicit ? explicitLength(m, RDX, isWords) : implicitLength(m, b, isWords);
  const result = m.helper('string_compare', a, b, la, lb, imm), top = m.let(w.and(imm, w.i32(0x40)));
  if (toIndex) {
    const index = w.select(w.eqz(result), n, w.select(top, w.sub(w.i32(31), w.clz(result)), w.ctz(result)));
    m.setRegister(RCX, 4, m.let(index));
  } else {
    const byteBits = v.bytes(1, 2, 4, 8, 16, 32, 64, 128), spread = v.shuffleLanes(1, v.splat16(result), v.zero(), [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]);
    const byteMask = v.eq8(v.and(spread, byteBits), byteBits), wordBits = v.words(1, 2, 4, 8, 16, 32, 64, 128), wordMask = v.eq16(v.and(v.splat16(result), wordBits), wordBits);
    write(m.let(w.select(top, w.select(isWords, wordMask, byteMask), v.withLane32(v.zero(), 0, result))));
  }
  const no = w.i32(0);
  m.setAllFlags({ c: m.let(w.ne(result, no)), z: m.let(w.ltU(lb, n)), s: m.let(w.ltU(la, n)), o: m.let(w.and(result, w.i32(1))), a: no, p: no });
}

function entry(explicit: boolean, toIndex: boolean): InstructionEntry {
  return { uses: explicit ? ['size'] : [], run: (m) => {
    checkSse(m);
    compareStrings(m, explicit, toIndex, (mask) => { m.fn.store(128, w.i32(0), xmmAddress(m, 0), mask); });
  } };
}

export const STRINGS: Readonly<Record<string, InstructionEntry>> = {
  pcmpestri: entry(true, true), pcmpestrm: entry(true, false), pcmpistri: entry(false, true), pcmpistrm: entry(false, false),
};
