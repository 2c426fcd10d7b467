import type { Pool } from '@berth/core'
import { expect, it } from 'vitest'
import type { Traffic } from '../controllers/traffic.ts'
import { openTemporaryRecords } from '../records/open-records.testing.ts'
import { app, instance } from '../records/sample-records.testing.ts'
import { appView } from './app-view.ts'
import { instanceView } from './instance-view.ts'
import { nodeView } from './node-view.ts'
import type { ViewContext } from './view-context.ts'

const pool: Pool = {
  app: 'shop',
  name: 'production',
  environment: 'production',
  generation: 1,
  nextGeneration: 2,
  replicas: {},
  nextOrdinal: {},
  createdAt: 1,
}

const contextOf = (state: ViewContext['state']): ViewContext => ({
  state,
  traffic: { isInTraffic: () => false, gatewaysBehind: () => [] } as unknown as Traffic,
  isOnline: () => true,
  gateway: { host: 'a.example.com', httpPort: 80, httpsPort: 443 },
})

it('says of a one-off job what it runs and who asked for it', async () => {
  await using records = await openTemporaryRecords()
  const job = { ...instance('shop.production.web-7'), ordinal: 7, type: 'job' as const, command: ['node', 'fix.js'] }
  const view = instanceView(contextOf(records.state), { ...job, createdBy: 'token:mai' })
  expect(view).toMatchObject({ name: 'web-7', type: 'job', command: ['node', 'fix.js'], createdBy: 'token:mai' })
  expect('command' in instanceView(contextOf(records.state), instance('shop.production.web-1'))).toBe(false)
})

it('says of an instance what is known of it, and leaves out what is not', async () => {
  await using records = await openTemporaryRecords()
  const [plain, full] = [instance('shop.production.web-1'), instance('shop.production.web-2', 'h1')]
  const wanted = {
    rollout: 'r',
    cpuMilli: 100,
    stopReason: 'why',
    cores: '2-3',
    priority: 7,
    dueAt: 5,
    sizedAlone: true,
  }
  const observed = {
    readyAt: 1,
    containerId: 'c',
    startedAt: 2,
    endedAt: 3,
    lastExit: { code: 1, outOfMemory: false, at: 3 },
    logTail: ['x'],
  }
  const seen = { phase: 'ended', ready: false, restarts: 4, message: 'it fell over' } as const
  await records.records.commit('system:test', (tx) => {
    tx.put('instances', full)
    tx.put('statuses', { id: full.id, node: 'h1', ...seen, ...observed, granted: { memoryBytes: 1 } })
  })
  const context = contextOf(records.state)
  const some = { app: 'shop', pool: 'production', entrypoint: 'web', inTraffic: false }
  expect(instanceView(context, plain)).toMatchObject({ ...some, phase: 'pending', ready: false, restarts: 0 })
  for (const value of Object.values(instanceView(context, plain))) expect(value).not.toBeUndefined()
  const sizes = { outBitsPerSecond: 10_000_000 }
  const view = instanceView(context, { ...full, ...wanted, sizes, group: 'g', resources: { gpu: 1 } })
  expect(view).toMatchObject({ ...some, ...wanted, ...observed, ...seen, ...sizes, group: 'g', node: 'h1' })
  expect(view.granted).toMatchObject({ memoryBytes: 1 })
  const silent = instanceView({ ...context, isOnline: () => false }, full)
  expect(silent.message).toContain('node h1 is offline')
})

it('says of an app and a pool that they are being removed, and otherwise nothing', async () => {
  await using records = await openTemporaryRecords()
  await records.records.commit('local:0', (tx) => {
    tx.put('apps', { ...app('shop'), removing: true })
    tx.put('pools', { ...pool, removing: true })
    tx.put('apps', app('other'))
    tx.event({ type: 'app.removing', subject: { app: 'shop' }, message: 'shop is being removed' })
  })
  const view = (name: string) => {
    const found = records.state.apps.get(name)
    if (found === undefined) throw new Error(`there is no ${name}`)
    return appView(contextOf(records.state), found)
  }
  expect(view('shop')).toMatchObject({ removing: true, pools: [{ name: 'production', removing: true }] })
  expect('removing' in view('other')).toBe(false)
})

it('says of a node that is offline why its agent is refused', async () => {
  await using records = await openTemporaryRecords()
  const node = {
    ...{ name: 'h2', labels: {}, block: '10.77.2.0/24', address: '192.0.2.2', schedulable: true, joinedAt: 1 },
    certificateFingerprint: 'a',
  }
  const view = (isOnline: boolean) =>
    nodeView({ ...contextOf(records.state), isOnline: () => isOnline, whyRefused: () => 'other keys' }, node).problems
  expect(view(false)).toContain('its agent is refused: other keys')
  expect(view(true)).not.toContain('its agent is refused: other keys')
})

it('says of a node that the leader does not hear what its agent has told this server', async () => {
  await using records = await openTemporaryRecords()
  const node = {
    ...{ name: 'h2', labels: {}, block: '10.77.2.0/24', address: '192.0.2.2', schedulable: true, joinedAt: 1 },
    certificateFingerprint: 'a',
  }
  const view = (isOnline: boolean) =>
    nodeView({ ...contextOf(records.state), isOnline: () => isOnline, saidByAgent: () => ['another store'] }, node)
      .problems
  expect(view(false)).toContain('its agent has told this server, and not the one that leads: another store')
  expect(view(true)).toEqual(['its agent has not connected yet'])
})
