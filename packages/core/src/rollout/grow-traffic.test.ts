import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { StageSpec, TrafficGrowth } from '../model/index.ts'
import { round, run, worldWith } from '../reconcile/run-world.testing.ts'
import type { PoolWorld } from '../reconcile/simulate.testing.ts'
import { growTraffic, growthSteps } from './grow-traffic.ts'
import { trafficSplit } from './traffic-split.ts'

const growing: StageSpec = {
  ...{ name: 'growing', instances: 2, traffic: 500, grow: { from: 50, overMs: 200_000 }, gates: [] },
}

function deploying(over: Partial<StageSpec> = {}): PoolWorld {
  const world = worldWith(4)
  const stages = [
    { ...growing, ...over },
    { name: 'all', gates: [] },
  ]
  for (const [release, spec] of world.specs) world.specs.set(release, { ...spec, rollout: { ...spec.rollout, stages } })
  world.startRollout('v1')
  run(world)
  world.startRollout('v2')
  return world
}
const shareOf = (world: PoolWorld) => trafficSplit(world.rollout, world.specs.get('v2'))?.share
function until(world: PoolWorld, done: () => boolean): void {
  for (let rounds = 0; rounds < 5000 && !done(); rounds++) round(world)
  expect(done()).toBe(true)
}
const untilShare = (world: PoolWorld, least: number): void => until(world, () => (shareOf(world) ?? 0) >= least)

describe('a share of requests that grows', () => {
  it('begins when its instances serve, goes up step by step, and then the stage is over', () => {
    const world = deploying()
    until(world, () => world.rollout?.stages?.[0]?.readyAt !== undefined)
    const began = world.now
    const seen = new Set<number>()
    until(world, () => {
      const share = shareOf(world)
      if (share !== undefined) seen.add(share)
      return world.rollout?.stages?.[0]?.endedAt !== undefined
    })
    expect([...seen]).toEqual([...seen].sort((a, b) => a - b))
    expect([Math.min(...seen), Math.max(...seen)]).toEqual([50, 478])
    expect(seen.size).toBe(growthSteps)
    expect(world.now - began).toBeGreaterThanOrEqual(200_000)
    run(world)
    expect(world.rollouts.get('r2')).toMatchObject({ state: 'succeeded', stages: [{ growth: { share: 500 } }, {}] })
  })

  it('says how far it is', () => {
    const world = deploying()
    untilShare(world, 100)
    expect(world.rollout?.message).toBe('v2: stage 1 of 2 (growing) waits for all of its requests: 11.8% of 50%')
  })

  it('stands still while it is paused, and does not catch up', () => {
    const world = deploying()
    untilShare(world, 100)
    const share = shareOf(world)
    world.move('pause')
    const paused = { since: world.now, reason: 'paused by ann' }
    world.wait(3_600_000)
    for (let rounds = 0; rounds < 5; rounds++) round(world)
    expect(shareOf(world)).toBe(share)
    world.move('resume')
    const rollout = world.rollout!
    world.rollouts.set(rollout.id, { ...rollout, pauses: [{ ...paused, until: world.now }] })
    world.apply(world.decide())
    expect(shareOf(world)).toBe(share)
    untilShare(world, (share ?? 0) + 1)
    expect(shareOf(world)).toBeLessThanOrEqual((share ?? 0) + 23)
  })

  it('grows no further while a gate has no data', () => {
    const world = deploying({ gates: [{ type: 'query', query: 'q', below: 1, overMs: 1000, onNoData: 'hold' }] })
    world.samples = [{ type: 'none', message: 'it is down', at: 0 }]
    until(world, () => world.rollout?.stages?.[0]?.gates[0]?.verdict === 'no-data')
    const share = shareOf(world)
    world.wait(3_600_000)
    for (let rounds = 0; rounds < 5; rounds++) round(world)
    expect(shareOf(world)).toBe(share)
    world.samples = [{ type: 'value', value: 0, at: world.now }]
    untilShare(world, (share ?? 0) + 1)
  })

  it('gives back what it had got when it goes back, and no more', () => {
    const world = deploying()
    untilShare(world, 200)
    const share = shareOf(world)
    world.move('abort')
    expect(trafficSplit(world.rollout, world.specs.get('v2'))).toMatchObject({ share, phase: 'leaving' })
    run(world)
    expect(world.rollouts.get('r2')?.state).toBe('aborted')
  })

  it('never goes down, beyond its end, or up by more than a step, however late it is looked at', () => {
    const look = fc.record({ waitMs: fc.integer({ min: 0, max: 1_000_000 }), held: fc.boolean(), paused: fc.boolean() })
    fc.assert(
      fc.property(
        fc.nat(499),
        fc.integer({ min: 1, max: 1000 }),
        fc.integer({ min: 1000, max: 3_600_000 }),
        fc.array(look, { maxLength: 80 }),
        (from, more, overMs, looks) => {
          const traffic = Math.min(1000, from + more)
          const largest = Math.ceil((traffic - from) / growthSteps)
          let growth: TrafficGrowth | undefined
          let now = 0
          const pauses: { since: number; until: number; reason: string }[] = []
          for (const { waitMs, held, paused } of looks) {
            if (paused) pauses.push({ since: now, until: now + waitMs, reason: '' })
            now += waitMs
            const stage = { readyAt: 0, ...(growth === undefined ? {} : { growth }) }
            const next = growTraffic({ traffic, grow: { from, overMs } }, stage, { pauses }, held, now)
            const [was, is] = [growth?.share ?? from, next.growth?.share ?? from]
            expect(is).toBeGreaterThanOrEqual(was)
            expect(is).toBeLessThanOrEqual(Math.min(traffic, was + largest))
            if (held || (paused && growth !== undefined)) expect(is).toBe(was)
            if (next.isGrown) expect(is).toBe(traffic)
            if (next.nextAt !== undefined) expect(next.nextAt).toBeGreaterThan(now)
            growth = next.growth
          }
        },
      ),
      { numRuns: 300 },
    )
  })
})
