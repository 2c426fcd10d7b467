import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CronRecord } from '../model/cron-record.ts'
import type { ScheduleSpec } from '../model/placement-spec.ts'
import { type CronDecision, type CronTimes, decideCron, enterRun, type RunOutcome } from './decide-cron.ts'

const minuteMs = 60_000
const key = { app: 'shop', pool: 'production', entrypoint: 'report' }
const schedule = (over: Partial<ScheduleSpec> = {}): ScheduleSpec => ({
  ...{ cron: '*/10 * * * *', zone: 'UTC', overlap: 'skip', history: 5, graceMs: 60 * minuteMs },
  ...over,
})

/** Every ten minutes. */
const every10: CronTimes = {
  nextAfter: (at) => (Math.floor(at / (10 * minuteMs)) + 1) * 10 * minuteMs,
  lastUntil: (at) => Math.floor(at / (10 * minuteMs)) * 10 * minuteMs,
}
const at = (minutes: number): number => minutes * minuteMs

/** A schedule with its record and the instances that came of it; what is decided is done at once, as in one transaction. */
class World {
  record: CronRecord | undefined
  readonly instances = new Map<string, RunOutcome>()
  readonly begun: number[] = []
  schedule: ScheduleSpec
  next = 1

  constructor(over: Partial<ScheduleSpec> = {}) {
    this.schedule = schedule(over)
  }

  look(minutes: number): CronDecision {
    const { record } = this
    const decision = decideCron(
      {
        ...{ schedule: this.schedule, key, times: every10, outcomeOf: (id) => this.instances.get(id) },
        ...(record === undefined ? {} : { record }),
      },
      at(minutes),
    )
    this.record = decision.record
    for (const { dueAt } of decision.begin) {
      const instance = `report-${this.next++}`
      this.instances.set(instance, { ended: false })
      this.begun.push(dueAt / minuteMs)
      this.record = enterRun(this.record, { dueAt, state: 'running', instance })
    }
    return decision
  }

  end(instance: string, exitCode: number, minutes: number): void {
    this.instances.set(instance, { ended: true, exitCode, startedAt: at(minutes) - 1, endedAt: at(minutes) })
  }

  get active(): string[] {
    return [...this.instances].filter(([, outcome]) => !outcome.ended).map(([id]) => id)
  }

  /** `10 running report-1` */
  get runs(): string[] {
    return (this.record?.runs ?? []).map(
      ({ dueAt, state, instance }) => `${dueAt / minuteMs} ${state} ${instance ?? '-'}`,
    )
  }
}

describe('a schedule', () => {
  it('begins to count when it appears, and anew when it changes', () => {
    const world = new World()
    expect(world.look(5)).toMatchObject({ begin: [], nextAt: at(10) })
    expect(world.look(10).begin).toEqual([{ dueAt: at(10) }])
    world.schedule = schedule({ cron: '*/10 1 * * *' })
    world.end('report-1', 0, 11)
    expect(world.look(25)).toMatchObject({ begin: [], notes: [], nextAt: at(30) })
    expect(world.runs).toEqual(['10 succeeded report-1'])
  })

  it('says what became of its runs', () => {
    const world = new World()
    world.look(5)
    world.look(10)
    world.end('report-1', 0, 11)
    world.look(20)
    world.instances.set('report-2', { ended: true, exitCode: 3, endedAt: at(22), message: 'out of memory' })
    expect(world.look(22).notes).toMatchObject([{ state: 'failed', exitCode: 3, message: 'out of memory' }])
    expect(world.look(23).notes).toEqual([])
    world.look(30)
    world.instances.delete('report-3')
    world.look(31)
    expect(world.runs).toEqual(['30 failed report-3', '20 failed report-2', '10 succeeded report-1'])
    expect(world.record?.runs[1]).toMatchObject({ exitCode: 3, endedAt: at(22) })
  })

  it('keeps as many runs as it says, and those that never began apart', () => {
    const world = new World({ history: 2, overlap: 'skip' })
    world.look(5)
    for (let minutes = 10; minutes <= 100; minutes += 10) {
      world.look(minutes)
      if (minutes % 40 === 0) for (const id of world.active) world.end(id, 0, minutes + 1)
    }
    expect(world.runs.filter((run) => run.includes('succeeded'))).toHaveLength(2)
    expect(world.runs.filter((run) => run.includes('skipped'))).toHaveLength(2)
    expect(world.runs.filter((run) => run.includes('running'))).toHaveLength(1)
  })
})

describe('what was missed', () => {
  it.each([
    ['is made up for once within the grace', 60, 45, ['40 running report-1', '10 missed -'], [40]],
    ['is left out later than that', 3, 45, ['10 missed -'], []],
    ['counts as in time within half a minute', 0, 10.4, ['10 running report-1'], [10]],
    ['is missed right after that without a grace', 0, 10.6, ['10 missed -'], []],
  ])('%s', (_, graceMinutes, minutes, runs, begun) => {
    const world = new World({ graceMs: at(graceMinutes) })
    world.look(5)
    world.look(minutes)
    expect([world.runs, world.begun]).toEqual([runs, begun])
  })
})

describe('a run that is due while the one before goes on', () => {
  it('is skipped', () => {
    const world = new World()
    world.look(5)
    world.look(10)
    expect(world.look(20)).toMatchObject({ begin: [], stop: [], notes: [{ state: 'skipped' }] })
    expect(world.record?.runs[0]?.message).toBe('report-1 was still running')
    world.end('report-1', 0, 21)
    expect(world.look(30).begin).toEqual([{ dueAt: at(30) }])
  })

  it('runs beside it', () => {
    const world = new World({ overlap: 'allow' })
    for (const minutes of [5, 10, 20, 30]) world.look(minutes)
    expect(world.active).toEqual(['report-1', 'report-2', 'report-3'])
  })

  it('takes its place once it has ended; of several that wait the last one counts', () => {
    const world = new World({ overlap: 'replace' })
    world.look(5)
    world.look(10)
    expect(world.look(20).stop).toEqual([{ instance: 'report-1', reason: expect.stringContaining('replaced by') }])
    expect(world.look(21)).toMatchObject({ begin: [], stop: [] })
    expect(world.look(30)).toMatchObject({ begin: [], stop: [], notes: [{ state: 'skipped', dueAt: at(20) }] })
    world.end('report-1', 143, 31)
    expect(world.look(31).begin).toEqual([{ dueAt: at(30) }])
    expect(world.runs).toEqual(['30 running report-2', '20 skipped -', '10 replaced report-1'])
  })
})

it('whenever one looks, and however often servers start: no due time twice, no two runs beside each other unless that is allowed', () => {
  const happening = fc.oneof(
    { weight: 3, arbitrary: fc.record({ wait: fc.double({ min: 0.01, max: 45, noNaN: true }) }) },
    { weight: 2, arbitrary: fc.record({ end: fc.constantFrom(0, 1) }) },
    { weight: 1, arbitrary: fc.record({ remove: fc.constant(true) }) },
    { weight: 1, arbitrary: fc.record({ back: fc.double({ min: 0, max: 30, noNaN: true }) }) },
  )
  const scene = fc.record({
    overlap: fc.constantFrom<ScheduleSpec['overlap']>('skip', 'replace', 'allow'),
    graceMs: fc.constantFrom(0, at(5), at(60)),
    history: fc.integer({ min: 1, max: 4 }),
    happenings: fc.array(happening, { maxLength: 80 }),
  })
  fc.assert(
    fc.property(scene, ({ happenings, ...over }) => {
      const world = new World(over)
      let minutes = 3
      for (const happen of happenings) {
        const { begin } = world.look(minutes)
        expect(begin.length).toBeLessThanOrEqual(1)
        if (over.overlap !== 'allow') expect(world.active.length).toBeLessThanOrEqual(1)
        // Nothing to do until something happens.
        expect(world.look(minutes)).toMatchObject({ begin: [], stop: [], notes: [] })
        if ('wait' in happen) minutes += happen.wait
        if ('back' in happen) minutes -= happen.back
        const [first] = world.active
        if ('end' in happen && first !== undefined) world.end(first, happen.end, minutes)
        if ('remove' in happen && first !== undefined) world.instances.delete(first)
        const ended = (world.record?.runs ?? []).filter(
          (run) => run.instance !== undefined && run.endedAt !== undefined,
        )
        expect(ended.length).toBeLessThanOrEqual(over.history)
      }
      expect(new Set(world.begun).size).toBe(world.begun.length)
      expect(world.begun).toEqual([...world.begun].sort((a, b) => a - b))
    }),
    { numRuns: 500 },
  )
})
