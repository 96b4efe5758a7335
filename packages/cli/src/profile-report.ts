import type { GuestProfile } from '@vmm/runtime';
import type { SymbolTable } from './symbols.ts';

interface Line { readonly name: string; readonly ring: number; readonly count: number }

const PAGE = 0xfffn;
const KERNEL_RING = 0;

/** Samples by function, most first; code without a symbol by page. */
export function profileLines({ addresses, ...entries }: GuestProfile, symbols: SymbolTable | undefined): Line[] {
  const slide = symbols?.slide(entries) ?? 0n;
  const totals = new Map<string, Line>();
  for (const { linear, ring, count } of addresses) {
    const symbol = ring === KERNEL_RING || slide === 0n ? symbols?.find(BigInt.asUintN(64, linear - slide)) : undefined;
    const name = symbol?.name ?? `[page ${(linear & ~PAGE).toString(16)}]`, key = `${ring} ${name}`;
    totals.set(key, { name, ring, count: (totals.get(key)?.count ?? 0) + count });
  }
  return [...totals.values()].sort((a, b) => b.count - a.count);
}

const percent = (part: number, whole: number): string => `${(100 * part / Math.max(1, whole)).toFixed(2).padStart(6)} %`;

/** A text as perf prints: share, samples, ring, function. */
export function describeProfile(profile: GuestProfile, symbols: SymbolTable | undefined, most = Infinity): string {
  const { samples, idle, classes } = profile, lines = profileLines(profile, symbols);
  const inKernel = lines.filter(({ ring }) => ring === KERNEL_RING).reduce((sum, { count }) => sum + count, 0);
  return [
    `# ${samples} samples of the running guest: ring 0 ${percent(inKernel, samples).trim()}, others ${percent(samples - inKernel, samples).trim()}; ${idle} more while it had halted`,
    `# instructions sampled: ${Object.entries(classes).sort(([, a], [, b]) => b - a).map(([name, count]) => `${name} ${percent(count, samples).trim()}`).join(', ')}`,
    ...(symbols === undefined ? [] : [`# symbols ${symbols.count}, moved by ${symbols.slide(profile).toString(16)}`]),
    ...lines.slice(0, most).map(({ name, ring, count }) => `${percent(count, samples)} ${String(count).padStart(7)}  ring ${ring}  ${name}`), '',
  ].join('\n');
}
