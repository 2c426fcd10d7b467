import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SampleView } from '@berth/api'
import { LogHistogram } from '@berth/core'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { UsageHistory, type UsageSubject } from './usage-history.ts'

const dayMs = 86_400_000
const log = pino({ level: 'silent' })
const web: UsageSubject = {
  ...{ app: 'shop', pool: 'production', entrypoint: 'web', type: 'service' },
  ...{ cpuMilli: 1000, memoryBytes: 2 ** 28 },
}

let dir: string
let now: number
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'berth-usage-'))
  now = 20_000 * dayMs + 1000
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const path = (): string => join(dir, 'usage.json')
const open = (): Promise<UsageHistory> => UsageHistory.open({ path: path(), log, sampleMs: 2000, now: () => now })
const sample = (cpuMilli: number, over: Partial<SampleView> = {}): SampleView => ({
  ...{ at: now, cpuMilli, throttledMilli: 0, memoryBytes: 100, networkInBytes: 0, networkOutBytes: 0 },
  ...{ blockReadBytes: 0, blockWriteBytes: 0, tcpConnections: 0, ...over },
})

describe('the history of use', () => {
  it('counts by entrypoint, grant and day', async () => {
    const history = await open()
    history.note(web, sample(100))
    history.note(web, sample(300, { memoryBytes: 900, throttledPeriodsMilli: 250 }))
    history.note({ ...web, cpuMilli: 2000 }, sample(1500))
    now += dayMs
    history.note(web, sample(50))
    const { sampleMs, items } = history.report()
    expect(sampleMs).toBe(2000)
    expect(items).toHaveLength(2)
    expect(items[0]).toMatchObject({
      ...{ entrypoint: 'shop/production/web', type: 'service', cpuLimitMilli: 1000, memoryLimitBytes: 2 ** 28 },
      days: [
        { day: 20_000, samples: 2, cpuMaxMilli: 300, memoryMaxBytes: 900, throttledMilli: 250, restarts: 0 },
        { day: 20_001, samples: 1, cpuMaxMilli: 50 },
      ],
    })
    expect(LogHistogram.of(items[0]?.days[0]?.cpu ?? {}).quantile(1)).toBeGreaterThanOrEqual(300)
  })

  it('goes on where it was after a restart of the agent, and counts no exit twice', async () => {
    const exit = { code: 137, outOfMemory: true, at: now + 10 }
    {
      await using history = await open()
      history.note(web, sample(100))
      now += 20
      history.noteExit('shop.production.web-1', web, exit)
      history.noteExit('shop.production.web-1', web, exit)
    }
    const history = await open()
    history.noteExit('shop.production.web-1', web, exit)
    // One that happened while nobody looked is counted.
    history.noteExit('shop.production.web-1', web, { ...exit, outOfMemory: false, at: now + 5 })
    history.note(web, sample(200))
    expect(history.report().items[0]?.days).toMatchObject([{ samples: 2, restarts: 2, outOfMemory: 1 }])
  })

  it('keeps a week and no more, and a bounded number of series', async () => {
    const history = await open()
    for (let day = 0; day < 20; day++) {
      history.note(web, sample(100))
      now += dayMs
    }
    history.note(web, sample(100))
    expect(history.report().items[0]?.days.map((each) => each.day)).toEqual(
      Array.from({ length: 8 }, (_, index) => 20_013 + index),
    )
    for (let grant = 1; grant <= 1100; grant++) {
      now += 1
      history.note({ ...web, cpuMilli: 10_000 + grant }, sample(1))
    }
    const { items } = history.report()
    expect(items).toHaveLength(1000)
    expect(items.some((each) => each.cpuLimitMilli === 11_100)).toBe(true)
    expect(items.some((each) => each.cpuLimitMilli === 1000)).toBe(false)
    await history.save()
    expect((await readFile(path())).length).toBeLessThan(400_000)
  })

  it('begins anew when its file is damaged, and sets that aside', async () => {
    {
      await using history = await open()
      history.note(web, sample(100))
    }
    const text = await readFile(path(), 'utf8')
    await writeFile(path(), text.replace('100', '101').slice(0, -10))
    expect((await open()).report().items).toEqual([])
    expect(await readdir(dir)).toContain('usage.json.corrupt')
  })

  it('a clock that was set back begins no day again, and a disk that cannot be written does no harm', async () => {
    const history = await open()
    history.note(web, sample(100))
    now -= 3 * dayMs
    history.note(web, sample(100))
    now += 3 * dayMs
    expect(history.report().items[0]?.days).toMatchObject([{ samples: 2 }])
    await rm(dir, { recursive: true })
    await writeFile(dir, 'a file where the directory was')
    await history.save()
  })
})
