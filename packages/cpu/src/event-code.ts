/** Event delivery through interrupt and trap gates as functions of the interpreter's module: what interrupts.ts does in the common case. */
import { TSS32, TSS64, VECTORS_WITH_ERROR_CODE } from '@vmm/spec';
import { EVENT_CARE } from '@vmm/state';
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder, FunctionRef, ModuleBuilder } from '@vmm/wasm';
import { ATTRIBUTE, EFLAGS, GPR, SEG, SYSTEM_TYPE, VECTOR } from './architecture.ts';
import { REPEATS_A_TURN } from './interpreter-machine.ts';
import { MODE } from './mode.ts';
import { giveUpIf, giveUpUnless, isSet } from './state-code.ts';
import { descriptorOf, dplOf, giveUpUnlessFlatStack, hasAttributes, isLong, isPlainCode, isPlainData, limitOf, setNullSegment, tableAddress } from './table-code.ts';
import type { TableFunctions } from './table-code.ts';

/** What the caller of `deliver` says of the event. */
const EVENT = { external: 1, pushesResume: 2, hasError: 4 } as const;
/** i32.atomic.rmw.or: other threads write the pending word too. */
const ATOMIC_OR = 0xfe33;
/** Faults that are more than an entry in the IDT: debug exceptions, double faults, and those whose vector or address TypeScript may yet correct. */
const SPECIAL_FAULTS = 1 << VECTOR.DB | 1 << VECTOR.DF | 1 << VECTOR.SS | 1 << VECTOR.GP | 1 << VECTOR.MC;
const GATE = ATTRIBUTE.P | ATTRIBUTE.S | ATTRIBUTE.TYPE & ~1;
const RSP = 8 * GPR.RSP;
const CANONICAL_BITS = 48;

export interface EventFunctions {
  /** (vector, address behind the instruction) -> 1: INT n is done; 0: it is TypeScript's. */
  readonly softwareInterrupt: FunctionRef;
  /** () -> 1: the recorded fault is delivered, `rip` being the instruction's; 0: it is TypeScript's. */
  readonly deliverFault: FunctionRef;
}

export const isCanonical = (address: Expr): Expr => w.eq(w.shrS(w.shl(address, w.i64(64 - CANONICAL_BITS)), w.i64(64 - CANONICAL_BITS)), address);

/** Registers that every delivery reads first and changes last. */
interface Entry { readonly fn: FunctionBuilder; readonly selector: Expr; readonly codeLo: Expr; readonly codeHi: Expr; readonly target: Expr; readonly isInner: Expr; readonly flags: Expr; readonly returnTo: Expr; readonly hasError: Expr; readonly error: Expr }

function enterHandler(t: TableFunctions, { fn, selector, codeLo, codeHi, target }: Entry, rip: Expr, masksInterrupts: Expr): void {
  const { state } = t;
  fn.callVoid(t.setSegment.index, [w.i32(SEG.CS), w.or(w.and(selector, w.i32(~3)), target), codeLo, codeHi]);
  const cleared = EFLAGS.TF | EFLAGS.VM | EFLAGS.RF | EFLAGS.NT;
  state.setWord(fn, 'eflags', w.and(state.word('eflags'), w.select(masksInterrupts, w.i32(~(cleared | EFLAGS.IF)), w.i32(~cleared))));
  state.setLong(fn, 'rip', rip);
  state.setWord(fn, 'cpl', target);
  fn.callVoid(t.recomputeMode.index, []);
}

function deliverLong(t: TableFunctions, entry: Entry, gateLo: Expr, gateHi: Expr, gateTop: Expr): void {
  const { fn, target, isInner } = entry, { state } = t;
  giveUpUnless(fn, hasAttributes(entry.codeHi, ATTRIBUTE.L | ATTRIBUTE.DB, ATTRIBUTE.L));
  const low = w.or(w.and(gateHi, w.i32(0xffff_0000)), w.and(gateLo, w.i32(0xffff)));
  const rip = fn.let(w.or(w.extendU(low), w.shl(w.extendU(gateTop), w.i64(32))));
  giveUpUnless(fn, isCanonical(rip));
  const ist = fn.let(w.and(gateHi, w.i32(7))), host = fn.local('i32'), top = fn.local('i64');
  const bytes = fn.let(w.add(w.i32(40), w.shl(entry.hasError, w.i32(3)))), wide = w.extendU(bytes);
  const oldRsp = fn.let(state.long('gpr', RSP));
  fn.if(w.or(isInner, ist), () => {
    const offset = fn.let(w.select(ist, w.add(w.i32(TSS64.IST1 - 8), w.shl(ist, w.i32(3))), w.add(w.i32(TSS64.RSP0), w.shl(target, w.i32(3)))));
    giveUpIf(fn, w.gtU(w.add(offset, w.i32(7)), state.word('segmentLimit', 4 * SEG.TR)));
    const at = fn.let(t.systemHost.call(tableAddress(state, state.long('segmentBase', 8 * SEG.TR), offset), w.i32(8), w.i32(0)));
    giveUpUnless(fn, at);
    fn.set(top, w.and(w.load('i64', 64, at), w.i64(-16)));
    // a gate for ring 3 itself with a stack of its own is left alone
    giveUpIf(fn, w.or(w.eq(target, w.i32(3)), w.eqz(isCanonical(fn.get(top)))));
    fn.set(host, t.systemHost.call(w.sub(fn.get(top), wide), bytes, w.i32(1)));
  }, () => {
    giveUpUnless(fn, state.bits('modeKey', MODE.CODE64));
    fn.set(top, w.and(oldRsp, w.i64(-16)));
    fn.set(host, t.currentHost.call(w.sub(fn.get(top), wide), bytes, w.i32(1)));
  });
  giveUpUnless(fn, fn.get(host));
  const frame = fn.let(w.add(fn.get(host), bytes)), push = (words: number, value: Expr): void => { fn.store(64, w.sub(frame, w.i32(8 * words)), 0, value); };
  push(1, w.extendU(state.word('selector', 4 * SEG.SS)));
  push(2, oldRsp);
  push(3, w.extendU(entry.flags));
  push(4, w.extendU(state.word('selector', 4 * SEG.CS)));
  push(5, entry.returnTo);
  fn.if(entry.hasError, () => { push(6, w.extendU(entry.error)); });
  fn.if(isInner, () => { setNullSegment(fn, state, SEG.SS, target, target); });
  state.setLong(fn, 'gpr', w.sub(fn.get(top), wide), RSP);
  enterHandler(t, entry, rip, w.eqz(w.and(gateHi, w.i32(0x100))));
}

function deliverProtected(t: TableFunctions, entry: Entry, gateLo: Expr, gateHi: Expr): void {
  const { fn, target, isInner } = entry, { state } = t;
  const rip = fn.let(w.or(w.and(gateHi, w.i32(0xffff_0000)), w.and(gateLo, w.i32(0xffff))));
  giveUpIf(fn, w.gtU(rip, limitOf(fn, entry.codeLo, entry.codeHi)));
  const host = fn.local('i32'), top = fn.local('i32'), bytes = fn.local('i32');
  const stackSelector = fn.local('i32'), stackLo = fn.local('i32'), stackHi = fn.local('i32');
  const below = (): Expr => w.extendU(w.sub(fn.get(top), fn.get(bytes)));
  const errorBytes = w.shl(entry.hasError, w.i32(2)), oldEsp = fn.let(state.word('gpr', RSP));
  fn.if(isInner, () => {
    giveUpUnless(fn, state.bits('segmentAttributes', 8, 4 * SEG.TR));
    const offset = fn.let(w.add(w.i32(TSS32.ESP0), w.shl(target, w.i32(3))));
    giveUpIf(fn, w.gtU(w.add(offset, w.i32(7)), state.word('segmentLimit', 4 * SEG.TR)));
    const at = fn.let(t.systemHost.call(w.extendU(w.add(state.word('segmentBase', 8 * SEG.TR), offset)), w.i32(8), w.i32(0)));
    giveUpUnless(fn, at);
    fn.set(top, w.load('i32', 32, at));
    fn.set(stackSelector, w.load('i32', 16, at, 4));
    const { lo, hi } = descriptorOf(fn, t, fn.get(stackSelector));
    fn.set(stackLo, lo);
    fn.set(stackHi, hi);
    const isRight = w.and(w.eq(w.and(fn.get(stackSelector), w.i32(3)), target), w.eq(dplOf(hi), target));
    const isFlat = w.and(hasAttributes(hi, ATTRIBUTE.EXPAND_DOWN | ATTRIBUTE.DB | ATTRIBUTE.G, ATTRIBUTE.DB | ATTRIBUTE.G), w.and(isPlainData(hi), isFlatRange(lo, hi)));
    giveUpUnless(fn, w.and(isRight, isFlat));
    fn.set(bytes, w.add(w.i32(20), errorBytes));
    fn.set(host, t.systemHost.call(below(), fn.get(bytes), w.i32(1)));
  }, () => {
    giveUpUnlessFlatStack(fn, state, w.i32(0));
    fn.set(top, oldEsp);
    fn.set(bytes, w.add(w.i32(12), errorBytes));
    fn.set(host, t.currentHost.call(below(), fn.get(bytes), w.i32(1)));
  });
  giveUpUnless(fn, fn.get(host));
  const frame = fn.local('i32'), push = (value: Expr): void => {
    fn.set(frame, w.sub(fn.get(frame), w.i32(4)));
    fn.store(32, fn.get(frame), 0, value);
  };
  fn.set(frame, w.add(fn.get(host), fn.get(bytes)));
  fn.if(isInner, () => {
    push(state.word('selector', 4 * SEG.SS));
    push(oldEsp);
  });
  push(entry.flags);
  push(state.word('selector', 4 * SEG.CS));
  push(w.wrap(entry.returnTo));
  fn.if(entry.hasError, () => { push(entry.error); });
  fn.if(isInner, () => {
    fn.callVoid(t.setSegment.index, [w.i32(SEG.SS), fn.get(stackSelector), fn.get(stackLo), fn.get(stackHi)]);
    state.setLong(fn, 'gpr', below(), RSP);
  }, () => { state.setWord(fn, 'gpr', w.wrap(below()), RSP); });
  enterHandler(t, entry, w.extendU(rip), w.eqz(w.and(gateHi, w.i32(0x100))));
}

/** Base 0 and the largest limit. */
export function isFlatRange(lo: Expr, hi: Expr): Expr { return w.and(w.eq(lo, w.i32(0xffff)), w.eq(w.and(hi, w.i32(0xff0f_00ff)), w.i32(0xf_0000))); }

export function defineEventFunctions(module: ModuleBuilder, t: TableFunctions): EventFunctions {
  const { state } = t;
  /** (vector, EVENT bits, error code, return address) -> whether it is delivered. */
  const deliver = module.define(['i32', 'i32', 'i32', 'i64'], ['i32'], (fn) => {
    const [vector, event, error, returnTo] = [fn.param(0), fn.param(1), fn.param(2), fn.param(3)] as const;
    const key = state.bits('modeKey', MODE.PROTECTED | MODE.SINGLE_STEP);
    giveUpIf(fn, w.or(w.ne(key, w.i32(MODE.PROTECTED)), state.bits('eventCare', EVENT_CARE.monitor)));
    const long = fn.let(isSet(isLong(state))), size = fn.let(w.shl(w.i32(8), long)), offset = fn.let(w.mul(vector, size));
    giveUpIf(fn, w.gtU(w.sub(w.add(offset, size), w.i32(1)), state.word('idtrLimit')));
    const gate = fn.let(t.systemHost.call(tableAddress(state, state.long('idtrBase'), offset), size, w.i32(0)));
    giveUpUnless(fn, gate);
    const gateLo = fn.let(w.load('i32', 32, gate)), gateHi = fn.let(w.load('i32', 32, gate, 4)), cpl = fn.let(state.word('cpl'));
    giveUpUnless(fn, hasAttributes(gateHi, GATE, ATTRIBUTE.P | SYSTEM_TYPE.INTERRUPT_GATE));
    giveUpIf(fn, w.and(w.eqz(w.and(event, w.i32(EVENT.external))), w.ltU(dplOf(gateHi), cpl)));
    const selector = fn.let(w.shrU(gateLo, w.i32(16))), { lo: codeLo, hi: codeHi } = descriptorOf(fn, t, selector);
    const target = fn.let(dplOf(codeHi));
    giveUpIf(fn, w.or(w.eqz(isPlainCode(codeHi)), w.gtU(target, cpl)));
    const resume = w.mul(isSet(w.and(event, w.i32(EVENT.pushesResume))), w.i32(EFLAGS.RF));
    const entry: Entry = {
      fn, selector, codeLo, codeHi, target, isInner: fn.let(w.ltU(target, cpl)), flags: fn.let(w.or(t.readFlags.call(), resume)), returnTo,
      hasError: fn.let(isSet(w.and(event, w.i32(EVENT.hasError)))), error,
    };
    fn.if(long, () => { deliverLong(t, entry, gateLo, gateHi, w.load('i32', 32, gate, 8)); }, () => { deliverProtected(t, entry, gateLo, gateHi); });
    fn.return(w.i32(1));
  });
  return {
    softwareInterrupt: module.define(['i32', 'i64'], ['i32'], (fn) => { fn.return(deliver.call(fn.param(0), w.i32(0), w.i32(0), fn.param(1))); }),
    deliverFault: module.define([], ['i32'], (fn) => {
      const vector = fn.let(state.word('faultVector')), bit = (vectors: number): Expr => w.and(w.shrU(w.i32(vectors), vector), w.i32(1));
      giveUpIf(fn, w.gtU(vector, w.i32(31)));
      giveUpIf(fn, w.or(bit(SPECIAL_FAULTS), state.bits('eventCare', EVENT_CARE.watched | EVENT_CARE.refused)));
      state.setWord(fn, 'faultVector', w.i32(-1));
      const event = w.or(w.i32(EVENT.external | EVENT.pushesResume), w.mul(bit(VECTORS_WITH_ERROR_CODE), w.i32(EVENT.hasError)));
      fn.unless(deliver.call(vector, event, state.word('faultError'), state.long('rip')), () => {
        state.setWord(fn, 'faultVector', vector);
        fn.return(w.i32(0));
      });
      fn.if(w.eq(vector, w.i32(VECTOR.PF)), () => { state.setLong(fn, 'cr2', state.long('faultAddress')); });
      state.setWord(fn, 'deliveredFaults', w.add(state.word('deliveredFaults'), w.i32(1)));
      // a guest that does nothing but fault retires nothing: the slice ends by this count, as with repeated instructions
      const count = fn.let(w.add(state.word('exitReason'), w.i32(1)));
      state.setWord(fn, 'exitReason', count);
      fn.unless(w.and(count, w.i32(REPEATS_A_TURN - 1)), () => { fn.drop(w.atomic('i32', ATOMIC_OR, [w.i32(state.at('pending')), w.i32(1)], 0, 2)); });
      fn.return(w.i32(1));
    }),
  };
}
