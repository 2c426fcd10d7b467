import { defineConfig } from 'vitest/config'

const shared = {
  pool: 'forks',
  testTimeout: 30_000,
  hookTimeout: 120_000,
  // What is waited for comes at once on an idle machine, and late on a busy one.
  expect: { poll: { timeout: 20_000, interval: 20 } },
  // Node reads TypeScript by itself: the same modules as in production, and a third less processor time than through Vite.
  experimental: { viteModuleRunner: false },
} as const

export default defineConfig({
  test: {
    // More than the cores of a small machine: much of a test is waiting.
    maxWorkers: 3,
    reporters: ['default'],
    projects: [
      {
        test: {
          ...shared,
          name: 'pure',
          include: ['packages/{core,api}/src/**/*.test.ts'],
          // Nothing of them outlives a test, so their files share processes: most of their time would go into starting those.
          isolate: false,
        },
      },
      {
        test: {
          ...shared,
          name: 'parts',
          include: ['packages/{agent,lab}/**/*.test.ts', '{scripts,bin,bench}/**/*.test.ts'],
        },
      },
      {
        test: {
          ...shared,
          name: 'servers',
          include: ['packages/{host,server,cli}/**/*.test.ts'],
          // The same modules in all of them, which take longer to load than most tests: their files share processes too.
          isolate: false,
        },
      },
      {
        test: {
          ...shared,
          name: 'console',
          include: ['packages/console/src/**/*.test.ts'],
          isolate: false,
          // It is JSX, which is for Vite to read.
          experimental: { viteModuleRunner: true },
        },
      },
      {
        test: {
          ...shared,
          name: 'browser',
          include: ['packages/console/test/*.test.ts'],
          expect: { poll: { timeout: 45_000, interval: 20 } },
        },
      },
    ],
  },
})
