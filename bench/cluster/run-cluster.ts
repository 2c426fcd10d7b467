import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { inParallel } from '../../e2e/support/load.ts'
import { appName, makeReleases, nodeLabels } from '../../e2e/support/simulated/releases.ts'
import { type Memory, ServerProcess } from '../../e2e/support/simulated/server-process.ts'
import type { Client } from '../../packages/api/src/index.ts'
import { type ClusterStore, openClusterStore, type StoreKind } from './cluster-store.ts'
import { FleetProcess } from './fleet-process.ts'

export interface ClusterSize {
  readonly nodes: number
  readonly apps: number
  /** Of each app. */
  readonly replicas: number
}

export interface ClusterOptions extends ClusterSize {
  readonly signal: AbortSignal
  readonly log: (message: string) => void
  /** Nodes and releases are made once and kept here, for those who try something again and again. */
  readonly preparedIn?: string
  /** Absent: SQLite. */
  readonly store?: StoreKind
  /** Of Node, for the server: `--cpu-prof`. */
  readonly serverOptions?: readonly string[]
  readonly fleetOptions?: readonly string[]
  readonly timeoutMs?: number
  /** Where the processes write what `--cpu-prof` makes. */
  readonly directory?: string
}

export interface ClusterRun {
  /** From the first call until all are ready at the API. */
  readonly seconds: number
  /** Until all calls have been answered. */
  readonly callSeconds: number
  readonly enrolSeconds: number | undefined
  readonly linkSeconds: number | undefined
  readonly before: Memory
  readonly after: Memory
  readonly storeBytes: number
  readonly storeCpuSeconds: number
  readonly serverCpuSeconds: number
  readonly fleetBytes: number
  /** How often a node was not heard of in time, from the start of the server on. */
  readonly timesLost: number
  readonly load: number
}

/** A cluster that is up and has everything but instances. */
export interface PreparedCluster {
  readonly server: ServerProcess
  readonly fleet: FleetProcess
}

/** Starts server and nodes, deploys, and measures until every instance is ready. `then` looks at the full cluster. */
export async function runCluster(
  options: ClusterOptions,
  then: (cluster: PreparedCluster) => Promise<void> = async () => undefined,
): Promise<ClusterRun> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'berth-cluster-'))
  mkdirSync(directory, { recursive: true })
  try {
    const enrolSeconds = await prepare(options, directory)
    await using store = await openClusterStore(options.store ?? 'sqlite', directory, options.signal)
    await using server = await startServer(options, directory, store)
    await using fleet = startFleet(options, directory, server)
    await fleet.linked(options.signal)
    await delay(2000, undefined, { signal: options.signal })
    const run = await deployAll(options, { server, fleet, store })
    await then({ server, fleet })
    return { ...run, enrolSeconds }
  } finally {
    if (options.directory === undefined) rmSync(directory, { recursive: true, force: true })
  }
}

const startServer = (
  { serverOptions }: ClusterOptions,
  directory: string,
  { config }: ClusterStore,
): Promise<ServerProcess> =>
  ServerProcess.start({
    directory,
    config,
    // The nodes come back to it after their enrolment.
    agentPort: 7801,
    ...(serverOptions === undefined ? {} : { nodeOptions: serverOptions }),
  })

const startFleet = ({ nodes, log, fleetOptions }: ClusterOptions, directory: string, server: ServerProcess) =>
  new FleetProcess({
    ...{ nodes, log, cwd: directory, socketPath: server.socketPath, labels: nodeLabels },
    credentialsFile: join(directory, 'credentials.json'),
    ...(fleetOptions === undefined ? {} : { nodeOptions: fleetOptions }),
  })

/** Enrols the nodes and makes the releases; what was made before is only copied. */
async function prepare(options: ClusterOptions, directory: string): Promise<number | undefined> {
  const { preparedIn, nodes, apps, replicas, log, signal } = options
  const { store: kind = 'sqlite' } = options
  const kept = preparedIn === undefined ? undefined : join(preparedIn, `${kind}-${nodes}-${apps}-${replicas}`)
  if (kept !== undefined && existsSync(kept)) {
    cpSync(kept, directory, { recursive: true })
    return undefined
  }
  let enrolSeconds: number | undefined
  {
    await using store = await openClusterStore(kind, directory, signal)
    await using server = await startServer({ ...options, serverOptions: [] }, directory, store)
    await using fleet = startFleet({ ...options, fleetOptions: [] }, directory, server)
    await fleet.linked(signal)
    const startedAt = performance.now()
    const repositories = join(directory, 'repositories')
    await makeReleases(server.client, { directory: repositories, apps, replicas, signal })
    enrolSeconds = fleet.seconds.enrol
    log(`${apps} releases made in ${Math.round((performance.now() - startedAt) / 1000)} s`)
  }
  if (kept !== undefined) cpSync(directory, kept, { recursive: true })
  return enrolSeconds
}

async function deployAll(
  options: ClusterOptions,
  { server, fleet, store }: PreparedCluster & { readonly store: ClusterStore },
): Promise<Omit<ClusterRun, 'enrolSeconds'>> {
  const { apps, signal, log } = options
  const before = server.memory
  const [cpuBefore, storeCpuBefore] = [server.cpuSeconds, store.cpuSeconds]
  const startedAt = performance.now()
  const names = Array.from({ length: apps }, (_, index) => appName(index))
  await inParallel(names, 16, async (app) => {
    await server.client.call('deploy', { params: { app }, body: { release: 'v1', pool: 'production' } }, { signal })
  })
  const callSeconds = since(startedAt)
  await untilReady(options, server, fleet, startedAt)
  const seconds = since(startedAt)
  const wanted = apps * options.replicas
  log(`${wanted} ready after ${seconds.toFixed(1)} s: ${Math.round(wanted / seconds)}/s`)
  return {
    ...{ seconds, callSeconds, before, after: server.memory, storeBytes: store.bytes },
    storeCpuSeconds: store.cpuSeconds - storeCpuBefore,
    serverCpuSeconds: server.cpuSeconds - cpuBefore,
    fleetBytes: fleet.state.rssBytes ?? 0,
    linkSeconds: fleet.seconds.link,
    timesLost: server.log.split('it is offline').length - 1,
    load: loadavg()[0] ?? 0,
  }
}

async function untilReady(
  { apps, replicas, signal, log, timeoutMs = 1_200_000 }: ClusterOptions,
  server: ServerProcess,
  fleet: FleetProcess,
  startedAt: number,
): Promise<void> {
  const wanted = apps * replicas
  for (let said = 0; ; ) {
    const { ready, ended } = await progress(server.client, signal)
    if (ready === wanted && ended === apps) {
      const counted = await readyAtApi(server.client, signal)
      if (counted === wanted) return
    }
    const elapsed = since(startedAt)
    if (elapsed * 1000 > timeoutMs) throw new Error(`${ready} of ${wanted} were ready after ${Math.round(elapsed)} s`)
    if (elapsed - said >= 5) {
      said = elapsed
      const { assigned = 0, running = 0, ready: there = 0 } = fleet.state
      const rss = Math.round(server.memory.rssBytes / 1024 ** 2)
      const cpu = server.cpuSeconds.toFixed(0)
      log(
        `${elapsed.toFixed(0)} s: ${ready} ready at the API; at the nodes ${assigned} assigned, ${running} running, ${there} ready; server ${rss} MiB, ${cpu} s of processor time`,
      )
    }
    await delay(wanted > 200_000 ? 2000 : 250, undefined, { signal })
  }
}

async function progress(client: Client, signal: AbortSignal): Promise<{ ready: number; ended: number }> {
  const { items } = await client.list('listRollouts', {}, { signal })
  const failed = items.find((each) => each.endedAt !== undefined && each.state !== 'succeeded')
  if (failed !== undefined) throw new Error(`rollout of ${failed.app} ${failed.state}: ${failed.message}`)
  const ready = items.reduce((sum, each) => sum + (each.progress.worker?.newReady ?? 0), 0)
  return { ready, ended: items.filter((each) => each.endedAt !== undefined).length }
}

/** Counted anew by the server from what its nodes have reported. */
async function readyAtApi(client: Client, signal: AbortSignal): Promise<number> {
  const { items } = await client.list('listApps', {}, { signal })
  return items
    .flatMap((app) => app.pools.flatMap((pool) => pool.entrypoints))
    .reduce((sum, entrypoint) => sum + entrypoint.ready, 0)
}

const since = (startedAt: number): number => (performance.now() - startedAt) / 1000
