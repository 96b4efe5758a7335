import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Linter } from 'eslint';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import plugin from './index.ts';

let root: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'vmm-lint-'));
  write('pnpm-workspace.yaml', 'packages: [packages/*, tools/*]\n');
  addPackage('packages/spec', 'contract');
  addPackage('packages/kit', 'core', ['@vmm/spec', '@vmm/runtime']);
  addPackage('packages/cpu', 'engine', ['@vmm/spec', '@vmm/kit']);
  addPackage('packages/uart', 'device', ['@vmm/kit', '@vmm/pit', '@vmm/cpu', '@vmm/bench']);
  addPackage('packages/pit', 'device', ['@vmm/kit']);
  addPackage('packages/runtime', 'machine', ['@vmm/uart', '@vmm/cpu']);
  addPackage('packages/lost', undefined, []);
  addPackage('tools/bench', 'tool', ['@vmm/runtime']);
});

afterAll(() => { rmSync(root, { recursive: true }); });

describe('vmm/layers', () => {
  it.each([
    ['packages/cpu/src/a.js', "import { x } from '@vmm/kit';"],
    ['packages/uart/src/a.js', "export { x } from '@vmm/kit/worker';"],
    ['packages/uart/src/a.test.js', "import { x } from '@vmm/bench';"],
    ['packages/runtime/src/a.js', "const uart = import('@vmm/uart');"],
    ['packages/runtime/src/deep/a.js', "import { x } from '../b.js';"],
    ['packages/cpu/src/a.js', "import { x } from 'comlink';"],
    ['tools/bench/src/a.js', "import { x } from '@vmm/runtime';"],
  ])('accepts in %s: %s', (file, code) => {
    expect(problems(file, code)).toEqual([]);
  });

  it.each([
    ['packages/kit/src/a.js', "import { x } from '@vmm/runtime';", 'machine is above core'],
    ['packages/kit/src/a.js', "const x = import('@vmm/runtime');", 'machine is above core'],
    ['packages/uart/src/a.js', "import { x } from '@vmm/pit';", 'devices never import each other'],
    ['packages/uart/src/a.js', "export * from '@vmm/cpu';", 'devices know no engine'],
    ['packages/uart/src/a.js', "import { x } from '@vmm/bench';", 'tools are for apps, tools and tests'],
    ['packages/pit/src/a.js', "import { x } from '@vmm/spec';", 'does not declare it'],
    ['packages/pit/src/a.js', "import { x } from '../../uart/src/a.js';", 'import the other package by its name'],
    ['packages/lost/src/a.js', '', 'no valid layer tag'],
  ])('rejects in %s: %s', (file, code, reason) => {
    expect(problems(file, code).join()).toContain(reason);
  });
});

function problems(file: string, code: string): string[] {
  const linter = new Linter({ cwd: root });
  const config: Linter.Config = { files: ['**/*.js'], plugins: { vmm: plugin }, rules: { 'vmm/layers': 'error' } };
  return linter.verify(code, config, { filename: join(root, file) }).map((message) => message.message);
}

function addPackage(path: string, layer: string | undefined, dependencies: string[] = []): void {
  const tags = layer === undefined ? [] : [`layer:${layer}`];
  const ranges = Object.fromEntries(dependencies.map((name) => [name, 'workspace:*']));
  write(join(path, 'package.json'), JSON.stringify({ name: `@vmm/${path.split('/')[1] ?? ''}`, nx: { tags }, dependencies: ranges }));
}

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}
