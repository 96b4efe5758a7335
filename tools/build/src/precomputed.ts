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
  if (isWords(value)) return words(value);
  const refuse = (): never => { throw new TypeError(`cannot write ${name} of a precomputed module down: it is no plain data`); };
  const json = JSON.stringify(value, (_key, part: unknown) => (isPlain(part) ? part : refuse())) ?? refuse();
  return isTable(value) ? table(value) : json;
}

type Words = ArrayBufferView & { readonly constructor: { readonly name: string } };
const isWords = (value: unknown): value is Words => ArrayBuffer.isView(value) && !(value instanceof DataView);

function words(view: Words): string {
  const bytes = Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString('base64');
  return `new ${view.constructor.name}(new Uint8Array(Buffer.from('${bytes}', 'base64')).buffer)`;
}

type Records = readonly Readonly<Record<string, unknown>>[];
const MANY = 32;

/** Many objects with the same keys. */
function isTable(value: unknown): value is Records {
  if (!Array.isArray(value) || value.length < MANY) return false;
  const keysOf = (record: unknown): string => (typeof record === 'object' && record !== null && !Array.isArray(record) ? Object.keys(record).join() : '');
  const keys = keysOf(value[0]);
  return keys !== '' && value.every((record) => keysOf(record) === keys);
}

/** Each different part once, and which parts each record has: a tenth of the text, and of the time to read it. Equal parts become the same object. */
function table(records: Records): string {
  const keys = Object.keys(records[0] ?? {}), parts = new Map<string, number>();
  const cells = records.flatMap((record) => keys.map((key) => {
    const text = JSON.stringify(record[key]);
    if (!parts.has(text)) parts.set(text, parts.size);
    return parts.get(text) ?? 0;
  }));
  const fields = keys.map((key, i) => `${JSON.stringify(key)}: parts[cells[at + ${i}]]`).join(', ');
  const made = `Array.from({ length: ${records.length} }, (_, i) => { const at = i * ${keys.length}; return { ${fields} }; })`;
  return `((parts, cells) => ${made})(JSON.parse(${JSON.stringify(`[${[...parts.keys()].join()}]`)}), ${words((parts.size > 0xffff ? Uint32Array : Uint16Array).from(cells))})`;
}

/** What JSON writes down as it is. */
function isPlain(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0);
  if (typeof value !== 'object' || value === null) return value === null || ['string', 'boolean'].includes(typeof value);
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
}
