import { describe, expect, it } from 'vitest';
import { ByteWriter } from './bytes.ts';
import * as w from './expression.ts';
import type { FunctionBuilder } from './function.ts';
import { ModuleBuilder } from './module.ts';
import type { ValueType } from './expression.ts';

function compile(params: readonly ValueType[], result: ValueType, write: (fn: FunctionBuilder) => void): (...args: (number | bigint)[]) => number | bigint {
  const module = new ModuleBuilder();
  module.export('f', module.define(params, [result], write));
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.finish()));
  return instance.exports['f'] as (...args: (number | bigint)[]) => number | bigint;
}

describe('LEB128', () => {
  it.each([[0, [0]], [63, [0x3f]], [64, [0xc0, 0]], [-1, [0x7f]], [-64, [0x40]], [-65, [0xbf, 0x7f]], [0x7fff_ffff, [0xff, 0xff, 0xff, 0xff, 7]]])('writes %i signed', (value, bytes) => {
    const out = new ByteWriter();
    out.s32(value);
    expect([...out.finish()]).toEqual(bytes);
  });
  it.each([0n, -1n, 1n << 31n, -(1n << 31n), 1n << 62n, -(1n << 63n), 0x1234_5678_9abc_def0n])('carries the 64-bit constant %i through an engine', (value) => {
    expect(compile([], 'i64', (fn) => { fn.return(w.i64big(value)); })()).toBe(value);
  });
});

describe('expressions', () => {
  it('fold constants, so that static operands leave no code', () => {
    expect(w.add(w.i32(2), w.i32(3))).toMatchObject({ lo: 5 });
    expect(w.and(w.localGet(0, 'i32'), w.i32(-1))).toMatchObject({ lo: 0, op: 0x20 });
    expect(w.select(w.i32(0), w.i32(7), w.i32(9))).toMatchObject({ lo: 9 });
  });
  it('refuse operands of two types', () => { expect(() => w.add(w.i32(1), w.i64(1))).toThrow('add: i32 with i64'); });
  it.each([[w.shrU, -8, 1, 0x7fff_fffc], [w.shrS, -8, 1, -4], [w.rotl, 1, 33, 2], [w.ltU, -1, 1, 0], [w.ltS, -1, 1, 1]] as const)('compute what the constant folder computes', (operation, a, b, expected) => {
    expect(compile(['i32', 'i32'], 'i32', (fn) => { fn.return(operation(fn.param(0), fn.param(1))); })(a, b)).toBe(expected);
  });
});

describe('structured control flow', () => {
  it('branches out of nested blocks and back to loops', () => {
    const sum = compile(['i32'], 'i32', (fn) => {
      const total = fn.local('i32'), i = fn.local('i32');
      fn.set(i, fn.param(0));
      fn.block((done) => {
        fn.loop((again) => {
          fn.brIf(done, w.eqz(fn.get(i)));
          fn.set(total, w.add(fn.get(total), fn.get(i)));
          fn.set(i, w.sub(fn.get(i), w.i32(1)));
          fn.br(again);
        });
      });
      fn.return(fn.get(total));
    });
    expect(sum(100)).toBe(5050);
  });
  it('dispatches by table, with a default', () => {
    const f = compile(['i32'], 'i32', (fn) => {
      fn.block((other) => {
        fn.block((one) => {
          fn.block((zero) => { fn.brTable([zero, one], other, fn.param(0)); });
          fn.return(w.i32(10));
        });
        fn.return(w.i32(11));
      });
      fn.return(w.i32(99));
    });
    expect([0, 1, 2, -1].map((i) => f(i))).toEqual([10, 11, 99, 99]);
  });
  it('recycles the locals of a scope, and no others', () => {
    const module = new ModuleBuilder();
    const indexes: number[] = [];
    module.define([], [], (fn) => {
      const kept = fn.permanentLocal('i32');
      fn.scope(() => { indexes.push(fn.local('i32').index); });
      fn.scope(() => { indexes.push(fn.local('i32').index); });
      expect(indexes).toEqual([kept.index + 1, kept.index + 1]);
    });
  });
});

it('recycles the locals of the innermost scope before its end, but for those of values', () => {
  new ModuleBuilder().define([], [], (fn) => {
    const outer = fn.local('i32');
    fn.scope(() => {
      const kept = fn.let(w.load('i32', 32, w.i32(0))), gone = fn.local('i32');
      expect(fn.scopedLocals).toBe(2);
      fn.recycleScoped([kept]);
      expect(fn.scopedLocals).toBe(1);
      expect([fn.local('i32').index, fn.local('i32').index]).toEqual([gone.index, gone.index + 1]);
    });
    // each of them once, whenever it was recycled
    const again = [0, 1, 2, 3].map(() => fn.local('i32').index);
    expect(new Set([outer.index, ...again]).size).toBe(5);
  });
});

describe('modules', () => {
  it('call forward-declared functions and through tables', () => {
    const module = new ModuleBuilder();
    module.table(4);
    const isEven = module.declare(['i32'], ['i32']), isOdd = module.declare(['i32'], ['i32']);
    for (const [self, other, base] of [[isEven, isOdd, 1], [isOdd, isEven, 0]] as const) {
      module.fill(self, (fn) => {
        fn.unless(fn.param(0), () => { fn.return(w.i32(base)); });
        fn.return(other.call(w.sub(fn.param(0), w.i32(1))));
      });
    }
    module.elements(2, [isOdd]);
    const type = module.typeIndex({ params: ['i32'], results: ['i32'] });
    module.export('f', module.define(['i32'], ['i32'], (fn) => { fn.return(w.callIndirectExpr(type, 'i32', [fn.param(0)], w.i32(2))); }));
    const instance = new WebAssembly.Instance(new WebAssembly.Module(module.finish()));
    expect((instance.exports['f'] as (n: number) => number)(7)).toBe(1);
  });
  it('say which function was declared but never filled', () => {
    const module = new ModuleBuilder();
    module.declare([], []);
    expect(() => module.finish()).toThrow('function 0 was declared but never filled');
  });
  it('are cloned with their imports, before anything is defined', () => {
    const module = new ModuleBuilder();
    const log = module.importFunction('env', 'log', ['i32']);
    const copy = module.clone();
    copy.export('f', copy.define([], [], (fn) => { fn.callVoid(log.index, [w.i32(42)]); }));
    const seen: number[] = [];
    const instance = new WebAssembly.Instance(new WebAssembly.Module(copy.finish()), { env: { log: (n: number) => seen.push(n) } });
    (instance.exports['f'] as () => void)();
    expect(seen).toEqual([42]);
  });
});
