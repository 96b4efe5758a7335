/** Generates single-instruction cases row by row, runs them on both sides and counts what differs by family. */
import { decode, formatInstruction, Instruction, OpKind } from '@vmm/decoder';
import type { Row } from '@vmm/decoder';
import { Random } from '../random.ts';
import { Batch } from './batch.ts';
import { CODE_AT, CODE_BYTES, codeBase, SELECTORS, SLOT_BYTES, SLOT_ENTRY } from './batch-layout.ts';
import type { CodeMode } from './batch-layout.ts';
import { describeDifferences, sameOutcome } from './compare-outcomes.ts';
import { EmulatedUser } from './emulated-user.ts';
import { encodeRow } from './encode-row.ts';
import { comparableRows, familyOf } from './families.ts';
import { NativeUser, RUNNER_FROM } from './native-user.ts';
import { CaseWriter } from './prepare.ts';
import { undefinedFlags } from './undefined-flags.ts';

export interface Mismatch { readonly mnemonic: string; readonly text: string; readonly bytes: string; readonly input: readonly string[]; readonly what: readonly string[] }
export interface FamilyCount { cases: number; faults: number; skipped: number; mismatches: number }
export interface CampaignReport { readonly mode: CodeMode; readonly cases: number; readonly families: ReadonlyMap<string, FamilyCount>; readonly mismatches: readonly Mismatch[]; readonly byMnemonic: ReadonlyMap<string, number> }

export interface CampaignOptions {
  readonly mode: CodeMode;
  /** Cases altogether, spread over the rows. */
  readonly cases: number;
  readonly seed?: number;
  /** Only rows whose mnemonic matches. */
  readonly only?: RegExp;
  /** Mismatches kept with all details. Default 200. */
  readonly keep?: number;
  readonly progress?: (cases: number, mismatches: number) => void;
}

interface Meta { readonly row: Row; readonly undefined: number; readonly code: Uint8Array }

const GP = 13, PF = 14;
/** 64-bit addresses from here on may belong to the runner or its kernel. */
const HOST_64_FROM = 0x4000_0000_0000n;

/** What AMD and Intel processors do differently, or either may do as it likes. */
function isVendorSpecific(inst: Instruction, mode: CodeMode, rcx: bigint): boolean {
  const { row } = inst;
  // AMD takes 66 before a near branch in 64-bit mode for a 16-bit one
  if (mode === 64 && inst.has66 && row.size64 === 'forced64' && row.endsBlock) return true;
  // CS limits are not checked for relative jumps; 32-bit ones leave a 16-bit segment
  if (mode === 16 && inst.opSize === 4 && inst.opKind[0] === OpKind.rel) return true;
  // REP before LOOP turns it into its opposite on AMD
  if (/^loop/.test(row.mnemonic) && inst.rep !== 0) return true;
  // MOVSXD to 16 bits loads 32 on AMD
  if (row.mnemonic === 'movsxd' && inst.opSize === 2) return true;
  // AMD has no 64-bit far pointers
  if (/^l[fgs]s$/.test(row.mnemonic) && inst.opSize === 8) return true;
  // PREFETCH with a register: #UD on AMD, a no-operation on Intel
  if (row.mnemonic === 'nop' && row.opcode === 0x0d) return true;
  // SHLD and SHRD of 16 bits by more than 16 give anything
  if (row.mnemonic.startsWith('sh') && row.operands.length === 3 && row.encoding === 'legacy' && inst.opSize === 2) {
    return ((row.operands[2] === 'CL' ? Number(rcx & 0xffn) : inst.immLo) & 31) > 16;
  }
  return false;
}

/**
 * Where one instruction can fault in several ways the manuals leave open which comes first: CMPS with two bad operands, CALL to a bad target on
 * a bad stack. And a POPA that faults half-way has loaded some registers on AMD.
 */
function isOrderOfFaults(mnemonic: string, native: Batch, ours: Batch, index: number): boolean {
  const a = native.u32(index, 'vector'), b = ours.u32(index, 'vector');
  if (native.u64(index, 'rip') !== ours.u64(index, 'rip')) return false;
  if (mnemonic === 'cmps') return (a === PF || a === GP) && (b === PF || b === GP);
  if (mnemonic === 'call') return a === PF && b === GP;
  return mnemonic === 'popa' && a === PF && b === PF;
}

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
    this.#ours = new EmulatedUser(options.mode);
  }

  run(): CampaignReport {
    const { mode, cases, only } = this.#o;
    const table = comparableRows(mode).filter((row) => only?.test(row.mnemonic) ?? true);
    const batch = new Batch(mode), writer = new CaseWriter(batch, this.#random), inst = new Instruction();
    try {
      let metas: Meta[] = [], barren = 0;
      for (let n = 0; this.#cases + batch.count < cases && barren < 10 * table.length; n++) {
        const row = table[n % table.length];
        if (row === undefined) break;
        const code = encodeRow(row, mode, this.#random, inst);
        if (code === undefined) { barren++; continue; }
        barren = 0;
        const index = writer.single(code, inst);
        if (isVendorSpecific(inst, mode, batch.gpr(index, 1))) { batch.drop(); continue; }
        this.#selectors(batch, index);
        metas.push({ row, undefined: this.#undefined(inst, code, batch, index), code });
        if (batch.count === batch.capacity) {
          this.#flush(batch, metas);
          metas = [];
        }
      }
      if (batch.count > 0) this.#flush(batch, metas);
    } finally {
      this.#native.close();
    }
    return { mode, cases: this.#cases, families: this.#families, mismatches: this.#mismatches, byMnemonic: this.#byMnemonic };
  }

  #undefined(inst: Instruction, code: Uint8Array, batch: Batch, index: number): number {
    decode(code, 0, code.length, this.#o.mode, inst);
    return undefinedFlags(inst, batch.gpr(index, 1));
  }
  #selectors(batch: Batch, index: number): void { SELECTORS[this.#o.mode].forEach((selector, i) => { batch.setSegment(index, i, selector); }); }

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
    const offset = Number(ours.u64(index, 'rip')) + codeBase(this.#o.mode) - CODE_AT;
    return offset >= 0 && offset < CODE_BYTES && Math.floor(offset / SLOT_BYTES) !== index;
  }

  #judge(meta: Meta, index: number, input: Batch, native: Batch, ours: Batch): void {
    const name = familyOf(meta.row);
    let count = this.#families.get(name);
    if (count === undefined) this.#families.set(name, count = { cases: 0, faults: 0, skipped: 0, mismatches: 0 });
    count.cases++;
    if (input.u32(index, 'skip') !== 0) { count.skipped++; return; }
    if (native.u32(index, 'vector') !== GP || native.u64(index, 'rip') === input.u64(index, 'rip')) count.faults++;
    if (sameOutcome(native, ours, index, meta.undefined) || isOrderOfFaults(meta.row.mnemonic, native, ours, index)) return;
    const what = describeDifferences(native, ours, index, meta.undefined);
    count.mismatches++;
    this.#byMnemonic.set(meta.row.mnemonic, (this.#byMnemonic.get(meta.row.mnemonic) ?? 0) + 1);
    if (this.#mismatches.length >= (this.#o.keep ?? 200)) return;
    const code = input.slot(index).subarray(SLOT_ENTRY, SLOT_ENTRY + meta.code.length), inst = new Instruction();
    const address = Number(input.u64(index, 'rip'));
    decode(code, 0, code.length, this.#o.mode, inst);
    const registers = Array.from({ length: this.#o.mode === 64 ? 16 : 8 }, (_, i) => `r${i}=${input.gpr(index, i).toString(16)}`).join(' ');
    this.#mismatches.push({
      mnemonic: meta.row.mnemonic, text: formatInstruction(inst, { address }), bytes: Buffer.from(code).toString('hex'),
      input: [registers, `rip=${address.toString(16)} flags=${input.u32(index, 'flags').toString(16)}`], what,
    });
  }
}
