/** How control goes on between regions of translated code where it leaves the straight way: functions of the main module. */
import { VCPU_LAYOUT } from '@vmm/state';
import * as w from '@vmm/wasm';
import type { FunctionRef, ModuleBuilder } from '@vmm/wasm';
import { SEG } from './architecture.ts';
import { findJump } from './jump-table.ts';
import { HANDLER_STATUS } from './record.ts';
import { StateCode } from './state-code.ts';

/** See `InterpreterCore.finishCall`. `run`: the loop. */
export function defineFinishCall(module: ModuleBuilder, stateBase: number, run: FunctionRef, mayGoOn: FunctionRef): FunctionRef {
  const state = new StateCode(stateBase);
  return module.define(['i32', 'i64', 'i32', 'i32', 'i64', 'i32', 'i64'], ['i32'], (fn) => {
    const depth = fn.param(2), entry = fn.param(4), version = fn.let(state.word('mapVersion'));
    const status = fn.let(run.call(fn.param(0), fn.param(1), depth));
    const differs = w.or(w.or(w.ne(version, state.word('mapVersion')), w.ne(fn.param(5), state.word('modeKey'))), w.ne(fn.param(6), state.long('tlbTag')));
    fn.if(w.and(differs, w.ltS(state.word('callsInDoubt'), depth)), () => { state.setWord(fn, 'callsInDoubt', depth); });
    fn.if(w.and(w.eq(status, w.i32(HANDLER_STATUS.returned)), w.geS(state.word('callsInDoubt'), depth)), () => {
      fn.unless(mayGoOn.call(fn.param(3), w.wrap(entry), w.wrap(w.shrU(entry, w.i64(32)))), () => { fn.return(w.i32(HANDLER_STATUS.dispatch)); });
      state.setWord(fn, 'callsInDoubt', w.sub(depth, w.i32(1)));
    });
    fn.return(status);
  });
}

/** See `InterpreterCore.goOn`. */
export function defineGoOn(module: ModuleBuilder, privateBase: number): FunctionRef {
  const state = new StateCode(privateBase + VCPU_LAYOUT.state);
  return module.define([], ['i32'], (fn) => {
    // the caller's mode may be another: its return address means nothing here
    state.setLong(fn, 'returnTo', w.i64(-1, -1));
    fn.if(w.and(w.gtS(state.word('budget'), w.i32(0)), w.eqz(state.word('pending'))), () => {
      const wide = fn.let(w.and(w.add(state.long('rip'), state.long('segment', 2 * 8 * SEG.CS)), state.long('linearMask')));
      findJump(fn, privateBase, { wide, low: w.wrap(wide) }, state.word('modeKey'), (slot) => {
        fn.returnCallIndirect(module.typeIndex({ params: ['i32'], results: ['i32'] }), [w.i32(0)], slot);
      });
    }, undefined, true);
    fn.return(w.i32(HANDLER_STATUS.dispatch));
  });
}
