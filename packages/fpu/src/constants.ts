/* @precomputed */
/** Constants and tables of the transcendental functions, as double-double. */
import { FIXED_BITS as BITS, LN2_FIXED, logarithm, multiply, oddSeries, ONE, parts, PI_FIXED, ratio, REDUCING_PI, shortParts, squareRoot } from './exact.ts';

export const REDUCING_HALF_PI = shortParts(REDUCING_PI >> 1n);
export const PI = parts(PI_FIXED), HALF_PI = parts(PI_FIXED >> 1n), QUARTER_PI = parts(PI_FIXED >> 2n), THREE_QUARTER_PI = parts(3n * PI_FIXED >> 2n);
export const LN2 = parts(LN2_FIXED), LOG2_E = parts((ONE << BITS) / LN2_FIXED);
export const THIRD = parts(ONE / 3n), SIXTH = parts(ONE / 6n);
/** 1/n! for sine and cosine. */
export const INVERSE_FACTORIAL: readonly (readonly [number, number])[] = Array.from({ length: 26 }, (_, n) => {
  let factorial = 1n;
  for (let i = 2n; i <= BigInt(n); i++) factorial *= i;
  return parts(ONE / factorial);
});

export const ARCTANGENT_STEPS = 32;
/** atan(k / 32), k = 0 … 32. */
export const ARCTANGENTS: readonly (readonly [number, number])[] = Array.from({ length: ARCTANGENT_STEPS + 1 }, (_, k) => {
  if (k === 0) return [0, 0] as const;
  // atan(x) = 2 atan(x / (1 + sqrt(1 + x^2))) brings the argument below 0.42
  const x = ratio(k, ARCTANGENT_STEPS), root = squareRoot(ONE + multiply(x, x));
  return parts(2n * oddSeries((x << BITS) / (ONE + root), true));
});

export const LOGARITHM_STEPS = 64;
/** log2(k / 64) for k = 45 … 91: arguments from 1/√2 to √2. */
export const LOGARITHMS: readonly (readonly [number, number])[] = Array.from({ length: 92 }, (_, k) =>
  (k < 44 || k === LOGARITHM_STEPS ? [0, 0] as const : parts((logarithm(k, LOGARITHM_STEPS) << BITS) / LN2_FIXED)));

export const POWER_STEPS = 32;
/** 2^(k / 32) and 2^(k/32) - 1, k = -32 … 32, at index k + 32. */
const POWERS_FIXED = Array.from({ length: 2 * POWER_STEPS + 1 }, (_, i) => {
  const x = LN2_FIXED * BigInt(i - POWER_STEPS) / BigInt(POWER_STEPS);
  let term = ONE, sum = 0n;
  for (let n = 1n; term !== 0n && term !== -1n; n++) {
    sum += term;
    term = term * x / ONE / n;
  }
  return sum;
});
export const POWERS = POWERS_FIXED.map(parts), POWERS_LESS_ONE = POWERS_FIXED.map((power, i) => (i === POWER_STEPS ? [0, 0] as const : parts(power - ONE)));
