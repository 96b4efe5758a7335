import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { type CpioEntry, writeCpio } from './cpio.ts';
import { listApplets, makeInitramfs } from './initramfs.ts';

const ENTRIES: readonly CpioEntry[] = [
  { kind: 'directory', path: 'bin' },
  { kind: 'file', path: 'bin/odd', data: Buffer.from('12345'), mode: 0o755 },
  { kind: 'symlink', path: 'bin/sh', target: 'odd' },
  { kind: 'character-device', path: 'console', major: 5, minor: 1 },
  { kind: 'file', path: 'empty', data: new Uint8Array(0) },
];

const hasCpio = spawnSync('cpio', ['--version']).status === 0;

describe('an archive', () => {
  const archive = Buffer.from(writeCpio(ENTRIES));

  it('has headers of 110 bytes, names and contents on 4-byte boundaries, and a trailer', () => {
    const names: string[] = [];
    let at = 0;
    while (names.at(-1) !== 'TRAILER!!!') {
      expect([at % 4, archive.toString('latin1', at, at + 6)]).toEqual([0, '070701']);
      const field = (index: number): number => parseInt(archive.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16);
      names.push(archive.toString('latin1', at + 110, at + 110 + field(11) - 1));
      const contents = Math.ceil((at + 110 + field(11)) / 4) * 4;
      at = Math.ceil((contents + field(6)) / 4) * 4;
    }
    expect(names).toEqual(['bin', 'bin/odd', 'bin/sh', 'console', 'empty', 'TRAILER!!!']);
    expect(at).toBe(archive.length);
  });

  it.skipIf(!hasCpio)('is what cpio lists (skipped without cpio)', () => {
    const { stdout, stderr } = spawnSync('cpio', ['-itvn', '--quiet'], { input: archive, encoding: 'utf8' });
    expect(stderr).toBe('');
    const lines = stdout.trim().split('\n').map((line) => line.replace(/\s+/g, ' ').replace(/ (Jan|Dec) \d+ \d+/, ''));
    expect(lines).toEqual([
      'drwxr-xr-x 1 0 0 0 bin', '-rwxr-xr-x 1 0 0 5 bin/odd', 'lrwxrwxrwx 1 0 0 3 bin/sh -> odd', 'crw------- 1 0 0 5, 1 console', '-rw-r--r-- 1 0 0 0 empty',
    ]);
  });

  it('refuses absolute paths', () => {
    expect(() => writeCpio([{ kind: 'directory', path: '/bin' }])).toThrow('relative');
  });
});

describe('a RAM disk', () => {
  const busybox = Buffer.from('ELF\0[\0[[\0ash\0busybox\0sh\0\0more\0words\0\0');

  it('has the same bytes for the same input', () => {
    expect(makeInitramfs({ guestName: 'g', busybox })).toEqual(makeInitramfs({ guestName: 'g', busybox }));
    expect(makeInitramfs({ guestName: 'h', busybox })).not.toEqual(makeInitramfs({ guestName: 'g', busybox }));
  });

  it('knows the commands from the binary alone', () => {
    expect(listApplets(busybox)).toEqual(['[', '[[', 'ash', 'busybox', 'sh']);
  });
});
