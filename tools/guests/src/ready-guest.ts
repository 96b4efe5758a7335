import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readRecord } from './cache-folder.ts';
import type { GuestDefinition } from './catalogue.ts';
import { initScript, SHELL_STARTUP } from './init.ts';
import type { Guest } from './obtain.ts';

export function guestFolder(cache: string, { name }: GuestDefinition): string {
  return join(cache, 'guests', name);
}

/** Changes whenever what we put into the RAM disk does. */
export function recipeOf({ name, busybox }: GuestDefinition): string {
  return JSON.stringify([3, initScript(name), SHELL_STARTUP, busybox.id]);
}

/** The guest whose files had the right checksums the last time, if nobody has touched them since: a file that is written to gets another change time. */
export async function findUnchanged(cache: string, definition: GuestDefinition): Promise<Guest | undefined> {
  const record = await readRecord(recordPath(cache, definition));
  if (record?.origin !== originOf(cache, definition)) return undefined;
  const guest = record.guest as Guest;
  return await stampOf(guest) === record.stamp ? guest : undefined;
}

/** The guest's files have just been checked. */
export async function rememberChecked(cache: string, definition: GuestDefinition, guest: Guest): Promise<void> {
  const record = { origin: originOf(cache, definition), stamp: await stampOf(guest), guest };
  // a cache that can only be read is checked each time; one written by halves is no JSON
  await writeFile(recordPath(cache, definition), JSON.stringify(record)).catch(() => undefined);
}

function recordPath(cache: string, definition: GuestDefinition): string {
  return join(guestFolder(cache, definition), 'checked.json');
}

function originOf(cache: string, definition: GuestDefinition): string {
  return JSON.stringify([cache, definition, recipeOf(definition)]);
}

async function stampOf({ kernel, initrd }: Guest): Promise<string> {
  const stats = await Promise.all([kernel, initrd].map((path) => stat(path).catch(() => undefined)));
  return JSON.stringify(stats.map((file) => file === undefined ? undefined : [file.ino, file.size, file.mtimeMs, file.ctimeMs]));
}
