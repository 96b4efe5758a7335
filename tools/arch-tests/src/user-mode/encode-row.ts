/** Random encodings of a decoder row: prefixes, REX, addressing forms, immediates. */
import { decode } from '@vmm/decoder';
import type { Instruction, Row } from '@vmm/decoder';
import type { Random } from '../random.ts';
import type { CodeMode } from './batch-layout.ts';

const SEGMENT_PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65] as const;
const MANDATORY: Readonly<Record<string, number>> = { 66: 0x66, f3: 0xf3, f2: 0xf2 };
const MAP_BYTES: Readonly<Record<Row['map'], readonly number[]>> = { '': [], '0f': [0x0f], '0f38': [0x0f, 0x38], '0f3a': [0x0f, 0x3a] };
const PP: Readonly<Record<string, number>> = { 66: 1, f3: 2, f2: 3 };
const VEX_MAP: Readonly<Record<string, number>> = { '0f': 1, '0f38': 2, '0f3a': 3 };
const ATTEMPTS = 60, LONGEST = 15;

const chance = (random: Random, percent: number): boolean => random.below(100) < percent;

function legacyPrefixes(row: Row, mode: CodeMode, random: Random): number[] {
  const list: number[] = [], mandatory = MANDATORY[row.prefix];
  if (mandatory !== undefined) list.push(mandatory);
  if (mandatory !== 0x66 && chance(random, row.opSizes.length > 0 ? 50 : 22)) list.push(0x66);
  if (chance(random, row.addrSizes.length > 0 ? 40 : 10)) list.push(0x67);
  // FS and GS more often than those that mean nothing in 64-bit mode
  if (chance(random, 14)) list.push(random.pick(SEGMENT_PREFIXES.slice(mode === 64 && chance(random, 80) ? 4 : 0)));
  if (mandatory === undefined || mandatory === 0x66) {
    if (row.repeatable ? chance(random, 60) : chance(random, 2)) list.push(random.pick([0xf2, 0xf3]));
    if (row.lockable ? chance(random, 15) : chance(random, 1)) list.push(0xf0);
  }
  if (chance(random, 1)) list.push(random.pick(SEGMENT_PREFIXES), random.pick([0x66, 0x67]));
  for (let i = list.length - 1; i > 0; i--) {
    const k = random.below(i + 1);
    [list[i], list[k]] = [list[k] as number, list[i] as number];
  }
  return list;
}

function addressing(row: Row, random: Random): number[] {
  const { modrm } = row;
  if (!modrm.present) return [];
  if (modrm.exact >= 0) return [modrm.exact];
  const isRegister = modrm.mod === 'reg' || modrm.mod === 'any' && chance(random, 40);
  const mod = isRegister ? 3 : random.below(3), reg = modrm.reg >= 0 ? modrm.reg : random.below(8), rm = chance(random, 30) ? 4 : random.below(8);
  return [mod << 6 | reg << 3 | rm, ...(isRegister ? [] : [random.below(256)])];
}

/** Immediate and displacement bytes: small, at the edges, any. */
function tail(random: Random): number[] {
  const style = random.below(6), fill = style === 0 ? 0 : style === 1 ? 0xff : -1;
  return Array.from({ length: 14 }, (_, i) => (i < 2 && style !== 5 || fill < 0 ? random.below(256) : fill));
}

function vexPrefix(row: Row, mode: CodeMode, random: Random): number[] {
  const unused = !row.operands.some((code) => code.startsWith('B') || code.startsWith('H')) && !chance(random, 2);
  const v = unused ? 15 : random.below(16), pp = PP[row.prefix] ?? 0, l = chance(random, 2) ? 1 : 0, w = row.w >= 0 ? row.w : random.below(2);
  const r = mode === 64 ? random.below(2) : 1, x = mode === 64 ? random.below(2) : 1, b = mode === 64 ? random.below(2) : 1;
  const last = v << 3 | l << 2 | pp;
  if (row.map === '0f' && w === 0 && x === 1 && b === 1 && chance(random, 50)) return [0xc5, r << 7 | last];
  return [0xc4, r << 7 | x << 6 | b << 5 | (VEX_MAP[row.map] ?? 1), w << 7 | last];
}

function draft(row: Row, mode: CodeMode, random: Random): number[] {
  const opcode = row.opcode + (row.opcodeRegister ? random.below(8) : 0);
  const rest = [...addressing(row, random), ...tail(random)];
  if (row.encoding === 'vex') {
    const prefixes = chance(random, 10) ? [random.pick([0x67, 0x64, 0x65])] : [];
    return [...prefixes, ...vexPrefix(row, mode, random), opcode, ...rest];
  }
  const rex = mode === 64 && chance(random, 60) ? [0x40 | random.below(16)] : [];
  return [...legacyPrefixes(row, mode, random), ...rex, ...MAP_BYTES[row.map], opcode, ...rest];
}

/** Bytes that decode to `row`, decoded into `inst` as well; undefined if this mode has no such encoding. Sometimes longer than 15 bytes or illegal by LOCK. */
export function encodeRow(row: Row, mode: CodeMode, random: Random, inst: Instruction): Uint8Array | undefined {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const bytes = Uint8Array.from(draft(row, mode, random));
    const length = decode(bytes, 0, Math.min(bytes.length, LONGEST), mode, inst);
    if (length > 0 && inst.rowIndex === row.index) return bytes.slice(0, length);
  }
  return undefined;
}
