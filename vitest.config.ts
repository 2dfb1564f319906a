import { defineConfig } from 'vitest/config';

/** What `npm test` runs: everything but the acceptance tests, which take minutes each. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/acceptance/**', 'node_modules/**'],
    globalSetup: ['test/support/build.ts'],
    setupFiles: ['test/support/patience.ts'],
    // They end a test that hangs, and judge no other: on a busy machine all takes its time.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    expect: { poll: { timeout: 120_000 } },
    pool: 'forks',
    // Much of it waits, for processes and servers.
    maxWorkers: '100%',
    execArgv: ['--conditions=development'],
    reporters: ['default'],
  },
});
