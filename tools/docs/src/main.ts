import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DOCS, PAGES } from './pages.ts';

if (process.argv.includes('--help')) {
  process.stdout.write(`node src/main.ts: writes ${PAGES.map(({ path }) => `docs/${path}`).join(', ')}\n`);
} else {
  mkdirSync(DOCS, { recursive: true });
  for (const { path, make } of PAGES) writeFileSync(join(DOCS, path), await make());
}
