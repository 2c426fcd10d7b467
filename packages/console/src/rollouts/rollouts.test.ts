import type { RolloutView } from '@berth/api/deploy-resources'
import { describe, expect, it } from 'vitest'
import { instance } from '../../dev/seed-instance.ts'
import { courseOf, freezesOf, obstacleOf } from './begin.ts'
import { nodeMap } from './node-map.ts'
import { stageTone } from './rollout-words.ts'
import { steersOf } from './steering.ts'
import { linesOf, measures, stepFor } from './traffic-lines.ts'

const rollout: RolloutView = {
  ...{ id: 'r-1', app: 'shop', pool: 'production', reason: 'deploy', from: 'v1', to: 'v2', state: 'running' },
  ...{ message: '', progress: {}, createdAt: 1, updatedAt: 1, createdBy: 'token:mai' },
}
const waiting = { type: 'person' as const, verdict: 'waiting' as const, message: 'a person' }
const staged: RolloutView = {
  ...rollout,
  stages: [
    { name: 'canary', startedAt: 1, readyAt: 2, gates: [waiting] },
    { name: 'all', gates: [] },
  ],
}
const reader = { may: true, actor: 'token:dev', latest: true }

const told = (of: RolloutView, as: Partial<typeof reader> = {}) =>
  steersOf(of, { ...reader, ...as }).map(({ move, keys, hindrance }) =>
    [move, keys.join(''), hindrance ?? 'may'].join(),
  )

describe('the keys of a rollout', () => {
  it.each<[string, RolloutView, Partial<typeof reader>, readonly string[]]>([
    ['under way, without stages', rollout, {}, ['pause,p,may', 'skip,s,noStages', 'abort,ar,may']],
    ['waits for a person', staged, {}, ['continue,c,may', 'pause,p,may', 'skip,s,may', 'abort,ar,may']],
    ['paused', { ...staged, state: 'paused' }, {}, ['continue,c,may', 'resume,p,may', 'skip,s,may', 'abort,ar,may']],
    ['of a viewer', rollout, { may: false }, ['pause,p,role', 'skip,s,role', 'abort,ar,role']],
    [
      'goes back already',
      { ...staged, stages: [], state: 'rolling-back' },
      {},
      ['pause,p,goingBack', 'skip,s,goingBack', 'abort,ar,goingBack'],
    ],
    ['has succeeded', { ...rollout, state: 'succeeded', endedAt: 2 }, {}, ['rollback,r,may']],
    [
      'is over, and another came',
      { ...rollout, state: 'succeeded', endedAt: 2 },
      { latest: false },
      ['rollback,r,later'],
    ],
    ['went back', { ...rollout, state: 'rolled-back', endedAt: 2 }, {}, ['again,d,may']],
    ['was the first', { ...rollout, from: undefined, state: 'succeeded', endedAt: 2 }, {}, []],
    ['was a restart', { ...rollout, from: 'v2', state: 'succeeded', endedAt: 2 }, {}, []],
  ])('%s', (_, of, as, expected) => expect(told(of, as)).toEqual(expected))

  it('counts nobody twice, nor who asked for it', () => {
    const asked: RolloutView = {
      ...{ ...rollout, state: 'paused', approvals: { needed: 2, given: [{ by: 'token:ann', at: 1 }] } },
    }
    expect(told(asked)[0]).toBe('approve,y,may')
    expect(told(asked, { actor: 'token:ann' })[0]).toBe('approve,y,given')
    expect(told(asked, { actor: 'token:mai' })[0]).toBe('approve,y,given')
  })
})

describe('a stage', () => {
  it('was given up where the rollout went back, though nothing of it failed', () => {
    const stages = [
      { name: 'canary', startedAt: 1, endedAt: 2, gates: [] },
      { name: 'half', startedAt: 2, endedAt: 3, gates: [] },
      { name: 'all', gates: [] },
    ]
    const tones = (state: RolloutView['state']) =>
      stages.map((stage) => stageTone(stage, { ...rollout, state, stages }))
    expect(tones('rolled-back')).toEqual(['ok', 'bad', 'off'])
    expect(tones('aborted')).toEqual(['ok', 'bad', 'off'])
    expect(tones('running')).toEqual(['ok', 'ok', 'off'])
  })
})

describe('the map of nodes', () => {
  it('has a cell for each instance of a service, those without a node first, new ones told from old', () => {
    const at = (n: number, rest = {}) => instance('shop', 'production', 'web', n, 0, { release: 'v1', ...rest })
    const { node: _, ...pending } = at(11, { release: 'v2', phase: 'pending', ready: false })
    const shown = nodeMap(rollout, [
      ...[at(3), at(10), at(1, { release: 'v2' }), at(2, { phase: 'ended' }), at(4, { type: 'job' }), pending],
    ])
    expect(shown.map(({ node, cells }) => [node, cells.map(({ name, isNew }) => `${name} ${isNew}`)])).toEqual([
      [undefined, ['web-11 true']],
      ['anchor-1', ['web-1 true', 'web-3 false']],
      ['anchor-2', ['web-10 false']],
    ])
  })

  it('tells both of a restart apart by the rollout', () => {
    const restart = { ...rollout, from: 'v2', reason: 'restart' as const }
    const of = (n: number, rest = {}) => instance('shop', 'production', 'web', n, 0, { release: 'v2', ...rest })
    const [first] = nodeMap(restart, [of(1), of(3, { rollout: 'r-1' })])
    expect(first?.cells.map(({ isNew }) => isNew)).toEqual([false, true])
  })
})

describe('the lines of requests', () => {
  const none = { errors4xx: 0, errors5xx: 0, lost: 0, failedTries: 0 }
  const of = (generation: number, release: string, requests: number, p95Ms?: number) => ({
    ...{ generation, release, requests, ...none },
    ...(p95Ms === undefined ? {} : { p95Ms }),
  })

  it('are of the old generation and of the new one, a second', () => {
    const steps = [
      { atMs: 0, generations: [of(1, 'v1', 100, 20)] },
      { atMs: 10_000, generations: [of(1, 'v1', 50), { ...of(2, 'v2', 20, 30), errors5xx: 5 }] },
    ]
    const [requests, errors, slow] = measures.map((each) => linesOf(rollout, steps, 10_000, each))
    expect(requests).toEqual({
      times: [5, 15],
      lines: [
        [10, 5],
        [0, 2],
      ],
    })
    expect(errors?.lines).toEqual([
      [0, 0],
      [0, 0.5],
    ])
    expect(slow?.lines).toEqual([
      [20, null],
      [null, 30],
    ])
  })

  it('take the newest generation for the new one of a restart', () => {
    const steps = [{ atMs: 0, generations: [of(4, 'v2', 10), of(5, 'v2', 30)] }]
    const [requests] = measures
    const restart = { ...rollout, from: 'v2' }
    expect(requests && linesOf(restart, steps, 5_000, requests)?.lines).toEqual([[2], [6]])
  })

  it('are not there where nobody counted', () => {
    const [requests] = measures
    expect(requests && linesOf(rollout, [{ atMs: 0, generations: [] }], 5_000, requests)).toBeUndefined()
    expect(requests && linesOf(rollout, [], 5_000, requests)).toBeUndefined()
  })

  it('stay as fine as a chart can show', () => {
    expect([30_000, 600_000, 601_000, 3_600_000, 86_400_000].map(stepFor)).toEqual([
      5_000, 5_000, 10_000, 30_000, 300_000,
    ])
  })
})

describe('how a release begins', () => {
  const at = { app: 'shop', createdAt: 1, createdBy: 'token:ci', image: 'i', runningIn: [], served: [] }
  const warm = { type: 'job', job: 'warm-up', timeoutMs: 1, onFailure: 'hold' }
  const grow = { from: 10, overMs: 1 }
  const stages = [
    { name: 'canary', traffic: 50, grow, before: [warm], gates: [{ type: 'health', forMs: 60_000 }] },
    { name: 'all', gates: [] },
  ]
  const spec = {
    rollout: { stages, approvals: 1, before: ['migrate'] },
    environments: { test: { rollout: { stages: [] } } },
  }
  const release = { ...at, id: 'v2', spec }
  const pool = {
    ...{ app: 'shop', name: 'production', environment: 'production', release: 'v1', generation: 1, entrypoints: [] },
    urls: [],
  }

  it('says what it goes through, as the environment has it', () => {
    expect(courseOf(release, pool)).toEqual({
      stages: [
        { name: 'canary', traffic: [10, 50], gates: ['job warm-up', 'health for 1m'] },
        { name: 'all', gates: [] },
      ],
      ...{ approvals: 1, before: ['migrate'] },
    })
    expect(courseOf(release, { ...pool, environment: 'test' })).toEqual({
      stages: [],
      approvals: 1,
      before: ['migrate'],
    })
    const { release: _, ...first } = pool
    expect(courseOf(release, first)).toMatchObject({ stages: [], approvals: 0 })
    expect(courseOf({ ...at, id: 'v1', spec: {} }, pool)).toEqual({ stages: [], approvals: 0, before: [] })
  })

  it('knows which freezes are about it', () => {
    const freeze = { reason: 'r', createdAt: 1, createdBy: 'x', when: { type: 'once' as const, from: 50, until: 90 } }
    const all = [
      { ...freeze, name: 'now', until: 90 },
      { ...freeze, name: 'later', when: { ...freeze.when, from: 200, until: 300 } },
      { ...freeze, name: 'weekends', when: { type: 'again' as const, cron: '0 18 * * fri', zone: 'UTC', forMs: 1 } },
      { ...freeze, name: 'over', when: { ...freeze.when, until: 60 } },
      { ...freeze, name: 'other', app: 'other', until: 90 },
      { ...freeze, name: 'test', pool: 'test', until: 90 },
    ]
    const { active, ahead } = freezesOf(all, pool, 70)
    expect([active, ahead].map((each) => each.map(({ name }) => name))).toEqual([['now'], ['later', 'weekends']])
  })

  it.each([
    ['role', { may: false, frozen: true }],
    ['frozen', { frozen: true, force: true }],
    ['frozen', { frozen: true, reason: '  ' }],
    [undefined, { frozen: true, reason: 'payments are down' }],
    ['busy', { pool: { ...pool, rollout: 'r-1' } }],
    [undefined, { pool: { ...pool, rollout: 'r-1' }, force: true }],
    ['problems', { plan: { changes: true, problems: ['no place'] } }],
    ['same', { plan: { changes: false, problems: [] } }],
    [undefined, {}],
  ])('is kept from it by %s', (expected, change) => {
    const plan = { changes: true, problems: [] }
    const state = { ...{ may: true, plan, pool, frozen: false, reason: '', force: false }, ...change }
    expect(obstacleOf(state)).toBe(expected)
  })
})
