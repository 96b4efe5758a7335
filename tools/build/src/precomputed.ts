import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const MARK = '/* @precomputed */';

/** The part of a bundler's plugin that is used here. */
export interface LoadPlugin {
  readonly name: string;
  load(id: string): Promise<{ readonly code: string; readonly moduleType: 'js' } | undefined>;
}

/** Modules that begin with the mark export data and nothing else: a bundle holds what they compute instead of the computation. */
export function precomputed(): LoadPlugin {
  return {
    name: 'precomputed',
    load: async (id) => {
      if (!id.endsWith('.ts') || !readFileSync(id, 'utf8').startsWith(MARK)) return undefined;
      const exported = await import(pathToFileURL(id).href) as Record<string, unknown>;
      return { code: Object.entries(exported).map(([name, value]) => `export const ${name} = ${literal(value, name)};\n`).join(''), moduleType: 'js' };
    },
  };
}

function literal(value: unknown, name: string): string {
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64');
    return `new ${value.constructor.name}(new Uint8Array(Buffer.from('${bytes}', 'base64')).buffer)`;
  }
  const refuse = (): never => { throw new TypeError(`cannot write ${name} of a precomputed module down: it is no plain data`); };
  return JSON.stringify(value, (_key, part: unknown) => (isPlain(part) ? part : refuse())) ?? refuse();
}

function isPlain(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return value === null || ['number', 'string', 'boolean'].includes(typeof value);
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
}
