import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CommitsUnderWay, type PlannedCommit } from './commits-under-way.ts'

const most = 4
const planned = fc.record({
  nodes: fc.uniqueArray(fc.integer({ min: 0, max: 9 }), { maxLength: 4 }),
  alone: fc.constantFrom(true, false, false, false),
  turns: fc.nat(5),
  end: fc.constantFrom(...Array<'ok'>(12).fill('ok'), 'refused' as const, 'failed' as const),
})

describe('commits of one plan', () => {
  it('meet at no node, know what those before them have written, and stop with the first that is lost', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(planned, { maxLength: 30 }), async (plan) => {
        const commits = new CommitsUnderWay(most)
        const underWay = new Set<(typeof plan)[number]>()
        const written = new Map<string, number>()
        const begun = new Set<number>()
        const dropped = new Set<number>()
        let revision = 0
        let isLost = false
        const plannedOf = (each: (typeof plan)[number], index: number): PlannedCommit => ({
          nodes: new Set(each.nodes.map(String)),
          drop: () => dropped.add(index),
          commit: async (own) => {
            expect(isLost).toBe(false)
            begun.add(index)
            for (const other of underWay) {
              expect(other.alone || each.alone).toBe(false)
              expect(other.nodes.filter((node) => each.nodes.includes(node))).toEqual([])
            }
            for (const node of each.nodes) expect(own.get(String(node))).toBe(written.get(String(node)))
            underWay.add(each)
            expect(underWay.size).toBeLessThanOrEqual(most)
            for (let turn = 0; turn < each.turns; turn++) await nextTurn()
            underWay.delete(each)
            revision += 1
            if (each.end === 'ok') for (const node of each.nodes) written.set(String(node), revision)
            else isLost = true
            if (each.end === 'failed') throw new Error(`commit ${index}`)
            return { ok: each.end === 'ok', revision }
          },
        })
        let failure: unknown
        const note = (error: unknown): void => {
          failure = error
        }
        for (const [index, each] of plan.entries())
          await commits.begin(plannedOf(each, index), { alone: each.alone }).catch(note)
        await commits.settled().catch(note)
        expect(underWay.size).toBe(0)
        expect(commits.isLost).toBe(isLost)
        expect([...begun, ...dropped].sort((a, b) => a - b)).toEqual([...plan.keys()])
        const hasFailed = [...begun].some((index) => plan[index]?.end === 'failed')
        expect(failure !== undefined).toBe(hasFailed)
      }),
      { numRuns: 300 },
    )
  })
})
