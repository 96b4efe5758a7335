/** Random programs on both engines until 10⁸ instructions have agreed; stops at the first that do not and prints the program. */
import { compareEngines, compareSegmented, compareLow, outcomeOf } from './random-programs.testing.ts';

const WANTED = 1e8, TURNS = [60, 400, 3000] as const, LINES = [24, 100, 300] as const;
type Shape = Parameters<typeof compareEngines>[2];
const KINDS = [
  { name: '32 bits', compare: (seed: number, shape: Shape) => compareEngines(32, seed, shape) }, { name: '64 bits', compare: (seed: number, shape: Shape) => compareEngines(64, seed, shape) },
  { name: '16 bits', compare: (seed: number, shape: Shape) => compareSegmented(16, seed, shape) }, { name: '32 bits, segmented', compare: (seed: number, shape: Shape) => compareSegmented(32, seed, shape) },
  { name: 'real mode', compare: (seed: number, shape: Shape) => compareLow('real', seed, shape) }, { name: 'virtual-8086', compare: (seed: number, shape: Shape) => compareLow('virtual-8086', seed, shape) },
];

const startMs = performance.now();
let instructions = 0, programs = 0;
for (let seed = 1; instructions < WANTED; seed++) {
  for (const { name, compare } of KINDS) {
    const shape = { turns: TURNS[seed % 3] ?? 60, lines: LINES[(seed / 3 | 0) % 3] ?? 24 };
    const { source, expected, actual } = compare(seed * 104_729, shape);
    if (outcomeOf(expected) !== outcomeOf(actual)) throw new Error(`seed ${seed}, ${name}, ${JSON.stringify(shape)}\ninterpreter ${outcomeOf(expected)}\ntranslator  ${outcomeOf(actual)}\n${source}`);
    instructions += expected.instructions;
    programs++;
  }
  if (seed % 10 === 0) console.log(`${(instructions / 1e6).toFixed(1)} million instructions in ${programs} programs agree, ${((performance.now() - startMs) / 1000).toFixed(0)} s`);
}
