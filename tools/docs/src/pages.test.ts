import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DOCS, PAGES } from './pages.ts';

describe('pages that are made', () => {
  it.each(PAGES.map((page) => [page.path, page] as const))('docs/%s is up to date', { timeout: 60_000 }, async (path, { make }) => {
    expect(readFileSync(join(DOCS, path), 'utf8'), 'run: node tools/docs/src/main.ts').toBe(await make());
  });
});
