import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { decode, Instruction } from '@vmm/decoder';
import { benchDecoders, commonInstructions } from './bench.ts';
import { compareWithIced, compareWithObjdump, everyInstruction, everyString, Report } from './compare.ts';
import { ICED_DIFFERENCES, OBJDUMP_DIFFERENCES } from './differences.ts';
import { readElf, type CodeSection } from './elf.ts';
import { compareWithGas } from './gas.ts';
import { fillRandomStrings, randomSource } from './random.ts';

const HELP = `Compares @vmm/decoder with iced-x86 and objdump, @vmm/assembler with GNU as, and measures the decoders.

  node src/main.ts compare [--random N] [--mode 16,32,64] [--seed S] [--syntax intel,att] [--no-objdump] [--no-iced] [FILE...]
      every instruction of the ELF FILEs, and N random byte strings in each mode:
      length, validity, mnemonic, operands (iced-x86); length and text (objdump)
  node src/main.ts bench [--rounds N] [FILE]
      millions of instructions a second of both decoders, in one process, on the code of FILE (default: this Node)
  node src/main.ts assemble [--random N] [--seed S]
      @vmm/assembler with GNU as, on the text of N random byte strings
  node src/main.ts classes
      the known classes of difference, with their reasons

Exit code: 0 if every difference has a reason, 1 if not, 2 for wrong usage.
`;

type Mode = 16 | 32 | 64;
const CHUNK_STRINGS = 100_000;

function print(title: string, report: Report): void {
  console.log(`${title}: ${report.compared} compared, ${report.valid} valid, ${report.unexplained} unexplained`);
  for (const [id, n] of report.known) console.log(`  ${String(n).padStart(8)} ${id}`);
  for (const example of report.examples) console.log(`  ?  ${example}`);
}

function codeOf(path: string): { mode: 32 | 64; sections: readonly CodeSection[] } {
  const elf = readElf(path);
  return { mode: elf.mode, sections: elf.sections.filter((s) => s.bytes.length > 64) };
}

type Syntax = 'intel' | 'att';

async function compareFile(path: string, useIced: boolean, syntaxes: readonly Syntax[]): Promise<number> {
  const { mode, sections } = codeOf(path);
  let unexplained = 0;
  if (useIced) {
    const report = new Report();
    for (const section of sections) report.merge(compareWithIced(section.bytes, mode, everyInstruction(section.bytes, mode)));
    print(`${path} with iced-x86`, report);
    unexplained += report.unexplained;
  }
  for (const syntax of syntaxes) {
    const report = await compareWithObjdump(['-d', path], mode, syntax);
    print(`${path} with objdump, ${syntax === 'intel' ? 'Intel' : 'AT&T'} syntax`, report);
    unexplained += report.unexplained;
  }
  return unexplained;
}

const OBJDUMP_MACHINES: Readonly<Record<Mode, string>> = { 16: 'i8086', 32: 'i386', 64: 'i386:x86-64' };

async function compareRandom(mode: Mode, count: number, seed: number, useIced: boolean, useObjdump: boolean): Promise<number> {
  const next = randomSource(seed * 64 + mode);
  const ours = new Report();
  const theirs = new Report();
  for (let done = 0; done < count; done += CHUNK_STRINGS) {
    const strings = Math.min(CHUNK_STRINGS, count - done);
    const bytes = new Uint8Array(strings * 16);
    fillRandomStrings(bytes, strings, next);
    if (useIced) ours.merge(compareWithIced(bytes, mode, everyString(strings)));
    if (useObjdump) theirs.merge(await objdumpOfValid(bytes, strings, mode));
  }
  if (useIced) print(`${count} random strings, ${mode}-bit, with iced-x86`, ours);
  if (useObjdump) print(`${count} random strings, ${mode}-bit, with objdump`, theirs);
  return ours.unexplained + theirs.unexplained;
}

/** objdump cannot be told where strings start: it gets those we decode, end to end, each cut to our length. */
async function objdumpOfValid(bytes: Uint8Array, strings: number, mode: Mode): Promise<Report> {
  const inst = new Instruction();
  const kept = new Uint8Array(bytes.length);
  let size = 0;
  for (let i = 0; i < strings; i++) {
    const length = decode(bytes, i * 16, i * 16 + 16, mode, inst);
    if (length > 0) {
      kept.set(bytes.subarray(i * 16, i * 16 + length), size);
      size += length;
    }
  }
  const directory = mkdtempSync(join(tmpdir(), 'decoder-oracle-'));
  try {
    const file = join(directory, 'strings.bin');
    writeFileSync(file, kept.subarray(0, size));
    return await compareWithObjdump(['-D', '-b', 'binary', '-m', OBJDUMP_MACHINES[mode], file], mode);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function bench(path: string, rounds: number): void {
  const { mode, sections } = codeOf(path);
  const largest = [...sections].sort((a, b) => b.bytes.length - a.bytes.length)[0];
  if (largest === undefined) throw new Error(`${path} has no code`);
  const result = benchDecoders(commonInstructions(largest.bytes.subarray(0, 16 << 20), mode), mode, rounds);
  console.log(`${path} ${largest.name}: ${result.instructions} instructions; millions a second: @vmm/decoder ${result.own.toFixed(1)}, iced-x86 ${result.iced.toFixed(1)} (${(result.own / result.iced).toFixed(2)}x)`);
}

function compareAssemblers(strings: number, seed: number): number {
  let problems = 0;
  for (const mode of [32, 64] as const) {
    const report = compareWithGas(mode, strings, seed);
    console.log(`${mode}-bit: ${report.compared} instructions, ${report.same} the same bytes, ${report.equivalent} equivalent, ${report.problems.length} problems`);
    for (const problem of report.problems) console.log(`  ?  ${problem}`);
    problems += report.problems.length;
  }
  return problems === 0 ? 0 : 1;
}

function listClasses(): void {
  for (const [title, classes] of [['iced-x86', ICED_DIFFERENCES], ['objdump', OBJDUMP_DIFFERENCES]] as const) {
    console.log(`${title}:`);
    for (const c of classes) console.log(`  ${c.id.padEnd(24)} ${c.reason}`);
  }
}

function syntaxOf(name: string): Syntax {
  if (name !== 'intel' && name !== 'att') throw new Error(`--syntax ${name}: intel or att`);
  return name;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h' }, random: { type: 'string', default: '0' }, mode: { type: 'string', default: '16,32,64' },
      seed: { type: 'string', default: '1' }, syntax: { type: 'string', default: 'intel,att' }, rounds: { type: 'string', default: '5' }, 'no-objdump': { type: 'boolean' }, 'no-iced': { type: 'boolean' },
    },
  });
  const [command, ...files] = positionals;
  if (values.help === true || command === undefined) {
    console.log(HELP);
    return values.help === true ? 0 : 2;
  }
  if (command === 'bench') {
    bench(files[0] ?? process.execPath, Number(values.rounds));
    return 0;
  }
  if (command === 'assemble') return compareAssemblers(Number(values.random) || 20_000, Number(values.seed));
  if (command === 'classes') {
    listClasses();
    return 0;
  }
  if (command !== 'compare') throw new Error(`unknown command "${command}"; try --help`);
  const syntaxes = values['no-objdump'] === true ? [] : values.syntax.split(',').map(syntaxOf);
  let unexplained = 0;
  for (const file of files) unexplained += await compareFile(file, values['no-iced'] !== true, syntaxes);
  if (Number(values.random) > 0) {
    for (const mode of values.mode.split(',').map(Number)) {
      if (mode !== 16 && mode !== 32 && mode !== 64) throw new Error(`--mode ${mode}: 16, 32 or 64`);
      unexplained += await compareRandom(mode, Number(values.random), Number(values.seed), values['no-iced'] !== true, values['no-objdump'] !== true);
    }
  }
  return unexplained === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`decoder-oracle: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 2;
}
