import * as w from '@vmm/wasm';
import type { FunctionRef, ModuleBuilder } from '@vmm/wasm';
import type { TableFunctions } from './table-code.ts';

/** The counter moves on by a cycle for so many instructions (a power of 2) while the host's clock is not looked at: fewer than they take. */
const INSTRUCTIONS_A_CYCLE_LOG2 = 2;

/**
 * (budget) -> the time-stamp counter as the guest sees it, or -1: it is TypeScript's. The host's clock costs more than the instruction: within a stretch of
 * `timeStampTolerance` instructions of generated code it is looked at once. The counter never runs backwards, and is late by what those instructions take.
 */
export function defineTimeStamp(module: ModuleBuilder, { state }: TableFunctions, readTime: FunctionRef): FunctionRef {
  return module.define(['i32'], ['i64'], (fn) => {
    const budget = fn.param(0), last = fn.let(state.long('timeStamp')), passed = fn.let(w.sub(state.word('timeStampBudget'), budget));
    const offset = state.long('tscOffset');
    fn.if(w.and(w.ne(last, w.i64(0)), w.ltU(passed, state.word('timeStampTolerance'))), () => {
      fn.return(w.add(w.add(last, w.extendU(w.shrU(passed, w.i32(INSTRUCTIONS_A_CYCLE_LOG2)))), offset));
    });
    const time = fn.let(readTime.call());
    fn.if(w.flt(time, w.f64(0)), () => { fn.return(w.i64(-1, -1)); });
    const cycles = fn.let(w.plain('i64', I64_TRUNC_F64_U, time));
    // the first look after something else than generated code has run starts anew; between looks nothing has gone faster than time
    const latest = fn.let(w.select(w.gtU(last, cycles), last, cycles));
    state.setLong(fn, 'timeStamp', latest);
    state.setWord(fn, 'timeStampBudget', budget);
    fn.return(w.add(latest, offset));
  });
}

/** i64.trunc_f64_u */
const I64_TRUNC_F64_U = 0xb1;
