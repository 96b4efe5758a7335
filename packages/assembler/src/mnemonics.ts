import { CONDITIONS, rows, type Row } from '@vmm/decoder';

/** What a written mnemonic stands for. */
export interface Meaning {
  readonly rows: readonly Row[];
  /** Operand size in bytes that the name demands; 0 if none. */
  readonly opSize: number;
  /** Bytes before the instruction (WAIT of FINIT and its like). */
  readonly before: readonly number[];
  /** Immediate that the name stands for: the predicate of `cmpltps`. */
  readonly predicate: number | undefined;
  /** A string instruction written without operands: match no operand, they are implied. */
  readonly implied: boolean;
}

const byMnemonic = new Map<string, Row[]>();
for (const row of rows) {
  const list = byMnemonic.get(row.mnemonic);
  if (list === undefined) byMnemonic.set(row.mnemonic, [row]);
  else list.push(row);
}

/** Other spellings of the conditions, by canonical name. */
const CONDITION_ALIASES: Readonly<Record<string, string>> = {
  c: 'b', nae: 'b', nc: 'nb', ae: 'nb', e: 'z', ne: 'nz', na: 'be', a: 'nbe', pe: 'p', po: 'np', nge: 'l', ge: 'nl', ng: 'le', g: 'nle',
};
const ALIASES: Readonly<Record<string, string>> = {
  sal: 'shl', retn: 'ret', loopz: 'loope', loopnz: 'loopne', repz: 'repe', xlatb: 'xlat', fwait: 'wait', icebp: 'int1', int01: 'int1', movabs: 'mov',
  pushfw: 'pushf', salb: 'shl', fcomip: 'fcomip', iretw: 'iret',
};
const SIZE_SUFFIXES: Readonly<Record<string, number>> = { b: 1, w: 2, d: 4, q: 8 };
const STRINGS = new Set(['movs', 'stos', 'lods', 'cmps', 'scas', 'ins', 'outs']);
/** Rows whose size only a suffix can say: iretq, pushfd, popaw. */
const SUFFIXED = new Set(['iret', 'push', 'pop', 'ret', 'enter', 'pushf', 'popf', 'pusha', 'popa', 'retf', 'sysret', 'sysexit', 'leave', 'rdssp', 'incssp', 'wrss', 'wruss']);
const WIDE = /^(fxsave|fxrstor|xsave|xrstor|xsaveopt|xsavec|xsaves|xrstors)64$/;
/** Forms that wait for pending x87 faults first. */
const WAITING = new Set(['finit', 'fclex', 'fstcw', 'fstsw', 'fstenv', 'fsave', 'feni', 'fdisi', 'fsetpm']);
const WAIT_BYTE = 0x9b;

/** Rows in the order of preference: real ones before aliases. */
function rowsOf(name: string): Row[] | undefined {
  return byMnemonic.get(name)?.toSorted((a, b) => Number(a.alias) - Number(b.alias) || a.index - b.index);
}

function plain(name: string, opSize = 0, before: readonly number[] = []): Meaning | undefined {
  const found = rowsOf(name);
  return found === undefined ? undefined : { rows: found, opSize, before, predicate: undefined, implied: false };
}

function withCondition(name: string): Meaning | undefined {
  const parts = /^(j|set|cmov)([a-z]+)$/.exec(name);
  const condition = parts?.[2] ?? '';
  const canonical = CONDITION_ALIASES[condition];
  return canonical === undefined || !(CONDITIONS as readonly string[]).includes(canonical) ? undefined : plain(`${parts?.[1] ?? ''}${canonical}`);
}

function stringInstruction(name: string, hasOperands: boolean): Meaning | undefined {
  const size = SIZE_SUFFIXES[name.slice(-1)];
  const root = name.slice(0, -1);
  if (hasOperands || size === undefined || !STRINGS.has(root)) return undefined;
  const isByte = size === 1;
  const found = rowsOf(root)?.filter((row) => row.operands.some((code) => code === 'Yb' || code === 'Xb') === isByte);
  return found === undefined ? undefined : { rows: found, opSize: isByte ? 0 : size, before: [], predicate: undefined, implied: true };
}

/** Compiles a mnemonic; `far` is given with the word or implied by a far pointer. */
export function meaningOf(written: string, far: boolean, hasOperands: boolean): Meaning | undefined {
  const name = written.toLowerCase();
  if (far && (name === 'jmp' || name === 'call')) return plain(`${name}f`);
  if (name === 'xlat' || name === 'xlatb') return { rows: rowsOf('xlat') ?? [], opSize: 0, before: [], predicate: undefined, implied: !hasOperands };
  return stringInstruction(name, hasOperands) ?? plain(ALIASES[name] ?? name) ?? withCondition(name) ?? suffixed(name) ?? waiting(name) ?? compare(name);
}

function suffixed(name: string): Meaning | undefined {
  const size = SIZE_SUFFIXES[name.slice(-1)];
  const root = name.slice(0, -1);
  if (size !== undefined && size > 1 && SUFFIXED.has(root)) return plain(root, size);
  const wide = WIDE.exec(name);
  return wide === null ? undefined : plain(wide[1] ?? '', 8);
}

function waiting(name: string): Meaning | undefined {
  return WAITING.has(name) ? plain(`fn${name.slice(1)}`, 0, [WAIT_BYTE]) : undefined;
}

const PREDICATES = ['eq', 'lt', 'le', 'unord', 'neq', 'nlt', 'nle', 'ord'];

/** cmpltps, vcmpneqsd: names of cmpps with an immediate. */
function compare(name: string): Meaning | undefined {
  const parts = /^(v?cmp)(eq|lt|le|unord|neq|nlt|nle|ord)([ps][sd])$/.exec(name);
  const meaning = parts === null ? undefined : plain(`${parts[1] ?? ''}${parts[3] ?? ''}`);
  return meaning === undefined ? undefined : { ...meaning, predicate: PREDICATES.indexOf(parts?.[2] ?? '') };
}

/** For messages: names close to the one written. */
export function similarMnemonics(written: string): string[] {
  const name = written.toLowerCase();
  return [...byMnemonic.keys()].filter((m) => m.length > 2 && (m.startsWith(name.slice(0, 3)) || name.startsWith(m))).slice(0, 5);
}
