/** `@vmm/softfloat` called directly, by TestFloat's names. */
import { defineSoftFloat, MODE, ORDER, QUOTIENT } from '@vmm/softfloat';
import { ModuleBuilder } from '@vmm/wasm';
import { isExtended, typesOf } from './operations.ts';
import type { Operation } from './operations.ts';

type Call = (...values: (number | bigint)[]) => number | bigint;

/** Addresses: flags, quotient, then numbers of 16 bytes. */
const FLAGS = 0, QUOTIENT_AT = 4, RESULT = 64, FIRST = 80, STRIDE = 16;
const DROP = { 80: 0, 64: 11, 32: 40 } as const;
const ROUNDING = { near_even: MODE.nearest, min: MODE.down, max: MODE.up, minMag: MODE.truncate, near_maxMag: MODE.nearest | MODE.tiesAway } as const;
/** A remainder needs at most this many partial steps. */
const MAX_STEPS = 1200;

export class SoftFloat {
  readonly #call: Readonly<Record<string, Call>>;
  readonly #data: DataView;

  constructor() {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }), module = new ModuleBuilder();
    module.importMemory({ module: 'env', name: 'memory', minimumPages: 1, maximumPages: 1, shared: true });
    for (const [name, ref] of Object.entries(defineSoftFloat(module, { flagsAddress: FLAGS, quotientAddress: QUOTIENT_AT, half: true, unsigned: true, quad: true }))) module.export(name, ref);
    this.#call = new WebAssembly.Instance(new WebAssembly.Module(module.finish()), { env: { memory } }).exports as unknown as Record<string, Call>;
    this.#data = new DataView(memory.buffer);
  }

  /** The function that performs an operation, or undefined where the package has none. */
  prepare(operation: Operation): ((operands: readonly bigint[]) => { result: bigint; flags: number }) | undefined {
    const perform = this.#perform(operation);
    if (perform === undefined) return undefined;
    return (operands) => {
      this.#data.setInt32(FLAGS, 0, true);
      const result = perform(operands);
      return { result, flags: this.#data.getInt32(FLAGS, true) };
    };
  }

  #perform(operation: Operation): ((operands: readonly bigint[]) => bigint) | undefined {
    const { kind, from, to } = typesOf(operation), mode = ROUNDING[operation.rounding] | DROP[operation.precision] << MODE.dropShift;
    if (kind === 'compare') return this.#compare(operation, from);
    if (kind === 'rem') return from === 'x80' ? (operands) => this.#remainder(operands, mode) : undefined;
    if (kind === 'mulAdd') return this.#numbers(`${from}_fma`, from, from, [0, 0, mode]);
    if (kind !== 'convert') return this.#numbers(`${from}_${kind === 'roundToInt' ? 'round' : kind}`, from, from, [mode]);
    if (/^u?i/.test(from)) {
      const call = this.#numbers(`${from === 'ui64' ? 'ui64' : 'i64'}_to_${to}`, 'i64', to, [mode]);
      return call === undefined ? undefined : ([value = 0n]) => call([from === 'i32' ? BigInt.asIntN(32, value) : value]);
    }
    return this.#numbers(`${from}_to_${to}`, from, to, [mode]);
  }

  #numbers(name: string, from: string, to: string, rest: readonly number[]): ((operands: readonly bigint[]) => bigint) | undefined {
    const call = this.#call[name];
    if (call === undefined) return undefined;
    const destination = isExtended(to) ? [RESULT] : [];
    return (operands) => {
      const result = call(...destination, ...operands.map((value, i) => this.#pass(from, value, i)), ...rest);
      return isExtended(to) ? this.#stored(to, RESULT) : BigInt.asUintN(to.endsWith('16') ? 16 : to.endsWith('32') ? 32 : 64, BigInt(result));
    };
  }

  #pass(type: string, value: bigint, index: number): number | bigint {
    if (type.endsWith('64')) return BigInt.asIntN(64, value);
    if (!isExtended(type)) return Number(BigInt.asIntN(32, value));
    const at = FIRST + STRIDE * index;
    this.#data.setBigUint64(at, BigInt.asUintN(64, value), true);
    if (type === 'f128') this.#data.setBigUint64(at + 8, value >> 64n, true);
    else this.#data.setUint16(at + 8, Number(value >> 64n), true);
    return at;
  }
  #stored(type: string, at: number): bigint { return type === 'f128' ? this.#data.getBigUint64(at, true) | this.#data.getBigUint64(at + 8, true) << 64n : this.#extended(at); }
  #extended(at: number): bigint { return this.#data.getBigUint64(at, true) | BigInt(this.#data.getUint16(at + 8, true)) << 64n; }

  #compare({ name }: Operation, from: string): (operands: readonly bigint[]) => bigint {
    const call = this.#call[`${from}_compare`], quiet = name.endsWith('_quiet') || name.endsWith('_eq') ? 1 : 0;
    const accepted: readonly number[] = name.includes('_eq') ? [ORDER.equal] : name.includes('_le') ? [ORDER.equal, ORDER.less] : [ORDER.less];
    return (operands) => (accepted.includes(Number(call?.(...operands.map((value, i) => this.#pass(from, value, i)), quiet, 0))) ? 1n : 0n);
  }

  /** Partial remainders until none is left. */
  #remainder(operands: readonly bigint[], mode: number): bigint {
    const [a = 0, b = 0] = operands.map((value, i) => this.#pass('x80', value, i));
    let dividend = a;
    for (let step = 0; step < MAX_STEPS; step++) {
      this.#call['x80_rem1']?.(RESULT, dividend, b, mode);
      dividend = RESULT;
      if (this.#data.getInt32(QUOTIENT_AT, true) !== QUOTIENT.incomplete) break;
    }
    return this.#extended(RESULT);
  }
}
