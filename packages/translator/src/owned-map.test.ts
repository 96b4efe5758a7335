import { describe, expect, it } from 'vitest';
import { OwnedMap } from './owned-map.ts';

describe('values that have an owner', () => {
  const A = { name: 'a' }, B = { name: 'b' };
  it('go with it, those of others stay', () => {
    const map = new OwnedMap<object, string>();
    map.set(A, 1, 'one');
    map.set(A, 2, 'two');
    map.set(B, 3, 'three');
    map.release(A);
    expect([map.size, map.has(1), map.get(2), map.get(3)]).toEqual([1, false, undefined, 'three']);
  });
  it('belong to who set them last', () => {
    const map = new OwnedMap<object, string>();
    map.set(A, 1, 'from a');
    map.set(B, 1, 'from b');
    map.release(A);
    expect(map.get(1)).toBe('from b');
    map.release(B);
    expect(map.size).toBe(0);
  });
  it('can be deleted one by one', () => {
    const map = new OwnedMap<object, string>();
    map.set(A, 1, 'one');
    map.delete(1);
    map.delete(1);
    map.set(B, 1, 'again');
    map.release(A);
    expect(map.get(1)).toBe('again');
  });
});
