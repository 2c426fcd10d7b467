import { BerthError, type Pipeline } from '@berth/core'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { eventually } from '../eventually.testing.ts'
import { openTemporaryRecords, type RecordsUnderTest } from '../records/open-records.testing.ts'
import { app } from '../records/sample-records.testing.ts'
import { nextPoll, RepositoryPoller } from './repository-poller.ts'

let under: RecordsUnderTest
beforeEach(async () => {
  under = await openTemporaryRecords()
})
afterEach(async () => await under[Symbol.asyncDispose]())

const pipeline = (name: string, pollMs?: number): Pipeline => ({
  ...{ app: name, branches: ['main'], tags: [], environments: [], automatic: [] },
  ...(pollMs === undefined ? {} : { pollMs }),
  ...{ version: 1, updatedAt: 0, updatedBy: 'local:0' },
})

const set = async (...pipelines: Pipeline[]) =>
  await under.records.commit('system:test', (tx) => {
    for (const each of pipelines) {
      tx.put('apps', app(each.app))
      tx.put('pipelines', each)
    }
  })

/** Time that stands still until it is told to go on. */
function poller(look: (app: string) => Promise<unknown>, concurrency = 2) {
  const clock = { now: 1_000_000 }
  const made = new RepositoryPoller({
    ...{ records: under.records, state: under.state, log: pino({ level: 'silent' }), concurrency, tickMs: 5 },
    looks: { look: async (name) => (await look(name)) as never },
    ...{ now: () => clock.now, random: () => 0.5 },
  })
  return { clock, made }
}

it('waits its interval give or take a tenth, and longer the more often it failed, up to an hour', () => {
  expect(nextPoll(60_000, 0, 0)).toBe(54_000)
  expect(nextPoll(60_000, 0, 1)).toBe(66_000)
  expect(nextPoll(60_000, 3, 0.5)).toBe(480_000)
  expect(nextPoll(60_000, 1_000, 0.5)).toBe(3_600_000)
  expect(nextPoll(86_400_000, 5, 0.5)).toBe(86_400_000)
})

it('asks as often as each pipeline says, and those that say nothing not at all', async () => {
  await set(pipeline('shop', 60_000), pipeline('mail', 600_000), pipeline('quiet'))
  const asked: string[] = []
  const { clock, made } = poller(async (name) => void asked.push(name))
  await using _poller = made
  await new Promise((resolve) => setTimeout(resolve, 30))
  expect(asked).toEqual([])
  for (let minute = 0; minute < 10; minute += 1) {
    clock.now += 60_000
    const count = Math.min(minute + 1, 10)
    await eventually(() => expect(asked.filter((each) => each === 'shop')).toHaveLength(count))
  }
  expect(asked.filter((each) => each === 'mail')).toHaveLength(1)
  expect(asked).not.toContain('quiet')
})

it('asks a bounded number at a time, one that hangs holding up nobody for ever', async () => {
  await set(...Array.from({ length: 6 }, (_, index) => pipeline(`app${index}`, 60_000)))
  let running = 0
  let most = 0
  const gate = Promise.withResolvers<void>()
  const done: string[] = []
  const { clock, made } = poller(async (name) => {
    running += 1
    most = Math.max(most, running)
    if (name === 'app0') await gate.promise
    running -= 1
    done.push(name)
  })
  await using _poller = made
  await new Promise((resolve) => setTimeout(resolve, 20))
  clock.now += 60_000
  await eventually(() => expect(done).toHaveLength(5))
  expect(most).toBeLessThanOrEqual(2)
  gate.resolve()
  await eventually(() => expect(done).toHaveLength(6))
})

it('backs off while a repository fails, and says so once and when it answers again', async () => {
  await set(pipeline('shop', 60_000))
  let fails = true
  let asked = 0
  const { clock, made } = poller(async () => {
    asked += 1
    if (fails) throw new BerthError('source.unreachable', 'no route to host')
  })
  await using _poller = made
  await new Promise((resolve) => setTimeout(resolve, 20))
  const events = () => [...under.state.events.values()].map(({ type }) => type)
  clock.now += 60_000
  await eventually(() => expect(asked).toBe(1))
  await eventually(() => expect(events()).toEqual(['pipeline.unreachable']))
  clock.now += 60_000
  await new Promise((resolve) => setTimeout(resolve, 30))
  expect(asked).toBe(1)
  clock.now += 60_000
  await eventually(() => expect(asked).toBe(2))
  fails = false
  clock.now += 240_000
  await eventually(() => expect(events()).toEqual(['pipeline.unreachable', 'pipeline.reached']))
})
