import { Imm, Source, type Row } from '@vmm/decoder';
import { LineError } from './errors.ts';
import { fits, operandCode, sizeOf, variesWithOpSize, writtenCodes, type MemoryValue, type Value } from './match.ts';
import type { Meaning } from './mnemonics.ts';

export interface EncodeContext {
  readonly mode: 16 | 32 | 64;
  /** Address of the first byte of the line, before its prefixes. */
  readonly address: bigint;
  /** Prefix bytes written by the user (lock, rep). */
  readonly prefixes: readonly number[];
  /** From o16..o64, a16..a64; 0 if none. */
  readonly opSize: number;
  readonly addrSize: number;
}

interface Choice { readonly row: Row; readonly opSize: number; readonly vexL: 0 | 1 }

/** Instructions whose two operands mean the same either way round. */
const COMMUTATIVE = new Set(['test', 'xchg']);

/** Every encoding of an instruction that fits its operands, shortest first (ties: table order). Throws if there is none. */
export function encodings(meaning: Meaning, values: readonly Value[], context: EncodeContext): number[][] {
  const found: { bytes: number[]; order: number }[] = [];
  let refusal: LineError | undefined;
  const isCommutative = values.length === 2 && COMMUTATIVE.has(meaning.rows[0]?.mnemonic ?? '');
  for (const operands of isCommutative ? [values, values.toReversed()] : [values]) {
    for (const choice of choicesOf(meaning, operands, context)) {
      try {
        found.push({ bytes: new Encoder(choice, meaning, operands, context).encode(), order: found.length + (choice.row.alias ? 1000 : 0) });
      } catch (error) {
        if (!(error instanceof LineError)) throw error;
        refusal ??= error;
      }
    }
  }
  if (found.length === 0) throw refusal ?? mismatch(meaning, values, context);
  return found.sort((a, b) => a.bytes.length - b.bytes.length || a.order - b.order).map((f) => f.bytes);
}

function choicesOf(meaning: Meaning, values: readonly Value[], context: EncodeContext): Choice[] {
  const choices: Choice[] = [];
  const memorySizes = new Set<number>();
  for (const row of meaning.rows) {
    if (row.modes === (context.mode === 64 ? 'no64' : 'only64')) continue;
    const written = meaning.implied ? [] : writtenCodes(row);
    const count = matchingCount(row, written, values);
    if (count < 0) continue;
    const pinned = meaning.opSize !== 0 || context.opSize !== 0 || values.some((value, i) => pins(value, written[i] ?? ''));
    for (const opSize of opSizesOf(row, context.mode, pinned, meaning.opSize || context.opSize)) {
      for (const vexL of row.encoding === 'vex' ? (row.l < 0 ? [0, 1] as const : [row.l as 0 | 1]) : [0] as const) {
        if (!values.every((value, i) => fits(value, written[i] ?? '', { mode: context.mode, opSize, vexL, row }))) continue;
        choices.push({ row, opSize, vexL });
        noteMemorySize(memorySizes, row, written, values, opSize, vexL, context.mode, pinned);
      }
    }
  }
  if (memorySizes.size > 1) {
    throw new LineError(`operation size not specified: ${[...memorySizes].sort((a, b) => a - b).join(', ')} bytes are possible`, 'write byte, word, dword or qword before the address');
  }
  return choices;
}

/** -1 if the number of operands does not fit. XMM0 of the blends may be left out. */
function matchingCount(row: Row, written: readonly string[], values: readonly Value[]): number {
  if (written.length === values.length) return written.length;
  return written.length === values.length + 1 && written.at(-1) === 'XMM0' ? values.length : -1;
}

/** An operand of known size whose code varies with the operand size fixes it. */
function pins(value: Value, text: string): boolean {
  if (text === '') return false;
  const code = operandCode(text);
  if (value.kind === 'register') return variesWithOpSize(code, true);
  if (value.kind === 'far') return value.sizeBytes !== 0;
  return value.sizeBytes !== 0 && (code.source === Source.rel || variesWithOpSize(code, false));
}

/** An unsized memory operand is ambiguous if several sizes match; stack and branch instructions have a natural size. */
function noteMemorySize(
  sizes: Set<number>, row: Row, written: readonly string[], values: readonly Value[], opSize: number, vexL: number, mode: number, pinned: boolean,
): void {
  for (const [i, value] of values.entries()) {
    if (value.kind !== 'memory' || value.sizeBytes !== 0) continue;
    const code = operandCode(written[i] ?? '');
    const general = code.source === Source.rmGpr || code.source === Source.rmMem;
    if (!general && code.source !== Source.memSi && code.source !== Source.memDi) continue;
    const size = sizeOf(code, false, opSize, vexL);
    if (size === 0) continue;
    sizes.add(size);
    const natural = row.size64 !== 'normal' || code.source === Source.rmMem || row.mnemonic === 'nop' || /^(call|jmp)/.test(row.mnemonic);
    if (!pinned && !natural && variesWithOpSize(code, false)) for (const other of [2, 4, ...(mode === 64 ? [8] : [])]) sizes.add(sizeOf(code, false, other, vexL));
  }
}

function opSizesOf(row: Row, mode: 16 | 32 | 64, pinned: boolean, wanted: number): number[] {
  let sizes: number[];
  if (row.encoding === 'vex') sizes = mode !== 64 ? [4] : row.w < 0 ? [4, 8] : [row.w === 1 ? 8 : 4];
  else if (mode === 64) sizes = row.size64 === 'forced64' ? [8] : row.size64 === 'default64' ? [8, 2] : row.w === 1 ? [8] : [4, 8, 2];
  else sizes = mode === 32 ? [4, 2] : [2, 4];
  const natural = sizes[0] ?? 4;
  if (row.w === 1 && mode !== 64 && row.encoding === 'legacy') return [];
  if (row.w === 0) sizes = sizes.filter((size) => size !== 8);
  // Rows with a mandatory prefix of none or 66 cannot say the operand size with 66.
  if (row.prefix === 'none' || row.prefix === '66') sizes = sizes.filter((size) => size === natural || size === 8);
  if (row.opSizes.length > 0) return sizes.filter((size) => row.opSizes.includes(size) && (wanted === 0 || size === wanted));
  const exact = sizes.filter((size) => size === wanted);
  // wrssd in 16-bit code: the row has that size without a prefix.
  if (wanted !== 0) return exact.length > 0 || wanted === 8 || row.prefix === 'any' ? exact : sizes;
  return pinned ? sizes : [natural];
}

function mismatch(meaning: Meaning, values: readonly Value[], context: EncodeContext): LineError {
  const { mode } = context;
  const usable = meaning.rows.filter((row) => row.modes !== (mode === 64 ? 'no64' : 'only64'));
  if (usable.length === 0) return new LineError(`not valid in ${mode}-bit code`);
  const widths = values.flatMap((v) => (v.kind === 'register' && v.register.kind === 'gpr' ? [v.register.sizeBytes] : []));
  if (new Set(widths).size > 1) return new LineError(`operand sizes differ: ${widths.join(' and ')} bytes`, forms(usable));
  return new LineError('no form of the instruction takes these operands', forms(usable));
}

function forms(usable: readonly Row[]): string {
  const texts = [...new Set(usable.map((row) => `${row.mnemonic} ${writtenCodes(row).join(', ')}`.trim()))];
  return `forms: ${texts.slice(0, 6).join(' | ')}${texts.length > 6 ? ' | …' : ''}`;
}

const SEGMENT_PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
const MANDATORY: Readonly<Record<Row['prefix'], readonly number[]>> = { any: [], none: [], 'no-rep': [], '66': [0x66], f3: [0xf3], f2: [0xf2] };
const MAP_BYTES: Readonly<Record<Row['map'], readonly number[]>> = { '': [], '0f': [0x0f], '0f38': [0x0f, 0x38], '0f3a': [0x0f, 0x3a] };

/** Encodes one choice. */
class Encoder {
  readonly #row: Row;
  readonly #choice: Choice;
  readonly #meaning: Meaning;
  readonly #values: readonly Value[];
  readonly #context: EncodeContext;
  #reg = 0;
  #rm = 0;
  #memory: MemoryValue | undefined;
  #opcodeRegister = 0;
  #vvvv = 0;
  #hasReg = false;
  #needsRex = false;
  #forbidsRex = false;
  #segment = -1;
  #addrSize: number;
  #immediate: number[] = [];
  /** Target address of a relative branch or RIP-relative operand, and where its four (two, one) bytes stand. */
  #branch: { target: bigint; bytes: number } | undefined;

  constructor(choice: Choice, meaning: Meaning, values: readonly Value[], context: EncodeContext) {
    this.#choice = choice;
    this.#row = choice.row;
    this.#meaning = meaning;
    this.#values = values;
    this.#context = context;
    this.#addrSize = context.addrSize || (context.mode === 64 ? 8 : context.mode === 32 ? 4 : 2);
  }

  encode(): number[] {
    const written = this.#meaning.implied ? [] : writtenCodes(this.#row);
    for (const [i, value] of this.#values.entries()) this.#place(value, written[i] ?? '');
    const tail = this.#modrmBytes();
    const head = this.#headBytes();
    const length = head.length + tail.bytes.length + this.#immediate.length + (this.#branch?.bytes ?? 0);
    const end = this.#context.address + BigInt(this.#context.prefixes.length + this.#meaning.before.length + length);
    if (tail.relativeAt >= 0) writeLe(tail.bytes, tail.relativeAt, this.#relativeTo(tail.target, end, 4), 4);
    const bytes = [...this.#meaning.before, ...this.#context.prefixes, ...head, ...tail.bytes, ...this.#immediate];
    if (this.#branch !== undefined) {
      const at = bytes.length;
      writeLe(bytes, at, this.#relativeTo(this.#branch.target, end, this.#branch.bytes), this.#branch.bytes);
    }
    return bytes;
  }

  #place(value: Value, text: string): void {
    const code = operandCode(text);
    if (value.kind === 'memory') {
      this.#placeMemory(value, code.source);
      return;
    }
    if (value.kind === 'register') {
      this.#placeRegister(value.register.number, value.register.kind === 'gpr8h', value.register.sizeBytes, code.source);
      return;
    }
    if (value.kind === 'far') {
      writeLe(this.#immediate, 0, value.offset, this.#choice.opSize);
      writeLe(this.#immediate, this.#choice.opSize, value.selector, 2);
      return;
    }
    if (code.source === Source.rel) this.#branch = { target: value.value, bytes: code.imm === Imm.relByte ? 1 : this.#choice.opSize === 2 ? 2 : 4 };
    else if (code.imm !== Imm.one) writeLe(this.#immediate, this.#immediate.length, value.value, this.#immediateBytes(code.imm));
  }

  #immediateBytes(imm: number): number {
    switch (imm) {
      case Imm.word: return 2;
      case Imm.z: return this.#choice.opSize === 2 ? 2 : 4;
      case Imm.v: return this.#choice.opSize;
      default: return 1;
    }
  }

  #placeRegister(number: number, high: boolean, sizeBytes: number, source: Source): void {
    if (high) this.#forbidsRex = true;
    else if (sizeBytes === 1 && number >= 4 && number < 8) this.#needsRex = true;
    switch (source) {
      case Source.rmGpr: case Source.rmXmm: case Source.rmMmx: case Source.rmSt: this.#rm = number; break;
      case Source.regGpr: case Source.regXmm: case Source.regMmx: case Source.cr: case Source.dr: case Source.seg:
        this.#reg = number;
        this.#hasReg = true;
        break;
      case Source.regAddr: this.#reg = number; this.#hasReg = true; this.#addrSize = sizeBytes; break;
      case Source.rmAddr: this.#rm = number; this.#addrSize = sizeBytes; break;
      case Source.vvvvGpr: case Source.vvvvXmm: this.#vvvv = number; break;
      case Source.is4Xmm: this.#immediate.push(number << 4); break;
      case Source.opcodeGpr: this.#opcodeRegister = number; break;
      default: break;
    }
  }

  #placeMemory(value: MemoryValue, source: Source): void {
    const registers = [value.base, value.index].filter((r) => r?.kind === 'gpr');
    const sizes = new Set(registers.map((r) => r?.sizeBytes));
    if (sizes.size > 1) throw new LineError('base and index register differ in size');
    const size = registers[0]?.sizeBytes;
    if (size !== undefined) this.#addrSize = size;
    else if (this.#context.mode === 16 && this.#context.addrSize === 0 && value.displacement > 0xffffn) this.#addrSize = 4;
    if (size === 1 || (this.#context.mode === 64 ? this.#addrSize === 2 : this.#addrSize === 8)) {
      throw new LineError(`${this.#addrSize * 8}-bit addresses do not exist in ${this.#context.mode}-bit code`);
    }
    const isDestinationString = source === Source.memDi;
    const defaultSegment = source === Source.memSi || value.base === undefined || source === Source.memXlat || source === Source.memMaskmov ? 3
      : value.base.number === 5 || (value.base.number === 4 && value.base.sizeBytes > 2) ? 2 : 3;
    if (!isDestinationString && value.segment >= 0 && value.segment !== defaultSegment) this.#segment = value.segment;
    if (source === Source.moffs) {
      if (this.#addrSize < 8 && !within(value.displacement, this.#addrSize * 8)) throw new LineError('address out of range');
      writeLe(this.#immediate, 0, value.displacement, this.#addrSize);
    } else if (source === Source.rmGpr || source === Source.rmXmm || source === Source.rmMmx || source === Source.rmMem) {
      this.#memory = value;
    }
  }

  /** Legacy prefixes, REX or VEX, opcode. */
  #headBytes(): number[] {
    const row = this.#row;
    const { mode } = this.#context;
    const natural = mode === 64 ? 8 : mode === 32 ? 4 : 2;
    if (row.addrSizes.length > 0) this.#addrSize = row.addrSizes[0] ?? this.#addrSize;
    if (mode === 64 ? this.#addrSize === 2 : this.#addrSize === 8) throw new LineError(`not valid in ${mode}-bit code`);
    const bytes: number[] = [];
    if (this.#segment >= 0) bytes.push(SEGMENT_PREFIXES[this.#segment] ?? 0);
    if (this.#addrSize !== natural) bytes.push(0x67);
    const w = this.#wBit();
    const r = this.#reg >> 3;
    const x = (this.#memory?.index?.number ?? 0) >> 3;
    const b = (this.#memory === undefined ? this.#rm | this.#opcodeRegister : this.#memory.base?.number ?? 0) >> 3;
    if (row.encoding === 'vex') {
      bytes.push(...this.#vexBytes(w, r, x, b), row.opcode);
      return bytes;
    }
    if (this.#needsOperandSizePrefix()) bytes.push(0x66);
    bytes.push(...MANDATORY[row.prefix]);
    const rex = (w << 3) | (r << 2) | (x << 1) | b;
    if (rex !== 0 || this.#needsRex) {
      if (mode !== 64) throw new LineError('needs a register that exists in 64-bit code only');
      if (this.#forbidsRex) throw new LineError('ah, bh, ch and dh cannot be used together with a REX prefix', 'use the low byte of another register');
      bytes.push(0x40 | rex);
    }
    bytes.push(...MAP_BYTES[row.map], row.opcode | (row.opcodeRegister ? this.#opcodeRegister & 7 : 0));
    return bytes;
  }

  #wBit(): number {
    const row = this.#row;
    if (row.w >= 0) return row.w;
    if (row.encoding === 'vex') return this.#choice.opSize === 8 && this.#context.mode === 64 ? 1 : 0;
    return this.#choice.opSize === 8 && row.size64 === 'normal' ? 1 : 0;
  }

  #needsOperandSizePrefix(): boolean {
    const { mode } = this.#context;
    const { opSize } = this.#choice;
    if (this.#row.prefix === '66' || this.#row.prefix === 'none') return false;
    if (mode === 16) return opSize === 4;
    return opSize === 2;
  }

  #vexBytes(w: number, r: number, x: number, b: number): number[] {
    const pp = { any: 0, none: 0, 'no-rep': 0, '66': 1, f3: 2, f2: 3 }[this.#row.prefix];
    const low = ((~this.#vvvv & 15) << 3) | (this.#choice.vexL << 2) | pp;
    if (this.#row.map === '0f' && w === 0 && x === 0 && b === 0) return [0xc5, ((r ^ 1) << 7) | low];
    const map = { '': 0, '0f': 1, '0f38': 2, '0f3a': 3 }[this.#row.map];
    return [0xc4, ((r ^ 1) << 7) | ((x ^ 1) << 6) | ((b ^ 1) << 5) | map, (w << 7) | low];
  }

  #modrmBytes(): { bytes: number[]; relativeAt: number; target: bigint } {
    const { modrm } = this.#row;
    const none = { bytes: [] as number[], relativeAt: -1, target: 0n };
    if (!modrm.present) return none;
    if (modrm.exact >= 0) return { ...none, bytes: [modrm.exact] };
    const reg = this.#hasReg ? this.#reg & 7 : Math.max(modrm.reg, 0);
    if (this.#memory === undefined) return { ...none, bytes: [0xc0 | (reg << 3) | (this.#rm & 7)] };
    return this.#addrSize === 2 ? { ...none, bytes: address16(this.#memory, reg) } : address32(this.#memory, reg, this.#addrSize, this.#context.mode);
  }

  #relativeTo(target: bigint, end: bigint, sizeBytes: number): bigint {
    const { mode } = this.#context;
    const width = mode === 64 ? 64 : this.#choice.opSize * 8;
    const distance = BigInt.asIntN(width, target - end);
    const bits = sizeBytes * 8;
    if (BigInt.asIntN(bits, distance) !== distance) throw new LineError(`target is ${distance} bytes away, out of range`, sizeBytes === 1 ? 'leave out "short", or use a jump around' : 'load the address into a register');
    return distance;
  }
}

const within = (value: bigint, bits: number): boolean => value >= -(1n << BigInt(bits - 1)) && value < 1n << BigInt(bits);

function writeLe(bytes: number[], at: number, value: bigint, sizeBytes: number): void {
  for (let i = 0; i < sizeBytes; i++) bytes[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
}

const PAIRS_16: Readonly<Record<string, number>> = { '3,6': 0, '3,7': 1, '5,6': 2, '5,7': 3, '6,': 4, '7,': 5, '5,': 6, '3,': 7 };

function address16(m: MemoryValue, reg: number): number[] {
  const disp = BigInt.asIntN(16, m.displacement);
  if (!within(m.displacement, 16)) throw new LineError(`displacement ${m.displacement} does not fit 16 bits`);
  const out: number[] = [];
  if (m.base === undefined && m.index === undefined) {
    out.push((reg << 3) | 6);
    writeLe(out, 1, disp, 2);
    return out;
  }
  const rm = PAIRS_16[`${m.base?.number ?? ''},${m.index?.number ?? ''}`];
  if (rm === undefined || m.scale !== 1) throw new LineError('not a 16-bit address', '16-bit addresses are [bx|bp] + [si|di] + displacement');
  const mod = disp === 0n && rm !== 6 ? 0 : BigInt.asIntN(8, disp) === disp ? 1 : 2;
  out.push((mod << 6) | (reg << 3) | rm);
  writeLe(out, 1, disp, mod);
  return out;
}

function address32(m: MemoryValue, reg: number, addrSize: number, mode: 16 | 32 | 64): { bytes: number[]; relativeAt: number; target: bigint } {
  const bits = addrSize * 8;
  const disp = BigInt.asIntN(bits, m.displacement);
  if (m.relative !== 'no') {
    if (mode !== 64) throw new LineError('RIP-relative addresses exist in 64-bit code only');
    const bytes = [(reg << 3) | 5, 0, 0, 0, 0];
    if (m.relative === 'address') return { bytes, relativeAt: 1, target: m.displacement };
    writeLe(bytes, 1, disp, 4);
    return { bytes, relativeAt: -1, target: 0n };
  }
  if (!within(m.displacement, bits) || BigInt.asIntN(32, disp) !== disp) {
    throw new LineError(`displacement 0x${m.displacement.toString(16)} does not fit 32 bits, sign-extended`, 'load the address into a register, or use movabs with rax, or [rel …]');
  }
  return { bytes: sibBytes(m, reg, disp, mode), relativeAt: -1, target: 0n };
}

function sibBytes(m: MemoryValue, reg: number, disp: bigint, mode: 16 | 32 | 64): number[] {
  const base = m.base?.number ?? -1;
  const index = m.index?.number ?? -1;
  if (m.index?.kind === 'gpr' && index === 4) throw new LineError('the stack pointer cannot be an index register');
  const out: number[] = [];
  if (base < 0) {
    // Without a base: disp32. In 64-bit code a plain disp32 means RIP-relative, so absolute addresses need a SIB byte.
    if (index < 0 && mode !== 64) out.push((reg << 3) | 5);
    else out.push((reg << 3) | 4, (Math.log2(m.scale) << 6) | ((index < 0 ? 4 : index & 7) << 3) | 5);
    writeLe(out, out.length, disp, 4);
    return out;
  }
  const mod = disp === 0n && (base & 7) !== 5 ? 0 : BigInt.asIntN(8, disp) === disp ? 1 : 2;
  const needsSib = index >= 0 || (base & 7) === 4;
  out.push((mod << 6) | (reg << 3) | (needsSib ? 4 : base & 7));
  if (needsSib) out.push((Math.log2(m.scale) << 6) | ((index < 0 ? 4 : index & 7) << 3) | (base & 7));
  writeLe(out, out.length, disp, mod === 2 ? 4 : mod);
  return out;
}
