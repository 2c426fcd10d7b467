import type { InstanceStatus } from '@berth/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ReportBatch, ReportQueue } from './report-queue.ts'

const status = (id: string, restarts: number): InstanceStatus => ({
  ...{ id, node: '', phase: 'running', ready: true, restarts },
})

const step = fc.oneof(
  fc.record({
    type: fc.constant('report' as const),
    node: fc.constantFrom('a', 'b', 'c', 'd'),
    ids: fc.uniqueArray(fc.constantFrom('1', '2', '3', '4', '5'), { minLength: 1 }),
  }),
  fc.record({ type: fc.constant('take' as const), most: fc.integer({ min: 1, max: 6 }) }),
  fc.record({ type: fc.constantFrom('done' as const, 'failed' as const), which: fc.nat() }),
)

describe('the queue of reports', () => {
  it('loses none, hands out the last of each, and none of a node beside another of it', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const queue = new ReportQueue()
        const out: ReportBatch[] = []
        const reported = new Map<string, number>()
        const written = new Map<string, number>()
        let serial = 0
        const take = (most: number): void => {
          const batch = queue.take(most)
          expect(batch.statuses.length).toBeLessThanOrEqual(most)
          for (const other of out) expect(other.nodes.filter((node) => batch.nodes.includes(node))).toEqual([])
          if (batch.nodes.length > 0) out.push(batch)
        }
        const done = (batch: ReportBatch | undefined, isWritten: boolean): void => {
          if (batch === undefined) return
          if (isWritten)
            for (const { id, node, restarts } of batch.statuses) {
              expect(restarts).toBeGreaterThan(written.get(node + id) ?? 0)
              written.set(node + id, restarts)
            }
          else queue.putBack(batch.statuses)
          queue.back(batch)
        }
        for (const each of steps) {
          if (each.type === 'report') {
            serial += 1
            for (const id of each.ids) reported.set(each.node + id, serial)
            queue.add(
              each.node,
              each.ids.map((id) => status(id, serial)),
            )
          } else if (each.type === 'take') take(each.most)
          else done(out.splice(each.which % Math.max(1, out.length), 1)[0], each.type === 'done')
        }
        for (const batch of out.splice(0)) done(batch, true)
        while (queue.size > 0) {
          take(3)
          done(out.pop(), true)
        }
        expect(queue.isEmpty).toBe(true)
        expect(written).toEqual(reported)
      }),
      { numRuns: 2_000 },
    )
  })

  it('gives those who wait longest their turn first', () => {
    const queue = new ReportQueue()
    queue.add('a', [status('1', 1), status('2', 1)])
    queue.add('b', [status('3', 1)])
    queue.add('a', [status('4', 1)])
    expect(queue.take(2)).toMatchObject({ nodes: ['a'], statuses: [{ id: '1' }, { id: '2' }] })
    expect(queue.size).toBe(1)
    expect(queue.take(5).nodes).toEqual(['b'])
  })
})
