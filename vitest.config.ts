import { defineConfig } from 'vitest/config';

/** What `npm test` runs: everything but the acceptance tests, which take minutes each. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/acceptance/**', 'node_modules/**'],
    globalSetup: ['test/support/build.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
    execArgv: ['--conditions=development'],
    reporters: ['default'],
  },
});
