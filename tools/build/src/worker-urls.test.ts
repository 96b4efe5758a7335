import { describe, expect, it } from 'vitest';
import { rewriteWorkerUrls } from './worker-urls.ts';

describe('module URLs of compiled code', () => {
  it.each([
    ["new URL('./cpu.worker.ts', import.meta.url)", "new URL('./cpu.worker.js', import.meta.url)"],
    ['new URL("../vcpu/cpu.worker.ts", import.meta.url)', 'new URL("../vcpu/cpu.worker.js", import.meta.url)'],
    ["new URL(\n  './a.ts',\n  import.meta.url,\n)", "new URL(\n  './a.js',\n  import.meta.url,\n)"],
    ["f(new URL('./a.ts', import.meta.url), new URL('./b.ts', import.meta.url))", "f(new URL('./a.js', import.meta.url), new URL('./b.js', import.meta.url))"],
  ])('%s names the compiled file', (source, compiled) => {
    expect(rewriteWorkerUrls(source)).toBe(compiled);
  });

  it.each(["new URL('./kernel.bin', import.meta.url)", "new URL('./a.ts', base)", "'./a.ts'"])('%s stays', (source) => {
    expect(rewriteWorkerUrls(source)).toBe(source);
  });
});
