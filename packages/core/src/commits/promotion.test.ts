import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Build } from '../model/build.ts'
import type { Pipeline } from '../model/pipeline.ts'
import type { Release } from '../model/release.ts'
import type { Rollout } from '../model/rollout.ts'
import { automaticRollouts } from './automatic-rollouts.ts'
import { type AppHistory, hasSucceeded, missingStage, planPromotion } from './promotion.ts'
import { isSameVersion } from './same-version.ts'

const environments = ['test', 'staging', 'production']
const pipeline: Pipeline = {
  ...{ app: 'shop', branches: ['main'], tags: [], deploy: 'test', environments, automatic: ['staging', 'production'] },
  ...{ version: 1, updatedAt: 0, updatedBy: 'local:0' },
}

/** An app to which things happen one after the other. */
class World implements AppHistory {
  readonly releases = new Map<string, Release>()
  readonly pools = new Map<string, { release?: string; rollout?: string }>()
  readonly all: Rollout[] = []
  readonly builds: Build[] = []
  now = 1

  release = (id: string) => this.releases.get(id)
  pool = (name: string) => this.pools.get(name)
  rollouts = (pool: string) => this.all.filter((each) => each.pool === pool)

  push(image: string, tests: 'passed' | 'failed' | undefined): void {
    this.now += 1
    const id = `v${this.releases.size + 1}`
    const times = { createdAt: this.now, startedAt: this.now }
    this.releases.set(id, {
      ...{ app: 'shop', id, image, spec: { app: 'shop' } as Release['spec'], createdBy: 'x', ...times },
      ...(tests === undefined ? {} : { tests: { state: tests, runs: [], startedAt: this.now } }),
    })
    const trigger = { ref: 'refs/heads/main', by: 'webhook', deploy: 'test' } as const
    const state = tests === 'failed' ? 'failed' : 'succeeded'
    this.builds.push({
      id: `b-${id}`,
      app: 'shop',
      ref: id,
      state,
      release: id,
      trigger,
      endedAt: this.now,
      createdBy: 'x',
      ...times,
    })
  }

  begin(pool: string, to: string, reason: Rollout['reason'] = 'deploy'): void {
    this.now += 1
    const id = `r-${this.all.length}`
    this.all.push({
      id,
      app: 'shop',
      pool,
      reason,
      to,
      state: 'running',
      createdAt: this.now,
      updatedAt: this.now,
    } as Rollout)
    this.pools.set(pool, { ...this.pools.get(pool), rollout: id })
  }

  end(pool: string, state: Rollout['state']): void {
    this.now += 1
    const held = this.pools.get(pool)
    const index = this.all.findIndex(({ id }) => id === held?.rollout)
    const rollout = this.all[index]
    if (rollout === undefined) return
    this.all[index] = { ...rollout, state, endedAt: this.now, updatedAt: this.now }
    const release = state === 'succeeded' ? rollout.to : held?.release
    this.pools.set(pool, release === undefined ? {} : { release })
  }

  same(a: string, b: string): boolean {
    const [first, second] = [this.release(a), this.release(b)]
    return a === b || (first !== undefined && second !== undefined && isSameVersion(first, second))
  }
}

type Step = (world: World) => void
const pool = fc.constantFrom(...environments)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('a', 'b', 'c', 'd'),
      fc.constantFrom<'passed' | 'failed' | undefined>('passed', 'failed', undefined),
    )
    .map(
      ([image, tests]): Step =>
        (world) =>
          world.push(image, tests),
    ),
  fc.tuple(pool, fc.constantFrom<Rollout['state']>('succeeded', 'succeeded', 'rolled-back', 'aborted')).map(
    ([name, state]): Step =>
      (world) =>
        world.end(name, state),
  ),
  // A person goes back, or anywhere.
  fc.tuple(pool, fc.nat(5)).map(
    ([name, n]): Step =>
      (world) => {
        const id = `v${n}`
        if (world.releases.has(id) && world.pool(name)?.rollout === undefined) world.begin(name, id, 'rollback')
      },
  ),
)
/** All that is to be done by itself is done before the next thing happens. */
function act(world: World): number {
  let count = 0
  for (;;) {
    const [wanted] = automaticRollouts(pipeline, world, world.builds)
    if (wanted === undefined) return count
    count += 1
    expect(count).toBeLessThan(20)
    check(world, wanted)
    world.begin(wanted.pool, wanted.release)
  }
}

function check(world: World, { pool: name, release, from }: { pool: string; release: string; from?: string }): void {
  expect(world.pool(name)?.rollout).toBeUndefined()
  expect(world.release(release)?.tests?.state ?? 'passed').toBe('passed')
  expect(world.rollouts(name).map(({ to }) => to)).not.toContain(release)
  expect(missingStage(pipeline, world, name, release)).toBeUndefined()
  if (from !== undefined) expect(hasSucceeded(world, from, release)).toBe(true)
}

it('whatever happens: nothing untested, nothing over a rollout, nothing twice, nothing that skips an environment', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const world = new World()
      for (const each of steps) {
        each(world)
        act(world)
        expect(automaticRollouts(pipeline, world, world.builds)).toEqual([])
      }
    }),
    { numRuns: 1_000 },
  )
})

it('where everything succeeds, the newest push that passed comes to the end of the chain', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.boolean()), { minLength: 1, maxLength: 8 }),
      (pushes) => {
        const world = new World()
        for (const [image, passes] of pushes) {
          world.push(image, passes ? 'passed' : 'failed')
          for (let round = 0; round < 6; round += 1) {
            act(world)
            for (const name of environments) world.end(name, 'succeeded')
          }
        }
        const newest = [...world.releases.values()].findLast(({ tests }) => tests?.state === 'passed')?.id
        const there = world.pool('production')?.release
        if (newest === undefined) expect(there).toBeUndefined()
        else expect(there !== undefined && world.same(there, newest)).toBe(true)
      },
    ),
  )
})

it('a person promotes only one step, and only what has succeeded before it', () => {
  const some = fc.option(pool, { nil: undefined })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), some, some, (steps, from, to) => {
      const world = new World()
      for (const each of steps) {
        each(world)
        act(world)
      }
      const plan = planPromotion(pipeline, world, { from, to })
      if (!plan.ok) return
      expect(environments.indexOf(plan.to)).toBe(environments.indexOf(plan.from) + 1)
      expect(hasSucceeded(world, plan.from, plan.release)).toBe(true)
      if (from !== undefined) expect(plan.from).toBe(from)
      if (to !== undefined) expect(plan.to).toBe(to)
    }),
  )
})

describe('without a word it is the furthest that can move', () => {
  it.each([
    [{ test: 'v3', staging: 'v2', production: 'v1' }, 'staging', 'production', 'v2'],
    [{ test: 'v3', staging: 'v2', production: 'v2' }, 'test', 'staging', 'v3'],
    [{ test: 'v3' }, 'test', 'staging', 'v3'],
  ])('%j', (running, from, to, release) => {
    const world = new World()
    for (const image of ['a', 'b', 'c']) world.push(image, undefined)
    for (const [name, id] of Object.entries(running)) {
      world.begin(name, id)
      world.end(name, 'succeeded')
    }
    expect(planPromotion(pipeline, world, {})).toEqual({ ok: true, from, to, release })
  })
})
