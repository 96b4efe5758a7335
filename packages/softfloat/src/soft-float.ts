import type { FunctionRef, ModuleBuilder } from '@vmm/wasm';
import { defineAdd, defineDivide, defineFusedMultiplyAdd, defineMultiply, defineSquareRoot } from './arithmetic.ts';
import { defineCompare, defineConvert, defineExpand, defineFromInteger, defineRoundToIntegral, defineToInteger } from './convert.ts';
import { defineExtract, defineFromBcd, defineRemainder, defineScale, defineToBcd } from './extended.ts';
import { FORMATS } from './format.ts';
import { defineQuad } from './quad.ts';
import { makeTarget } from './target.ts';

export interface SoftFloatOptions {
  /** Address of an i32 in the module's memory into which every operation ors its exception flags (`FLAG`). */
  readonly flagsAddress: number;
  /** Address of an i32 that receives `x80_rem`'s quotient bits. Default: the word after the flags. */
  readonly quotientAddress?: number;
  /** Half-precision arithmetic too, which no x86 instruction before AVX-512 has. Default: conversions only. */
  readonly half?: boolean;
  /** Conversions between formats and unsigned integers too, `f64_to_ui32`, `ui64_to_f64` and their like. Default: none. */
  readonly unsigned?: boolean;
  /** The 128-bit format too: `f32_to_f128`, `f128_to_x80`, `f128_to_i64`, `f128_round`, `f128_compare` and their like; no arithmetic. Default: nothing of it. */
  readonly quad?: boolean;
}

/**
 * Defines all operations in a module that has a memory. Bits of f32 and f16 are i32, of f64 i64; an x80 is the i32 address of 10 bytes, an f128 of 16 (results
 * go to an address given first, which may be an operand's). The last argument is `mode` (`MODE`). Names: `f64_add`, `x80_div`, `f32_to_f64`, `f64_to_i32`,
 * `i64_to_x80`, `x80_compare` (a, b, quiet, mode), `f64_fma` (a, b, c, negateProduct, negateAddend, mode), `x80_round`,
 * `f64_expand` (destination, bits).
 */
export function defineSoftFloat(module: ModuleBuilder, options: SoftFloatOptions): Readonly<Record<string, FunctionRef>> {
  const functions: Record<string, FunctionRef> = {}, { flagsAddress, quotientAddress = flagsAddress + 4, half = false, unsigned = false, quad = false } = options;
  const targets = Object.values(FORMATS).map((format) => makeTarget(module, format, flagsAddress));
  for (const target of targets) {
    const { name } = target.format;
    for (const from of Object.values(FORMATS)) {
      if (from.name !== name) functions[`${from.name}_to_${name}`] = defineConvert(module, from, target);
    }
    if (name === 'f32' || name === 'f64') functions[`${name}_expand`] = defineExpand(module, target.format, flagsAddress);
    if (name === 'f16' && !half) continue;
    functions[`${name}_add`] = defineAdd(module, target, false);
    functions[`${name}_sub`] = defineAdd(module, target, true);
    functions[`${name}_mul`] = defineMultiply(module, target);
    functions[`${name}_div`] = defineDivide(module, target);
    functions[`${name}_sqrt`] = defineSquareRoot(module, target);
    functions[`${name}_round`] = defineRoundToIntegral(module, target);
    functions[`${name}_compare`] = defineCompare(module, target.format, flagsAddress);
    functions[`${name}_nan`] = target.nanRef;
    functions[`i64_to_${name}`] = defineFromInteger(module, target);
    for (const bits of [16, 32, 64] as const) functions[`${name}_to_i${bits}`] = defineToInteger(module, target.format, { bits, isSigned: true }, flagsAddress);
    if (unsigned) {
      functions[`ui64_to_${name}`] = defineFromInteger(module, target, false);
      for (const bits of [32, 64] as const) functions[`${name}_to_ui${bits}`] = defineToInteger(module, target.format, { bits, isSigned: false }, flagsAddress);
    }
    if (name !== 'x80') { functions[`${name}_fma`] = defineFusedMultiplyAdd(module, target); continue; }
    const fromInteger = functions['i64_to_x80'] as FunctionRef;
    functions['x80_scale'] = defineScale(module, target);
    functions['x80_exponent'] = defineExtract(module, target, 'exponent', fromInteger);
    functions['x80_significand'] = defineExtract(module, target, 'significand', fromInteger);
    functions['x80_rem'] = defineRemainder(module, target, false, quotientAddress);
    functions['x80_rem1'] = defineRemainder(module, target, true, quotientAddress);
    functions['x80_to_bcd'] = defineToBcd(module, flagsAddress);
    functions['bcd_to_x80'] = defineFromBcd(module, fromInteger);
  }
  return quad ? { ...functions, ...defineQuad(module, targets, flagsAddress, unsigned) } : functions;
}
