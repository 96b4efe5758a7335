import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findWorkspaceRoot, listPackages, platformsOf, type Manifest, type WorkspacePackage } from '@vmm/workspace';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleForBrowser } from './bundle.ts';
import { Consumer } from './consumer.ts';

const root = findWorkspaceRoot(dirname(fileURLToPath(import.meta.url)));
const published = listPackages(root).filter((pkg) => pkg.manifest.private !== true && pkg.manifest.publishConfig !== undefined);
const consumer = new Consumer();

beforeAll(() => {
  const { devDependencies = {} } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
  consumer.install(root, published, { '@types/node': devDependencies['@types/node'] ?? 'latest' });
});
afterAll(() => { consumer.remove(); });

/** Import names of a package, without those meant for the other platform (`./node`, `./browser`). */
function entryPoints(pkg: WorkspacePackage, excluded: RegExp): string[] {
  return Object.keys(pkg.manifest.publishConfig?.exports ?? {})
    .filter((subpath) => !excluded.test(subpath) && !subpath.includes('testing') && !subpath.endsWith('.json'))
    .map((subpath) => pkg.name + subpath.slice(1));
}

const forNode = published.filter((pkg) => platformsOf(pkg).includes('node')).flatMap((pkg) => entryPoints(pkg, /browser/));
const forBrowsers = published.filter((pkg) => platformsOf(pkg).includes('browser')).flatMap((pkg) => entryPoints(pkg, /node/));

describe('packed, installed outside the workspace,', () => {
  it.each(forNode)('%s can be imported in Node', (specifier) => {
    expect(consumer.importInNode(specifier)).toMatchObject({ ok: true });
  });

  it.each(forBrowsers)('%s can be bundled for browsers', async (specifier) => {
    await bundleForBrowser(consumer, specifier);
  });

  it('vmm boots nano, its workers built JavaScript', () => {
    const { ok, output } = consumer.runCommand('vmm', ['run', '--guest', 'nano'], 'off\r');
    expect(output).toMatch(/long mode[^]*nano> /);
    expect(ok).toBe(true);
  });

  it('the declarations of all type-check in a project for Node', () => {
    expect(consumer.typecheck('node', forNode)).toEqual({ ok: true, output: '' });
  });

  it('the declarations of all type-check in a project for browsers', () => {
    expect(consumer.typecheck('browser', forBrowsers)).toEqual({ ok: true, output: '' });
  });
});

describe('these checks fail', () => {
  it('when an import has nothing to find', () => {
    expect(consumer.importInNode('@vmm/spec/nothing')).toMatchObject({ ok: false });
    expect(consumer.typecheck('node', ['@vmm/spec/nothing'])).toMatchObject({ ok: false });
  });

  it('when a bundle for browsers would need Node', async () => {
    consumer.write('needs-node.js', "export { readFileSync } from 'node:fs';\n");
    await expect(bundleForBrowser(consumer, './needs-node.js')).rejects.toThrow('imports node:fs');
  });
});
