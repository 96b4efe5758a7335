/** Module functions behind the x87 builders. */
import * as w from '@vmm/wasm';
import type { FunctionRef, ModuleBuilder } from '@vmm/wasm';
import { STATE } from '@vmm/state';

export function defineX87Helpers(module: ModuleBuilder, stateBase: number): Record<string, FunctionRef> {
  return { x87_tags: defineTagWord(module, stateBase) };
}

/** The full tag word: 00 valid, 01 zero, 10 special (NaN, infinity, denormal, unsupported), 11 empty. SDM vol 1 §8.1.7 */
function defineTagWord(module: ModuleBuilder, stateBase: number): FunctionRef {
  return module.define([], ['i32'], (fn) => {
    const tags = fn.let(w.load('i32', 32, w.i32(0), stateBase + STATE.fpuTags)), word = fn.local('i32');
    fn.set(word, w.i32(0));
    for (let i = 0; i < 8; i++) {
      const at = stateBase + STATE.fpr + i * 16, significand = w.load('i64', 64, w.i32(0), at), exponent = fn.let(w.and(w.load('i32', 16, w.i32(0), at + 8), w.i32(0x7fff)));
      const zero = w.and(w.eqz(exponent), w.eqz(significand));
      const special = w.or(w.or(w.eqz(exponent), w.eq(exponent, w.i32(0x7fff))), w.geS(significand, w.i64(0)));
      const kind = w.select(zero, w.i32(1), w.shl(special, w.i32(1)));
      fn.set(word, w.or(fn.get(word), w.shl(w.select(w.and(tags, w.i32(1 << i)), w.i32(3), kind), w.i32(2 * i))));
    }
    fn.return(fn.get(word));
  });
}
