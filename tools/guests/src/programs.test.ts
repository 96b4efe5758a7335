import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeArchive } from './archive.testing.ts';
import { obtainPrograms } from './programs.ts';

let archive: FakeArchive;
beforeEach(() => {
  archive = new FakeArchive();
  archive.file('usr/bin/strace', 'program');
  archive.file('lib/i386-linux-gnu/libc.so.6', 'library');
  archive.file('usr/lib/i386-linux-gnu/gconv/UTF-7.so', 'plug-in');
  archive.file('usr/share/doc/strace/README', 'text');
  symlinkSync('i386-linux-gnu/ld-linux.so.2', join(archive.folder, 'files/lib/ld-linux.so.2'));
});
afterEach(() => { archive.close(); });

const obtain = (): Promise<string> => obtainPrograms(['strace'], 'i386', { cache: archive.cache });

describe('obtaining programs', () => {
  it('packs them with their libraries, and nothing else', async () => {
    const names = [...readFileSync(await obtain(), 'latin1').matchAll(/070701[0-9a-f]{104}([^\0]+)\0/g)].map((match) => match[1]);
    expect(names).toEqual(['lib', 'lib/i386-linux-gnu', 'usr', 'usr/bin', 'lib/i386-linux-gnu/libc.so.6', 'lib/ld-linux.so.2', 'usr/bin/strace', 'TRAILER!!!']);
    expect(archive.calls().filter((call) => call.startsWith('apt-get'))).toEqual(['apt-get update', 'apt-get --download-only --no-install-recommends --yes install strace:i386']);
  });

  it('makes the archive once, and again when it is damaged', async () => {
    const path = await obtain(), bytes = readFileSync(path);
    archive.calls();
    expect(await obtain()).toBe(path);
    expect(archive.calls()).toEqual([]);
    writeFileSync(path, '');
    expect(readFileSync(await obtain()).equals(bytes)).toBe(true);
    expect(archive.calls()).toContain('apt-get --download-only --no-install-recommends --yes install strace:i386');
  });
});
