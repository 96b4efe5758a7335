import type { FunctionBuilder, FunctionRef, ValueType } from '@vmm/wasm';
import type { RegionCode } from './region-code.ts';

/** Numbers of functions; those of look-ups begin at `lookUps`. */
export const FUNCTION = { siteKind: 0, goOn: 1, call: 2, callLinked: 3, lookUps: 16 } as const;

const ONE_NUMBER: readonly ValueType[] = ['i32'];

/** What regions have in common is in functions of their module, which are made when the first of them wants one. */
export class ModuleFunctions {
  readonly #code: RegionCode;
  readonly #known: Map<number, FunctionRef>;

  /** `known`: those that the module has so far, by number. */
  constructor(code: RegionCode, known: Map<number, FunctionRef>) {
    this.#code = code;
    this.#known = known;
  }

  /** `number`: below 2^16; functions of different modes are different ones. */
  get(number: number, params: readonly ValueType[], write: (fn: FunctionBuilder) => void, results: readonly ValueType[] = ONE_NUMBER): FunctionRef {
    const { module, modeKey } = this.#code, key = modeKey * 0x1_0000 + number;
    let known = this.#known.get(key);
    if (known === undefined) {
      this.#known.set(key, known = module.declare(params, results));
      module.fill(known, write);
    }
    return known;
  }
}
