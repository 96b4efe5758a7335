import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findWorkspaceRoot, listPackages } from '@vmm/workspace';
import { ESLint } from 'eslint';
import { describe, expect, it } from 'vitest';

const root = findWorkspaceRoot(dirname(fileURLToPath(import.meta.url)));

/** The workspace's real configuration, on code that stands in for packages/spec/src/index.ts. */
async function rulesBroken(code: string): Promise<(string | null)[]> {
  const eslint = new ESLint({ cwd: root });
  const [result] = await eslint.lintText(code, { filePath: join(root, 'packages/spec/src/index.ts') });
  return result?.messages.map((message) => message.ruleId) ?? [];
}

describe("the workspace's ESLint configuration", () => {
  it('passes a harmless module', async () => {
    expect(await rulesBroken('export const one = 1;\n')).toEqual([]);
  });

  it('fails an import against the layers', async () => {
    const above = listPackages(root).find((pkg) => pkg.layer === 'core');
    expect(await rulesBroken(`import '${above?.name ?? ''}';\n`)).toContain('vmm/layers');
  });

  it('fails a floating promise, which needs type information', async () => {
    expect(await rulesBroken('async function f() { await Promise.resolve(); }\nf();\n')).toContain('@typescript-eslint/no-floating-promises');
  });

  it('fails a non-null assertion unless the file says @hot', async () => {
    const code = 'export const first = [1][0]!;\n';
    expect(await rulesBroken(code)).toContain('vmm/non-null-only-hot');
    expect(await rulesBroken(`/** @hot */\n${code}`)).not.toContain('vmm/non-null-only-hot');
  });

  it('fails any', async () => {
    expect(await rulesBroken('export function f(x: any): void { void x; }\n')).toContain('@typescript-eslint/no-explicit-any');
  });
}, 60_000);
