import type { Instruction } from './instruction.ts';
import { Imm, OpKind, Source } from './operand-codes.ts';
import * as tables from './tables.ts';
import { BYTE_REGISTER, COUNT_SHIFT, IMM_SHIFT, IRREGULAR, Key, MAPS, RowFlag, SIZE_SHIFT, SLOT_SHIFT } from './tables.ts';

/* @hot: no allocation; every index below is bounded by construction of the tables. */

// Constants of this module are folded into the compiled code, imported bindings are not (15 % of the speed).
const { cells, nodes, rowInfo, rowOperands, templateFixed, templateInfo, templateSource } = tables;

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

/** From here on to the limit no read of `decode` can reach it: 14 prefixes, then the longest instruction, and 4 bytes read ahead. */
const SAFE_BYTES = 48;
const MAX_LENGTH = 15;
/** Copy of the last bytes before the limit, zeros behind. */
const tail = new Uint8Array(SAFE_BYTES);

/**
 * Decodes the instruction at `bytes[offset]` into `out`.
 * Returns its length, or NEED_MORE if it does not end before `limit`, INVALID, TOO_LONG. Never throws, never allocates.
 */
export function decode(bytes: Uint8Array, offset: number, limit: number, mode: 16 | 32 | 64, out: Instruction): number {
  if (limit - offset < SAFE_BYTES) return decodeTail(bytes, offset, limit, mode, out);
  const is64 = mode === 64;
  const prefixes = is64 ? 256 : 0;
  let p = offset + 1;
  let rex = 0;
  let has66 = false;
  let has67 = false;
  let lock = false;
  let rep: 0 | 0xf2 | 0xf3 = 0;
  let segment = -1;
  let b = bytes[offset]!;

  for (let kind = prefixKind[prefixes + b]!; kind !== PrefixKind.none; kind = prefixKind[prefixes + b]!) {
    if (kind === PrefixKind.rex) {
      rex = b;
    } else {
      rex = 0; // REX counts only directly before the opcode
      if (kind === PrefixKind.operandSize) has66 = true;
      else if (kind === PrefixKind.rep) rep = b as 0xf2 | 0xf3;
      else if (kind === PrefixKind.lock) lock = true;
      else if (kind === PrefixKind.addressSize) has67 = true;
      else if (!is64 || segmentOfPrefix[b]! >= 4 || segment < 4) segment = segmentOfPrefix[b]!;
    }
    if (p - offset >= MAX_LENGTH) return tooLong(out);
    b = bytes[p++]!;
  }

  // Opcode map, and VEX which replaces prefixes and REX.
  let map = 0;
  let isVex = false;
  let vexL: 0 | 1 = 0;
  let vexV = 0;
  let prefixIndex = rep !== 0 ? (rep === 0xf3 ? 2 : 3) : has66 ? 1 : 0;
  if (b === 0x0f) {
    b = bytes[p++]!;
    map = 1;
    if (b === 0x38 || b === 0x3a) {
      map = b === 0x38 ? 2 : 3;
      b = bytes[p++]!;
    }
  } else if ((b & 0xfe) === 0xc4 || b === 0x62) {
    let payload = bytes[p]!;
    if (is64 || payload >= 0xc0) {
      p++;
      if (b === 0x62 || prefixIndex !== 0 || rex !== 0 || lock) return invalid(out, p - offset);
      isVex = true;
      rex = payload & 0x80 ? 0x40 : 0x44;
      map = 4;
      if (b === 0xc4) {
        map = (payload & 0x1f) + 3;
        if (map < 4 || map > 6) return invalid(out, p - offset);
        rex |= ((~payload >> 5) & 3);
        payload = bytes[p++]!;
        if (payload & 0x80) rex |= 8;
      }
      // Outside 64-bit mode there are eight registers: R and X are 1 by encoding, B and the top bit of vvvv are ignored.
      vexV = (~payload >> 3) & 15;
      if (!is64) rex &= 0x48;
      vexL = ((payload >> 2) & 1) as 0 | 1;
      prefixIndex = payload & 3;
      b = bytes[p++]!;
    }
  }

  const cell = cells[((is64 ? MAPS : 0) + map << 8) | b]!;
  let reference = cell >> 1;
  if (reference === -1) return invalid(out, p - offset);

  const rexW = rex & 8;
  let sizeIndex = is64 ? (rexW !== 0 ? 2 : has66 ? 0 : 1) : isVex ? 1 : (mode === 32) === has66 ? 0 : 1;
  const addressIndex = is64 ? (has67 ? 1 : 2) : (mode === 32) === has67 ? 0 : 1;

  // Read ahead, used or not.
  const modrm = bytes[p]!;
  const hasModrm = (cell & 1) !== 0;
  p += cell & 1;

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
  out.mode = mode;
  out.opSize = (2 << sizeIndex) as 2 | 4 | 8;
  out.addrSize = (2 << addressIndex) as 2 | 4 | 8;
  out.lock = lock;
  out.rep = rep;
  out.has66 = has66;
  out.segOverride = segment;
  out.seg = dataSegment(out);
  out.rex = rex === 0x40 && isVex ? 0 : rex;
  if (isVex || out.isVex) {
    out.isVex = isVex;
    out.vexL = vexL;
    out.vexV = is64 ? vexV : vexV & 7;
    out.vexW = (isVex ? rexW >> 3 : 0) as 0 | 1;
  }
  out.hasModrm = hasModrm;

  let isReg = 0;
  let dispBytes = 0;
  if (hasModrm) {
    const mod = (flags & RowFlag.ignoresMod) !== 0 ? 3 : modrm >> 6;
    out.mod = mod;
    out.reg = ((modrm >> 3) & 7) | ((rex & 4) << 1);
    if (mod === 3) {
      isReg = 8;
      out.rm = (modrm & 7) | ((rex & 1) << 3);
    } else {
      if (addressIndex === 0) {
        dispBytes = registers16(mod, modrm & 7, out);
      } else {
        let base = (modrm & 7) | ((rex & 1) << 3);
        let index = -1;
        let scale = 0;
        let sibBase = modrm & 7;
        out.rm = base;
        if (sibBase === 4) {
          const sib = bytes[p++]!;
          scale = sib >> 6;
          index = ((sib >> 3) & 7) | ((rex & 2) << 2);
          if (index === 4 && (flags & RowFlag.vsib) === 0) index = -1;
          sibBase = sib & 7;
          base = sibBase | ((rex & 1) << 3);
        }
        out.ripRelative = false;
        dispBytes = dispBytesByMod[mod]!;
        if (mod === 0 && sibBase === 5) {
          base = -1;
          dispBytes = 4;
          out.ripRelative = is64 && (modrm & 7) === 5;
        }
        out.base = base;
        out.index = index;
        out.scale = scale as 0 | 1 | 2 | 3;
        out.seg = base === 4 || base === 5 ? 2 : 3;
      }
      if (segment >= 0 && (!is64 || segment >= 4)) out.seg = segment;
      // Four bytes are read, the ones that count are kept: cheaper than branching on their number.
      const shift = dispShift[dispBytes]!;
      const raw = bytes[p]! | (bytes[p + 1]! << 8) | (bytes[p + 2]! << 16) | (bytes[p + 3]! << 24);
      out.disp = dispBytes === 0 ? 0 : (raw << shift) >> shift;
      out.dispOffset = p - offset;
      p += dispBytes;
    }
  }
  out.dispBytes = dispBytes;

  const imm = flags >> IMM_SHIFT;
  if (imm !== Imm.none) {
    const form = immForms[imm << 2 | sizeIndex]!;
    const immBytes = form & 7;
    out.immOffset = p - offset;
    if ((form & RARE_IMM) === 0) {
      const shift = dispShift[immBytes]!;
      const raw = bytes[p]! | (bytes[p + 1]! << 8) | (bytes[p + 2]! << 16) | (bytes[p + 3]! << 24);
      const value = (form & SIGNED_IMM) !== 0 ? (raw << shift) >> shift : (raw << shift) >>> shift;
      out.immLo = value | 0;
      out.immHi = value >> 31;
      p += immBytes;
    } else {
      p = rareImmediate(bytes, p, imm, sizeIndex, addressIndex, out);
    }
    out.immBytes = p - offset - out.immOffset;
  } else {
    out.immBytes = 0;
  }

  const count = (flags >> COUNT_SHIFT) & 7;
  out.opCount = count;
  if (count !== 0) {
    const column = isReg | (vexL << 2) | sizeIndex;
    // ModRM.reg, ModRM.rm, VEX.vvvv, opcode register, then the constants 0..3: see RegisterSlot.
    const packed = out.reg | out.rm << 4 | out.vexV << 8 | ((b & 7) | ((rex & 1) << 3)) << 12 | 0x32100000;
    const { opKind, opReg, opSizeBytes } = out;
    let i = 0;
    let at = reference << 2;
    do {
      const t = rowOperands[at++]!;
      const info = templateInfo[(t << 4) | column]!;
      const reg = (packed >>> ((info >> (SLOT_SHIFT - 2)) & 28)) & 15;
      opSizeBytes[i] = info >> SIZE_SHIFT;
      opReg[i] = reg;
      opKind[i] = info & 31;
      if ((info & (BYTE_REGISTER | IRREGULAR)) !== 0) {
        if ((info & IRREGULAR) !== 0) irregularOperand(i, t, column, out);
        else if (rex === 0 && reg >= 4) opKind[i] = OpKind.gpr8h;
      }
    } while (++i < count);
  }

  const length = p - offset;
  if (lock || isVex || (flags & RowFlag.checked) !== 0) {
    // An unused vvvv must be 1111b, also outside 64-bit mode where its top bit is otherwise ignored.
    if (isVex && vexV !== 0 && (flags & RowFlag.usesVvvv) === 0) return invalid(out, length);
    if (!isLegal(flags, lock, isReg, out)) return invalid(out, length);
  }
  if (length > MAX_LENGTH) return tooLong(out);
  return (out.length = length);
}

function decodeTail(bytes: Uint8Array, offset: number, limit: number, mode: 16 | 32 | 64, out: Instruction): number {
  const available = limit - offset;
  tail.fill(0);
  for (let i = 0; i < available; i++) tail[i] = bytes[offset + i]!;
  const length = decode(tail, 0, SAFE_BYTES, mode, out);
  const isShort = length === TOO_LONG ? available < MAX_LENGTH : (length === INVALID ? out.length : length) > available;
  if (!isShort) return length;
  out.length = 0;
  return NEED_MORE;
}

function tooLong(out: Instruction): number {
  out.length = 0;
  return TOO_LONG;
}

function invalid(out: Instruction, consumed: number): number {
  if (consumed > MAX_LENGTH) return tooLong(out);
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

/** Bytes of displacement by mod, 32- and 64-bit addresses. */
const dispBytesByMod = Uint8Array.of(0, 1, 4, 0);
/** How far to shift a dword left and right again to keep its low bytes. */
const dispShift = Uint8Array.of(0, 24, 16, 8, 0);

const SIGNED_IMM = 8;
const RARE_IMM = 16;
/** Immediates of up to four bytes: count and sign by kind * 4 + operand size index. */
const immForms = new Uint8Array(16 * 4).fill(RARE_IMM);
for (let size = 0; size < 3; size++) {
  const dword = (size === 0 ? 2 : 4) | SIGNED_IMM;
  immForms[Imm.byte << 2 | size] = immForms[Imm.is4 << 2 | size] = 1;
  immForms[Imm.byteSigned << 2 | size] = immForms[Imm.relByte << 2 | size] = 1 | SIGNED_IMM;
  immForms[Imm.word << 2 | size] = 2;
  immForms[Imm.z << 2 | size] = immForms[Imm.relZ << 2 | size] = dword;
  if (size < 2) immForms[Imm.v << 2 | size] = dword;
}

/** Registers of the 16-bit forms; returns the bytes of displacement. */
function registers16(mod: number, rm: number, out: Instruction): number {
  const isAbsolute = mod === 0 && rm === 6;
  out.base = isAbsolute ? -1 : base16[rm]!;
  out.index = index16[rm]!;
  out.scale = 0;
  out.ripRelative = false;
  out.rm = rm;
  out.seg = out.base === 5 ? 2 : 3;
  return isAbsolute ? 2 : mod;
}

function rareImmediate(bytes: Uint8Array, at: number, imm: number, sizeIndex: number, addressIndex: number, out: Instruction): number {
  const lo = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  out.immLo = lo;
  out.immHi = 0;
  switch (imm) {
    case Imm.one:
      out.immLo = 1;
      return at;
    case Imm.moffs:
      if (addressIndex === 0) out.immLo = lo & 0xffff;
      if (addressIndex === 2) out.immHi = highDword(bytes, at);
      return at + (2 << addressIndex);
    case Imm.far: {
      if (sizeIndex === 0) out.immLo = lo & 0xffff;
      const selector = at + (sizeIndex === 0 ? 2 : 4);
      out.imm2 = bytes[selector]! | (bytes[selector + 1]! << 8);
      return selector + 2;
    }
    case Imm.wordAndByte:
      out.immLo = lo & 0xffff;
      out.imm2 = bytes[at + 2]!;
      return at + 3;
    default:
      out.immHi = highDword(bytes, at);
      return at + 8;
  }
}

function highDword(bytes: Uint8Array, at: number): number {
  return bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 24);
}
