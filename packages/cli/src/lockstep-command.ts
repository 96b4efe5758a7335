import { Lockstep } from '@vmm/runtime/lockstep';
import type { Divergence, LockstepOptions } from '@vmm/runtime/lockstep';
import type { Config } from './config-schema.ts';
import { defined } from './config-file.ts';
import { EXIT } from './exit-code.ts';
import { findImage } from './image.ts';
import { writeAll } from './output.ts';
import { ProgressLine } from './progress.ts';

export interface LockstepFlags {
  /** Where to stop. */
  readonly instructions: number;
  readonly every: number;
  readonly memoryEvery: number;
  readonly input: string | undefined;
  readonly json: boolean;
  readonly offline: boolean;
  readonly showsOutput: boolean;
}

const STDOUT = 1, STDERR = 2;
const REPORT_MS = 1000;

/** One `vmm lockstep`: a guest on the interpreter and on the translator at once, until the end, a count, or the first difference. */
export async function lockstepCommand(config: Config, flags: LockstepFlags, signal: AbortSignal): Promise<number> {
  const progress = new ProgressLine({ show: !flags.json, isTerminal: process.stderr.isTTY });
  const image = await findImage(config, {
    signal, offline: flags.offline, progress: (message) => { progress.step(message); }, notice: (message) => { writeAll(STDERR, `${message}\n`); },
  });
  const options: LockstepOptions = {
    boot: image.boot, everyInstructions: flags.every, memoryEvery: flags.memoryEvery,
    ...defined({ memory: config.memory, cpu: config.cpu, input: flags.input }),
    ...(flags.showsOutput ? { onSerial: (byte: number) => { writeAll(STDOUT, Uint8Array.of(byte)); } } : {}),
  };
  const lockstep = new Lockstep(options);
  const startMs = performance.now();
  let reportedMs = startMs;
  for (;;) {
    if (signal.aborted) return signal.reason as number;
    const outcome = lockstep.step();
    const { counters } = lockstep, nowMs = performance.now();
    if (typeof outcome === 'object') return report(outcome, flags.json);
    if (outcome !== 'running' || counters.instructions >= flags.instructions) {
      progress.clear();
      const summary = { outcome: outcome === 'running' ? 'count reached' : outcome, seconds: Math.round(nowMs - startMs) / 1000, ...counters };
      writeAll(STDOUT, flags.json ? `${JSON.stringify({ event: 'lockstep', ...summary })}\n` : `lock-step clean: ${Object.entries(summary).map(([name, value]) => `${name} ${value}`).join(', ')}\n`);
      return EXIT.ok;
    }
    if (nowMs - reportedMs < REPORT_MS) continue;
    reportedMs = nowMs;
    progress.step(`${(counters.instructions / 1e6).toFixed(0)} million instructions, ${counters.comparisons} comparisons`);
    await new Promise((resolve) => { setImmediate(resolve); }); // signals are seen
  }
}

function report(found: Divergence, isJson: boolean): number {
  writeAll(STDOUT, isJson ? `${JSON.stringify({ event: 'divergence', ...found })}\n` : describeDivergence(found));
  return EXIT.diverged;
}

/** For people: what differs, and where it began. */
export function describeDivergence({ reason, instructions, differences, memory, recent, culprit }: Divergence): string {
  const lines = [`diverged after ${instructions} instructions: ${reason}`, ...table(differences), ...memory.map((word) => `  memory ${word}`)];
  if (culprit === undefined) return text([...lines, 'last instructions of the interpreter:', ...indent(recent), 'not seen again from the last good state: it depends on what was translated before']);
  const { instruction, stretch, before } = culprit;
  lines.push(instruction === undefined ? 'each instruction of this stretch is right when it is translated alone; together they are not:' : `first diverging instruction: ${instruction}`);
  if (instruction === undefined) lines.push(...indent(stretch));
  lines.push(...table(culprit.differences), ...culprit.memory.map((word) => `  memory ${word}`), 'registers before it:', ...indent(before));
  if (instruction !== undefined) lines.push('instructions up to it:', ...indent(stretch));
  return text(lines);
}

const table = (differences: Divergence['differences']): string[] => differences.map(({ register, values: [translator, interpreter] }) => `  ${register.padEnd(8)} translator ${translator}, interpreter ${interpreter}`);
const indent = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);
const text = (lines: readonly string[]): string => `${lines.join('\n')}\n`;
