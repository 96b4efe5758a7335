/** Products and quotients of 128 bits against whole numbers of any size. */
import { STATE } from '@vmm/state';
import { ModuleBuilder } from '@vmm/wasm';
import { describe, expect, it } from 'vitest';
import { defineIntegerHelpers } from './integer-helpers.ts';
import { multiplyHigh } from './wide-arithmetic.ts';
import { Random } from './x87-fast.testing.ts';

type Divide = (high: bigint, low: bigint, divisor: bigint) => number;
const module = new ModuleBuilder(), memory = new WebAssembly.Memory({ initial: 4, maximum: 4, shared: true });
module.importMemory({ module: 'env', name: 'memory', minimumPages: 4, maximumPages: 4, shared: true });
const helpers = defineIntegerHelpers(module, 0);
for (const name of ['divUnsigned128', 'divSigned128', 'lazyAux']) module.export(name, helpers[name]!);
for (const isSigned of [false, true]) {
  module.export(isSigned ? 'signedHigh' : 'unsignedHigh', module.define(['i64', 'i64'], ['i64'], (fn) => { fn.return(multiplyHigh((value) => fn.let(value), fn.param(0), fn.param(1), isSigned)); }));
}
const { divUnsigned128, divSigned128, lazyAux, unsignedHigh, signedHigh } = new WebAssembly.Instance(new WebAssembly.Module(module.finish()), { env: { memory } }).exports as unknown as {
  divUnsigned128: Divide; divSigned128: Divide; lazyAux: (kind: number, a: bigint, b: bigint, result: bigint) => number; unsignedHigh: (a: bigint, b: bigint) => bigint; signedHigh: (a: bigint, b: bigint) => bigint;
};
const results = new BigUint64Array(memory.buffer, STATE.scratch, 2);

const CASES = 20_000, U = (bits: number, value: bigint): bigint => BigInt.asUintN(bits, value), S = (bits: number, value: bigint): bigint => BigInt.asIntN(bits, value);
/** Where digits, carries and signs are at their limits. */
const EDGES = [0n, 1n, 2n, 3n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_fffen, 0xffff_ffffn, 0x1_0000_0000n, 0x1_0000_0001n, 0x7fff_ffff_ffff_ffffn, 0x8000_0000_0000_0000n, 0x8000_0000_ffff_ffffn, 0xffff_ffff_0000_0000n, 0xffff_ffff_ffff_fffen, 0xffff_ffff_ffff_ffffn];
function* words(count: number): Generator<readonly bigint[]> {
  const random = new Random(0x5eed);
  // of any length: quotients of one and of two digits, shifts from 0 to 63
  const word = (): bigint => (random.below(4) === 0 ? EDGES[random.below(EDGES.length)]! : random.next64() >> BigInt(random.below(64)));
  for (let i = 0; i < CASES; i++) yield Array.from({ length: count }, word);
}

describe('arithmetic on 128 bits', () => {
  it('gives the high half of every product', () => {
    for (const [a, b] of words(2)) {
      expect(U(64, unsignedHigh(a!, b!)), `${a} * ${b}`).toBe(a! * b! >> 64n);
      expect(signedHigh(a!, b!), `${a} * ${b} signed`).toBe(S(64, a!) * S(64, b!) >> 64n);
    }
  });
  it('divides without a sign, or says that the quotient does not fit', () => {
    let fitting = 0;
    for (const [high, low, divisor] of words(3)) {
      if (divisor === 0n) continue;
      const dividend = high! << 64n | low!, fits = dividend / divisor! < 1n << 64n;
      expect(divUnsigned128(high!, low!, divisor!), `${dividend} / ${divisor}`).toBe(fits ? 1 : 0);
      if (!fits) continue;
      fitting++;
      expect([...results], `${dividend} / ${divisor}`).toEqual([dividend / divisor!, dividend % divisor!]);
    }
    expect(fitting).toBeGreaterThan(CASES / 4);
  });
  it('divides with a sign, or says that the quotient does not fit', () => {
    for (const [high, low, word] of words(3)) {
      if (word === 0n) continue;
      const dividend = S(128, high! << 64n | low!), divisor = S(64, word!), quotient = dividend / divisor, fits = S(64, quotient) === quotient;
      expect(divSigned128(high!, low!, word!), `${dividend} / ${divisor}`).toBe(fits ? 1 : 0);
      if (fits) expect([...results], `${dividend} / ${divisor}`).toEqual([U(64, quotient), U(64, dividend % divisor)]);
    }
  });
  it('finds carry and overflow of a signed product that was cut, for every size', () => {
    for (const [a, b] of words(2)) {
      for (const size of [2, 4, 8]) {
        const product = S(size * 8, a!) * S(size * 8, b!), isOver = S(size * 8, product) !== product;
        expect(lazyAux(96 + size, a!, b!, U(64, product)) >>> 0, `${a} * ${b}, ${size} bytes`).toBe(isOver ? 0x8000_0000 : 0);
      }
    }
  });
});
