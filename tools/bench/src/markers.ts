import { spawn } from 'node:child_process';

/**
 * The protocol that guests print on their serial line: `@@ INIT arch`, then per workload `@@ NAME start` and `@@ NAME end CHECKSUM`, at last
 * `@@ DONE`. The host's clock times the lines as they come.
 */

export interface Row { readonly ms: number; readonly checksum: string }

export interface GuestRun {
  /** From process start to `@@ INIT`. */
  readonly bootMs: number | undefined;
  readonly rows: Readonly<Record<string, Row>>;
  /** Why the run ended before `@@ DONE`, if it did. */
  readonly failure: string | undefined;
}

export interface RunOptions {
  /** Silence after which the guest counts as hung. Default 90 s. */
  readonly hangMs?: number;
  /** Typed when the guest has printed this text. */
  readonly typed?: { readonly after: string; readonly text: string };
}

const MARKER = /@@ (\S+)(?: (start|end))?(?: (\S+))?/;

/** Reads markers from lines with their times. */
export class MarkerReader {
  readonly rows: Record<string, Row> = {};
  bootMs: number | undefined;
  isDone = false;
  #current: { readonly name: string; readonly ms: number } | undefined;

  line(text: string, ms: number): void {
    const [, name, kind, checksum = ''] = MARKER.exec(text) ?? [];
    if (name === undefined) return;
    if (name === 'INIT') this.bootMs = ms;
    else if (name === 'DONE') this.isDone = true;
    else if (kind === 'start') this.#current = { name, ms };
    else if (kind === 'end' && this.#current?.name === name) {
      this.rows[name] = { ms: Math.round((ms - this.#current.ms) * 100) / 100, checksum };
      this.#current = undefined;
    }
  }
}

/** Runs one guest to `@@ DONE`, then ends its process group. */
export function runGuest(command: readonly string[], { hangMs = 90_000, typed }: RunOptions = {}): Promise<GuestRun> {
  const [program = '', ...args] = command;
  const startMs = performance.now(), reader = new MarkerReader();
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  let rest = '', seen = '', stderr = '', isTyped = typed === undefined;
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    const finish = (failure: string | undefined): void => {
      clearTimeout(timer);
      try { process.kill(-(child.pid ?? 0), 'SIGKILL'); } catch { /* it has ended */ }
      resolve({ bootMs: reader.bootMs, rows: reader.rows, failure: reader.isDone ? undefined : failure });
    };
    const arm = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => { finish('hung'); }, hangMs);
    };
    arm();
    child.on('error', (error) => { finish(error.message); });
    child.on('exit', (code) => { finish(`ended with ${code ?? 'a signal'}: ${stderr.trim().slice(-300)}`); });
    child.stdin.on('error', () => { /* it has ended */ });
    child.stderr.on('data', (data: Buffer) => { stderr += data.toString('latin1'); });
    child.stdout.on('data', (data: Buffer) => {
      const ms = performance.now() - startMs, text = data.toString('latin1');
      arm();
      rest += text;
      if (!isTyped) seen += text;
      for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
        reader.line(rest.slice(0, end).trim(), ms);
        rest = rest.slice(end + 1);
      }
      if (!isTyped && typed !== undefined && seen.includes(typed.after)) {
        isTyped = true;
        child.stdin.write(typed.text);
      }
      if (reader.isDone) finish(undefined);
    });
  });
}
