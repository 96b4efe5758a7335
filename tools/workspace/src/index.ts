export { LAYERS, forbiddenImport, isLayer } from './layers.ts';
export type { Layer } from './layers.ts';
export { findWorkspaceRoot, listPackages, platformsOf, targetFiles, targetTypes, workspaceDependencies } from './packages.ts';
export type { ExportTarget, Manifest, Platform, WorkspacePackage } from './packages.ts';
