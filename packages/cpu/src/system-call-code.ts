/** SYSENTER, SYSCALL, their returns and SWAPGS as functions of the interpreter's module: what system-calls.ts does where nothing faults. */
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder, FunctionRef, ModuleBuilder } from '@vmm/wasm';
import { EFER, EFLAGS, GPR, SEG } from './architecture.ts';
import { isCanonical } from './event-code.ts';
import { MODE } from './mode.ts';
import { opensInterrupts } from './return-code.ts';
import { giveUpIf, giveUpUnless, isSet } from './state-code.ts';
import { DPL3, FLAT_CODE32, FLAT_CODE64, FLAT_DATA, SYSRET_FLAGS } from './system-calls.ts';
import { isLong } from './table-code.ts';
import type { TableFunctions } from './table-code.ts';

/** Each answers 1: done; 0: it is TypeScript's. */
export interface SystemCallFunctions {
  readonly sysenter: FunctionRef;
  /** (operand size) */
  readonly sysexit: FunctionRef;
  /** (address behind the instruction) */
  readonly syscall: FunctionRef;
  /** (operand size) */
  readonly sysret: FunctionRef;
  readonly swapgs: FunctionRef;
}

const gpr = (index: number): number => 8 * index;

export function defineSystemCalls(module: ModuleBuilder, t: TableFunctions): SystemCallFunctions {
  const { state } = t;
  const setFlat = (fn: FunctionBuilder, index: number, selector: Expr, attributes: Expr): void => {
    state.setWord(fn, 'selector', w.and(selector, w.i32(0xffff)), 4 * index);
    state.setLong(fn, 'segmentBase', w.i64(0), 8 * index);
    state.setWord(fn, 'segmentLimit', w.i32(-1), 4 * index);
    state.setWord(fn, 'segmentAttributes', attributes, 4 * index);
  };
  /** Whether `setFlat` changes nothing but privilege. */
  const isFlat = (index: number, attributes: Expr): Expr => {
    const differs = w.and(w.xor(state.word('segmentAttributes', 4 * index), attributes), w.i32(~DPL3));
    return w.eqz(w.or(w.or(differs, w.ne(state.long('segmentBase', 8 * index), w.i64(0))), w.xor(state.word('segmentLimit', 4 * index), w.i32(-1))));
  };
  /** `enter` of system-calls.ts, and the mode after it. */
  const enter = (fn: FunctionBuilder, cpl: 0 | 3, codeSelector: Expr, isTo64: Expr, stackSelector: Expr): void => {
    const privilege = cpl === 3 ? DPL3 : 0, stack = w.i32(FLAT_DATA | privilege);
    const code = fn.let(w.select(isTo64, w.i32(FLAT_CODE64 | privilege), w.i32(FLAT_CODE32 | privilege)));
    const isSameMode = fn.let(w.and(isFlat(SEG.CS, code), isFlat(SEG.SS, stack)));
    setFlat(fn, SEG.CS, codeSelector, code);
    setFlat(fn, SEG.SS, stackSelector, stack);
    state.setWord(fn, 'cpl', w.i32(cpl));
    fn.if(isSameMode, () => {
      state.setWord(fn, 'modeKey', w.or(key(~MODE.USER), w.i32(cpl === 3 ? MODE.USER : 0)));
      fn.callVoid(t.contextChanged.index, []);
    }, () => { fn.callVoid(t.recomputeMode.index, []); }, true);
  };
  const key = (mask: number): Expr => state.bits('modeKey', mask);
  const canSwitch = (fn: FunctionBuilder, mode: number): void => { giveUpUnless(fn, w.eq(key(mode | MODE.SINGLE_STEP), w.i32(mode))); };
  const canSyscall = (fn: FunctionBuilder): void => {
    canSwitch(fn, MODE.CODE64);
    giveUpUnless(fn, state.bits('efer', EFER.SCE));
  };
  const systemSelector = (fn: FunctionBuilder): Expr => {
    const selector = fn.let(state.bits('sysenterCs', 0xfffc));
    giveUpUnless(fn, selector);
    return selector;
  };
  return {
    sysenter: module.define([], ['i32'], (fn) => {
      canSwitch(fn, MODE.PROTECTED);
      const selector = systemSelector(fn), long = fn.let(isSet(isLong(state)));
      const target = (field: 'sysenterEsp' | 'sysenterEip'): Expr => w.and(state.long(field), w.select(long, w.i64(-1, -1), w.i64(-1, 0)));
      state.setWord(fn, 'eflags', state.bits('eflags', ~(EFLAGS.IF | EFLAGS.VM | EFLAGS.RF)));
      state.setLong(fn, 'gpr', target('sysenterEsp'), gpr(GPR.RSP));
      state.setLong(fn, 'rip', target('sysenterEip'));
      enter(fn, 0, selector, long, w.add(selector, w.i32(8)));
      fn.return(w.i32(1));
    }),
    sysexit: module.define(['i32'], ['i32'], (fn) => {
      canSwitch(fn, MODE.PROTECTED);
      const selector = systemSelector(fn), isTo64 = fn.let(w.eq(fn.param(0), w.i32(8)));
      const target = (index: number): Expr => fn.let(w.and(state.long('gpr', gpr(index)), w.select(isTo64, w.i64(-1, -1), w.i64(-1, 0))));
      const rip = target(GPR.RDX), rsp = target(GPR.RCX);
      giveUpIf(fn, w.or(state.word('cpl'), w.eqz(w.and(isCanonical(rip), isCanonical(rsp)))));
      state.setLong(fn, 'rip', rip);
      state.setLong(fn, 'gpr', rsp, gpr(GPR.RSP));
      const code = fn.let(w.add(selector, w.select(isTo64, w.i32(32), w.i32(16))));
      enter(fn, 3, w.or(code, w.i32(3)), isTo64, w.or(w.add(code, w.i32(8)), w.i32(3)));
      fn.return(w.i32(1));
    }),
    syscall: module.define(['i64'], ['i32'], (fn) => {
      canSyscall(fn);
      const flags = fn.let(t.readFlags.call());
      state.setLong(fn, 'gpr', fn.param(0), gpr(GPR.RCX));
      state.setLong(fn, 'gpr', w.extendU(w.and(flags, w.i32(~EFLAGS.RF))), gpr(GPR.R11));
      state.setLong(fn, 'rip', state.long('lstar'));
      fn.callVoid(t.writeFlags.index, [w.and(flags, w.xor(w.or(state.word('fmask'), w.i32(EFLAGS.RF)), w.i32(-1)))]);
      const selector = fn.let(state.bits('star', 0xfffc, 4));
      enter(fn, 0, selector, w.i32(1), w.add(selector, w.i32(8)));
      fn.return(w.i32(1));
    }),
    sysret: module.define(['i32'], ['i32'], (fn) => {
      canSyscall(fn);
      const isTo64 = fn.let(w.eq(fn.param(0), w.i32(8))), rip = fn.let(state.long('gpr', gpr(GPR.RCX))), flags = fn.let(state.word('gpr', gpr(GPR.R11)));
      giveUpIf(fn, w.or(state.word('cpl'), w.and(isTo64, w.eqz(isCanonical(rip)))));
      giveUpIf(fn, w.or(w.and(flags, w.i32(EFLAGS.TF)), opensInterrupts(state, flags)));
      fn.callVoid(t.writeFlags.index, [w.and(flags, w.i32(SYSRET_FLAGS))]);
      state.setLong(fn, 'rip', w.select(isTo64, rip, w.and(rip, w.i64(-1, 0))));
      const base = fn.let(w.shrU(state.word('star', 4), w.i32(16)));
      enter(fn, 3, w.or(w.select(isTo64, w.add(base, w.i32(16)), base), w.i32(3)), isTo64, w.or(w.add(base, w.i32(8)), w.i32(3)));
      fn.return(w.i32(1));
    }),
    swapgs: module.define([], ['i32'], (fn) => {
      giveUpIf(fn, w.or(state.word('cpl'), w.eqz(key(MODE.CODE64))));
      const old = fn.let(state.long('segmentBase', 8 * SEG.GS));
      state.setLong(fn, 'segmentBase', state.long('kernelGsBase'), 8 * SEG.GS);
      state.setLong(fn, 'kernelGsBase', old);
      fn.callVoid(t.refreshSegment.index, [w.i32(SEG.GS)]);
      fn.return(w.i32(1));
    }),
  };
}
