import { describe, expect, it } from 'vitest';
import { generatorArguments, operations, testFloatFlags } from './operations.ts';
import type { Operation } from './operations.ts';
import { Processor, variantsOf } from './processor.ts';
import { SoftFloat } from './soft-float.ts';
import { parseLine } from './stream.ts';

const INEXACT = 1, UNDERFLOW = 2, OVERFLOW = 4, INVALID = 16;
const operation = (name: string, rounding: Operation['rounding'] = 'near_even', precision: Operation['precision'] = 80): Operation => ({ name, rounding, precision });

/** Facts of arithmetic, each for a rounding: operands, result, TestFloat's flags. */
const FACTS: readonly (readonly [Operation, string])[] = [
  [operation('f64_add'), '3FF0000000000000 3CA0000000000000 3FF0000000000000 01'],
  [operation('f64_add', 'max'), '3FF0000000000000 3CA0000000000000 3FF0000000000001 01'],
  [operation('f64_mul'), '7FEFFFFFFFFFFFFF 4000000000000000 7FF0000000000000 05'],
  [operation('f32_div', 'minMag'), '3F800000 40400000 3EAAAAAA 01'],
  [operation('f32_mul'), '00800001 3F000000 00400000 03'],
  [operation('f64_sqrt'), 'BFF0000000000000 FFF8000000000000 10'],
  [operation('f64_to_i32', 'min'), 'C004000000000000 FFFFFFFD 01'],
  [operation('f64_to_i32'), '41E0000000000000 80000000 10'],
  [operation('extF80_add', 'near_even', 64), '3FFF8000000000000000 3FCA8000000000000000 3FFF8000000000000000 01'],
  [operation('extF80_add'), '3FFF8000000000000000 3FCA8000000000000000 3FFF8000000000000400 00'],
  [operation('f32_lt_quiet'), '7FC00000 3F800000 0 00'],
  [operation('f32_lt'), '7FC00000 3F800000 0 10'],
  [operation('f64_mulAdd'), '3FF0000000000001 3FF0000000000001 BFF0000000000002 3970000000000000 00'],
];

/** Of formats and roundings that no instruction has. */
const FACTS_BEYOND: readonly (readonly [Operation, string])[] = [
  [operation('f128_to_f32', 'max'), '3FFF0000000000000000000000000001 3F800001 01'],
  [operation('extF80_to_f128'), '3FFF8000000000000001 3FFF0000000000000002000000000000 00'],
  [operation('f64_roundToInt', 'near_maxMag'), '3FE0000000000000 3FF0000000000000 01'],
  [operation('ui64_to_f128'), 'FFFFFFFFFFFFFFFF 403EFFFFFFFFFFFFFFFE000000000000 00'],
  [operation('f64_to_ui32'), 'BFF0000000000000 FFFFFFFF 10'],
];

describe('the facts', () => {
  it.each([...FACTS, ...FACTS_BEYOND])('%o: the package agrees', (of, line) => {
    const { operands, result, flags } = parseLine(line), ours = new SoftFloat().prepare(of)?.(operands);
    expect([ours?.result, testFloatFlags(ours?.flags ?? -1)]).toEqual([result, flags]);
  });
  it.each(FACTS)('%o: every instruction for it agrees', (of, line) => {
    const { operands, result, flags } = parseLine(line), processor = new Processor();
    for (const variant of variantsOf(of)) {
      const [ours] = processor.prepare(of, variant)([operands]);
      expect([variant.name, ours?.result, testFloatFlags(ours?.flags ?? -1)]).toEqual([variant.name, result, flags]);
    }
    expect(variantsOf(of).length).toBeGreaterThan(0);
  });
});

describe('the streams', () => {
  it('cover every operation in five roundings, and three precisions of 80-bit arithmetic', () => {
    const all = operations();
    expect(all.filter(({ name }) => name === 'f64_div')).toHaveLength(5);
    expect(all.filter(({ name }) => name === 'extF80_div')).toHaveLength(15);
    expect(generatorArguments(operation('extF80_div', 'min', 64), 2)).toEqual(['-level', '2', '-tininessafter', '-rmin', '-precision64', 'extF80_div']);
  });
  it('name flags as TestFloat does', () => {
    expect([0x20, 0x30, 0x28, 0x01, 0x02].map(testFloatFlags)).toEqual([INEXACT, INEXACT | UNDERFLOW, INEXACT | OVERFLOW, INVALID, 0]);
  });
});
