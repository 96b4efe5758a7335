import { describe, expect, it } from 'vitest';
import * as w from './index.ts';
import { compiled, exported } from './wasm.testing.ts';

describe('control flow', () => {
  it('loops until a branch leaves', () => {
    const sum = compiled(['i32'], ['i32'], (fn) => {
      const total = fn.local('i32');
      fn.set(total, w.i32(0));
      fn.block((done) => {
        fn.loop((again) => {
          fn.brIf(done, w.eqz(fn.param(0)));
          fn.set(total, w.add(fn.get(total), fn.param(0)));
          fn.set(0, w.sub(fn.param(0), w.i32(1)));
          fn.br(again);
        });
      });
      fn.return(fn.get(total));
    });
    expect(sum(100)).toBe(5050);
  });

  it('dispatches through a table, with a default', () => {
    const name = compiled(['i32'], ['i32'], (fn) => {
      fn.block((other) => {
        fn.block((two) => {
          fn.block((one) => { fn.brTable([one, two], other, fn.param(0)); });
          fn.return(w.i32(11));
        });
        fn.return(w.i32(22));
      });
      fn.return(w.i32(99));
    });
    expect([name(0), name(1), name(2), name(-1)]).toEqual([11, 22, 99, 99]);
  });

  it('branches out of an if, whose depth counts', () => {
    const f = compiled(['i32'], ['i32'], (fn) => {
      fn.block((end) => {
        fn.if(fn.param(0), () => { fn.br(end); }, () => { fn.return(w.i32(1)); });
      });
      fn.unless(w.i32(1), () => { fn.unreachable(); });
      fn.return(w.i32(2));
    });
    expect([f(0), f(1)]).toEqual([1, 2]);
  });
});

describe('locals', () => {
  it('of a scope are used again after it, permanent ones are not', () => {
    const fn = new w.FunctionBuilder({ params: ['i32'], results: [] });
    const [permanent, first] = [fn.permanentLocal('i32'), fn.scope(() => fn.local('i32'))];
    const [second, other] = [fn.scope(() => fn.local('i32')), fn.local('i64')];
    expect([permanent, first, second, other].map((local) => local.index)).toEqual([1, 2, 2, 3]);
  });

  it('hold a value that is computed once', () => {
    const module = new w.ModuleBuilder();
    const next = module.importFunction('host', 'next', [], ['i32']);
    module.export('f', module.define([], ['i32'], (fn) => {
      const value = fn.let(next.call());
      fn.return(w.add(value, value));
    }));
    let calls = 0;
    const f = exported(module.finish(), { host: { next: () => ++calls } });
    expect([f(), calls]).toEqual([2, 1]);
  });
});

describe('a module', () => {
  it('loads and stores every width in an imported shared memory', () => {
    const module = new w.ModuleBuilder();
    module.importMemory({ module: 'host', name: 'memory', minimumPages: 1, maximumPages: 1, shared: true });
    module.export('f', module.define([], ['i64'], (fn) => {
      fn.store(64, w.i32(0), 8, w.i64big(0x8877_6655_4433_2281n));
      fn.store(16, w.i32(16), 0, w.i32(0xffee));
      const signed = w.load('i64', 8, w.i32(8), 0, true);
      const unsigned = w.load('i64', 16, w.i32(16));
      fn.return(w.add(signed, unsigned));
    }));
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    expect(exported(module.finish(), { host: { memory } })()).toBe(BigInt(0xffee - 0x7f));
    expect(new DataView(memory.buffer).getUint32(12, true)).toBe(0x8877_6655);
  });

  it('calls forward, through its table and by tail call', () => {
    const module = new w.ModuleBuilder();
    const isOdd = module.declare(['i32'], ['i32']);
    const isEven = module.define(['i32'], ['i32'], (fn) => {
      fn.if(w.eqz(fn.param(0)), () => { fn.return(w.i32(1)); });
      fn.returnCall(isOdd.index, [w.sub(fn.param(0), w.i32(1))]);
    });
    module.table(1);
    module.elements(0, [isEven]);
    const type = module.typeIndex(isEven.type);
    module.fill(isOdd, (fn) => {
      fn.if(w.eqz(fn.param(0)), () => { fn.return(w.i32(0)); });
      fn.returnCallIndirect(type, [w.sub(fn.param(0), w.i32(1))], w.i32(0));
    });
    module.export('f', isEven);
    const f = exported(module.finish());
    expect([f(1_000_000), f(7)]).toEqual([1, 0]); // a million frames: only tail calls survive
  });

  it('keeps state in its globals', () => {
    const module = new w.ModuleBuilder();
    const counter = module.global('i64', true, 5);
    module.export('f', module.define([], ['i64'], (fn) => {
      fn.setGlobal(counter, w.add(w.globalGet(counter, 'i64'), w.i64(1)));
      fn.return(w.globalGet(counter, 'i64'));
    }));
    const f = exported(module.finish());
    expect([f(), f()]).toEqual([6n, 7n]);
  });

  it('cloned, shares types and imports and nothing else', () => {
    const base = new w.ModuleBuilder();
    const twice = base.importFunction('host', 'twice', ['i32'], ['i32']);
    const results = [1, 2].map((n) => {
      const module = base.clone();
      module.export('f', module.define([], ['i32'], (fn) => { fn.return(twice.call(w.i32(n))); }));
      return exported(module.finish(), { host: { twice: (x: number) => 2 * x } })();
    });
    expect(results).toEqual([2, 4]);
  });

  it('refuses what no module can be', () => {
    const module = new w.ModuleBuilder();
    const imported = module.importFunction('host', 'f', ['i32'], ['i32']);
    expect(() => { module.fill(imported, () => undefined); }).toThrow('is imported');
    expect(() => imported.call(w.i64(1))).toThrow('argument 0: i64, expected i32');
    expect(() => imported.call()).toThrow('expected 1 arguments, got 0');
    module.define([], [], () => undefined);
    expect(() => module.importFunction('host', 'g', [])).toThrow('import functions before defining any');
    expect(() => module.clone()).toThrow('clone before defining functions');
  });
});
