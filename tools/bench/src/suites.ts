import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { obtainGuest } from '@vmm/guests';
import { CLIFFS, MEMORY_MIB } from './cliffs.asm.ts';
import { cliffsImage } from './cliffs.ts';
import type { RunOptions } from './markers.ts';

/** What every system can boot. */
export interface Boot extends RunOptions {
  readonly kind: 'multiboot' | 'linux';
  readonly kernel: string;
  readonly initrd?: string;
  readonly commandLine: string;
  readonly memoryMib: number;
  readonly is64: boolean;
}

export interface Suite {
  readonly name: string;
  readonly title: string;
  readonly rows: readonly { readonly name: string; readonly title: string }[];
  prepare(): Promise<Boot>;
}

const cliffs: Suite = {
  name: 'cliffs', title: 'Cliffs of binary translators, bare metal', rows: CLIFFS,
  prepare: async () => {
    const kernel = join(await mkdtemp(join(tmpdir(), 'vmm-cliffs-')), 'cliffs.img');
    await writeFile(kernel, cliffsImage());
    return { kind: 'multiboot', kernel, commandLine: '', memoryMib: MEMORY_MIB, is64: false };
  },
};

/** Shell commands; each prints its checksum. */
const SHELL_ROWS = [
  { name: 'shloop', title: 'a shell loop of 30,000 turns', command: 'i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; echo $i' },
  { name: 'awk', title: 'awk: 200,000 turns of arithmetic', command: "awk 'BEGIN{for(i=0;i<200000;i++)s+=i*i%7;print s}'" },
  { name: 'fork', title: '300 subshells', command: 'i=0; while [ $i -lt 300 ]; do (exit 3); i=$((i+$?-2)); done; echo $i' },
  { name: 'exec', title: '150 programs from files', command: 'i=0; while [ $i -lt 150 ]; do /bin/busybox env true; i=$((i+1)); done; echo $i' },
  { name: 'gzip', title: 'gzip of busybox itself', command: 'gzip -c /bin/busybox | wc -c' },
  { name: 'sha256', title: 'SHA-256 of busybox, eight times', command: 'for i in 1 2 3 4 5 6 7 8; do cat /bin/busybox; done | sha256sum | head -c 16' },
] as const;

/** The quotes keep the terminal's echo of what is typed from looking like a marker. */
function shellScript(): string {
  const say = (text: string): string => `echo "@""@ ${text}"`;
  const rows = SHELL_ROWS.flatMap(({ name, command }) => [say(`${name} start`), `x=$(${command}); ${say(`${name} end $x`)}`]);
  return `${[say('INIT linux'), ...rows, say('DONE')].join('\n')}\n`;
}

const linux = (guestName: string): Suite => ({
  name: guestName, title: `${guestName}: boot to a shell, then busybox`, rows: [{ name: 'boot', title: 'boot to a shell' }, ...SHELL_ROWS],
  prepare: async () => {
    const guest = await obtainGuest(guestName);
    return {
      kind: 'linux', kernel: guest.kernel, initrd: guest.initrd, commandLine: guest.append, memoryMib: 256, is64: guestName.includes('amd64'),
      typed: { after: ':/root# ', text: shellScript() },
    };
  },
});

export const SUITES: readonly Suite[] = [cliffs, linux('linux-i386'), linux('linux-amd64')];
