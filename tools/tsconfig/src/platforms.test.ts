import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const settings = dirname(dirname(fileURLToPath(import.meta.url)));
let scratch: string;

beforeAll(() => {
  mkdirSync(join(settings, '.cache'), { recursive: true });
  scratch = mkdtempSync(join(settings, '.cache', 'platforms-'));
});

afterAll(() => { rmSync(scratch, { recursive: true }); });

/** Compiler errors of one module under the named settings. */
function errors(platform: string, code: string): string[] {
  writeFileSync(join(scratch, 'tsconfig.json'), JSON.stringify({ extends: `../../${platform}.json`, include: ['module.ts'] }));
  writeFileSync(join(scratch, 'module.ts'), code);
  const { stdout } = spawnSync('tsc', ['-p', scratch, '--pretty', 'false'], { encoding: 'utf8' });
  return stdout.split('\n').filter((line) => line.includes('error TS'));
}

const portable = `
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true });
  const words = new Int32Array(memory.buffer);
  Atomics.notify(words, 0);
  const text: string = new TextDecoder().decode(new TextEncoder().encode('x'));
  const timer: ReturnType<typeof setTimeout> = setTimeout(() => { console.log(performance.now(), text); }, 1);
  clearTimeout(timer);
  queueMicrotask(() => undefined);
  export const href: string = new URL('./x', 'file:///').href;
  export const ready: Promise<WebAssembly.WebAssemblyInstantiatedSource> = WebAssembly.instantiate(new Uint8Array(8), {});
`;

describe('compiler settings', () => {
  it.each(['pure', 'node', 'browser', 'host'])('%s accepts what every host offers', (platform) => {
    expect(errors(platform, portable)).toEqual([]);
  });

  it.each([
    ['a Node module', "import { readFileSync } from 'node:fs'; readFileSync('x');"],
    ['a Node global', 'process.exit(1);'],
    ['Buffer', "export const bytes = Buffer.from('x');"],
    ['the DOM', "document.title = 'x';"],
    ['a browser API', "export const answer = fetch('x');"],
  ])('pure rejects %s', (_what, code) => {
    expect(errors('pure', code)).not.toEqual([]);
  });

  it('node accepts Node and rejects the DOM', () => {
    expect(errors('node', "import { readFileSync } from 'node:fs'; readFileSync('x'); process.exit(1);")).toEqual([]);
    expect(errors('node', "document.title = 'x';")).not.toEqual([]);
  });

  it('browser accepts the DOM and rejects Node', () => {
    expect(errors('browser', "document.title = 'x';")).toEqual([]);
    expect(errors('browser', 'process.exit(1);')).not.toEqual([]);
  });

  it.each(['enum E { A }', 'class C { constructor(readonly x: number) {} }', 'namespace N { export const x = 1; }'])(
    'reject syntax that cannot be erased: %s',
    (code) => { expect(errors('pure', `${code}\nexport {};`).join()).toContain('TS1294'); },
  );

  it('treat an element of an array as possibly undefined', () => {
    expect(errors('pure', 'export const f = (a: number[]): number => a[0];')).not.toEqual([]);
  });
}, 60_000);
