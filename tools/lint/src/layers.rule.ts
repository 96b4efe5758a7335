import { dirname, relative, resolve, sep } from 'node:path';
import { findWorkspaceRoot, forbiddenImport, listPackages, type WorkspacePackage } from '@vmm/workspace';
import type { Rule } from 'eslint';

const isTestFile = /\.(test|test-d|bench|testing)\.[cm]?[jt]sx?$/;

/** One reading of the manifests per ESLint process and workspace. */
const workspaces = new Map<string, ReadonlyMap<string, WorkspacePackage>>();

/**
 * Imports keep to the layers that the packages' `nx.tags` name, cross package borders by package name only, and name only
 * packages that the manifest declares.
 */
export const layers: Rule.RuleModule = {
  meta: {
    type: 'problem',
    docs: { description: 'keep imports to the layers of the workspace' },
    schema: [],
    messages: {
      layer: '{{from}} ({{fromLayer}}) may not import {{to}} ({{toLayer}}): {{why}}.',
      undeclared: '{{from}} imports {{to}} but does not declare it: add it to the {{section}} of its package.json.',
      relative: 'This path leaves {{from}}: import the other package by its name.',
      untagged: '{{from}} has no valid layer tag: add "layer:..." to nx.tags in its package.json.',
    },
  },
  create(context) {
    const packages = packagesAround(context.filename);
    const self = ownerOf(packages, context.filename);
    if (self === undefined) return {};
    return {
      Program: (node) => {
        if (self.layer === undefined) context.report({ node, messageId: 'untagged', data: { from: self.name } });
      },
      ImportDeclaration: (node) => { check(context, packages, self, node, node.source.value); },
      ExportAllDeclaration: (node) => { check(context, packages, self, node, node.source.value); },
      ExportNamedDeclaration: (node) => { check(context, packages, self, node, node.source?.value); },
      ImportExpression: (node) => {
        if (node.source.type === 'Literal') check(context, packages, self, node, node.source.value);
      },
    };
  },
};

function check(
  context: Rule.RuleContext,
  packages: ReadonlyMap<string, WorkspacePackage>,
  self: WorkspacePackage,
  node: Rule.Node,
  source: unknown,
): void {
  if (typeof source !== 'string') return;
  if (source.startsWith('.')) {
    const target = resolve(dirname(context.filename), source);
    if (relative(self.directory, target).split(sep)[0] === '..') {
      context.report({ node, messageId: 'relative', data: { from: self.name } });
    }
    return;
  }
  const target = packages.get(packageName(source));
  if (target !== undefined && target.name !== self.name) checkPackage(context, self, node, target);
}

function checkPackage(context: Rule.RuleContext, self: WorkspacePackage, node: Rule.Node, target: WorkspacePackage): void {
  const isTest = isTestFile.test(context.filename);
  if (self.layer !== undefined && target.layer !== undefined) {
    const why = forbiddenImport(self.layer, target.layer, isTest);
    if (why !== undefined) {
      const data = { from: self.name, fromLayer: self.layer, to: target.name, toLayer: target.layer, why };
      context.report({ node, messageId: 'layer', data });
    }
  }
  const { dependencies, devDependencies, peerDependencies, optionalDependencies } = self.manifest;
  const declared = { ...dependencies, ...peerDependencies, ...optionalDependencies, ...(isTest ? devDependencies : {}) };
  if (declared[target.name] === undefined) {
    const section = isTest ? 'devDependencies' : 'dependencies';
    context.report({ node, messageId: 'undeclared', data: { from: self.name, to: target.name, section } });
  }
}

function packageName(source: string): string {
  return source.split('/', source.startsWith('@') ? 2 : 1).join('/');
}

function packagesAround(filename: string): ReadonlyMap<string, WorkspacePackage> {
  const root = findWorkspaceRoot(dirname(filename));
  const known = workspaces.get(root) ?? new Map(listPackages(root).map((pkg) => [pkg.name, pkg]));
  workspaces.set(root, known);
  return known;
}

function ownerOf(packages: ReadonlyMap<string, WorkspacePackage>, filename: string): WorkspacePackage | undefined {
  return [...packages.values()].find((pkg) => filename.startsWith(pkg.directory + sep));
}
