import { describe, expect, it } from 'vitest'
import { eventually } from '../eventually.testing.ts'
import { failureOf, type OpenStoreUnderTest } from '../store/contract/store-under-test.ts'
import { chaosContract } from './leadership-chaos.testing.ts'
import { joinServer, type Served, testTimes } from './server-under-test.testing.ts'

const timeoutMs = 60_000

/** What leadership keeps on every adapter of the store. */
export function leadershipContract(name: string, open: OpenStoreUnderTest): void {
  describe(`leadership on ${name}`, { timeout: timeoutMs }, () => {
    electionContract(open)
    membershipContract(open)
    chaosContract(open)
  })
}

function electionContract(open: OpenStoreUnderTest): void {
  it('gives a role to one of several, and all of them know to whom', async () => {
    await using test = await open()
    const served: Served[] = []
    await using a = await joinServer(test.store, 'a', { served })
    await using b = await joinServer(test.store, 'b', { served })
    await eventually(() => expect(served).toHaveLength(1))
    await eventually(() => {
      for (const { state } of [a, b]) {
        expect([...state.members.ids()]).toEqual(['a', 'b'])
        expect(state.leaders.get('cluster')?.server).toBe('a')
      }
    })
    expect(a.leadership.term('cluster')?.number).toBe(a.state.leaders.modRevision('cluster'))
    expect(b.leadership.term('cluster')).toBeUndefined()
  })

  it('lets another go on when the leader is cut off, and never before the leader has stopped', async () => {
    await using test = await open()
    const served: Served[] = []
    await using a = await joinServer(test.store, 'a', { served })
    await using _b = await joinServer(test.store, 'b', { served })
    await eventually(() => expect(served).toHaveLength(1))
    a.store.isCut = true
    const cutAt = performance.now()
    await eventually(() => expect(served).toHaveLength(2))
    const [first, second] = served
    expect(second?.server).toBe('b')
    expect(first?.until).toBeLessThan(second?.from ?? 0)
    expect(second?.term.number).toBeGreaterThan(first?.term.number ?? Number.POSITIVE_INFINITY)
    expect((second?.from ?? 0) - cutAt).toBeLessThan(3_000 + testTimes.ttlMs)
    a.store.isCut = false
    // It comes back as one of those who wait.
    await eventually(() => expect(a.state.members.has('a')).toBe(true))
    expect(a.state.leaders.get('cluster')?.server).toBe('b')
  })

  it('refuses what a leader commits that does not know that it was succeeded', async () => {
    await using test = await open()
    const served: Served[] = []
    // Its clock stands still, so that by its own deadline it leads for ever.
    await using a = await joinServer(test.store, 'a', { served, clock: { now: () => 0 } })
    await eventually(() => expect(served).toHaveLength(1))
    const term = served[0]?.term
    if (term === undefined) throw new Error('nobody leads')
    const guarded = a.records.guardedBy(term)
    const event = (message: string) => ({ type: 'routing.set' as const, subject: {}, message })
    await guarded.commit('system', (tx) => tx.event(event('while it leads')))
    const late = guarded.begin('system')
    late.event(event('too late'))
    await test.store.commit({ operations: [{ type: 'delete', key: '/leaders/cluster' }] })
    expect(await guarded.tryCommit(late).catch(() => false)).toBe(false)
    const again = guarded.commit('system', (tx) => tx.event(event('too late')))
    expect(await failureOf(() => again)).toMatchObject({ code: 'leadership.over' })
    expect(a.state.events.all().map(({ message }) => message)).toEqual(['while it leads'])
  })

  it('passes a role on at once when it is given up, after all that was done in it has ended', async () => {
    await using test = await open()
    const served: Served[] = []
    await using a = await joinServer(test.store, 'a', { served })
    await using _b = await joinServer(test.store, 'b', { served })
    await eventually(() => expect(served).toHaveLength(1))
    const at = performance.now()
    a.leadership.stepDown('cluster', 'the test says so')
    await eventually(() => expect(served).toHaveLength(2))
    expect(served[1]?.server).toBe('b')
    expect(served[0]?.until).toBeLessThanOrEqual(served[1]?.from ?? 0)
    expect((served[1]?.from ?? 0) - at).toBeLessThan(testTimes.ttlMs)
  })

  it('is taken again by who gave it up, if nobody else wants it', async () => {
    await using test = await open()
    const served: Served[] = []
    await using a = await joinServer(test.store, 'a', { served })
    await eventually(() => expect(served).toHaveLength(1))
    a.leadership.stepDown('cluster', 'the test says so')
    await eventually(() => expect(served).toHaveLength(2))
  })

  it('passes every role on when its server stops orderly', async () => {
    await using test = await open()
    const served: Served[] = []
    const roles = ['cluster', 'builds', 'clock', 'upkeep'] as const
    const a = await joinServer(test.store, 'a', { served, roles })
    await using b = await joinServer(test.store, 'b', { served, roles })
    await eventually(() => expect(served).toHaveLength(4))
    await a[Symbol.asyncDispose]()
    await eventually(() => expect(served).toHaveLength(8))
    await eventually(() => expect([...b.state.members.ids()]).toEqual(['b']))
  })

  it('leads by a claim whose answer was lost', async () => {
    await using test = await open()
    const served: Served[] = []
    await using a = await joinServer(test.store, 'a', { served, roles: [] })
    a.store.losesAnswers = true
    await a.leadership.hold('clock', (term) => {
      served.push({ server: 'a', term, from: performance.now() })
    })
    await eventually(() => expect(served).toHaveLength(1))
    expect(served[0]?.term.number).toBe(a.state.leaders.modRevision('clock'))
    a.store.losesAnswers = false
  })

  it('holds every role for ever where it is alone, and at once after a server that was killed', async () => {
    await using test = await open()
    const alone = { alone: true, clock: { now: () => Number.POSITIVE_INFINITY } }
    const before = await joinServer(test.store, 'before', alone)
    await before.state[Symbol.asyncDispose]()
    const served: Served[] = []
    await using after = await joinServer(test.store, 'after', { ...alone, served, roles: ['cluster', 'upkeep'] })
    expect(served.map(({ term }) => term.role)).toEqual(['cluster', 'upkeep'])
    expect([...after.state.members.ids()]).toEqual(['after'])
    expect(after.leadership.term('cluster')?.isOver).toBe(false)
    expect(before.leadership.term('cluster')?.number).not.toBe(after.leadership.term('cluster')?.number)
  })
}

function membershipContract(open: OpenStoreUnderTest): void {
  it('refuses a name that a live server has, and gives it once that one is gone', async () => {
    await using test = await open()
    const times = { ...testTimes, ttlMs: 500 }
    const a = await joinServer(test.store, 'a', { times })
    expect(await failureOf(() => joinServer(test.store, 'a', { times }))).toMatchObject({ code: 'server.name-taken' })
    // Killed: it neither gives anything back nor keeps anything alive.
    a.store.isCut = true
    await using again = await joinServer(test.store, 'a', { times })
    expect(again.state.members.size).toBe(1)
    a.store.isCut = false
    await a[Symbol.asyncDispose]()
    expect(again.state.members.size).toBe(1)
  })

  it('refuses a version that is more than one minor version away, naming the server that is', async () => {
    await using test = await open()
    await using _a = await joinServer(test.store, 'a', { version: '0.3.0' })
    await using _b = await joinServer(test.store, 'b', { version: '0.4.7' })
    const failure = await failureOf(() => joinServer(test.store, 'c', { version: '0.2.0' }))
    expect(failure).toMatchObject({ code: 'server.version-apart', details: { server: 'b', version: '0.4.7' } })
  })

  it('tells the others what has changed about a server', async () => {
    await using test = await open()
    await using a = await joinServer(test.store, 'a')
    await using b = await joinServer(test.store, 'b')
    await a.leadership.describe({ hears: 3 })
    await eventually(() => expect(b.state.members.get('a')?.hears).toBe(3))
  })
}
