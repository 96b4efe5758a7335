import { Imm, parseOperandCode, type OperandCode } from './operand-codes.ts';
import type { Row } from './row.ts';
import { rows } from './rows.ts';

/**
 * Typed arrays for the decoder, compiled from the rows at module load.
 *
 * A cell is one opcode of one map in one mode: `is64 * 1792 + map * 256 + opcode`, maps 0..3 legacy ('' 0f 0f38 0f3a), 4..6 VEX.
 * `cells[cell]` is a tree reference: -1 invalid, >= 0 a row, <= -2 the node at `-2 - reference`. A node is its dimension, then one
 * reference for each value of that dimension.
 */
export const MAPS = 7;
export const CELLS = 2 * MAPS * 256;

/** What a tree node looks at. */
export const Dimension = { prefix: 0, reg: 1, mod: 2, rm: 3, w: 4, l: 5, opSize: 6, addrSize: 7, rexB: 8 } as const;
const CARDINALITY = [4, 8, 2, 8, 2, 2, 3, 3, 2];

export const cells = new Int16Array(CELLS).fill(-1);
export const cellHasModrm = new Uint8Array(CELLS);

export const RowFlag = {
  lock: 1, default64: 2, forced64: 4, ignoresMod: 8, usesVvvv: 0x10, vsib: 0x20, vsibX: 0x40, notCs: 0x80, mandatoryRep: 0x100, checked: 0x200,
} as const;
export const rowFlags = new Uint16Array(rows.length);
export const rowImm = new Uint8Array(rows.length);
export const rowOperandCount = new Uint8Array(rows.length);
/** Four operand templates a row. */
export const rowOperands = new Uint8Array(rows.length * 4);

const templates: OperandCode[] = [];
const templateByCode = new Map<string, number>();
const tree: number[] = [];

function templateOf(code: string): number {
  const known = templateByCode.get(code);
  if (known !== undefined) return known;
  templates.push(parseOperandCode(code));
  templateByCode.set(code, templates.length - 1);
  return templates.length - 1;
}

function flagsOf(row: Row): number {
  return (row.lockable ? RowFlag.lock : 0)
    | (row.size64 === 'default64' ? RowFlag.default64 : row.size64 === 'forced64' ? RowFlag.forced64 : 0)
    | (row.modrm.ignoresMod ? RowFlag.ignoresMod : 0)
    | (row.operands.some((code) => /^[BH]/.test(code) && code !== 'BD') ? RowFlag.usesVvvv : 0)
    | (row.vsib === '' ? 0 : RowFlag.vsib) | (row.vsib === 'x' ? RowFlag.vsibX : 0)
    | (row.modrm.notCs ? RowFlag.notCs : 0)
    | (row.operands.some((code) => /^[CDS][yw]$/.test(code)) ? RowFlag.checked : 0)
    | (row.prefix === 'f2' || row.prefix === 'f3' ? RowFlag.mandatoryRep : 0);
}

function compileRow(row: Row): void {
  rowFlags[row.index] = flagsOf(row);
  rowOperandCount[row.index] = row.operands.length;
  for (const [i, code] of row.operands.entries()) {
    const t = templateOf(code);
    rowOperands[row.index * 4 + i] = t;
    const imm = templates[t]?.imm ?? 0;
    // ENTER is the one row with two immediates.
    if (imm !== 0) rowImm[row.index] = row.mnemonic === 'enter' ? Imm.wordAndByte : imm;
  }
}

/** For each dimension the set of values the row accepts, as a bit mask. */
interface Candidate { readonly row: number; readonly masks: readonly number[]; readonly specificity: number }

const PREFIX_MASK: Readonly<Record<Row['prefix'], number>> = { any: 15, none: 1, '66': 2, f3: 4, f2: 8, 'no-rep': 3 };
const one = (value: number): number => 1 << value;
const sizeMask = (sizes: readonly number[]): number => (sizes.length === 0 ? 7 : sizes.reduce((mask, size) => mask | one(Math.log2(size) - 1), 0));

function candidateOf(row: Row): Candidate {
  const { exact } = row.modrm;
  const reg = exact >= 0 ? (exact >> 3) & 7 : row.modrm.reg;
  const mod = exact >= 0 ? 'reg' : row.modrm.mod;
  const masks = [
    PREFIX_MASK[row.prefix],
    reg < 0 ? 255 : one(reg),
    mod === 'any' ? 3 : mod === 'mem' ? 1 : 2,
    exact < 0 ? 255 : one(exact & 7),
    row.w < 0 ? 3 : one(row.w),
    row.l < 0 ? 3 : one(row.l),
    sizeMask(row.opSizes),
    sizeMask(row.addrSizes),
    row.modrm.rexB0 ? 1 : 3,
  ];
  let specificity = 0;
  for (const [d, mask] of masks.entries()) specificity += Math.log2(CARDINALITY[d] ?? 1) - Math.log2(popcount(mask));
  return { row: row.index, masks, specificity };
}

function popcount(mask: number): number {
  let n = 0;
  for (let m = mask; m !== 0; m &= m - 1) n++;
  return n;
}

function cellOf(row: Row, is64: number): number {
  const map = ['', '0f', '0f38', '0f3a'].indexOf(row.map) + (row.encoding === 'vex' ? 3 : 0);
  return (is64 * MAPS + map) * 256 + row.opcode;
}

function grow(candidates: readonly Candidate[], from: number): number {
  if (candidates.length === 0) return -1;
  for (let d = from; d < CARDINALITY.length; d++) {
    const full = (1 << (CARDINALITY[d] ?? 0)) - 1;
    if (candidates.every((c) => c.masks[d] === full)) continue;
    const node = tree.length;
    tree.push(d);
    for (let v = 0; v < (CARDINALITY[d] ?? 0); v++) tree.push(-1);
    for (let v = 0; v < (CARDINALITY[d] ?? 0); v++) {
      tree[node + 1 + v] = grow(candidates.filter((c) => ((c.masks[d] ?? 0) >> v) & 1), d + 1);
    }
    return -2 - node;
  }
  return mostSpecific(candidates);
}

function mostSpecific(candidates: readonly Candidate[]): number {
  let best = candidates[0] as Candidate;
  for (const c of candidates) if (c.specificity > best.specificity) best = c;
  const rivals = candidates.filter((c) => c.specificity === best.specificity);
  if (rivals.length > 1) throw new Error(`ambiguous rows: ${rivals.map((c) => rows[c.row]?.text).join(' / ')}`);
  return best.row;
}

function compileCells(): void {
  const byCell = new Map<number, Candidate[]>();
  for (const row of rows) {
    const candidate = candidateOf(row);
    for (let is64 = 0; is64 < 2; is64++) {
      if (row.modes === (is64 === 1 ? 'no64' : 'only64')) continue;
      for (let r = 0; r < (row.opcodeRegister ? 8 : 1); r++) {
        const cell = cellOf(row, is64) + r;
        const list = byCell.get(cell);
        if (list === undefined) byCell.set(cell, [candidate]);
        else list.push(candidate);
        if (row.modrm.present) cellHasModrm[cell] = 1;
      }
    }
  }
  for (const [cell, candidates] of byCell) cells[cell] = grow(candidates, 0);
}

for (const row of rows) compileRow(row);
compileCells();

export const nodes = Int16Array.from(tree);
export const templateSource = Uint8Array.from(templates, (t) => t.source);
export const templateFixed = Uint8Array.from(templates, (t) => t.fixed);
/** 16 sizes a template: isReg * 8 + VEX.L * 4 + operand size index. */
export const templateSizes = Uint16Array.from(templates.flatMap((t) => t.sizes));
