/** Where an operation's result goes: bits returned, or 10 bytes stored. Each method ends the function. */
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder, FunctionRef, ModuleBuilder, ValueType } from '@vmm/wasm';
import { FLAG } from './flags.ts';
import { FORMATS } from './format.ts';
import type { Format } from './format.ts';
import { defineNaN, defineNaNExtended, patterns, storeDefaultNaN } from './nan.ts';
import { defineRound, defineRoundExtended, raise, storeExtended } from './round.ts';
import { ONE_TOP } from './wide.ts';

export interface Target {
  readonly format: Format;
  readonly flagsAddress: number;
  readonly roundRef: FunctionRef;
  readonly nanRef: FunctionRef;
  /** Parameter types of a function with `operands` operands: (destination,)? operands, mode. */
  parameters(operands: number): ValueType[];
  readonly results: readonly ValueType[];
  operand(fn: FunctionBuilder, index: number): Expr;
  mode(fn: FunctionBuilder): Expr;
  round(fn: FunctionBuilder, sign: Expr, exponent: Expr, hi: Expr, lo: Expr): void;
  zero(fn: FunctionBuilder, sign: Expr): void;
  infinity(fn: FunctionBuilder, sign: Expr): void;
  /** Invalid operation: default NaN. */
  invalid(fn: FunctionBuilder): void;
  /** Operand a or b is a NaN. */
  nan(fn: FunctionBuilder, a: Expr, b: Expr): void;
}

export function makeTarget(module: ModuleBuilder, format: Format, flagsAddress: number): Target {
  return format.name === 'x80' ? extendedTarget(module, flagsAddress) : bitsTarget(module, format, flagsAddress);
}

function bitsTarget(module: ModuleBuilder, format: Format, flagsAddress: number): Target {
  const roundRef = defineRound(module, format, flagsAddress), nanRef = defineNaN(module, format, flagsAddress), p = patterns(format);
  const signBit = (sign: Expr): Expr => (format.type === 'i64' ? w.shl(w.extendU(sign), w.i64(63)) : w.shl(sign, w.i32(format.fraction + format.exponentBits)));
  return {
    format, flagsAddress, roundRef, nanRef, results: [format.type],
    parameters: (operands) => [...Array.from({ length: operands }, () => format.type), 'i32'],
    operand: (fn, index) => fn.param(index),
    mode: (fn) => fn.param(fn.type.params.length - 1),
    round(fn, sign, exponent, hi, lo) { fn.return(roundRef.call(sign, exponent, hi, lo, this.mode(fn))); },
    zero(fn, sign) { fn.return(signBit(sign)); },
    infinity(fn, sign) { fn.return(w.or(signBit(sign), p.infinity)); },
    invalid(fn) { raise(fn, flagsAddress, w.i32(FLAG.invalid)); fn.return(p.defaultNaN); },
    nan(fn, a, b) { fn.return(nanRef.call(a, b)); },
  };
}

function extendedTarget(module: ModuleBuilder, flagsAddress: number): Target {
  const roundRef = defineRoundExtended(module, flagsAddress), nanRef = defineNaNExtended(module, flagsAddress);
  return {
    format: FORMATS.x80, flagsAddress, roundRef, nanRef, results: [],
    parameters: (operands) => ['i32', ...Array.from({ length: operands }, (): ValueType => 'i32'), 'i32'],
    operand: (fn, index) => fn.param(index + 1),
    mode: (fn) => fn.param(fn.type.params.length - 1),
    round(fn, sign, exponent, hi, lo) { fn.callVoid(roundRef.index, [fn.param(0), sign, exponent, hi, lo, this.mode(fn)]); fn.return(); },
    zero(fn, sign) { storeExtended(fn, fn.param(0), sign, w.i32(0), w.i64(0)); fn.return(); },
    infinity(fn, sign) { storeExtended(fn, fn.param(0), sign, w.i32(0x7fff), ONE_TOP); fn.return(); },
    invalid(fn) { raise(fn, flagsAddress, w.i32(FLAG.invalid)); storeDefaultNaN(fn, fn.param(0)); fn.return(); },
    nan(fn, a, b) { fn.callVoid(nanRef.index, [fn.param(0), a, b]); fn.return(); },
  };
}
