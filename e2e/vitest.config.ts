import { defineConfig } from 'vitest/config';

/** Boots take minutes on a slow machine, and two at once would fight over the cores. */
export default defineConfig({
  test: {
    include: ['src/**/*.test.ts'],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    fileParallelism: false,
    maxConcurrency: 1,
  },
});
