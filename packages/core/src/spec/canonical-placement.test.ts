import { describe, expect, it } from 'vitest'
import type { AppSpec } from '../model/app-spec.ts'
import { canonicalize } from './canonicalize.ts'
import { diffSpecs } from './diff-specs.ts'
import { isSystem, nodeGroupOf, placementOf } from './placement-of.ts'
import { resolveEntrypoint } from './resolve-environment.ts'
import type { EntrypointDocument, EntrypointOverrideDocument, PlacementDocument } from './spec-document.ts'
import { formatPath } from './spec-issue.ts'

const read = (web: EntrypointDocument, staging?: EntrypointOverrideDocument) =>
  canonicalize({
    app: 'shop',
    image: 'shop:1',
    entrypoints: { web, db: { ports: [5432] }, report: { type: 'job' } },
    ...(staging === undefined ? {} : { environments: { staging: { entrypoints: { web: staging } } } }),
  })

function specOf(web: EntrypointDocument, staging?: EntrypointOverrideDocument): AppSpec {
  const { spec, issues } = read(web, staging)
  expect(issues).toEqual([])
  return spec!
}

const placed = (placement: PlacementDocument) => specOf({ placement }).entrypoints.web!.placement!

describe('what is written in short', () => {
  it.each<[PlacementDocument, object]>([
    [{ strategy: 'each' }, { strategy: { type: 'each', count: 1 } }],
    [{ strategy: { each: 2 } }, { strategy: { type: 'each', count: 2 } }],
    [{ strategy: { fill: 3 } }, { strategy: { type: 'fill', count: 3 } }],
    [{ where: '  site =  bj ' }, { where: ['site = bj'] }],
    [{ where: ['kind', 'disk = ssd', 'kind'] }, { where: ['disk = ssd', 'kind'] }],
    [{ where: 'disk in(ssd,nvme)' }, { where: ['disk in (ssd, nvme)'] }],
    [{ prefer: ['disk = nvme'] }, { prefer: [{ where: 'disk = nvme', weight: 10 }] }],
    [{ apart: ['db', 'search/*'] }, { apart: [{ app: 'search' }, { app: 'shop', entrypoint: 'db' }] }],
    [{ near: [{ to: 'cache/web', soft: true }] }, { near: [{ app: 'cache', entrypoint: 'web', weight: 10 }] }],
    [
      { apart: [{ to: 'db', soft: 50, over: 'rack' }] },
      { apart: [{ app: 'shop', entrypoint: 'db', weight: 50, over: 'rack' }] },
    ],
    [
      { spread: { over: 'site', shares: { cloud: '33.3%', bj: '66.7%' } } },
      { spread: { over: 'site', shares: { bj: 667, cloud: 333 } } },
    ],
    [{ tolerate: 'gpu' }, { tolerate: [{ key: 'gpu' }] }],
    [
      { tolerate: ['spot=', 'a=b'] },
      {
        tolerate: [
          { key: 'a', value: 'b' },
          { key: 'spot', value: '' },
        ],
      },
    ],
    [{ reschedule: { after: '5m' } }, { reschedule: { afterMs: 300_000 } }],
    [{ reschedule: { after: 'never' } }, { reschedule: 'never' }],
  ])('%j', (document, expected) => expect(placed(document)).toMatchObject(expected))
})

describe('refuses', () => {
  it.each<[string, EntrypointDocument, string]>([
    ['a strategy without its number', { placement: { strategy: 'fill' } }, 'strategy: `fill` needs to know how many'],
    ['two strategies', { placement: { strategy: { fill: 1, each: 1 } } }, 'is one of `fill` and `each`'],
    [
      'shares that are not all',
      { placement: { spread: { over: 'site', shares: { a: '70%', b: '20%' } } } },
      '90% together instead of 100%',
    ],
    [
      'a share without a sign',
      { placement: { spread: { over: 'site', shares: { a: 100 } } } },
      'shares.a: "100" is no share',
    ],
    ['an entrypoint that is not there', { placement: { apart: ['bd'] } }, 'apart[0]: this app has no entrypoint "bd"'],
    ['a peer twice', { placement: { apart: ['db', 'shop/db'] } }, 'shop/db is given twice'],
    [
      'near and apart',
      { placement: { near: ['db'], apart: ['shop/*'] } },
      'shop/db is to be near and apart at the same time',
    ],
    ['near to itself', { placement: { near: ['web'] } }, 'web would wait for itself'],
    [
      'more on a node than may be',
      { placement: { strategy: { fill: 4 }, max: { node: 3 } } },
      'fill: 4 on a node is more than max.node: 3',
    ],
    [
      'replicas of a system service',
      { replicas: 2, placement: { strategy: 'each' } },
      'replicas: with `strategy: each` as many run',
    ],
    ['shares of a system service', { placement: { strategy: 'each', spread: { over: 'site' } } }, 'nothing to spread'],
    [
      'a port of every node, which two cannot have',
      { ports: [{ port: 80, hostPort: 80 }], placement: { strategy: 'each' } },
      'a new instance never fits beside the old one',
    ],
    ['a job on every node', { type: 'job', placement: { strategy: 'each' } }, 'a job runs once'],
    ['a job begun again', { type: 'job', placement: { reschedule: { after: '1m' } } }, 'a job is not begun again'],
    ['a requirement that is none', { placement: { where: 'disk ~ ssd' } }, 'where: requirement "disk ~ ssd", place 6'],
    [
      'requirements of which no node meets all',
      { placement: { where: ['site = bj', 'site = sh'] } },
      'can never both hold',
    ],
    ['a wish that is none', { placement: { prefer: [{ where: 'disk in' }] } }, 'prefer[0].where: requirement'],
    ['a group that is none', { placement: { group: 'Fast Ones' } }, 'cannot name a node group'],
    ['a taint that is none', { placement: { tolerate: ['a b'] } }, 'is no taint'],
    [
      'a weight that says nothing',
      { placement: { prefer: [{ where: 'a = b', weight: 0 }] } },
      'a weight of 0 says nothing',
    ],
    ['a weight too large', { placement: { apart: [{ to: 'db', soft: 200 }] } }, '200 is out of range (1 to 100)'],
    ['a priority too high', { priority: 2000 }, 'priority: 2000 is out of range (-1000 to 1000)'],
    ['CPU among the others', { resources: { cpu: 1 } }, 'resources.cpu: `cpu` is no further resource'],
    ['half a thing', { resources: { gpu: '0.5' } }, 'resources.gpu: "0.5" is no amount'],
    ['none of a thing', { resources: { gpu: 0 } }, '0 is too little'],
    ['the clock for a service', { schedule: '@daily' }, 'schedule: only a job has a `schedule`'],
    ['a step without a range', { type: 'job', schedule: '5/10 * * * *' }, 'schedule: "5/10": a step needs a range'],
    ['seconds', { type: 'job', schedule: '0 0 3 * * *' }, 'has 6 fields instead of five'],
    [
      'a zone that is none',
      { type: 'job', schedule: { cron: '@daily', zone: 'Europe/Berln' } },
      'schedule.zone: there is no time zone',
    ],
  ])('%s', (_, web, message) => {
    const found = read(web).issues.map((issue) => `${formatPath(issue.path)}: ${issue.message}`)
    expect(found.filter((each) => each.includes(message))).toHaveLength(1)
  })

  it('says everything at once, each with what to write', () => {
    const { issues } = read({
      placement: { strategy: 'fill', apart: ['bd'], tolerate: 'a b', spread: { over: 'site', shares: { a: '1%' } } },
      resources: { gpu: '0.5' },
    })
    expect(issues.map(({ path }) => formatPath(path)).sort()).toEqual([
      'entrypoints.web.placement.apart[0]',
      'entrypoints.web.placement.spread.shares',
      'entrypoints.web.placement.strategy',
      'entrypoints.web.placement.tolerate',
      'entrypoints.web.resources.gpu',
    ])
    expect(issues.find(({ message }) => message.includes('bd'))?.suggestion).toBe('did you mean "db"?')
  })
})

describe('an environment', () => {
  it('takes parts over, and leaves the others as they are', () => {
    const spec = specOf(
      { placement: { strategy: 'pack', where: 'site = bj', max: { node: 2 } }, priority: 5, resources: { gpu: 1 } },
      { placement: { where: [], strategy: 'spread' }, priority: 0, burst: 'quota' },
    )
    expect(resolveEntrypoint(spec, 'staging', 'web')).toMatchObject({
      placement: { strategy: { type: 'spread' }, where: [], max: { node: 2 } },
      priority: 0,
      resources: { burst: 'quota', extra: { gpu: 1 } },
    })
    expect(resolveEntrypoint(spec, 'production', 'web')).toMatchObject({
      priority: 5,
      placement: { where: ['site = bj'] },
    })
  })

  it('may not contradict what it leaves', () => {
    const { issues } = read({ placement: { max: { node: 2 } } }, { placement: { strategy: { fill: 3 } } })
    expect(issues.map(({ message }) => message)).toEqual(['fill: 3 on a node is more than max.node: 2'])
    const { issues: counted } = read({ placement: { strategy: 'each' } }, { replicas: 2 })
    expect(counted.map(({ path }) => formatPath(path))).toEqual(['environments.staging.entrypoints.web.replicas'])
  })

  it('turns the clock off', () => {
    const { spec, issues } = canonicalize({
      app: 'shop',
      image: 'shop:1',
      entrypoints: { report: { type: 'job', schedule: '@daily' } },
      environments: { staging: { entrypoints: { report: { schedule: 'off' } } } },
    })
    expect(issues).toEqual([])
    expect(resolveEntrypoint(spec!, 'staging', 'report')?.schedule).toBeUndefined()
    expect(resolveEntrypoint(spec!, 'production', 'report')?.schedule).toEqual({
      cron: '0 0 * * *',
      zone: 'UTC',
      overlap: 'skip',
      history: 10,
      graceMs: 3_600_000,
    })
  })
})

it('a requirement that YAML has cut at its comma is told how to be written', () => {
  const { issues } = read({ placement: { where: ['disk in (ssd', 'nvme)'] } })
  expect(issues[0]?.suggestion).toBe('put the whole requirement in quotes: ["disk in (ssd, nvme)"]')
})

it('data that stays on a node, and jobs, are never begun again elsewhere unless it is said', () => {
  expect(placementOf(specOf({ volumes: ['data:/data'] }).entrypoints.web!).reschedule).toBe('never')
  expect(placementOf(specOf({ volumes: [{ tmpfs: '1Mi', path: '/x' }] }).entrypoints.web!).reschedule).toEqual({
    afterMs: 60_000,
  })
  expect(placementOf(specOf({}).entrypoints.report!).reschedule).toBe('never')
})

it('a release of before is read as if it said the defaults, and differs in nothing', () => {
  const spec = specOf({})
  const { placement: _, priority: __, preempt: ___, preemptible: ____, gang: _____, ...old } = spec.entrypoints.web!
  const before = { ...spec, entrypoints: { ...spec.entrypoints, web: old } }
  expect(placementOf(old)).toEqual(placementOf(spec.entrypoints.web!))
  expect(diffSpecs(before, spec)).toEqual([])
})

it('a change is told in the words of the file', () => {
  const before = specOf({ placement: { where: 'site = bj' } })
  const after = specOf({
    placement: { where: ['site = bj', 'disk = ssd'], strategy: { fill: 2 } },
    priority: 10,
    resources: { gpu: 1 },
  })
  expect(diffSpecs(before, after)).toEqual([
    { op: '~', path: 'entrypoints.web.placement.strategy', before: 'spread', after: { fill: 2 } },
    { op: '~', path: 'entrypoints.web.placement.where', before: ['site = bj'], after: ['disk = ssd', 'site = bj'] },
    { op: '~', path: 'entrypoints.web.priority', before: 0, after: 10 },
    { op: '+', path: 'entrypoints.web.resources', after: { gpu: 1 } },
  ])
})

it('tells which services run on every node, and in which group', () => {
  const each = specOf({ placement: { strategy: 'each', group: 'fast' } }).entrypoints.web!
  expect([isSystem(each), isSystem(specOf({}).entrypoints.web!)]).toEqual([true, false])
  expect(nodeGroupOf(each, {})).toBe('fast')
  expect(nodeGroupOf(specOf({}).entrypoints.web!, {})).toBe('default')
  expect(nodeGroupOf(each, { group: 'slow' })).toBe('slow')
  expect(nodeGroupOf(each, { group: 'slow' }, { state: 'running', groupBefore: null })).toBe('slow')
  expect(nodeGroupOf(each, { group: 'slow' }, { state: 'rolling-back', groupBefore: null })).toBe('fast')
  expect(nodeGroupOf(each, { group: 'slow' }, { state: 'rolling-back', groupBefore: 'old' })).toBe('old')
})
