import { EVENT_CARE } from '@vmm/state';
import * as w from '@vmm/wasm';
import type { FunctionRef, ModuleBuilder } from '@vmm/wasm';
import { ATTRIBUTE, EFLAGS, GPR, SEG } from './architecture.ts';
import { isCanonical } from './event-code.ts';
import { ARITHMETIC_FLAGS, SYSTEM_FLAGS } from './flags.ts';
import { MODE } from './mode.ts';
import { giveUpIf, giveUpUnless, isSet } from './state-code.ts';
import type { StateCode } from './state-code.ts';
import { descriptorOf, dplOf, giveUpUnlessFlatStack, hasAttributes, isLong, isNull, isPlainCode, isPlainData, limitOf, setNullSegment } from './table-code.ts';
import type { TableFunctions } from './table-code.ts';

const RSP = 8 * GPR.RSP;
/** What IRET of 32 or 64 bits loads at CPL 0, but for RF, which is dropped while nothing is armed. */
const RETURN_FLAGS = (ARITHMETIC_FLAGS | SYSTEM_FLAGS) & ~(EFLAGS.VM | EFLAGS.RF);
const PRIVILEGED_FLAGS = EFLAGS.IOPL_MASK | EFLAGS.VIF | EFLAGS.VIP;

/** `loadableFlags`, without RF. */
function loadableFlags(state: StateCode, cpl: w.Expr): w.Expr {
  const iopl = w.and(w.shrU(state.word('eflags'), w.i32(EFLAGS.IOPL_SHIFT)), w.i32(3));
  const outside = w.select(w.gtU(cpl, iopl), w.i32(RETURN_FLAGS & ~(PRIVILEGED_FLAGS | EFLAGS.IF)), w.i32(RETURN_FLAGS & ~PRIVILEGED_FLAGS));
  return w.select(cpl, outside, w.i32(RETURN_FLAGS));
}

/** Setting IF would have to be noticed by somebody: an interrupt waits for it. */
export function opensInterrupts(state: StateCode, flags: w.Expr): w.Expr {
  const opened = w.and(w.and(flags, w.xor(state.word('eflags'), w.i32(-1))), w.i32(EFLAGS.IF));
  return w.and(isSet(opened), isSet(state.word('interruptWaits')));
}

/** (operand size) -> 1: IRET or IRETQ is done; 0: it is TypeScript's. */
export function defineInterruptReturn(module: ModuleBuilder, t: TableFunctions): FunctionRef {
  const { state } = t;
  const dropInner = module.define(['i32'], [], (fn) => {
    for (const index of [SEG.ES, SEG.DS, SEG.FS, SEG.GS]) {
      fn.scope(() => {
        const attributes = fn.let(state.word('segmentAttributes', 4 * index));
        const stays = w.or(w.or(isSet(w.and(attributes, w.i32(ATTRIBUTE.UNUSABLE))), hasAttributes(w.shl(attributes, w.i32(8)), ATTRIBUTE.CODE | ATTRIBUTE.CONFORMING, ATTRIBUTE.CODE | ATTRIBUTE.CONFORMING)),
          w.geU(w.and(w.shrU(attributes, w.i32(5)), w.i32(3)), fn.param(0)));
        fn.unless(stays, () => {
          state.setWord(fn, 'selector', w.i32(0), 4 * index);
          state.setWord(fn, 'segmentAttributes', w.i32(ATTRIBUTE.UNUSABLE), 4 * index);
          fn.callVoid(t.refreshSegment.index, [w.i32(index)]);
        });
      });
    }
  });
  return module.define(['i32'], ['i32'], (fn) => {
    const size = fn.param(0), cpl = fn.let(state.word('cpl')), is64 = fn.let(isSet(state.bits('modeKey', MODE.CODE64)));
    const key = state.bits('modeKey', MODE.PROTECTED | MODE.SINGLE_STEP);
    giveUpIf(fn, w.or(w.or(w.ne(key, w.i32(MODE.PROTECTED)), state.bits('eventCare', EVENT_CARE.nmiBlocked)), state.bits('eflags', EFLAGS.NT)));
    // IRET of 32 bits in 64-bit code, and of 16 anywhere, are rare
    giveUpIf(fn, w.ne(size, w.select(is64, w.i32(8), w.i32(4))));
    giveUpUnlessFlatStack(fn, state, is64);
    const oldRsp = fn.let(state.long('gpr', RSP));
    const ripWord = fn.local('i64'), csWord = fn.local('i32'), flags = fn.local('i32'), rsp = fn.local('i64'), ss = fn.local('i32'), popsStack = fn.local('i32');
    fn.if(is64, () => {
      const host = fn.let(t.currentHost.call(oldRsp, w.i32(40), w.i32(0)));
      giveUpUnless(fn, host);
      fn.set(ripWord, w.load('i64', 64, host));
      fn.set(csWord, w.load('i32', 16, host, 8));
      fn.set(flags, w.load('i32', 32, host, 16));
      fn.set(rsp, w.load('i64', 64, host, 24));
      fn.set(ss, w.load('i32', 16, host, 32));
      fn.set(popsStack, w.i32(1));
    }, () => {
      const linear = fn.let(w.and(oldRsp, w.i64(-1, 0))), host = fn.let(t.currentHost.call(linear, w.i32(12), w.i32(0)));
      giveUpUnless(fn, host);
      fn.set(ripWord, w.load('i64', 32, host));
      fn.set(csWord, w.load('i32', 16, host, 4));
      fn.set(flags, w.load('i32', 32, host, 8));
      fn.set(popsStack, w.gtU(w.and(fn.get(csWord), w.i32(3)), cpl));
      fn.if(fn.get(popsStack), () => {
        const outer = fn.let(t.currentHost.call(linear, w.i32(20), w.i32(0)));
        giveUpUnless(fn, outer);
        fn.set(rsp, w.load('i64', 32, outer, 12));
        fn.set(ss, w.load('i32', 16, outer, 16));
      });
    });
    const rip = fn.get(ripWord), cs = fn.get(csWord);
    const mask = fn.let(loadableFlags(state, cpl)), newFlags = fn.let(w.or(w.and(t.readFlags.call(), w.xor(mask, w.i32(-1))), w.and(fn.get(flags), mask)));
    giveUpIf(fn, w.or(w.and(fn.get(flags), w.i32(EFLAGS.TF | EFLAGS.VM)), opensInterrupts(state, newFlags)));
    const code = descriptorOf(fn, t, cs), rpl = fn.let(w.and(cs, w.i32(3)));
    giveUpUnless(fn, w.and(w.and(isPlainCode(code.hi), w.eq(dplOf(code.hi), rpl)), w.geU(rpl, cpl)));
    const isTo64 = fn.let(w.and(isSet(isLong(state)), hasAttributes(code.hi, ATTRIBUTE.L, ATTRIBUTE.L)));
    giveUpIf(fn, w.and(isTo64, hasAttributes(code.hi, ATTRIBUTE.DB, ATTRIBUTE.DB)));
    giveUpUnless(fn, w.select(isTo64, isCanonical(rip), w.leU(rip, w.extendU(limitOf(fn, code.lo, code.hi)))));
    const stackIsNull = fn.let(w.and(fn.get(popsStack), isNull(fn.get(ss)))), stackLo = fn.local('i32'), stackHi = fn.local('i32');
    fn.if(fn.get(popsStack), () => {
      giveUpUnless(fn, w.eq(w.and(fn.get(ss), w.i32(3)), rpl));
      fn.if(stackIsNull, () => { giveUpUnless(fn, w.and(isTo64, w.ne(rpl, w.i32(3)))); }, () => {
        const stack = descriptorOf(fn, t, fn.get(ss));
        // a 16-bit stack takes SP alone
        const isBig = w.or(isTo64, hasAttributes(stack.hi, ATTRIBUTE.DB, ATTRIBUTE.DB));
        giveUpUnless(fn, w.and(w.and(isPlainData(stack.hi), isBig), w.eq(dplOf(stack.hi), rpl)));
        fn.set(stackLo, stack.lo);
        fn.set(stackHi, stack.hi);
      });
    });
    // from here on nothing can fail
    fn.if(fn.get(popsStack), () => {
      fn.if(stackIsNull, () => { setNullSegment(fn, state, SEG.SS, fn.get(ss), rpl); }, () => {
        fn.callVoid(t.setSegment.index, [w.i32(SEG.SS), fn.get(ss), fn.get(stackLo), fn.get(stackHi)]);
      });
      state.setLong(fn, 'gpr', w.select(isTo64, fn.get(rsp), w.and(fn.get(rsp), w.i64(-1, 0))), RSP);
    }, () => { state.setWord(fn, 'gpr', w.add(w.wrap(oldRsp), w.i32(12)), RSP); });
    fn.callVoid(t.writeFlags.index, [newFlags]);
    fn.callVoid(t.setSegment.index, [w.i32(SEG.CS), cs, code.lo, code.hi]);
    state.setLong(fn, 'rip', rip);
    state.setWord(fn, 'cpl', rpl);
    fn.callVoid(t.recomputeMode.index, []);
    fn.if(w.gtU(rpl, cpl), () => { fn.callVoid(dropInner.index, [rpl]); });
    fn.return(w.i32(1));
  });
}
