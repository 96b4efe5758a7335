/* @hot: counters are there. */
import { describe, expect, it } from 'vitest';
import { runFlat } from './flat-machine.testing.ts';
import { packRecipe, unpackRecipe } from './recipe.ts';
import type { Recipe } from './recipe.ts';
import { RecipeStore } from './recipe-store.ts';
import { outcomeOf, randomProgram } from './random-programs.testing.ts';

const NEVER = 1_000_000;
/** So many functions, each called until it is hot, with loops, branches, calls and a jump through a table; then all of that once more. */
const program = (functions: number, rounds = 2, calls = 300): string => `
        mov ebp, ${rounds}
round:
${Array.from({ length: functions }, (_, i) => `
        mov ecx, ${calls}
        mov esi, ${i}
warm${i}: call f${i}
        dec ecx
        jnz near warm${i}`).join('')}
        dec ebp
        jnz near round
        hlt
${Array.from({ length: functions }, (_, i) => `
        align 64
f${i}:  mov edx, ${3 + i % 5}
l${i}:  add eax, edx
        rol eax, ${1 + i % 7}
        xor eax, ${i * 7919}
        test eax, ${1 << i % 8}
        jz s${i}
        add ebx, eax
s${i}:  dec edx
        jnz l${i}
        call leaf
        ret`).join('')}
        align 64
leaf:   ${Array.from({ length: 30 }, (_, i) => `lea edi, [edi + ${String(i)}]\nxor edi, eax`).join('\n')}
        ret`;

function storeOf(bytes: Uint8Array): RecipeStore {
  const store = new RecipeStore();
  store.load(bytes, 1);
  return store;
}

describe.each([32, 64] as const)('what is known of %i-bit code', (bits) => {
  const source = program(12);
  const expected = outcomeOf(runFlat(bits, source, 'interpreter'));
  let recipes = new Uint8Array();
  const first = runFlat(bits, source, 'translator', { onEnd: (_, translator) => { recipes = translator?.recipes ?? recipes; } });

  it('is kept for the next start, where regions are made long before code is hot', () => {
    expect(outcomeOf(first)).toBe(expected);
    const cold = runFlat(bits, source, 'translator', { hotThreshold: NEVER }), warm = runFlat(bits, source, 'translator', { hotThreshold: NEVER, recipes });
    expect([outcomeOf(cold), outcomeOf(warm)]).toEqual([expected, expected]);
    expect(cold.counters['regions']).toBe(0);
    expect(warm.counters['knownRegions']).toBeGreaterThan(0.8 * warm.counters['regions']!);
    expect(warm.counters['regionInstructions']).toBeGreaterThan(0.8 * first.counters['regionInstructions']!);
  });

  it('is not used for other code', () => {
    const other = source.replaceAll('rol eax', 'ror eax');
    const { counters, ...run } = runFlat(bits, other, 'translator', { hotThreshold: NEVER, recipes });
    expect(outcomeOf({ ...run, counters })).toBe(outcomeOf(runFlat(bits, other, 'interpreter')));
    // the loops that call are the same
    expect(counters['knownRegions']).toBeLessThan(0.8 * first.counters['regions']!);
  });

  it('does no harm when it is damaged or made up', { timeout: 60_000 }, () => {
    const text = randomProgram(bits, 4711), plain = outcomeOf(runFlat(bits, text, 'interpreter'));
    let seed = 1;
    const random = (below: number): number => (seed = Math.imul(seed, 1_103_515_245) + 12_345 >>> 0) % below;
    let known = new Uint8Array();
    runFlat(bits, text, 'translator', { onEnd: (_, translator) => { known = translator?.recipes ?? known; } });
    for (let turn = 0; turn < 12; turn++) {
      const words = new Int32Array(known.slice().buffer);
      for (let i = 0; i < 1 + turn * 3; i++) words[2 + random(words.length - 2)] = [random(200) - 100, -1, 0x7fff_ffff, random(0xffff_ffff)][random(4)]!;
      const run = runFlat(bits, text, 'translator', { hotThreshold: NEVER, recipes: new Uint8Array(words.buffer).subarray(0, known.length - random(8)) });
      expect(outcomeOf(run)).toBe(plain);
    }
  });

  it('brings back regions that were dropped because there was too much code', { timeout: 60_000 }, () => {
    const text = program(24, 16, 40), run = runFlat(bits, text, 'translator', { maxCodeBytes: 20_000, onSlice: () => { waitMs(0.3); } });
    const { trials, recalls, evictions, knownRegions } = run.counters;
    expect(outcomeOf(run)).toBe(outcomeOf(runFlat(bits, text, 'interpreter')));
    for (const count of [trials, recalls, evictions, knownRegions]) expect(count).toBeGreaterThan(0);
  });
});

function waitMs(ms: number): void { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms); }

describe('recipes', () => {
  const recipe: Recipe = { key: 1, hash: -2, modeKey: 0x31, ranges: Int32Array.of(-4, 8), leaders: Int32Array.of(0, -4), calls: Int32Array.of(), targets: Int32Array.of(3, 4) };
  it('are the same when they have been packed', () => { expect(unpackRecipe(packRecipe(recipe))).toEqual(recipe); });
  it.each([[[]], [[1, 2, 3]], [[1, 2, 3, -1, 0, 0, 0]], [[1, 2, 3, 1, 0, 0, 0, 5]], [[1, 2, 3, 0x7fff_ffff, 0, 0, 0]], [[1, 2, 3, 0, 0, 0, 0, 9]]])('are not made of %j', (words) => {
    expect(unpackRecipe(Int32Array.from(words))).toBeUndefined();
  });
  it('are found wherever their bytes lie', () => {
    const store = new RecipeStore();
    store.use(recipe);
    const packed = store.pack(), elsewhere = new Uint8Array(packed.length + 16);
    elsewhere.set(packed, 7);
    // as Node's buffers: what they cut out of themselves is no copy
    const view = elsewhere.subarray(7, 7 + packed.length);
    Object.assign(view, { slice: (from: number, to: number) => view.subarray(from, to) });
    expect(storeOf(view).size).toBe(1);
  });
  it('are left out of a file that ends early or begins otherwise', () => {
    const store = new RecipeStore();
    store.use(recipe);
    store.use({ ...recipe, hash: 7 });
    const packed = store.pack();
    expect([storeOf(packed).size, storeOf(packed.subarray(0, packed.length - 4)).size, storeOf(packed.subarray(4)).size, storeOf(new Uint8Array(3)).size]).toEqual([2, 1, 0, 0]);
  });
});
