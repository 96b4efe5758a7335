import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../../packages/cli/bin/vmm.js', import.meta.url));

/** One run of the `vmm` command with its streams gathered. */
export class VmmRun {
  readonly child: ChildProcess;
  /** Resolves with the exit code when all output has been read. */
  readonly exited: Promise<number | null>;
  stdout = '';
  stderr = '';
  #changed: (() => void)[] = [];
  #isOver = false;

  constructor(args: readonly string[], options: { readonly input?: string } = {}) {
    this.child = spawn(process.execPath, [BIN, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stdout?.on('data', (data: Buffer) => { this.stdout += data.toString(); this.#notify(); });
    this.child.stderr?.on('data', (data: Buffer) => { this.stderr += data.toString(); this.#notify(); });
    this.exited = new Promise((resolve) => {
      this.child.on('close', (code) => {
        this.#isOver = true;
        this.#notify();
        resolve(code);
      });
    });
    if (options.input !== undefined) this.type(options.input);
  }

  type(text: string): void {
    this.child.stdin?.write(text);
  }

  /** Waits until the guest has printed something that matches, from `from` on; answers where the match ends. */
  async expect(pattern: RegExp, from = 0): Promise<number> {
    for (;;) {
      const match = pattern.exec(this.stdout.slice(from));
      if (match !== null) return from + match.index + match[0].length;
      if (this.#isOver) throw new Error(`vmm ended before it printed ${String(pattern)}:\n${this.stdout.slice(-2000)}\n${this.stderr}`);
      await new Promise<void>((resolve) => { this.#changed.push(resolve); });
    }
  }

  #notify(): void {
    for (const wake of this.#changed.splice(0)) wake();
  }
}

/** Runs to the end. */
export async function vmm(args: readonly string[], options: { readonly input?: string } = {}): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const run = new VmmRun(args, options);
  const code = await run.exited;
  return { code, stdout: run.stdout, stderr: run.stderr };
}
