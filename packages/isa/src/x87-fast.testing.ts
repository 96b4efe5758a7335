/** Runs one x87 module function on two state blocks, to compare two makers of it. */
import { STATE, StateView, VCPU_LAYOUT } from '@vmm/state';
import { ModuleBuilder } from '@vmm/wasm';
import type { FunctionRef } from '@vmm/wasm';
import { TRANSCENDENTAL_TABLES } from '@vmm/fpu';

export type Functions = Readonly<Record<string, FunctionRef>>;
export type Run = (...args: readonly (number | bigint)[]) => number | bigint;
export interface Side { readonly state: StateView; readonly run: (name: string) => Run }

/** A side whose functions `define` makes. */
export function makeSide(names: readonly string[], define: (module: ModuleBuilder, stateBase: number) => Functions): Side {
  const module = new ModuleBuilder();
  module.importMemory({ module: 'env', name: 'memory', minimumPages: 1, maximumPages: 1, shared: true });
  const functions = define(module, VCPU_LAYOUT.state);
  for (const name of names) {
    const ref = functions[name];
    if (ref === undefined) throw new Error(`no function ${name}`);
    module.export(name, ref);
  }
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }), state = new StateView(memory.buffer, VCPU_LAYOUT.state);
  state.u64.set(TRANSCENDENTAL_TABLES, VCPU_LAYOUT.fpuTables >> 3);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.finish()), { env: { memory } });
  return { state, run: (name) => exports[name] as Run };
}

/** Sign and exponent word, significand. */
export type Extended = readonly [number, bigint];
export interface Setting { readonly control: number; readonly status: number; readonly top: number; readonly tags: number; readonly registers: readonly Extended[] }

export function enter(state: StateView, setting: Setting): void {
  state.set('fpuControl', setting.control);
  state.set('fpuStatus', setting.status);
  state.set('fpuTop', setting.top);
  state.set('fpuTags', setting.tags);
  for (let i = 0; i < 8; i++) {
    const at = state.base + STATE.fpr + 16 * (setting.top + i & 7), [word, significand] = setting.registers[i] ?? [0, 0n];
    state.data.setBigUint64(at, significand, true);
    state.data.setUint16(at + 8, word, true);
  }
}
/** All that an instruction may change. */
export function observe(state: StateView): string {
  const registers = Array.from({ length: 8 }, (_, i) => {
    const at = state.base + STATE.fpr + 16 * i;
    return `${state.data.getUint16(at + 8, true).toString(16)}:${state.data.getBigUint64(at, true).toString(16)}`;
  });
  return [...registers, ...(['fpuControl', 'fpuStatus', 'fpuTop', 'fpuTags'] as const).map((field) => state.get(field).toString(16))].join(' ');
}

/** Deterministic 32-bit numbers (Jenkins' small generator). */
export class Random {
  #words = [0x1234_5678, 0x9abc_def, 1, 0] as [number, number, number, number];
  constructor(seed: number) {
    this.#words[3] = seed;
    for (let i = 0; i < 20; i++) this.next();
  }
  next(): number {
    const [a, b, c, d] = this.#words, e = a - (b << 27 | b >>> 5) | 0;
    this.#words = [b ^ (c << 17 | c >>> 15), c + d | 0, d + e | 0, e + (b ^ (c << 17 | c >>> 15)) | 0];
    return this.#words[3] >>> 0;
  }
  below(bound: number): number { return this.next() % bound; }
  pick(from: readonly number[]): number { return from[this.below(from.length)] ?? 0; }
  next64(): bigint { return BigInt(this.next()) << 32n | BigInt(this.next()); }
  /** A normal number with an exponent of -range … highest, its significand often round or next to a power of two. */
  normal(range: number, highest = range): Extended {
    const style = this.below(8), random = this.next64() | 1n << 63n, near = BigInt(this.next() >>> this.below(32));
    const significand = style === 0 ? random & ~0x7ffn : style === 1 ? random & ~0xff_ffff_ffffn : style === 2 ? random | 0xf_ffff_ffffn : style === 3 ? 1n << 63n | near : style === 4 ? (1n << 64n) - 1n - near : random;
    return [0x3fff + highest - this.below(range + highest + 1) | this.next() & 0x8000, significand];
  }
}
