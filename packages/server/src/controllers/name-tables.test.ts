import type { Instance, InstanceStatus, Pool, Release } from '@berth/core'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openTemporaryRecords, type RecordsUnderTest } from '../records/open-records.testing.ts'
import { app, instance } from '../records/sample-records.testing.ts'
import { NameTables } from './name-tables.ts'
import { testSpec } from './specs.testing.ts'

const ids = Array.from({ length: 8 }, (_, index) => `shop.production.web-${index + 1}`)
const nodes = 2
/** More than three ready ones of one app on two nodes are too many for everybody to know. */
const fullLimit = 8

let under: RecordsUnderTest
beforeEach(async () => {
  under = await openTemporaryRecords()
  const made = { createdAt: 1, createdBy: 'local:0' }
  const spec = testSpec({ web: { ports: [] } })
  const release: Release = { app: 'shop', id: 'v1', image: 'shop', spec, ...made }
  const numbers = { generation: 1, nextGeneration: 2, nextOrdinal: {}, replicas: {} }
  const pool: Pool = {
    app: 'shop',
    name: 'production',
    environment: 'production',
    release: 'v1',
    createdAt: 1,
    ...numbers,
  }
  await under.records.commit('system:test', (tx) => {
    tx.put('apps', app('shop'))
    tx.put('releases', release)
    tx.put('pools', pool)
    for (let n = 0; n < nodes; n++) {
      const rest = { labels: {}, address: '127.0.0.1', schedulable: true, certificateFingerprint: '', joinedAt: 0 }
      tx.put('nodes', { name: `n-${n}`, block: `10.78.${n}.0/24`, ...rest })
    }
    for (const id of ids) tx.put('instances', placed(id))
  })
})
afterEach(() => under[Symbol.asyncDispose]())

const placed = (id: string): Instance => ({ ...instance(id, 'n-0'), address: `10.78.0.${10 + ids.indexOf(id)}` })

const statusOf = (id: string, ready: boolean): InstanceStatus => ({
  ...{ id, node: 'n-0', phase: 'running', ready, restarts: 0 },
})

const step = fc.record({
  id: fc.constantFrom(...ids),
  act: fc.constantFrom('ready', 'unready', 'forget', 'remove', 'add'),
})

it('each node has a table of its own as long as there are too many names for everybody, however they come and go', async () => {
  const { state, records } = under
  const tables = new NameTables({ state, defaultPool: 'production', fullLimit })
  state.changes.subscribe((change) => void (tables.note(change) && tables.refresh()))
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { maxLength: 25 }), async (commits) => {
      for (const steps of commits) {
        await records.commit('system:test', (tx) => {
          for (const { id, act } of steps) {
            if (act === 'ready' || act === 'unready') tx.put('statuses', statusOf(id, act === 'ready'))
            if (act === 'forget' || act === 'remove') tx.delete('statuses', id)
            if (act === 'remove') tx.delete('instances', id)
            if (act === 'add') tx.put('instances', placed(id))
          }
        })
        const ready = ids.filter((id) => state.instances.has(id) && state.statuses.field(id, 'ready') === true)
        expect(tables.isScoped).toBe((ready.length + state.apps.size) * nodes > fullLimit)
        if (!tables.isScoped) expect(tables.full().entries.map((each) => each.instance)).toEqual(ready.sort())
      }
    }),
    { numRuns: 60 },
  )
}, 60_000)

it('and of many apps that are only just being deployed', async () => {
  const { state, records } = under
  const tables = new NameTables({ state, defaultPool: 'production', fullLimit })
  state.changes.subscribe((change) => void (tables.note(change) && tables.refresh()))
  const names = ['a', 'b', 'c', 'd']
  for (const [index, name] of names.entries()) {
    expect(tables.isScoped).toBe(false)
    await records.commit('system:test', (tx) => tx.put('apps', app(name)))
    expect(state.apps.size).toBe(index + 2)
  }
  expect(tables.isScoped).toBe(true)
  await records.commit('system:test', (tx) => {
    for (const name of names) tx.delete('apps', name)
  })
  expect(tables.isScoped).toBe(false)
})

it('says at which site what is ready stands, also when the site of its node becomes another', async () => {
  const { state, records } = under
  const [id = ''] = ids
  await records.commit('system:test', (tx) => {
    tx.put('instances', placed(id))
    tx.put('statuses', statusOf(id, true))
  })
  const tables = new NameTables({ state, defaultPool: 'production' })
  state.changes.subscribe((change) => void (tables.note(change) && tables.refresh()))
  const siteOfOne = () => tables.full().entries.find((each) => each.instance === id)?.site
  const move = async (site: string) => {
    const node = state.nodes.get('n-0')
    if (node === undefined) throw new Error('no node')
    await records.commit('system:test', (tx) => tx.put('nodes', { ...node, labels: { site } }))
  }
  expect(siteOfOne()).toBeUndefined()
  await move('eu')
  expect(siteOfOne()).toBe('eu')
  await move('')
  expect(siteOfOne()).toBeUndefined()
})
