import type { Flag, Machine } from '@vmm/isa';
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';

export type Operation = 'add' | 'sub' | 'logic' | 'up' | 'down' | 'multiply';
/** Flags as an operation and its operands. `a` of a step (up, down) is the carry from before. */
export interface PendingOperation { readonly type: 'operation'; readonly operation: Operation; readonly size: number; /** No carry came in: comparisons can be made on the operands. */ readonly isPlain: boolean; readonly a: Expr; readonly b: Expr; readonly result: Expr }
/** What is known statically about the flags at a point of the code. */
export type Pending =
  /** In the state block, untouched since the region was entered. */
  | { readonly type: 'memory' }
  | { readonly type: 'locals' }
  | { readonly type: 'ready'; readonly result: Expr; readonly aux: Expr }
  | PendingOperation;

export const IN_MEMORY: Pending = { type: 'memory' }, IN_LOCALS: Pending = { type: 'locals' };

/** Arithmetic on guest values of a size. */
export type FlagArithmetic = Pick<Machine, 'signed' | 'constant' | 'stepOverflow'>;

export const isStep = (operation: Operation): boolean => operation === 'up' || operation === 'down';

/** One flag (i32 0/1) right from the operands, if that is cheap. */
export function directFlag({ operation, size, a, b, result, isPlain }: PendingOperation, flag: Flag, arithmetic: FlagArithmetic): Expr | undefined {
  switch (flag) {
    case 'z': return w.eqz(result);
    case 's': return size === 8 ? w.wrap(w.shrU(result, w.i64(63))) : w.and(w.shrU(result, w.i32(size * 8 - 1)), w.i32(1));
    case 'c': return isStep(operation) ? a : operation === 'logic' ? w.i32(0) : isPlain && operation !== 'multiply' ? operation === 'sub' ? w.ltU(a, b) : w.ltU(result, a) : undefined;
    case 'o': return isStep(operation) ? arithmetic.stepOverflow(size, operation === 'up', result) : operation === 'logic' ? w.i32(0) : undefined;
    case 'p': return w.xor(w.and(w.popcnt(w.and(size === 8 ? w.wrap(result) : result, w.i32(0xff))), w.i32(1)), w.i32(1));
    default: return undefined;
  }
}

/** A condition (i32 0/1) right from the operands, if there is such a comparison. */
export function directCondition(pending: PendingOperation, code: number, arithmetic: FlagArithmetic): Expr | undefined {
  const direct = compare(pending, code >> 1, arithmetic);
  return direct === undefined || (code & 1) === 0 ? direct : w.eqz(direct);
}
function compare({ operation, size, isPlain, a, b, result }: PendingOperation, pair: number, arithmetic: FlagArithmetic): Expr | undefined {
  const isSub = operation === 'sub' && isPlain, isByResult = operation === 'logic' || (isStep(operation) && (pair === 2 || pair === 4));
  if (!isSub && !isByResult) return undefined;
  const s = (value: Expr): Expr => arithmetic.signed(size, value), zero = arithmetic.constant(size, 0);
  switch (pair) {
    case 1: return isSub ? w.ltU(a, b) : w.i32(0);
    case 2: return isSub ? w.eq(a, b) : w.eqz(result);
    case 3: return isSub ? w.leU(a, b) : w.eqz(result);
    case 4: return w.ltS(s(result), zero);
    case 6: return isSub ? w.ltS(s(a), s(b)) : w.ltS(s(result), zero);
    case 7: return isSub ? w.leS(s(a), s(b)) : w.leS(s(result), zero);
    default: return undefined;
  }
}
