import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { vmm } from './vmm.ts';

const RUN = ['run', '--guest', 'nano', '--append', 'run=bench;off', '--memory', '8M', '--stats', '--no-progress'];
let folder: string;
beforeAll(() => { folder = mkdtempSync(join(tmpdir(), 'vmm-translations-')); });
afterAll(() => { rmSync(folder, { recursive: true }); });

interface Outcome { readonly code: number | null; readonly stderr: string; readonly counter: (name: string) => number }
async function run(...options: string[]): Promise<Outcome> {
  const { code, stderr } = await vmm([...RUN, ...options]);
  return { code, stderr, counter: (name) => Number(new RegExp(`^ *${name} +([0-9.]+)$`, 'm').exec(stderr)?.[1]) };
}

describe('vmm run', () => {
  it.each(['vcpu', 'worker'])('translates with the translator placed on the %s', async (place) => {
    const { code, counter } = await run('--placement', `translator=${place}`);
    expect(code).toBe(0);
    expect(counter('regions')).toBeGreaterThan(0);
    expect(counter('staleRegions')).toBe(0);
  });

  it('keeps which code was hot, and takes a damaged file for none', async () => {
    const file = join(folder, 'cache');
    const cold = await run('--translation-cache', file);
    expect([cold.code, cold.counter('knownRegions'), existsSync(file)]).toEqual([0, 0, true]);
    const warm = await run('--translation-cache', file);
    expect(warm.code).toBe(0);
    expect(warm.counter('knownRegions')).toBeGreaterThan(0);
    writeFileSync(file, Buffer.alloc(5000, 'no cache'));
    const damaged = await run('--translation-cache', file);
    expect([damaged.code, damaged.counter('knownRegions')]).toEqual([0, 0]);
  });

  it('says where it cannot keep it', async () => {
    const { code, stderr } = await run('--translation-cache', join(folder, 'nowhere', 'cache'));
    expect(code).toBe(2);
    expect(stderr).toContain('Cannot keep translations in');
    expect(stderr).toContain('Choose a file in a folder that exists');
  });
});
