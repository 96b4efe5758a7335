import { cpus, loadavg } from 'node:os';

/** One comparison as it is stored. */
export interface Results {
  readonly suite: string;
  readonly date: string;
  readonly host: { readonly cpu: string; readonly cores: number; readonly node: string; /** Of the last minute, when the comparison was over: more than a system's own threads means that others ran too. */ readonly load?: number };
  readonly systems: Readonly<Record<string, string>>;
  readonly rounds: number;
  /** Milliseconds by system and row, in the order measured. */
  readonly ms: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;
  /** Rows whose checksum was not the same everywhere, and runs that did not end. */
  readonly problems: readonly string[];
}

export function describeHost(): Results['host'] {
  return { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, node: process.versions.node, load: Math.round(loadavg()[0] ?? 0) };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b), middle = sorted.length >> 1;
  if (sorted.length === 0) return NaN;
  return sorted.length % 2 === 1 ? sorted[middle] ?? NaN : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}

export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/** Median of a system over the median of another, by row; rows that one of them lacks are left out. */
export function ratios(results: Results, system: string, reference: string): Record<string, number> {
  const mine = results.ms[system] ?? {}, theirs = results.ms[reference] ?? {};
  const names = Object.keys(mine).filter((name) => (theirs[name]?.length ?? 0) > 0);
  return Object.fromEntries(names.map((name) => [name, median(mine[name] ?? []) / median(theirs[name] ?? [])]));
}
