import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Rollout, StageHookSpec, StageSpec } from '../model/index.ts'
import { entrypointSpec } from '../reconcile/pool-fixtures.testing.ts'
import {
  applyChecked,
  type Happening,
  happening,
  limits,
  type Scenario,
  wantedOf,
} from '../reconcile/pool-happenings.testing.ts'
import { round, run, worldWith } from '../reconcile/run-world.testing.ts'
import { type PoolWorld, siteOfNode } from '../reconcile/simulate.testing.ts'
import type { GateSample } from './gate-sample.ts'
import { hookId } from './hook-answer.ts'
import { openStage, placingSites, stageUnderWay } from './stage-under-way.ts'

const gate = fc.constantFrom<StageSpec['gates'][number]>(
  { type: 'health', forMs: 1000 },
  { type: 'health', forMs: 20_000 },
  { type: 'person' },
  { type: 'job', job: 'smoke' },
  { type: 'errors', most: 10, requests: 20, overMs: 5000, onNoData: 'hold' },
  { type: 'lost', most: 0, requests: 1, overMs: 2000, onNoData: 'rollback' },
  { type: 'query', query: 'q', below: 1, overMs: 3000, onNoData: 'hold' },
)

/** What a source may say, at a time from which it is judged. */
const sample = fc.tuple(
  fc.constantFrom('requests', 'silent', 'value', 'none', undefined),
  fc.nat(60),
  fc.constantFrom(0, 0, 0, 1, 30),
  fc.nat(10_000),
)
type Said = typeof sample extends fc.Arbitrary<infer T> ? T : never

function sampleOf([type, requests, bad, agoMs]: Said, now: number): GateSample | undefined {
  const fresh = { requests, errors4xx: 0, errors5xx: Math.min(bad, requests), lost: bad, failedTries: 0 }
  if (type === 'requests') return { type, fromMs: now - agoMs, toMs: now, fresh }
  if (type === 'silent') return { type: 'requests', fromMs: now - agoMs, fresh }
  if (type === 'value') return { type, value: bad, at: now - agoMs }
  return type === 'none' ? { type, message: 'it is down', at: now } : undefined
}
const gates = fc.array(gate, { maxLength: 2 })
const hook = fc.tuple(
  fc.constantFrom({ type: 'job' as const, job: 'smoke' }, { type: 'url' as const, url: 'https://ci.example/' }),
  fc.constantFrom(1000, 60_000),
  fc.constantFrom('hold' as const, 'rollback' as const),
)
const hooks = fc.array(
  hook.map(([what, timeoutMs, onFailure]): StageHookSpec => ({ ...what, timeoutMs, onFailure })),
  { maxLength: 2 },
)
const around = fc.oneof(
  { weight: 2, arbitrary: fc.constant({}) },
  { weight: 1, arbitrary: fc.record({ before: hooks, after: hooks }, { requiredKeys: [] }) },
)
const share = fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constantFrom({ percent: 10 }, { percent: 50 }))
const growing = { traffic: 500, grow: { from: 100, overMs: 20_000 } }
const sites = fc.constantFrom(['paris'], ['lyon'], ['paris', 'lyon'], ['rome'])
const stages = fc
  .tuple(
    fc.array(
      fc.tuple(
        fc.oneof(
          { weight: 2, arbitrary: fc.record({ instances: share, gates }) },
          { weight: 2, arbitrary: fc.record({ beside: fc.constant(true as const), gates }) },
          { weight: 2, arbitrary: fc.record({ sites, gates }) },
          { weight: 1, arbitrary: fc.record({ instances: share, gates }).map((each) => ({ ...each, ...growing })) },
          { weight: 1, arbitrary: fc.record({ entrypoints: fc.constantFrom(['web'], ['other']), gates }) },
        ),
        around,
      ),
      { maxLength: 3 },
    ),
    gates,
    around,
  )
  .map(([parts, last, lastHooks]): StageSpec[] => [
    ...parts.map(([each, told], index) => ({ name: `part ${index}`, ...each, ...told })),
    { name: 'all', gates: last, ...lastHooks },
  ])

const personMoves = fc.constantFrom('skip', 'continue')
const anything: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 8, arbitrary: happening },
  {
    weight: 1,
    arbitrary: personMoves.map(
      (move): Happening =>
        (world) =>
          world.moveStage(move),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(sample, sample).map(
      (said): Happening =>
        (world) => {
          world.samples = said.map((each) => sampleOf(each, world.now))
        },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(true, true, false).map(
      (ok): Happening =>
        (world) =>
          answerHook(world, ok),
    ),
  },
)

/** Whoever is told by the stage's hooks answers. */
function answerHook(world: PoolWorld, ok: boolean): void {
  const { rollout } = world
  const index = rollout === undefined ? undefined : stageUnderWay(rollout)
  if (rollout === undefined || index === undefined) return
  for (const when of ['before', 'after'] as const)
    for (const [place, { type, state }] of (rollout.stages?.[index]?.[when] ?? []).entries())
      if (type === 'url' && state === 'running')
        world.answers.set(hookId(rollout.id, index, when, place), { ok, message: ok ? '204' : '500' })
}

/** A measured gate passes by what its source says just then, over all of its time. */
function checkPassed(before: Rollout | undefined, world: PoolWorld, specs: readonly StageSpec[]): void {
  const after = before === undefined ? undefined : world.rollouts.get(before.id)
  const index = before === undefined ? undefined : stageUnderWay(before)
  if (index === undefined) return
  for (const [place, spec] of (specs[index]?.gates ?? []).entries()) {
    if (!('overMs' in spec) || before?.stages?.[index]?.gates[place]?.verdict === 'passed') continue
    if (after?.stages?.[index]?.gates[place]?.verdict !== 'passed') continue
    const said = world.samples[place]
    if (spec.type === 'query') expect(said).toMatchObject({ type: 'value' })
    if (said?.type === 'requests') {
      expect(said.fresh.requests).toBeGreaterThan(0)
      expect((said.toMs ?? 0) - said.fromMs).toBeGreaterThanOrEqual(spec.overMs)
    } else if (said?.type === 'value')
      expect(said.at - (after.stages[index]?.readyAt ?? 0)).toBeGreaterThanOrEqual(spec.overMs)
    else expect(said).toBeDefined()
  }
}

const scenario = fc.record({
  replicas: fc.integer({ min: 1, max: 5 }),
  limits,
  stages,
  broken: fc.constantFrom([], ['v2'], ['v3']),
  happenings: fc.array(anything, { maxLength: 150 }),
})

function staged({ stages: specs, ...scene }: Scenario & { readonly stages: readonly StageSpec[] }): PoolWorld {
  const world = worldWith(scene.replicas, scene.limits)
  const smoke = entrypointSpec({ type: 'job', replicas: 0, ports: [] })
  for (const [release, { entrypoints, ...spec }] of world.specs)
    world.specs.set(release, {
      ...{ ...spec, entrypoints: { ...entrypoints, smoke } },
      rollout: { ...spec.rollout, stages: specs },
    })
  world.startRollout('v1')
  run(world)
  return world
}

const upOf = (world: PoolWorld, generation: number) =>
  [...world.instances.values()].filter(
    ({ instance }) => instance.type === 'service' && instance.desired === 'run' && instance.generation === generation,
  )

/** The most new ones that the stages up to the one under way speak of. */
function mostNew(rollout: Rollout, specs: readonly StageSpec[], wanted: number): number {
  const index = openStage(rollout) ?? specs.length
  const counts = specs.slice(0, index + 1).map(({ instances, sites: at, entrypoints }, place) => {
    if (entrypoints?.includes('web') === false) return 0
    if (at !== undefined) return rollout.stages?.[place]?.counts?.web ?? 0
    if (instances === undefined) return wanted
    return typeof instances === 'number' ? instances : Math.ceil((wanted * instances.percent) / 100)
  })
  return Math.min(wanted, Math.max(0, ...counts))
}

/** Of what was made by a step while a stage about sites lasted. `known`: what was there before it. */
function checkPlaces(world: PoolWorld, rollout: Rollout | undefined, known: ReadonlySet<string>): void {
  const at = placingSites(rollout, world.specs.get(rollout?.to ?? ''))
  if (rollout === undefined || at === undefined) return
  for (const { instance } of upOf(world, rollout.toGeneration))
    if (!known.has(instance.id) && instance.node !== undefined) expect(at).toContain(siteOfNode(instance.node))
}

/** A later stage has begun only when every gate of those before it has passed, or somebody has skipped them. */
function checkGates(rollout: Rollout): void {
  const all = rollout.stages ?? []
  for (const [index, { startedAt }] of all.entries()) {
    if (startedAt === undefined) continue
    for (const before of all.slice(0, index)) {
      expect(before.endedAt).toBeLessThanOrEqual(startedAt)
      if (before.skippedBy !== undefined) continue
      expect(before.gates.map(({ verdict }) => verdict)).toEqual(before.gates.map(() => 'passed'))
      for (const each of [...(before.before ?? []), ...(before.after ?? [])])
        expect(each.by ?? each.state).toMatch(/^(ann|done)$/)
    }
  }
}

/** Until nothing moves by itself; a rollout may go on waiting. */
function settleDown(world: PoolWorld): void {
  for (let rounds = 0, quiet = 0; rounds < 6000 && quiet < 6; rounds++) {
    const moved = round(world)
    const waits = (world.plan().nextAt ?? Number.POSITIVE_INFINITY) < world.now + 3_600_000
    quiet = moved || waits ? 0 : quiet + 1
  }
}

describe('a rollout in stages, in whatever order things happen', () => {
  it('never has more new ones than its stage, serves too little, or passes a gate that has not', () => {
    fc.assert(
      fc.property(scenario, ({ broken, happenings, ...scene }) => {
        const world = staged(scene)
        for (const release of broken) world.broken.add(release)
        world.startRollout('v2')
        for (const happen of happenings) {
          const { rollout } = world
          const known = new Set(world.instances.keys())
          const creates = world
            .decide()
            .some((step) => step.type === 'create' && step.kind !== 'job' && step.generation === rollout?.toGeneration)
          const under = rollout === undefined ? undefined : openStage(rollout)
          const beside = under !== undefined && scene.stages[under]?.beside === true && rollout?.state === 'running'
          applyChecked(world, scene.limits, beside)
          checkPassed(rollout, world, scene.stages)
          if (rollout?.state === 'running' && rollout.stages !== undefined && creates)
            expect(upOf(world, rollout.toGeneration).length).toBeLessThanOrEqual(
              mostNew(rollout, scene.stages, wantedOf(world)),
            )
          checkPlaces(world, rollout, known)
          for (const each of world.rollouts.values()) checkGates(each)
          happen(world)
          world.place()
        }
      }),
      { numRuns: 300 },
    )
  })

  it('ends, or says whom it waits for, with as many serving as wanted; then ends with one release', () => {
    fc.assert(
      fc.property(scenario, ({ broken, happenings, ...scene }) => {
        const world = staged(scene)
        for (const release of broken) world.broken.add(release)
        world.startRollout('v2')
        for (const happen of happenings) {
          world.apply(world.decide())
          happen(world)
          world.place()
        }
        world.recover()
        world.move('resume')
        for (let turn = 0; turn < 60; turn++) {
          settleDown(world)
          if (world.rollout === undefined) break
          expect(world.rollout.message).toMatch(/berth rollout continue|no data| over |ci.example|all of its requests/)
          expect(world.serving()).toBeGreaterThanOrEqual(wantedOf(world))
          expect(world.serving()).toBeLessThanOrEqual(2 * wantedOf(world))
          if (world.rollout.message.includes('ci.example') && !world.rollout.message.includes('a person'))
            answerHook(world, turn % 2 === 0)
          else world.moveStage(/no data| over /.test(world.rollout.message) ? 'skip' : 'continue')
        }
        expect(world.rollout).toBeUndefined()
        const left = [...world.instances.values()].flatMap(({ instance }) =>
          instance.type === 'service' ? [instance] : [],
        )
        expect(left.every((each) => each.generation === world.pool.generation)).toBe(true)
        expect(left.every((each) => each.release === world.pool.release)).toBe(true)
        expect(left).toHaveLength(wantedOf(world))
      }),
      { numRuns: 200 },
    )
  })

  it('a plan applied leaves nothing to do until something happens or its time has come', () => {
    fc.assert(
      fc.property(scenario, ({ happenings, broken: _, ...scene }) => {
        const world = staged(scene)
        world.startRollout('v2')
        for (const happen of happenings) {
          for (let settle = 0; settle < 20 && world.decide().length > 0; settle++) world.apply(world.decide())
          const { steps, nextAt } = world.plan()
          expect(steps).toEqual([])
          if (nextAt !== undefined) expect(nextAt).toBeGreaterThan(world.now)
          happen(world)
        }
      }),
      { numRuns: 150 },
    )
  })
})
