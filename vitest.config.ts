import { defineConfig } from 'vitest/config';

/** What `npm test` runs: everything but the acceptance tests, which take minutes each. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/acceptance/**', 'node_modules/**'],
    globalSetup: ['test/support/build.ts'],
    setupFiles: ['test/support/patience.ts'],
    // Generous: on a busy machine all takes its time, and a test that passes waits for events alone.
    testTimeout: 90_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 20_000 } },
    pool: 'forks',
    execArgv: ['--conditions=development'],
    reporters: ['default'],
  },
});
