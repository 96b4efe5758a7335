import { gzipSync } from 'node:zlib';
import { VmmError } from '@vmm/spec';
import { type CpioEntry, writeCpio } from './cpio.ts';
import { initScript, SHELL_STARTUP } from './init.ts';

export interface InitramfsOptions {
  readonly guestName: string;
  /** A statically linked busybox for the guest's architecture. */
  readonly busybox: Uint8Array;
  /** Put after everything else; may override nothing. */
  readonly extraEntries?: readonly CpioEntry[];
}

/** A gzipped initial RAM disk with a busybox shell on the console. Equal input gives equal bytes. */
export function makeInitramfs(options: InitramfsOptions): Uint8Array {
  const directory = (path: string, mode = 0o755): CpioEntry => ({ kind: 'directory', path, mode });
  const text = (path: string, content: string, mode = 0o644): CpioEntry => ({ kind: 'file', path, data: Buffer.from(content), mode });
  const entries: CpioEntry[] = [
    directory('bin'), directory('dev'), directory('etc'), directory('proc'), directory('root', 0o700), directory('sys'), directory('tmp', 0o1777),
    { kind: 'symlink', path: 'sbin', target: 'bin' },
    { kind: 'character-device', path: 'dev/console', major: 5, minor: 1 },
    text('etc/shrc', SHELL_STARTUP), text('init', initScript(options.guestName), 0o755),
    { kind: 'file', path: 'bin/busybox', data: options.busybox, mode: 0o755 },
  ];
  for (const applet of listApplets(options.busybox)) {
    if (applet !== 'busybox') entries.push({ kind: 'symlink', path: `bin/${applet}`, target: 'busybox' });
  }
  entries.push(...(options.extraEntries ?? []));
  return gzipSync(writeCpio(entries), { level: 9 });
}

/**
 * The commands a busybox binary answers to, read from its table of names: NUL-separated, sorted, first `[` and `[[`, ended
 * by an empty name. So the binary need not run here, where the CPU may be another.
 */
export function listApplets(busybox: Uint8Array): string[] {
  const bytes = Buffer.from(busybox.buffer, busybox.byteOffset, busybox.byteLength);
  const start = bytes.indexOf('\0[\0[[\0') + 1;
  const end = start > 0 ? bytes.indexOf('\0\0', start) : -1;
  const names = end > start ? bytes.toString('latin1', start, end).split('\0') : [];
  if (!names.includes('sh') || !names.every((name) => /^[a-z0-9_.[-]+$/i.test(name))) {
    throw new VmmError('GUEST_BUSYBOX_UNRECOGNISED', 'Cannot find the table of commands in busybox', {
      hint: 'Remove the cached copy; if it comes again, this busybox is built differently from Debian 12\'s.',
    });
  }
  return names;
}
