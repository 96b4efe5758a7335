import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Guest, GUESTS, obtainGuest } from '@vmm/guests';
import { ADDRESS } from './address-map.ts';
import { loadKernel } from './load-kernel.ts';
import { PlainMemory } from './plain-memory.testing.ts';

/** Only what the cache has: tests do not download. `nx run guests:obtain` fills it. */
const cached = (await Promise.all(GUESTS.map(({ name }) => obtainGuest(name, { offline: true }).catch(() => undefined))))
  .filter((guest): guest is Guest => guest !== undefined);

describe.skipIf(cached.length === 0)('Debian\'s kernels (skipped until nx run guests:obtain has fetched them)', () => {
  it.each(cached.map((guest): [string, Guest] => [guest.name, guest]))('%s loads with its RAM disk and starts in its own width', (_name, guest) => {
    const memory = new PlainMemory(128);
    const initrd = readFileSync(guest.initrd);
    const state = loadKernel(memory, { kernel: readFileSync(guest.kernel), initrd, commandLine: guest.append });
    expect(state).toMatchObject({ format: 'linux', mode: guest.architecture === 'amd64' ? 'long' : 'protected' });
    expect(memory.read(memory.u32(ADDRESS.BOOT_INFORMATION + 0x218), initrd.length)).toEqual(new Uint8Array(initrd));
    expect(memory.text(memory.u32(ADDRESS.BOOT_INFORMATION + 0x228))).toBe(guest.append);
  });

  it.each(cached.map((guest): [string, Guest] => [guest.name, guest]))('%s says how much RAM it needs', (_name, guest) => {
    expect(() => loadKernel(new PlainMemory(16), { kernel: readFileSync(guest.kernel) }))
      .toThrow(expect.objectContaining({ code: 'MEMORY_INVALID', message: expect.stringMatching(/it needs \d+(\.\d)? MiB of RAM, the machine has 16/) }));
  });
});
