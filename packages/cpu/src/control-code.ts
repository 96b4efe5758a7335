/** Control registers, segment bases and CPUID as functions of the interpreter's module: what control-registers.ts, msr.ts and cpuid.ts do in the common case. */
import { VCPU_LAYOUT } from '@vmm/state';
import * as w from '@vmm/wasm';
import type { Expr, FunctionRef, ModuleBuilder } from '@vmm/wasm';
import { CR0, CR4, EFLAGS, SEG } from './architecture.ts';
import { CR0_WRITABLE } from './control-registers.ts';
import { CPUID_ENTRY, cpuidSlot } from './cpuid-cache.ts';
import { isCanonical } from './event-code.ts';
import { MODE } from './mode.ts';
import { giveUpIf, giveUpUnless } from './state-code.ts';
import type { TableFunctions } from './table-code.ts';

export interface ControlFunctions {
  /** (register) -> host address of CR0, CR2, CR3 or CR4, for reading; 0: it is TypeScript's. */
  readonly controlRegister: FunctionRef;
  /** (register, value) -> 1: CR2 is loaded, or bits of CR0 that only concern the FPU; 0: it is TypeScript's. */
  readonly setControlRegister: FunctionRef;
  /** (set) -> 1: STAC or CLAC is done; 0: it is TypeScript's. */
  readonly setAlignmentCheck: FunctionRef;
  /** (MSR) -> host address of a segment base in 64-bit mode, for reading; 0: it is TypeScript's. */
  readonly baseRegister: FunctionRef;
  /** (MSR, value) -> 1: the segment base is set; 0: it is TypeScript's. */
  readonly setBaseRegister: FunctionRef;
  /** (segment, value) -> 1: WRFSBASE or WRGSBASE is done; 0: it is TypeScript's. */
  readonly writeBase: FunctionRef;
  /** (leaf, subleaf) -> host address of EAX, EBX, ECX and EDX; 0: it is TypeScript's. */
  readonly cpuidEntry: FunctionRef;
}

/** CR0, CR2, CR3, CR4: state fields one after another. */
const READABLE = 1 << 0 | 1 << 2 | 1 << 3 | 1 << 4;
const FPU_BITS = CR0.TS | CR0.MP | CR0.EM;
/** FS base, GS base, kernel GS base: MSRs one after another. SDM vol 4, Table 2-2 */
const FIRST_BASE = 0xc000_0100 | 0, KERNEL_GS = 2;

export function defineControlFunctions(module: ModuleBuilder, t: TableFunctions, privateBase: number): ControlFunctions {
  const { state } = t, isSystem = w.eqz(state.word('cpl')), is64 = state.bits('modeKey', MODE.CODE64);
  const setBase = module.define(['i32', 'i64'], ['i32'], (fn) => {
    giveUpUnless(fn, isCanonical(fn.param(1)));
    state.setLong(fn, 'segmentBase', fn.param(1), 0, w.shl(fn.param(0), w.i32(3)));
    fn.callVoid(t.refreshSegment.index, [fn.param(0)]);
    fn.return(w.i32(1));
  });
  const baseNumber = (msr: Expr): Expr => w.sub(msr, w.i32(FIRST_BASE));
  return {
    controlRegister: module.define(['i32'], ['i32'], (fn) => {
      const number = fn.param(0), isKnown = w.and(w.ltU(number, w.i32(5)), w.shrU(w.i32(READABLE), number));
      giveUpUnless(fn, w.and(isSystem, isKnown));
      fn.return(w.add(w.i32(state.at('cr0')), w.shl(w.sub(number, w.ne(number, w.i32(0))), w.i32(3))));
    }),
    setControlRegister: module.define(['i32', 'i64'], ['i32'], (fn) => {
      const number = fn.param(0), value = fn.param(1);
      giveUpUnless(fn, isSystem);
      fn.if(w.eq(number, w.i32(2)), () => {
        state.setLong(fn, 'cr2', value);
        fn.return(w.i32(1));
      });
      giveUpIf(fn, w.or(number, w.wrap(w.shrU(value, w.i64(32)))));
      const next = fn.let(w.or(w.and(w.wrap(value), w.i32(CR0_WRITABLE)), w.i32(CR0.ET)));
      giveUpIf(fn, w.and(w.xor(next, state.word('cr0')), w.i32(~FPU_BITS)));
      state.setWord(fn, 'cr0', next);
      fn.return(w.i32(1));
    }),
    setAlignmentCheck: module.define(['i32'], ['i32'], (fn) => {
      giveUpUnless(fn, isSystem);
      state.setWord(fn, 'eflags', w.or(state.bits('eflags', ~EFLAGS.AC), w.mul(fn.param(0), w.i32(EFLAGS.AC))));
      fn.callVoid(t.contextChanged.index, []);
      fn.return(w.i32(1));
    }),
    baseRegister: module.define(['i32'], ['i32'], (fn) => {
      const base = fn.let(baseNumber(fn.param(0)));
      giveUpUnless(fn, w.and(w.and(isSystem, w.ne(is64, w.i32(0))), w.leU(base, w.i32(KERNEL_GS))));
      fn.return(w.select(w.eq(base, w.i32(KERNEL_GS)), w.i32(state.at('kernelGsBase')), w.add(w.i32(state.at('segmentBase') + 8 * SEG.FS), w.shl(base, w.i32(3)))));
    }),
    setBaseRegister: module.define(['i32', 'i64'], ['i32'], (fn) => {
      const base = fn.let(baseNumber(fn.param(0))), value = fn.param(1);
      giveUpUnless(fn, w.and(w.and(isSystem, w.ne(is64, w.i32(0))), w.leU(base, w.i32(KERNEL_GS))));
      fn.if(w.eq(base, w.i32(KERNEL_GS)), () => {
        giveUpUnless(fn, isCanonical(value));
        state.setLong(fn, 'kernelGsBase', value);
        fn.return(w.i32(1));
      });
      fn.return(setBase.call(w.add(base, w.i32(SEG.FS)), value));
    }),
    writeBase: module.define(['i32', 'i64'], ['i32'], (fn) => {
      giveUpUnless(fn, w.and(w.ne(is64, w.i32(0)), w.ne(state.bits('cr4', CR4.FSGSBASE), w.i32(0))));
      fn.return(setBase.call(fn.param(0), fn.param(1)));
    }),
    cpuidEntry: module.define(['i32', 'i32'], ['i32'], (fn) => {
      const leaf = fn.param(0), subleaf = fn.param(1), cache = privateBase + VCPU_LAYOUT.cpuid;
      const entry = fn.let(w.mul(cpuidSlot(leaf, subleaf), w.i32(CPUID_ENTRY.bytes))), word = (offset: number): Expr => w.load('i32', 32, entry, cache + offset);
      const difference = [w.xor(word(CPUID_ENTRY.leaf), leaf), w.xor(word(CPUID_ENTRY.subleaf), subleaf), w.xor(word(CPUID_ENTRY.cr4), state.word('cr4')), w.xor(word(CPUID_ENTRY.xcr0), state.word('xcr0'))];
      giveUpIf(fn, difference.reduce((all, one) => w.or(all, one)));
      fn.return(w.add(entry, w.i32(cache + CPUID_ENTRY.registers)));
    }),
  };
}
