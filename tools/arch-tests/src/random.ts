/** Deterministic inputs: a small generator and the values where floating-point and integer instructions change their ways. */
export class Random {
  #state: number;
  constructor(seed: number) { this.#state = seed >>> 0 || 1; }
  /** Uniform 32 bits (xorshift32 with a multiplicative finish). */
  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return Math.imul(this.#state, 0x9e37_79b1) >>> 0;
  }
  below(n: number): number { return this.next() % n; }
  pick<T>(list: readonly T[]): T { return list[this.below(list.length)] as T; }
  next64(): bigint { return BigInt(this.next()) << 32n | BigInt(this.next()); }
  fill(bytes: Uint8Array): void { for (let i = 0; i < bytes.length; i++) bytes[i] = this.next() >>> 24; }
}

export const F32_EDGES: readonly number[] = [
  0, 0x8000_0000, 1, 0x8000_0001, 0x007f_ffff, 0x0080_0000, 0x8080_0000, 0x3f80_0000, 0xbf80_0000, 0x3fc0_0000, 0x4b00_0000, 0x4b7f_ffff, 0x4eff_ffff, 0x4f00_0000,
  0xcf00_0000, 0x5eff_ffff, 0x5f00_0000, 0xdf00_0000, 0x7f7f_ffff, 0xff7f_ffff, 0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 0xffc0_0000, 0x7f80_0001, 0xffa0_0000,
  0x3f00_0000, 0x4020_0000, 0x3eff_ffff, 0x7fff_ffff, 0x3380_0000, 0x3f80_0001, 0x1f80_0000, 0x2000_0000,
];
export const F64_EDGES: readonly bigint[] = [
  0n, 1n << 63n, 1n, 1n << 63n | 1n, 0xf_ffff_ffff_ffffn, 0x10_0000_0000_0000n, 0x8010_0000_0000_0000n, 0x3ff0_0000_0000_0000n, 0xbff0_0000_0000_0000n,
  0x3ff8_0000_0000_0000n, 0x41df_ffff_ffc0_0000n, 0x41e0_0000_0000_0000n, 0xc1e0_0000_0000_0000n, 0xc1e0_0000_0020_0000n, 0x43df_ffff_ffff_ffffn,
  0x43e0_0000_0000_0000n, 0xc3e0_0000_0000_0000n, 0x7fef_ffff_ffff_ffffn, 0xffef_ffff_ffff_ffffn, 0x7ff0_0000_0000_0000n, 0xfff0_0000_0000_0000n,
  0x7ff8_0000_0000_0000n, 0xfff8_0000_0000_0000n, 0x7ff0_0000_0000_0001n, 0xfff4_0000_0000_0000n, 0x3fe0_0000_0000_0000n, 0x4004_0000_0000_0000n,
  0x3fdf_ffff_ffff_ffffn, 0x7fff_ffff_ffff_ffffn, 0x47ef_ffff_f000_0000n, 0x3810_0000_0000_0000n, 0x380f_ffff_ffff_ffffn, 0x36a0_0000_0000_0000n,
  0x3ff0_0000_0000_0001n, 0x1ff0_0000_0000_0000n, 0x4330_0000_0000_0000n, 0x41df_ffff_ffe0_0000n,
];
export const I32_EDGES: readonly number[] = [0, 1, 0xffff_ffff, 0x7fff_ffff, 0x8000_0000, 0x7f80_7f80, 0xff00_80ff, 0x8000_7fff, 0x0001_0002, 2, 15, 16, 31, 32, 63, 64];

/** Four single-precision lanes: edges, near numbers, plain random bits. */
export function fillSingles(random: Random, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), style = random.below(4);
  for (let at = 0; at + 4 <= bytes.length; at += 4) view.setUint32(at, style === 0 ? random.next() : style === 1 ? near32(random) : random.pick(F32_EDGES), true);
}
const near32 = (random: Random): number => (random.next() & 0x807f_ffff | 0x3e00_0000 + (random.below(6) << 23)) >>> 0;

export function fillDoubles(random: Random, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), style = random.below(4);
  for (let at = 0; at + 8 <= bytes.length; at += 8) view.setBigUint64(at, style === 0 ? random.next64() : style === 1 ? near64(random) : random.pick(F64_EDGES), true);
}
const near64 = (random: Random): bigint => random.next64() & 0x800f_ffff_ffff_ffffn | BigInt(0x3fe + random.below(6)) << 52n;

export function fillIntegers(random: Random, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), style = random.below(3);
  if (style === 0) { random.fill(bytes); return; }
  for (let at = 0; at + 4 <= bytes.length; at += 4) view.setUint32(at, style === 1 ? random.pick(I32_EDGES) : random.pick([0, random.next(), 0xffff_ffff]), true);
}
