import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A package archive of a few bytes: programs named apt-get, apt-cache and dpkg-deb, found first on PATH. They note each call. */
export class FakeArchive {
  readonly folder = mkdtempSync(join(tmpdir(), 'vmm-guests-'));
  readonly cache = join(this.folder, 'cache');
  readonly #path = process.env.PATH ?? '';

  constructor() {
    for (const name of ['bin', 'files']) mkdirSync(join(this.folder, name));
    this.file('usr/lib/debian-installer/images/12/i386/text/debian-installer/i386/linux', 'kernel i386');
    this.file('usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64/linux', 'kernel amd64');
    this.file('boot/vmlinuz-9.9-cloud-amd64', 'kernel cloud');
    this.file('bin/busybox', 'ELF\0[\0[[\0ls\0mount\0sh\0\0rest');
    this.program('apt-cache', 'printf "Package: any\\nVersion: 9.9\\nDepends: base (>= 1), linux-image-9.9-cloud-amd64 (= 9.9)\\n"');
    this.program('apt-get', 'case "$*" in *download-only*) for last; do case $last in Dir::Cache::archives=*) to=${last#*=} ;; esac; done; touch "$to/strace_1_i386.deb" "$to/libc6_1_i386.deb" ;; *download*) for last; do :; done; sleep 0.1; echo deb > "$(echo "$last" | tr : _).deb"; echo "dlstatus:1:50.0:Retrieving" >&3 ;; esac');
    this.program('dpkg-deb', `case $1 in -x) mkdir -p "$3"; cp -a ${this.folder}/files/. "$3" ;; *) tar -c -C ${this.folder}/files . ;; esac`);
    process.env.PATH = `${this.folder}/bin:${this.#path}`;
  }

  file(path: string, content: string): void {
    const full = join(this.folder, 'files', path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, content);
  }

  program(name: string, script: string): void {
    const path = join(this.folder, 'bin', name);
    writeFileSync(path, `#!/bin/sh\necho "${name} $*" >> ${this.folder}/calls\n${script}\n`);
    chmodSync(path, 0o755);
  }

  /** Calls since the last question, each cut to what it asks for. */
  calls(): string[] {
    const file = join(this.folder, 'calls');
    const text = (() => { try { return readFileSync(file, 'utf8'); } catch { return ''; } })();
    rmSync(file, { force: true });
    return text.trim().split('\n').filter((line) => line !== '').map((line) => line.replace(/ -q| -o \S+/g, ''));
  }

  close(): void {
    process.env.PATH = this.#path;
    rmSync(this.folder, { recursive: true });
  }
}
