import * as w from '@vmm/wasm';
import type { Expr, FunctionRef, ModuleBuilder } from '@vmm/wasm';
import { ATTRIBUTE, SEG } from './architecture.ts';
import { MODE } from './mode.ts';
import { VM86_ATTRIBUTES } from './segments.ts';
import { giveUpIf, giveUpUnless } from './state-code.ts';
import { attributesOf, baseOf, descriptorOf, dplOf, hasAttributes, isNull, limitOf } from './table-code.ts';
import type { TableFunctions } from './table-code.ts';

const PRESENT = ATTRIBUTE.P | ATTRIBUTE.S | ATTRIBUTE.ACCESSED;

/**
 * (segment, selector) -> 1: `loadSegment` of a data segment register is done, and code goes on in the mode it was made for. 0: do it in TypeScript,
 * (again) from the start.
 */
export function defineLoadSegment(module: ModuleBuilder, t: TableFunctions): FunctionRef {
  const { state } = t;
  /** (segment, selector, virtual-8086 mode): `setRealSegment` and `setVm86Segment`. */
  const setPlainSegment = module.define(['i32', 'i32', 'i32'], [], (fn) => {
    const selector = fn.let(w.and(fn.param(1), w.i32(0xffff))), isVirtual = fn.param(2), word = fn.let(w.shl(fn.param(0), w.i32(2)));
    const before = fn.let(state.word('segmentAttributes', 0, word)), isNew = w.or(isVirtual, w.and(before, w.i32(ATTRIBUTE.UNUSABLE)));
    const real = w.or(w.and(before, w.i32(ATTRIBUTE.DB | ATTRIBUTE.G)), w.i32(ATTRIBUTE.P | ATTRIBUTE.S | 3));
    state.setWord(fn, 'selector', selector, 0, word);
    state.setLong(fn, 'segmentBase', w.extendU(w.shl(selector, w.i32(4))), 0, w.shl(fn.param(0), w.i32(3)));
    fn.if(isNew, () => { state.setWord(fn, 'segmentLimit', w.i32(0xffff), 0, word); });
    state.setWord(fn, 'segmentAttributes', w.select(isVirtual, w.i32(VM86_ATTRIBUTES), real), 0, word);
  });
  return module.define(['i32', 'i32'], ['i32'], (fn) => {
    const index = fn.param(0), selector = fn.param(1), key = fn.let(state.word('modeKey'));
    giveUpIf(fn, w.eq(index, w.i32(SEG.SS)));
    fn.unless(w.and(key, w.i32(MODE.PROTECTED)), () => {
      fn.callVoid(setPlainSegment.index, [index, selector, w.and(key, w.i32(MODE.VM86))]);
      fn.callVoid(t.refreshSegment.index, [index]);
      fn.return(w.eq(state.word('modeKey'), key));
    });
    fn.if(isNull(selector), () => {
      const word = fn.let(w.shl(index, w.i32(2)));
      state.setWord(fn, 'selector', w.and(selector, w.i32(0xffff)), 0, word);
      state.setLong(fn, 'segmentBase', w.i64(0), 0, w.shl(index, w.i32(3)));
      state.setWord(fn, 'segmentLimit', w.i32(0), 0, word);
      state.setWord(fn, 'segmentAttributes', w.i32(ATTRIBUTE.UNUSABLE), 0, word);
    }, () => {
      const { lo, hi } = descriptorOf(fn, t, selector);
      giveUpUnless(fn, hasAttributes(hi, PRESENT, PRESENT));
      const has = (mask: number, wanted: number): Expr => hasAttributes(hi, mask, wanted);
      giveUpIf(fn, has(ATTRIBUTE.CODE | ATTRIBUTE.READABLE, ATTRIBUTE.CODE));
      const dpl = fn.let(dplOf(hi)), isConforming = has(ATTRIBUTE.CODE | ATTRIBUTE.CONFORMING, ATTRIBUTE.CODE | ATTRIBUTE.CONFORMING);
      const isInner = w.or(w.gtU(w.and(selector, w.i32(3)), dpl), w.gtU(state.word('cpl'), dpl));
      giveUpIf(fn, w.and(isInner, w.eqz(isConforming)));
      // most loads bring what is there already
      const word = fn.let(w.shl(index, w.i32(2))), base = state.long('segmentBase', 0, w.shl(index, w.i32(3)));
      const differs = w.or(w.xor(state.word('segmentLimit', 0, word), limitOf(fn, lo, hi)), w.xor(state.word('segmentAttributes', 0, word), attributesOf(hi)));
      fn.unless(w.or(differs, w.ne(base, w.extendU(baseOf(lo, hi)))), () => {
        state.setWord(fn, 'selector', w.and(selector, w.i32(0xffff)), 0, word);
        fn.return(w.i32(1));
      });
      fn.callVoid(t.setSegment.index, [index, selector, lo, hi]);
    });
    fn.callVoid(t.refreshSegment.index, [index]);
    fn.return(w.eq(state.word('modeKey'), key));
  });
}
