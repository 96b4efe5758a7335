import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { vmm } from './vmm.ts';

it('vmm run --profile tells where a guest spends its time', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vmm-profile-')), file = join(folder, 'profile.txt');
  try {
    const { code, stderr } = await vmm(['run', '--guest', 'nano', '--append', 'run=bench;off', '--memory', '8M', '--engine', 'interpreter', '--profile', file]);
    expect(code).toBe(0);
    const text = readFileSync(file, 'utf8');
    expect(text).toMatch(/^# \d{2,} samples of the running guest: ring 0 100\.00 %/);
    expect(text).toMatch(/ ring 0 {2}\[page 10[0-9a-f]{4}\]$/m);
    expect(stderr).toContain(text.split('\n')[0]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
