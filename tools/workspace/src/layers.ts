/** From the bottom up: a package may import packages of its own layer and of those below it. */
export const LAYERS = ['contract', 'core', 'engine', 'device', 'machine', 'app'] as const;

/** `tool` stands beside the product: tools may import anything, and only apps, tools and tests import tools. */
export type Layer = (typeof LAYERS)[number] | 'tool';

export function isLayer(text: string): text is Layer {
  return text === 'tool' || (LAYERS as readonly string[]).includes(text);
}

/** Why `from` may not import `to`, as a sentence; undefined when it may. */
export function forbiddenImport(from: Layer, to: Layer, importerIsTest = false): string | undefined {
  if (from === 'tool') return undefined;
  if (to === 'tool') return importerIsTest || from === 'app' ? undefined : 'tools are for apps, tools and tests; the packages below must work without them';
  if (from === 'device' && to === 'device') return 'devices never import each other; what they share belongs in a package below them';
  if (from === 'device' && to === 'engine') return 'devices know no engine; take what is needed as an injected port';
  if (LAYERS.indexOf(to) > LAYERS.indexOf(from)) return `imports point down, and ${to} is above ${from}`;
  return undefined;
}
