/** What mode.ts does, as functions of the interpreter's module. Danger: both must leave the same state; a test compares them on random states. */
import { DEBUGCTL } from '@vmm/spec';
import { MMU_INDEX, TLB_USER_FLIP } from '@vmm/state';
import * as w from '@vmm/wasm';
import type { Expr, FunctionRef, ModuleBuilder } from '@vmm/wasm';
import { ATTRIBUTE, CR0, DR7_ENABLES, EFER, EFLAGS, SEG } from './architecture.ts';
import { CHECK, MODE, SEGMENT_MODE, STEP_FLAGS } from './mode.ts';
import { isSet, StateCode } from './state-code.ts';

export interface ModeFunctions {
  /** `refreshSegment` of a segment register's number. */
  readonly refreshSegment: FunctionRef;
  /** `recomputeMode`. */
  readonly recomputeMode: FunctionRef;
  /** The MMU's `contextChanged`. */
  readonly contextChanged: FunctionRef;
}

const one = w.i32(1);
const bit = (word: Expr, mask: number): Expr => w.and(w.shrU(word, w.i32(Math.log2(mask))), one);

/** `checksOf`. */
function checksOf(attributes: Expr, limit: Expr, isProtected: Expr): Expr {
  const code = bit(attributes, ATTRIBUTE.CODE), notWritable = w.xor(bit(attributes, ATTRIBUTE.WRITABLE), one);
  const rights = w.or(w.mul(w.or(code, notWritable), w.i32(CHECK.NO_WRITE)), w.mul(w.and(code, notWritable), w.i32(CHECK.NO_READ)));
  const expandsDown = w.eq(w.and(attributes, w.i32(ATTRIBUTE.CODE | ATTRIBUTE.EXPAND_DOWN)), w.i32(ATTRIBUTE.EXPAND_DOWN));
  const down = w.or(w.i32(CHECK.EXPAND_DOWN), w.select(w.and(attributes, w.i32(ATTRIBUTE.DB)), w.i32(CHECK.BIG), w.i32(0)));
  const range = w.select(expandsDown, down, w.mul(w.ne(limit, w.i32(-1)), w.i32(CHECK.LIMIT)));
  const isUsable = w.eq(w.and(attributes, w.i32(ATTRIBUTE.UNUSABLE | ATTRIBUTE.P)), w.i32(ATTRIBUTE.P));
  return w.select(isUsable, w.or(w.select(isProtected, rights, w.i32(0)), range), w.i32(CHECK.UNUSABLE));
}

export function defineModeFunctions(module: ModuleBuilder, stateBase: number): ModeFunctions {
  const s = new StateCode(stateBase);
  const refreshSlot = module.define(['i32'], [], (fn) => {
    const index = fn.param(0), slot = fn.let(w.shl(index, w.i32(4)));
    const base = fn.let(s.long('segmentBase', 0, w.shl(index, w.i32(3)))), key = fn.let(s.word('modeKey'));
    fn.if(w.and(key, w.i32(MODE.CODE64)), () => {
      s.setLong(fn, 'segment', w.select(w.geU(index, w.i32(SEG.FS)), base, w.i64(0)), 0, slot);
      s.setLong(fn, 'segment', w.i64(-1, 0), 8, slot);
    }, () => {
      const word = w.shl(index, w.i32(2)), limit = fn.let(s.word('segmentLimit', 0, word)), attributes = fn.let(s.word('segmentAttributes', 0, word));
      s.setLong(fn, 'segment', w.and(base, w.i64(-1, 0)), 0, slot);
      s.setWord(fn, 'segment', limit, 8, slot);
      s.setWord(fn, 'segment', checksOf(attributes, limit, w.eq(w.and(key, w.i32(MODE.PROTECTED | MODE.VM86)), w.i32(MODE.PROTECTED))), 12, slot);
    });
  });
  const refreshFlat = module.define([], [], (fn) => {
    const base = (index: number): Expr => s.word('segment', 16 * index), checks = (index: number): Expr => s.word('segment', 16 * index + 12);
    const odd = [SEG.ES, SEG.SS, SEG.DS].map((index) => w.or(base(index), checks(index))).reduce((all, one) => w.or(all, one), base(SEG.CS));
    const unlimited = w.select(odd, w.i32(0), w.i32(MODE.FLAT));
    s.setWord(fn, 'modeKey', w.or(s.bits('modeKey', ~(MODE.FLAT | MODE.LIMITED)), w.select(w.and(checks(SEG.CS), w.i32(CHECK.LIMIT)), w.i32(MODE.LIMITED), unlimited)));
  });
  const refreshSegment = module.define(['i32'], [], (fn) => {
    fn.callVoid(refreshSlot.index, [fn.param(0)]);
    fn.if(w.and(w.ltU(fn.param(0), w.i32(SEG.FS)), w.eqz(s.bits('modeKey', MODE.CODE64))), () => { fn.callVoid(refreshFlat.index, []); });
  });
  /** `EptMmu.contextChanged`, as far as privilege and flags decide. */
  const contextChanged = module.define([], [], (fn) => {
    const isUser = fn.let(w.eq(s.word('cpl'), w.i32(3))), ac = fn.let(s.bits('eflags', EFLAGS.AC));
    const smap = w.eq(s.bits('systemTag', 3), w.i32(MMU_INDEX.supervisor));
    const supervisor = w.select(w.and(smap, w.eqz(ac)), w.i32(MMU_INDEX.supervisor), w.i32(MMU_INDEX.supervisorAc));
    const user = w.select(w.and(isSet(ac), isSet(s.bits('cr0', CR0.AM))), w.i32(MMU_INDEX.userAligned), w.i32(MMU_INDEX.user));
    s.setLong(fn, 'tlbTag', w.extendU(w.or(s.bits('tlbTag', ~3), w.select(isUser, user, supervisor))));
    s.setWord(fn, 'tlbFlip', w.select(isUser, w.i32(TLB_USER_FLIP), w.i32(0)));
  });
  const recomputeMode = module.define([], [], (fn) => {
    const before = fn.let(s.word('modeKey'));
    const cs = fn.let(s.word('segmentAttributes', 4 * SEG.CS)), isBig = fn.let(isSet(s.bits('segmentAttributes', ATTRIBUTE.DB, 4 * SEG.SS)));
    const is64 = fn.let(w.and(isSet(s.bits('efer', EFER.LMA)), bit(cs, ATTRIBUTE.L)));
    const size = w.select(is64, w.i32(MODE.CODE64), bit(cs, ATTRIBUTE.DB));
    const stack = w.mul(w.and(isBig, w.xor(is64, one)), w.i32(MODE.STACK32));
    const protection = w.select(s.bits('cr0', CR0.PE), w.select(s.bits('eflags', EFLAGS.VM), w.i32(MODE.VM86), w.i32(MODE.PROTECTED)), w.i32(0));
    const user = w.mul(w.eq(s.word('cpl'), w.i32(3)), w.i32(MODE.USER));
    const steps = w.or(w.or(s.bits('eflags', STEP_FLAGS), s.word('inhibit')), w.or(s.bits('dr', DR7_ENABLES, 8 * 7), s.bits('debugControl', DEBUGCTL.LBR)));
    const key = fn.let(w.or(w.or(w.or(size, stack), w.or(protection, user)), w.mul(isSet(steps), w.i32(MODE.SINGLE_STEP))));
    s.setWord(fn, 'modeKey', key);
    s.setLong(fn, 'linearMask', w.select(is64, w.i64(-1, -1), w.i64(-1, 0)));
    s.setLong(fn, 'stackMask', w.select(is64, w.i64(-1, -1), w.select(isBig, w.i64(-1, 0), w.i64(0xffff, 0))));
    const refresh = (index: number): void => { fn.callVoid(refreshSlot.index, [w.i32(index)]); };
    fn.if(w.and(w.xor(before, key), w.i32(SEGMENT_MODE)), () => {
      for (let index = SEG.ES; index <= SEG.GS; index++) refresh(index);
    }, () => {
      // in 64-bit code theirs are always the same
      fn.unless(is64, () => { refresh(SEG.CS); refresh(SEG.SS); });
    });
    fn.unless(is64, () => { fn.callVoid(refreshFlat.index, []); });
    fn.callVoid(contextChanged.index, []);
  });
  return { refreshSegment, recomputeMode, contextChanged };
}
