import type { App, Release } from '@berth/core'
import { BerthError } from '@berth/core'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openTemporaryRecords, type RecordsUnderTest } from './open-records.testing.ts'
import { openState } from './open-state.ts'
import { Records } from './records.ts'
import { app, instance } from './sample-records.testing.ts'
import type { ChangedRecord, StateChange } from './state.ts'

let under: RecordsUnderTest
beforeEach(async () => {
  under = await openTemporaryRecords({ now: () => 1_000 })
})
afterEach(async () => await under[Symbol.asyncDispose]())

describe('commit', () => {
  it('writes, and the state shows it on return with the actor in the event', async () => {
    const { revision } = await under.records.commit('token:ci', (tx) => {
      tx.create('apps', app('shop'))
      tx.event({ type: 'app.created', subject: { app: 'shop' }, message: 'shop' })
    })
    expect(under.state.revision).toBe(revision)
    expect(under.state.apps.get('shop')).toEqual(app('shop'))
    expect(under.state.apps.modRevision('shop')).toBe(revision)
    expect(under.state.events.all()).toMatchObject([{ actor: 'token:ci', type: 'app.created', at: 1_000 }])
  })

  it('refuses a person’s change without an event', async () => {
    await expect(under.records.commit('token:ci', (tx) => tx.put('apps', app('shop')))).rejects.toMatchObject({
      code: 'record.no-event',
    })
    await under.records.commit('system:pools', (tx) => tx.put('apps', app('shop')))
    expect(under.state.apps.size).toBe(1)
  })

  it('decides again when another was faster', async () => {
    await under.records.commit('system', (tx) => tx.put('apps', app('shop')))
    let runs = 0
    const raise = () =>
      under.records.commit('system', (tx) => {
        runs += 1
        const current = under.state.apps.get('shop') as App
        tx.put('apps', { ...current, nextRelease: current.nextRelease + 1 }, { ifUnchanged: true })
      })
    await Promise.all([raise(), raise(), raise()])
    expect(under.state.apps.get('shop')?.nextRelease).toBe(4)
    expect(runs).toBeGreaterThan(3)
  })

  it('gives up with record.conflict when it never wins', async () => {
    await expect(
      under.records.commit('system', (tx) => tx.put('apps', app('shop'), { ifUnchanged: 7 })),
    ).rejects.toMatchObject({ code: 'record.conflict', retryable: true })
  })

  it('of a guard compares with it, and is refused by it once it is over', async () => {
    await under.store.commit({ operations: [{ type: 'put', key: '/leaders/cluster', value: '{"v":1}' }] })
    let isOver = false
    const guard = {
      compare: { key: '/leaders/cluster', modRevision: 2 },
      check: () => {
        if (isOver) throw new BerthError('leadership.over', 'it is over')
      },
    }
    const guarded = under.records.guardedBy(guard)
    const event = { type: 'routing.set' as const, subject: {}, message: '' }
    await guarded.commit('system', (tx) => tx.event(event))
    expect(guarded.begin('system').size).toBe(1)
    await under.store.commit({ operations: [{ type: 'put', key: '/leaders/cluster', value: '{"v":1}' }] })
    await expect(guarded.commit('system', (tx) => tx.event(event))).rejects.toMatchObject({ code: 'record.conflict' })
    isOver = true
    await expect(guarded.commit('system', (tx) => tx.event(event))).rejects.toMatchObject({ code: 'leadership.over' })
    expect(under.state.events.size).toBe(1)
  })

  it('writes nothing when the decision throws or writes nothing', async () => {
    const before = under.state.revision
    await expect(
      under.records.commit('system', (tx) => {
        tx.put('apps', app('shop'))
        throw new Error('no')
      }),
    ).rejects.toThrow('no')
    expect(await under.records.commit('local:0', () => 5)).toEqual({ revision: before, value: 5 })
    expect(under.state.revision).toBe(before)
  })

  it('holds the last write of a key and at most 100 operations', async () => {
    await under.records.commit('system', (tx) => {
      tx.put('apps', app('shop'))
      tx.delete('apps', 'shop')
      tx.put('apps', { ...app('shop'), nextRelease: 9 })
    })
    expect(under.state.apps.get('shop')?.nextRelease).toBe(9)
    const many = under.records.commit('system', (tx) => {
      for (let i = 0; i < 101; i += 1) tx.put('apps', app(`a${i}`))
    })
    await expect(many).rejects.toMatchObject({ code: 'record.too-many' })
  })

  it('tryCommit tells of a conflict', async () => {
    await under.records.commit('system', (tx) => tx.put('apps', app('shop')))
    const tx = under.records.begin('system')
    tx.put('apps', { ...app('shop'), nextRelease: 5 }, { ifUnchanged: true })
    await under.records.commit('system', (other) => other.put('apps', { ...app('shop'), nextRelease: 2 }))
    expect(await under.records.tryCommit(tx)).toBe(false)
    expect(under.state.apps.get('shop')?.nextRelease).toBe(2)
  })
})

describe('the state', () => {
  it('keeps look-ups up to date', async () => {
    await under.records.commit('system', (tx) => {
      tx.put('instances', instance('shop.production.web-1', 'a'))
      tx.put('instances', instance('shop.production.web-2'))
    })
    const { instances } = under.state
    expect(instances.byNode('a').map((each) => each.id)).toEqual(['shop.production.web-1'])
    expect(instances.unplaced().map((each) => each.id)).toEqual(['shop.production.web-2'])
    await under.records.commit('system', (tx) => {
      tx.put('instances', instance('shop.production.web-2', 'b'))
      tx.delete('instances', 'shop.production.web-1')
    })
    expect(instances.byNode('a')).toEqual([])
    expect(instances.unplaced()).toEqual([])
    expect(instances.byPool('shop', 'production').map((each) => each.node)).toEqual(['b'])
  })

  it('sorts releases by number', async () => {
    const release = (id: string): Release => ({ app: 'shop', id }) as Release
    await under.records.commit('system', (tx) => {
      for (const id of ['v10', 'v9', 'v100']) tx.put('releases', release(id))
    })
    expect(under.state.releases.byApp('shop').map((each) => each.id)).toEqual(['v9', 'v10', 'v100'])
    expect(under.state.releases.find('shop', 'v10')?.id).toBe('v10')
  })

  it('tells listeners once all tables are at the revision, with before and after', async () => {
    const seen: StateChange[] = []
    const stop = under.state.changes.subscribe((change) => {
      expect(under.state.apps.get('b')).toBeDefined()
      seen.push(change)
    })
    await under.records.commit('system', (tx) => {
      tx.put('apps', app('a'))
      tx.put('apps', app('b'))
    })
    await under.records.commit('system', (tx) => tx.delete('apps', 'a'))
    stop()
    await under.records.commit('system', (tx) => tx.delete('apps', 'b'))
    expect(seen.map((change) => [change.id, change.before !== undefined, change.after !== undefined])).toEqual([
      ['a', false, true],
      ['b', false, true],
      ['a', true, false],
    ])
  })

  it('goes on when a listener throws', async () => {
    under.state.changes.subscribe(() => {
      throw new Error('broken')
    })
    await under.records.commit('system', (tx) => tx.put('apps', app('a')))
    expect(under.state.apps.size).toBe(1)
  })

  it('tells what changed since a revision, also before its own start', async () => {
    const write = async (name: string) =>
      (await under.records.commit('system', (tx) => tx.put('apps', app(name)))).revision
    const first = await write('a')
    await write('b')
    const ids = (changes: readonly ChangedRecord[]) => changes.map((change) => change.id)
    expect(ids(await under.state.changes.since(first))).toEqual(['b'])
    expect(ids(await under.state.changes.since(under.state.revision))).toEqual([])
    await using later = await openState(under.store, { log: pino({ level: 'silent' }) })
    const records = new Records(under.store, later)
    await records.commit('system', (tx) => tx.put('apps', app('c')))
    expect(ids(await later.changes.since(first))).toEqual(['b', 'c'])
    await expect(later.changes.since(later.revision + 1)).rejects.toMatchObject({ code: 'store.future-revision' })
    await under.store.compact(later.revision)
    await using last = await openState(under.store, { log: pino({ level: 'silent' }) })
    await expect(last.changes.since(first)).rejects.toMatchObject({ code: 'store.compacted' })
  })

  it('stops waiting when told to', async () => {
    const stop = new AbortController()
    const waiting = under.state.waitFor(under.state.revision + 1, { signal: stop.signal })
    stop.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    const open = under.state.waitFor(under.state.revision + 1)
    await under.state[Symbol.asyncDispose]()
    await expect(open).rejects.toMatchObject({ code: 'state.closed' })
  })

  it('refuses to start on a record that it cannot read', async () => {
    await under.store.commit({ operations: [{ type: 'put', key: '/apps/x', value: '{"v":99}' }] })
    await expect(openState(under.store, { log: pino({ level: 'silent' }) })).rejects.toMatchObject({
      code: 'record.newer',
    })
  })

  it('keeps the last known form when a later write cannot be read', async () => {
    await under.records.commit('system', (tx) => tx.put('apps', app('x')))
    const { revision } = await under.store.commit({ operations: [{ type: 'put', key: '/apps/x', value: 'rubbish' }] })
    await under.state.waitFor(revision)
    expect(under.state.apps.get('x')).toEqual(app('x'))
  })
})
