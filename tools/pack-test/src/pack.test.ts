import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findWorkspaceRoot, listPackages, platformsOf, type WorkspacePackage } from '@vmm/workspace';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleForBrowser } from './bundle.ts';
import { Consumer } from './consumer.ts';

const root = findWorkspaceRoot(dirname(fileURLToPath(import.meta.url)));
const published = listPackages(root).filter((pkg) => pkg.manifest.private !== true && pkg.manifest.publishConfig !== undefined);
const consumer = new Consumer();

beforeAll(() => { consumer.install(root, published); });
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

  it('all declarations are consistent', () => {
    expect(consumer.typecheck([...new Set([...forNode, ...forBrowsers])])).toEqual({ ok: true, output: '' });
  });
});
