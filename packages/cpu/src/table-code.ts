/** Descriptor tables, stacks and flags in functions of the interpreter's module: what segments.ts, stack.ts and flags.ts do, in the common case. */
import { TLB_ENTRY, VCPU_LAYOUT } from '@vmm/state';
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder, FunctionRef, ModuleBuilder } from '@vmm/wasm';
import { ATTRIBUTE, EFER, EFLAGS, SEG } from './architecture.ts';
import { SYSTEM_FLAGS } from './flags.ts';
import { defineModeFunctions } from './mode-code.ts';
import type { ModeFunctions } from './mode-code.ts';
import { giveUpIf, giveUpUnless, isSet, StateCode } from './state-code.ts';

export interface TableFunctions extends ModeFunctions {
  readonly state: StateCode;
  /** (linear, bytes, writes) -> host address of plain memory in one page or 0, for the supervisor whatever the privilege, and for whoever runs now. */
  readonly systemHost: FunctionRef;
  readonly currentHost: FunctionRef;
  /** (segment, selector, low word, high word): `setSegment`, and nothing else. */
  readonly setSegment: FunctionRef;
  /** () -> EFLAGS, and (EFLAGS). */
  readonly readFlags: FunctionRef;
  readonly writeFlags: FunctionRef;
}

const PAGE_MASK = w.i64(-4096);
const NULL_MASK = 0xfffc;

function defineHost(module: ModuleBuilder, privateBase: number, tryAccess: FunctionRef, tag: Expr, wideTag: Expr, flip: Expr): FunctionRef {
  const tlb = privateBase + VCPU_LAYOUT.tlb, slots = (VCPU_LAYOUT.tlbEntries - 1) * VCPU_LAYOUT.tlbEntryBytes;
  return module.define(['i64', 'i32', 'i32'], ['i32'], (fn) => {
    const linear = fn.param(0), bytes = fn.param(1), writes = fn.param(2);
    const entry = fn.let(w.xor(w.and(w.wrap(w.shrU(linear, w.i64(7))), w.i32(slots)), flip));
    const wanted = w.or(w.and(w.add(linear, w.extendU(w.sub(bytes, w.i32(1)))), PAGE_MASK), wideTag);
    const found = w.load('i64', 64, w.add(entry, w.mul(writes, w.i32(TLB_ENTRY.writeTag))), tlb);
    fn.if(w.eq(found, wanted), () => { fn.return(w.add(w.wrap(linear), w.load('i32', 32, entry, tlb + TLB_ENTRY.addend))); }, undefined, true);
    fn.return(tryAccess.call(w.wrap(linear), w.wrap(w.shrU(linear, w.i64(32))), bytes, writes, tag, flip));
  });
}

export function defineTableFunctions(module: ModuleBuilder, privateBase: number, tryAccess: FunctionRef): TableFunctions {
  const stateBase = privateBase + VCPU_LAYOUT.state, state = new StateCode(stateBase);
  const host = (tag: 'systemTag' | 'tlbTag', flip: Expr): FunctionRef => defineHost(module, privateBase, tryAccess, state.word(tag), state.long(tag), flip);
  return {
    ...defineModeFunctions(module, stateBase), state,
    systemHost: host('systemTag', w.i32(0)), currentHost: host('tlbTag', state.word('tlbFlip')),
    setSegment: module.define(['i32', 'i32', 'i32', 'i32'], [], (fn) => {
      const [index, selector, lo, hi] = [fn.param(0), fn.param(1), fn.param(2), fn.param(3)] as const, word = fn.let(w.shl(index, w.i32(2)));
      state.setWord(fn, 'selector', w.and(selector, w.i32(0xffff)), 0, word);
      state.setLong(fn, 'segmentBase', w.extendU(baseOf(lo, hi)), 0, w.shl(index, w.i32(3)));
      state.setWord(fn, 'segmentLimit', limitOf(fn, lo, hi), 0, word);
      state.setWord(fn, 'segmentAttributes', attributesOf(hi), 0, word);
    }),
    readFlags: module.define([], ['i32'], (fn) => {
      const result = fn.let(state.long('flagResult')), aux = fn.let(state.word('flagAux'));
      const parity = w.popcnt(w.and(w.xor(w.wrap(result), w.shrU(aux, w.i32(8))), w.i32(0xff)));
      const overflow = w.shrU(w.xor(aux, w.shl(aux, w.i32(1))), w.i32(31));
      const sign = w.xor(w.wrap(w.shrU(result, w.i64(63))), w.and(aux, w.i32(1)));
      const flags = [
        w.i32(EFLAGS.FIXED), w.shrU(aux, w.i32(31)), w.shl(w.xor(w.and(parity, w.i32(1)), w.i32(1)), w.i32(2)), w.shl(w.and(aux, w.i32(8)), w.i32(1)),
        w.shl(w.eqz(result), w.i32(6)), w.shl(sign, w.i32(7)), w.shl(overflow, w.i32(11)),
      ];
      fn.return(flags.reduce((all, flag) => w.or(all, flag), state.word('eflags')));
    }),
    writeFlags: module.define(['i32'], [], (fn) => {
      const value = fn.param(0), bit = (mask: number): Expr => w.and(w.shrU(value, w.i32(Math.log2(mask))), w.i32(1));
      const result = fn.let(w.xor(bit(EFLAGS.ZF), w.i32(1))), carry = fn.let(bit(EFLAGS.CF));
      const parityDelta = w.xor(result, w.xor(bit(EFLAGS.PF), w.i32(1)));
      const aux = w.or(w.or(w.shl(carry, w.i32(31)), w.shl(w.xor(carry, bit(EFLAGS.OF)), w.i32(30))), w.or(w.shl(parityDelta, w.i32(8)), w.or(w.shl(bit(EFLAGS.AF), w.i32(3)), bit(EFLAGS.SF))));
      state.setLong(fn, 'flagResult', w.extendU(result));
      state.setWord(fn, 'flagAux', aux);
      state.setWord(fn, 'eflags', w.and(value, w.i32(SYSTEM_FLAGS)));
    }),
  };
}

export function baseOf(lo: Expr, hi: Expr): Expr { return w.or(w.or(w.shrU(lo, w.i32(16)), w.shl(w.and(hi, w.i32(0xff)), w.i32(16))), w.and(hi, w.i32(0xff00_0000))); }
/** Limit in bytes. */
export function limitOf(fn: FunctionBuilder, lo: Expr, hi: Expr): Expr {
  const limit = fn.let(w.or(w.and(lo, w.i32(0xffff)), w.and(hi, w.i32(0xf_0000))));
  return w.select(w.and(hi, w.i32(0x80_0000)), w.or(w.shl(limit, w.i32(12)), w.i32(0xfff)), limit);
}
export function attributesOf(hi: Expr): Expr { return w.and(w.shrU(hi, w.i32(8)), w.i32(0xf0ff)); }
/** DPL from the high word of a descriptor. */
export function dplOf(hi: Expr): Expr { return w.and(w.shrU(hi, w.i32(13)), w.i32(3)); }
/** Whether attribute bits in the high word of a descriptor are as they must be. */
export function hasAttributes(hi: Expr, mask: number, wanted: number): Expr { return w.eq(w.and(hi, w.i32(mask << 8)), w.i32(wanted << 8)); }
export function isNull(selector: Expr): Expr { return w.eqz(w.and(selector, w.i32(NULL_MASK))); }

export const isLong = (state: StateCode): Expr => state.bits('efer', EFER.LMA);
/** Linear addresses of tables wrap at 4 GiB outside long mode. */
export function tableAddress(state: StateCode, base: Expr, offset: Expr): Expr {
  return w.and(w.add(base, w.extendU(offset)), w.select(isLong(state), w.i64(-1, -1), w.i64(-1, 0)));
}

/** A usable descriptor in the GDT: its two words. Gives up on null selectors, on local ones, beyond the limit and where the table is not at hand. */
export function descriptorOf(fn: FunctionBuilder, t: TableFunctions, selector: Expr): { lo: Expr; hi: Expr } {
  const { state } = t;
  giveUpIf(fn, w.or(isNull(selector), isSet(w.and(selector, w.i32(4)))));
  const offset = fn.let(w.and(selector, w.i32(0xfff8)));
  giveUpIf(fn, w.gtU(w.add(offset, w.i32(7)), state.word('gdtrLimit')));
  const host = fn.let(t.systemHost.call(tableAddress(state, state.long('gdtrBase'), offset), w.i32(8), w.i32(0)));
  giveUpUnless(fn, host);
  return { lo: fn.let(w.load('i32', 32, host)), hi: fn.let(w.load('i32', 32, host, 4)) };
}

const DATA = ATTRIBUTE.P | ATTRIBUTE.S | ATTRIBUTE.WRITABLE | ATTRIBUTE.ACCESSED, CODE = ATTRIBUTE.P | ATTRIBUTE.S | ATTRIBUTE.CODE | ATTRIBUTE.ACCESSED;
/** Present and accessed: writable data, code that is not conforming. */
export function isPlainData(hi: Expr): Expr { return hasAttributes(hi, DATA | ATTRIBUTE.CODE, DATA); }
export function isPlainCode(hi: Expr): Expr { return hasAttributes(hi, CODE | ATTRIBUTE.CONFORMING, CODE); }

/** The stack in use is 64-bit, or flat and 32-bit: gives up otherwise. */
export function giveUpUnlessFlatStack(fn: FunctionBuilder, state: StateCode, is64: Expr): void {
  const slot = 16 * SEG.SS, isBig = state.bits('segmentAttributes', ATTRIBUTE.DB, 4 * SEG.SS);
  const isOdd = w.or(isSet(w.or(state.word('segment', slot), state.word('segment', slot + 12))), w.eqz(isBig));
  giveUpIf(fn, w.and(w.eqz(is64), isOdd));
}

/** A null selector in a segment register, as `setNullSegment` leaves it. */
export function setNullSegment(fn: FunctionBuilder, state: StateCode, index: number, selector: Expr, dpl: Expr = w.i32(0)): void {
  state.setWord(fn, 'selector', w.and(selector, w.i32(0xffff)), 4 * index);
  state.setLong(fn, 'segmentBase', w.i64(0), 8 * index);
  state.setWord(fn, 'segmentLimit', w.i32(0), 4 * index);
  state.setWord(fn, 'segmentAttributes', w.or(w.i32(ATTRIBUTE.UNUSABLE), w.shl(dpl, w.i32(5))), 4 * index);
}

