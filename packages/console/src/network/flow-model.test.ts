import type { FlowGroupView } from '@berth/api/net-resources'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { flowPicture, matchesFlow } from './flow-model.ts'

const instance = (name: string) => ({ kind: 'instance' as const, name })
const outside = { kind: 'outside' as const, name: '' }
const group = (from: FlowGroupView['from'], to: FlowGroupView['to'], flows = 1, allowed = true): FlowGroupView => ({
  ...{ from, to, protocol: 'tcp', port: 80, flows, bytes: 0, allowed, message: allowed ? '' : 'denied' },
})

describe('flowPicture', () => {
  it('joins what has the same ends at its level', () => {
    const groups = [
      group(instance('shop/production/web'), instance('shop/production/db'), 3),
      group(instance('shop/production/worker'), instance('shop/production/db'), 2, false),
      group(outside, instance('shop/production/web'), 9),
    ]
    const fine = flowPicture(groups, 'entrypoint', 60)
    expect(fine.senders.map(({ name }) => name)).toEqual(['shop/production/web', 'shop/production/worker', ''])
    expect(fine.receivers.map(({ name }) => name)).toEqual(['shop/production/db', 'shop/production/web'])
    const coarse = flowPicture(groups, 'app', 60)
    expect(coarse.edges).toEqual([
      { from: 'instance shop', to: 'instance shop', flows: 5, dropped: 2 },
      { from: 'outside ', to: 'instance shop', flows: 9, dropped: 0 },
    ])
    expect(coarse.hidden).toBe(0)
  })

  it('keeps the busiest, says how many it left out, and draws no line to nobody', () => {
    const end = fc.nat({ max: 30 }).map((n) => instance(`a/p/e${n}`))
    fc.assert(
      fc.property(
        fc.array(fc.tuple(end, end, fc.integer({ min: 1, max: 9 }))),
        fc.integer({ min: 1, max: 8 }),
        (all, most) => {
          const { senders, receivers, edges, hidden } = flowPicture(
            all.map((each) => group(...each)),
            'entrypoint',
            most,
          )
          expect(senders.length).toBeLessThanOrEqual(most)
          const names = (side: 0 | 1) => new Set(all.map((each) => each[side].name)).size
          expect(senders.length + receivers.length + hidden).toBe(names(0) + names(1))
          const known = [senders, receivers].map((side) => new Set(side.map(({ key }) => key)))
          for (const { from, to } of edges) expect([known[0]?.has(from), known[1]?.has(to)]).toEqual([true, true])
        },
      ),
    )
  })

  it('is found by a part of either name', () => {
    const found = group(outside, instance('shop/production/web'))
    expect([matchesFlow(found, 'web'), matchesFlow(found, 'outs'), matchesFlow(found, 'db')]).toEqual([
      true,
      true,
      false,
    ])
  })
})
