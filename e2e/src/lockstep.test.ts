import { describe, expect, it } from 'vitest';
import { vmm } from './vmm.ts';

/** Instructions of the i386 kernel until well behind its decompression (some 2.4e9), with interrupts, page faults and device drivers. */
const PART_OF_A_BOOT = '2.7e9';

describe('vmm lockstep', () => {
  it('finds interpreter and translator equal on all of nano', async () => {
    const { code, stdout } = await vmm(['lockstep', '--guest', 'nano', '--append', 'run=bench;off', '-m', '8M', '--memory-every', '1e6']);
    expect(stdout).toMatch(/^lock-step clean: outcome poweroff, .* instructions 3\d{7}, /);
    expect(code).toBe(0);
  });

  it('finds them equal on a good part of a Linux boot', async () => {
    const { code, stdout } = await vmm(['lockstep', '--guest', 'linux-i386', '-m', '96M', '--instructions', PART_OF_A_BOOT, '--memory-every', '2e7', '--json']);
    const result = JSON.parse(stdout) as Readonly<Record<string, unknown>>;
    expect(result).toMatchObject({ event: 'lockstep', outcome: 'count reached' });
    expect(result['interrupts']).toBeGreaterThan(20);
    expect(code).toBe(0);
  }, 600_000); // minutes where others use the cores
});
