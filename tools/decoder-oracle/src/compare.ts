import { decode, formatInstruction, Instruction } from '@vmm/decoder';
import { classify, ICED_DIFFERENCES, OBJDUMP_DIFFERENCES } from './differences.ts';
import { featuresOf, Iced, icedView } from './iced.ts';
import { normalizeOwn, objdumpLines } from './objdump.ts';
import { ownView } from './own.ts';
import { describe, sameView } from './view.ts';

type Mode = 16 | 32 | 64;

/** What a comparison found. */
export class Report {
  compared = 0;
  valid = 0;
  /** Differences with a reason, by class. */
  readonly known = new Map<string, number>();
  /** Differences nobody has explained: bugs of one side. */
  unexplained = 0;
  /** The first of each kind, printable. */
  readonly examples: string[] = [];
  readonly #kinds = new Set<string>();

  explain(id: string): void {
    this.known.set(id, (this.known.get(id) ?? 0) + 1);
  }

  complain(kind: string, text: string): void {
    this.unexplained++;
    if (this.#kinds.has(kind)) return;
    this.#kinds.add(kind);
    this.examples.push(text);
  }

  merge(other: Report): void {
    this.compared += other.compared;
    this.valid += other.valid;
    this.unexplained += other.unexplained;
    for (const [id, n] of other.known) this.known.set(id, (this.known.get(id) ?? 0) + n);
    this.examples.push(...other.examples);
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');

/** Compares at the given offsets: length, validity, mnemonic, operands, prefixes. The bytes lie at address 0. */
export function compareWithIced(bytes: Uint8Array, mode: Mode, offsets: Iterable<number>): Report {
  const report = new Report();
  const iced = new Iced(bytes, mode, 0n);
  for (const offset of offsets) {
    const own = ownView(bytes, offset, mode, BigInt(offset));
    const inst = iced.at(offset);
    const other = icedView(inst);
    report.compared++;
    if (other.valid) report.valid++;
    if (!sameView(own, other)) {
      const shown = bytes.subarray(offset, offset + 15);
      const difference = { mode, bytes: shown, own, other, features: other.valid ? featuresOf(inst) : [] };
      const reason = classify(difference, ICED_DIFFERENCES);
      if (reason !== undefined) report.explain(reason.id);
      else report.complain(`${own.mnemonic}/${other.mnemonic}`, `${mode}-bit ${hex(shown)}  ours ${describe(own)}  iced-x86 ${describe(other)}`);
    }
    inst.free();
  }
  iced.free();
  return report;
}

export function* everyInstruction(bytes: Uint8Array, mode: Mode): Generator<number> {
  const inst = new Instruction();
  for (let at = 0; at + 15 < bytes.length;) {
    yield at;
    const length = decode(bytes, at, bytes.length, mode, inst);
    at += length > 0 ? length : 1;
  }
}

export function* everyString(count: number): Generator<number> {
  for (let i = 0; i < count; i++) yield i * 16;
}

/** Compares with what objdump prints: length and text. `args` name the file and how to read it. */
export async function compareWithObjdump(args: readonly string[], mode: Mode, syntax: 'intel' | 'att' = 'intel'): Promise<Report> {
  const report = new Report();
  const inst = new Instruction();
  const padded = new Uint8Array(48).fill(0x90);
  for await (const line of objdumpLines(args, syntax)) {
    padded.set(line.bytes);
    padded.fill(0x90, line.bytes.length);
    const length = decode(padded, 0, line.bytes.length + 15, mode, inst);
    const own = length <= 0 ? '(bad)' : normalizeOwn(formatInstruction(inst, { address: line.address, syntax }));
    report.compared++;
    if (length > 0) report.valid++;
    if ((own === line.text && length === line.bytes.length) || (length <= 0 && line.text.includes('(bad)'))) continue;
    const reason = classify({ mode, bytes: line.bytes, own, other: line.text, ownLength: length }, OBJDUMP_DIFFERENCES);
    if (reason !== undefined) report.explain(reason.id);
    else report.complain(`${own.split(' ', 1)[0] ?? ''}/${line.text.split(' ', 1)[0] ?? ''}`, `${mode}-bit ${hex(line.bytes)}  ours ${own} (${length})  objdump ${line.text}`);
  }
  return report;
}
