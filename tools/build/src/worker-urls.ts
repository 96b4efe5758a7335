/** `new URL('./cpu.worker.ts', import.meta.url)`, as vite must see it literally; the compiler leaves the string alone. */
const moduleUrl = /(new\s+URL\(\s*(['"])\.{1,2}\/[^'"]*?)\.ts(\2\s*,\s*import\.meta\.url\s*,?\s*\))/g;

/** Points module URLs at the compiled files. */
export function rewriteWorkerUrls(code: string): string {
  return code.replaceAll(moduleUrl, '$1.js$3');
}
