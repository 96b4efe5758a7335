import { VmmError } from '@vmm/spec';
import type { MachineState, RegisterDump } from '@vmm/runtime';

/** One line, and one more with the hint. Bugs keep their stack: that is what a report needs. */
export function describeError(error: unknown): string {
  if (error instanceof VmmError) return `vmm: ${error.message}${error.hint === undefined ? '' : `\n  ${error.hint}`}\n`;
  const text = error instanceof Error ? error.stack ?? error.message : String(error);
  return `vmm: internal error: ${text}\n  This is a bug in vmm: please report it with this text.\n`;
}

/** Registers in columns and the last instructions. */
export function describeDump(dump: RegisterDump): string {
  const cells = Object.entries(dump.registers).map(([name, value]) => `${name}=${value}`);
  const width = Math.max(...cells.map((cell) => cell.length), 1) + 2;
  const columns = Math.max(1, Math.floor(100 / width));
  const rows: string[] = [];
  for (let i = 0; i < cells.length; i += columns) rows.push(cells.slice(i, i + columns).map((cell) => cell.padEnd(width)).join('').trimEnd());
  const recent = dump.recent.length === 0 ? [] : ['last instructions:', ...dump.recent.map((line) => `  ${line}`)];
  return `mode ${dump.mode}\n${[...rows, ...recent].join('\n')}\n`;
}

/** Which counters belong together; a counter that is in no group is printed with the last one. */
const COUNTER_GROUPS: readonly { readonly title: string; readonly names: readonly string[] }[] = [
  { title: 'exits of generated code', names: ['runs', 'callouts', 'exceptions', 'interrupts', 'extensionForms'] },
  { title: 'code cache', names: ['decodedBlocks', 'decodedInstructions', 'killedBlocks', 'flushes', 'lookups'] },
  { title: 'MMU', names: ['slowAccesses', 'walks', 'walkReferences', 'fills', 'revivals', 'pageFaults', 'canonicalFaults', 'mmio', 'pageCrossings', 'codeWrites', 'tags', 'wipes', 'invalidations', 'largeInvalidations'] },
  { title: 'translator', names: ['regions', 'regionEntries', 'regionInstructions', 'regionBytes', 'modules', 'regionDeaths', 'translateMs', 'untranslatable', 'inlinedCalls'] },
];

export function describeStats(state: Pick<MachineState, 'instructions' | 'virtualTimeNs' | 'counters'>, wallMs: number): string {
  const seconds = wallMs / 1000;
  const mips = state.instructions / 1e6 / Math.max(seconds, 1e-9);
  const lines = [
    `instructions ${state.instructions}`, `wall-clock seconds ${seconds.toFixed(3)}`, `MIPS ${mips.toFixed(1)}`,
    `virtual seconds ${(state.virtualTimeNs / 1e9).toFixed(3)}`,
    ...describeCounters(state.counters),
  ];
  return `${lines.join('\n')}\n`;
}

function describeCounters(counters: MachineState['counters']): string[] {
  const grouped = new Set(['instructions', ...COUNTER_GROUPS.flatMap(({ names }) => names)]);
  const callouts = Object.keys(counters).filter((name) => name.startsWith('callout ')).sort((a, b) => (counters[b] ?? 0) - (counters[a] ?? 0));
  const others = Object.keys(counters).filter((name) => !grouped.has(name) && !callouts.includes(name));
  const groups = COUNTER_GROUPS.flatMap(({ title, names }, i) => {
    const present = [...names, ...(i === COUNTER_GROUPS.length - 1 ? others : [])].filter((name) => name in counters);
    return present.length === 0 ? [] : [title, ...present.map((name) => `  ${name} ${formatCount(counters[name] ?? 0)}`)];
  });
  return callouts.length === 0 ? groups : [...groups, 'callouts', ...callouts.map((name) => `  ${name.slice('callout '.length)} ${formatCount(counters[name] ?? 0)}`)];
}

const formatCount = (value: number): string => (Number.isInteger(value) ? String(value) : value.toFixed(1));
