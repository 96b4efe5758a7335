import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';

/** A process that calls it and prints, for each of its threads, name and nice value. */
const PROGRAM = `
  import { readdirSync, readFileSync } from 'node:fs';
  import { getPriority } from 'node:os';
  import { yieldCompilerThreads } from ${JSON.stringify(new URL('./compiler-threads.node.ts', import.meta.url).href)};
  const count = yieldCompilerThreads();
  const threads = readdirSync('/proc/self/task').map((id) => [readFileSync('/proc/self/task/' + id + '/comm', 'latin1').trim(), getPriority(Number(id))]);
  console.log(JSON.stringify({ count, threads }));
`;

describe.runIf(process.platform === 'linux')('V8\'s own threads', () => {
  test('yield, and no other thread does', () => {
    const { count, threads } = JSON.parse(execFileSync(process.execPath, ['--input-type=module', '--eval', PROGRAM], { encoding: 'utf8' })) as { count: number; threads: [string, number][] };
    const yielding = threads.filter(([, nice]) => nice === 10);
    expect(count).toBeGreaterThan(0);
    expect(yielding).toHaveLength(count);
    expect(yielding.every(([name]) => name.includes('V8Worker'))).toBe(true);
  });
});
