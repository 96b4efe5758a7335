/** Records in front of a block that check what it takes for granted: handlers of the main module. */
import { STATE, VCPU_LAYOUT } from '@vmm/state';
import * as w from '@vmm/wasm';
import type { FunctionRef, ModuleBuilder } from '@vmm/wasm';
import { tlbEntry, tlbWanted } from './interpreter-machine.ts';
import { HANDLER_STATUS, RECORD } from './record.ts';

/**
 * First record of a block whose one instruction crosses into another page: that page must still be mapped where the record says
 * (immediate: host address of the page), else the block is looked up again.
 */
export function defineCrossingCheck(module: ModuleBuilder, privateBase: number): FunctionRef {
  const state = privateBase + VCPU_LAYOUT.state, tlb = privateBase + VCPU_LAYOUT.tlb;
  const at = (field: keyof typeof STATE): number => state + STATE[field];
  return module.define(['i32'], ['i32'], (fn) => {
    const mask = fn.let(w.load('i64', 64, w.i32(0), at('linearMask')));
    const linear = w.and(w.add(w.load('i64', 64, w.i32(0), at('rip')), w.load('i64', 64, w.i32(0), at('segment') + 16)), mask);
    const next = fn.let(w.and(w.add(w.and(linear, w.i64(-4096)), w.i64(4096)), mask));
    const entry = fn.let(tlbEntry(state, next));
    const tagged = w.eq(w.load('i64', 64, entry, tlb + 16), tlbWanted(state, next, w.i64(0)));
    const host = w.eq(w.add(w.wrap(next), w.load('i32', 32, entry, tlb + 24)), w.load('i32', 32, fn.param(0), RECORD.immediate));
    fn.return(w.select(w.and(tagged, host), w.i32(HANDLER_STATUS.next), w.i32(HANDLER_STATUS.interpret)));
  });
}

/**
 * First record of a block while CS has a limit: so many bytes (immediate) must be left from the block's start to the limit, or more if the immediate's
 * upper half says so, else the block is decoded anew.
 */
export function defineLimitCheck(module: ModuleBuilder, stateBase: number): FunctionRef {
  return module.define(['i32'], ['i32'], (fn) => {
    const rip = fn.let(w.load('i64', 64, w.i32(0), stateBase + STATE.rip)), limit = fn.let(w.load('i64', 32, w.i32(0), stateBase + STATE.segment + 24));
    const room = w.select(w.gtU(rip, limit), w.i64(0), w.sub(w.add(limit, w.i64(1)), rip));
    const more = w.sub(room, w.load('i64', 32, fn.param(0), RECORD.immediate));
    fn.return(w.select(w.gtU(more, w.load('i64', 32, fn.param(0), RECORD.immediate + 4)), w.i32(HANDLER_STATUS.interpret), w.i32(HANDLER_STATUS.next)));
  });
}
