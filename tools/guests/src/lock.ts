/**
 * One writer of the cache at a time, across processes. The lock is a file naming its holder; a holder that died is
 * recognised by its process id (and start time, where the system tells), so a crash leaves nothing to clean up.
 */
import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { VmmError } from '@vmm/spec';
import type { WaitOptions } from './progress.ts';

const POLL_MS = 200;

/** Runs `work` while holding the lock; waits as long as another living process holds it. */
export async function withLock<T>(path: string, options: WaitOptions, work: () => Promise<T>): Promise<T> {
  const mine = `${process.pid} ${(await startTimeOf(process.pid)) ?? '-'} ${randomUUID()}`;
  await acquire(path, mine, options);
  try {
    return await work();
  } finally {
    if ((await readFile(path, 'utf8').catch(() => '')) === mine) await unlink(path).catch(() => undefined);
  }
}

async function acquire(path: string, mine: string, options: WaitOptions): Promise<void> {
  let reported = false;
  while (!(await tryCreate(path, mine))) {
    options.signal?.throwIfAborted();
    const holder = await readFile(path, 'utf8').catch(() => undefined);
    if (holder === undefined) continue;
    if (await isAlive(holder)) {
      if (!reported) options.progress?.({ phase: 'wait', message: `wait for another run (process ${holder.split(' ')[0]})` });
      reported = true;
      await sleep(POLL_MS, undefined, options.signal === undefined ? {} : { signal: options.signal });
    } else {
      await removeStale(path, holder);
    }
  }
}

/** Creates the lock with its content in one step: a hard link either appears or fails. */
async function tryCreate(path: string, content: string): Promise<boolean> {
  const temporary = `${path}.${process.pid}-${randomUUID()}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(temporary, content);
    await link(temporary, path);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new VmmError('GUEST_CACHE_UNWRITABLE', `Cannot lock ${path}`, { hint: 'Name a writable folder in VMM_CACHE.', cause });
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Another process may have replaced the dead holder's lock since we read it: then put that one back. */
async function removeStale(path: string, seen: string): Promise<void> {
  const aside = `${path}.${process.pid}-${randomUUID()}`;
  if (!(await rename(path, aside).then(() => true, () => false))) return;
  if ((await readFile(aside, 'utf8')) !== seen) await link(aside, path).catch(() => undefined);
  await unlink(aside);
}

async function isAlive(holder: string): Promise<boolean> {
  const [pidText = '', startTime] = holder.split(' ');
  const pid = Number(pidText);
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  const actual = await startTimeOf(pid);
  return actual === undefined || startTime === '-' || actual === startTime;
}

/** Linux proc(5): field 22 of /proc/PID/stat, counted after the command in parentheses. */
async function startTimeOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}
