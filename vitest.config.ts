import { defineConfig } from 'vitest/config'
import { testCountReporter } from './scripts/test-count-reporter.ts'

export default defineConfig({
  test: {
    include: ['packages/**/*.test.ts', 'examples/**/*.test.ts', 'bench/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    // One embedded PostgreSQL for the whole run; each test file clones its own database from a template.
    globalSetup: ['packages/server/testing/global-setup.ts'],
    // Processes, not threads: some tests send signals, change directory or end the process on purpose.
    pool: 'forks',
    // The database server works beside the tests: more than two files at once only makes them wait for each other on a small machine.
    maxWorkers: 2,
    // Long enough for two cores at a load of 20 (a test of twelve commands took 30 s at 16); whoever needs this long waits for something that
    // never comes.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 100_000 } },
    teardownTimeout: 30_000,
    reporters: ['default', testCountReporter()],
  },
})
