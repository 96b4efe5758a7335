/** Register and memory contents that make an instruction do something: addresses that hit the data, operands at the edges. */
import { OpKind } from '@vmm/decoder';
import type { Instruction } from '@vmm/decoder';
import type { Random } from '../random.ts';
import type { Batch } from './batch.ts';
import { CODE_AT, codeAddress, codeBase, DATA_AT, PAGE, segmentBase, SELECTORS, WINDOW_AT, WINDOW_BYTES } from './batch-layout.ts';
import type { CodeMode } from './batch-layout.ts';

const RAX = 0, RCX = 1, RDX = 2, RBX = 3, RSP = 4, RBP = 5, RSI = 6, RDI = 7, SS = 2, ES = 0;
const ALL = (1n << 64n) - 1n;
const EDGES: readonly bigint[] = [0n, 1n, 2n, 3n, 7n, 8n, 0xfn, 0x10n, 0x1fn, 0x20n, 0x3fn, 0x40n, 0x7fn, 0x80n, 0x81n, 0xffn, 0x100n, 0x7fffn, 0x8000n, 0xffffn, 0x1_0000n,
  0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 0x1_0000_0000n, 0x7fff_ffff_ffff_ffffn, 0x8000_0000_0000_0000n, ALL, ALL - 1n, 0xffff_ffff_8000_0000n, 0xffff_ffff_0000_0000n,
  0xaaaa_aaaa_aaaa_aaaan, 0x5555_5555_5555_5555n, 0x8080_8080_8080_8080n, 0x0f0f_0f0f_0f0f_0f0fn, 0x99_9999n];
const STACK_USERS = new Set('callf retf iret push pop call ret pushf popf pusha popa enter leave'.split(' '));
/** Null, Linux's user segments, our LDT, one that lies beyond it, a kernel segment. */
const SELECTOR_CHOICES = [0, 1, 2, 3, 0x2b, 0x23, 0x33, 0x07, 0x0f, 0x17, 0x1f, 0x2f, 0x18, 0x2a, 0xfff8] as const;
/** Where far transfers mostly go: 32- and 64-bit code, and 16-bit code outside 64-bit mode. */
const CODE_SELECTORS = [0x23, 0x33, 0x0f] as const, CODE16_SELECTOR = 0x0f;
/** Arithmetic flags, IF, DF and IOPL: not TF, NT, AC; not ID either, which the host's sigreturn keeps. */
const POPF_BITS = 0x3ed7n;
const ARITHMETIC = 0x8d5;

export function randomValue(random: Random): bigint {
  const style = random.below(8);
  if (style < 3) return random.pick(EDGES);
  if (style === 3) return random.pick(EDGES) + BigInt(random.below(5) - 2) & ALL;
  if (style === 4) return BigInt(random.below(256));
  if (style === 5) return random.next64() >> BigInt(random.below(64));
  return random.next64();
}

/** A linear address for an access of `size` bytes: mostly in the window, often across its page border, sometimes where it must fault. */
export function pickTarget(random: Random, size: number): number {
  const style = random.below(100), bytes = Math.max(size, 1);
  if (style < 66) return WINDOW_AT + random.below(WINDOW_BYTES - Math.min(bytes, WINDOW_BYTES - 1));
  if (style < 76) return WINDOW_AT + (random.below(WINDOW_BYTES - Math.min(bytes, WINDOW_BYTES - 1)) & -16);
  if (style < 90) return DATA_AT + PAGE - random.below(bytes + 1);
  if (style < 94) return DATA_AT + 2 * PAGE - random.below(bytes + 1);
  if (style < 98) return DATA_AT + 3 * PAGE - random.below(bytes + 1);
  return DATA_AT - random.below(bytes + 1);
}

export class CaseWriter {
  readonly registers: bigint[] = Array.from({ length: 16 }, () => 0n);
  readonly #mode: CodeMode;
  readonly #random: Random;
  readonly #batch: Batch;
  #index = 0;
  #code: Uint8Array = new Uint8Array(0);
  #inst!: Instruction;
  /** Linear address of the explicit memory operand, -1 without. */
  #target = -1;

  constructor(batch: Batch, random: Random) {
    this.#batch = batch;
    this.#random = random;
    this.#mode = batch.mode;
  }

  /** Adds a case for one decoded instruction; displacements and immediates in `code` may be changed to make it hit something. */
  single(code: Uint8Array, inst: Instruction): number {
    this.#code = code;
    this.#inst = inst;
    this.#index = this.#batch.add(code);
    this.#fillRegisters();
    this.#values();
    this.#explicitMemory();
    this.#implicitMemory();
    this.#transfers();
    this.#memoryValues();
    this.#farTransfers();
    this.#batch.entry(this.#index).set(code);
    this.#store();
    return this.#index;
  }

  /** Offset of the code in its segment. */
  get #rip(): number { return codeAddress(this.#index) - codeBase(this.#mode); }

  #chance(percent: number): boolean { return this.#random.below(100) < percent; }
  #fillRegisters(): void {
    const { registers } = this;
    for (let i = 0; i < 16; i++) registers[i] = i > 0 && this.#chance(12) ? registers[this.#random.below(i)] ?? 0n : randomValue(this.#random);
    this.#point(RSP, SS, pickTarget(this.#random, 8) & -8, this.#mode === 16 ? 2 : this.#mode / 8);
  }

  /** Operands that random values would seldom make interesting. */
  #values(): void {
    const { registers } = this, { mnemonic } = this.#inst.row;
    if (/^(sh|sa|ro|rc)/.test(mnemonic) && this.#chance(60)) registers[RCX] = BigInt(this.#random.below(70));
    if (/^i?div$/.test(mnemonic) && this.#chance(75)) {
      const negative = mnemonic === 'idiv' && this.#chance(40);
      registers[RDX] = negative ? ALL : this.#chance(60) ? 0n : BigInt(this.#random.below(64));
      if (this.#inst.opSizeBytes[0] === 1 && this.#chance(80)) registers[RAX] = (registers[RAX] ?? 0n) & ~0xff00n | (negative ? 0xff00n : BigInt(this.#random.below(4) << 8));
      if (this.#inst.opSize === 8 && this.#chance(30)) registers[RDX] = randomValue(this.#random) & 0xffff_ffffn;
    }
    if (/^(loop|j.?cxz)/.test(mnemonic)) registers[RCX] = this.#chance(70) ? BigInt(this.#random.below(3)) | (this.#chance(30) ? 0x1_0000_0000n : 0n) : randomValue(this.#random);
    if (mnemonic.startsWith('bt') && this.#inst.opKind[1] === OpKind.gpr && this.#chance(90)) registers[this.#inst.opReg[1] ?? 0] = BigInt.asUintN(64, BigInt(this.#random.below(2048) - 1024));
    if (this.#inst.row.repeatable) registers[RCX] = this.#chance(90) ? BigInt(this.#random.below(40)) : this.#chance(50) ? BigInt(this.#random.below(6000)) : randomValue(this.#random);
    for (let i = 0; i < this.#inst.opCount; i++) {
      const isSelector = this.#inst.opKind[0] === OpKind.seg && this.#inst.opKind[i] === OpKind.gpr;
      if (isSelector) registers[this.#inst.opReg[i] ?? 0] = (registers[this.#inst.opReg[i] ?? 0] ?? 0n) & ~0xffffn | BigInt(this.#random.pick(SELECTOR_CHOICES));
    }
  }

  /** Makes the low `size` bytes of a register point at a linear address through a segment, less `already`. */
  #point(register: number, segment: number, linear: number, size: number, already = 0n): void {
    const mask = (1n << BigInt(8 * size)) - 1n;
    const value = BigInt(linear - segmentBase(this.#mode, segment)) - already & mask;
    this.registers[register] = (this.registers[register] ?? 0n) & ~mask & ALL | value;
  }
  #signed(value: bigint, size: number): bigint { return BigInt.asIntN(8 * size, value); }

  #patch(at: number, bytes: number, value: bigint): void {
    for (let i = 0; i < bytes; i++) this.#code[at + i] = Number(value >> BigInt(8 * i) & 0xffn);
  }
  #patchDisplacement(value: bigint): void {
    this.#patch(this.#inst.dispOffset, this.#inst.dispBytes, value);
    this.#inst.disp = Number(BigInt.asIntN(this.#inst.dispBytes * 8, value));
  }

  #explicitMemory(): void {
    const inst = this.#inst;
    this.#target = -1;
    let size = -1;
    for (let i = 0; i < inst.opCount; i++) if (inst.opKind[i] === OpKind.mem || inst.opKind[i] === OpKind.moffs) size = inst.opSizeBytes[i] ?? 0;
    if (size < 0 || this.#chance(2)) return;
    if (inst.row.mnemonic === 'cmpxchg16b' && this.#chance(70)) this.#target = pickTarget(this.#random, 16) & -16;
    else this.#target = pickTarget(this.#random, size);
    const offset = BigInt(this.#target - segmentBase(this.#mode, inst.seg));
    if (inst.opKind.subarray(0, inst.opCount).includes(OpKind.moffs)) { this.#patch(inst.immOffset, inst.immBytes, offset); return; }
    if (inst.base < 0 && inst.index < 0) { this.#patchDisplacement(inst.ripRelative ? offset - BigInt(this.#rip + this.#code.length) : offset); return; }
    const { registers } = this, factor = 1n << BigInt(inst.scale);
    if (inst.index >= 0 && inst.index !== inst.base && inst.index !== RSP && this.#chance(70)) registers[inst.index] = BigInt.asUintN(64, BigInt(this.#random.below(64) - 16));
    const index = inst.index < 0 ? 0n : this.#signed(registers[inst.index] ?? 0n, inst.addrSize) * factor;
    if (inst.base < 0) { this.#patchDisplacement(offset - index); return; }
    if (inst.base === inst.index) {
      if (inst.dispBytes < 4) registers[inst.base] = BigInt.asUintN(64, (offset - BigInt(inst.disp)) / (1n + factor));
      else {
        if (this.#chance(50)) registers[inst.base] = BigInt(this.#random.below(0x1000));
        this.#patchDisplacement(offset - this.#signed(registers[inst.base] ?? 0n, inst.addrSize) * (1n + factor));
      }
      return;
    }
    // POP and PUSH see the moved stack pointer; near enough
    this.#point(inst.base, inst.seg, this.#target, inst.addrSize, index + BigInt(inst.disp));
  }

  #implicitMemory(): void {
    const inst = this.#inst, { registers } = this, { mnemonic } = inst.row;
    for (let i = 0; i < inst.opCount; i++) {
      const size = inst.opSizeBytes[i] ?? 1;
      if (inst.opKind[i] === OpKind.memSi) this.#point(RSI, inst.seg, pickTarget(this.#random, size), inst.addrSize);
      if (inst.opKind[i] === OpKind.memDi) this.#point(RDI, ES, this.#chance(30) ? Number((registers[RSI] ?? 0n) & 0xffff_ffffn) + this.#random.below(20) - 10 + segmentBase(this.#mode, ES) : pickTarget(this.#random, size), inst.addrSize);
      if (inst.opKind[i] === OpKind.memXlat) {
        this.#target = pickTarget(this.#random, 1);
        this.#point(RBX, inst.seg, this.#target, inst.addrSize, (registers[RAX] ?? 0n) & 0xffn);
      }
    }
    if (STACK_USERS.has(mnemonic) && !(inst.base === RSP && this.#target >= 0)) {
      const stack = this.#mode === 16 ? 2 : this.#mode / 8;
      // what POPF would find elsewhere may set TF or AC
      const at = mnemonic === 'popf' || mnemonic === 'iret' || this.#chance(85) ? WINDOW_AT + 96 + this.#random.below(64) : pickTarget(this.#random, inst.opSize);
      this.#point(RSP, SS, this.#chance(80) ? at & -8 : at, stack);
      if (mnemonic === 'leave' || mnemonic === 'enter') {
        if (inst.base !== RBP) this.#point(RBP, SS, WINDOW_AT + 128 + this.#random.below(96), stack);
        if (mnemonic === 'enter' && this.#chance(75)) {
          this.#patch(inst.immOffset, 2, BigInt(this.#random.below(64)));
          this.#patch(inst.immOffset + 2, 1, BigInt(this.#random.pick([0, 0, 1, 2, 3, 5, 32, 33])));
        }
      }
    }
  }

  /** A place in this case's slot where only HLT is. */
  #landing(): bigint { return BigInt(this.#rip + (this.#chance(50) ? -1 - this.#random.below(50) : 20 + this.#random.below(100))); }

  #transfers(): void {
    const inst = this.#inst, { mnemonic } = inst.row;
    const isTransfer = inst.row.endsBlock && (inst.row.cond >= 0 || /^(jmp|call|ret|loop|loope|loopne|j.?cxz)$/.test(mnemonic));
    if (!isTransfer || this.#chance(4)) return;
    for (let i = 0; i < inst.opCount; i++) {
      const kind = inst.opKind[i];
      if (kind === OpKind.rel) this.#patch(inst.immOffset, inst.immBytes, this.#landing() - BigInt(this.#rip + this.#code.length));
      if (kind === OpKind.gpr) this.registers[inst.opReg[i] ?? 0] = this.#landing();
      if (kind === OpKind.mem) this.#poke(this.#target, this.#landing(), 8);
    }
    if (mnemonic === 'ret') this.#poke(this.#stackTop(), this.#landing(), inst.opSize);
  }
  /** Far pointers in the instruction, in memory, and on the stack with all that IRET pops. */
  #farTransfers(): void {
    const inst = this.#inst, random = this.#random, { mnemonic } = inst.row, size = inst.opSize;
    if (!/^(callf|jmpf|retf|iret)$/.test(mnemonic)) return;
    // not from 16-bit code into 64-bit code: the host's kernel takes faults there for an erratum of old processors and tries again for ever
    const selector = this.#chance(50) ? random.pick(CODE_SELECTORS.filter((each) => this.#mode !== 16 || each !== 0x33)) : this.#chance(60) ? SELECTORS[this.#mode][1] ?? 0 : random.pick(SELECTOR_CHOICES.filter((each) => each !== 0x33));
    const linear = this.#landing() + BigInt(codeBase(this.#mode)), offset = this.#chance(4) ? randomValue(random) : linear - (selector === CODE16_SELECTOR ? BigInt(CODE_AT) : 0n);
    for (let i = 0; i < inst.opCount; i++) {
      if (inst.opKind[i] === OpKind.far) {
        this.#patch(inst.immOffset, size, offset);
        this.#patch(inst.immOffset + size, 2, BigInt(selector));
      }
      if (inst.opKind[i] === OpKind.mem) {
        this.#poke(this.#target, offset, size);
        this.#poke(this.#target + size, BigInt(selector), 2);
      }
    }
    if (mnemonic === 'jmpf' || mnemonic === 'callf') return;
    const top = this.#stackTop(), ss = this.#chance(80) ? SELECTORS[this.#mode][2] ?? 0 : random.pick(SELECTOR_CHOICES);
    const words = mnemonic === 'retf' ? [offset, BigInt(selector)] : [offset, BigInt(selector), random.next64() & POPF_BITS, BigInt(WINDOW_AT), BigInt(ss)];
    words.forEach((word, i) => { this.#poke(top + i * size, word, size); });
  }
  #stackTop(): number {
    const mask = this.#mode === 64 ? ALL : this.#mode === 32 ? 0xffff_ffffn : 0xffffn;
    return Number((this.registers[RSP] ?? 0n) & mask) + segmentBase(this.#mode, SS);
  }

  #memoryValues(): void {
    const window = this.#batch.window(this.#index), { mnemonic } = this.#inst.row, random = this.#random;
    if (this.#chance(50)) for (let i = 0; i < 6; i++) this.#poke(WINDOW_AT + (random.below(WINDOW_BYTES - 8) & -8), randomValue(random), 8);
    if (this.#chance(15)) window.fill(random.pick([0, 0xff, 0x80, 0x41]));
    if (this.#target >= 0 && this.#chance(50) && !mnemonic.startsWith('j') && mnemonic !== 'call') this.#poke(this.#target, random.pick(this.registers), this.#inst.opSizeBytes[0] || 8);
    if (mnemonic === 'cmpxchg8b' && this.#chance(60)) this.#poke(this.#target, (this.registers[RAX] ?? 0n) & 0xffff_ffffn | ((this.registers[RDX] ?? 0n) & 0xffff_ffffn) << 32n, 8);
    if (mnemonic === 'cmpxchg16b' && this.#chance(60)) { this.#poke(this.#target, this.registers[RAX] ?? 0n, 8); this.#poke(this.#target + 8, this.registers[RDX] ?? 0n, 8); }
    if (mnemonic === 'cmpxchg' && this.#chance(50)) this.#poke(this.#target, this.registers[RAX] ?? 0n, this.#inst.opSizeBytes[0] ?? 1);
    if (mnemonic === 'popf') this.#poke(this.#stackTop(), random.next64() & POPF_BITS, this.#inst.opSize);
    if (mnemonic === 'bound' && this.#chance(60)) {
      const size = this.#inst.opSizeBytes[0] ?? 4;
      this.#poke(this.#target, 1n << BigInt(size * 8 - 1), size);
      this.#poke(this.#target + size, (1n << BigInt(size * 8 - 1)) - 1n, size);
    }
    const isFarLoad = /^l[defgs]s$/.test(mnemonic) || mnemonic === 'lss', takesSelector = this.#inst.opKind[0] === OpKind.seg;
    if (isFarLoad) this.#poke(this.#target + (this.#inst.opSizeBytes[0] ?? 4), BigInt(random.pick(SELECTOR_CHOICES)), 2);
    if (takesSelector) this.#poke(mnemonic === 'pop' ? this.#stackTop() : this.#target, BigInt(random.pick(SELECTOR_CHOICES)) | random.next64() & ~0xffffn, mnemonic === 'pop' ? this.#inst.opSize : 2);
  }

  /** Stores into the window as far as the address lies there. */
  #poke(linear: number, value: bigint, bytes: number): void {
    const window = this.#batch.window(this.#index);
    for (let i = 0; i < bytes; i++) {
      const at = linear + i - WINDOW_AT;
      if (at >= 0 && at < WINDOW_BYTES) window[at] = Number(value >> BigInt(8 * i) & 0xffn);
    }
  }

  #store(): void {
    const batch = this.#batch, index = this.#index, mask = this.#mode === 64 ? ALL : 0xffff_ffffn;
    this.registers.forEach((value, i) => { batch.setGpr(index, i, this.#mode !== 64 && i >= 8 ? 0n : value & mask); });
    batch.setU64(index, 'rip', BigInt(this.#rip));
    const direction = this.#inst.row.flags.read & 0x400 ? 40 : 10;
    batch.setU32(index, 'flags', 0x202 | this.#random.next() & ARITHMETIC | (this.#chance(direction) ? 0x400 : 0));
  }
}

