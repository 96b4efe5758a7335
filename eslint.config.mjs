import tseslint from 'typescript-eslint';
import vmm from './tools/lint/src/index.ts';

export default tseslint.config(
  { ignores: ['**/dist/**', '**/node_modules/**', '.nx/**', '**/.cache/**', '**/*.d.ts'] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { vmm },
    rules: {
      eqeqeq: 'error',
      'vmm/layers': 'error',
      'vmm/non-null-only-hot': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/prefer-promise-reject-errors': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // It takes assertions for unnecessary that give an array its tuple type, and its fix then does not compile.
      '@typescript-eslint/no-unnecessary-type-assertion': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
  {
    files: ['**/*.test.ts', '**/*.test-d.ts', '**/*.bench.ts', '**/*.testing.ts'],
    rules: {
      'vmm/non-null-only-hot': 'off',
      // vitest's asymmetric matchers (expect.any and its like) are typed any.
      '@typescript-eslint/no-unsafe-assignment': 'off',
    },
  },
);
