import { encodeRecord, keyOf } from '@berth/server/records/index'
import type { RecordKind, RecordTypes } from '@berth/server/records/record-types'
import { openSqliteStore } from '@berth/server/store/sqlite/sqlite-store'
import { maxOperations, type Operation, type Store } from '@berth/server/store/store'
import { pino } from 'pino'
import { parse } from 'yaml'
import { appName, specOf } from '../../e2e/support/simulated/releases.ts'
import {
  type AppSpec,
  canonicalize,
  type Instance,
  type InstanceStatus,
  type Node,
  type NodeStatus,
  type Pool,
  type Release,
} from '../../packages/core/src/index.ts'
import type { ClusterSize } from './run-cluster.ts'

const commitsUnderWay = 32
/** All times: what is idle has not changed for a while. */
const at = Date.UTC(2026, 0, 1)
const madeBy = { createdAt: at, createdBy: 'user:admin' }
const pool = 'production'
const entrypoint = 'worker'

/** Writes a cluster in which everything has been running for a while into a new store: what a server starts with after an upgrade. */
export async function fillStore(path: string, size: ClusterSize): Promise<void> {
  await using store = await openSqliteStore({ path, log: pino({ level: 'silent' }) })
  const underWay = new Set<Promise<unknown>>()
  let operations: Operation[] = []
  const flush = async (): Promise<void> => {
    const done: Promise<unknown> = commit(store, operations).finally(() => underWay.delete(done))
    underWay.add(done)
    operations = []
    if (underWay.size >= commitsUnderWay) await Promise.race(underWay)
  }
  for (const operation of recordsOf(size)) {
    operations.push(operation)
    if (operations.length === maxOperations) await flush()
  }
  await flush()
  await Promise.all(underWay)
}

async function commit(store: Store, operations: readonly Operation[]): Promise<void> {
  if (operations.length > 0) await store.commit({ operations })
}

function put<K extends RecordKind>(kind: K, id: string, record: RecordTypes[K]): Operation {
  return { type: 'put', key: keyOf(kind, id), value: encodeRecord(kind, record) }
}

function* recordsOf(size: ClusterSize): Generator<Operation> {
  for (let index = 0; index < size.nodes; index++) yield* nodeRecords(index)
  for (let index = 0; index < size.apps; index++) yield* appRecords(index, size)
}

function* nodeRecords(index: number): Generator<Operation> {
  const name = `sim-${index + 1}`
  const labels = { disk: index % 2 === 0 ? 'ssd' : 'hdd', site: 'abc'.charAt(index % 3), kernel: '6.12' }
  const place = { block: `10.${index >> 8}.${index & 255}.0/24`, address: '127.0.0.1' }
  const node: Node = { name, labels, ...place, schedulable: true, certificateFingerprint: '', joinedAt: at }
  const software = { agentVersion: '0.1.0', engineVersion: '20.10', engineApi: '1.41', kernel: '6.12', os: 'Debian 12' }
  const status: NodeStatus = {
    ...{ name, online: false, cpuMilli: 64_000, memoryBytes: 2 ** 38, diskBytes: 2 ** 40, diskFreeBytes: 2 ** 39 },
    ...{ ...software, cgroup: 'v2', gateway: false, problems: [] },
  }
  yield put('nodes', name, node)
  yield put('nodeStatuses', name, status)
}

function* appRecords(index: number, { nodes, replicas }: ClusterSize): Generator<Operation> {
  const app = appName(index)
  const spec = specFor(app, index, replicas)
  const release: Release = { app, id: 'v1', image: `sha256:${'0'.repeat(64)}`, spec, ...madeBy }
  const counts = { replicas: { [entrypoint]: { count: replicas, setBy: 'spec', specCount: replicas } } } as const
  const numbers = { generation: 1, nextGeneration: 2, nextOrdinal: { [entrypoint]: replicas + 1 } }
  const made: Pool = { app, name: pool, environment: pool, release: 'v1', ...numbers, ...counts, createdAt: at }
  yield put('apps', app, { name: app, vcs: 'git', nextRelease: 2, ...madeBy })
  yield put('releases', `${app}/v1`, release)
  yield put('pools', `${app}/${pool}`, made)
  for (let n = 0; n < replicas; n++) {
    const instance = instanceOf(app, n + 1, placeOf(index * replicas + n, nodes), spec)
    yield put('instances', instance.id, instance)
    yield put('statuses', instance.id, statusOf(instance, index * replicas + n))
  }
}

/** The same places anew for every so many nodes. */
const placeOf = (serial: number, nodes: number): { readonly node: string; readonly address: string } => {
  const index = serial % nodes
  return {
    node: `sim-${index + 1}`,
    address: `10.${index >> 8}.${index & 255}.${2 + (Math.floor(serial / nodes) % 250)}`,
  }
}

function specFor(app: string, index: number, replicas: number): AppSpec {
  const result = canonicalize(parse(specOf(app, index, replicas)))
  if (result.spec === undefined) throw new Error(`the spec of ${app}: ${JSON.stringify(result)}`)
  return result.spec
}

function instanceOf(app: string, ordinal: number, place: Pick<Instance, 'node' | 'address'>, spec: AppSpec): Instance {
  const { cpuMilli = 0, memoryBytes = 0 } = spec.entrypoints[entrypoint]?.resources ?? {}
  return {
    ...{ id: `${app}.${pool}.${entrypoint}-${ordinal}`, app, pool, entrypoint, ordinal },
    ...{ release: 'v1', generation: 1, type: 'service', rollout: `r-${app}`, desired: 'run', restartNonce: 0 },
    ...madeBy,
    ...place,
    ...{ cpuMilli, memoryBytes, group: 'default', reservedCpuMilli: cpuMilli, reservedMemoryBytes: memoryBytes },
  }
}

/** As a real agent's last word, with a number for the container that is nobody else's. */
function statusOf({ id, createdAt, node = '', address = '', cpuMilli, memoryBytes }: Instance, serial: number) {
  const status: InstanceStatus = {
    ...{ id, createdAt, node, phase: 'running', ready: true, readyAt: at + 900 + serial },
    ...{ containerId: serial.toString(16).padStart(64, 'c0ffee'), pid: 1000 + serial, address },
    granted: { ...(cpuMilli === undefined ? {} : { cpuMilli }), memoryBytes: memoryBytes ?? 0 },
    ...{ restarts: 0, startedAt: at + 500 + serial },
  }
  return status
}
