/** Generates the cases of a group, runs them on both sides, reports what differs. */
import { TestCase } from './case-layout.ts';
import { differences } from './compare.ts';
import { EmulatedCpu } from './emulated.ts';
import type { Group } from './group.ts';
import { assemble, hostFeatures, NativeCpu } from './native.ts';
import { Random } from './random.ts';

export interface Mismatch { readonly instruction: string; readonly input: TestCase; readonly native: TestCase; readonly ours: TestCase; readonly what: readonly string[] }
export interface GroupReport { readonly name: string; readonly cases: number; readonly mismatches: readonly Mismatch[]; readonly skipped?: string }

export interface HarnessOptions {
  /** Cases per instruction. Default 20. */
  readonly count?: number;
  readonly seed?: number;
  /** Only instructions that match. */
  readonly only?: RegExp;
}

const BATCH = 4000;

export class Harness {
  readonly #native = new NativeCpu();
  #ours = new EmulatedCpu();
  #placed = 0;

  run(group: Group, options: HarnessOptions = {}): GroupReport {
    const { count = 20, seed = 1, only } = options;
    if (group.feature !== undefined && !hostFeatures().has(group.feature)) return { name: group.name, cases: 0, mismatches: [], skipped: `the host has no ${group.feature}` };
    const instructions = group.instructions.filter((text) => only?.test(text) ?? true);
    const codes = assemble(instructions), random = new Random(seed), mismatches: Mismatch[] = [];
    let batch: { instruction: string; test: TestCase }[] = [], cases = 0;
    const flush = (): void => {
      const after = this.#native.run(batch.map(({ test }) => test));
      batch.forEach(({ instruction, test }, i) => {
        const native = after[i] as TestCase, ours = this.#ours.run(test);
        const tolerance = typeof group.tolerance === 'function' ? group.tolerance(instruction) : group.tolerance;
        const what = differences(native, ours, tolerance);
        if (what.length > 0) mismatches.push({ instruction, input: test, native, ours, what });
      });
      cases += batch.length;
      batch = [];
    };
    instructions.forEach((instruction, n) => {
      if (++this.#placed % 20_000 === 0) this.#ours = new EmulatedCpu();
      for (let i = 0; i < count; i++) {
        const test = TestCase.blank(codes[n] as Uint8Array);
        group.prepare(test, random, i, instruction);
        batch.push({ instruction, test });
        if (batch.length === BATCH) flush();
      }
    });
    if (batch.length > 0) flush();
    return { name: group.name, cases, mismatches };
  }

  close(): void { this.#native.close(); }
}
