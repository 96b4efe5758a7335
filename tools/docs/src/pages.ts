import { fileURLToPath } from 'node:url';
import { sensitivePage } from './sensitive-page.ts';
import { translationPage } from './translation-page.ts';

/** Pages of docs/ that are made, not written. */
export const PAGES: readonly { readonly path: string; readonly make: () => string | Promise<string> }[] = [
  { path: 'sensitive-instructions.md', make: sensitivePage },
  { path: 'translation.md', make: translationPage },
];

export const DOCS = fileURLToPath(new URL('../../../docs/', import.meta.url));
