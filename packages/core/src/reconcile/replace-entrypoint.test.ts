import { describe, expect, it } from 'vitest'
import { instanceRecord, statusRecord } from './pool-fixtures.testing.ts'
import type { ObservedInstance } from './pool-snapshot.ts'
import { type EntrypointGoal, replaceEntrypoint } from './replace-entrypoint.ts'

const now = 100_000

/** `v1:serving`, `v2:starting` …: what runs, in the order of ordinals. */
function services(...texts: readonly string[]): ObservedInstance[] {
  return texts.map((text, index) => {
    const [release = '', state = ''] = text.split(':')
    const desired = ['draining', 'resting', 'busy'].includes(state) ? 'drain' : 'run'
    const generation = Number(release.slice(1))
    const record = { entrypoint: 'web', ordinal: index + 1, node: 'node-a', release, generation, desired } as const
    const instance = instanceRecord(record)
    return {
      instance,
      status: statusRecord(instance, { phase: 'running', ready: state !== 'starting' }),
      nodeOnline: state !== 'silent',
      since: state === 'fresh' ? now - 100 : 0,
      inTraffic: !['starting', 'unrouted', 'resting', 'busy'].includes(state),
      outOfTraffic: ['resting', 'busy'].includes(state),
      routed: true,
      inflight: state === 'busy' ? 1 : 0,
    }
  })
}

const goal = (wanted: number, limits: Partial<EntrypointGoal['limits']> = {}): EntrypointGoal => ({
  name: 'web',
  wanted,
  generation: 2,
  release: 'v2',
  limits: { surge: 1, unavailable: 0, settleMs: 1000, before: [], ...limits },
})

/** Ordinals that leave, and how many are created. */
function decided(to: EntrypointGoal, ...texts: readonly string[]): [number[], number] {
  const { steps } = replaceEntrypoint(to, services(...texts), now)
  const leaving = steps.flatMap((step) => (step.type === 'drain' ? Number(step.instance.split('-').at(-1)) : []))
  return [leaving, steps.filter((step) => step.type === 'create').length]
}

describe('replacing', () => {
  it.each<[string, EntrypointGoal, string[], [number[], number]]>([
    ['begins with the surge', goal(3), ['v1:serving', 'v1:serving', 'v1:serving'], [[], 1]],
    [
      'begins with one fewer',
      goal(3, { surge: 0, unavailable: 1 }),
      ['v1:serving', 'v1:serving', 'v1:serving'],
      [[1], 0],
    ],
    ['lets one go for each new one that has settled', goal(2), ['v1:serving', 'v1:serving', 'v2:serving'], [[1], 0]],
    ['waits for one that has not settled', goal(2), ['v1:serving', 'v1:serving', 'v2:fresh'], [[], 0]],
    ['counts those that drain', goal(2), ['v1:draining', 'v1:serving', 'v2:serving'], [[], 0]],
    ['does not count one that only rests', goal(2), ['v1:resting', 'v1:serving', 'v2:serving'], [[], 1]],
    ['counts one that has requests under way', goal(2), ['v1:busy', 'v1:serving', 'v2:serving'], [[], 0]],
    [
      'leaves as many out of count as may be more, and no more',
      goal(3),
      ['v1:resting', 'v1:resting', 'v1:serving', 'v2:serving', 'v2:serving'],
      [[], 0],
    ],
    [
      'counts shares of what is wanted',
      goal(8, { surge: { percent: 25 } }),
      Array<string>(8).fill('v1:serving'),
      [[], 2],
    ],
    ['lets go at once what does not serve', goal(2), ['v1:starting', 'v1:serving'], [[1], 1]],
    ['keeps a silent one that may be needed', goal(2), ['v1:silent', 'v1:serving'], [[], 1]],
    ['lets a silent one go when the others are enough', goal(2), ['v1:silent', 'v1:serving', 'v2:serving'], [[1], 0]],
    ['keeps one in traffic rather than one on its way in', goal(1), ['v1:serving', 'v1:unrouted'], [[2], 0]],
    [
      'gives up a silent one when nothing else can happen',
      goal(3, { surge: 0, unavailable: 1 }),
      ['v1:silent', 'v1:silent', 'v1:serving'],
      [[1], 0],
    ],
  ])('%s', (_, to, texts, expected) => {
    expect(decided(to, ...texts)).toEqual(expected)
  })
})

describe('scaling down', () => {
  it.each<[string, number, string[], number[]]>([
    ['lets the youngest go', 1, ['v2:serving', 'v2:serving', 'v2:serving'], [3, 2]],
    ['lets those go first that serve least', 1, ['v2:starting', 'v2:serving', 'v2:silent'], [1, 3]],
    ['keeps one that has settled rather than an older one that has not', 1, ['v2:fresh', 'v2:serving'], [1]],
    ['does not count one twice that stays and one that goes', 1, ['v1:serving', 'v2:fresh', 'v2:serving'], [1, 2]],
    ['lets all go', 0, ['v1:serving', 'v2:serving', 'v2:silent'], [1, 3, 2]],
  ])('%s', (_, wanted, texts, expected) => {
    expect(decided(goal(wanted), ...texts)[0]).toEqual(expected)
  })
})

it('tells when to look again: when the first that serves will have settled', () => {
  expect(replaceEntrypoint(goal(2), services('v2:fresh', 'v2:serving'), now)).toMatchObject({
    nextAt: now + 900,
    complete: false,
  })
  expect(replaceEntrypoint(goal(1), services('v2:serving'), now).nextAt).toBeUndefined()
})

it.each<[string, number, string[], boolean]>([
  ['all serve', 2, ['v2:serving', 'v2:serving'], true],
  ['one is missing', 2, ['v2:serving'], false],
  ['one has not settled', 1, ['v2:fresh'], false],
  ['an old one is left', 1, ['v1:serving', 'v2:serving'], false],
  ['one drains', 1, ['v1:draining', 'v2:serving'], false],
  ['nothing is wanted and nothing is there', 0, [], true],
])('is complete or not: %s', (_, wanted, texts, expected) => {
  expect(replaceEntrypoint(goal(wanted), services(...texts), now).complete).toBe(expected)
})
