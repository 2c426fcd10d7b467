import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

export type StoreKind = 'sqlite' | 'etcd'

/** Where the records of a measured cluster are. */
export interface ClusterStore extends AsyncDisposable {
  /** Parts of `ServerConfig`. */
  readonly config: Readonly<Record<string, unknown>>
  readonly bytes: number
  /** Of its own process, if it has one. */
  readonly cpuSeconds: number
}

const startMs = 30_000

/** Opens what the directory has, or begins it. */
export async function openClusterStore(kind: StoreKind, directory: string, signal: AbortSignal): Promise<ClusterStore> {
  if (kind === 'etcd') return await startEtcd(join(directory, 'etcd'), signal)
  const files = ['store.db', 'store.db-wal'].map((name) => join(directory, 'state/server', name))
  return {
    config: {},
    cpuSeconds: 0,
    get bytes() {
      return files.reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0)
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
}

/** One member on loopback, with the largest database that etcd's authors recommend. */
async function startEtcd(dataDir: string, signal: AbortSignal): Promise<ClusterStore> {
  const [client = 0, peer = 0] = await freePorts(2)
  const [clientUrl, peerUrl] = [`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`]
  const args = [
    ...[
      '--name',
      'bench',
      '--data-dir',
      dataDir,
      '--log-level',
      'error',
      '--quota-backend-bytes',
      String(8 * 1024 ** 3),
    ],
    ...['--listen-client-urls', clientUrl, '--advertise-client-urls', clientUrl],
    ...[
      '--listen-peer-urls',
      peerUrl,
      '--initial-advertise-peer-urls',
      peerUrl,
      '--initial-cluster',
      `bench=${peerUrl}`,
    ],
  ]
  const child = spawn('etcd', args, { stdio: ['ignore', 'ignore', 'inherit'] })
  const killToo = (): void => void child.kill('SIGKILL')
  process.once('exit', killToo)
  const ended = once(child, 'exit')
  const stop = async (): Promise<void> => {
    process.off('exit', killToo)
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    await ended
  }
  try {
    await untilHealthy(`${clientUrl}/health`, signal)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    config: { store: { url: `etcd://127.0.0.1:${client}/berth` } },
    get bytes() {
      return statSync(join(dataDir, 'member/snap/db')).size
    },
    get cpuSeconds() {
      const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
      return (Number(fields[11]) + Number(fields[12])) / 100
    },
    [Symbol.asyncDispose]: stop,
  }
}

async function untilHealthy(url: string, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + startMs
  for (;;) {
    const answer = await fetch(url, { signal }).catch(() => undefined)
    if (answer?.ok === true) return
    if (performance.now() > deadline) throw new Error(`etcd did not answer at ${url} within ${startMs / 1000} s`)
    await delay(100, undefined, { signal })
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as { readonly port: number }).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}
