import { FLAG_BITS, type Row } from '@vmm/decoder';
import { InstructionInfoFactory, OpAccess, Register, RflagsBits, type Instruction } from 'iced-x86';
import { Iced } from './iced.ts';
import { lastOwn, ownView } from './own.ts';
import { fillRandomStrings, randomSource } from './random.ts';

export interface FactsReport {
  /** Rows that some string reached. */
  rows: number;
  readonly problems: string[];
}

/** Rows whose facts differ on purpose. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  enclu: 'flags depend on the leaf', encls: 'the same', vmptrst: 'iced-x86 takes VMsucceed for granted',
  maskmovq: 'iced-x86 counts the memory as the first operand', maskmovdqu: 'the same', vmaskmovdqu: 'the same',
  vmaskmovps: 'a masked store leaves bytes alone: rw', vmaskmovpd: 'the same', vpmaskmovd: 'the same', vpmaskmovq: 'the same',
  clwb: 'address only', clflush: 'address only', clflushopt: 'address only', umonitor: 'address only', movdir64b: 'address only', vmclear: 'writes the VMCS region',
  ffree: 'tags only', ffreep: 'tags only',
};

const FLAGS: readonly (readonly [string, RflagsBits])[] = [
  ['o', RflagsBits.OF], ['s', RflagsBits.SF], ['z', RflagsBits.ZF], ['a', RflagsBits.AF], ['p', RflagsBits.PF], ['c', RflagsBits.CF], ['d', RflagsBits.DF], ['i', RflagsBits.IF],
];

function ownLetters(mask: number): string {
  return FLAGS.filter(([letter]) => (mask & (FLAG_BITS[letter] ?? 0)) !== 0).map(([letter]) => letter).join('');
}

function theirLetters(mask: number): string {
  return FLAGS.filter(([, bit]) => (mask & bit) !== 0).map(([letter]) => letter).join('');
}

const ACCESS: Readonly<Record<Row['access'][number], readonly OpAccess[]>> = {
  r: [OpAccess.Read, OpAccess.CondRead], w: [OpAccess.Write], rw: [OpAccess.ReadWrite, OpAccess.ReadCondWrite, OpAccess.CondWrite],
  a: [OpAccess.NoMemAccess, OpAccess.None],
};

/** Compares flag effects and operand access of every row that random strings reach with iced-x86's tables. */
export function compareFacts(mode: 32 | 64, strings: number, seed: number): FactsReport {
  const bytes = new Uint8Array(strings * 16);
  fillRandomStrings(bytes, strings, randomSource(seed));
  const iced = new Iced(bytes, mode, 0n);
  const factory = new InstructionInfoFactory();
  const seen = new Set<number>();
  const report: FactsReport = { rows: 0, problems: [] };
  for (let i = 0; i < strings; i++) {
    if (!ownView(bytes, i * 16, mode, 0n).valid || seen.has(lastOwn.rowIndex)) continue;
    const inst = iced.at(i * 16);
    const row = lastOwn.row;
    if (!inst.isInvalid && inst.length === lastOwn.length && !isSpecialCase(inst)) {
      seen.add(row.index);
      if (!(row.mnemonic in EXCEPTIONS)) report.problems.push(...problemsOf(row, inst, factory));
    }
    inst.free();
  }
  factory.free();
  iced.free();
  report.rows = seen.size;
  return report;
}

/** Values that change the facts: `xor eax, eax` does not read EAX, counts of 0 and 1, REP. */
function isSpecialCase(inst: Instruction): boolean {
  if (lastOwn.rep !== 0 || (lastOwn.immBytes === 1 && (lastOwn.immLo & 0x1f) <= 1)) return true;
  for (let i = 1; i < inst.opCount; i++) if (inst.opRegister(i) !== Register.None && inst.opRegister(i) === inst.opRegister(i - 1)) return true;
  return false;
}

function problemsOf(row: Row, inst: Instruction, factory: InstructionInfoFactory): string[] {
  const { read, modified, undefined: unknown, set, cleared } = row.flags;
  const own = [read, modified, unknown, set, cleared].map(ownLetters).join(' | ');
  const theirs = [inst.rflagsRead, inst.rflagsWritten, inst.rflagsUndefined, inst.rflagsSet, inst.rflagsCleared].map(theirLetters).join(' | ');
  const problems = own === theirs ? [] : [`${row.text}: flags read | modified | undefined | set | cleared: ours ${own}, iced-x86 ${theirs}`];
  const info = factory.info(inst);
  const written = row.operands.map((code, i) => ({ code, access: row.access[i] ?? 'r' })).filter(({ code }, i) => row.hidden[i] !== true && code !== 'XMM0');
  // iced-x86 lists ST0 where our text hides it.
  const skip = Math.max(0, inst.opCount - written.length - (row.mnemonic === 'nop' ? 1 : 0));
  for (const [i, { code, access }] of written.entries()) {
    const other = info.opAccess(i + (row.feature === 'fpu' ? skip : 0));
    if (!ACCESS[access].includes(other)) problems.push(`${row.text}: ${code} is ${access}, iced-x86 says ${OpAccess[other] ?? '?'}`);
  }
  info.free();
  return problems;
}
