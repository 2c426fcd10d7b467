import { defineConfig } from 'vitest/config'
import { LongestFirst } from './support/longest-first.ts'

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['**/*.test.ts'],
    setupFiles: ['support/keep-logs.ts'],
    pool: 'forks',
    // Two labs at a time: most of a scenario is waiting for a clock.
    maxWorkers: 2,
    maxConcurrency: 10,
    sequence: { sequencer: LongestFirst },
    testTimeout: 180_000,
    hookTimeout: 300_000,
  },
})
