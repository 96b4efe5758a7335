/* @hot: words of machine memory by computed index. */
import { CALLOUT_ID, defineHelpers } from '@vmm/isa';
import type { HelperFunctions } from '@vmm/isa';
import type { GeneratedAccess } from '@vmm/paging';
import { STATE, TLB_ENTRY, VCPU_LAYOUT } from '@vmm/state';
import { ModuleBuilder } from '@vmm/wasm';
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder, FunctionRef, Label, ValueType } from '@vmm/wasm';
import { InterpreterMachine, tlbEntry, tlbWanted, WRITES } from './interpreter-machine.ts';
import type { Exits, InterpreterCore } from './interpreter-machine.ts';
import { VECTOR } from './architecture.ts';
import { defineFinishCall, defineGoOn } from './call-code.ts';
import type { Handler } from './handler.ts';
import { defineCrossingCheck, defineLimitCheck } from './guard-code.ts';
import { noteJump } from './jump-table.ts';
import { CHECK, MODE } from './mode.ts';
import { BLOCK_HEADER, EXIT, HANDLER_STATUS, RECORD } from './record.ts';
import { defineSystemFunctions } from './system-functions.ts';

export interface InterpreterGeometry {
  readonly privateBase: number;
  readonly memoryPages: number;
}

/** See `Mmu.defineAccess`. */
export type DefineAccess = (module: ModuleBuilder, slow: FunctionRef) => GeneratedAccess;
/** For an MMU that defines nothing. */
function slowAccessOnly(module: ModuleBuilder, slow: FunctionRef): GeneratedAccess {
  const never = (parameters: number): FunctionRef => module.define(Array.from({ length: parameters }, () => 'i32'), ['i32'], (fn) => { fn.return(w.i32(0)); });
  return { access: slow, tryAccess: never(6), invalidatePage: never(2) };
}

export const TABLE_SIZE = 32768;

const CORE_TYPES: Readonly<Record<Exclude<keyof InterpreterCore, 'helpers'>, readonly [readonly ValueType[], readonly ValueType[]]>> = {
  access: [['i32', 'i32', 'i32', 'i32'], ['i32']], slowAccess: [['i32', 'i32', 'i32', 'i32'], ['i32']], probeRead: [['i64', 'i32'], ['i32']], probeWrite: [['i64', 'i32', 'i32'], ['i32']], address: [['i32', 'i32'], ['i64']], offset: [['i32'], ['i64']],
  segmentLinear: [['i32', 'i64', 'i32'], ['i64']], commit: [[], ['i32']], callout: [['i32', 'i32'], ['i32']],
  finishCall: [['i32', 'i64', 'i32', 'i32', 'i64', 'i32', 'i64'], ['i32']], goOn: [[], ['i32']],
};

function importMachine(module: ModuleBuilder, geometry: InterpreterGeometry): void {
  module.importMemory({ module: 'env', name: 'memory', minimumPages: geometry.memoryPages, maximumPages: geometry.memoryPages, shared: true });
  module.importTable({ module: 'env', name: 'table', minimum: TABLE_SIZE });
}

/** Linear address returned where a segment check failed: never canonical, so the probe misses and the recorded fault is found. */
const BAD_LINEAR = w.i64(0, -0x8000_0000);

function defineProbe(module: ModuleBuilder, geometry: InterpreterGeometry, access: FunctionRef, tagOffset: number, kind: Expr | undefined): FunctionRef {
  const state = geometry.privateBase + VCPU_LAYOUT.state, tlb = geometry.privateBase + VCPU_LAYOUT.tlb;
  const params: ValueType[] = kind === undefined ? ['i64', 'i32', 'i32'] : ['i64', 'i32'];
  return module.define(params, ['i32'], (fn) => {
    const linear = fn.param(0), size = fn.param(1);
    const entry = fn.let(tlbEntry(state, linear));
    fn.if(w.eq(w.load('i64', 64, entry, tlb + tagOffset), tlbWanted(state, linear, w.extendU(w.sub(size, w.i32(1))))), () => {
      fn.return(w.add(w.wrap(linear), w.load('i32', 32, entry, tlb + 24)));
    });
    fn.return(access.call(w.wrap(linear), w.wrap(w.shrU(linear, w.i64(32))), size, kind ?? fn.param(2)));
  });
}

/** Segment base, limit and rights: see the effective segments in the state layout. */
function defineSegmentLinear(module: ModuleBuilder, stateBase: number, callout: FunctionRef): FunctionRef {
  const check = module.define(['i32', 'i64', 'i32'], ['i32'], (fn) => {
    const slot = fn.param(0), offset = fn.param(1), sizeWord = fn.param(2);
    const checks = fn.let(w.load('i32', 32, slot, stateBase + STATE.segment + 12));
    const limit = fn.let(w.extendU(w.load('i32', 32, slot, stateBase + STATE.segment + 8)));
    const size = w.extendU(w.and(sizeWord, w.i32(0xff)));
    const last = fn.let(w.sub(w.add(offset, size), w.extendU(w.ne(w.and(sizeWord, w.i32(0xff)), w.i32(0)))));
    const fails = fn.local('i32');
    fn.set(fails, w.and(checks, w.or(w.i32(CHECK.UNUSABLE), w.select(w.and(sizeWord, w.i32(WRITES)), w.i32(CHECK.NO_WRITE), w.i32(CHECK.NO_READ)))));
    fn.if(w.and(checks, w.i32(CHECK.LIMIT)), () => { fn.set(fails, w.or(fn.get(fails), w.gtU(last, limit))); });
    fn.if(w.and(checks, w.i32(CHECK.EXPAND_DOWN)), () => {
      const top = w.select(w.and(checks, w.i32(CHECK.BIG)), w.i64(-1, 0), w.i64(0xffff, 0));
      fn.set(fails, w.or(fn.get(fails), w.or(w.leU(offset, limit), w.gtU(last, top))));
    });
    fn.if(w.eqz(fn.get(fails)), () => { fn.return(w.i32(0)); });
    fn.store(64, w.i32(0), stateBase + STATE.scratch, w.extendU(w.shrU(slot, w.i32(4))));
    fn.store(64, w.i32(0), stateBase + STATE.scratch + 8, w.extendU(w.eq(slot, w.i32(2 * 16))));
    fn.drop(callout.call(w.i32(SEGMENT_FAULT), w.i32(4)));
    fn.return(w.i32(1));
  });
  return module.define(['i32', 'i64', 'i32'], ['i64'], (fn) => {
    const slot = fn.param(0), offset = fn.param(1);
    fn.if(w.load('i32', 32, slot, stateBase + STATE.segment + 12), () => {
      fn.if(check.call(slot, offset, fn.param(2)), () => { fn.return(BAD_LINEAR); });
    });
    fn.return(w.and(w.add(offset, w.load('i64', 64, slot, stateBase + STATE.segment)), w.load('i64', 64, w.i32(0), stateBase + STATE.linearMask)));
  });
}
const SEGMENT_FAULT = CALLOUT_ID.segment_fault;

function defineOffset(module: ModuleBuilder, geometry: InterpreterGeometry): FunctionRef {
  const state = geometry.privateBase + VCPU_LAYOUT.state;
  return module.define(['i32'], ['i64'], (fn) => {
    const record = fn.param(0);
    const base = w.load('i64', 64, w.load('i32', 8, record, RECORD.base), state);
    const index = w.load('i64', 64, w.load('i32', 8, record, RECORD.index), state);
    const scaled = w.shl(index, w.load('i64', 8, record, RECORD.scale));
    const mask = w.load('i64', 64, w.shl(w.and(w.load('i32', 8, record, RECORD.segment), w.i32(3)), w.i32(3)), geometry.privateBase + VCPU_LAYOUT.masks);
    fn.return(w.and(w.add(w.add(base, scaled), w.load('i64', 32, record, RECORD.displacement, true)), mask));
  });
}

function emitHandler(machine: InterpreterMachine, fn: FunctionBuilder, handler: Handler, record: Expr, exits: Exits, isInLoop: boolean): void {
  machine.begin(fn, handler, record, exits, isInLoop);
  handler.entry.run(machine);
}

function defineHandler(module: ModuleBuilder, machine: InterpreterMachine, handler: Handler): FunctionRef {
  return module.define(['i32'], ['i32'], (fn) => {
    emitHandler(machine, fn, handler, fn.param(0), { fault: () => { fn.return(w.i32(2)); }, dispatch: () => { fn.return(w.i32(1)); } }, false);
    fn.return(w.i32(0));
  });
}

/**
 * The loop: dispatch finds the block for `rip`, then records run one after another. Handler numbers: 0 leaves the block, 1..hot are cases of the
 * loop's own `br_table`, the rest are functions in the table.
 */
interface RunImports { readonly access: FunctionRef; readonly lookup: FunctionRef; readonly interpreted: FunctionRef; readonly becameHot: FunctionRef }

function fillRun(run: FunctionRef, module: ModuleBuilder, machine: InterpreterMachine, geometry: InterpreterGeometry, hot: readonly Handler[], imports: RunImports, settleFlags: FunctionRef, deliverFault: FunctionRef): void {
  const state = geometry.privateBase + VCPU_LAYOUT.state, tlb = geometry.privateBase + VCPU_LAYOUT.tlb, hash = geometry.privateBase + VCPU_LAYOUT.blockHash;
  const at = (field: keyof typeof STATE): number => state + STATE[field];
  const { access, lookup, interpreted, becameHot } = imports;
  const handlerType = module.typeIndex({ params: ['i32'], results: ['i32'] });
  module.fill(run, (fn) => {
    const returnTo = fn.param(1), depth = fn.param(2), isNested = depth;
    const record = fn.local('i32'), host = fn.local('i32'), rip = fn.local('i64'), linear = fn.local('i64'), entry = fn.local('i32'), slot = fn.local('i32'), last = fn.local('i32'), mustInterpret = fn.local('i32');
    // header of the block that ran just now; 0: not known, or what it leads to must be looked up
    const previous = fn.local('i32');
    const entryStatus = fn.local('i32');
    fn.set(entryStatus, fn.param(0));
    fn.loop((dispatch) => {
      const settle = (): void => { fn.if(w.load('i32', 32, w.i32(0), at('flagKind')), () => { fn.callVoid(settleFlags.index, []); }, undefined, false); };
      // with rip at the instruction
      const deliver = (): void => {
        fn.set(mustInterpret, w.i32(0));
        fn.brIf(dispatch, deliverFault.call());
        fn.return(w.select(isNested, w.i32(HANDLER_STATUS.faultAtRip), w.i32(EXIT.fault)));
      };
      const failed = (): void => {
        fn.store(32, w.i32(0), at('currentRecord'), w.i32(0));
        settle();
        deliver();
      };
      const exit = (reason: number): void => { settle(); fn.return(w.select(isNested, w.i32(HANDLER_STATUS.dispatch), w.i32(reason))); };
      fn.if(fn.get(entryStatus), () => {
        const status = fn.let(fn.get(entryStatus));
        fn.set(entryStatus, w.i32(0));
        fn.if(w.eq(status, w.i32(HANDLER_STATUS.faultAtRip)), failed);
        fn.set(mustInterpret, w.eq(status, w.i32(HANDLER_STATUS.interpret)));
      }, undefined, false);
      fn.if(w.load('i32', 32, w.i32(0), at('pending')), () => { exit(EXIT.pending); }, undefined, false);
      fn.if(w.leS(w.load('i32', 32, w.i32(0), at('budget')), w.i32(0)), () => { exit(EXIT.budget); }, undefined, false);
      fn.set(rip, w.load('i64', 64, w.i32(0), at('rip')));
      fn.if(w.eq(fn.get(rip), returnTo), () => { fn.return(w.i32(HANDLER_STATUS.returned)); }, undefined, false);
      fn.set(linear, w.and(w.add(fn.get(rip), w.load('i64', 64, w.i32(0), at('segment') + 16)), w.load('i64', 64, w.i32(0), at('linearMask'))));
      fn.set(entry, tlbEntry(state, fn.get(linear)));
      fn.if(w.eq(w.load('i64', 64, fn.get(entry), tlb + 16), tlbWanted(state, fn.get(linear), w.i64(0))), () => {
        fn.set(host, w.add(w.wrap(fn.get(linear)), w.load('i32', 32, fn.get(entry), tlb + 24)));
      }, () => {
        fn.set(host, access.call(w.wrap(fn.get(linear)), w.wrap(w.shrU(fn.get(linear), w.i64(32))), w.i32(1), w.i32(2)));
        fn.store(32, w.i32(0), at('currentRecord'), w.i32(0));
        fn.unless(fn.get(host), () => {
          // what lies beyond the limit of CS is not even looked for
          const limit = w.extendU(w.load('i32', 32, w.i32(0), at('segment') + 24)), key = w.load('i32', 32, w.i32(0), at('modeKey'));
          fn.if(w.and(w.and(w.shrU(key, w.i32(Math.log2(MODE.LIMITED))), w.i32(1)), w.gtU(fn.get(rip), limit)), () => {
            fn.store(32, w.i32(0), at('faultVector'), w.i32(VECTOR.GP));
            fn.store(32, w.i32(0), at('faultError'), w.i32(0));
          });
          failed();
        }, false);
      }, true);
      const key = w.load('i32', 32, w.i32(0), at('modeKey'));
      const wanted = fn.let(w.or(w.extendU(fn.get(host)), w.shl(w.extendU(key), w.i64(32))));
      fn.block((known) => {
      fn.if(fn.get(previous), () => {
        for (let i = 0; i < BLOCK_HEADER.nexts; i++) {
          const next = fn.let(w.load('i64', 64, fn.get(previous), BLOCK_HEADER.next + i * BLOCK_HEADER.nextBytes));
          fn.if(w.eq(w.wrap(next), fn.get(host)), () => {
            fn.set(record, w.wrap(w.shrU(next, w.i64(32))));
            fn.brIf(known, w.eq(w.load('i64', 64, w.sub(fn.get(record), w.i32(BLOCK_HEADER.sizeBytes - BLOCK_HEADER.host))), wanted), true);
          }, undefined, i === 0);
        }
      });
      fn.set(slot, blockRow(fn.get(host), key));
      fn.if(fn.get(mustInterpret), () => {
        fn.set(mustInterpret, w.i32(0));
        fn.set(previous, w.i32(0)); // this one is not to be remembered, and what came before may be gone
        fn.set(record, interpreted.call(fn.get(host)));
        fn.unless(fn.get(record), failed, false);
      }, () => {
        fn.block((found) => {
          for (let way = 0; way < BLOCK_HASH.ways; way++) {
            if (way > 0) fn.set(slot, w.add(fn.get(slot), w.i32(BLOCK_HASH.slotBytes)));
            fn.brIf(found, w.eq(w.load('i64', 64, fn.get(slot), hash), wanted), way === 0 ? true : undefined);
          }
          fn.store(32, w.i32(0), at('currentRecord'), w.i32(0));
          fn.set(previous, w.i32(0)); // making room for another block may take it
          fn.unless(lookup.call(fn.get(host)), failed);
          fn.br(dispatch); // it is there now
        });
        const region = fn.let(w.load('i32', 32, fn.get(slot), hash + 12));
        fn.if(region, () => {
          fn.set(previous, w.i32(0));
          fn.store(64, w.i32(0), at('regionEntries'), w.add(w.load('i64', 64, w.i32(0), at('regionEntries')), w.i64(1)));
          const isKnown = w.eq(w.load('i64', 64, fn.get(entry), tlb + TLB_ENTRY.execTag), tlbWanted(state, fn.get(linear), w.i64(0)));
          const isGlobal = w.and(isKnown, w.ne(w.load('i32', 32, fn.get(entry), tlb + TLB_ENTRY.global), w.i32(0)));
          noteJump(fn, geometry.privateBase, fn.get(linear), region, key, isGlobal);
          fn.store(64, w.i32(0), at('returnTo'), returnTo);
          fn.store(32, w.i32(0), at('callDepth'), depth);
          fn.unless(isNested, () => { fn.store(32, w.i32(0), at('callsInDoubt'), w.i32(0)); });
          const status = fn.let(w.callIndirectExpr(handlerType, 'i32', [w.i32(0)], region));
          // `returned` too, if this is for a call: the head of the loop sees it
          fn.brIf(dispatch, w.or(w.eq(status, w.i32(HANDLER_STATUS.dispatch)), w.eq(status, w.i32(HANDLER_STATUS.returned))));
          // it has set rip itself and wants a fault delivered; or a check at an entry failed: what is at rip must be interpreted this time
          fn.if(w.eq(status, w.i32(HANDLER_STATUS.faultAtRip)), failed);
          fn.set(mustInterpret, w.i32(1));
          fn.br(dispatch);
        });
        fn.set(record, w.load('i32', 32, fn.get(slot), hash + 8));
        fn.if(fn.get(previous), () => {
          fn.store(64, fn.get(previous), BLOCK_HEADER.next + BLOCK_HEADER.nextBytes, w.load('i64', 64, fn.get(previous), BLOCK_HEADER.next));
          fn.store(64, fn.get(previous), BLOCK_HEADER.next, w.or(w.extendU(fn.get(host)), w.shl(w.extendU(fn.get(record)), w.i64(32))));
        });
      }, false);
      });
      fn.store(64, w.i32(0), at('blockRip'), fn.get(rip));
      fn.scope(() => {
        const header = fn.let(w.sub(fn.get(record), w.i32(BLOCK_HEADER.sizeBytes)));
        fn.set(previous, header);
        const instructions = fn.let(w.load('i32', 32, header, BLOCK_HEADER.instructions));
        fn.set(last, w.load('i32', 32, header, BLOCK_HEADER.last));
        settle();
        fn.store(32, w.i32(0), at('budget'), w.sub(w.load('i32', 32, w.i32(0), at('budget')), instructions));
        const heat = fn.let(w.sub(w.load('i32', 32, header, BLOCK_HEADER.heat), w.i32(1)));
        fn.store(32, header, BLOCK_HEADER.heat, heat);
        fn.unless(heat, () => { fn.callVoid(becameHot.index, [fn.get(host)]); }, false);
      });
      // the whole block was charged when it was entered: what has not retired is given back, so that counts are exact
      const giveBack = (retired: number): void => {
        const rest = fn.let(w.sub(fn.get(last), w.add(fn.get(record), w.i32(retired * RECORD.sizeBytes))));
        fn.if(rest, () => {
          fn.store(32, w.i32(0), at('budget'), w.add(w.load('i32', 32, w.i32(0), at('budget')), w.divU(rest, w.i32(RECORD.sizeBytes))));
        }, undefined, false);
      };
      const goToRecord = (): void => {
        giveBack(0);
        const ip = w.sub(w.load('i32', 16, fn.get(record), RECORD.end), w.load('i32', 8, fn.get(record), RECORD.length));
        fn.store(64, w.i32(0), at('rip'), w.add(w.load('i64', 64, w.i32(0), at('blockRip')), w.extendU(ip)));
      };
      const leave = (): void => {
        goToRecord();
        fn.br(dispatch);
      };
      fn.block((faulted) => {
      fn.block((early) => {
      const fault = (): void => { fn.br(faulted); };
      fn.loop((next) => {
        const advance = (): void => {
          fn.set(record, w.add(fn.get(record), w.i32(RECORD.sizeBytes)));
          fn.br(next);
        };
        // innermost block is handler 0; block k ends where case k begins
        const nest = (level: number, labels: readonly Label[]): void => {
          if (level < 0) { fn.brTable(labels.slice(1).reverse(), labels[0]!, w.load('i32', 16, fn.get(record))); return; }
          fn.block((label) => { nest(level - 1, [...labels, label]); });
          if (level === 0) leave();
          else if (level <= hot.length) {
            fn.scope(() => { emitHandler(machine, fn, hot[level - 1]!, fn.get(record), { fault, dispatch: () => { fn.br(early); } }, true); });
            advance();
          }
        };
        nest(hot.length + 1, []);
        fn.scope(() => {
          const status = fn.let(w.callIndirectExpr(handlerType, 'i32', [fn.get(record)], w.load('i32', 16, fn.get(record))));
          fn.if(w.eqz(status), advance);
          fn.brIf(early, w.eq(status, w.i32(HANDLER_STATUS.dispatch)));
          fn.if(w.eq(status, w.i32(HANDLER_STATUS.interpret)), () => {
            // a guard in front of a block: what the block was charged is given back before another is entered
            const charged = w.load('i32', 32, fn.get(previous), BLOCK_HEADER.instructions);
            fn.store(32, w.i32(0), at('budget'), w.add(w.load('i32', 32, w.i32(0), at('budget')), charged));
            fn.set(mustInterpret, w.i32(1));
            fn.set(previous, w.i32(0));
            fn.br(dispatch);
          });
          fault();
        });
      });
      fn.unreachable();
      });
      giveBack(1);
      fn.br(dispatch);
      });
      goToRecord();
      fn.store(32, w.i32(0), at('currentRecord'), fn.get(record));
      deliver();
    });
    fn.unreachable();
  });
}

/** Bring flags that translated code left as operation and operands into `flagResult` and `flagAux`. */
function defineSettleFlags(module: ModuleBuilder, stateBase: number, helpers: HelperFunctions): FunctionRef {
  const at = (field: keyof typeof STATE): number => stateBase + STATE[field];
  return module.define([], [], (fn) => {
    const kind = fn.let(w.load('i32', 32, w.i32(0), at('flagKind'))), result = fn.let(w.load('i64', 64, w.i32(0), at('flagResult')));
    const operands = (['flagA', 'flagB'] as const).map((field) => w.load('i64', 64, w.i32(0), at(field)));
    fn.store(32, w.i32(0), at('flagAux'), helpers['lazyAux']!.call(kind, ...operands, result));
    fn.store(64, w.i32(0), at('flagResult'), helpers['lazyResult']!.call(kind, result));
    fn.store(32, w.i32(0), at('flagKind'), w.i32(0));
  });
}

/** A slot: host address, mode key, first record, region. So many of them in a row may hold a block, the one that came last in front. */
export const BLOCK_HASH = { slotBytes: 16, ways: 4 } as const;
const HASH_MULTIPLIER = 0x9e37_79b1 | 0, ROW_BITS = Math.log2(VCPU_LAYOUT.blockHashEntries / BLOCK_HASH.ways), ROW_BYTES_LOG2 = Math.log2(BLOCK_HASH.ways * BLOCK_HASH.slotBytes);
/** Byte offset of the row for a block at a host address in a mode; the TypeScript twin is `blockRowOf`. */
function blockRow(host: Expr, key: Expr): Expr {
  return w.shl(w.shrU(w.mul(w.xor(host, w.shl(key, w.i32(24))), w.i32(HASH_MULTIPLIER)), w.i32(32 - ROW_BITS)), w.i32(ROW_BYTES_LOG2));
}
export function blockRowOf(host: number, key: number): number { return Math.imul(host ^ key << 24, HASH_MULTIPLIER) >>> 32 - ROW_BITS << ROW_BYTES_LOG2; }

/** The main module: helper functions, hot handlers in the loop, guards and `others` as functions in the table from `hot.length + 1` on. */
export function buildInterpreter(geometry: InterpreterGeometry, hot: readonly Handler[], others: readonly Handler[], defineAccess: DefineAccess = slowAccessOnly): { readonly bytes: Uint8Array<ArrayBuffer>; readonly helperTypes: HelperTypes } {
  const module = new ModuleBuilder();
  importMachine(module, geometry);
  const slowAccess = module.importFunction('env', 'access', ['i32', 'i32', 'i32', 'i32'], ['i32']);
  const commit = module.importFunction('env', 'commit', [], ['i32']);
  const callout = module.importFunction('env', 'callout', ['i32', 'i32'], ['i32']);
  const lookup = module.importFunction('env', 'lookup', ['i32'], ['i32']);
  const interpreted = module.importFunction('env', 'interpreted', ['i32'], ['i32']);
  const becameHot = module.importFunction('env', 'becameHot', ['i32']), mayGoOn = module.importFunction('env', 'mayGoOn', ['i32', 'i32', 'i32'], ['i32']);
  const stateBase = geometry.privateBase + VCPU_LAYOUT.state;
  const readTime = module.importFunction('env', 'readTime', [], ['f64']);
  const ports = { readPort: module.importFunction('env', 'readPort', ['i32', 'i32'], ['i32']), writePort: module.importFunction('env', 'writePort', ['i32', 'i32', 'i32']) };
  const generated = defineAccess(module, slowAccess), { access } = generated;
  const system = defineSystemFunctions(module, geometry.privateBase, generated, readTime, ports), helpers = { ...defineHelpers(module, stateBase), ...system };
  const segmentLinear = defineSegmentLinear(module, stateBase, callout);
  const offset = defineOffset(module, geometry);
  const run = module.declare(['i32', 'i64', 'i32'], ['i32']);
  const core: InterpreterCore = {
    helpers, finishCall: defineFinishCall(module, stateBase, run, mayGoOn), goOn: defineGoOn(module, geometry.privateBase), access, slowAccess, commit, callout, offset, segmentLinear,
    probeRead: defineProbe(module, geometry, access, 0, w.i32(0)),
    probeWrite: defineProbe(module, geometry, access, 8, undefined),
    address: module.define(['i32', 'i32'], ['i64'], (fn) => {
      const slot = w.and(w.load('i32', 8, fn.param(0), RECORD.segment), w.i32(0x70));
      fn.return(segmentLinear.call(slot, offset.call(fn.param(0)), fn.param(1)));
    }),
  };
  for (const name of Object.keys(CORE_TYPES) as (keyof typeof CORE_TYPES)[]) module.export(name, core[name]);
  for (const [name, ref] of Object.entries(helpers)) module.export(`helper:${name}`, ref);
  const machine = new InterpreterMachine(geometry.privateBase, core);
  module.elements(hot.length + 1, [defineCrossingCheck(module, geometry.privateBase), defineLimitCheck(module, stateBase), ...others.map((handler) => defineHandler(module, machine, handler))]);
  fillRun(run, module, machine, geometry, hot, { access, lookup, interpreted, becameHot }, defineSettleFlags(module, stateBase, helpers), system.deliverFault);
  module.export('run', module.define([], ['i32'], (fn) => { fn.return(run.call(w.i32(0), w.i64(-1, -1), w.i32(0))); }));
  // where a link says that there is no region
  module.elements(0, [module.define(['i32'], ['i32'], (fn) => { fn.return(w.i32(HANDLER_STATUS.dispatch)); })]);
  return { bytes: module.finish(), helperTypes: Object.fromEntries(Object.entries(helpers).map(([name, ref]) => [name, [ref.type.params, ref.type.results]])) };
}

/** Import machine memory, the handler table and the main module's functions into another module. */
export function importCore(module: ModuleBuilder, geometry: InterpreterGeometry, helperTypes: HelperTypes): InterpreterCore {
  importMachine(module, geometry);
  const core = Object.fromEntries(Object.entries(CORE_TYPES).map(([name, [params, results]]) => [name, module.importFunction('core', name, params, results)])) as unknown as Omit<InterpreterCore, 'helpers'>;
  const helpers = Object.fromEntries(Object.entries(helperTypes).map(([name, [params, results]]) => [name, module.importFunction('core', `helper:${name}`, params, results)]));
  return { ...core, helpers };
}

/** Completes a module with one handler met later, in table slot `slot`. */
export function finishExtension(module: ModuleBuilder, core: InterpreterCore, geometry: InterpreterGeometry, slot: number, handler: Handler): Uint8Array<ArrayBuffer> {
  module.elements(slot, [defineHandler(module, new InterpreterMachine(geometry.privateBase, core), handler)]);
  return module.finish();
}

/** Parameter and result types of the main module's helper functions, by name. */
export type HelperTypes = Readonly<Record<string, readonly [readonly ValueType[], readonly ValueType[]]>>;
