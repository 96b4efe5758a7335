import { decode, formatInstruction, Instruction, rows, type Row } from '@vmm/decoder';
import { describe, expect, it } from 'vitest';
import { assemble } from './index.ts';

type Mode = 16 | 32 | 64;
const MANDATORY: Readonly<Record<Row['prefix'], readonly number[]>> = { any: [], none: [], 'no-rep': [], '66': [0x66], f3: [0xf3], f2: [0xf2] };
const PP: Readonly<Record<Row['prefix'], number>> = { any: 0, none: 0, 'no-rep': 0, '66': 1, f3: 2, f2: 3 };
const MAPS: readonly string[] = ['', '0f', '0f38', '0f3a'];
const TAIL = [0x34, 0x12, 0x05, 0x00, 0x78, 0x56, 0x34, 0x12, 0x21, 0x43, 0x65, 0x07, 0, 0, 0, 0];

function addressings(row: Row, mode: Mode): number[][] {
  if (!row.modrm.present) return [[]];
  if (row.modrm.exact >= 0) return [[row.modrm.exact]];
  return row.modrm.reg >= 0 ? forms(row, mode, row.modrm.reg << 3) : [...forms(row, mode, 3 << 3), ...forms(row, mode, 5 << 3)];
}

/** ModRM and what follows: registers, and memory with and without SIB and displacement. */
function forms(row: Row, mode: Mode, reg: number): number[][] {
  const vector = row.vsib !== '';
  const made: number[][] = vector || row.modrm.mod === 'reg' ? [] : [[reg | 1], [0x40 | reg | 7, 0x10], [0x80 | reg | 3, ...TAIL.slice(4, 8)]];
  if (mode !== 16 && row.modrm.mod !== 'reg') made.push([0x44 | reg, 0x8b | (vector ? 0x30 : 0), 0xf0]);
  if (row.modrm.mod !== 'mem') made.push([0xc0 | reg | 2]);
  return made;
}

function heads(row: Row, mode: Mode): number[][] {
  const map = MAPS.indexOf(row.map);
  if (row.encoding === 'vex') {
    const w = row.w < 0 ? [0, 1] : [row.w];
    const l = row.l < 0 ? [0, 1] : [row.l];
    const uses = row.operands.some((code) => /^[BH]/.test(code) && code !== 'BD');
    return w.flatMap((wBit) => l.map((lBit) => [0xc4, 0xe0 | map, (wBit << 7) | ((uses ? 10 : 15) << 3) | (lBit << 2) | PP[row.prefix], row.opcode]));
  }
  const opcode = [...(row.map === '' ? [] : row.map === '0f' ? [0x0f] : [0x0f, parseInt(row.map.slice(2), 16)]), row.opcode | (row.opcodeRegister ? 3 : 0)];
  const plain = [...MANDATORY[row.prefix], ...opcode];
  const variants = [plain, [0x66, ...plain]];
  if (row.addrSizes.length > 0) variants.push([0x67, ...plain]);
  if (mode === 64) variants.push([...MANDATORY[row.prefix], 0x48, ...opcode], [...MANDATORY[row.prefix], 0x4d, ...opcode]);
  return variants;
}

const inst = new Instruction();

/** Text that says less than the bytes: several encodings share it on purpose. */
function isLossy(row: Row): boolean {
  return /^(ud0|ud1)$/.test(row.mnemonic);
}

/** What is wrong with the way back, or nothing. */
function wayBack(text: string, expected: string, mode: Mode): string | undefined {
  let bytes: Uint8Array;
  try {
    ({ bytes } = assemble(text, { bits: mode, org: 0x1000 }));
  } catch (error) {
    return `does not assemble: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (decode(bytes, 0, bytes.length, mode, inst) !== bytes.length) return 'does not decode';
  const again = formatInstruction(inst, { address: 0x1000 });
  return normal(again) === normal(expected) ? undefined : `comes back as "${again}"`;
}

const problems: string[] = [];

function check(bytes: readonly number[], row: Row, mode: Mode): string | undefined {
  const length = decode(Uint8Array.from([...bytes, ...TAIL]), 0, bytes.length + TAIL.length, mode, inst);
  if (length <= 0 || inst.row !== row || inst.length > 15) return undefined;
  const text = formatInstruction(inst, { address: 0x1000 });
  const { opSize } = inst;
  const plain = wayBack(text, text, mode);
  // Operand sizes that the text does not show (`push imm` with 66) are said with o16, o32, o64.
  if (plain !== undefined) {
    const sized = wayBack(`o${opSize * 8} ${text}`, text, mode);
    if (sized !== undefined) problems.push(`${mode}: ${row.text}: "${text}" ${plain}`);
  }
  return text;
}

/** The assembler drops displacements of zero and useless scales. */
const normal = (text: string): string => text.replace('+0x0]', ']').replace('*1', '').replace(/^(mov [d-gs]s, )[er](..)$/, '$1$2');

/** REX.W forms and sizes the mode does not have; gathers need 32-bit addresses. */
const UNREACHABLE: Readonly<Record<Mode, RegExp>> = { 64: /a16 : /, 32: /^(?!vex).* w1 |o64 : |a64 : /, 16: /^(?!vex).* w1 |o64 : |a64 : |gather/ };

describe('assembling what the decoder printed', () => {
  it.each([16, 32, 64] as const)('gives the same instruction for every row of %i-bit code', (mode) => {
    const missed: string[] = [];
    let forms = 0;
    problems.length = 0;
    for (const row of rows) {
      if (row.modes === (mode === 64 ? 'no64' : 'only64') || isLossy(row)) continue;
      const texts = heads(row, mode).flatMap((head) => addressings(row, mode).map((rest) => check([...head, ...rest], row, mode)));
      const made = texts.filter((text) => text !== undefined).length;
      forms += made;
      if (made === 0) missed.push(row.text);
    }
    expect(problems.join("\n")).toBe("");
    // Rows that the mode cannot reach: REX.W forms, 64-bit operand or address sizes.
    expect(missed.filter((text) => !UNREACHABLE[mode].test(text)).join("\n")).toBe("");
    expect(forms).toBeGreaterThan(3000);
  });
});
