import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withLock } from './lock.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmm-lock-'));
  path = join(folder, 'lock');
});
afterEach(() => { rmSync(folder, { recursive: true }); });

describe('the lock', () => {
  it('lets one in at a time', async () => {
    let inside = 0, most = 0;
    await Promise.all([1, 2, 3].map(() => withLock(path, {}, async () => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => { setTimeout(resolve, 20); });
      inside--;
    })));
    expect(most).toBe(1);
    expect(existsSync(path)).toBe(false);
  });

  it('is free again after a failure', async () => {
    await expect(withLock(path, {}, () => Promise.reject(new Error('oops')))).rejects.toThrow('oops');
    expect(await withLock(path, {}, () => Promise.resolve(1))).toBe(1);
  });

  it.each([
    ['that died', () => `${spawnSync('true').pid} - x`],
    ['whose number another process has now', () => `${process.pid} 1 x`],
    ['that wrote nonsense', () => 'nonsense'],
  ])('is taken over from a holder %s', async (_what, content) => {
    writeFileSync(path, content());
    expect(await withLock(path, {}, () => Promise.resolve('in'))).toBe('in');
  });

  it('stops waiting when the caller does', async () => {
    writeFileSync(path, `${process.pid} - x`);
    await expect(withLock(path, { signal: AbortSignal.timeout(50) }, () => Promise.resolve())).rejects.toThrow();
    expect(existsSync(path)).toBe(true);
  });
});
