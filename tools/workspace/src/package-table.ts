import { LAYERS } from './layers.ts';
import type { WorkspacePackage } from './packages.ts';

const begin = '<!-- packages: made by tools/workspace/src/update-readme.ts -->';
const end = '<!-- /packages -->';

/** The table of product packages for the top-level README, from the bottom layer up. */
export function packageTable(packages: readonly WorkspacePackage[]): string {
  const rows = LAYERS.flatMap((layer) =>
    packages
      .filter((pkg) => pkg.layer === layer && pkg.path.startsWith('packages/'))
      .map((pkg) => `| ${layer} | [\`${pkg.name}\`](${pkg.path}) | ${pkg.manifest.description ?? ''} |`),
  );
  return ['| layer | package | what it is |', '|---|---|---|', ...rows].join('\n');
}

/** The README with its table replaced; unchanged where it has no markers. */
export function withPackageTable(readme: string, packages: readonly WorkspacePackage[]): string {
  const [from, to] = [readme.indexOf(begin), readme.indexOf(end)];
  if (from < 0 || to < from) return readme;
  return `${readme.slice(0, from + begin.length)}\n${packageTable(packages)}\n${readme.slice(to)}`;
}
