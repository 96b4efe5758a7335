import type { ESLint } from 'eslint';
import { layers } from './layers.rule.ts';
import { nonNullOnlyHot } from './non-null-only-hot.rule.ts';

/** The plugin `vmm` of the workspace's ESLint configuration. */
const plugin: ESLint.Plugin = {
  meta: { name: '@vmm/lint', version: '0.1.0' },
  rules: { layers, 'non-null-only-hot': nonNullOnlyHot },
};

export default plugin;
