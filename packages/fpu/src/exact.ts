/** Fixed-point numbers in BigInt, exact to well beyond double-double: what constants and tables are computed with. */

/** Binary places of the fixed-point numbers here. */
export const FIXED_BITS = 240n;
const BITS = FIXED_BITS;
export const ONE = 1n << BITS;

/** Fixed-point value to double-double parts [hi, lo]. */
export function parts(fixed: bigint): readonly [number, number] {
  const hi = toDouble(fixed), rest = fixed - fromDouble(hi);
  return [hi, toDouble(rest)];
}
/** [a, b, c, d] with `a` and `b` cut to 33 bits, so that their products with integers below 2^20 are exact. */
export function shortParts(fixed: bigint): readonly [number, number, number, number] {
  const a = cut(fixed), b = cut(fixed - fromDouble(a)), [c, d] = parts(fixed - fromDouble(a) - fromDouble(b));
  return [a, b, c, d];
}
function cut(fixed: bigint): number {
  const length = BigInt(fixed.toString(2).length), shift = length > 33n ? length - 33n : 0n;
  return toDouble(fixed >> shift << shift);
}
function toDouble(fixed: bigint): number {
  if (fixed === 0n) return 0;
  const negative = fixed < 0n, magnitude = negative ? -fixed : fixed, length = magnitude.toString(2).length, shift = BigInt(Math.max(length - 53, 0));
  // truncated, not rounded: the rest keeps the sign, which double-double does not mind
  const value = Number(magnitude >> shift) * 2 ** (Number(shift) - Number(BITS));
  return negative ? -value : value;
}
function fromDouble(value: number): bigint {
  if (value === 0) return 0n;
  const exponent = Math.floor(Math.log2(Math.abs(value))) - 60;
  return scaled(BigInt(value / 2 ** exponent), exponent);
}
function scaled(integer: bigint, exponent: number): bigint {
  const shift = BigInt(exponent) + BITS;
  return shift >= 0n ? integer << shift : integer >> -shift;
}

export const ratio = (numerator: number, denominator: number): bigint => (BigInt(numerator) << BITS) / BigInt(denominator);
/** Truncates, so that shrinking negative terms end in 0. */
export const multiply = (a: bigint, b: bigint): bigint => a * b / ONE;

/** Σ ± z^(2k+1)/(2k+1): arctangent (alternating) or its hyperbolic twin. */
export function oddSeries(z: bigint, alternating: boolean): bigint {
  const square = multiply(z, z);
  let power = z, sum = 0n;
  for (let k = 0n; power !== 0n; k++) {
    const term = power / (2n * k + 1n);
    sum += alternating && (k & 1n) === 1n ? -term : term;
    power = multiply(power, square);
  }
  return sum;
}
export const logarithm = (numerator: number, denominator: number): bigint => 2n * oddSeries(ratio(numerator - denominator, numerator + denominator), false);

/** π by Machin's formula; ln 2 by atanh(1/3). */
export const PI_FIXED = 4n * (4n * oddSeries(ONE / 5n, true) - oddSeries(ONE / 239n, true));
export const LN2_FIXED = logarithm(2, 1);

/**
 * π as the x87 uses it to reduce arguments: 66 bits. With a better one, sines of large arguments would differ from every processor's.
 * SDM vol 1 §8.3.8
 */
export const REDUCING_PI = 0xc90f_daa2_2168_c234_cn << BITS - 66n;

export function squareRoot(fixed: bigint): bigint {
  const target = fixed << BITS;
  let root = 1n << BigInt(target.toString(2).length + 1 >> 1);
  for (;;) {
    const next = root + target / root >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** x mod π/2 for an integer multiple of 2^exponent: quotient mod 4 and remainder in ±π/4, as parts. For arguments too large for the fast way. */
export function reduceLarge(integer: bigint, exponent: number): { quadrant: number; hi: number; lo: number } {
  const x = scaled(integer, exponent), half = REDUCING_PI >> 1n;
  const quotient = (2n * x + (x < 0n ? -half : half)) / (2n * half), remainder = x - quotient * half, [hi, lo] = parts(remainder);
  return { quadrant: Number(quotient & 3n), hi, lo };
}
