import { FPU_CALLOUTS } from '@vmm/fpu';
import { StateView } from '@vmm/state';
import { describe, expect, it } from 'vitest';
import { defineHelpers } from './helpers.ts';
import { enter, makeSide, observe, Random } from './x87-fast.testing.ts';
import type { Extended } from './x87-fast.testing.ts';

type Name = keyof typeof FPU_CALLOUTS;
const NAMES = Object.keys(FPU_CALLOUTS) as Name[];
const generated = makeSide(NAMES.map((name) => `x87_${name}`), defineHelpers), reference = new StateView(new ArrayBuffer(0x1_0000), 0x1000);
/** The x87's π/2 in units of 2^-65. */
const HALF_PI = 0x3_243f_6a88_85a3_08d3n;

function nextToMultipleOfHalfPi(random: Random): Extended {
  const distance = BigInt(random.next() >>> random.below(32)) << BigInt(random.below(30)), value = BigInt(random.next() >>> random.below(30) | 1) * HALF_PI + (random.below(2) === 0 ? distance : -distance);
  const length = value.toString(2).length;
  return [0x3fff + length - 66 | random.next() & 0x8000, length > 64 ? value >> BigInt(length - 64) : value << BigInt(64 - length)];
}
function top(random: Random, name: Name): Extended {
  switch (name) {
    case 'f2xm1': return random.normal(random.below(2) === 0 ? 8 : 70, -1);
    case 'fyl2xp1': return random.normal(random.below(2) === 0 ? 12 : 70, -3);
    case 'fyl2x': { const [word, significand] = random.normal(random.below(3) === 0 ? 500 : 2); return [word & (random.below(32) === 0 ? 0xffff : 0x7fff), significand]; }
    case 'fpatan': return random.normal(random.below(4) === 0 ? 60 : 4);
    default: return random.below(3) === 0 ? nextToMultipleOfHalfPi(random) : random.normal(random.below(4) === 0 ? 40 : 6);
  }
}

describe('generated transcendental functions', () => {
  it.each(NAMES)('%s gives what the double-double callout gives, and mostly does give it', (name) => {
    const random = new Random(NAMES.indexOf(name) + 1), run = generated.run(`x87_${name}`);
    let done = 0;
    for (let i = 0; i < 4000; i++) {
      const second = random.normal(random.below(16) === 0 ? 16000 : 6), x = top(random, name), first = random.below(8);
      const at = { control: [0x37f, 0x27f, 0x7f][i % 3] ?? 0, status: random.next() & 0x4700, top: first, tags: 0xff & ~(3 << first | 3 >> 8 - first), registers: [x, second] };
      enter(generated.state, at);
      enter(reference, at);
      const before = observe(generated.state), isDone = run() === 1;
      if (isDone) FPU_CALLOUTS[name]({ state: reference }, 0);
      done += isDone ? 1 : 0;
      expect(observe(generated.state), [name, x, second].map(String).join(' ')).toBe(isDone ? observe(reference) : before);
    }
    expect(done).toBeGreaterThan(2000);
  });
  it.each([['directed rounding', 0x77f, 0x3fff, 0xfcn], ['an unmasked precision exception', 0x35f, 0x3fff, 0xfcn], ['a denormal', 0x37f, 0, 0xfcn], ['an empty register', 0x37f, 0x3fff, 0xffn]])('%s is left to the callout', (_what, control, word, tags) => {
    for (const name of NAMES) {
      enter(generated.state, { control, status: 0, top: 0, tags: Number(tags), registers: [[word === 0 ? 0 : word - 9, word === 0 ? 5n : 0xc000_0000_0000_1234n], [0x3fff, 1n << 63n]] });
      expect(generated.run(`x87_${name}`)()).toBe(0);
    }
  });
});
