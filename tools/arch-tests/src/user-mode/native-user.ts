/** The host CPU as oracle for batches: compiles runner.c for the mode and hands it files. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Batch } from './batch.ts';
import type { CodeMode } from './batch-layout.ts';

const SOURCE = join(import.meta.dirname, 'runner.c');
const COMMON = ['-O2', '-static', '-fno-stack-protector'];
const FLAGS: Readonly<Record<'64' | '32', readonly string[]>> = {
  // far away from any address that 32-bit arithmetic can make
  64: ['-O2', '-static-pie', '-fPIE', '-fno-stack-protector'],
  32: ['-m32', ...COMMON, '-no-pie', '-Wl,-Ttext-segment=0xe0000000'],
};
/** Addresses from which on the 32-bit runner itself lives: cases that reach there are not run. */
export const RUNNER_FROM = 0xe000_0000;

/** Compiled once per source text, kept in the temporary folder. Throws if gcc cannot make it. */
function compile(width: '64' | '32'): string {
  const key = createHash('sha256').update(readFileSync(SOURCE)).update(FLAGS[width].join()).digest('hex').slice(0, 16);
  const folder = join(tmpdir(), 'vmm-arch-tests'), program = join(folder, `runner-${width}-${key}`);
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  const draft = `${program}.${process.pid}`;
  execFileSync('gcc', [...FLAGS[width], '-o', draft, SOURCE], { stdio: ['ignore', 'ignore', 'pipe'] });
  renameSync(draft, program);
  return program;
}

const NEEDED = ['bmi1', 'bmi2', 'adx', 'movbe', 'abm', 'popcnt', 'sse4_2', 'cx16', 'clflushopt', 'clwb'] as const;

/** Why cases of this mode cannot be compared here; undefined if they can. */
export function whyNoUserOracle(mode: CodeMode): string | undefined {
  if (process.arch !== 'x64' || process.platform !== 'linux') return 'the host is not x86-64 Linux';
  const info = readFileSync('/proc/cpuinfo', 'utf8'), missing = NEEDED.filter((feature) => !new RegExp(`\\b${feature}\\b`).test(info));
  if (missing.length > 0) return `the host CPU has no ${missing.join(' ')}`;
  if (spawnSync('gcc', ['--version']).error !== undefined) return 'gcc is not installed';
  try {
    compile(mode === 64 ? '64' : '32');
  } catch {
    return `gcc cannot build ${mode === 64 ? 'static programs' : '32-bit programs (gcc-multilib)'}`;
  }
  return undefined;
}

/** Where the manuals leave something open (what a faulting ENTER has stored, say) our expectations are those of AMD's processors. */
export function isReferenceHost(): boolean { return readFileSync('/proc/cpuinfo', 'utf8').includes('AuthenticAMD'); }

export class NativeUser {
  readonly #directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'arch-tests-'));

  /** Runs a batch in place. */
  run(batch: Batch): void {
    const program = compile(batch.mode === 64 ? '64' : '32'), file = join(this.#directory, 'batch');
    const image = batch.image();
    writeFileSync(file, image);
    const { status, signal, stderr } = spawnSync(program, [file]);
    batch.bytes.set(readFileSync(file));
    if (status !== 0) throw new Error(`native runner ended with ${signal ?? status} ${stderr.toString()} (first case without outcome: ${this.#firstUnfinished(batch)})`);
  }
  #firstUnfinished(batch: Batch): number {
    for (let i = 0; i < batch.count; i++) if (batch.u32(i, 'vector') === 0 && batch.u32(i, 'error') === 0 && batch.u32(i, 'skip') === 0) return i;
    return -1;
  }
  close(): void { rmSync(this.#directory, { recursive: true, force: true }); }
}
