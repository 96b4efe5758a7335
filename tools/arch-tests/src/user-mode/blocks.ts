/** Random blocks: several instructions with forward jumps, whose memory operands mostly stay in the window. */
import { Instruction, OpKind } from '@vmm/decoder';
import type { Row } from '@vmm/decoder';
import type { Random } from '../random.ts';
import type { Batch } from './batch.ts';
import { codeAddress, codeBase, LONGEST_CODE, segmentBase, WINDOW_AT, WINDOW_BYTES } from './batch-layout.ts';
import { encodeRow } from './encode-row.ts';
import { comparableRows, familyOf } from './families.ts';
import { randomValue } from './prepare.ts';
import { shiftUndefined } from './undefined-flags.ts';
import { isVendorSpecific } from './vendor.ts';

const RCX = 1, RSP = 4;
/** RBX RSP RBP RSI RDI point into the window at first, and are seldom overwritten. */
const POINTERS = new Set([3, 4, 5, 6, 7]);
/** Ends the block early too often, or makes TF or AC appear. */
const UNWANTED = new Set('callf jmpf retf iret popf enter bound in out ins outs lss lds les lfs lgs ret popa hlt'.split(' '));
const UNWANTED_FAMILIES = new Set(['privileged', 'undefined', 'segment load']);
const SHIFTS = /^(rol|ror|rcl|rcr|shl|shr|sar|shld|shrd)$/;
const DATA_NEAR = 1500n;
const MASK32 = 0xffff_ffffn;

export interface Block {
  readonly index: number;
  readonly code: Uint8Array;
  readonly mnemonics: readonly string[];
  readonly families: readonly string[];
  /** Flags without meaning after the last instruction, and after any. */
  readonly undefinedAtEnd: number;
  readonly undefinedAnywhere: number;
}
interface Patch { readonly at: number; readonly end: number; readonly after: number }
interface Jump { readonly immAt: number; readonly immBytes: number; readonly end: number; readonly to: number; readonly taint: number }

export class BlockWriter {
  readonly #batch: Batch;
  readonly #random: Random;
  readonly #rows: readonly Row[];
  readonly #inst = new Instruction();
  readonly #patching: boolean;
  /** Roughly what pointer registers hold, as offsets in the data segment. */
  readonly #near = new Map<number, bigint>();

  /** `patching`: instructions that change the immediates of later ones. */
  constructor(batch: Batch, random: Random, options: { readonly patching?: boolean } = {}) {
    this.#patching = options.patching ?? false;
    this.#batch = batch;
    this.#random = random;
    this.#rows = comparableRows(batch.mode).filter((row) => !UNWANTED.has(row.mnemonic) && !UNWANTED_FAMILIES.has(familyOf(row)) && !row.operands.some((code) => code === 'Sw'));
  }

  write(): Block {
    const { mode } = this.#batch, random = this.#random;
    const registers = Array.from({ length: 16 }, () => randomValue(random));
    this.#near.clear();
    const middle = BigInt(WINDOW_AT + WINDOW_BYTES / 2 - segmentBase(mode, 3));
    for (const pointer of POINTERS) {
      const value = middle + BigInt(random.below(65) - 32 & -8);
      const upper = mode === 16 && random.below(2) === 0 ? (registers[pointer] ?? 0n) & 0xffff_0000n : 0n;
      registers[pointer] = value | upper;
      this.#near.set(pointer, value);
    }
    if (random.below(100) < 60) registers[RCX] = BigInt(random.below(40));
    const bytes: number[] = [], starts: number[] = [], jumps: Jump[] = [], mnemonics: string[] = [], families: string[] = [];
    const wanted = 2 + random.below(19);
    const patches: Patch[] = [], immediates: number[] = [];
    let taint = 0, anywhere = 0;
    const taintAt = (position: number): number => jumps.reduce((all, jump) => (jump.to === position ? all | jump.taint : all), 0);
    while (starts.length < wanted) {
      taint |= taintAt(starts.length);
      if (this.#patching && random.below(100) < 20 && bytes.length < LONGEST_CODE - 30) {
        // mov byte ptr [address], imm8: the address comes later
        starts.push(bytes.length);
        immediates.push(-1);
        bytes.push(0xc6, 0x05, 0, 0, 0, 0, random.below(256));
        patches.push({ at: bytes.length - 5, end: bytes.length, after: starts.length });
        mnemonics.push('mov');
        families.push('patch');
        continue;
      }
      const code = this.#next(taint, LONGEST_CODE - bytes.length, BigInt(codeAddress(this.#batch.count) + bytes.length - codeBase(mode)));
      if (code === undefined) break;
      const inst = this.#inst, { row } = inst;
      const start = bytes.length;
      starts.push(start);
      bytes.push(...code);
      immediates.push(inst.immBytes > 0 && inst.opKind[0] !== OpKind.rel && !/^(enter|mov)$/.test(row.mnemonic) && !SHIFTS.test(row.mnemonic) ? start + inst.immOffset : -1);
      taint = this.#taintAfter(taint);
      anywhere |= taint;
      if (inst.opKind[0] === OpKind.rel) jumps.push({ immAt: start + inst.immOffset, immBytes: inst.immBytes, end: bytes.length, to: starts.length + random.below(4), taint });
      mnemonics.push(row.mnemonic);
      families.push(familyOf(row));
      if (row.mnemonic === 'jmp' || row.mnemonic === 'call') taint = 0;
    }
    for (const jump of jumps) {
      const distance = (starts[jump.to] ?? bytes.length) - jump.end;
      for (let i = 0; i < jump.immBytes; i++) bytes[jump.immAt + i] = distance >> Math.min(8 * i, 31) & 0xff;
      if (jump.to >= starts.length) taint |= jump.taint;
    }
    const slot = codeAddress(this.#batch.count);
    for (const { at, end, after } of patches) {
      const choices = immediates.slice(after).filter((offset) => offset >= 0);
      const target = choices.length > 0 ? slot + random.pick(choices) : WINDOW_AT + random.below(WINDOW_BYTES);
      const displacement = mode === 64 ? target - (slot + end) : target;
      for (let i = 0; i < 4; i++) bytes[at + i] = displacement >> 8 * i & 0xff;
    }
    const code = Uint8Array.from(bytes), index = this.#batch.add(code);
    this.#store(index, registers);
    return { index, code, mnemonics, families, undefinedAtEnd: taint, undefinedAnywhere: anywhere | taint };
  }

  #next(taint: number, room: number, rip: bigint): Uint8Array | undefined {
    const { mode } = this.#batch, random = this.#random, inst = this.#inst;
    if (room < 15) return undefined;
    for (let attempt = 0; attempt < 400; attempt++) {
      const code = encodeRow(random.pick(this.#rows), mode, random, inst);
      if (code === undefined || !this.#isAcceptable(taint)) continue;
      if (!this.#aim(code, rip) && random.below(100) < 98) continue;
      this.#forget();
      return code;
    }
    return undefined;
  }

  #isAcceptable(taint: number): boolean {
    const inst = this.#inst, { row } = inst, { mode } = this.#batch, random = this.#random;
    if ((row.flags.read & taint) !== 0 || isVendorSpecific(inst, mode, 17n)) return false;
    if (inst.opKind[0] === OpKind.rel && inst.opSize !== mode / 8) return false;
    if ((row.mnemonic === 'jmp' || row.mnemonic === 'call') && inst.opKind[0] !== OpKind.rel) return false;
    if (/^i?div$/.test(row.mnemonic) && random.below(100) < 90) return false;
    if (row.mnemonic.startsWith('bt') && inst.opKind[0] === OpKind.mem && inst.opKind[1] === OpKind.gpr && random.below(100) < 90) return false;
    if (inst.lock && (inst.opKind[0] !== OpKind.mem || !row.lockable)) return false;
    for (let i = 0; i < inst.opCount; i++) {
      const isWritten = row.access[i] === 'w' || row.access[i] === 'rw';
      if (inst.opKind[i] === OpKind.gpr && isWritten && POINTERS.has(inst.opReg[i] ?? 0) && random.below(100) < 92) return false;
    }
    return true;
  }

  /** Directs the explicit memory operand into the data; false if it goes elsewhere. */
  #aim(code: Uint8Array, rip: bigint): boolean {
    const inst = this.#inst;
    let size = -1;
    for (let i = 0; i < inst.opCount; i++) if (inst.opKind[i] === OpKind.mem || inst.opKind[i] === OpKind.moffs) size = inst.opSizeBytes[i] ?? 0;
    if (size < 0) return true;
    const { mode } = this.#batch, random = this.#random;
    const target = BigInt(WINDOW_AT + 16 + random.below(WINDOW_BYTES - 32) - segmentBase(mode, inst.seg));
    if (inst.opKind.subarray(0, inst.opCount).includes(OpKind.moffs)) { patch(code, inst.immOffset, inst.immBytes, target); return true; }
    const base = inst.base < 0 ? 0n : this.#near.get(inst.base), index = inst.index < 0 ? 0n : this.#near.get(inst.index);
    if (base === undefined || index === undefined) return false;
    const rest = base + index * (1n << BigInt(inst.scale)) + (inst.ripRelative ? rip + BigInt(code.length) : 0n);
    if (inst.dispBytes >= 2) { patch(code, inst.dispOffset, inst.dispBytes, target - rest); return true; }
    const away = rest + BigInt(inst.disp) - target;
    return away > -DATA_NEAR && away < DATA_NEAR;
  }

  /** Registers that this instruction overwrites point nowhere known any more. */
  #forget(): void {
    const inst = this.#inst, { row } = inst;
    for (let i = 0; i < inst.opCount; i++) {
      const register = inst.opReg[i] ?? 0, isWritten = row.access[i] === 'w' || row.access[i] === 'rw';
      if (isWritten && (inst.opKind[i] === OpKind.gpr || inst.opKind[i] === OpKind.gpr8h)) this.#near.delete(inst.opKind[i] === OpKind.gpr8h ? register - 4 : register);
    }
    if (row.mnemonic === 'leave') {
      const frame = this.#near.get(5);
      if (frame === undefined) this.#near.delete(RSP);
      else this.#near.set(RSP, frame);
      this.#near.delete(5);
    }
    if (row.mnemonic.startsWith('cmpxchg8') || row.mnemonic.startsWith('cmpxchg16')) this.#near.delete(0);
  }

  #taintAfter(taint: number): number {
    const inst = this.#inst, { row } = inst, { flags, mnemonic } = row;
    if (SHIFTS.test(mnemonic)) {
      const last = inst.opCount - 1;
      if (inst.opKind[last] !== OpKind.imm) return taint | flags.undefined | (mnemonic.startsWith('r') ? 0 : 0x11);
      const size = inst.opSizeBytes[0] ?? 4, count = inst.immLo & (size === 8 ? 63 : 31);
      return count === 0 ? taint : taint & ~(flags.modified | flags.undefined) | shiftUndefined(mnemonic, size, count);
    }
    if (row.repeatable && inst.rep !== 0) return taint;
    return taint & ~(flags.modified | flags.set | flags.cleared) | flags.undefined;
  }

  #store(index: number, registers: readonly bigint[]): void {
    const { mode } = this.#batch, random = this.#random;
    registers.forEach((value, i) => { this.#batch.setGpr(index, i, mode === 64 ? value : i < 8 ? value & MASK32 : 0n); });
    this.#batch.setU64(index, 'rip', BigInt(codeAddress(index) - codeBase(mode)));
    this.#batch.setU32(index, 'flags', 0x202 | random.next() & 0x8d5 | (random.below(8) === 0 ? 0x400 : 0));
    const window = this.#batch.window(index);
    if (random.below(2) === 0) random.fill(window);
  }
}

function patch(code: Uint8Array, at: number, bytes: number, value: bigint): void {
  for (let i = 0; i < bytes; i++) code[at + i] = Number(value >> BigInt(8 * i) & 0xffn);
}
