import { noRequests, type RequestCounts } from '@berth/core'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { WorkerCounts } from './gateway.ts'
import { RequestTotals } from './request-totals.ts'

const ok = (count: number): RequestCounts => noRequests().with(1, count)
const row = (instance: string, counts: RequestCounts, since = 0) => {
  const [route, pool] = ['r', 'shop/production/web']
  return { route, pool, instance, key: JSON.stringify([instance, since]), counts }
}
const of = (pid: number, ...rows: ReturnType<typeof row>[]): WorkerCounts['workers'][number] => ({ pid, rows })
const answers = (...workers: WorkerCounts['workers']): WorkerCounts => ({ isComplete: true, hasMore: false, workers })
const told = (totals: RequestTotals) => totals.all().map(({ instance, counts }) => [instance, counts[1]])

it('adds up workers, and tells what has changed', () => {
  const totals = new RequestTotals()
  expect(totals.take(answers(of(1, row('a', ok(3))), of(2, row('a', ok(4)), row('b', ok(0)))), 0)).toHaveLength(1)
  expect(totals.take(answers(of(1), of(2, row('a', ok(4)))), 1)).toEqual([])
  expect(totals.take(answers(of(1, row('a', ok(5))), of(2)), 2).map(({ counts }) => counts[1])).toEqual([9])
})

it('keeps what a worker has counted that is gone, and takes all of one that comes', () => {
  const totals = new RequestTotals()
  totals.take(answers(of(1, row('a', ok(100))), of(2, row('a', ok(50)))), 0)
  totals.take(answers(of(2, row('a', ok(51))), of(3, row('a', ok(2)))), 1)
  expect(told(totals)).toEqual([['a', 153]])
  totals.take(answers(of(1, row('a', ok(7))), of(2)), 2)
  expect(told(totals)).toEqual([['a', 160]])
})

it('does not lose track of workers that did not answer this time', () => {
  const totals = new RequestTotals()
  totals.take(answers(of(1, row('a', ok(10))), of(2, row('a', ok(10)))), 0)
  totals.take({ isComplete: false, hasMore: false, workers: [of(1)] }, 1)
  totals.take(answers(of(1), of(2, row('a', ok(12)))), 2)
  expect(told(totals)).toEqual([['a', 22]])
})

it('knows a member that a worker has forgotten and counts anew, whatever its numbers are', () => {
  const totals = new RequestTotals()
  totals.take(answers(of(1, row('a', ok(5), 1))), 0)
  totals.take(answers(of(1, row('a', ok(7), 2))), 1)
  expect(told(totals)).toEqual([['a', 12]])
})

it('forgets instances that are no members any more, after ten minutes', () => {
  const totals = new RequestTotals()
  totals.take(answers(of(1, row('a', ok(5)), row('b', ok(5)))), 0)
  totals.forget((instance) => instance === 'a', 599_999)
  expect(told(totals)).toHaveLength(2)
  totals.forget((instance) => instance === 'a', 600_000)
  expect(told(totals)).toEqual([['a', 5]])
  totals.take(answers(of(1, row('a', ok(6)))), 600_001)
  expect(told(totals)).toEqual([['a', 6]])
})

it('counts every request that was told once, however workers come, go and keep silent', () => {
  const step = fc.record({ worker: fc.nat(2), requests: fc.nat(5), dies: fc.boolean(), silent: fc.nat(5) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const totals = new RequestTotals()
      const workers = [0, 1, 2].map((pid) => ({ pid, count: 0, untold: 0 }))
      let nextPid = 3
      let lost = 0
      let all = 0
      for (const [now, { worker, requests, dies, silent }] of steps.entries()) {
        const each = workers[worker]!
        each.count += requests
        each.untold += requests
        all += requests
        if (dies) {
          lost += each.untold
          workers[worker] = { pid: nextPid++, count: 0, untold: 0 }
        }
        const answering = workers.filter((_, index) => index !== silent)
        for (const one of answering) one.untold = 0
        totals.take(
          {
            isComplete: answering.length === workers.length,
            hasMore: false,
            workers: answering.map(({ pid, count }) => of(pid, row('a', ok(count), pid))),
          },
          now,
        )
      }
      const untold = workers.reduce((sum, { untold }) => sum + untold, 0)
      expect(totals.all()[0]?.counts[1] ?? 0).toBe(all - lost - untold)
    }),
    { numRuns: 200 },
  )
})
