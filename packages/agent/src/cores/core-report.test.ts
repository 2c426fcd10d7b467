import { expect, it } from 'vitest'
import type { ContainerCgroup, Settings } from './container-cgroup.ts'
import { type CoreReportSources, coreReport } from './core-report.ts'

const sample = {
  at: 1000,
  cpuMilli: 1234,
  throttledMilli: 50,
  throttledPeriodsMilli: 300,
  memoryBytes: 1,
  networkInBytes: 0,
  networkOutBytes: 0,
  blockReadBytes: 0,
  blockWriteBytes: 0,
  tcpConnections: 0,
}

const cgroup = (settings: Settings) => ({ settings: () => settings }) as ContainerCgroup

const gone = {
  settings() {
    throw new Error('ENOENT')
  },
} as unknown as ContainerCgroup

const cgroups: Record<string, ContainerCgroup> = {
  web: cgroup({ cpuset: '0-1', shares: 1300, quotaMilli: 0, memoryBytes: 1 }),
  job: cgroup({ cpuset: '2', shares: 10, quotaMilli: 500 }),
  gone,
}

const sources = (change: Partial<CoreReportSources['keeper']> = {}): CoreReportSources => ({
  now: 2000,
  keeper: {
    unbound: { isBound: true, cpuset: '2' },
    grants: new Map([
      ['web', { cpuMilli: 1200, memoryBytes: 1, cores: '0,1:200' }],
      ['job', { cpuMilli: 500, memoryBytes: 1 }],
      ['gone', { cpuMilli: 500, memoryBytes: 1 }],
      ['waits', { cpuMilli: 500, memoryBytes: 1, cores: '1:500' }],
    ]),
    cgroupOf: (instance) => cgroups[instance],
    ...change,
  },
  collector: {
    cores: () => [0, 1, 2].map((core) => ({ core, busyMilli: core * 100, busyNs: 0 })),
    since: () => [
      {
        instance: 'web',
        node: 'a',
        cpuLimitMilli: 1,
        memoryLimitBytes: 1,
        samples: [{ ...sample, cpuMilli: 1 }, sample],
      },
    ],
  },
  regulator: { starving: new Set(['web']) },
})

it('tells of each core how busy it is, and of what runs what it gets and what the kernel has', () => {
  expect(coreReport(sources())).toEqual({
    at: 2000,
    cores: [
      { core: 0, busyMilli: 0, unbound: false },
      { core: 1, busyMilli: 100, unbound: false },
      { core: 2, busyMilli: 200, unbound: true },
    ],
    instances: [
      {
        instance: 'web',
        cores: '0,1:200',
        burst: 'share',
        promisedMilli: 1200,
        usedMilli: 1234,
        cpuset: '0-1',
        shares: 1300,
        quotaMilli: 0,
        throttledMilli: 50,
        throttledPeriodsMilli: 300,
        starving: true,
      },
      {
        instance: 'job',
        promisedMilli: 500,
        usedMilli: 0,
        cpuset: '2',
        shares: 10,
        quotaMilli: 500,
        throttledMilli: 0,
        starving: false,
      },
    ],
  })
})

it('where nobody owns a core, instances without cores run on all', () => {
  const { cores } = coreReport(sources({ unbound: { isBound: false, cpuset: '' } }))
  expect(cores.every(({ unbound }) => unbound)).toBe(true)
})
