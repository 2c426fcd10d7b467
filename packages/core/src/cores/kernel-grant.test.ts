import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Grant,
  grantInForce,
  grantProblem,
  isGranted,
  kernelGrant,
  maxShares,
  minShares,
  plainCpuset,
  promisedMilli,
  runtimeWeights,
  sharesOfWeight,
  weightOf,
} from './kernel-grant.ts'

const memoryBytes = 2 ** 26
const grant = (change: Partial<Grant>): Grant => ({ cpuMilli: 1000, memoryBytes, ...change })
const nobody = { isBound: false, cpuset: '' }
const rest = { isBound: true, cpuset: '4-5' }

describe('what the kernel is told', () => {
  it.each([
    ['own cores and a fragment', { cores: '2-3,7:300' }, rest, { cpuset: '2-3,7', shares: 2355, quotaMilli: 0 }],
    ['a fragment below the own cores', { cores: '5-6,1:200' }, rest, { cpuset: '1,5-6', shares: 2253, quotaMilli: 0 }],
    ['own cores only', { cores: '0' }, rest, { cpuset: '0', shares: 1024, quotaMilli: 0 }],
    ['a fragment only', { cores: '7:20' }, rest, { cpuset: '7', shares: 20, quotaMilli: 0 }],
    [
      'a limit on what is owned',
      { cores: '0,1:200', burst: 'quota' },
      rest,
      { cpuset: '0-1', shares: 1229, quotaMilli: 1200 },
    ],
    ['no cores, on a node of limits', { cpuMilli: 500 }, nobody, { cpuset: '', shares: 512, quotaMilli: 500 }],
    ['no cores, beside owners', { cpuMilli: 500 }, rest, { cpuset: '4-5', shares: 10, quotaMilli: 500 }],
    ['no CPU at all', { cpuMilli: 0 }, nobody, { cpuset: '', shares: 1024, quotaMilli: 0 }],
    ['cores that cannot be read', { cores: 'two' }, nobody, { cpuset: '', shares: 1024, quotaMilli: 1000 }],
  ] as const)('%s', (_, change, unbound, expected) => {
    expect(kernelGrant(grant(change), unbound)).toEqual({ ...expected, memoryBytes })
  })

  it('is within what the kernel takes', () => {
    const cores = fc
      .tuple(fc.nat(400), fc.integer({ min: 0, max: 999 }))
      .map(([whole, milli]) => [whole === 0 ? '' : `0-${whole - 1}`, milli === 0 ? '' : `8000:${milli}`])
      .map((parts) => parts.filter(Boolean).join(','))
      .filter((text) => text !== '')
    fc.assert(
      fc.property(cores, (text) => {
        const { shares, cpuset } = kernelGrant(grant({ cores: text }), rest)
        expect(shares).toBeGreaterThanOrEqual(minShares)
        expect(shares).toBeLessThanOrEqual(maxShares)
        expect(weightOf(shares)).toBeGreaterThanOrEqual(1)
        expect(weightOf(shares)).toBeLessThanOrEqual(10_000)
        expect(cpuset).not.toBe('')
      }),
    )
  })

  it.each([
    [1024, [39, 100]],
    [2048, [79, 174]],
    [2, [1, 1]],
    [262_144, [10_000, 10_000]],
  ])('%i shares are %j to runtimes', (shares, weights) => {
    expect(runtimeWeights(shares)).toEqual(weights)
  })

  it.each([
    [1024, 100],
    [819, 80],
    [10, 1],
    [2, 1],
    [262_144, 10_000],
  ])('%i shares are the weight %i', (shares, weight) => {
    expect(weightOf(shares)).toBe(weight)
    expect(weightOf(sharesOfWeight(weight))).toBe(weight)
  })
})

describe('a grant', () => {
  it.each([
    [{ cores: '0,1:200' }, 1200],
    [{ cores: '0-1' }, 2000],
    [{}, 1000],
  ])('%j promises %i thousandths', (change, expected) => {
    expect(promisedMilli(grant(change))).toBe(expected)
  })

  it.each([
    [{}, undefined],
    [{ cores: '0,1:200' }, undefined],
    [{ cores: '0,2:200' }, 'it owns the cores 0,2:200, but this node has 0-1 only'],
    [{ cores: '' }, '"" names no core'],
    [{ cores: '0,0' }, '"0,0": core 0 is named twice'],
  ])('%j on two cores: %s', (change, expected) => {
    expect(grantProblem(grant(change), [0, 1])).toBe(expected)
  })

  it.each([
    ['nothing', {}, true],
    ['another cpuset', { cpuset: '1' }, false],
    ['another weight', { shares: 1023 }, false],
    ['another limit', { quotaMilli: 1 }, false],
    ['another memory', { memoryBytes: 1 }, false],
  ])('with %s is the same: %s', (_, change, expected) => {
    const wanted = kernelGrant(grant({ cpuMilli: 1000 }), nobody)
    expect(isGranted({ ...wanted, ...change }, wanted)).toBe(expected)
  })

  it.each([
    ['0-1', ''],
    ['1', '1'],
    ['', ''],
  ])('on the cores %j of two is on %j', (cpuset, expected) => {
    expect(plainCpuset(cpuset, [1, 0])).toBe(expected)
  })
})

describe('what is in force of a grant', () => {
  const before = { cpuMilli: 1000, memoryBytes: 2 ** 30 }
  const wanted = kernelGrant({ cpuMilli: 2000, memoryBytes: 2 ** 29 }, nobody)

  it('is all of it once the container has it', () => {
    expect(grantInForce(wanted, wanted, { cpuMilli: 2000, memoryBytes: 2 ** 29 }, before)).toEqual({
      ...{ cpuMilli: 2000, memoryBytes: 2 ** 29 },
    })
  })

  it('is what was known before until then, but memory, which the container tells', () => {
    const has = { ...wanted, memoryBytes: 2 ** 30 }
    const grant = { cpuMilli: 2000, memoryBytes: 2 ** 29, cores: '0-1' }
    expect(grantInForce(has, wanted, grant, before)).toEqual(before)
    expect(grantInForce(has, wanted, grant, undefined)).toEqual({ memoryBytes: 2 ** 30 })
  })
})
