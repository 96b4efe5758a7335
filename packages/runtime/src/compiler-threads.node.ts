import { readdirSync, readFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

const TASKS = '/proc/self/task';
/** What Node calls the threads on which V8 compiles and collects garbage. */
const NAME = /V8Worker/;
/** Above the nice value of the process: a tenth of the time of a thread that competes with them. The highest there is. */
const NICER = 10, NICEST = 19;

/**
 * Has V8's own threads yield to vCPUs where cores are short: they optimize code that runs already. For all of the process, until it ends. Linux alone can do
 * it; elsewhere nothing happens. Returns how many threads there are.
 */
export function yieldCompilerThreads(): number {
  const nice = Math.min(getPriority() + NICER, NICEST);
  let count = 0;
  try {
    for (const thread of readdirSync(TASKS)) {
      if (!NAME.test(readFileSync(`${TASKS}/${thread}/comm`, 'latin1'))) continue;
      setPriority(Number(thread), nice);
      count++;
    }
  } catch {
    // no /proc, or it may not be done: they compete as before
  }
  return count;
}
