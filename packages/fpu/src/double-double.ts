/**
 * @hot Double-double arithmetic: a number as an unevaluated sum hi + lo, |lo| <= ulp(hi)/2, about 106 bits. Functions return hi and leave lo in `low`: take
 * it before the next call. Dekker 1971; Hida, Li, Bailey 2001.
 */

/** Low part of the last result. */
export let low = 0;

const SPLITTER = 134217729;

/** a + b exactly. */
export function twoSum(a: number, b: number): number {
  const s = a + b, t = s - a;
  low = a - (s - t) + (b - t);
  return s;
}
/** a + b exactly for |a| >= |b|. */
export function quickSum(a: number, b: number): number {
  const s = a + b;
  low = b - (s - a);
  return s;
}
/** a * b exactly (no overflow for |a|, |b| < 2^990). */
export function twoProduct(a: number, b: number): number {
  const p = a * b, sa = SPLITTER * a, ah = sa - (sa - a), al = a - ah, sb = SPLITTER * b, bh = sb - (sb - b), bl = b - bh;
  low = ah * bh - p + ah * bl + al * bh + al * bl;
  return p;
}

export function add(ah: number, al: number, bh: number, bl: number): number {
  const s = twoSum(ah, bh), e = low, t = twoSum(al, bl), f = low;
  const u = quickSum(s, e + t);
  return quickSum(u, low + f);
}
export function multiply(ah: number, al: number, bh: number, bl: number): number {
  const p = twoProduct(ah, bh);
  return quickSum(p, low + (ah * bl + al * bh));
}
export function divide(ah: number, al: number, bh: number, bl: number): number {
  const q1 = ah / bh;
  let ph = multiply(bh, bl, q1, 0);
  let rh = add(ah, al, -ph, -low), rl = low;
  const q2 = rh / bh;
  ph = multiply(bh, bl, q2, 0);
  rh = add(rh, rl, -ph, -low);
  rl = low;
  const q3 = rh / bh, s = quickSum(q1, q2);
  return add(s, low, q3, 0);
}
