import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isLayer, type Layer } from './layers.ts';

export type Platform = 'node' | 'browser';

/** The parts of a package.json that this workspace gives meaning to. */
export interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly description?: string;
  readonly license?: string;
  readonly private?: boolean;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly publishConfig?: PublishConfig;
  readonly files?: readonly string[];
  readonly bin?: Readonly<Record<string, string>>;
  readonly nx?: { readonly name?: string; readonly tags?: readonly string[] };
  readonly vmm?: { readonly platforms?: readonly Platform[] };
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** What pnpm puts in the place of the manifest's own fields when it packs. */
export interface PublishConfig {
  readonly engines?: { readonly node?: string };
  readonly exports?: Readonly<Record<string, ExportTarget>>;
  readonly bin?: Readonly<Record<string, string>>;
}

/** A file, or files by condition (`types`, `browser`, `default`). */
export type ExportTarget = string | { readonly [condition: string]: ExportTarget };

export interface WorkspacePackage {
  readonly name: string;
  /** Absolute. */
  readonly directory: string;
  /** Relative to the workspace root, with forward slashes. */
  readonly path: string;
  readonly manifest: Manifest;
  /** Undefined when the manifest has no valid `layer:*` tag. */
  readonly layer: Layer | undefined;
}

/** The nearest directory at or above `start` that holds pnpm-workspace.yaml. */
export function findWorkspaceRoot(start: string): string {
  for (let directory = start; ; directory = dirname(directory)) {
    if (existsSync(join(directory, 'pnpm-workspace.yaml'))) return directory;
    if (directory === dirname(directory)) throw new Error(`find a workspace: no pnpm-workspace.yaml above ${start}`);
  }
}

/** Every package of the workspace, in path order. The globs of pnpm-workspace.yaml: packages, tools and e2e. */
export function listPackages(root: string): WorkspacePackage[] {
  const paths = ['packages', 'tools'].flatMap((group) => subdirectories(root, group));
  return [...paths, 'e2e']
    .filter((path) => existsSync(join(root, path, 'package.json')))
    .map((path) => readPackage(root, path));
}

/** Where a published package claims to run: said by `vmm.platforms`, else by the compiler settings it extends. */
export function platformsOf(pkg: WorkspacePackage): readonly Platform[] {
  if (pkg.manifest.vmm?.platforms !== undefined) return pkg.manifest.vmm.platforms;
  const settings = join(pkg.directory, 'tsconfig.json');
  const base = existsSync(settings) ? /tsconfig\/(\w+)\.json/.exec(readFileSync(settings, 'utf8'))?.[1] : undefined;
  if (base === 'node') return ['node'];
  return base === 'browser' ? ['browser'] : ['node', 'browser'];
}

/** Names of the workspace packages that `pkg` needs at run time. */
export function workspaceDependencies(pkg: WorkspacePackage): string[] {
  const { dependencies, peerDependencies, optionalDependencies } = pkg.manifest;
  return Object.entries({ ...dependencies, ...peerDependencies, ...optionalDependencies })
    .filter(([, range]) => range.startsWith('workspace:'))
    .map(([name]) => name);
}

/** All files that an export target names, over all conditions. */
export function targetFiles(target: ExportTarget): string[] {
  return typeof target === 'string' ? [target] : Object.values(target).flatMap(targetFiles);
}

/** The declarations that a compiler finds without any condition of ours; undefined when there are none. */
export function targetTypes(target: ExportTarget): string | undefined {
  if (typeof target === 'string') return undefined;
  const types = target['types'] ?? target['default'];
  return types === undefined || typeof types === 'string' ? types : targetTypes(types);
}

function subdirectories(root: string, group: string): string[] {
  const directory = join(root, group);
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => `${group}/${entry.name}`)
    .sort();
}

function readPackage(root: string, path: string): WorkspacePackage {
  const directory = join(root, path);
  const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Manifest;
  const layer = manifest.nx?.tags?.find((tag) => tag.startsWith('layer:'))?.slice('layer:'.length);
  return {
    name: manifest.name ?? path,
    directory,
    path,
    manifest,
    layer: layer !== undefined && isLayer(layer) ? layer : undefined,
  };
}
