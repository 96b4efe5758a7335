import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assemble } from '@vmm/assembler';
import { decode, formatInstruction, Instruction } from '@vmm/decoder';
import { fillRandomStrings, randomSource } from './random.ts';

export interface GasReport {
  compared: number;
  /** The very same bytes. */
  same: number;
  /** Other bytes, but the same instruction and no more of them. */
  equivalent: number;
  readonly problems: string[];
}

/** Texts that GNU as spells otherwise, whose meaning depends on the address, or where it drops a REX.W that changes nothing. */
const SKIPPED = /^(cs|ds|es|ss|fs|gs|bnd|notrack|xacquire|xrelease|j|call|loop|xbegin|fneni|fndisi|fnsetpm|ud|nop|salc|v?pinsr|v?pextr|v?p?movmsk|v?extractps)|far|^mov \w+, [c-gs]s$/;
const ABSOLUTE = /[cdes]s:0x/;

/** Texts of random valid instructions, each once. */
function randomTexts(mode: 32 | 64, strings: number, seed: number): string[] {
  const bytes = new Uint8Array(strings * 16);
  fillRandomStrings(bytes, strings, randomSource(seed));
  const inst = new Instruction();
  const texts = new Set<string>();
  for (let i = 0; i < strings; i++) {
    if (decode(bytes, i * 16, i * 16 + 16, mode, inst) <= 0) continue;
    const text = formatInstruction(inst);
    if (!SKIPPED.test(text) && !(mode === 64 && ABSOLUTE.test(text))) texts.add(text);
  }
  return [...texts];
}

const PROLOGUE_LINES = 2;

/** Runs GNU as; lines it refuses are dropped and it runs again. Gives pairs of hex bytes and text. */
function runGas(texts: readonly string[], mode: 32 | 64, directory: string): [hex: string, text: string][] {
  const source = join(directory, 'in.s');
  const listing = join(directory, 'out.lst');
  const run = (lines: readonly string[]): string => {
    writeFileSync(source, `.intel_syntax noprefix\n.code${mode}\n${lines.join('\n')}\n`);
    const result = spawnSync('as', ['--listing-lhs-width=4', `-aln=${listing}`, mode === 64 ? '--64' : '--32', '-o', join(directory, 'out.o'), source], { encoding: 'utf8' });
    if (result.error !== undefined) throw result.error;
    return result.stderr;
  };
  const refused = new Set([...run(texts).matchAll(/in\.s:(\d+): Error/g)].map((m) => Number(m[1]) - PROLOGUE_LINES - 1));
  if (refused.size > 0) run(texts.filter((_, i) => !refused.has(i)));
  return [...readFileSync(listing, 'latin1').matchAll(/^\s*\d+\s+[0-9a-f]{4,}\s+([0-9A-F ]+?)\s*\t(.*)$/gm)].map((m) => [(m[1] ?? '').replaceAll(' ', '').toLowerCase(), m[2] ?? '']);
}

const normal = (text: string): string => text.replace('+0x0]', ']').replace('*1', '').replace(/ds:\[/, '[').replace('st(0)', 'st');

/** Compares @vmm/assembler with GNU as on random instructions: same bytes, or an encoding of the same instruction that is no longer. */
export function compareWithGas(mode: 32 | 64, strings: number, seed: number): GasReport {
  const report: GasReport = { compared: 0, same: 0, equivalent: 0, problems: [] };
  const directory = mkdtempSync(join(tmpdir(), 'decoder-oracle-'));
  try {
    for (const [gas, text] of runGas(randomTexts(mode, strings, seed), mode, directory)) {
      report.compared++;
      const problem = problemOf(text, gas, mode, report);
      if (problem !== undefined) report.problems.push(`${mode}-bit ${text}: ${problem}`);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
  return report;
}

const inst = new Instruction();

function problemOf(text: string, gas: string, mode: 32 | 64, report: GasReport): string | undefined {
  let own: string;
  try {
    own = Buffer.from(assemble(text, { bits: mode }).bytes).toString('hex');
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  if (own === gas) {
    report.same++;
    return undefined;
  }
  const bytes = Buffer.from(gas, 'hex');
  const isSame = decode(bytes, 0, bytes.length, mode, inst) === bytes.length && normal(formatInstruction(inst)) === normal(text);
  if (!isSame || own.length > gas.length) return `GNU as ${gas}, ours ${own}`;
  report.equivalent++;
  return undefined;
}
