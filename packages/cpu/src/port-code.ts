/** IN and OUT with their permission checks as functions of the interpreter's module: what port-io.ts does where nothing faults. SDM vol 1 §19.5 */
import { TSS32 } from '@vmm/spec';
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder, FunctionRef, ModuleBuilder } from '@vmm/wasm';
import { DR7_ENABLES, EFLAGS, SEG } from './architecture.ts';
import { MODE } from './mode.ts';
import { giveUpIf, giveUpUnless } from './state-code.ts';
import { tableAddress } from './table-code.ts';
import type { TableFunctions } from './table-code.ts';

export interface PortFunctions {
  /** (port, size) -> what the device answers, i64; -1: it is TypeScript's. */
  readonly portIn: FunctionRef;
  /** (port, size, value) -> 1: the device has it; 0: it is TypeScript's. */
  readonly portOut: FunctionRef;
}

/** What the devices are reached by: (port, size) -> value, and (port, size, value). */
export interface PortImports { readonly readPort: FunctionRef; readonly writePort: FunctionRef }

/** No offset into a TSS, map and port together, is larger: bases above leave no room for it below 4 GiB. */
const HIGHEST_BASE = 0xfffd_ffff | 0;

export function definePortFunctions(module: ModuleBuilder, t: TableFunctions, { readPort, writePort }: PortImports): PortFunctions {
  const { state } = t;
  const tssWord = (fn: FunctionBuilder, offset: Expr): Expr => {
    const host = fn.let(t.systemHost.call(tableAddress(state, state.long('segmentBase', 8 * SEG.TR), offset), w.i32(2), w.i32(0)));
    giveUpUnless(fn, host);
    return w.load('i32', 16, host);
  };
  /** (port, size) -> whether the ports may be used, for all that is known here. */
  const mayUse = module.define(['i32', 'i32'], ['i32'], (fn) => {
    const [port, size] = [fn.param(0), fn.param(1)] as const, key = fn.let(state.bits('modeKey', MODE.PROTECTED | MODE.VM86));
    giveUpIf(fn, state.bits('dr', DR7_ENABLES, 8 * 7));
    const level = w.and(w.shrU(state.word('eflags'), w.i32(EFLAGS.IOPL_SHIFT)), w.i32(3));
    fn.if(w.or(w.eqz(key), w.and(w.eq(key, w.i32(MODE.PROTECTED)), w.leU(state.word('cpl'), level))), () => { fn.return(w.i32(1)); }, undefined, true);
    const limit = fn.let(state.word('segmentLimit', 4 * SEG.TR)), kind = state.bits('segmentAttributes', 0x1_0008, 4 * SEG.TR);
    giveUpIf(fn, w.or(w.ne(kind, w.i32(8)), w.or(w.ltU(limit, w.i32(TSS32.SIZE - 1)), w.gtU(state.word('segmentBase', 8 * SEG.TR), w.i32(HIGHEST_BASE)))));
    const at = fn.let(w.add(tssWord(fn, w.i32(TSS32.IO_MAP_BASE)), w.shrU(port, w.i32(3))));
    giveUpIf(fn, w.geU(at, limit));
    fn.return(w.eqz(w.and(w.shrU(tssWord(fn, at), w.and(port, w.i32(7))), w.sub(w.shl(w.i32(1), size), w.i32(1)))));
  });
  // the device may take its time: what is known of the time stamp is for code alone
  const forgetTime = (fn: FunctionBuilder): void => { state.setLong(fn, 'timeStamp', w.i64(0)); };
  const cut = (value: Expr, size: Expr): Expr => w.and(value, w.shrU(w.i32(-1), w.sub(w.i32(32), w.shl(size, w.i32(3)))));
  return {
    portIn: module.define(['i32', 'i32'], ['i64'], (fn) => {
      const [port, size] = [fn.param(0), fn.param(1)] as const;
      fn.unless(mayUse.call(port, size), () => { fn.return(w.i64(-1, -1)); });
      forgetTime(fn);
      fn.return(w.extendU(cut(readPort.call(port, size), size)));
    }),
    portOut: module.define(['i32', 'i32', 'i32'], ['i32'], (fn) => {
      const [port, size] = [fn.param(0), fn.param(1)] as const;
      giveUpUnless(fn, mayUse.call(port, size));
      forgetTime(fn);
      fn.callVoid(writePort.index, [port, size, cut(fn.param(2), size)]);
      fn.return(w.i32(1));
    }),
  };
}
