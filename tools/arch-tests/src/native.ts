/** The host CPU as oracle: assembles instructions with GNU as and runs cases in a helper process. Needs gcc and x86-64 Linux with AVX. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CASE, TestCase } from './case-layout.ts';

/** Why the oracle cannot be used here; undefined if it can. */
export function whyNoOracle(): string | undefined {
  if (process.arch !== 'x64' || process.platform !== 'linux') return 'the host is not x86-64 Linux';
  if (spawnSync('gcc', ['--version']).error !== undefined) return 'gcc is not installed';
  if (!/\bavx\b/.test(readFileSync('/proc/cpuinfo', 'utf8'))) return 'the host CPU has no AVX (XSAVE state)';
  return undefined;
}

/** Feature names of the host as in /proc/cpuinfo. */
export function hostFeatures(): ReadonlySet<string> {
  return new Set(/^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.trim().split(' ') ?? []);
}

const SLOT_BYTES = 32;

/** Machine code of instructions in Intel syntax, one each. */
export function assemble(instructions: readonly string[]): Uint8Array[] {
  const directory = mkdtempSync(join(tmpdir(), 'arch-tests-'));
  try {
    const lines = instructions.map((text, i) => `.org ${i * SLOT_BYTES}\n.byte 9f - 8f\n8: ${text}\n9:\n`);
    writeFileSync(join(directory, 'code.s'), `.intel_syntax noprefix\n.text\n${lines.join('')}.org ${instructions.length * SLOT_BYTES}\n`);
    execFileSync('gcc', ['-c', 'code.s', '-o', 'code.o'], { cwd: directory });
    execFileSync('objcopy', ['-O', 'binary', '--only-section=.text', 'code.o', 'code.bin'], { cwd: directory });
    const image = readFileSync(join(directory, 'code.bin'));
    return instructions.map((_, i) => Uint8Array.from(image.subarray(i * SLOT_BYTES + 1, i * SLOT_BYTES + 1 + (image[i * SLOT_BYTES] ?? 0))));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The compiled runner; `close` removes it. */
export class NativeCpu {
  readonly #directory = mkdtempSync(join(tmpdir(), 'arch-tests-'));

  constructor() {
    execFileSync('gcc', ['-O1', '-no-pie', '-mavx', '-o', 'runner', join(import.meta.dirname, 'native-runner.c')], { cwd: this.#directory });
  }

  /** Runs the cases in order and returns how each ended. */
  run(cases: readonly TestCase[]): TestCase[] {
    const input = Buffer.concat(cases.map((test) => test.bytes));
    const { stdout, status, signal } = spawnSync(join(this.#directory, 'runner'), { input, maxBuffer: input.length + 4096 });
    if (status !== 0 || stdout.length !== input.length) {
      const at = Math.floor(stdout.length / CASE.sizeBytes);
      throw new Error(`native runner ended with ${signal ?? status} at case ${at} of ${cases.length} (code ${Buffer.from(cases[at]?.code ?? []).toString('hex')})`);
    }
    return cases.map((_, i) => new TestCase(new Uint8Array(stdout.buffer, stdout.byteOffset + i * CASE.sizeBytes, CASE.sizeBytes)));
  }

  close(): void { rmSync(this.#directory, { recursive: true, force: true }); }
}
