import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** `$VMM_CACHE`, else `$XDG_CACHE_HOME/vmm`, else `~/.cache/vmm`. */
export function cacheFolder(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  if (environment.VMM_CACHE) return environment.VMM_CACHE;
  return join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'vmm');
}

/** A JSON file of ours, or undefined when missing or damaged. */
export async function readRecord(path: string): Promise<Record<string, unknown> | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
