import fc from 'fast-check'
import { expect, it } from 'vitest'
import { LeaseDeadline } from './lease-deadline.ts'

/** One keep-alive: when it is sent, how long it is on its way there and back. `lost`: the answer never comes. */
const keepAlive = fc.record({ afterMs: fc.nat(900), there: fc.nat(1_500), back: fc.nat(1_500), lost: fc.boolean() })

it('is never later than the end of the lease, however slow, lost or overtaken keep-alives are', () => {
  fc.assert(
    fc.property(fc.array(keepAlive, { maxLength: 30 }), fc.nat(1_000), (keepAlives, grantThere) => {
      const ttlMs = 2_000
      const deadline = new LeaseDeadline(300)
      deadline.renewed(0, ttlMs)
      let endsAt = grantThere + ttlMs
      let sentAt = 0
      const arrivals = keepAlives.map(({ afterMs, there, back, lost }) => {
        sentAt += afterMs
        return { sentAt, arrivesAt: sentAt + there, answeredAt: sentAt + there + back, lost }
      })
      const answers: { readonly sentAt: number; readonly answeredAt: number }[] = []
      for (const each of arrivals.toSorted((a, b) => a.arrivesAt - b.arrivesAt)) {
        // A lease that is over is not revived.
        if (each.arrivesAt >= endsAt) break
        endsAt = each.arrivesAt + ttlMs
        if (!each.lost) answers.push(each)
      }
      for (const each of answers.toSorted((a, b) => a.answeredAt - b.answeredAt)) {
        deadline.renewed(each.sentAt, ttlMs)
        expect(deadline.at).toBeLessThan(endsAt)
      }
      expect(deadline.isPast(endsAt)).toBe(true)
    }),
    { numRuns: 2_000 },
  )
})

it('does not go back by an answer that was overtaken', () => {
  const deadline = new LeaseDeadline(0)
  deadline.renewed(500, 1_000)
  deadline.renewed(100, 1_000)
  expect(deadline.at).toBe(1_500)
})

it('is past before it was ever renewed', () => {
  expect(new LeaseDeadline(0).isPast(0)).toBe(true)
})
