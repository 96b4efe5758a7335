import { obtainGuest, obtainPrograms, writeCpio } from '@vmm/guests';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeDebuggee } from './debuggee.testing.ts';
import type { Debuggee } from './debuggee.testing.ts';
import { vmm } from './vmm.ts';

let folder = '';
beforeAll(async () => { folder = await mkdtemp(join(tmpdir(), 'vmm-debuggers-')); });
afterAll(async () => { await rm(folder, { recursive: true }); });

/** A guest's RAM disk with gdb, strace, a program and what gdb is to do with it behind it. */
async function makeDisk(guest: 'linux-i386' | 'linux-amd64', debuggee: Debuggee, script: string): Promise<string> {
  const { initrd, architecture } = await obtainGuest(guest), programs = await obtainPrograms(['gdb-minimal', 'strace'], architecture);
  const own = writeCpio([{ kind: 'file', path: 'program', data: debuggee.elf, mode: 0o755 }, { kind: 'file', path: 'script', data: Buffer.from(script) }]);
  const first = await readFile(initrd), path = join(folder, guest);
  // uncompressed archives begin at multiples of four bytes
  await writeFile(path, Buffer.concat([first, new Uint8Array(-first.length & 3), await readFile(programs), own]));
  return path;
}

/** What gdb does: breakpoints in software and in hardware, watchpoints, single steps, system calls, other values in registers. */
const scriptFor = (debuggee: Debuggee, counter: string, status: string, write: number): string => `
set confirm off
set startup-with-shell off
break *${debuggee.at('next')}
run
printf "first: %d left\\n", $${counter}
continue
printf "then: %d left\\n", $${counter}
delete
watch *(int *)${debuggee.at('counter')}
continue
continue
delete
hbreak *${debuggee.at('after')}
continue
printf "behind the loop: %d left\\n", $${counter}
delete
set $steps = 0
while $pc != ${debuggee.at('leave_')}
  stepi
  set $steps = $steps + 1
end
printf "%d steps\\n", $steps
rwatch *(int *)${debuggee.at('counter')}
run
set var $${status} = 42
continue
delete
catch syscall ${String(write)}
run
continue
kill
`;

const COMMANDS = ['/usr/bin/gdb -nx -q -batch -x /script /program 2>&1', '/usr/bin/strace -o /trace /program', 'cat /trace', '/usr/bin/strace -f -e trace=write -o /trace sh -c "/program; /program"', 'cat /trace', 'poweroff'].join('; ');

describe.each([['linux-i386', 32, 'ecx', 'ebx', 4], ['linux-amd64', 64, 'rcx', 'rdi', 1]] as const)('debuggers in %s', (guest, bits, counter, status, write) => {
  const debuggee = makeDebuggee(bits), pc = (label: string): string => debuggee.at(label).slice(2).padStart(bits / 4, '0');

  it('break, watch, step and trace', async () => {
    const disk = await makeDisk(guest, debuggee, scriptFor(debuggee, counter, status, write));
    const { code, stdout, stderr } = await vmm(['run', '--guest', guest, '--initrd', disk, '--memory', '256M'], { input: `${COMMANDS}\n` });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = stdout.replaceAll('\r', '').split('\n'), said = (pattern: RegExp): string[] => lines.filter((line) => pattern.test(line));
    expect(said(/^Breakpoint \d, /)).toEqual([1, 1, 3].map((number, i) => `Breakpoint ${String(number)}, 0x${pc(i < 2 ? 'next' : 'after')} in ?? ()`));
    expect(said(/ left$/)).toEqual(['first: 5 left', 'then: 4 left', 'behind the loop: 0 left']);
    expect(said(/^(Old value|New value|Value) = /)).toEqual(['Old value = 3', 'New value = 6', 'Old value = 6', 'New value = 9', 'Value = 15']);
    expect(said(/^Hardware (read )?watchpoint \d: /)).toHaveLength(5); // set and met, twice; set and met
    expect(said(/ steps$/)).toEqual(['7 steps']);
    expect(said(/exited with code/)).toEqual([expect.stringMatching(/^\[Inferior 1 .* exited with code 052\]$/)]);
    expect(said(/^Catchpoint 5 \((call to|returned from) syscall/)).toHaveLength(2);
    const trace = said(/^(execve|write|exit|\+\+\+)/).join('\n');
    expect(trace).toMatch(/^execve\("\/program", \["\/program"\], 0x[0-9a-f]+ \/\* \d+ vars \*\/\) = 0\nwrite\(1, "done\\n", 5\) += 5\nexit\(15\) += \?\n\+\+\+ exited with 15 \+\+\+$/);
    expect(said(/^\d+ +write\(1, "done\\n", 5\) += 5$/)).toHaveLength(2);
    expect(said(/^\d+ +\+\+\+ exited with 15 \+\+\+$/)).toHaveLength(2);
  });
});
