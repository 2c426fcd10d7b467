import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Build } from '../model/build.ts'
import { buildOrder, supersededBy } from './build-queue.ts'

const build = (id: string, app: string, createdAt: number, ref?: string): Build => ({
  ...{ id, app, ref: 'HEAD', state: 'queued', createdAt, createdBy: 'local:0' },
  ...(ref === undefined ? {} : { trigger: { ref, by: 'webhook' } }),
})

const queue = fc
  .array(
    fc.record({
      app: fc.constantFrom('shop', 'mail', 'blog'),
      createdAt: fc.nat(5),
      ref: fc.option(fc.constantFrom('refs/heads/main', 'refs/heads/next'), { nil: undefined }),
    }),
    { maxLength: 12 },
  )
  .map((items) => items.map(({ app, createdAt, ref }, index) => build(`b-${index}`, app, createdAt, ref)))

it('every build that waits has one place, whatever order they are told in', () => {
  fc.assert(
    fc.property(queue, queue, (waiting, running) => {
      const order = buildOrder(waiting, running)
      expect(order.map(({ id }) => id).sort()).toEqual(waiting.map(({ id }) => id).sort())
      expect(buildOrder(waiting.toReversed(), running)).toEqual(order)
    }),
  )
})

it('as long as apps wait, none has two more under way than another that waits', () => {
  fc.assert(
    fc.property(queue, (waiting) => {
      const order = buildOrder(waiting, [])
      for (let count = 1; count <= order.length; count += 1) {
        const begun = order.slice(0, count)
        const rest = new Set(order.slice(count).map(({ app }) => app))
        const of = (app: string): number => begun.filter((each) => each.app === app).length
        for (const app of rest) for (const { app: other } of begun) expect(of(other) - of(app)).toBeLessThanOrEqual(1)
      }
    }),
  )
})

it('within an app people go before pushes, and the oldest first', () => {
  fc.assert(
    fc.property(queue, queue, (waiting, running) => {
      for (const app of ['shop', 'mail', 'blog']) {
        const own = buildOrder(waiting, running).filter((each) => each.app === app)
        const keys = own.map(({ trigger, createdAt }) => [Number(trigger !== undefined), createdAt] as const)
        expect(keys).toEqual(keys.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]))
      }
    }),
  )
})

it('a hundred pushes of one app hold up another by one build at most', () => {
  const many = Array.from({ length: 100 }, (_, index) => build(`b-${index}`, 'shop', index, 'refs/heads/main'))
  const order = buildOrder([...many, build('other', 'mail', 500)], [build('runs', 'shop', 0)])
  expect(order[0]?.id).toBe('other')
})

it('a push makes pointless only what waits for the same ref of the same app and began by itself', () => {
  fc.assert(
    fc.property(
      queue,
      fc.array(fc.constantFrom<Build['state']>('queued', 'running', 'succeeded')),
      (builds, states) => {
        const all = builds.map((each, index) => ({ ...each, state: states[index] ?? each.state }))
        const old = new Set(supersededBy(all, { app: 'shop', ref: 'refs/heads/main' }))
        for (const each of all)
          expect(old.has(each)).toBe(
            each.app === 'shop' && each.state === 'queued' && each.trigger?.ref === 'refs/heads/main',
          )
      },
    ),
  )
})
