import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { StageSpec } from '../model/index.ts'
import {
  appSpec,
  entrypointSpec,
  instanceRecord,
  poolRecord,
  rolloutRecord,
  statusRecord,
} from '../reconcile/pool-fixtures.testing.ts'
import type { PoolSnapshot } from '../reconcile/pool-snapshot.ts'
import { newStages } from '../rollout/stages.ts'
import { Books } from '../schedule/books.ts'
import { type RehearsedRollout, rehearseRollout } from './rehearse-rollout.ts'

const gibibyte = 1024 ** 3
const cpuMilli = 1000

interface Scene {
  readonly before: number
  readonly wanted: number
  readonly surge: number
  readonly unavailable: number
  readonly stages: readonly StageSpec[]
  /** Cores of each node. */
  readonly nodes: readonly number[]
}

const shares = fc.array(fc.integer({ min: 1, max: 90 }), { maxLength: 2 })
const scenes: fc.Arbitrary<Scene> = fc.record({
  before: fc.integer({ min: 1, max: 8 }),
  wanted: fc.integer({ min: 1, max: 8 }),
  surge: fc.integer({ min: 1, max: 3 }),
  unavailable: fc.integer({ min: 0, max: 2 }),
  stages: shares.map((list) =>
    list.length === 0
      ? []
      : [
          ...list
            .sort((a, b) => a - b)
            .map((percent, at) => ({ name: `part-${at}`, instances: { percent }, gates: [] })),
          { name: 'all', gates: [{ type: 'person' } as const] },
        ],
  ),
  nodes: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 }),
})

const request = { entrypoint: 'shop/production/web', cpuMilli, memoryBytes: gibibyte }

function booksOf({ nodes, before }: Scene): Books {
  const books = new Books()
  for (const [at, cores] of nodes.entries())
    books.putNode({ name: `n${at}`, cpuMilli: cores * 1000, memoryBytes: 1024 * gibibyte, labels: {} })
  for (let ordinal = 1; ordinal <= before; ordinal++) books.place(`shop.production.web-${ordinal}`, request)
  return books
}

function beginning({ before, wanted, surge, unavailable, stages }: Scene, books: Books): PoolSnapshot {
  const limits = { surge, unavailable, settleMs: 100 }
  const pool = poolRecord({
    ...{ generation: 1, nextGeneration: 2, release: 'v1', nextOrdinal: { web: before + 1 } },
    replicas: { web: { count: wanted, setBy: 'spec', specCount: wanted } },
  })
  const plain = rolloutRecord(pool, 'v2', 'deploy', 0)
  const rollout = stages.length === 0 ? plain : { ...plain, stages: newStages(stages) }
  const specs = new Map([
    ['v1', appSpec({ web: entrypointSpec({ replicas: before }) }, limits)],
    ['v2', appSpec({ web: entrypointSpec({ replicas: wanted }) }, { ...limits, stages, before: ['migrate'] })],
  ])
  const instances = Array.from({ length: before }, (_, at) => at + 1).flatMap((ordinal) => {
    const node = books.booking(`shop.production.web-${ordinal}`)?.node
    if (node === undefined) return []
    const instance = instanceRecord({ entrypoint: 'web', ordinal, node })
    const observed = { nodeOnline: true, routed: false, inTraffic: true, outOfTraffic: false, inflight: 0, since: 0 }
    return [{ instance, ...observed, status: statusRecord(instance, { phase: 'running', ready: true }) }]
  })
  return { pool: { ...pool, rollout: rollout.id }, rollout, specs, instances, listeningSince: 0 }
}

function rehearse(scene: Scene): { readonly result: RehearsedRollout; readonly books: Books; readonly up: number } {
  const books = booksOf(scene)
  const begun = beginning(scene, books)
  const total = new Map(scene.nodes.map((cores, at) => [`n${at}`, cores * 1000]))
  const result = rehearseRollout(
    begun,
    {
      place: ({ id }) => {
        const decision = books.place(id, request)
        return decision.placed ? { node: decision.booking.node } : { refused: decision.refusal.message }
      },
      leave: (id) => void books.release(id),
      usedOn: (node) => {
        const ofCpuMilli = total.get(node) ?? 0
        const used = ofCpuMilli - (books.freeOn(node)?.cpuFreeMilli ?? 0)
        return { cpuMilli: used, memoryBytes: 0, ofCpuMilli, ofMemoryBytes: 1024 * gibibyte }
      },
    },
    10_000,
  )
  return { result, books, up: begun.instances.length }
}

const sum = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0)

describe('a rollout gone through on a copy', () => {
  it('ends with all in their places or says what has none, never gives out more than there is, and serves as its limits say', () => {
    fc.assert(
      fc.property(scenes, (scene) => {
        const { result, books, up } = rehearse(scene)
        const { wanted, unavailable, stages, surge } = scene
        expect(result.end).not.toBe('long')
        if (result.end === 'done') expect(result.stages).toHaveLength(Math.max(1, stages.length))
        for (const { serving, peaks } of result.stages) {
          const { lowest = 0, highest = 0 } = serving.web ?? {}
          // What cannot be missing is what was there before and is wanted after; with no room to move one may be missing.
          expect(lowest).toBeGreaterThanOrEqual(Math.min(up, wanted) - Math.max(unavailable, surge === 0 ? 1 : 0))
          expect(highest).toBeLessThanOrEqual(Math.max(wanted, up) + surge)
          for (const { cpuMilli: used, ofCpuMilli } of Object.values(peaks))
            expect(used).toBeLessThanOrEqual(ofCpuMilli)
        }
        expect(result.unplaced.length > 0).toBe(result.end === 'stuck')
        if (result.end === 'stuck') return
        expect(result.slots.web).toHaveLength(wanted)
        expect(books.instanceCount).toBe(wanted)
        expect(sum(result.stages.map(({ created }) => created.length))).toBeGreaterThanOrEqual(wanted)
        expect(
          result.stages.flatMap(({ left }) => left).filter(({ release }) => release === 'v1').length,
        ).toBeGreaterThanOrEqual(up)
      }),
      { numRuns: 100 },
    )
  })

  it('says the same of the same cluster', () => {
    fc.assert(
      fc.property(scenes, (scene) => {
        expect(rehearse(scene).result).toEqual(rehearse(scene).result)
      }),
      { numRuns: 50 },
    )
  })

  it('tells stages apart: who comes and who goes in each', () => {
    const stages: StageSpec[] = [
      { name: 'canary', instances: 1, gates: [{ type: 'person' }], before: [], after: [] },
      { name: 'all', gates: [] },
    ]
    const scene = { before: 3, wanted: 3, surge: 1, unavailable: 0, stages, nodes: [4, 4] }
    const { stages: seen, end } = rehearse(scene).result
    expect(end).toBe('done')
    expect(seen.map(({ created, left }) => [created.length, left.length])).toEqual([
      [1, 1],
      [2, 2],
    ])
    expect(seen[0]?.serving.web).toEqual({ lowest: 3, highest: 4 })
  })

  it('is stuck where there is no room, and says why', () => {
    const scene = { before: 1, wanted: 2, surge: 1, unavailable: 0, stages: [], nodes: [1] }
    const { result } = rehearse(scene)
    expect(result).toMatchObject({ end: 'stuck', unplaced: [{ entrypoint: 'web' }, { entrypoint: 'web' }] })
    expect(result.unplaced[0]?.refused).toContain('too little CPU')
  })

  it('that is too long is not gone through to its end', () => {
    const scene = { before: 500, wanted: 500, surge: 1, unavailable: 0, stages: [], nodes: [600] }
    const { result } = rehearse(scene)
    expect(result.end).toBe('long')
    expect(result.stages[0]?.created.length).toBeGreaterThan(10)
  })
})
