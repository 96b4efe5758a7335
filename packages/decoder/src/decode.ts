import type { Instruction } from './instruction.ts';
import { Imm, OpKind, Source } from './operand-codes.ts';
import * as tables from './tables.ts';
import { BYTE_REGISTER, COUNT_SHIFT, IMM_SHIFT, IRREGULAR, Key, MAPS, RowFlag, SIZE_SHIFT, SLOT_SHIFT } from './tables.ts';

/* @hot: no allocation; every index below is bounded by construction of the tables. */

// Constants of this module are folded into the compiled code, imported bindings are not (15 % of the speed).
const { cells, nodes, rowInfo, rowOperands, templateFixed, templateInfo, templateSource } = tables;
/** ModRM.reg, ModRM.rm, VEX.vvvv, opcode register, then the constants 0..3: see RegisterSlot. */
const registers = Uint8Array.of(0, 0, 0, 0, 0, 1, 2, 3);

/** `decode` answers: more bytes are needed than there are. */
export const NEED_MORE = 0;
/** `decode` answers: #UD. */
export const INVALID = -1;
/** `decode` answers: more than 15 bytes, #GP. */
export const TOO_LONG = -2;

const PrefixKind = { none: 0, segment: 1, operandSize: 2, addressSize: 3, lock: 4, rep: 5, rex: 6 } as const;
/** Prefix kind by byte: 256 entries for 16/32-bit code, 256 for 64-bit. */
const prefixKind = new Uint8Array(512);
const segmentOfPrefix = new Uint8Array(256);
for (const [i, byte] of [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65].entries()) {
  prefixKind[byte] = prefixKind[byte + 256] = PrefixKind.segment;
  segmentOfPrefix[byte] = i;
}
for (const table of [0, 256]) {
  prefixKind[table + 0x66] = PrefixKind.operandSize;
  prefixKind[table + 0x67] = PrefixKind.addressSize;
  prefixKind[table + 0xf0] = PrefixKind.lock;
  prefixKind[table + 0xf2] = prefixKind[table + 0xf3] = PrefixKind.rep;
}
for (let byte = 0x40; byte < 0x50; byte++) prefixKind[256 + byte] = PrefixKind.rex;

/** SDM vol 2A table 2-1: base and index of the 16-bit addressing forms. */
const base16 = Int8Array.of(3, 3, 5, 5, 6, 7, 5, 3);
const index16 = Int8Array.of(6, 7, 6, 7, -1, -1, -1, -1);
/** CR0, CR2, CR3, CR4, CR8 exist. */
const VALID_CR = 0b1_0001_1101;

/**
 * Decodes the instruction at `bytes[offset]` into `out`.
 * Returns its length, or NEED_MORE if it does not end before `limit`, INVALID, TOO_LONG. Never throws, never allocates.
 */
export function decode(bytes: Uint8Array, offset: number, limit: number, mode: 16 | 32 | 64, out: Instruction): number {
  const is64 = mode === 64;
  const end = limit - offset > 15 ? offset + 15 : limit;
  const prefixes = is64 ? 256 : 0;
  let p = offset;
  let rex = 0;
  let has66 = false;
  let has67 = false;
  let lock = false;
  let rep: 0 | 0xf2 | 0xf3 = 0;
  let segment = -1;
  let b = 0;

  out.length = 0;
  out.mode = mode;
  for (;;) {
    if (p >= end) return ranOut(offset, limit);
    b = bytes[p++]!;
    const kind = prefixKind[prefixes + b]!;
    if (kind === PrefixKind.none) break;
    if (kind === PrefixKind.rex) {
      rex = b;
      continue;
    }
    rex = 0; // REX counts only directly before the opcode
    if (kind === PrefixKind.operandSize) has66 = true;
    else if (kind === PrefixKind.rep) rep = b as 0xf2 | 0xf3;
    else if (kind === PrefixKind.lock) lock = true;
    else if (kind === PrefixKind.addressSize) has67 = true;
    else if (!is64 || segmentOfPrefix[b]! >= 4 || segment < 4) segment = segmentOfPrefix[b]!;
  }

  // Opcode map, and VEX which replaces prefixes and REX.
  let map = 0;
  let isVex = false;
  let vexL: 0 | 1 = 0;
  let vexV = 0;
  let prefixIndex = rep !== 0 ? (rep === 0xf3 ? 2 : 3) : has66 ? 1 : 0;
  if (b === 0x0f) {
    if (p >= end) return ranOut(offset, limit);
    b = bytes[p++]!;
    map = 1;
    if (b === 0x38 || b === 0x3a) {
      map = b === 0x38 ? 2 : 3;
      if (p >= end) return ranOut(offset, limit);
      b = bytes[p++]!;
    }
  } else if ((b & 0xfe) === 0xc4 || b === 0x62) {
    if (p >= end) return ranOut(offset, limit);
    let payload = bytes[p]!;
    if (is64 || payload >= 0xc0) {
      if (b === 0x62 || prefixIndex !== 0 || rex !== 0 || lock) return invalid(out, p - offset);
      isVex = true;
      rex = payload & 0x80 ? 0x40 : 0x44;
      p++;
      if (b === 0xc4) {
        map = (payload & 0x1f) + 3;
        if (map < 4 || map > 6) return invalid(out, p - offset);
        rex |= ((~payload >> 5) & 3);
        if (p >= end) return ranOut(offset, limit);
        payload = bytes[p++]!;
        if (payload & 0x80) rex |= 8;
      } else {
        map = 4;
      }
      // Outside 64-bit mode there are eight registers: R and X are 1 by encoding, B and the top bit of vvvv are ignored.
      vexV = (~payload >> 3) & 15;
      if (!is64) rex &= 0x48;
      vexL = ((payload >> 2) & 1) as 0 | 1;
      prefixIndex = (payload & 3) === 0 ? 0 : (payload & 3);
      if (p >= end) return ranOut(offset, limit);
      b = bytes[p++]!;
    }
  }

  const cell = cells[((is64 ? MAPS : 0) + map << 8) | b]!;
  let reference = cell >> 1;
  if (reference === -1) return invalid(out, p - offset);

  const rexW = rex & 8;
  let sizeIndex = is64 ? (rexW !== 0 ? 2 : has66 ? 0 : 1) : isVex ? 1 : (mode === 32) === has66 ? 0 : 1;
  const addressIndex = is64 ? (has67 ? 1 : 2) : (mode === 32) === has67 ? 0 : 1;

  let modrm = 0;
  const hasModrm = (cell & 1) !== 0;
  if (hasModrm) {
    if (p >= end) return ranOut(offset, limit);
    modrm = bytes[p++]!;
  }

  if (reference < 0) {
    const key = prefixIndex | ((modrm >> 3) & 7) << Key.reg | (modrm >= 0xc0 ? 1 << Key.mod : 0) | (modrm & 7) << Key.rm | rexW << (Key.w - 3)
      | vexL << Key.l | sizeIndex << Key.opSize | addressIndex << Key.addrSize | (rex & 1) << Key.rexB;
    do {
      const node = -2 - reference;
      const field = nodes[node]!;
      reference = nodes[node + 1 + ((key >> (field & 31)) & (field >> 8))]!;
      if (reference === -1) return invalid(out, p - offset);
    } while (reference < 0);
  }

  const flags = rowInfo[reference]!;
  if (is64 && (flags & (RowFlag.default64 | RowFlag.forced64)) !== 0) {
    sizeIndex = (flags & RowFlag.forced64) !== 0 || rexW !== 0 || !has66 ? 2 : 0;
  }
  if ((flags & RowFlag.mandatoryRep) !== 0) rep = 0;

  out.rowIndex = reference;
  out.opSize = (2 << sizeIndex) as 2 | 4 | 8;
  out.addrSize = (2 << addressIndex) as 2 | 4 | 8;
  out.lock = lock;
  out.rep = rep;
  out.has66 = has66;
  out.segOverride = segment;
  out.rex = rex === 0x40 && isVex ? 0 : rex;
  out.isVex = isVex;
  out.vexL = vexL;
  out.vexV = is64 ? vexV : vexV & 7;
  out.vexW = (isVex ? rexW >> 3 : 0) as 0 | 1;
  out.hasModrm = hasModrm;
  out.dispBytes = 0;

  let isReg = 0;
  if (hasModrm) {
    const mod = (flags & RowFlag.ignoresMod) !== 0 ? 3 : modrm >> 6;
    out.mod = mod;
    out.reg = ((modrm >> 3) & 7) | ((rex & 4) << 1);
    if (mod === 3) {
      isReg = 8;
      out.rm = (modrm & 7) | ((rex & 1) << 3);
    } else {
      p = addressIndex === 0 ? address16(bytes, p, end, mod, modrm & 7, out) : address32(bytes, p, end, mod, modrm & 7, rex, flags, is64, out);
      if (p < 0) return ranOut(offset, limit);
      out.dispOffset -= offset;
      if (segment >= 0 && (!is64 || segment >= 4)) out.seg = segment;
    }
  }

  const imm = flags >> IMM_SHIFT;
  if (imm !== Imm.none) {
    out.immOffset = p - offset;
    p = immediate(bytes, p, end, imm, sizeIndex, addressIndex, is64, out);
    if (p < 0) return ranOut(offset, limit);
    out.immBytes = p - offset - out.immOffset;
  } else {
    out.immBytes = 0;
  }

  const count = (flags >> COUNT_SHIFT) & 7;
  out.opCount = count;
  if (count !== 0) {
    const column = isReg | (vexL << 2) | sizeIndex;
    registers[0] = out.reg;
    registers[1] = out.rm;
    registers[2] = out.vexV;
    registers[3] = (b & 7) | ((rex & 1) << 3);
    const { opKind, opReg, opSizeBytes } = out;
    let i = 0;
    let at = reference << 2;
    do {
      const t = rowOperands[at++]!;
      const info = templateInfo[(t << 4) | column]!;
      const reg = registers[(info >> SLOT_SHIFT) & 7]!;
      opSizeBytes[i] = info >> SIZE_SHIFT;
      opReg[i] = reg;
      opKind[i] = info & 31;
      if ((info & (BYTE_REGISTER | IRREGULAR)) !== 0) {
        if ((info & IRREGULAR) !== 0) irregularOperand(i, t, column, out);
        else if (rex === 0 && reg >= 4) opKind[i] = OpKind.gpr8h;
      }
    } while (++i < count);
  }

  if (lock || isVex || (flags & RowFlag.checked) !== 0) {
    // An unused vvvv must be 1111b, also outside 64-bit mode where its top bit is otherwise ignored.
    if (isVex && vexV !== 0 && (flags & RowFlag.usesVvvv) === 0) return invalid(out, p - offset);
    if (!isLegal(flags, lock, isReg, out)) return invalid(out, p - offset);
  }
  return (out.length = p - offset);
}

function ranOut(offset: number, limit: number): number {
  return limit - offset >= 15 ? TOO_LONG : NEED_MORE;
}

function invalid(out: Instruction, consumed: number): number {
  out.length = consumed;
  return INVALID;
}

function irregularOperand(i: number, t: number, column: number, out: Instruction): void {
  let kind: OpKind = OpKind.none;
  let reg = 0;
  switch (templateSource[t]!) {
    case Source.rmMmx:
      kind = column < 8 ? OpKind.mem : OpKind.mmx;
      reg = out.rm & 7;
      break;
    case Source.regMmx: kind = OpKind.mmx; reg = out.reg & 7; break;
    case Source.is4Xmm:
      kind = out.opSizeBytes[i] === 32 ? OpKind.ymm : OpKind.xmm;
      reg = (out.immLo >> 4) & (out.mode === 64 ? 15 : 7);
      break;
    case Source.cr: kind = OpKind.cr; reg = out.reg; break;
    case Source.dr: kind = OpKind.dr; reg = out.reg; break;
    case Source.seg: kind = OpKind.seg; reg = out.reg & 7; break;
    case Source.fixedSeg: kind = OpKind.seg; reg = templateFixed[t]!; break;
    case Source.moffs: kind = OpKind.moffs; out.seg = dataSegment(out); break;
    case Source.memSi: kind = OpKind.memSi; out.seg = dataSegment(out); break;
    case Source.memXlat: kind = OpKind.memXlat; out.seg = dataSegment(out); break;
    case Source.memMaskmov: kind = OpKind.memMaskmov; out.seg = dataSegment(out); break;
    case Source.rmSt: kind = OpKind.st; reg = out.rm & 7; break;
    case Source.regAddr: kind = OpKind.gpr; reg = out.reg; out.opSizeBytes[i] = out.addrSize; break;
    case Source.rmAddr: kind = OpKind.gpr; reg = out.rm; out.opSizeBytes[i] = out.addrSize; break;
    default: break;
  }
  out.opKind[i] = kind;
  out.opReg[i] = reg;
}

function dataSegment(out: Instruction): number {
  return out.segOverride >= 0 && (out.mode !== 64 || out.segOverride >= 4) ? out.segOverride : 3;
}

/** The rules that no tree node checks; all give #UD. */
function isLegal(flags: number, lock: boolean, isReg: number, out: Instruction): boolean {
  if (lock && ((flags & RowFlag.lock) === 0 || isReg !== 0)) return false;
  if ((flags & RowFlag.vsib) !== 0) {
    if (out.addrSize === 2 || out.index < 0 || out.reg === out.index || out.reg === out.vexV || out.index === out.vexV) return false;
  }
  for (let i = 0; i < out.opCount; i++) {
    const kind = out.opKind[i]!;
    const reg = out.opReg[i]!;
    if (kind === OpKind.seg && (reg > 5 || (reg === 1 && (flags & RowFlag.notCs) !== 0))) return false;
    if (kind === OpKind.cr && ((VALID_CR >> reg) & 1) === 0) return false;
    if (kind === OpKind.dr && reg > 7) return false;
  }
  return true;
}

function address16(bytes: Uint8Array, at: number, end: number, mod: number, rm: number, out: Instruction): number {
  let p = at;
  out.base = base16[rm]!;
  out.index = index16[rm]!;
  out.scale = 0;
  out.ripRelative = false;
  out.rm = rm;
  out.disp = 0;
  out.seg = out.base === 5 ? 2 : 3;
  out.dispOffset = p;
  if (mod === 1) {
    if (p >= end) return -1;
    out.disp = (bytes[p++]! << 24) >> 24;
    out.dispBytes = 1;
  } else if (mod === 2 || rm === 6) {
    if (p + 2 > end) return -1;
    out.disp = ((bytes[p]! << 16) | (bytes[p + 1]! << 24)) >> 16;
    p += 2;
    out.dispBytes = 2;
    if (mod === 0) {
      out.base = -1;
      out.seg = 3;
    }
  }
  return p;
}

function address32(
  bytes: Uint8Array, at: number, end: number, mod: number, rm: number, rex: number, flags: number, is64: boolean, out: Instruction,
): number {
  let p = at;
  let base = rm | ((rex & 1) << 3);
  let index = -1;
  let scale = 0;
  let ripRelative = false;
  let disp32 = mod === 2;
  out.rm = base;
  if (rm === 4) {
    if (p >= end) return -1;
    const sib = bytes[p++]!;
    scale = sib >> 6;
    index = ((sib >> 3) & 7) | ((rex & 2) << 2);
    if (index === 4 && (flags & RowFlag.vsib) === 0) index = -1;
    base = (sib & 7) | ((rex & 1) << 3);
    if ((sib & 7) === 5 && mod === 0) {
      base = -1;
      disp32 = true;
    }
  } else {
    if (rm === 5 && mod === 0) {
      base = -1;
      disp32 = true;
      ripRelative = is64;
    }
  }
  out.base = base;
  out.index = index;
  out.scale = scale as 0 | 1 | 2 | 3;
  out.ripRelative = ripRelative;
  out.seg = base === 4 || base === 5 ? 2 : 3;
  out.dispOffset = p;
  if (disp32) {
    if (p + 4 > end) return -1;
    out.disp = bytes[p]! | (bytes[p + 1]! << 8) | (bytes[p + 2]! << 16) | (bytes[p + 3]! << 24);
    p += 4;
    out.dispBytes = 4;
  } else if (mod === 1) {
    if (p >= end) return -1;
    out.disp = (bytes[p++]! << 24) >> 24;
    out.dispBytes = 1;
  } else {
    out.disp = 0;
  }
  return p;
}

function immediate(
  bytes: Uint8Array, at: number, end: number, imm: number, sizeIndex: number, addressIndex: number, is64: boolean, out: Instruction,
): number {
  switch (imm) {
    case Imm.byte:
    case Imm.is4:
      if (at >= end) return -1;
      out.immLo = bytes[at]!;
      out.immHi = 0;
      return at + 1;
    case Imm.byteSigned:
    case Imm.relByte:
      if (at >= end) return -1;
      out.immLo = (bytes[at]! << 24) >> 24;
      out.immHi = out.immLo >> 31;
      return at + 1;
    case Imm.z:
    case Imm.relZ:
      if (sizeIndex === 0) return signedWord(bytes, at, end, out);
      return signedDword(bytes, at, end, out);
    case Imm.v:
      if (sizeIndex === 0) return signedWord(bytes, at, end, out);
      if (sizeIndex === 1) return signedDword(bytes, at, end, out);
      return qword(bytes, at, end, out);
    case Imm.one:
      out.immLo = 1;
      out.immHi = 0;
      return at;
    case Imm.word:
      return word(bytes, at, end, out);
    case Imm.moffs:
      if (addressIndex === 2) return qword(bytes, at, end, out);
      if (addressIndex === 0) return word(bytes, at, end, out);
      if (signedDword(bytes, at, end, out) < 0) return -1;
      out.immHi = 0;
      return at + 4;
    case Imm.far: {
      const p = sizeIndex === 0 ? word(bytes, at, end, out) : signedDword(bytes, at, end, out);
      if (p < 0 || p + 2 > end) return -1;
      out.immHi = 0;
      out.imm2 = bytes[p]! | (bytes[p + 1]! << 8);
      return p + 2;
    }
    case Imm.wordAndByte:
      if (at + 3 > end) return -1;
      out.imm2 = bytes[at + 2]!;
      word(bytes, at, end, out);
      return at + 3;
    default:
      return at;
  }
}

function word(bytes: Uint8Array, at: number, end: number, out: Instruction): number {
  if (at + 2 > end) return -1;
  out.immLo = bytes[at]! | (bytes[at + 1]! << 8);
  out.immHi = 0;
  return at + 2;
}

function signedWord(bytes: Uint8Array, at: number, end: number, out: Instruction): number {
  if (at + 2 > end) return -1;
  out.immLo = ((bytes[at]! << 16) | (bytes[at + 1]! << 24)) >> 16;
  out.immHi = out.immLo >> 31;
  return at + 2;
}

function signedDword(bytes: Uint8Array, at: number, end: number, out: Instruction): number {
  if (at + 4 > end) return -1;
  out.immLo = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  out.immHi = out.immLo >> 31;
  return at + 4;
}

function qword(bytes: Uint8Array, at: number, end: number, out: Instruction): number {
  if (at + 8 > end) return -1;
  out.immLo = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  out.immHi = bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 24);
  return at + 8;
}
