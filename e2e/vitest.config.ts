import { defineConfig } from 'vitest/config'
import { LongestFirst } from './support/longest-first.ts'

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['**/*.test.ts'],
    setupFiles: ['support/keep-logs.ts'],
    pool: 'forks',
    // Four labs at a time: much of a scenario is waiting for a clock, and each has to hold on a machine that is busy with other things as well.
    maxWorkers: 4,
    maxConcurrency: 10,
    sequence: { sequencer: LongestFirst },
    testTimeout: 180_000,
    hookTimeout: 300_000,
  },
})
