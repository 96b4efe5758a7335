import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bundledProgram } from './program-cache.ts';

let root: string;
const program = (): Promise<string | undefined> => bundledProgram({ root, packageFolder: 'packages/command' });

function file(path: string, text: string): void {
  const full = join(root, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, text);
}
const run = (path: string | undefined): string => spawnSync(process.execPath, [path ?? ''], { encoding: 'utf8' }).stdout.trim();

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'program-'));
  file('pnpm-lock.yaml', '');
  file('packages/command/package.json', '{ "type": "module" }');
  file('packages/command/src/main.ts', `import { greeting } from '../../words/src/index.ts';\nconsole.log(greeting satisfies string);\n`);
  file('packages/words/src/index.ts', `export const greeting: string = 'hello';\n`);
  file('packages/words/src/echo.worker.node.ts', `console.log('worker');\n`);
  mkdirSync(join(root, 'tools'));
});
afterEach(() => { rmSync(root, { recursive: true }); });

describe('the bundled program', () => {
  it('runs, with its workers beside it, and is made once', async () => {
    const path = await program();
    expect(run(path)).toBe('hello');
    expect(run(join(dirname(path ?? ''), 'echo.worker.node.js'))).toBe('worker');
    expect(await program()).toBe(path);
  });

  it('is another one after an edit', async () => {
    const path = await program();
    file('packages/words/src/index.ts', `export const greeting: string = 'salut';\n`);
    utimesSync(join(root, 'packages/words/src/index.ts'), 1, 1);
    expect(await program()).not.toBe(path);
    expect(run(await program())).toBe('salut');
  });

  it('is found by the command itself while nothing has changed', async () => {
    const command = join(root, 'packages/command/bin/vmm.js');
    mkdirSync(dirname(command));
    copyFileSync(join(import.meta.dirname, '../../../packages/cli/bin/vmm.js'), command);
    expect(run(command)).toBe(''); // nothing is kept, and there is nothing here that could make it
    await program();
    expect(run(command)).toBe('hello');
    file('packages/words/src/index.ts', `export const greeting: string = 'salut';\n`);
    utimesSync(join(root, 'packages/words/src/index.ts'), 1, 1);
    expect(run(command)).toBe('');
    await program();
    expect(run(command)).toBe('salut');
    rmSync(join(root, 'packages/words/src/echo.worker.node.ts'));
    expect(run(command)).toBe('');
  });

  it('does not depend on tests', async () => {
    const path = await program();
    file('packages/words/src/index.test.ts', '');
    expect(await program()).toBe(path);
  });

  it('is kept for the last few sources only', async () => {
    for (let i = 0; i < 6; i++) {
      file('packages/words/src/index.ts', `export const greeting: string = '${'x'.repeat(i)}';\n`);
      await program();
    }
    expect(readdirSync(join(root, 'node_modules/.cache/program'))).toHaveLength(4);
  });

  it('is done without where it cannot be made', async () => {
    file('packages/command/src/main.ts', 'export default {');
    expect(await program()).toBeUndefined();
    file('node_modules/.cache', 'a file');
    expect(await program()).toBeUndefined();
    expect(existsSync(join(root, 'node_modules/.cache'))).toBe(true);
  });
});
