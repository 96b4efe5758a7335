import { STATE_FIELDS } from '@vmm/state';
import { expect, it } from 'vitest';
import { ARCHITECTURAL, INTERNAL } from './snapshot.ts';

it('lock-step knows of every field of the state block whether the guest can see it', () => {
  const known = new Set<string>([...ARCHITECTURAL, ...INTERNAL]);
  expect(Object.keys(STATE_FIELDS).filter((field) => !known.has(field)), 'name them in ARCHITECTURAL or INTERNAL').toEqual([]);
  expect(ARCHITECTURAL.filter((field) => INTERNAL.includes(field))).toEqual([]);
});
