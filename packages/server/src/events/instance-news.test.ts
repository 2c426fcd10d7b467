import type { EventType } from '@berth/core'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openTemporaryRecords, type RecordsUnderTest } from '../records/open-records.testing.ts'
import { InstanceNews } from './instance-news.ts'

let under: RecordsUnderTest
let news: InstanceNews
let at: number
beforeEach(async () => {
  under = await openTemporaryRecords()
  at = 1_000_000
  news = new InstanceNews({ records: under.records, log: pino({ level: 'silent' }), now: () => at, perSecond: 5 })
})
afterEach(async () => {
  await news[Symbol.asyncDispose]()
  await under[Symbol.asyncDispose]()
})

/** Each in a commit of its own. */
async function tell(type: EventType, count: number, pool = 'production'): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    const { value: told } = await under.records.commit('node:a', (tx) => {
      const begun = news.begin(tx)
      begun.tell({ type, subject: { app: 'shop', pool }, message: `${n}` })
      tx.put('fences', { node: 'a', updatedAt: at })
      return begun
    })
    told.committed()
  }
}
const events = () => under.state.events.all()

describe('news of instances', () => {
  it('are events as long as there are few', async () => {
    await tell('instance.ready', 10)
    await news.settled()
    expect(events()).toHaveLength(10)
  })

  it('are summed up a pool while there are many, and events again afterwards', async () => {
    await tell('instance.ready', 10)
    await tell('instance.started', 3)
    await tell('instance.ready', 4)
    await tell('instance.created', 2, 'staging')
    await news.settled()
    const sums = events().filter((event) => event.type === 'pool.instances')
    expect(sums.map((event) => event.message)).toEqual([
      'shop/production: instances: 3 started, 4 ready',
      'shop/staging: instances: 2 created',
    ])
    expect(events()).toHaveLength(12)
    at += 1_000
    await tell('instance.ready', 5)
    await news.settled()
    expect(events()).toHaveLength(17)
  })

  it('of a commit that failed are counted by nobody', async () => {
    await tell('instance.ready', 10)
    const before = events().length
    const tx = under.records.begin('node:a')
    news.begin(tx).tell({ type: 'instance.ready', subject: { app: 'shop', pool: 'production' }, message: '' })
    await news.settled()
    expect(events()).toHaveLength(before)
  })
})
