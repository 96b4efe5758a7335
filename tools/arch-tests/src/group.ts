import type { TestCase } from './case-layout.ts';
import type { Tolerance } from './compare.ts';
import type { Random } from './random.ts';

/** Instructions that are tested alike. */
export interface Group {
  readonly name: string;
  /** Intel syntax, one instruction each; the data lies at [rsi], 256 bytes, and [rsi+1] is where misalignment is tried. */
  readonly instructions: readonly string[];
  /** Fills registers and memory for one case; `index` counts the cases of an instruction. */
  readonly prepare: (test: TestCase, random: Random, index: number, instruction: string) => void;
  readonly tolerance?: Tolerance | ((instruction: string) => Tolerance);
  /** /proc/cpuinfo flag the host needs. */
  readonly feature?: string;
}
