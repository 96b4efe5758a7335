import type { Expr, ValueType } from './expression.ts';
import type { FunctionBuilder } from './function.ts';
import { ModuleBuilder } from './module.ts';

type Exported = (...args: unknown[]) => unknown;

/** Compiles one function and returns it, ready to call. */
export function compiled(params: readonly ValueType[], results: readonly ValueType[], write: (fn: FunctionBuilder) => void): Exported {
  const module = new ModuleBuilder();
  module.export('f', module.define(params, results, write));
  return exported(module.finish());
}

/** Evaluates an expression of constants in a real engine. */
export function evaluated(value: Expr): unknown {
  return compiled([], [value.type], (fn) => { fn.return(value); })();
}

export function exported(bytes: Uint8Array<ArrayBuffer>, imports: WebAssembly.Imports = {}, name = 'f'): Exported {
  return new WebAssembly.Instance(new WebAssembly.Module(bytes), imports).exports[name] as Exported;
}
