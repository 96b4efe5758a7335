import { hasFlatSegments, MODE } from '@vmm/cpu';
import type { InterpreterCore } from '@vmm/cpu';
import { STATE, VCPU_LAYOUT } from '@vmm/state';
import type { StateField } from '@vmm/state';
import * as w from '@vmm/wasm';
import type { Expr, FunctionBuilder, FunctionRef, ModuleBuilder } from '@vmm/wasm';

/** Code wants a function that its module does not import. */
export class MissingHelper extends Error {
  constructor(name: string) { super(`no helper function ${name}`); }
}

/** One region's function while it is written: what all parts of the machine write to, in which mode, and where the vCPU's state is. */
export class RegionCode {
  readonly fn: FunctionBuilder;
  readonly module: ModuleBuilder;
  readonly core: InterpreterCore;
  readonly privateBase: number;
  readonly modeKey: number;
  /** See `Translator.mayGoOn`. */
  readonly number: number;
  readonly is64: boolean;
  readonly isUser: boolean;
  /** See `hasFlatSegments`. */
  readonly isFlat: boolean;
  /** Type of addresses and general registers in this mode. */
  readonly word: 'i32' | 'i64';
  readonly #bits: 32 | 64;
  readonly usedHelpers = new Set<string>();

  constructor(fn: FunctionBuilder, module: ModuleBuilder, core: InterpreterCore, privateBase: number, modeKey: number, number = 0) {
    this.fn = fn;
    this.module = module;
    this.core = core;
    this.privateBase = privateBase;
    this.modeKey = modeKey;
    this.number = number;
    this.is64 = (modeKey & MODE.CODE_SIZE) === MODE.CODE64;
    this.isFlat = hasFlatSegments(modeKey);
    this.isUser = (modeKey & MODE.USER) !== 0;
    this.word = this.is64 ? 'i64' : 'i32';
    this.#bits = this.is64 ? 64 : 32;
  }

  /** The same for another function of the module. */
  within(fn: FunctionBuilder): RegionCode { return new RegionCode(fn, this.module, this.core, this.privateBase, this.modeKey, this.number); }

  // --- words of the mode ---

  constant(value: number): Expr { return this.is64 ? w.i64(value) : w.i32(value); }
  /** A word as 64 bits, and its low 32. */
  wide(word: Expr): Expr { return this.is64 ? word : w.extendU(word); }
  low(word: Expr): Expr { return this.is64 ? w.wrap(word) : word; }
  /** Any i32 or i64 as a word. */
  fit(value: Expr): Expr { return this.is64 ? value.type === 'i64' ? value : w.extendU(value) : value.type === 'i64' ? w.wrap(value) : value; }

  // --- the state block; loads are not bound ---

  address(field: StateField, index = 0, stride = 8): number { return this.privateBase + VCPU_LAYOUT.state + STATE[field] + index * stride; }
  loadWord(field: StateField, index = 0): Expr { return w.load(this.word, this.#bits, w.i32(0), this.address(field, index)); }
  load32(field: StateField): Expr { return w.load('i32', 32, w.i32(0), this.address(field)); }
  load64(field: StateField, index = 0): Expr { return w.load('i64', 64, w.i32(0), this.address(field, index)); }
  store32(field: StateField, value: Expr): void { this.fn.store(32, w.i32(0), this.address(field), value); }
  store64(field: StateField, value: Expr): void { this.fn.store(64, w.i32(0), this.address(field), value); }

  // --- functions ---

  /** Type of a region's function. */
  get regionType(): number { return this.module.typeIndex({ params: ['i32'], results: ['i32'] }); }
  helper(name: string): FunctionRef {
    const found = this.core.helpers[name];
    if (found === undefined) throw new MissingHelper(name);
    this.usedHelpers.add(name);
    return found;
  }
}
