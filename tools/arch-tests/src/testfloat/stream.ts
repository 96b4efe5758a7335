/** Reads the lines of `testfloat_gen` (operands, result, flags, all hexadecimal) and compares. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { generatorArguments, testFloatFlags } from './operations.ts';
import type { Operation } from './operations.ts';

export interface StreamReport { readonly cases: number; readonly mismatches: number; readonly free: number; readonly examples: readonly string[] }
/** Performs many cases at once. */
export type Perform = (cases: readonly (readonly bigint[])[]) => readonly { readonly result: bigint; readonly flags: number }[];
const BATCH = 8192;

/** What one line says. */
export function parseLine(line: string): { operands: bigint[]; result: bigint; flags: number } {
  const numbers = line.trim().split(/\s+/).map((text) => BigInt(`0x${text}`)), flags = Number(numbers.pop()), result = numbers.pop() ?? 0n;
  return { operands: numbers, result, flags };
}

/** Fraction and exponent bits by TestFloat's type, for what is a NaN. */
const LAYOUT: Readonly<Record<string, { fraction: bigint; exponent: bigint }>> = { f16: { fraction: 10n, exponent: 5n }, f32: { fraction: 23n, exponent: 8n }, f64: { fraction: 52n, exponent: 11n } };

/**
 * 0 × ∞ + NaN: IEEE 754-2019 §7.2(c) leaves open whether that is invalid. SoftFloat answers with the default NaN and the flag, x86 (SDM vol 1 §14.5.2, and the
 * host CPU) with the NaN, and flags it only if it signals.
 */
function isFreeChoice({ name }: Operation, [a = 0n, b = 0n, c = 0n]: readonly bigint[]): boolean {
  const layout = LAYOUT[name.split('_')[0] ?? ''];
  if (!name.endsWith('_mulAdd') || layout === undefined) return false;
  const magnitude = (1n << layout.fraction + layout.exponent) - 1n, infinity = magnitude ^ (1n << layout.fraction) - 1n;
  const [x, y] = [a & magnitude, b & magnitude];
  return (x === 0n && y === infinity || x === infinity && y === 0n) && (c & magnitude) > infinity;
}

export async function compareStream(generator: string, operation: Operation, level: number, perform: Perform, keep: number): Promise<StreamReport> {
  const child = spawn(generator, generatorArguments(operation, level), { stdio: ['ignore', 'pipe', 'ignore'] });
  let cases = 0, mismatches = 0, free = 0, batch: string[] = [];
  const examples: string[] = [];
  const flush = (): void => {
    const parsed = batch.map(parseLine), ours = perform(parsed.map(({ operands }) => operands));
    parsed.forEach(({ operands, result, flags }, i) => {
      const outcome = ours[i], raised = testFloatFlags(outcome?.flags ?? 0);
      if (outcome?.result === result && raised === flags) return;
      if (isFreeChoice(operation, operands)) { free++; return; }
      mismatches++;
      if (examples.length < keep) examples.push(`${batch[i] ?? ''} but ${(outcome?.result ?? 0n).toString(16).toUpperCase()} ${raised.toString(16).padStart(2, '0')}`);
    });
    cases += batch.length;
    batch = [];
  };
  for await (const line of createInterface({ input: child.stdout })) if (batch.push(line) === BATCH) flush();
  flush();
  return { cases, mismatches, free, examples };
}
