import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { VmmError } from '@vmm/spec';

export interface RunOptions {
  readonly cwd?: string;
  readonly signal?: AbortSignal;
  readonly environment?: Readonly<Record<string, string>>;
  /** Called for each line the program writes to file descriptor 3. */
  readonly onStatusLine?: (line: string) => void;
}

/** Runs a program to its end and gives its standard output. Its failure is an error that quotes stderr: apt's first error, else the last line. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Buffer> {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, LC_ALL: 'C', ...options.environment },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    detached: true, // a group of its own: apt's helpers end with it
  }) as ChildProcessByStdio<null, Readable, Readable>;
  const output: Buffer[] = [];
  let complaints = '';
  child.stdout.on('data', (chunk: Buffer) => { output.push(chunk); });
  child.stderr.on('data', (chunk: Buffer) => { complaints = (complaints + chunk.toString()).slice(-4000); });
  forwardLines(child.stdio[3] as Readable, options.onStatusLine);
  const stop = (): void => { if (child.pid !== undefined) endGroup(child.pid); };
  options.signal?.addEventListener('abort', stop, { once: true });
  if (options.signal?.aborted === true) stop();
  const exit = await new Promise<number | string>((resolve, reject) => {
    child.on('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'ENOENT' ? new VmmError('GUEST_PROGRAM_FAILED', `Cannot run ${command}: it is not installed`) : error);
    });
    child.on('close', (code, signal) => { resolve(code ?? signal ?? 'unknown'); });
  }).finally(() => { options.signal?.removeEventListener('abort', stop); });
  options.signal?.throwIfAborted();
  if (exit === 0) return Buffer.concat(output);
  throw new VmmError('GUEST_PROGRAM_FAILED', `Cannot run ${command}: ${complaintOf(complaints) || `exit ${exit}`}`);
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGTERM');
  } catch {
    // it has just ended
  }
}

function forwardLines(stream: Readable, onLine: ((line: string) => void) | undefined): void {
  let rest = '';
  stream.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine?.(line);
  });
}

function complaintOf(text: string): string {
  const lines = text.trim().split('\n').map((line) => line.trim());
  return (lines.find((line) => line.startsWith('E: ')) ?? lines.at(-1) ?? '').replace(/^E: /, '');
}
