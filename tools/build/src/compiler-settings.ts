import { join, relative } from 'node:path';
import { targetFiles, targetTypes, workspaceDependencies, type WorkspacePackage } from '@vmm/workspace';

/**
 * A tsconfig for `<package>/node_modules/.vmm-build/`: the package's own settings, emitting. Imports of other workspace packages
 * are resolved to the declarations they publish, not to their sources, so that nobody's source is compiled twice and a wrong
 * `publishConfig` is found here.
 */
export function compilerSettings(pkg: WorkspacePackage, packages: readonly WorkspacePackage[]): object {
  return {
    extends: '../../tsconfig.json',
    compilerOptions: {
      noEmit: false,
      declaration: true,
      rewriteRelativeImportExtensions: true,
      rootDir: '../../src',
      outDir: '../../dist',
      paths: publishedTypes(pkg, packages),
    },
    include: ['../../src'],
    exclude: ['../../src/**/*.test.ts', '../../src/**/*.test-d.ts', '../../src/**/*.bench.ts', ...unpublishedTesting(pkg)],
  };
}

/** Import name → declaration file, for every workspace package that `pkg` reaches. */
function publishedTypes(pkg: WorkspacePackage, packages: readonly WorkspacePackage[]): Record<string, string[]> {
  const paths: Record<string, string[]> = {};
  for (const dependency of reachable(pkg, packages)) {
    for (const [subpath, target] of Object.entries(dependency.manifest.publishConfig?.exports ?? {})) {
      const types = targetTypes(target);
      if (types === undefined) continue;
      const file = relative(join(pkg.directory, 'node_modules', '.vmm-build'), join(dependency.directory, types));
      paths[dependency.name + subpath.slice(1)] = [file];
    }
  }
  return paths;
}

function reachable(pkg: WorkspacePackage, packages: readonly WorkspacePackage[]): WorkspacePackage[] {
  const found = new Set<WorkspacePackage>();
  const visit = (current: WorkspacePackage): void => {
    for (const name of workspaceDependencies(current)) {
      const dependency = packages.find((candidate) => candidate.name === name);
      if (dependency === undefined || found.has(dependency)) continue;
      found.add(dependency);
      visit(dependency);
    }
  };
  visit(pkg);
  return [...found];
}

/** `.testing.ts` files import vitest or fake hosts: they are published only by packages that export them. */
function unpublishedTesting(pkg: WorkspacePackage): string[] {
  const published = Object.values(pkg.manifest.publishConfig?.exports ?? {}).flatMap(targetFiles);
  return published.some((file) => file.includes('testing')) ? [] : ['../../src/**/*.testing.ts'];
}
