/** Arithmetic on twice the width that WebAssembly has. */
import * as w from '@vmm/wasm';
import type { Expr, FunctionRef, ModuleBuilder } from '@vmm/wasm';

const LOW = w.i64(-1, 0), HALF = w.i64(32);

/** High 64 bits of the product of two values, by 32-bit halves (Hacker's Delight §8-2). `bind` keeps a value that is used more than once. */
export function multiplyHigh(bind: (value: Expr) => Expr, a: Expr, b: Expr, isSigned: boolean): Expr {
  const upper = isSigned ? w.shrS : w.shrU;
  const a0 = bind(w.and(a, LOW)), a1 = bind(upper(a, HALF)), b0 = bind(w.and(b, LOW)), b1 = bind(upper(b, HALF));
  const t = bind(w.add(w.mul(a1, b0), w.shrU(w.mul(a0, b0), HALF)));
  const u = w.add(w.mul(a0, b1), w.and(t, LOW));
  return w.add(w.add(w.mul(a1, b1), upper(t, HALF)), upper(u, HALF));
}

/** (rest, divisor with its top bit set, next 32 bits of the dividend) -> one 32-bit digit of the quotient (Knuth's algorithm D; Hacker's Delight §9-4). */
export function defineQuotientDigit(module: ModuleBuilder): FunctionRef {
  return module.define(['i64', 'i64', 'i64'], ['i64'], (fn) => {
    const rest = fn.param(0), divisor = fn.param(1), next = fn.param(2);
    const high = fn.let(w.shrU(divisor, HALF)), low = fn.let(w.and(divisor, LOW)), digit = fn.local('i64'), over = fn.local('i64');
    fn.set(digit, w.divU(rest, high));
    fn.set(over, w.sub(rest, w.mul(fn.get(digit), high)));
    // the estimate is too large by two at most
    fn.loop((again) => {
      const isTooLarge = w.or(w.gtU(fn.get(digit), LOW), w.gtU(w.mul(fn.get(digit), low), w.or(w.shl(fn.get(over), HALF), next)));
      fn.if(isTooLarge, () => {
        fn.set(digit, w.sub(fn.get(digit), w.i64(1)));
        fn.set(over, w.add(fn.get(over), high));
        fn.brIf(again, w.leU(fn.get(over), LOW));
      });
    });
    fn.return(fn.get(digit));
  });
}
