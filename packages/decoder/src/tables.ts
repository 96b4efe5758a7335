/* @precomputed */
import { Imm, OpKind, parseOperandCode, Source, type OperandCode } from './operand-codes.ts';
import type { Row } from './row.ts';
import { rows } from './rows.ts';

/**
 * Typed arrays for the decoder, compiled from the rows at module load.
 *
 * A cell is one opcode of one map in one mode: `is64 * 1792 + map * 256 + opcode`, maps 0..3 legacy ('' 0f 0f38 0f3a), 4..6 VEX.
 * `cells[cell]` is a tree reference times two, plus one if a ModRM byte follows. A reference is -1 (invalid), a row (>= 0), or the node at
 * `-2 - reference`. A node is `shift | mask << 8`, which cut a value out of the decode key, then one reference for each value.
 */
export const MAPS = 7;
export const cells = new Int32Array(2 * MAPS * 256).fill(-2);

/** The decode key: what tree nodes may ask about an instruction. Position of each field. */
export const Key = { prefix: 0, reg: 2, mod: 5, rm: 6, w: 9, l: 10, opSize: 11, addrSize: 13, rexB: 15 } as const;
const DIMENSIONS: readonly { readonly shift: number; readonly count: number }[] = [
  { shift: Key.prefix, count: 4 }, { shift: Key.reg, count: 8 }, { shift: Key.mod, count: 2 }, { shift: Key.rm, count: 8 },
  { shift: Key.w, count: 2 }, { shift: Key.l, count: 2 }, { shift: Key.opSize, count: 3 }, { shift: Key.addrSize, count: 3 },
  { shift: Key.rexB, count: 2 },
];

/** rowInfo: these bits, the operand count from COUNT_SHIFT, the kind of immediate from IMM_SHIFT. */
export const RowFlag = {
  lock: 1, default64: 2, forced64: 4, ignoresMod: 8, usesVvvv: 0x10, vsib: 0x20, notCs: 0x80, mandatoryRep: 0x100, checked: 0x200,
} as const;
export const COUNT_SHIFT = 12;
export const IMM_SHIFT = 16;
export const rowInfo = new Int32Array(rows.length);
/** Four operand templates a row. */
export const rowOperands = new Uint8Array(rows.length * 4);

/** Where a regular operand's register number comes from: which four bits of the decoder's packed registers; 4..7 are constants 0..3. */
export const RegisterSlot = { reg: 0, rm: 1, vvvv: 2, opcode: 3, constant: 4 } as const;
/** templateInfo: OpKind, RegisterSlot from SLOT_SHIFT, flags, size in bytes from SIZE_SHIFT. */
export const SLOT_SHIFT = 5;
export const BYTE_REGISTER = 1 << 9;
export const IRREGULAR = 1 << 10;
export const SIZE_SHIFT = 16;

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
    | (row.vsib === '' ? 0 : RowFlag.vsib)
    | (row.modrm.notCs ? RowFlag.notCs : 0)
    | (row.operands.some((code) => /^[CDS][yw]$/.test(code)) ? RowFlag.checked : 0)
    | (row.prefix === 'f2' || row.prefix === 'f3' ? RowFlag.mandatoryRep : 0);
}

function compileRow(row: Row): void {
  let info = flagsOf(row) | (row.operands.length << COUNT_SHIFT);
  for (const [i, code] of row.operands.entries()) {
    const t = templateOf(code);
    rowOperands[row.index * 4 + i] = t;
    const imm = templates[t]?.imm ?? 0;
    // ENTER is the one row with two immediates.
    if (imm !== 0) info |= (row.mnemonic === 'enter' ? Imm.wordAndByte : imm) << IMM_SHIFT;
  }
  rowInfo[row.index] = info;
}

/** For each dimension the set of values the row accepts, as a bit mask; `constrained`: the dimensions, as bits, where those are not all. */
interface Candidate { readonly row: number; readonly masks: readonly number[]; readonly constrained: number; readonly specificity: number; readonly widened: boolean }

const PREFIX_MASK: Readonly<Record<Row['prefix'], number>> = { any: 15, none: 1, '66': 2, f3: 4, f2: 8, 'no-rep': 3 };
const one = (value: number): number => 1 << value;
const sizeMask = (sizes: readonly number[]): number => (sizes.length === 0 ? 7 : sizes.reduce((mask, size) => mask | one(Math.log2(size) - 1), 0));

function candidateOf(row: Row, widened = false): Candidate {
  const { exact } = row.modrm;
  const reg = exact >= 0 ? (exact >> 3) & 7 : row.modrm.reg;
  const mod = exact >= 0 ? 'reg' : row.modrm.mod;
  const masks = [
    PREFIX_MASK[row.prefix],
    reg < 0 ? 255 : one(reg),
    mod === 'any' ? 3 : mod === 'mem' ? 1 : 2,
    exact < 0 ? 255 : one(exact & 7),
    row.w < 0 || widened ? 3 : one(row.w),
    row.l < 0 ? 3 : one(row.l),
    sizeMask(row.opSizes),
    sizeMask(row.addrSizes),
    row.modrm.rexB0 ? 1 : 3,
  ];
  let specificity = 0, constrained = 0;
  for (let d = 0; d < masks.length; d++) {
    const count = DIMENSIONS[d]?.count ?? 1;
    const mask = masks[d] ?? 0;
    if (mask === (1 << count) - 1) continue;
    specificity += Math.log2(count / popcount(mask));
    constrained |= 1 << d;
  }
  return { row: row.index, masks, constrained, specificity, widened };
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

/** References by the rows that compete: the eight opcodes of a `+r` row and both modes mostly share a tree. */
const grown = new Map<string, number>();

function plant(candidates: readonly Candidate[]): number {
  const [first] = candidates;
  if (first !== undefined && candidates.length === 1 && first.specificity === 0) return first.row;
  // In 32-bit code VEX.W rows may accept more: part of the key.
  const key = candidates.map((c) => (c.widened ? -c.row : c.row)).join();
  let reference = grown.get(key);
  if (reference === undefined) grown.set(key, reference = grow(candidates, 0));
  return reference;
}

function grow(candidates: readonly Candidate[], from: number): number {
  if (candidates.length === 0) return -1;
  // every process starts with this: plain loops, which take half the time of array methods before anything is optimized
  let constrained = 0;
  for (const c of candidates) constrained |= c.constrained;
  const left = constrained & -1 << from;
  if (left === 0) return mostSpecific(candidates);
  const d = 31 - Math.clz32(left & -left), { shift, count } = DIMENSIONS[d] ?? { shift: 0, count: 0 }, node = tree.length;
  tree.push(shift | ((count === 3 ? 3 : count - 1) << 8));
  for (let v = 0; v < count; v++) tree.push(-1);
  for (let v = 0; v < count; v++) {
    const accepting: Candidate[] = [];
    for (const c of candidates) if (((c.masks[d] ?? 0) >> v) & 1) accepting.push(c);
    tree[node + 1 + v] = grow(accepting, d + 1);
  }
  return -2 - node;
}

function mostSpecific(candidates: readonly Candidate[]): number {
  let best = candidates[0] as Candidate;
  if (candidates.length === 1) return best.row;
  for (const c of candidates) if (c.specificity > best.specificity) best = c;
  const rivals = candidates.filter((c) => c.specificity === best.specificity);
  if (rivals.length > 1) throw new Error(`ambiguous rows: ${rivals.map((c) => rows[c.row]?.text).join(' / ')}`);
  return best.row;
}

function compileCells(): void {
  const byCell = new Map<number, Candidate[]>();
  const withModrm = new Set<number>();
  for (const row of rows) {
    const exact = candidateOf(row);
    for (let is64 = 0; is64 < 2; is64++) {
      if (row.modes === (is64 === 1 ? 'no64' : 'only64')) continue;
      // VEX.W chooses between general register sizes only in 64-bit mode; elsewhere the W0 row covers both.
      const wIsSize = is64 === 0 && row.encoding === 'vex' && row.operands.some((code) => /^E[dq]$/.test(code));
      if (wIsSize && row.w === 1) continue;
      const candidate = wIsSize ? candidateOf(row, true) : exact;
      for (let r = 0; r < (row.opcodeRegister ? 8 : 1); r++) {
        const cell = cellOf(row, is64) + r;
        const list = byCell.get(cell);
        if (list === undefined) byCell.set(cell, [candidate]);
        else list.push(candidate);
        if (row.modrm.present) withModrm.add(cell);
      }
    }
  }
  for (const [cell, candidates] of byCell) cells[cell] = plant(candidates) * 2 + (withModrm.has(cell) ? 1 : 0);
}

for (const row of rows) compileRow(row);
compileCells();

export const nodes = Int16Array.from(tree);
export const templateSource = Uint8Array.from(templates, (t) => t.source);
export const templateFixed = Uint8Array.from(templates, (t) => t.fixed);
/** 16 entries a template: index isReg * 8 + VEX.L * 4 + operand size index. */
export const templateInfo = Int32Array.from(templates.flatMap((t) => t.sizes.map((size, column) => regularOperand(t, size, column >= 8))));

function regularOperand(t: OperandCode, size: number, isReg: boolean): number {
  const gpr = OpKind.gpr | (size === 1 ? BYTE_REGISTER : 0);
  const vector = size === 32 ? OpKind.ymm : OpKind.xmm;
  const slot = (register: number): number => register << SLOT_SHIFT;
  const sized = size << SIZE_SHIFT;
  switch (t.source) {
    case Source.rmGpr: return sized | (isReg ? gpr | slot(RegisterSlot.rm) : OpKind.mem);
    case Source.regGpr: return sized | gpr | slot(RegisterSlot.reg);
    case Source.vvvvGpr: return sized | gpr | slot(RegisterSlot.vvvv);
    case Source.opcodeGpr: return sized | gpr | slot(RegisterSlot.opcode);
    case Source.fixedGpr: return sized | gpr | slot(RegisterSlot.constant + t.fixed);
    case Source.rmXmm: return sized | (isReg ? vector | slot(RegisterSlot.rm) : OpKind.mem);
    case Source.regXmm: return sized | vector | slot(RegisterSlot.reg);
    case Source.vvvvXmm: return sized | vector | slot(RegisterSlot.vvvv);
    case Source.fixedXmm: return sized | vector | slot(RegisterSlot.constant);
    case Source.st: return sized | OpKind.st | slot(RegisterSlot.constant);
    case Source.rmMem: return sized | OpKind.mem;
    case Source.imm: return sized | OpKind.imm;
    case Source.imm2: return sized | OpKind.imm2;
    case Source.rel: return sized | OpKind.rel;
    case Source.far: return sized | OpKind.far;
    case Source.memDi: return sized | OpKind.memDi;
    default: return sized | IRREGULAR;
  }
}
