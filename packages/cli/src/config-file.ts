import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { VmmError } from '@vmm/spec';
import type { Config } from './config-schema.ts';

const DEFAULT_NAMES = ['vmm.config.ts', 'vmm.config.js', 'vmm.config.json'] as const;

/** The configuration file that was named, or the one in `folder`, or nothing; its paths made absolute. */
export async function loadConfig(named: string | undefined, folder: string): Promise<Config> {
  const path = named ?? DEFAULT_NAMES.find((name) => existsSync(resolve(folder, name)));
  if (path === undefined) return {};
  const full = resolve(folder, path);
  const config = await parseConfig(await readConfig(full), path);
  const absolute = (file: string | undefined): string | undefined => file === undefined ? undefined : resolve(dirname(full), file);
  return { ...config, ...defined({ kernel: absolute(config.kernel), initrd: absolute(config.initrd), translationCache: absolute(config.translationCache) }) };
}

async function readConfig(path: string): Promise<unknown> {
  try {
    if (path.endsWith('.json')) return JSON.parse(await readFile(path, 'utf8')) as unknown;
    const module = await import(pathToFileURL(path).href) as { readonly default?: unknown };
    return module.default;
  } catch (cause) {
    throw new VmmError('CONFIG_INVALID', `Cannot read configuration ${path}: ${firstLine(cause)}`, {
      hint: 'It is JSON, or a module whose default export is the configuration.', cause,
    });
  }
}

/** Checks against the schema; the error names the first field that is wrong. */
export async function parseConfig(value: unknown, path: string): Promise<Config> {
  const { configSchema } = await import('./config-schema.ts');
  const parsed = configSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue === undefined || issue.path.length === 0 ? '' : `${issue.path.join('.')}: `;
  throw new VmmError('CONFIG_INVALID', `Cannot use configuration ${path}: ${where}${issue?.message ?? 'invalid'}`, {
    hint: 'vmm schema prints what a configuration may hold.',
  });
}

/** Options where their name is not the configuration's. */
const OPTION_OF: Readonly<Record<string, string>> = { onTripleFault: '--triple-fault', reboot: '--no-reboot' };

/** Whatever the text: the schema has nothing to say about these, and loading it is a tenth of the time to a guest's first instruction. */
const FREE_TEXT: readonly (keyof Config)[] = ['guest', 'kernel', 'initrd', 'append', 'memory', 'translationCache'];

/** The same for what the command line says: the error names the option and says what it takes. */
export async function parseOptions(value: Readonly<Record<string, unknown>>): Promise<Config> {
  if (Object.entries(value).every(([key, given]) => (FREE_TEXT as readonly string[]).includes(key) && typeof given === 'string')) return value as Config;
  const { configSchema } = await import('./config-schema.ts');
  const parsed = configSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0], key = String(issue?.path[0]);
  const given = value[key], takes = (configSchema.shape as Readonly<Record<string, { readonly description?: string | undefined }>>)[key]?.description ?? '';
  const choices = /expected one of (.*)/.exec(issue?.message ?? '')?.[1]?.replaceAll('"', '').replaceAll('|', ', ');
  throw new VmmError('OPTION_INVALID', `Cannot use ${OPTION_OF[key] ?? `--${key}`} ${typeof given === 'string' ? given : JSON.stringify(given)}`, {
    hint: choices === undefined ? takes : `${takes} One of: ${choices}.`,
  });
}

/** Without the keys whose value is undefined. */
export function defined<T extends object>(values: T): Partial<{ [Key in keyof T]: Exclude<T[Key], undefined> }> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<{ [Key in keyof T]: Exclude<T[Key], undefined> }>;
}

export function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? '';
}
