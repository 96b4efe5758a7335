import { describe, expect, it } from 'vitest';
import { disassemble } from './disassembler.ts';
import type { FunctionBuilder } from './function.ts';
import * as w from './index.ts';
import { ModuleBuilder } from './module.ts';

const ADD = 'i32.add';
/** A function of two i32: what it computes, and its code without indentation. */
function made(write: (fn: FunctionBuilder) => void): { f: (a: number, b: number) => number; code: string[] } {
  const module = new ModuleBuilder();
  module.export('f', module.define(['i32', 'i32'], ['i32'], write));
  const bytes = module.finish();
  const f = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports['f'] as (a: number, b: number) => number;
  return { f, code: disassemble(bytes).functions[0]!.lines.map((line) => line.trim()) };
}

describe('a value bound by let', () => {
  it('that is used next, and only there, needs no local', () => {
    const { f, code } = made((fn) => {
      const sum = fn.let(w.add(fn.param(0), fn.param(1)));
      fn.return(w.mul(sum, w.i32(3)));
    });
    expect(f(4, 5)).toBe(27);
    expect(code).toEqual(['local.get 0', 'local.get 1', ADD, 'i32.const 3', 'i32.mul', 'return']);
  });

  it('that is used next and again is left on the stack the first time', () => {
    const { f, code } = made((fn) => {
      const sum = fn.let(w.add(fn.param(0), fn.param(1)));
      fn.return(w.mul(sum, sum));
    });
    expect(f(4, 5)).toBe(81);
    expect(code).toEqual(['local.get 0', 'local.get 1', ADD, 'local.tee 2', 'local.get 2', 'i32.mul', 'return']);
  });

  it('that nothing uses is not computed, nor what only it is computed from', () => {
    const { code } = made((fn) => {
      const sum = fn.let(w.add(fn.param(0), fn.param(1)));
      fn.let(w.mul(fn.let(w.sub(sum, w.i32(1))), w.i32(2)));
      fn.return(w.i32(7));
    });
    expect(code).toEqual(['i32.const 7', 'return']);
  });

  it('that nothing uses is computed if that may trap', () => {
    const { f } = made((fn) => {
      fn.let(w.divS(fn.param(0), fn.param(1)));
      fn.return(w.i32(7));
    });
    expect(f(1, 1)).toBe(7);
    expect(() => f(1, 0)).toThrow('divide by zero');
  });

  it('is what a local was, copied only if that changes', () => {
    const { f, code } = made((fn) => {
      const before = fn.let(fn.param(0)), other = fn.let(fn.param(1));
      fn.set(0, w.add(before, other));
      fn.return(w.sub(w.mul(fn.param(0), w.i32(100)), w.add(before, other)));
    });
    expect(f(4, 5)).toBe(891);
    expect(code.slice(0, 2)).toEqual(['local.get 0', 'local.set 2']);
    expect(code).not.toContain('local.set 3');
  });

  it('is what a local was before a loop that changes it', () => {
    const { f } = made((fn) => {
      const start = fn.let(fn.param(0)), sum = fn.local('i32');
      fn.set(sum, w.i32(0));
      fn.loop((again) => {
        fn.set(sum, w.add(fn.get(sum), start));
        fn.set(0, w.sub(fn.param(0), w.i32(1)));
        fn.brIf(again, fn.param(0));
      });
      fn.return(fn.get(sum));
    });
    expect(f(5, 0)).toBe(25);
  });

  it('is got from the local that it was stored in, but not where that may not have happened', () => {
    const { f } = made((fn) => {
      const product = fn.let(w.mul(fn.param(0), w.i32(10)));
      fn.if(fn.param(1), () => { fn.set(0, product); }, () => { fn.set(1, w.i32(1)); });
      fn.return(w.add(product, w.mul(fn.param(0), fn.param(1))));
    });
    expect(f(3, 0)).toBe(33);
    expect(f(3, 2)).toBe(90);
  });

  it('that was stored in a local is its own again when that local changes', () => {
    const { f } = made((fn) => {
      const product = fn.let(w.mul(fn.param(0), w.i32(10)));
      fn.set(0, product);
      fn.set(1, w.add(fn.param(0), w.i32(1)));
      fn.set(0, w.i32(1000));
      fn.return(w.add(w.add(product, fn.param(0)), fn.param(1)));
    });
    expect(f(3, 0)).toBe(1061);
  });

  it('lives through code that is put in later', () => {
    const { f } = made((fn) => {
      const before = fn.let(fn.param(0));
      fn.later(() => { fn.set(0, w.i32(50)); });
      const after = fn.let(fn.param(0));
      fn.set(0, w.i32(1));
      fn.return(w.add(w.mul(before, w.i32(100)), after));
    });
    expect(f(3, 0)).toBe(350);
  });

  it('is one of two by a condition', () => {
    const { f } = made((fn) => { fn.return(w.add(fn.choose('i32', fn.param(0), () => fn.param(1), () => w.i32(9), true), w.i32(1))); });
    expect([f(0, 4), f(1, 4)]).toEqual([10, 5]);
  });
});

describe('wrap', () => {
  it('computes in 32 bits what was extended from 32 bits', () => {
    const wide = w.add(w.extendU(w.localGet(0, 'i32')), w.i64(-4));
    expect(w.wrap(wide)).toEqual(w.add(w.localGet(0, 'i32'), w.i32(-4)));
    expect(w.and(wide, w.i64(-1, 0))).toEqual(w.extendU(w.wrap(wide)));
    expect(w.wrap(w.shrU(wide, w.i64(8)))).toMatchObject({ op: 0xa7 });
  });
});
