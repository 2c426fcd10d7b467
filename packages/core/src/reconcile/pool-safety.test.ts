import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dueSizes } from '../spec/sizes-of.ts'
import { applyChecked, deployed, happening, limits, wantedOf } from './pool-happenings.testing.ts'
import { recoverAll, rollOutThrough, round, run, worldWith } from './run-world.testing.ts'

const scenario = fc.record({
  replicas: fc.integer({ min: 1, max: 5 }),
  limits,
  broken: fc.constantFrom([], ['v2'], ['v3'], ['v2', 'v3']),
  happenings: fc.array(happening, { maxLength: 150 }),
})

describe('in whatever order things happen', () => {
  it('no plan makes the pool serve too little, grow too large, or stop what still serves', () => {
    fc.assert(
      fc.property(scenario, ({ broken, happenings, ...scene }) => {
        const world = deployed(scene)
        rollOutThrough(world, { broken, happenings }, () => applyChecked(world, scene.limits))
      }),
      { numRuns: 300 },
    )
  })

  it('when all is well again, the pool comes to rest with one release and as many as wanted', () => {
    fc.assert(
      fc.property(scenario, ({ broken, happenings, ...scene }) => {
        const world = deployed(scene)
        rollOutThrough(world, { broken, happenings })
        recoverAll(world)
        run(world)
        const left = [...world.instances.values()].map((each) => each.instance)
        expect(left.every((each) => each.release === world.pool.release)).toBe(true)
        expect(left.every((each) => each.generation === world.pool.generation)).toBe(true)
        expect(left).toHaveLength(wantedOf(world))
        const web = world.specs.get(world.pool.release ?? '')!.entrypoints.web!
        expect(left.every((each) => dueSizes(each, web, world.pool) === undefined)).toBe(true)
      }),
      { numRuns: 200 },
    )
  })

  it('a drained node and a lost one end up empty, and others run as many as wanted', () => {
    fc.assert(
      fc.property(scenario, fc.constantFrom('drain', 'lose'), ({ happenings, ...scene }, how) => {
        const world = deployed(scene)
        rollOutThrough(world, { happenings })
        recoverAll(world)
        world[how as 'drain' | 'lose']('node-b')
        run(world)
        const up = [...world.instances.values()].map((each) => each.instance).filter((each) => each.desired === 'run')
        expect(up.map((each) => each.node)).not.toContain('node-b')
        expect(up).toHaveLength(wantedOf(world))
      }),
      { numRuns: 200 },
    )
  })

  it('a rollout ends, though a node stays silent or gateways never answer', () => {
    fc.assert(
      fc.property(scenario, fc.subarray(['node-a', 'node-b', 'node-c']), fc.boolean(), (scene, silent, stuck) => {
        const world = deployed(scene)
        for (const release of scene.broken) world.broken.add(release)
        world.startRollout('v2')
        for (const happen of scene.happenings) {
          world.apply(world.decide())
          happen(world)
        }
        for (const node of silent) world.silence(node)
        world.stickGateways(stuck)
        world.move('resume')
        for (let rounds = 0; rounds < 10_000 && world.rollout !== undefined; rounds++) round(world)
        expect(world.rollout).toBeUndefined()
      }),
      { numRuns: 60 },
    )
  })

  it('a plan applied leaves nothing to do until something happens or its time has come', () => {
    fc.assert(
      fc.property(scenario, ({ happenings, ...scene }) => {
        const world = worldWith(scene.replicas, scene.limits)
        world.startRollout('v1')
        for (const happen of happenings) {
          for (let settle = 0; settle < 10 && world.decide().length > 0; settle++) world.apply(world.decide())
          const { steps, nextAt } = world.plan()
          expect(steps).toEqual([])
          if (nextAt !== undefined) expect(nextAt).toBeGreaterThan(world.now)
          happen(world)
        }
      }),
      { numRuns: 200 },
    )
  })
})
