import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { storeBesideProgram } from './module-store.node.ts';

it('keeps modules in the folder that a bundle has for it, and nowhere else', () => {
  const root = mkdtempSync(join(tmpdir(), 'vmm-kept-')), program = pathToFileURL(join(root, 'dist', 'worker.js')).href;
  try {
    expect(storeBesideProgram(program)).toBeUndefined();
    mkdirSync(join(root, 'kept'));
    const store = storeBesideProgram(program);
    expect(store?.load('0-16')).toBeUndefined();
    store?.save('0-16', Uint8Array.of(1, 2, 3));
    expect([...store?.load('0-16') ?? []]).toEqual([1, 2, 3]);
    expect(storeBesideProgram(program)?.load('0-32')).toBeUndefined();
    expect(readdirSync(join(root, 'kept'))).toEqual(['interpreter-0-16.wasm']);
    // a folder that has gone is no failure
    rmSync(join(root, 'kept'), { recursive: true });
    store?.save('0-16', Uint8Array.of(4));
    expect(store?.load('0-16')).toBeUndefined();
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
