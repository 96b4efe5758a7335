import { describe, expect, it } from 'vitest';
import { VmmError, invariant } from './errors.ts';

describe('VmmError', () => {
  it('carries a code for programs, a hint for people and its cause', () => {
    const cause = new Error('disk on fire');
    const error = new VmmError('IMAGE_UNREADABLE', 'Cannot read kernel "vmlinuz"', { hint: 'Check the path.', cause });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: 'VmmError', code: 'IMAGE_UNREADABLE', hint: 'Check the path.', cause });
  });

  it('has no cause property when none was given', () => {
    expect('cause' in new VmmError('TIMEOUT', 'Cannot wait for the prompt')).toBe(false);
  });
});

describe('invariant', () => {
  it('is silent while the claim holds and names the claim when it breaks', () => {
    expect(() => { invariant(true, 'never shown'); }).not.toThrow();
    expect(() => { invariant(false, 'ring index 9 below capacity 8'); }).toThrow('invariant broken: ring index 9 below capacity 8');
  });
});
