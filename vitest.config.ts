import { relative } from 'node:path'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * What takes longest, of each project, the longest first: begun last it would be waited for by idle workers. Vitest itself knows how
 * long files take only where it has run them before.
 */
const longest = [
  'packages/console/test/pages.browser.test.ts',
  'packages/console/test/network.browser.test.ts',
  'packages/console/test/admin.browser.test.ts',
  'packages/agent/src/instances.test.ts',
  'packages/lab/src/lab.test.ts',
  'packages/agent/src/network/lan/lan-keeper.test.ts',
  'packages/agent/src/link.test.ts',
  'packages/agent/src/survival.test.ts',
  'packages/server/src/several-servers.test.ts',
  'packages/server/src/store/etcd/etcd-failover.test.ts',
  'packages/server/src/store/etcd/etcd-store.contract.test.ts',
  'packages/server/src/leadership/leadership.contract.test.ts',
  'packages/server/src/leadership/leadership-etcd.contract.test.ts',
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = longest.indexOf(relative(import.meta.dirname, moduleId))
      return at === -1 ? longest.length : at
    }
    // Files of a project stay together: those that share processes would else begin new ones.
    const projects = Map.groupBy(await super.sort(files), ({ project }) => project.name)
    return [...projects.values()].flatMap((all) => all.sort((a, b) => rank(a) - rank(b)))
  }
}

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
    sequence: { sequencer: LongestFirst },
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
