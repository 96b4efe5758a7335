/**
 * @hot Transcendental functions on double-doubles, good to about 2^-75 relative. Results: hi returned, lo in `resultLow`; arguments within the ranges
 * given. Leading terms of each series in double-double, the rest (below 2^-20 of the result) in double.
 */
import {
  ARCTANGENT_STEPS, ARCTANGENTS, HALF_PI, INVERSE_FACTORIAL, LN2, LOG2_E, LOGARITHM_STEPS, LOGARITHMS, POWER_STEPS, POWERS, POWERS_LESS_ONE, REDUCING_HALF_PI, THIRD,
} from './constants.ts';
import { add, divide, low, multiply, quickSum, twoSum } from './double-double.ts';

export let resultLow = 0;
function result(hi: number): number {
  resultLow = low;
  return hi;
}

// --- sine, cosine ---

/** Remainder of |x| < 2^20 (parts) after subtracting the nearest multiple of π/2: hi, lo in resultLow; the multiple mod 4 in `quadrant`. */
export let quadrant = 0;
export function reduceByHalfPi(xh: number, xl: number): number {
  const k = Math.round(xh / HALF_PI[0]);
  quadrant = k & 3;
  if (k === 0) { resultLow = xl; return xh; }
  // the first two products are exact: cancellation loses nothing
  let h = twoSum(xh, -k * REDUCING_HALF_PI[0]), l = low;
  h = add(h, l, xl, 0);
  l = low;
  return result(add(h, l, -k * REDUCING_HALF_PI[1], 0));
}

/** Σ over n = first, first + 2 …: alternating r^(n - first) / n!, in double, from n = `from` on down to `first` in double-double. */
function trigonometricSeries(rh: number, rl: number, first: 0 | 1): number {
  const sh = multiply(rh, rl, rh, rl), sl = low, from = first + 10;
  let tail = 0;
  for (let n = first + 24; n >= from; n -= 2) tail = INVERSE_FACTORIAL[n]![0] - sh * tail;
  // alternating signs: sum = c0 - s (c1 - s (c2 - …))
  let h = tail, l = 0;
  for (let n = from - 2; n >= first; n -= 2) {
    const ph = multiply(h, l, sh, sl), pl = low, c = INVERSE_FACTORIAL[n]!;
    h = add(c[0], c[1], -ph, -pl);
    l = low;
  }
  low2 = l;
  return h;
}
let low2 = 0;

/** |r| <= π/4 + small. */
export function sine(rh: number, rl: number): number {
  const h = trigonometricSeries(rh, rl, 1);
  return result(multiply(h, low2, rh, rl));
}
export function cosine(rh: number, rl: number): number {
  const h = trigonometricSeries(rh, rl, 0);
  resultLow = low2;
  return h;
}

// --- arctangent of 0 <= t <= 1 ---

export function arctangent(th: number, tl: number): number {
  const k = Math.round(th * ARCTANGENT_STEPS), c = k / ARCTANGENT_STEPS;
  let dh = th, dl = tl;
  if (k !== 0) {
    const nh = add(th, tl, -c, 0), nl = low, ph = multiply(th, tl, c, 0), qh = add(ph, low, 1, 0), ql = low;
    dh = divide(nh, nl, qh, ql);
    dl = low;
  }
  const sh = multiply(dh, dl, dh, dl), sl = low;
  const tail = 1 / 5 - sh * (1 / 7 - sh * (1 / 9 - sh * (1 / 11 - sh * (1 / 13 - sh / 15))));
  // δ (1 - s (1/3 - s tail))
  const uh = add(THIRD[0], THIRD[1], -sh * tail, 0), vh = multiply(uh, low, sh, sl), fh = add(1, 0, -vh, -low), gh = multiply(fh, low, dh, dl), gl = low;
  if (k === 0) return result(gh);
  const table = ARCTANGENTS[k]!;
  return result(add(table[0], table[1], gh, gl));
}

// --- logarithms ---

/** 2 atanh(z) / ln 2 for |z| < 2^-6. */
function twiceAtanhLog2(zh: number, zl: number): number {
  const sh = multiply(zh, zl, zh, zl), sl = low;
  const tail = 1 / 5 + sh * (1 / 7 + sh * (1 / 9 + sh * (1 / 11 + sh / 13)));
  const uh = add(THIRD[0], THIRD[1], sh * tail, 0), vh = multiply(uh, low, sh, sl), fh = add(1, 0, vh, low), gh = multiply(fh, low, 2 * zh, 2 * zl);
  return multiply(gh, low, LOG2_E[0], LOG2_E[1]);
}
/** log2 of m in [1, 2) plus `exponent`. */
export function logarithm2(mh: number, ml: number, exponent: number): number {
  let e = exponent, h = mh, l = ml;
  if (h > 1.4142135623730951) { h /= 2; l /= 2; e++; }
  const k = Math.round(h * LOGARITHM_STEPS), c = k / LOGARITHM_STEPS;
  const nh = add(h, l, -c, 0), nl = low, dh = add(h, l, c, 0), zh = divide(nh, nl, dh, low), gh = twiceAtanhLog2(zh, low), gl = low;
  if (k === LOGARITHM_STEPS && e === 0) { resultLow = gl; return gh; }
  const table = LOGARITHMS[k]!, th = add(table[0], table[1], gh, gl), tl = low;
  return result(add(e, 0, th, tl));
}
/** log2(1 + x) for |x| < 2^-6, relative to x. */
export function logarithm2Plus1(xh: number, xl: number): number {
  const dh = add(2, 0, xh, xl), zh = divide(xh, xl, dh, low);
  return result(twiceAtanhLog2(zh, low));
}

// --- 2^x - 1, |x| <= 1 ---

export function power2Less1(xh: number, xl: number): number {
  const k = Math.round(xh * POWER_STEPS), rh = quickSum(xh - k / POWER_STEPS, xl), rl = low;
  const th = multiply(rh, rl, LN2[0], LN2[1]), tl = low;
  // e^t - 1 = t (1 + t (1/2 + t (1/6 + t tail)))
  const tail = 1 / 24 + th * (1 / 120 + th * (1 / 720 + th * (1 / 5040 + th * (1 / 40320 + th / 362880))));
  const sixth = INVERSE_FACTORIAL[3]!, ah = add(sixth[0], sixth[1], th * tail, 0), bh = multiply(ah, low, th, tl), ch = add(0.5, 0, bh, low);
  const dh = multiply(ch, low, th, tl), eh = add(1, 0, dh, low), gh = multiply(eh, low, th, tl), gl = low;
  if (k === 0) { resultLow = gl; return gh; }
  const power = POWERS[k + POWER_STEPS]!, less = POWERS_LESS_ONE[k + POWER_STEPS]!, ph = multiply(gh, gl, power[0], power[1]), pl = low;
  return result(add(less[0], less[1], ph, pl));
}

