import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { imaginedOf, isImagined, type PlanQuestion, planBodyOf, questionOf, searchOf } from './plan-question.ts'
import { fileNameOf, readPlan, sizeOf } from './saved-plan.ts'

const nothing: PlanQuestion = { release: '', ref: '', replicas: {}, without: [], with: [] }

describe('a question', () => {
  it('about what runs says nothing', () => {
    expect(searchOf(nothing)).toBe('')
    expect(questionOf('')).toEqual(nothing)
    expect(planBodyOf(nothing, 'production')).toEqual({ pool: 'production' })
  })

  it('comes back from its address as it was', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}[a-z0-9]$/)
    const question = fc.record({
      release: fc.constantFrom('', 'v7'),
      ref: fc.constantFrom('', 'main', 'feature/a&b=c'),
      replicas: fc.dictionary(name, fc.integer({ min: 0, max: 10_000 })),
      without: fc.uniqueArray(name),
      with: fc.uniqueArray(fc.constantFrom('c4m8', '5xc16m64', '3×c64m256@fast')),
    })
    fc.assert(
      fc.property(question, (asked) => {
        expect(questionOf(searchOf(asked))).toEqual({ ...asked, replicas: { ...asked.replicas } })
      }),
    )
  })

  it('leaves out of an address what is no question', () =>
    expect(questionOf('?replicas=web=many,worker=2,=3&with=lots,c2m4')).toEqual({
      ...nothing,
      replicas: { worker: 2 },
      with: ['c2m4'],
    }))

  it('is asked of a release before a commit, with other counts and nodes', () =>
    expect(
      planBodyOf(
        { release: 'v7', ref: 'main', replicas: { web: 6 }, without: ['a'], with: ['5xc16m64@fast'] },
        'production',
      ),
    ).toEqual({
      pool: 'production',
      release: 'v7',
      replicas: { web: 6 },
      without: ['a'],
      with: [{ count: 5, cpuMilli: 16_000, memoryBytes: 64 * 1024 ** 3, group: 'fast' }],
    }))
})

it.each([
  ['c4m8', true],
  ['5×c16m64', true],
  ['5 c16m64', false],
  ['16m64', false],
  ['', false],
])('%s imagines nodes: %s', (text, good) => {
  expect(isImagined(text)).toBe(good)
  if (!good) expect(() => imaginedOf(text)).toThrow(/such as 5xc16m64/)
})

describe('a saved plan', () => {
  const saved = {
    app: 'shop',
    pool: 'production',
    release: 'v7',
    generation: 3,
    replicas: { web: 3 },
    slots: { web: ['a', 'a', 'b'] },
    digests: { a: '1', b: '2' },
    plannedAt: 1,
  }

  it('is read from a file of its own, or from the plan that holds it', () => {
    expect(readPlan(JSON.stringify(saved))).toEqual(saved)
    expect(readPlan(JSON.stringify({ app: 'shop', saved }))).toEqual(saved)
    expect(fileNameOf(saved)).toBe('shop-production-v7.plan.json')
    expect(sizeOf(saved)).toEqual({ instances: 3, nodes: 2 })
  })

  it.each([
    ['{', /read the plan: /],
    ['null', /it is no saved plan/],
    ['[]', /it is no saved plan/],
    ['{"app":"shop"}', /it is no saved plan/],
    ['{"app":"shop","unsaved":"some of its nodes are imagined"}', /some of its nodes are imagined/],
  ])('is not %s', (text, why) => expect(() => readPlan(text)).toThrow(why))
})
