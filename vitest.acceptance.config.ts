import { defineConfig } from 'vitest/config';

/** What `npm run acceptance` runs: whole swarms of separate processes, one test after the other. */
export default defineConfig({
  test: {
    include: ['test/acceptance/**/*.test.ts'],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    pool: 'forks',
    fileParallelism: false,
    reporters: ['default'],
  },
});
