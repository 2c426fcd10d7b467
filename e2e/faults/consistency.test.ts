import { mkdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { checkHistory, type History, type WatchRecord } from '../../packages/lab/src/history/index.ts'
import { changesBetween, revisionOf } from '../../packages/server/src/store/contract/store-under-test.ts'
import { openEtcdStore } from '../../packages/server/src/store/etcd/etcd-store.ts'
import { silent } from '../../packages/server/src/store/etcd/open-etcd.testing.ts'
import type { Store, WatchBatch } from '../../packages/server/src/store/store.ts'
import { FaultCluster } from '../support/faults/fault-cluster.ts'
import { describeFault, type Fault, planFaults } from '../support/faults/fault-plan.ts'
import { RecordingClient, recordWatches } from '../support/faults/recording-client.ts'
import { readStoreHistory, writesOf } from '../support/faults/store-history.ts'
import { until } from '../support/load.ts'
import { isLongForm } from '../support/long-form.ts'

/** `BERTH_SEED=7` does again what a run printed; which requests fall between is the machine's. */
const seed = Number(process.env.BERTH_SEED ?? Math.floor(Math.random() * 1e6))
const size = {
  servers: isLongForm ? 3 : 2,
  nodes: 4,
  replicas: 6,
  clients: isLongForm ? 6 : 3,
  faults: isLongForm ? 60 : 6,
}

const say = (line: string): void => void process.stderr.write(`[faults] ${line}\n`)

/** The whole store, as somebody sees it who follows it all the time. */
async function follow(store: Store, fromRevision: number, signal: AbortSignal, seen: WatchBatch[]): Promise<void> {
  for await (const batch of store.watch('/', { fromRevision, signal })) if (batch.changes.length > 0) seen.push(batch)
}

async function carryOut(cluster: FaultCluster, plan: readonly Fault[]): Promise<void> {
  const under: Promise<void>[] = []
  const busy = new Set<string>()
  for (const fault of plan) {
    const place = `${fault.kind.endsWith('etcd') ? 'etcd' : 'server'} ${fault.target}`
    // One fault a place at a time, and a majority of etcd: more is another test's.
    if (busy.has(place) || (place.startsWith('etcd') && [...busy].some((each) => each.startsWith('etcd')))) {
      await Promise.all(under.splice(0))
      busy.clear()
    }
    say(describeFault(fault))
    busy.add(place)
    under.push(cluster.befall(fault).finally(() => busy.delete(place)))
    await cluster.scale(fault.replicas)
    await delay(fault.thenMs)
  }
  await Promise.all(under)
}

it('whatever is killed, stopped and cut: nothing is given twice, no acknowledged write is lost, watches tell all, one leader acts', async () => {
  const plan = planFaults(seed, { ...size, members: 3, maxReplicas: 4 * size.nodes })
  say(`BERTH_SEED=${seed}`)
  await using cluster = await FaultCluster.start(size)
  await using truth = await openEtcdStore({
    addresses: cluster.etcd.addresses,
    prefix: '/berth',
    log: silent,
    compaction: false,
  })
  const stop = new AbortController()
  const live: WatchBatch[] = []
  const start = await revisionOf(truth)
  const following = follow(truth, start + 1, stop.signal, live)
  const clients = Array.from(
    { length: size.clients },
    (_, n) => new RecordingClient(`c${n}`, cluster.nodes[n % 2] ?? ''),
  )
  const watches: WatchRecord[] = []
  const at = cluster.servers
  const working = [
    ...clients.map((client, n) => client.run(() => at.map(({ client: each }) => each), n, stop.signal)),
    ...at.map((server) => recordWatches(() => server.client, watches, stop.signal)),
  ]
  await carryOut(cluster, plan)
  await cluster.heal()
  await until('a last scaling', () => cluster.scale(size.replicas), 60_000)
  await cluster.untilAtRest(size.replicas)
  const before = clients.map(({ acknowledged }) => acknowledged)
  await until(
    'every client to go on',
    () => clients.every(({ acknowledged }, n) => acknowledged > (before[n] ?? 0) + 3),
    60_000,
  )
  const end = await revisionOf(truth)
  await until('the watch to be there', () => (live.at(-1)?.revision ?? 0) >= end, 30_000)
  stop.abort()
  await Promise.all(working)
  await following
  const all = await changesBetween(truth, '/', 1, await revisionOf(truth))
  const history: History = {
    ...readStoreHistory(all),
    watches,
    operations: clients.flatMap(({ operations }) => operations),
  }
  const raw = rawHistory(all, live, start, end)
  const violations = [...checkHistory(history), ...checkHistory(raw)].map(({ rule, message }) => `${rule}: ${message}`)
  if (violations.length > 0) keep(cluster, history)
  say(
    `${history.operations.length} operations, ${history.acts.length} acts in ${history.terms.length} terms, ${history.grants.length} grants, ${watches.length} watches`,
  )
  expect(violations).toEqual([])
  expect(cluster.ended).toEqual([])
  expect(history.terms.length).toBeGreaterThan(0)
  expect(history.acts.length).toBeGreaterThan(0)
  expect(watches.flatMap(({ seen }) => seen).filter(({ type }) => type === 'mark').length).toBeGreaterThan(0)
}, 900_000)

/** A watch of everything against the store's own account of it, key by key. */
const rawHistory = (all: readonly WatchBatch[], live: readonly WatchBatch[], after: number, end: number): History => ({
  changes: writesOf(all),
  watches: [
    {
      ...{ name: 'everything', kind: 'every', after, until: end },
      seen: writesOf(live.filter(({ revision }) => revision <= end)).map((each) => ({ type: 'change', ...each })),
    },
  ],
  ...{ operations: [], grants: [], terms: [], acts: [] },
})

/** For whoever looks into it. */
function keep({ servers }: FaultCluster, history: History): void {
  const directory = join(tmpdir(), `berth-history-${seed}`)
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'history.json'), JSON.stringify(history))
  for (const { name, log } of servers) writeFileSync(join(directory, `${name}.log`), log)
  say(`kept in ${directory}; again with BERTH_SEED=${seed}`)
}
