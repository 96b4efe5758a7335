import { describe, expect, it } from 'vitest';
import { perfectHash } from './perfect-hash.ts';

describe('a perfect hash', () => {
  it('gives every key a slot of its own, whatever the keys', () => {
    let seed = 1;
    const random = (): number => (seed = Math.imul(seed, 1_103_515_245) + 12_345 | 0);
    for (let count = 1; count <= 64; count++) {
      const keys = [...new Set(Array.from({ length: count }, () => (count % 2 === 0 ? random() >> 16 : random())))];
      const { multiplier, shift, slots } = perfectHash(keys);
      keys.forEach((key, index) => { expect(slots[Math.imul(key, multiplier) >>> shift]).toBe(index); });
      expect(slots.length, `for ${String(keys.length)} keys`).toBeLessThanOrEqual(Math.max(4, keys.length * 16));
    }
  });
});
