import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const BIN = fileURLToPath(new URL('../../packages/cli/bin/vmm.js', import.meta.url));

const ATTEMPTS = 5;

/** The command under a pseudo-terminal, which util-linux's `script` makes; `-e` hands its exit code on. */
class TerminalRun {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  screen = '';

  constructor(args: string) {
    this.child = spawn('script', ['-qefc', `stty -a | grep -c -- -icanon; ${process.execPath} ${BIN} ${args}; code=$?; stty -a | grep -c -- -icanon; exit $code`, '/dev/null']);
    this.child.stdout?.on('data', (data: Buffer) => { this.screen += data.toString(); });
    this.exited = new Promise((resolve) => { this.child.on('close', resolve); });
  }

  /** At once, without the delay of polling. */
  typeAt(pattern: RegExp, keys: string): void {
    const look = (): void => {
      if (!pattern.test(this.screen)) return;
      this.child.stdout?.off('data', look);
      this.type(keys);
    };
    this.child.stdout?.on('data', look);
  }

  type(keys: string): void {
    this.child.stdin?.write(keys);
  }

  async expect(pattern: RegExp): Promise<void> {
    await expect.poll(() => this.screen, { timeout: 60_000, interval: 50 }).toMatch(pattern);
  }
}

describe.skipIf(!existsSync('/usr/bin/script'))('on a terminal', () => {
  it('Ctrl-A h helps, Ctrl-C is the guest\'s, Ctrl-A x quits with 0 and leaves the terminal as it was', async () => {
    const run = new TerminalRun('run --guest nano');
    await run.expect(/nano> $/);
    run.type('\x01h');
    await run.expect(/Ctrl-A x {7}quit/);
    run.type('\x03');
    run.type('mem 0\r');
    await run.expect(/mem 0[^]*nano> $/);
    run.type('\x01s');
    await run.expect(/mode long[^]*instructions \d+/);
    run.type('\x01x');
    expect(await run.exited).toBe(0);
    expect(run.screen).toMatch(/^0\r\n[^]*0\r\n$/); // canonical mode before and after
  });

  it('Ctrl-C at the prompt of Linux is a new prompt, in a program its end, and `poweroff` the machine\'s', { timeout: 240_000 }, async () => {
    const run = new TerminalRun('run --guest linux-i386');
    await run.expect(/root@linux-i386:[^ ]* .{0,8}$/);
    run.type('\x03');
    await run.expect(/\^C\r*\n.*root@linux-i386:[^ ]* .{0,8}$/);
    run.type('sleep 10000; echo slept $?\r');
    await run.expect(/slept \$\?\r*\n$/);
    run.type('\x03');
    await run.expect(/\^C\r*\n.*root@linux-i386:[^ ]* .{0,8}$/);
    run.type('echo $((6 * 7))\r');
    await run.expect(/\n42\r*\n/);
    run.type('poweroff\r');
    expect(await run.exited).toBe(0);
    expect(run.screen).not.toContain('slept 0');
  });

  it('Ctrl-C before the guest runs ends everything with 130', async () => {
    // on a busy machine the guest may run before the key is there: then it is the guest's, and this is tried again
    for (let attempt = 1; ; attempt++) {
      const run = new TerminalRun('run --guest nano');
      run.typeAt(/start nano/, '\x03');
      const code = await Promise.race([run.exited, run.expect(/nano> $/).then(() => 'the guest runs', () => run.exited)]);
      if (code === 'the guest runs' && attempt < ATTEMPTS) {
        run.type('\x01x');
        await run.exited;
        continue;
      }
      expect(code).toBe(130);
      return;
    }
  });
});
