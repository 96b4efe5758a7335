/** Tables that the generated functions read, of 128-bit fixed-point numbers, to be written into the vCPU's memory. */
import { FIXED_BITS, LN2_FIXED, logarithm, multiply, oddSeries, ONE } from './exact.ts';

/** Byte offsets within the tables. */
export const TABLES = {
  /** sin(j/128), cos(j/128) as fractions of 2^128, j = 0 … 101: 32 bytes each. */
  sines: 0, sineEntries: 102,
  /** By the eight bits after the leading one of a significand m: log2(1/c) as signed fraction of 2^112, c * 2^9, 1 if the exponent grows. 32 bytes each. */
  logarithms: 0x1000,
  /** 2^(j/64), j = -64 … 63, in units of 2^-126: 16 bytes each. */
  powers: 0x3000,
  /** atan(j/64), j = 0 … 64, in units of 2^-126: 16 bytes each. */
  arctangents: 0x3800,
  sizeBytes: 0x4000,
} as const;

function sineTable(put: (at: number, value: bigint) => void): void {
  const step = ONE / 128n;
  let sineStep = 0n, cosineStep = 0n, term = ONE;
  for (let n = 0n; term !== 0n; n++) {
    const signed = (n & 2n) === 0n ? term : -term;
    if ((n & 1n) === 0n) cosineStep += signed; else sineStep += signed;
    term = multiply(term, step) / (n + 1n);
  }

  let sine = 0n, cosine = ONE;
  for (let j = 0; j < TABLES.sineEntries; j++) {
    put(TABLES.sines + j * 32, sine >> FIXED_BITS - 128n);
    // 1 does not fit: the largest fraction stands for it
    put(TABLES.sines + j * 32 + 16, cosine === ONE ? (1n << 128n) - 1n : cosine >> FIXED_BITS - 128n);
    [sine, cosine] = [multiply(sine, cosineStep) + multiply(cosine, sineStep), multiply(cosine, cosineStep) - multiply(sine, sineStep)];
  }
}

/** c is the multiple of 2^-9 nearest to 1/m in the middle of an interval of m, but exactly 1 and 1/2 next to powers of two, where the logarithm is small. */
function logarithmTable(put: (at: number, value: bigint) => void): void {
  const inverses = new Map<number, bigint>();
  // -ln(c) upwards from c = 1/2
  let sum = LN2_FIXED;
  for (let c = 256; c <= 512; c++) {
    inverses.set(c, sum);
    sum -= logarithm(c + 1, c);
  }
  for (let j = 0; j < 256; j++) {
    const c = j === 0 ? 512 : j === 255 ? 256 : Math.round(512 / (1 + (j + 0.5) / 256)), grows = c < 362;
    const log2 = (inverses.get(c) ?? 0n) * ONE / LN2_FIXED - (grows ? ONE : 0n), at = TABLES.logarithms + j * 32;
    put(at, c === 512 || c === 256 ? 0n : log2 >> FIXED_BITS - 112n);
    put(at + 16, BigInt(grows ? 1 : 0) | BigInt(c) << 64n);
  }
}

function powerTable(put: (at: number, value: bigint) => void): void {
  const x = LN2_FIXED / 64n;
  let step = 0n, term = ONE;
  for (let n = 1n; term !== 0n; n++) {
    step += term;
    term = multiply(term, x) / n;
  }
  let power = ONE / 2n;
  for (let j = 0; j < 128; j++) {
    put(TABLES.powers + j * 16, power >> FIXED_BITS - 126n);
    power = j === 63 ? ONE : multiply(power, step);
  }
}

function arctangentTable(put: (at: number, value: bigint) => void): void {
  let sum = 0n;
  for (let j = 0n; j <= 64n; j++) {
    put(TABLES.arctangents + Number(j) * 16, sum >> FIXED_BITS - 126n);
    // atan(a) - atan(b) = atan((a - b) / (1 + a b))
    sum += oddSeries(64n * ONE / (4096n + j * (j + 1n)), true);
  }
}

/** All tables, low words at high offsets: a pair is (hi, lo). */
export function makeTables(): BigUint64Array {
  const words = new BigUint64Array(TABLES.sizeBytes / 8);
  const put = (at: number, value: bigint): void => {
    words[at / 8] = BigInt.asUintN(64, value >> 64n);
    words[at / 8 + 1] = BigInt.asUintN(64, value);
  };
  sineTable(put);
  logarithmTable(put);
  powerTable(put);
  arctangentTable(put);
  return words;
}

