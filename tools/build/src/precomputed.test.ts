import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { precomputed } from './precomputed.ts';

let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'precomputed-')); });
afterEach(() => { rmSync(folder, { recursive: true }); });

function file(text: string, name = 'module.ts'): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe('a precomputed module', () => {
  it('is what the module exports, without what computes it', async () => {
    const loaded = await precomputed().load(file(`/* @precomputed */
      const squares = (n: number): number[] => Array.from({ length: n }, (_, i) => i * i);
      export const words = Int32Array.from(squares(5), (x) => -x);
      export const wide = BigUint64Array.of(2n ** 64n - 1n);
      export const view = words.subarray(2);
      export const name = 'it\\'s "one"';
      export const table = { squares: squares(3), nothing: null };`));
    expect(loaded?.code).not.toContain('=>');
    const made: unknown = await import(pathToFileURL(file(loaded?.code ?? '', 'made.mjs')).href);
    expect({ ...(made as object) }).toEqual({
      words: Int32Array.of(0, -1, -4, -9, -16), wide: BigUint64Array.of(2n ** 64n - 1n), view: Int32Array.of(-4, -9, -16), name: 'it\'s "one"', table: { squares: [0, 1, 4], nothing: null },
    });
  });

  it('writes many records of one shape down part by part', async () => {
    const path = file(`/* @precomputed */
      export const rows = Array.from({ length: 40 }, (_, i) => ({ index: i, 'a key': i % 2 === 0 ? 'even' : 'odd', parts: [{ third: i % 3 }], none: null }));`);
    const { code } = await precomputed().load(path) ?? {};
    expect(code?.match(/even/g)).toHaveLength(1);
    const [made, meant] = await Promise.all([import(pathToFileURL(file(code ?? '', 'made.mjs')).href), import(pathToFileURL(path).href)]) as [{ rows: unknown }, { rows: unknown }];
    expect(made.rows).toEqual(meant.rows);
  });

  it('must be marked', async () => {
    expect(await precomputed().load(file('export const one = 1;'))).toBeUndefined();
  });

  it.each(['() => 1', 'new Map()', '{ nested: [() => 1] }', '5n', 'undefined', '[new Uint8Array(1)]', '[-0]', 'NaN'])('holds no %s', async (value) => {
    await expect(precomputed().load(file(`/* @precomputed */ export const bad = ${value};`))).rejects.toThrow('cannot write bad');
  });

  it.each([
    ['decoder/src/tables.ts', 'base64'], ['decoder/src/rows.ts', 'JSON.parse'], ['fpu/src/transcendental-tables.ts', 'base64'], ['fpu/src/constants.ts', 'HALF_PI'],
    ['nano/src/image.ts', 'base64'], ['firmware/src/acpi/pc-dsdt.ts', 'PC_DSDT_BODY'],
  ])('is %s', async (name, part) => {
    const path = join(import.meta.dirname, '../../../packages', name);
    expect(readFileSync(path, 'utf8')).toMatch(/^\/\* @precomputed \*\//);
    expect((await precomputed().load(path))?.code).toContain(part);
  });
});
