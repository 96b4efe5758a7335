import { VmmError } from '@vmm/spec';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { EXIT, exitCodeOf, exitCodeOfMachine } from './exit-code.ts';

const dump = { registers: {}, mode: 'real', recent: [] };

describe('exit codes', () => {
  it.each([
    ['OPTION_INVALID', 2], ['CONFIG_INVALID', 2], ['MEMORY_INVALID', 2], ['IMAGE_UNREADABLE', 3], ['KERNEL_INVALID', 3], ['INITRD_TOO_LARGE', 3],
    ['GUEST_PACKAGES_UNAVAILABLE', 6], ['WORKER_LOST', 5], ['RING_CORRUPT', 5], ['ABORTED', 130],
  ] as const)('of error %s is %d', (code, exit) => expect(exitCodeOf(new VmmError(code, 'x'))).toBe(exit));

  it('of a bug is 5', () => expect(exitCodeOf(new TypeError('x'))).toBe(5));

  it.each([
    [{ reason: 'poweroff' }, 0], [{ reason: 'reset' }, 0], [{ reason: 'triple-fault', dump }, 4], [{ reason: 'debug-exit', code: 33 }, 33],
    [{ reason: 'error', error: new VmmError('WORKER_LOST', 'x') }, 5],
  ] as const)('of machine end %o is %d', (exit, code) => expect(exitCodeOfMachine(exit)).toBe(code));

  it('are all in the README', () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
    for (const code of Object.values(EXIT)) expect(readme).toMatch(new RegExp(`^\\|.*\\b${code}\\b.*\\|`, 'm'));
  });
});
