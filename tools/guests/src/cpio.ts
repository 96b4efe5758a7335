/**
 * Writer of "newc" cpio archives, the format of Linux's initial RAM disks.
 * Entries appear in the given order with time 0 and owner root, so equal input gives equal bytes.
 * Linux, Documentation/driver-api/early-userspace/buffer-format.rst
 */
import { invariant } from '@vmm/spec';

export type CpioEntry =
  | { readonly kind: 'directory'; readonly path: string; readonly mode?: number }
  | { readonly kind: 'file'; readonly path: string; readonly data: Uint8Array; readonly mode?: number }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string }
  | { readonly kind: 'character-device'; readonly path: string; readonly major: number; readonly minor: number; readonly mode?: number };

/** POSIX file types in `st_mode`. */
const TYPE = { CHARACTER: 0o020000, DIRECTORY: 0o040000, FILE: 0o100000, SYMLINK: 0o120000 } as const;

const NONE = new Uint8Array(0);

interface Header {
  readonly mode: number;
  readonly data: Uint8Array;
  readonly device: readonly [major: number, minor: number];
}

/** Makes an archive. Paths are relative (`bin/sh`), parents before children. */
export function writeCpio(entries: readonly CpioEntry[]): Uint8Array {
  const chunks: Uint8Array[] = [];
  entries.forEach((entry, index) => {
    invariant(!entry.path.startsWith('/'), `cpio path "${entry.path}" is relative`);
    pushEntry(chunks, index + 1, entry.path, headerOf(entry));
  });
  pushEntry(chunks, 0, 'TRAILER!!!', { mode: 0, data: NONE, device: [0, 0] });
  return Buffer.concat(chunks);
}

function headerOf(entry: CpioEntry): Header {
  switch (entry.kind) {
    case 'directory':
      return { mode: TYPE.DIRECTORY | (entry.mode ?? 0o755), data: NONE, device: [0, 0] };
    case 'file':
      return { mode: TYPE.FILE | (entry.mode ?? 0o644), data: entry.data, device: [0, 0] };
    case 'symlink':
      return { mode: TYPE.SYMLINK | 0o777, data: Buffer.from(entry.target), device: [0, 0] };
    case 'character-device':
      return { mode: TYPE.CHARACTER | (entry.mode ?? 0o600), data: NONE, device: [entry.major, entry.minor] };
  }
}

function pushEntry(chunks: Uint8Array[], inode: number, path: string, header: Header): void {
  const name = Buffer.from(`${path}\0`);
  const [major, minor] = header.device;
  const fields = [
    inode, header.mode, /* uid */ 0, /* gid */ 0, /* links */ 1, /* mtime */ 0, header.data.length,
    /* device of the archive */ 0, 0, major, minor, name.length, /* check */ 0,
  ];
  const head = Buffer.from(`070701${fields.map((value) => value.toString(16).padStart(8, '0')).join('')}`);
  chunks.push(head, name, paddingAfter(head.length + name.length), header.data, paddingAfter(header.data.length));
}

function paddingAfter(length: number): Uint8Array {
  return new Uint8Array(-length & 3);
}
