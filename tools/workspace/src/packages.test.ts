import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { findWorkspaceRoot, listPackages, workspaceDependencies, type WorkspacePackage } from './packages.ts';
import { readmeExamples, type Example } from './readme-examples.ts';

const root = findWorkspaceRoot(dirname(fileURLToPath(import.meta.url)));
const packages = listPackages(root);
const product = packages.filter((pkg) => pkg.path.startsWith('packages/'));
const published = packages.filter((pkg) => pkg.manifest.private !== true);

function named(list: readonly WorkspacePackage[]): [string, WorkspacePackage][] {
  return list.map((pkg) => [pkg.name, pkg]);
}

function readme(pkg: WorkspacePackage): string {
  const path = join(pkg.directory, 'README.md');
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

describe('every package', () => {
  it.each(named(packages))('%s says its layer, licence and purpose', (_name, pkg) => {
    expect(pkg.layer).toBeDefined();
    expect(pkg.manifest).toMatchObject({ license: 'Apache-2.0', description: expect.stringMatching(/./), nx: { name: expect.any(String) } });
  });

  it('has a project name of its own', () => {
    const names = packages.map((pkg) => pkg.manifest.nx?.name);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  it('is in no dependency cycle', () => {
    expect(findCycle(packages)).toEqual([]);
  });
});

describe('every product package', () => {
  it.each(named(product))('%s is called like its directory and can be checked', (name, pkg) => {
    expect(name).toBe(`@vmm/${pkg.path.split('/')[1] ?? ''}`);
    expect(pkg.manifest.scripts).toMatchObject({ typecheck: expect.any(String), lint: expect.any(String) });
  });

  it.each(named(product))('%s has a README under its name', (name, pkg) => {
    expect(readme(pkg).split('\n', 1)[0]).toBe(`# ${name}`);
  });
});

describe('every published package', () => {
  it.each(named(published))('%s publishes what it exports, built', (_name, { manifest }) => {
    expect(Object.keys(manifest.publishConfig?.exports ?? {})).toEqual(Object.keys(manifest.exports ?? {}));
    expect(manifest.publishConfig?.engines?.node).toBe('>=24');
    expect(manifest.files).toEqual(expect.arrayContaining(['dist', 'README.md']));
    expect(manifest.scripts).toMatchObject({ build: expect.any(String), test: expect.any(String) });
  });
});

describe('the example in the README', () => {
  const examples = product.flatMap((pkg) => readmeExamples(readme(pkg)).map((example, index): [string, WorkspacePackage, Example] => [`${pkg.name} (${index + 1})`, pkg, example]));

  it.each(examples)('of %s runs and prints what it says', (_name, pkg, example) => {
    const { status, stdout, stderr } = run(pkg, example);
    expect(status, stderr).toBe(0);
    if (example.output !== undefined) expect(stdout.trimEnd().split('\n')).toEqual(example.output);
  }, 30_000);
});

/** Inside the package, so that it may import itself by name, as a reader would. */
function run(pkg: WorkspacePackage, example: Example): { status: number | null; stdout: string; stderr: string } {
  const directory = join(pkg.directory, '.cache');
  const file = join(directory, `readme-example-${process.pid}.ts`);
  mkdirSync(directory, { recursive: true });
  writeFileSync(file, example.code);
  const result = spawnSync('node', [file], { cwd: pkg.directory, encoding: 'utf8', env: { ...process.env, FORCE_COLOR: '0' }, timeout: 20_000 });
  rmSync(file);
  return result;
}

/** The names along one cycle; empty when there is none. */
function findCycle(all: readonly WorkspacePackage[]): string[] {
  const finished = new Set<string>();
  const visit = (name: string, path: readonly string[]): string[] => {
    if (path.includes(name)) return [...path.slice(path.indexOf(name)), name];
    if (finished.has(name)) return [];
    const pkg = all.find((candidate) => candidate.name === name);
    const cycle = pkg === undefined ? [] : firstCycle(workspaceDependencies(pkg), [...path, name]);
    finished.add(name);
    return cycle;
  };
  const firstCycle = (names: readonly string[], path: readonly string[]): string[] => {
    for (const name of names) {
      const cycle = visit(name, path);
      if (cycle.length > 0) return cycle;
    }
    return [];
  };
  return firstCycle(all.map((pkg) => pkg.name), []);
}
