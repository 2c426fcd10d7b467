import { describe, expect, it } from 'vitest'
import { canonicalize } from './canonicalize.ts'
import { resolveSpec } from './resolve-environment.ts'
import type { RolloutDocument, SpecDocument } from './spec-document.ts'
import { specToDocument } from './spec-to-document.ts'

const document = (rollout: RolloutDocument, environments: SpecDocument['environments'] = {}): SpecDocument => ({
  app: 'shop',
  image: 'shop:1',
  entrypoints: { web: { ports: [80] } },
  rollout,
  environments,
})

const stagesOf = (rollout: RolloutDocument) => canonicalize(document(rollout)).spec?.rollout.stages
const problems = (rollout: RolloutDocument): string[] =>
  canonicalize(document(rollout)).issues.map(
    ({ path, message, suggestion = '' }) => `${path.join('.')}: ${message} ${suggestion}`,
  )

describe('stages', () => {
  it('have names, and one about all instances at their end', () => {
    expect(stagesOf({ stages: [{ instances: 1, gates: [{ health: '2m' }, 'person'] }, { instances: '50%' }] })).toEqual(
      [
        { name: '1 instance', instances: 1, gates: [{ type: 'health', forMs: 120_000 }, { type: 'person' }] },
        { name: '50%', instances: { percent: 50 }, gates: [] },
        { name: 'all', gates: [] },
      ],
    )
    expect(stagesOf({ stages: [{ instances: 3 }, { name: 'rest', gates: [{ person: true }] }] })).toEqual([
      { name: '3 instances', instances: 3, gates: [] },
      { name: 'rest', gates: [{ type: 'person' }] },
    ])
    expect(stagesOf({ stages: [] })).toBeUndefined()
  })

  it('may be about a part of the requests, with as many instances', () => {
    expect(stagesOf({ stages: [{ traffic: '0.5%' }, { traffic: '20%', instances: 3 }] })).toEqual([
      { name: '1%', instances: { percent: 1 }, traffic: 5, gates: [] },
      { name: '3 instances', instances: 3, traffic: 200, gates: [] },
      { name: 'all', gates: [] },
    ])
  })

  it('have gates that run jobs, and are written down as they were', () => {
    const entrypoints = { web: { ports: [80] }, smoke: { type: 'job' as const, command: 'test' } }
    const written = { ...document({ stages: [{ gates: [{ job: 'smoke' }] }] }), entrypoints }
    const { spec, issues } = canonicalize(written)
    expect([issues, spec?.rollout.stages]).toEqual([[], [{ name: 'all', gates: [{ type: 'job', job: 'smoke' }] }]])
    if (spec === undefined) throw new Error('it is valid')
    expect(canonicalize(specToDocument(spec)).spec).toEqual(spec)
  })

  it('have hooks before and after, and are written down as they were', () => {
    const entrypoints = { web: { ports: [80] }, warm: { type: 'job' as const, command: 'warm' } }
    const url = 'https://ci.example/berth'
    const stages = [{ before: [{ job: 'warm' }], after: [{ url, timeout: '30s', onFailure: 'rollback' as const }] }]
    const { spec, issues } = canonicalize({ ...document({ stages }), entrypoints })
    expect([issues, spec?.rollout.stages]).toEqual([
      [],
      [
        {
          ...{ name: 'all', gates: [] },
          before: [{ type: 'job', job: 'warm', timeoutMs: 600_000, onFailure: 'hold' }],
          after: [{ type: 'url', url, timeoutMs: 30_000, onFailure: 'rollback' }],
        },
      ],
    ])
    if (spec === undefined) throw new Error('it is valid')
    expect(canonicalize(specToDocument(spec)).spec).toEqual(spec)
  })

  it('may have a part of the requests that grows', () => {
    const stages = [{ traffic: { from: '0%', to: '12.5%', over: '10m' } }]
    const { spec, issues } = canonicalize(document({ stages }))
    expect([issues, spec?.rollout.stages?.[0]]).toEqual([
      [],
      { ...{ name: '13%', instances: { percent: 13 }, traffic: 125 }, grow: { from: 0, overMs: 600_000 }, gates: [] },
    ])
    if (spec === undefined) throw new Error('it is valid')
    expect(canonicalize(specToDocument(spec)).spec).toEqual(spec)
  })

  it('may be about sites and services', () => {
    const stages = [{ sites: ['paris', 'paris'] }, { entrypoints: ['web'], sites: ['lyon'], traffic: '5%' }]
    const { spec, issues } = canonicalize(document({ stages }))
    expect([issues, spec?.rollout.stages]).toEqual([
      [],
      [
        { name: 'paris', sites: ['paris'], gates: [] },
        { name: 'web, lyon', sites: ['lyon'], entrypoints: ['web'], traffic: 50, gates: [] },
        { name: 'all', gates: [] },
      ],
    ])
    if (spec === undefined) throw new Error('it is valid')
    expect(canonicalize(specToDocument(spec)).spec).toEqual(spec)
  })

  it('have gates that measure', () => {
    const gates = [
      { errors: '0.5%', over: '1m', requests: 100 },
      { p99: '300ms', onNoData: 'rollback' },
      { lost: 0 },
      { query: 'sum(x{app="$app"})', below: '0.05' },
      { query: 'up', above: 3 },
    ] as const
    const measured = { overMs: 300_000, onNoData: 'hold' }
    expect(stagesOf({ stages: [{ gates }] })?.[0]?.gates).toEqual([
      { type: 'errors', most: 5, requests: 100, ...measured, overMs: 60_000 },
      { type: 'latency', quantile: 'p99', mostMs: 300, requests: 20, ...measured, onNoData: 'rollback' },
      { type: 'lost', most: 0, requests: 1, ...measured },
      { type: 'query', query: 'sum(x{app="$app"})', below: 0.05, ...measured },
      { type: 'query', query: 'up', above: 3, ...measured },
    ])
  })

  it('are what a strategy is short for', () => {
    expect(stagesOf({ strategy: 'rolling' })).toBeUndefined()
    expect(stagesOf({ strategy: 'canary' })).toEqual([
      { name: 'canary', instances: 1, gates: [{ type: 'health', forMs: 300_000 }] },
      { name: 'all', gates: [] },
    ])
    expect(stagesOf({ strategy: 'canary', stages: [{ instances: 2 }] })).toMatchObject([
      { instances: 2 },
      { name: 'all' },
    ])
    expect(stagesOf({ strategy: 'blue-green', keep: '1h' })).toEqual([
      { name: 'beside', beside: true, traffic: 0, gates: [] },
      { name: 'switched', beside: true, traffic: 1000, gates: [{ type: 'health', forMs: 3_600_000 }] },
      { name: 'all', gates: [] },
    ])
    expect(canonicalize(document({ strategy: 'recreate' })).spec?.rollout).toMatchObject({ recreate: true })
    expect(stagesOf({ stages: [{ beside: true, traffic: '10%' }] })).toEqual([
      { name: 'all', traffic: 100, beside: true, gates: [] },
      { name: 'all', gates: [] },
    ])
  })

  it('with all old ones beside need entrypoints that may be there twice', () => {
    const kept = {
      ...document({ strategy: 'blue-green' }),
      entrypoints: { db: { address: 'keep', ports: [1] } },
    } as const
    const each = {
      ...document({ strategy: 'blue-green' }),
      entrypoints: { log: { placement: { strategy: 'each' } } },
    } as const
    expect(canonicalize(kept).issues[0]?.message).toContain('"db" keeps its addresses, so old and new instances')
    expect(canonicalize(each).issues[0]?.message).toContain('"log" runs on every node, so old and new instances')
  })

  it('are others, or none, where an environment says so', () => {
    const { spec } = canonicalize(
      document(
        { stages: [{ instances: 1 }], settle: '5s' },
        { test: { rollout: { stages: [] } }, grey: { rollout: { surge: 2 } } },
      ),
    )
    expect(resolveSpec(spec!, 'test').rollout).toMatchObject({ stages: [], settleMs: 5000 })
    expect(resolveSpec(spec!, 'grey').rollout).toMatchObject({ surge: 2, stages: [{ instances: 1 }, { name: 'all' }] })
    expect(resolveSpec(spec!, 'production').rollout).toEqual(spec!.rollout)
  })

  it.each<[string, RolloutDocument, RegExp]>([
    ['about none', { stages: [{ instances: 0 }] }, /^rollout.stages.0.instances: a stage without an instance/],
    ['about 0%', { stages: [{ instances: '0%' }] }, /shows nothing write 1 or more/],
    [
      'not about more',
      { stages: [{ instances: 3 }, { instances: 3 }] },
      /^rollout.stages.1.instances: the stage before it is about as many/,
    ],
    [
      'about all too early',
      { stages: [{}, { instances: 3 }] },
      /^rollout.stages.0.instances: a stage about all instances is the last one/,
    ],
    [
      'unknown gate',
      { stages: [{ gates: ['nobody'] }] },
      /^rollout.stages.0.gates.0: there is no gate "nobody" write `person`/,
    ],
    [
      'job that is none',
      { stages: [{ gates: [{ job: 'smoke' }] }] },
      /^rollout.stages.0.gates.0.job: this app has no entrypoint "smoke"/,
    ],
    ['service', { stages: [{ gates: [{ job: 'web' }] }] }, /"web" is a service.*only a job can be run by a gate/],
    ['empty gate', { stages: [{ gates: [{}] }] }, /the gate says nothing to wait for/],
    ['two gates in one', { stages: [{ gates: [{ health: '1m', person: true }] }] }, /health and person are two gates/],
    ['nobody', { stages: [{ gates: [{ person: false }] }] }, /a gate that waits for nobody is none/],
    ['no time', { stages: [{ gates: [{ health: '10ms' }] }] }, /^rollout.stages.0.gates.0.health: 10ms is too little/],
    ['a long name', { stages: [{ name: 'x'.repeat(61) }] }, /^rollout.stages.0.name: the name is 61 characters long/],
    ['errors without a share', { stages: [{ gates: [{ errors: 1 }] }] }, /gates.0.errors: "1" is no share.*write 1%/],
    [
      'stages of blue-green',
      { strategy: 'blue-green', stages: [{ instances: 1 }] },
      /`strategy: blue-green` is stages of its own/,
    ],
    ['keep elsewhere', { strategy: 'canary', keep: '1m' }, /^rollout.keep: only `strategy: blue-green` keeps/],
    ['a query alone', { stages: [{ gates: [{ query: 'up' }] }] }, /a query is compared with one number/],
    ['two bounds', { stages: [{ gates: [{ query: 'up', below: 1, above: 2 }] }] }, /write either `below` or `above`/],
    ['no number', { stages: [{ gates: [{ query: 'up', below: 'x' }] }] }, /gates.0.below: "x" is not a number/],
    ['an empty query', { stages: [{ gates: [{ query: ' ', below: 1 }] }] }, /the query is empty/],
    ['a key of others', { stages: [{ gates: [{ health: '1m', over: '1m' }] }] }, /a gate of `health` has no `over`/],
    ['traffic without a share', { stages: [{ traffic: 5 }] }, /^rollout.stages.0.traffic: "5" is no share.*write 5%/],
    ['sites and a number', { stages: [{ sites: ['paris'], instances: 1 }] }, /instances: a stage about sites replaces/],
    ['no site', { stages: [{ sites: [] }] }, /stages.0.sites: a stage at no site replaces nothing/],
    ['a site that is none', { stages: [{ sites: ['a"b'] }] }, /sites.0: "a"b" is no name of a site/],
    ['all beside at a site', { stages: [{ sites: ['paris'], beside: true }] }, /all old instances stay is about all/],
    ['an unknown entrypoint', { stages: [{ entrypoints: ['wep'] }] }, /no entrypoint "wep" did you mean "web"/],
    ['no entrypoint', { stages: [{ entrypoints: [] }] }, /a stage about no entrypoint replaces nothing/],
    [
      'a share that shrinks',
      { stages: [{ traffic: { from: '50%', to: '5%', over: '1m' } }] },
      /traffic.to: a share that does not become more does not grow/,
    ],
    ['a growth to nothing', { stages: [{ traffic: { from: '5%' } }] }, /traffic: a share that grows says to what/],
    [
      'a growth in no time',
      { stages: [{ traffic: { from: '1%', to: '5%', over: '1s' } }] },
      /stages.0.traffic.over: 1s is too little/,
    ],
    ['a hook of nothing', { stages: [{ before: [{}] }] }, /stages.0.before.0: the hook does nothing/],
    ['two hooks in one', { stages: [{ after: [{ job: 'a', url: 'http://a/' }] }] }, /`job` and `url` are two hooks/],
    ['a hook’s job that is none', { stages: [{ after: [{ job: 'web' }] }] }, /only a job can be run by a hook/],
    ['a hook’s URL that is none', { stages: [{ before: [{ url: 'file:///etc' }] }] }, /"file:\/\/\/etc" is not a URL/],
    ['a password in a URL', { stages: [{ before: [{ url: 'http://a:b@c/' }] }] }, /the URL holds a password/],
    ['a hook for days', { stages: [{ before: [{ url: 'http://a/', timeout: '2d' }] }] }, /before.0.timeout: 2d is/],
    [
      'many hooks',
      { stages: [{ after: Array.from({ length: 5 }, () => ({ url: 'http://a/' })) }] },
      /5 hooks are too many: at most 4/,
    ],
    [
      'too many',
      { stages: Array.from({ length: 21 }, (_, index) => ({ instances: index + 1 })) },
      /21 stages are too many/,
    ],
  ])('%s is refused', (_, rollout, expected) => {
    expect(problems(rollout).join('\n')).toMatch(expected)
  })
})
