/** Generates single-instruction cases row by row, runs them on both sides and counts what differs by family. */
import { decode, formatInstruction, Instruction, rows, TOO_LONG } from '@vmm/decoder';
import { Random } from '../random.ts';
import { Batch } from './batch.ts';
import { BlockWriter } from './blocks.ts';
import { randomBytes } from './random-bytes.ts';
import { CODE_AT, CODE_BYTES, codeBase, FS_BASE, SELECTORS, SLOT_BYTES, slotOffset } from './batch-layout.ts';
import type { CodeMode } from './batch-layout.ts';
import { describeDifferences, sameOutcome, sameRegisters } from './compare-outcomes.ts';
import { EmulatedUser } from './emulated-user.ts';
import { encodeRow } from './encode-row.ts';
import { comparableRows, familyOf, isComparable, isFloatingPoint } from './families.ts';
import { NativeUser, RUNNER_FROM } from './native-user.ts';
import { CaseWriter } from './prepare.ts';
import { undefinedFlags } from './undefined-flags.ts';
import { isVendorSpecific } from './vendor.ts';

export interface Mismatch { readonly mnemonic: string; readonly text: string; readonly bytes: string; readonly input: readonly string[]; readonly what: readonly string[] }
export interface FamilyCount { cases: number; faults: number; skipped: number; mismatches: number }
export interface CampaignReport { readonly mode: CodeMode; readonly cases: number; readonly families: ReadonlyMap<string, FamilyCount>; readonly mismatches: readonly Mismatch[]; readonly byMnemonic: ReadonlyMap<string, number>; readonly counters: Readonly<Record<string, number>> }

export interface CampaignOptions {
  readonly mode: CodeMode;
  /** Cases altogether, spread over the rows. */
  readonly cases: number;
  readonly seed?: number;
  /** Blocks of several instructions instead of single ones. Default false. */
  readonly blocks?: boolean;
  /** Blocks that change their own code (32- and 64-bit). Default false. */
  readonly patching?: boolean;
  /** On our side run translated code, not the interpreter. Default false. */
  readonly translated?: boolean;
  /** On our side exceptions are delivered; single steps and software interrupts take part. Default false. */
  readonly delivered?: boolean;
  /** Random bytes instead of encodings of known rows: what the decoder refuses must be #UD on the host. Default false. */
  readonly bytes?: boolean;
  /** Only rows whose mnemonic matches (single instructions). */
  readonly only?: RegExp;
  /** Mismatches kept with all details. Default 200. */
  readonly keep?: number;
  readonly progress?: (cases: number, mismatches: number) => void;
}

const NEAR_TRANSFER = 'near transfer', ARITHMETIC_FLAGS = 0x8d5;
const NOTHING = 'not an instruction', TOO_LONG_NAME = 'too long';
const UD2 = rows.find((row) => row.mnemonic === 'ud2')?.index ?? 0;

interface Meta {
  readonly code: Uint8Array;
  readonly mnemonics: readonly string[];
  readonly families: readonly string[];
  /** Flags without meaning if all of the code ran, and if it ended earlier. */
  readonly undefinedAtEnd: number;
  readonly undefinedAnywhere: number;
  /** Only whether it is #UD counts. */
  readonly onlyExistence?: boolean;
}

/** INT 80H would be a system call on the host. */
const LINUX_CALL = 0x80, TF = 0x100, AC = 0x4_0000, CS = 1, RSP = 4;
const BOUND_RANGE = 5, UD = 6, NP = 11, SS = 12, GP = 13, PF = 14, ALIGNMENT = 17;
/** Faults of the access itself. */
const isAccessFault = (vector: number): boolean => vector === PF || vector === ALIGNMENT;
/** Faults of an operand in memory. */
const isOperandFault = (vector: number): boolean => isAccessFault(vector) || vector === SS || vector === GP;
/** Faults of a far transfer: of the stack, the descriptor and the target. */
const isTransferFault = (vector: number): boolean => isOperandFault(vector) || vector === NP;
/** 64-bit addresses from here on may belong to the runner or its kernel. */
const HOST_64_FROM = 0x4000_0000_0000n;

/**
 * Where one instruction can fault in several ways the manuals leave open which comes first: CMPS with two bad operands, CALL to a bad target on
 * a bad stack. And a POPA that faults half-way has loaded some registers on AMD.
 */
function isOrderOfFaults(mnemonics: readonly string[], native: Batch, ours: Batch, index: number): boolean {
  const a = native.u32(index, 'vector'), b = ours.u32(index, 'vector');
  if (native.u64(index, 'rip') !== ours.u64(index, 'rip')) return false;
  if (mnemonics.includes('cmps') && isOperandFault(a) && isOperandFault(b)) return true;
  if (mnemonics.includes('call') && (isAccessFault(a) || a === SS) && b === GP) return true;
  // AMD's second bound wraps around at 64 KiB
  if (mnemonics.includes('bound') && a === BOUND_RANGE && b === GP) return true;
  // the limit is checked for offset and selector of a far pointer together; AMD's selector wraps around at 64 KiB
  if (mnemonics.some((mnemonic) => /^(l[defgs]s|lss|jmpf)$/.test(mnemonic)) && (isAccessFault(a) || a === GP) && (b === GP || b === SS)) return true;
  // AMD reads all that RETF may pop, and stores all that CALLF pushes, before it looks at the selector
  if (mnemonics.includes('retf') && isAccessFault(a)) return true;
  // IRET: the order among a bad frame, a bad selector and a bad target
  if (mnemonics.includes('iret') && isTransferFault(a) && isTransferFault(b) && sameRegisters(native, ours, index)) return true;
  if (mnemonics.includes('callf') && (isAccessFault(a) || a === b && sameRegisters(native, ours, index))) return true;
  // with many prefixes the host counts operand bytes of what is no instruction, and finds it too long
  if (mnemonics.includes(NOTHING) && a === GP && b === UD || mnemonics.includes(TOO_LONG_NAME) && a === UD && b === GP) return true;
  return mnemonics.includes('popa') && a === PF && b === PF;
}

/** An access over the end of a 4 GiB segment is #GP or #SS; here such a segment counts as having no limit and the access wraps around. */
function isWrapAround(native: Batch, ours: Batch, index: number): boolean {
  const vector = native.u32(index, 'vector');
  if (ours.mode === 64 || (vector !== GP && vector !== SS) || !isAccessFault(ours.u32(index, 'vector')) || native.u64(index, 'rip') !== ours.u64(index, 'rip')) return false;
  const address = Number(ours.u64(index, 'address'));
  return [0, FS_BASE, 2 ** 32].some((edge) => Math.abs(address - edge) < 32);
}

/**
 * 64-bit code that ended in 32-bit code: the upper halves of the registers are undefined there (SDM vol 1 §3.4.1.1), and AMD drops RSP's at once.
 * True if nothing else differs.
 */
function isUpperHalfOfOldMode(mnemonics: readonly string[], native: Batch, ours: Batch, index: number, flags: number): boolean {
  if (native.mode !== 64 || native.segment(index, CS) === SELECTORS[64][CS]) return false;
  // far CALL pushes where what is left of RSP points
  if (mnemonics.includes('callf') && ours.gpr(index, RSP) > 0xffff_ffffn) return true;
  if (native.gpr(index, RSP) !== (ours.gpr(index, RSP) & 0xffff_ffffn)) return false;
  const narrowed = ours.copy();
  narrowed.setGpr(index, RSP, native.gpr(index, RSP));
  return sameOutcome(native, narrowed, index, flags);
}

/** Facts for bytes that are no instruction: no operands. */
function standIn(inst: Instruction): void {
  inst.opCount = 0;
  inst.rowIndex = UD2;
  inst.base = inst.index = -1;
}
/** AMD's SSE4A (EXTRQ, INSERTQ, MOVNTSS, MOVNTSD), which no Intel processor has. */
const isSse4a = (code: Uint8Array): boolean => /0f(78|79|2b)/.test(Buffer.from(code).toString('hex'));

export class Campaign {
  readonly #o: CampaignOptions;
  readonly #random: Random;
  readonly #native = new NativeUser();
  readonly #ours: EmulatedUser;
  readonly #families = new Map<string, FamilyCount>();
  readonly #mismatches: Mismatch[] = [];
  readonly #byMnemonic = new Map<string, number>();
  #cases = 0;

  constructor(options: CampaignOptions) {
    this.#o = options;
    this.#random = new Random(options.seed ?? 1);
    this.#ours = new EmulatedUser(options.mode, { writableCode: options.patching ?? false, translated: options.translated ?? false, delivered: options.delivered ?? false });
  }

  run(): CampaignReport {
    const { mode, cases } = this.#o;
    const batch = new Batch(mode);
    batch.writableCode = this.#o.patching ?? false;
    const next = this.#o.blocks === true || this.#o.patching === true ? this.#blocks(batch) : this.#o.bytes === true ? this.#bytes(batch) : this.#singles(batch);
    try {
      let metas: Meta[] = [];
      while (this.#cases + batch.count < cases) {
        const meta = next();
        if (meta === undefined) break;
        SELECTORS[mode].forEach((selector, i) => { batch.setSegment(batch.count - 1, i, selector); });
        metas.push(meta);
        if (batch.count === batch.capacity) {
          this.#flush(batch, metas);
          metas = [];
        }
      }
      if (batch.count > 0) this.#flush(batch, metas);
    } finally {
      this.#native.close();
    }
    return { mode, cases: this.#cases, families: this.#families, mismatches: this.#mismatches, byMnemonic: this.#byMnemonic, counters: this.#ours.counters };
  }

  #blocks(batch: Batch): () => Meta {
    const writer = new BlockWriter(batch, this.#random, { patching: this.#o.patching ?? false });
    return () => writer.write();
  }

  #bytes(batch: Batch): () => Meta | undefined {
    const { mode } = this.#o, writer = new CaseWriter(batch, this.#random), inst = new Instruction();
    return () => {
      for (;;) {
        const drawn = randomBytes(mode, this.#random), length = decode(drawn, 0, drawn.length, mode, inst);
        const known = length > 0 ? inst.row : undefined, code = known === undefined ? drawn : drawn.slice(0, length);
        if (known !== undefined && !isComparable(known, mode) && !isFloatingPoint(known)) continue;
        if (known === undefined) standIn(inst);
        if (known === undefined && isSse4a(code)) continue;
        const index = writer.single(code, inst), rcx = batch.gpr(index, 1);
        if (known !== undefined && isVendorSpecific(inst, mode, rcx)) { batch.drop(); continue; }
        const meaningless = known === undefined ? 0 : undefinedFlags(inst, rcx), onlyExistence = known !== undefined && isFloatingPoint(known);
        const name = known === undefined ? length === TOO_LONG ? TOO_LONG_NAME : NOTHING : onlyExistence ? 'floating point' : familyOf(known);
        return { code, mnemonics: [known?.mnemonic ?? name], families: [name], undefinedAtEnd: meaningless, undefinedAnywhere: meaningless, onlyExistence };
      }
    };
  }

  /** Row after row, each time in another encoding. */
  #singles(batch: Batch): () => Meta | undefined {
    const { mode, only } = this.#o;
    const isDelivered = this.#o.delivered ?? false, table = comparableRows(mode, isDelivered).filter((row) => only?.test(row.mnemonic) ?? true), writer = new CaseWriter(batch, this.#random), inst = new Instruction();
    let at = 0;
    return () => {
      for (let attempt = 0; attempt < 10 * table.length; attempt++) {
        const row = table[at++ % table.length];
        if (row === undefined) return undefined;
        const code = encodeRow(row, mode, this.#random, inst);
        if (code === undefined) continue;
        const index = writer.single(code, inst), rcx = batch.gpr(index, 1);
        if (isVendorSpecific(inst, mode, rcx) || row.mnemonic === 'int' && inst.immLo === LINUX_CALL) { batch.drop(); continue; }
        if (isDelivered && this.#random.below(100) < 40) batch.setU32(index, 'flags', batch.u32(index, 'flags') | TF);
        if (this.#random.below(100) < 6) batch.setU32(index, 'flags', batch.u32(index, 'flags') | AC);
        const meaningless = undefinedFlags(inst, rcx);
        return { code, mnemonics: [row.mnemonic], families: [familyOf(row)], undefinedAtEnd: meaningless, undefinedAnywhere: meaningless };
      }
      return undefined;
    };
  }

  #flush(batch: Batch, metas: readonly Meta[]): void {
    const ours = batch.copy();
    this.#ours.begin(ours);
    for (let i = 0; i < ours.count; i++) if (!this.#ours.run(ours, i) || this.#reachesRunner(ours, i) || this.#strayed(ours, i)) batch.setU32(i, 'skip', 1);
    const input = batch.copy();
    this.#native.run(batch);
    metas.forEach((meta, i) => { this.#judge(meta, i, input, batch, ours); });
    this.#cases += batch.count;
    this.#o.progress?.(this.#cases, this.#mismatches.length);
    batch.clear();
  }

  /** The host's own memory lies where nothing is for us. */
  #reachesRunner(ours: Batch, index: number): boolean {
    if (ours.u32(index, 'vector') !== PF) return false;
    const address = ours.u64(index, 'address');
    if (this.#o.mode === 64) return address >= HOST_64_FROM;
    return address >= BigInt(RUNNER_FROM);
  }

  /** Ended in the slot of another case, which did who knows what. */
  #strayed(ours: Batch, index: number): boolean {
    const base = ours.segment(index, 1) === SELECTORS[16][1] ? codeBase(16) : 0, offset = Number(ours.u64(index, 'rip')) + base - CODE_AT;
    return offset >= 0 && offset < CODE_BYTES && (offset < slotOffset(index) || offset >= slotOffset(index) + SLOT_BYTES);
  }

  #judge(meta: Meta, index: number, input: Batch, native: Batch, ours: Batch): void {
    const counts = meta.families.map((name) => this.#family(name)), isSkipped = input.u32(index, 'skip') !== 0, start = input.u64(index, 'rip');
    const after = native.u64(index, 'rip') - start, ranThrough = native.u32(index, 'vector') === GP && after >= BigInt(meta.code.length);
    const faulted = native.u32(index, 'vector') !== GP || after === 0n;
    for (const count of counts) {
      count.cases++;
      if (isSkipped) count.skipped++;
      else if (faulted) count.faults++;
    }
    if (isSkipped) return;
    // a transfer into the bytes of its own instruction runs others, whose flags nobody has looked up
    const isInside = meta.mnemonics.length === 1 && meta.families.includes(NEAR_TRANSFER) && after > 0n && after < BigInt(SLOT_BYTES) && after !== BigInt(meta.code.length);
    const meaningless = (ranThrough ? meta.undefinedAtEnd : meta.undefinedAnywhere) | (isInside ? ARITHMETIC_FLAGS : 0);
    if (meta.onlyExistence === true && (native.u32(index, 'vector') === UD) === (ours.u32(index, 'vector') === UD)) return;
    if (sameOutcome(native, ours, index, meaningless) || isOrderOfFaults([...meta.mnemonics, ...this.#middleOf(meta.code, Number(after))], native, ours, index) || isWrapAround(native, ours, index) || isUpperHalfOfOldMode(meta.mnemonics, native, ours, index, meaningless)) return;
    for (const count of counts) count.mismatches++;
    for (const mnemonic of meta.mnemonics) this.#byMnemonic.set(mnemonic, (this.#byMnemonic.get(mnemonic) ?? 0) + 1);
    if (this.#mismatches.length >= (this.#o.keep ?? 200)) return;
    const code = input.entry(index).subarray(0, meta.code.length);
    const registers = Array.from({ length: this.#o.mode === 64 ? 16 : 8 }, (_, i) => `r${i}=${input.gpr(index, i).toString(16)}`).join(' ');
    this.#mismatches.push({
      mnemonic: meta.mnemonics.length === 1 ? meta.mnemonics[0] ?? '' : 'block', text: this.#listing(code, Number(start)), bytes: Buffer.from(code).toString('hex'),
      input: [registers, `rip=${start.toString(16)} flags=${input.u32(index, 'flags').toString(16)}`], what: describeDifferences(native, ours, index, meaningless),
    });
  }
  /** A jump into its own code ends at another instruction: its name. */
  #middleOf(code: Uint8Array, at: number): string[] {
    const inst = new Instruction();
    return at > 0 && at < code.length && decode(code, at, code.length, this.#o.mode, inst) > 0 ? [inst.row.mnemonic] : [];
  }
  #family(name: string): FamilyCount {
    let count = this.#families.get(name);
    if (count === undefined) this.#families.set(name, count = { cases: 0, faults: 0, skipped: 0, mismatches: 0 });
    return count;
  }
  #listing(code: Uint8Array, address: number): string {
    const lines: string[] = [], inst = new Instruction();
    for (let at = 0; at < code.length;) {
      const length = decode(code, at, code.length, this.#o.mode, inst);
      if (length <= 0) { lines.push('(undecodable)'); break; }
      lines.push((code.length > 15 ? `${(address + at).toString(16)}  ` : '') + formatInstruction(inst, { address: address + at }));
      at += length;
    }
    return lines.join('\n');
  }
}
