/** Multiplicative hash without collisions: slot of a key is `key * multiplier >>> shift` in 32-bit arithmetic. */
export interface PerfectHash {
  readonly multiplier: number;
  readonly shift: number;
  /** Index into the keys by slot, -1 for a slot that no key has. */
  readonly slots: readonly number[];
}

const TRIES_A_SIZE = 200;

/** `keys`: distinct int32, up to a few hundred. Tables are two to eight times as large as the set. */
export function perfectHash(keys: readonly number[]): PerfectHash {
  let multiplier = 0x9e37_79b1 | 0;
  for (let bits = Math.max(1, Math.ceil(Math.log2(keys.length)) + 1); ; bits++) {
    for (let i = 0; i < TRIES_A_SIZE; i++, multiplier = Math.imul(multiplier, 0x2c1b_3c6d) + 0x297a_2d38 | 1) {
      const slots = new Array<number>(2 ** bits).fill(-1), shift = 32 - bits;
      const isPerfect = keys.every((key, index) => {
        const slot = Math.imul(key, multiplier) >>> shift;
        if (slots[slot] !== -1) return false;
        slots[slot] = index;
        return true;
      });
      if (isPerfect) return { multiplier, shift, slots };
    }
  }
}
