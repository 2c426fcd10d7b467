import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { PoolSizes, Sizes } from '../model/index.ts'
import { appSpec, entrypointSpec } from '../reconcile/pool-fixtures.testing.ts'
import {
  askedSizes,
  dueSizes,
  sizeChange,
  sizedSpec,
  sizesForSpec,
  sizesOf,
  withoutSizes,
  withSizes,
} from './sizes-of.ts'

const withResources = (resources: Sizes) => ({ ...entrypointSpec({}), resources })
const sizes = fc.record(
  {
    cpuMilli: fc.integer({ min: 1, max: 8000 }),
    memoryBytes: fc.integer({ min: 1, max: 2 ** 40 }),
    inBitsPerSecond: fc.integer({ min: 1, max: 10 ** 12 }),
    outBitsPerSecond: fc.integer({ min: 1, max: 10 ** 12 }),
  },
  { requiredKeys: [] },
)
const set = (written: Sizes, value: Sizes): PoolSizes => withSizes(undefined, 'web', withResources(written), value)

describe('sizes that were set', () => {
  it('go before those that are written, each for itself', () => {
    fc.assert(
      fc.property(sizes, sizes, (written, value) => {
        const spec = withResources(written)
        expect(sizesOf('web', spec, { sizes: set(written, value) })).toEqual({ ...written, ...value })
        expect(sizesOf('other', spec, { sizes: set(written, value) })).toEqual(written)
      }),
    )
  })

  it('survive a release that says the same, and go with the number that has changed', () => {
    fc.assert(
      fc.property(sizes, sizes, sizes, (written, value, next) => {
        const kept = sizesForSpec(set(written, value), appSpec({ web: withResources(next) }))
        const after = sizesOf('web', withResources(next), kept === undefined ? {} : { sizes: kept })
        for (const name of ['cpuMilli', 'memoryBytes', 'inBitsPerSecond', 'outBitsPerSecond'] as const)
          expect(after[name]).toBe(written[name] === next[name] ? (value[name] ?? next[name]) : next[name])
      }),
    )
  })

  it('of an entrypoint that is gone are forgotten', () => {
    const before = set({ cpuMilli: 1 }, { cpuMilli: 2 })
    expect(sizesForSpec(before, appSpec({ worker: entrypointSpec({}) }))).toBeUndefined()
    expect(withoutSizes(before, 'web')).toBeUndefined()
  })

  it('are those of before while a rollout goes back', () => {
    const spec = withResources({ cpuMilli: 1000 })
    const sizesBefore = set({ cpuMilli: 1000 }, { cpuMilli: 1500 })
    expect(sizesOf('web', spec, {}, { state: 'running', sizesBefore })).toEqual({ cpuMilli: 1000 })
    expect(sizesOf('web', spec, {}, { state: 'rolling-back', sizesBefore })).toEqual({ cpuMilli: 1500 })
  })

  it('are in the spec by which quotas are asked', () => {
    const spec = sizedSpec(appSpec({ web: withResources({ cpuMilli: 1 }) }), set({ cpuMilli: 1 }, { memoryBytes: 7 }))
    expect(spec.entrypoints.web?.resources).toEqual({ cpuMilli: 1, memoryBytes: 7 })
  })
})

describe('what an instance is to have instead', () => {
  it('is nothing once it has it', () => {
    fc.assert(
      fc.property(sizes, sizes, sizes, (written, had, value) => {
        const [spec, pool] = [withResources(written), { sizes: set(written, value) }]
        const due = dueSizes({ entrypoint: 'web', sizes: had }, spec, pool)
        const after = due ?? askedSizes({ sizes: had }, spec)
        expect(after).toEqual(sizesOf('web', spec, pool))
        expect(dueSizes({ entrypoint: 'web', sizes: after }, spec, pool)).toBeUndefined()
      }),
    )
  })

  it('is nothing for one that was resized alone', () => {
    const pool = { sizes: set({}, { cpuMilli: 5 }) }
    expect(dueSizes({ entrypoint: 'web', sizedAlone: true }, withResources({}), pool)).toBeUndefined()
  })

  it('names what it does not ask for any more', () => {
    expect(sizeChange({ cpuMilli: 1, memoryBytes: 2 }, { memoryBytes: 3 })).toEqual({ cpuMilli: null, memoryBytes: 3 })
    expect(sizeChange({ cpuMilli: 1 }, { cpuMilli: 1 })).toEqual({})
  })

  it('takes nothing of a node for a limit of its network', () => {
    expect(sizeChange({ cpuMilli: 1 }, { cpuMilli: 1, inBitsPerSecond: 7 })).toEqual({})
  })
})
