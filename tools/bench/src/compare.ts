import { runGuest } from './markers.ts';
import type { GuestRun } from './markers.ts';
import { describeHost } from './results.ts';
import type { Results } from './results.ts';
import type { Boot, Suite } from './suites.ts';
import type { System } from './systems.ts';

/** Runs every system once a round, in alternating order, and gathers times and disagreements. */
export async function compare(suite: Suite, systems: readonly System[], rounds: number, log: (line: string) => void): Promise<Results> {
  const boot = await suite.prepare();
  const able = systems.filter((system) => system.canRun?.(boot) !== false);
  const ms: Record<string, Record<string, number[]>> = Object.fromEntries(able.map(({ name }) => [name, {}]));
  const checksums = new Map<string, Map<string, string[]>>();
  const problems: string[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const system of round % 2 === 0 ? able : able.toReversed()) {
      const run = await runOn(system, boot);
      if (run.failure !== undefined) problems.push(`${system.name}: ${run.failure}`);
      if (run.bootMs !== undefined) (ms[system.name] ??= {})['boot'] = [...ms[system.name]?.['boot'] ?? [], Math.round(run.bootMs)];
      for (const [name, row] of Object.entries(run.rows)) {
        ((ms[system.name] ??= {})[name] ??= []).push(row.ms);
        const sums = checksums.get(name) ?? new Map<string, string[]>();
        sums.set(row.checksum, [...sums.get(row.checksum) ?? [], system.name]);
        checksums.set(name, sums);
      }
      log(`round ${round + 1}, ${system.name}: boot ${Math.round(run.bootMs ?? NaN)}, ${Object.entries(run.rows).map(([name, row]) => `${name} ${row.ms.toFixed(0)}`).join(', ')}${run.failure === undefined ? '' : `; ${run.failure}`}`);
    }
  }
  for (const [name, sums] of checksums) if (sums.size > 1) problems.push(`${name}: checksums differ: ${[...sums].map(([sum, who]) => `${sum} (${[...new Set(who)].join(', ')})`).join(', ')}`);
  return { suite: suite.name, date: new Date().toISOString().slice(0, 10), host: describeHost(), systems: Object.fromEntries(able.map(({ name, description }) => [name, description])), rounds, ms, problems };
}

function runOn(system: System, boot: Boot): Promise<GuestRun> {
  const { hangMs, typed } = boot;
  return runGuest(system.command(boot), { ...(hangMs === undefined ? {} : { hangMs }), ...(typed === undefined ? {} : { typed }) });
}
