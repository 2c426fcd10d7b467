import type { Build } from '@berth/core'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { eventually } from '../eventually.testing.ts'
import { openTemporaryRecords, type RecordsUnderTest } from '../records/open-records.testing.ts'
import { Retention } from './retention.ts'

let under: RecordsUnderTest
beforeEach(async () => {
  under = await openTemporaryRecords()
})
afterEach(async () => await under[Symbol.asyncDispose]())

const build = (id: string, createdAt: number, endedAt?: number): Build => ({
  id,
  app: 'shop',
  ref: 'HEAD',
  state: endedAt === undefined ? 'running' : 'succeeded',
  createdAt,
  createdBy: 'local:0',
  ...(endedAt === undefined ? {} : { endedAt }),
})

it('keeps the newest events and ended builds, and every build that runs', async () => {
  for (let i = 0; i < 30; i += 1) {
    await under.records.commit('local:0', (tx) => {
      tx.put('builds', build(`b-${i}`, i, i === 3 ? undefined : i))
      for (let j = 0; j < 8; j += 1) tx.event({ type: 'test', subject: {}, message: `${i}/${j}` })
    })
  }
  const removed: string[] = []
  await using _retention = new Retention({
    records: under.records,
    log: pino({ level: 'silent' }),
    removeBuildOutput: async (id) => void removed.push(id),
    limits: { events: 20, buildsPerApp: 5 },
    intervalMs: 10,
  })
  await eventually(() => expect(removed).toHaveLength(24))
  expect(under.state.events.size).toBe(20)
  expect(under.state.events.all().map((event) => event.message)).toContain('29/7')
  expect([...under.state.builds.ids()].sort()).toEqual(['b-25', 'b-26', 'b-27', 'b-28', 'b-29', 'b-3'])
  const { revision } = under.state
  await under.records.commit('local:0', (tx) => tx.event({ type: 'test', subject: {}, message: 'one more' }))
  await eventually(() => expect(under.state.revision).toBe(revision + 2))
  expect(under.state.events.size).toBe(20)
})
