/* @hot: runs while the guest waits; indices are bounded by construction. */
import { OpKind } from '@vmm/decoder';
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';
import type { Addresses } from './addresses.ts';
import type { Step } from './flow-graph.ts';
import type { KeptRegisters } from './kept-registers.ts';
import type { MemoryAccess } from './memory-access.ts';
import type { RegionCode } from './region-code.ts';

const typeOf = (bytes: number): 'i32' | 'i64' | 'v128' => (bytes === 16 ? 'v128' : bytes === 8 ? 'i64' : 'i32');
const MMX_STRIDE = 16;

/** The operands of the instruction at hand, wherever they are. */
export class Operands {
  readonly #code: RegionCode;
  readonly #registers: KeptRegisters;
  readonly #addresses: Addresses;
  readonly #memory: MemoryAccess;
  #step!: Step;
  /** Host addresses of memory operands that have been checked for writing. */
  readonly #prepared = new Map<number, Expr>();

  constructor(code: RegionCode, registers: KeptRegisters, addresses: Addresses, memory: MemoryAccess) {
    this.#code = code;
    this.#registers = registers;
    this.#addresses = addresses;
    this.#memory = memory;
  }

  begin(step: Step): void {
    this.#step = step;
    if (this.#prepared.size > 0) this.#prepared.clear();
  }

  /** `size`: of an immediate. */
  read(operand: number, size?: number): Expr {
    const { inst } = this.#step, bytes = inst.opSizeBytes[operand]!, register = inst.opReg[operand]!;
    switch (inst.opKind[operand]) {
      case OpKind.gpr: return this.#registers.get(register, bytes);
      case OpKind.gpr8h: return this.#registers.high(register - 4);
      case OpKind.imm: case OpKind.rel: case OpKind.far: case OpKind.imm2: return this.#immediate(size ?? this.#sizeOf(0));
      case OpKind.xmm: case OpKind.ymm: return this.#registers.vector(register);
      case OpKind.mmx: return this.#code.fn.let(w.load('i64', 64, w.i32(0), this.mmxAddress(operand)));
      case OpKind.seg: return this.#code.fn.let(w.load('i32', 32, w.i32(0), this.#code.address('selector', register, 4)));
      default: return this.#memory.load(this.#addresses.ofOperand(operand, bytes, false), bytes, typeOf(bytes));
    }
  }
  #immediate(size: number): Expr {
    const { immLo, immHi } = this.#step.inst;
    return size === 8 ? w.i64(immLo, immHi) : w.i32(size === 4 ? immLo : immLo & (size === 2 ? 0xffff : 0xff));
  }
  #sizeOf(operand: number): number { return this.#step.form.operands[operand]!.size; }
  mmxAddress(operand: number): number { return this.#code.address('fpr', this.#step.inst.opReg[operand]!, MMX_STRIDE); }

  #isMemory(operand: number): boolean {
    const kind = this.#step.form.operands[operand]?.kind;
    return kind === 'mem' || kind === 'moffs';
  }
  /** Read what is written next: that cannot fault then. */
  readModify(operand: number): Expr {
    if (!this.#isMemory(operand)) return this.read(operand);
    const bytes = this.#sizeOf(operand);
    return this.#code.fn.let(w.load(typeOf(bytes), (bytes * 8) as w.Width, this.#prepare(operand, bytes, 3)));
  }
  /** Check what is written later: that cannot fault then. */
  prepareWrite(operand: number): void { if (this.#isMemory(operand)) this.#prepare(operand, this.#sizeOf(operand), 1); }
  #prepare(operand: number, bytes: number, kind: 1 | 3): Expr {
    const host = this.#memory.host(this.#addresses.ofOperand(operand, bytes, true), bytes, kind);
    this.#prepared.set(operand, host);
    return host;
  }

  write(operand: number, value: Expr): void {
    const { inst } = this.#step, bytes = inst.opSizeBytes[operand]!, register = inst.opReg[operand]!;
    switch (inst.opKind[operand]) {
      case OpKind.gpr: this.#registers.set(register, bytes, value); return;
      case OpKind.gpr8h: this.#registers.setHigh(register - 4, value); return;
      case OpKind.xmm: case OpKind.ymm: this.#registers.setVector(register, value); return;
      case OpKind.mmx: this.#code.fn.store(64, w.i32(0), this.mmxAddress(operand), value); return;
      default: {
        const prepared = this.#prepared.get(operand);
        if (prepared === undefined) { this.#memory.store(this.#addresses.ofOperand(operand, bytes, true), bytes, value); return; }
        this.#code.fn.store((bytes * 8) as w.Width, prepared, 0, value);
        this.#memory.commit(prepared);
      }
    }
  }
}
